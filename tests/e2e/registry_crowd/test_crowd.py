"""Many push, pull and delete at once while licenses and tokens are revoked."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync

from images.client import registry_client
from images.confirmation import confirm_images
from images.models import ImageManifest, ImageTag
from registries.models import PullEvent
from tests.e2e.registry_crowd.conftest import Cast, Place
from tests.e2e.registry_crowd.identities import Ended, Identity, Image

PUSHES = PULLS = 100
AT_ONCE = 20
BASE_IMAGES = 5
DELETED = 5
PLATFORMS = ("linux/amd64", "linux/arm64", "windows/amd64")
# What each ends with if all goes well.
STATUSES = {"push": 201, "pull": 200, "delete": 202}
REVOCATION_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Done:
    """One push, pull or deletion: who did it, of what, and how it ended."""

    who: Identity
    what: str
    image: Image
    status: int
    is_kept_token: bool
    started: float

    @property
    def is_good(self) -> bool:
        return self.status == STATUSES[self.what]

    @property
    def is_allowed(self) -> bool:
        is_own = self.who.namespace == self.image.namespace
        return is_own and (self.who.may_change or self.what == "pull")

    @property
    def is_after_revocation(self) -> bool:
        revoked_at = self.who.revoked_at
        return revoked_at is not None and self.started > revoked_at + REVOCATION_SECONDS


def test_nothing_leaks_and_nothing_is_lost(
    place: Place, cast: Cast, settings: Any
) -> None:
    settings.BERTH_REGISTRY_URL = place.url_for_berth
    assert len(cast.identities) == 10
    first = [
        do(place, who, "push", image)
        for who in (cast.named("ci2"), cast.named("stranger"))
        for image in (*base_images(who.namespace), *doomed_images(who.namespace))
    ]

    done = first + at_once(place, cast)

    kinds = [item.what for item in done[len(first) :]]
    assert (kinds.count("push"), kinds.count("pull")) == (PUSHES, PULLS)
    for item in done:
        check_outcome(item)
    for who in cast.revoked:
        assert any(is_refused_with_a_kept_token(item, who) for item in done), who.name
    check_list(done)
    check_pulls(cast)


def base_images(namespace: str) -> list[Image]:
    return [Image(namespace, f"base{number}", "v1") for number in range(BASE_IMAGES)]


def doomed_images(namespace: str) -> list[Image]:
    return [Image(namespace, "doomed", f"v{number}") for number in range(DELETED)]


def check_outcome(done: Done) -> None:
    if not done.is_allowed or done.is_after_revocation:
        assert done.status == 401, done
    elif done.who.revoked_at is None:
        assert done.is_good, done
    else:
        assert done.is_good or done.status == 401, done


def is_refused_with_a_kept_token(done: Done, who: Identity) -> bool:
    return (
        done.who is who
        and done.is_allowed
        and done.is_after_revocation
        and done.is_kept_token
    )


def do(place: Place, who: Identity, what: str, image: Image) -> Done:
    act = {"push": who.push, "pull": who.pull, "delete": who.delete}[what]
    started = time.monotonic()
    try:
        status, is_kept = act(place.registry, image).status, False
    except Ended as ended:
        status, is_kept = ended.status, ended.is_kept_token
    return Done(who, what, image, status, is_kept, started)


def at_once(place: Place, cast: Cast) -> list[Done]:
    """Have everybody push, pull and delete; revoke in the middle."""
    with ThreadPoolExecutor(AT_ONCE) as crowd:
        running: list[Future[Done]] = []

        def start(numbers: range) -> None:
            running.extend(
                crowd.submit(do, place, *task)
                for number in numbers
                for task in tasks(cast, number)
            )

        start(range(PUSHES // 2))
        wait_for(lambda: sum(item.done() for item in running) > PUSHES // 2)
        cast.revoke()
        start(range(PUSHES // 2, PUSHES * 3 // 4))
        over = time.monotonic() + REVOCATION_SECONDS
        wait_for(lambda: time.monotonic() > over)
        start(range(PUSHES * 3 // 4, PUSHES))
        return [item.result() for item in running]


def tasks(cast: Cast, number: int) -> list[tuple[Identity, str, Image]]:
    """Return what one of the ten does next; every third time with others' images."""
    who = cast.identities[number % 10]
    others = {item.namespace for item in cast.identities} - {who.namespace}
    namespace = others.pop() if number // 10 % 3 == 2 else who.namespace
    platform = PLATFORMS[number % len(PLATFORMS)]
    base = base_images(namespace)[number % BASE_IMAGES]
    found = [
        (who, "push", Image(namespace, who.name, f"v{number}", platform)),
        (who, "pull", base),
    ]
    if who.may_change and who.namespace == namespace:
        # Once each, by those who stay.
        doomed = doomed_images(namespace)[number // 10 % DELETED]
        is_turn = number // 10 < DELETED and who.name in {"ci2", "stranger"}
        return [*found, (who, "delete", doomed)] if is_turn else found
    return [*found, (who, "delete", base)]


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check_list(done: list[Done]) -> None:
    """Compare Berth's list with what was pushed and not deleted, and with what is."""
    good = [item for item in done if item.is_good]
    gone = {item.image for item in good if item.what == "delete"}
    assert len(gone) > DELETED
    left = {item.image for item in good if item.what == "push"} - gone
    tags = ImageTag.objects.select_related("manifest", "repository__application")
    names = {(item.full_name, item.tag) for item in left}

    def is_all_listed() -> bool:
        while confirm_images():  # as the worker does every ten seconds
            pass
        return {(item.repository.full_name, item.name) for item in tags.all()} == names

    wait_for(is_all_listed)
    assert {
        (item.repository.full_name, item.name): (
            item.manifest.digest,
            item.manifest.platforms,
            item.manifest.size,
        )
        for item in tags.all()
    } == {
        (item.full_name, item.tag): (item.digest, [item.platform], item.size)
        for item in left
    }
    assert ImageManifest.objects.count() == len(left)
    assert not tags.filter(confirmed_at=None).exists()
    assert there() == {(item.full_name, item.tag): item.digest for item in left}


@async_to_sync
async def there() -> dict[tuple[str, str], str | None]:
    """Return the digests of what lies in the registry."""
    async with registry_client() as client:
        return {
            (name, tag): await client.digest_of(name, tag)
            async for name in client.repositories()
            for tag in await client.tags(name)
        }


def check_pulls(cast: Cast) -> None:
    """Every manifest that was pulled is counted once, and no other."""
    pulled = sum(len(item.manifests_pulled) for item in cast.identities)

    def counted() -> int:
        events = PullEvent.objects.filter(outcome="allowed")
        return sum(events.values_list("count", flat=True))

    wait_for(lambda: counted() >= pulled)
    assert counted() == pulled
