"""The pages of one image and of one tag."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from images.models import ImageRepository, ImageTag
from oci.media_types import OCI_INDEX
from teams.models import Membership, Team
from tests.integration.images.pages.private_images import (
    HOST,
    LIST,
    address,
    private_pull,
)
from tests.support.pages.reading import copyable_of, text_of, undated
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    ApiTokenFactory,
    ImageBlobFactory,
    ImageManifestFactory,
    ImageRepositoryFactory,
    ImageTagFactory,
    LicenseFactory,
    PullEventFactory,
)


@pytest.fixture(autouse=True)
def host(settings: Any) -> None:
    settings.BERTH_REGISTRY_HOST = HOST


# One image


def test_image_shows_its_tags_and_who_pushed_them(
    viewing: Client, image: ImageRepository, member: Membership
) -> None:
    robot = ApiTokenFactory(team=image.team, name="robot")
    now = timezone.now()
    ImageTagFactory(
        manifest__repository=image,
        manifest__digest=f"sha256:{'ab' * 32}",
        manifest__size=5 * 2**20,
        manifest__platforms=["linux/amd64", "linux/arm64"],
        manifest__pushed_at=now,
        manifest__pushed_by=f"user:{member.user.pk}",
        name="v2",
        pushed_at=now,
        pushed_by=f"user:{member.user.pk}",
        last_pulled_at=now - timedelta(hours=3),
    )
    for number, pushed_by in enumerate((f"api-token:{robot.pk}", "user:gone", "")):
        ImageTagFactory(
            manifest__repository=image,
            manifest__size=None,
            manifest__pushed_at=now - timedelta(days=1),
            name=f"old{number}",
            pushed_at=now - timedelta(days=1 + number),
            pushed_by=pushed_by,
        )

    response = viewing.get(address(image))

    text = undated(text_of(response))
    assert copyable_of(response) == [f"{HOST}/my-app/api"]
    assert re.search(
        r"Last pushed \d+ \w+ \d{4}, \S+ UTC by member@acme\.example", text
    )
    assert re.search(
        r"v2 sha256:abababababab… linux/amd64, linux/arm64 5\.0\WMB now "
        r"by member@acme\.example 3 h ago",
        text,
    )
    assert re.search(r"old0 \S+ linux/amd64 calculating… 1 d ago by API token", text)
    assert re.search(r"old1 .{,80} 2 d ago by a removed user or token never", text)
    assert re.search(r"old2 .{,80} 3 d ago never", text)
    assert f'title="sha256:{"ab" * 32}"' in response.content.decode()
    assert "Untagged images" not in text
    assert "No pulls of this image yet." in text


def test_image_shows_untagged_images(
    owner: Membership, viewing: Client, tag: ImageTag
) -> None:
    index = ImageManifestFactory(repository=tag.repository, media_type=OCI_INDEX)
    child = ImageManifestFactory(repository=tag.repository)
    index.children = [child.digest]
    index.save()
    dialog = address(tag.repository, "untagged", index.pk, "delete")

    response = signed_in(owner).get(address(tag.repository))

    rows = [row.item for row in response.context["untagged"]]
    assert rows == [index]
    assert f'href="{dialog}"' in response.content.decode()
    assert dialog not in viewing.get(address(tag.repository)).content.decode()


def test_untagged_images_have_pages_of_their_own(
    viewing: Client, tag: ImageTag
) -> None:
    for _ in range(12):
        ImageManifestFactory(repository=tag.repository)

    first = viewing.get(address(tag.repository))
    cursor = first.context["untagged_page"].next
    older = viewing.get(address(tag.repository), {"untagged": cursor})

    sizes = [len(page.context["untagged"]) for page in (first, older)]
    assert sizes == [10, 2]
    assert [row.item for row in older.context["tags"]] == [tag]


def test_image_shows_its_latest_pulls(
    viewing: Client, team: Team, image: ImageRepository
) -> None:
    license = LicenseFactory(team=team, customer__name="Northwind")
    private_pull(team, license=license, count=7)
    private_pull(team, license=license, reference="", outcome="license_expired")
    private_pull(team, license=license, repository="api2")
    PullEventFactory(team=team, license=license, repository="api")

    response = viewing.get(address(image))

    text = text_of(response)
    # Seconds may have passed.
    just = r"(?:now|an? second ago|\d+ seconds ago)"
    assert re.search(rf"{just} v1 Northwind Allowed 7", text)
    assert re.search(rf"{just} \S Northwind License expired Why\?", text)
    assert len(response.context["pulls"]) == 2
    all_pulls = "pulls?registry=private-registry&amp;application=my-app&amp;search=api:"
    assert f'href="/t/acme/{all_pulls}"' in response.content.decode()
    pulls = viewing.get(f"/t/acme/{all_pulls.replace('&amp;', '&')}")
    assert {row.repository for row in pulls.context["page"].rows} == {"api"}
    assert len(pulls.context["page"].rows) == 2


# One tag


def test_tag_shows_how_to_pull_it_and_who_does(
    viewing: Client, team: Team, tag: ImageTag
) -> None:
    digest = tag.manifest.digest
    ImageTagFactory(manifest=tag.manifest, name="latest")
    license = LicenseFactory(
        team=team, application=tag.repository.application, customer__name="Northwind"
    )
    private_pull(team, license=license, count=3)
    private_pull(team, license=license, reference=digest, count=4)
    private_pull(team, license=license, reference="v2", count=50)
    private_pull(
        team, license=license, count=60, last_at=timezone.now() - timedelta(days=31)
    )

    response = viewing.get(address(tag.repository, "tags", tag.pk))

    text = undated(text_of(response))
    assert copyable_of(response) == [
        f"{HOST}/my-app/api:v1",
        f"{HOST}/my-app/api@{digest}",
    ]
    assert "Kind Image, in OCI format" in text
    assert "Other tags of this image latest" in text
    assert "7 pulls of this tag or its digest. 1 active license can pull it." in text
    assert "Northwind 7 Can they pull it now?" in text
    links = re.findall(r'href="(/t/acme/why\?[^"]*)"', response.content.decode())
    queries = [parse_qs(urlsplit(link.replace("&amp;", "&")).query) for link in links]
    image = [f"{HOST}/my-app/api:v1"]
    assert queries == [{"license": [str(license.pk)], "image": image}, {"image": image}]


def test_tag_of_an_unread_image_of_unknown_kind(viewing: Client, tag: ImageTag) -> None:
    tag.manifest.size, tag.manifest.media_type = None, "application/vnd.strange+json"
    tag.manifest.platforms = []
    tag.manifest.save()

    text = text_of(viewing.get(address(tag.repository, "tags", tag.pk)))

    assert "Kind application/vnd.strange+json" in text
    assert "Size calculating…" in text
    assert "Platforms" not in text
    assert "No customer has pulled it in this period." in text


def test_tag_is_not_found_under_another_image(viewing: Client, tag: ImageTag) -> None:
    other = ImageRepositoryFactory(application=tag.repository.application)

    assert viewing.get(address(other, "tags", tag.pk)).status_code == 404


# Roles, other teams, and the number of queries


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_other_roles_cannot_delete(
    role: str, tag: ImageTag, request: pytest.FixtureRequest
) -> None:
    client = signed_in(request.getfixturevalue(role))
    untagged = ImageManifestFactory(repository=tag.repository)
    dialogs = [
        address(tag.repository, "delete"),
        address(tag.repository, "tags", tag.pk, "delete"),
        address(tag.repository, "untagged", untagged.pk, "delete"),
    ]

    for page in (
        LIST,
        address(tag.repository),
        address(tag.repository, "tags", tag.pk),
    ):
        response = client.get(page)
        assert response.status_code == 200
        assert "/delete" not in response.content.decode()
    for dialog in dialogs:
        assert client.get(dialog).status_code == 403
        assert client.post(dialog).status_code == 403
    assert ImageTag.objects.filter(pk=tag.pk).exists()


def test_another_team_sees_nothing(
    outsider: Membership, team: Team, tag: ImageTag, other_team: Team
) -> None:
    client = signed_in(outsider)
    private_pull(team)

    assert client.get(address(tag.repository)).status_code == 404
    for page in (address(tag.repository), address(tag.repository, "tags", tag.pk)):
        assert client.get(page.replace("/acme/", "/rival/")).status_code == 404
    theirs = client.get(LIST.replace("/acme/", "/rival/"))
    assert theirs.status_code == 200
    assert list(theirs.context["page"].rows) == []
    assert theirs.context["used"] == 0


def _fill(owner: Membership, image: ImageRepository, number: int) -> ImageTag:
    team, user = image.team, f"user:{owner.user_id}"
    for index in range(number):
        token = ApiTokenFactory(team=team)
        pushed_by = f"api-token:{token.pk}"
        ImageTagFactory(manifest__repository=image, pushed_by=pushed_by)
        ImageManifestFactory(repository=image, pushed_by=pushed_by)
        blob = ImageBlobFactory(manifest__repository__application=image.application)
        ImageTagFactory(manifest=blob.manifest)
        license = LicenseFactory(team=team, application=image.application)
        private_pull(team, license=license, reference="same0")
        private_pull(team, holder=pushed_by, reference=f"x{index}")
    manifest = ImageManifestFactory(repository=image, pushed_by=user)
    tags = [
        ImageTagFactory(manifest=manifest, name=f"same{index}", pushed_by=user)
        for index in range(number + 1)
    ]
    return tags[0]


@pytest.mark.parametrize("number", [1, 3])
def test_queries_do_not_grow_with_rows(
    number: int,
    owner: Membership,
    image: ImageRepository,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    tag = _fill(owner, image, number)
    untagged = ImageManifestFactory(repository=image)
    client = signed_in(owner)
    client.get(LIST)

    for page, queries in (
        (LIST, 9),
        (address(image), 13),
        (address(image, "tags", tag.pk), 14),
        (address(image, "delete"), 10),
        (address(image, "tags", tag.pk, "delete"), 13),
        (address(image, "untagged", untagged.pk, "delete"), 11),
    ):
        with django_assert_num_queries(queries, info=page):
            assert client.get(page).status_code == 200
