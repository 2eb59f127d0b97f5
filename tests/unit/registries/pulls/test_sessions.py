"""One pull counts once, whatever requests a client makes for it.

The sequences are those that the clients sent to a registry: docker 20.10, containerd
1.6, podman 4.3, skopeo 1.9; those of crane and oras are read from their sources.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registries.pulls import sessions
from registries.pulls.sessions import ManifestRequest, Pulled, Sessions

INDEX, AMD, ARM, OTHER, SINGLE = (f"sha256:{name * 64}" for name in "01234")
TAGS = {"v1": INDEX, "latest": INDEX, "single": SINGLE, "amd": AMD}
CHILDREN = {INDEX: (AMD, ARM)}
PLATFORMS = {"amd64": AMD, "arm64": ARM}


class Client:
    """A client with a login, whose requests are counted in ``sessions``."""

    def __init__(
        self, sessions: Sessions | None = None, holder: str = "license:1"
    ) -> None:
        self.sessions = sessions or Sessions()
        self.holder = holder
        self.now = 1_000.0
        self.pulls: Counter[str] = Counter()
        self.children: dict[str, tuple[str, ...] | None] = dict(CHILDREN)

    def ask(self, requests: str, repository: str = "sample/api") -> dict[str, int]:
        """Make requests such as ``HEAD v1``; return what has been counted so far."""
        for request in filter(None, requests.split("\n")):
            method, reference = request.split()
            digest = TAGS.get(reference, reference)
            made = ManifestRequest(
                at=self.now,
                holder=self.holder,
                repository=repository,
                method=method,
                reference=reference,
                digest=digest,
                children=self.children.get(digest, ()),
            )
            self.now += 0.1
            if (pulled := self.sessions.pulled_as(made)) is not None:
                self.pulls[pulled.reference] += 1
        return dict(self.pulls)


DOCKER_SINGLE = f"HEAD single\nGET {SINGLE}"
DOCKER = f"HEAD v1\nGET {INDEX}\nGET {AMD}"
PODMAN = f"GET v1\nGET {AMD}"
SEQUENCES = {
    "docker": (DOCKER_SINGLE, {"single": 1}),
    "docker, index": (DOCKER, {"v1": 1}),
    "docker, index by digest": (f"HEAD {INDEX}\nGET {INDEX}\nGET {AMD}", {INDEX: 1}),
    "docker, nothing new": ("HEAD v1", {}),
    "docker manifest inspect": (f"GET v1\nGET v1\nGET {AMD}\nGET {ARM}", {"v1": 2}),
    "containerd": (DOCKER_SINGLE, {"single": 1}),
    "containerd, index": (DOCKER, {"v1": 1}),
    "containerd, all platforms": (f"{DOCKER}\nGET {ARM}", {"v1": 1}),
    "containerd, index by digest": (
        f"HEAD {INDEX}\nGET {INDEX}\nGET {AMD}",
        {INDEX: 1},
    ),
    "podman": ("GET single", {"single": 1}),
    "podman, index": (PODMAN, {"v1": 1}),
    "podman, index by digest": (f"GET {INDEX}\nGET {AMD}", {INDEX: 1}),
    "skopeo copy": (PODMAN, {"v1": 1}),
    "skopeo copy --all": (f"GET v1\nGET {AMD}\nGET {ARM}", {"v1": 1}),
    "skopeo copy, child by digest": (f"GET {AMD}", {AMD: 1}),
    "skopeo sync": (f"GET v1\nGET {AMD}\nGET amd", {"v1": 1, "amd": 1}),
    "crane pull": (PODMAN, {"v1": 1}),
    "crane copy": (f"HEAD v1\nGET v1\nGET {AMD}\nGET {ARM}", {"v1": 1}),
    "crane digest": ("HEAD v1", {}),
    "oras pull": ("GET single", {"single": 1}),
    "oras pull, resolved first": (DOCKER_SINGLE, {"single": 1}),
    "oras pull --platform": (f"HEAD v1\nGET {INDEX}\nGET {ARM}", {"v1": 1}),
}


@pytest.mark.parametrize("client", SEQUENCES)
def test_a_pull_of_each_client_counts_once(client: str) -> None:
    requests, expected = SEQUENCES[client]

    assert Client().ask(requests) == expected


@pytest.mark.parametrize("requests", [DOCKER, PODMAN, DOCKER_SINGLE, "GET single"])
def test_six_pulls_in_a_minute_count_six_times(requests: str) -> None:
    client = Client()
    for _ in range(6):
        client.ask(requests)

    assert client.pulls.total() == 6
    assert len(client.pulls) == 1


def test_two_platforms_pulled_by_tag_are_two_pulls() -> None:
    assert Client().ask(f"GET v1\nGET {AMD}\nGET v1\nGET {ARM}") == {"v1": 2}


def test_requests_of_two_nodes_with_one_license_may_alternate() -> None:
    requests = (
        f"HEAD v1\nHEAD v1\nGET {INDEX}\nGET {AMD}\nHEAD v1\nGET {INDEX}\nGET {ARM}"
        f"\nGET {INDEX}\nGET {AMD}"
    )

    assert Client().ask(requests) == {"v1": 3}


def test_another_holder_or_repository_takes_no_part() -> None:
    one = Client()
    two = Client(one.sessions, "license:2")
    one.ask("HEAD single\nGET v1")

    assert two.ask(f"GET {SINGLE}\nGET {AMD}") == {SINGLE: 1, AMD: 1}
    assert one.ask(f"GET {AMD}", "sample/other") == {"v1": 1, AMD: 1}
    assert one.ask(f"GET {AMD}\nGET {SINGLE}") == {"v1": 1, "single": 1, AMD: 1}


def test_a_child_alone_counts_once_the_pull_of_the_index_has_its_own() -> None:
    assert Client().ask(f"{PODMAN}\nGET {AMD}") == {"v1": 1, AMD: 1}


def test_a_client_that_has_kept_the_index_pulls_the_tag() -> None:
    """docker and containerd then get the child right after the HEAD."""
    assert Client().ask(f"{DOCKER}\nHEAD v1\nGET {AMD}") == {"v1": 2}


def test_a_tag_that_names_a_child_is_pulled_for_itself() -> None:
    requests = f"GET v1\nHEAD amd\nGET {AMD}\nGET {AMD}"

    assert Client().ask(requests) == {"v1": 1, "amd": 1}


def test_what_a_head_named_is_forgotten_after_a_minute() -> None:
    client = Client()
    client.ask("HEAD single\nHEAD single")
    client.now += 59
    assert client.ask(f"GET {SINGLE}") == {"single": 1}
    client.now += 2
    assert client.ask(f"GET {SINGLE}") == {"single": 1, SINGLE: 1}


def test_children_may_follow_slowly() -> None:
    client = Client()
    client.ask("GET v1")
    for child in (AMD, ARM):
        client.now += 590
        assert client.ask(f"GET {child}") == {"v1": 1}
    client.ask("GET v1")
    client.now += 601
    assert client.ask(f"GET {AMD}") == {"v1": 2, AMD: 1}


def test_an_index_that_cannot_be_read_has_one_child() -> None:
    client = Client()
    client.children[INDEX] = None

    assert client.ask(f"{PODMAN}\nGET {ARM}") == {"v1": 1, ARM: 1}
    assert client.ask(f"GET v1\nGET {INDEX}") == {"v1": 2, ARM: 1, INDEX: 1}


def test_an_index_within_an_index_is_a_part() -> None:
    client = Client()
    client.children = {INDEX: (OTHER,), OTHER: (AMD,)}

    assert client.ask(f"GET v1\nGET {OTHER}\nGET {AMD}") == {"v1": 1}


def test_an_answer_without_a_digest_counts() -> None:
    made = ManifestRequest(0, "license:1", "sample/api", "GET", "odd", "")
    session = Sessions()

    assert session.pulled_as(made._replace(method="HEAD")) is None
    assert session.pulled_as(made) == Pulled("odd")


names = st.sampled_from([*TAGS, INDEX, AMD, ARM, SINGLE])
asked = st.tuples(
    st.sampled_from(["license:1", "license:2"]),
    st.sampled_from(["HEAD", "GET"]),
    names,
    st.floats(0, 120),
)


@given(st.lists(asked, max_size=40))
def test_a_get_by_tag_always_counts_and_a_head_never(
    requests: list[tuple[str, str, str, float]],
) -> None:
    shared = Sessions()
    now = 0.0
    for holder, method, reference, pause in requests:
        now += pause
        digest = TAGS.get(reference, reference)
        children = CHILDREN.get(digest, ())
        made = ManifestRequest(
            now, holder, "sample/api", method, reference, digest, children
        )
        pulled = shared.pulled_as(made)
        if method == "HEAD":
            assert pulled is None
        elif reference in TAGS:
            assert pulled == Pulled(reference)
        else:
            assert pulled in {None, *map(Pulled, (reference, *TAGS))}
            assert pulled is not None or reference in {AMD, ARM}


@given(st.lists(st.sampled_from(["docker", "podman", "all"]), max_size=6), st.data())
def test_nodes_that_share_a_license_count_in_any_order(
    nodes: list[str], data: st.DataObject
) -> None:
    """Each node makes its requests in order; those of several nodes interleave."""
    steps = {
        "docker": DOCKER.split("\n"),
        "podman": PODMAN.split("\n"),
        "all": f"GET v1\nGET {AMD}\nGET {ARM}".split("\n"),
    }
    waiting = [list(steps[node]) for node in nodes]
    client = Client()
    while waiting := [node for node in waiting if node]:
        node = data.draw(st.sampled_from(waiting))
        client.ask(node.pop(0))

    assert dict(client.pulls) == ({"v1": len(nodes)} if nodes else {})


@given(st.lists(asked, max_size=30))
def test_holders_do_not_change_each_others_counts(
    requests: list[tuple[str, str, str, float]],
) -> None:
    def counts(holders: set[str]) -> list[Pulled | None]:
        alone, now, pulled = Sessions(), 0.0, []
        for holder, method, reference, pause in requests:
            now += pause
            digest = TAGS.get(reference, reference)
            made = ManifestRequest(
                now, holder, "r", method, reference, digest, CHILDREN.get(digest, ())
            )
            if holder in holders:
                result = alone.pulled_as(made)
                if holder == "license:1":
                    pulled.append(result)
        return pulled

    assert counts({"license:1"}) == counts({"license:1", "license:2"})


def test_memory_is_bounded_for_a_holder_and_in_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "MAX_REMEMBERED", 5_000)
    monkeypatch.setattr(sessions, "MAX_REMEMBERED_OF_HOLDER", 1_000)
    shared = Sessions()

    def flood(holder: str) -> None:
        for number in range(300):
            children = [f"sha256:{number * 1000 + child:064x}" for child in range(300)]
            shared.pulled_as(
                ManifestRequest(
                    number, holder, f"r{number % 7}", "GET", f"v{number}", "", children
                )
            )
            shared.pulled_as(
                ManifestRequest(
                    number, holder, "r", "HEAD", f"v{number}", f"d:{number}"
                )
            )

    quiet = Client(shared, "license:quiet")
    quiet.now = 0.0
    quiet.ask("GET v1")
    flood("license:1")
    assert shared.size <= 1_003
    assert quiet.ask(f"GET {AMD}") == {"v1": 1}
    for number in range(20):
        flood(f"license:{number}")
        assert shared.size <= 5_000


def test_nothing_is_kept_for_single_images_pulled_by_tag() -> None:
    shared = Sessions()
    Client(shared).ask("GET single\n" * 10)

    assert shared.size == 0
    assert not shared._holders


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_what_an_upstream_names_instead_of_a_digest_is_not_kept(method: str) -> None:
    """Its header may have thousands of characters."""
    remembered = Sessions()
    text = "sha256:" + "f" * 8000

    remembered.pulled_as(
        ManifestRequest(1.0, "license:1", "sample/api", method, "v1", text, (AMD,))
    )

    kept = [
        digest
        for holder in remembered._holders.values()
        for recent in holder.repositories.values()
        for digest in (*recent.named, *recent.indexes)
    ]
    assert text not in kept
