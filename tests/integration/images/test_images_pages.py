"""Pages of the private registry, and its pulls on other pages."""

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
from licenses.models import Application
from oci.media_types import OCI_INDEX
from registries.models import PRIVATE_REGISTRY_ID
from teams.models import Membership, Team
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    ApiTokenFactory,
    ApplicationFactory,
    ExternalRegistryFactory,
    ImageBlobFactory,
    ImageManifestFactory,
    ImageRepositoryFactory,
    ImageTagFactory,
    LicenseFactory,
    PullEventFactory,
)

HOST = "registry.acme.example"
IMAGES = "/t/acme/images"
LIST = "/t/acme/private-registry"


@pytest.fixture(autouse=True)
def host(settings: Any) -> None:
    settings.BERTH_REGISTRY_HOST = HOST


@pytest.fixture
def application(team: Team) -> Application:
    made: Application = ApplicationFactory(team=team, name="My app", slug="my-app")
    return made


@pytest.fixture
def image(application: Application) -> ImageRepository:
    made: ImageRepository = ImageRepositoryFactory(application=application, name="api")
    return made


@pytest.fixture
def tag(image: ImageRepository) -> ImageTag:
    made: ImageTag = ImageTagFactory(manifest__repository=image, name="v1")
    return made


@pytest.fixture
def viewing(viewer: Membership) -> Client:
    return signed_in(viewer)


def address(image: ImageRepository, *rest: object) -> str:
    return "/".join(map(str, (IMAGES, image.pk, *rest)))


def copyable_of(response: Any) -> list[str]:
    return re.findall(r"<pre><code>([^<]*)</code></pre>", response.content.decode())


def private_pull(team: Team, **values: Any) -> Any:
    return PullEventFactory(
        team=team,
        registry_id=PRIVATE_REGISTRY_ID,
        registry_slug="private-registry",
        **{"repository": "api", "reference": "v1"} | values,
    )


# The Images page


def test_images_page_shows_what_is_stored(viewing: Client, tag: ImageTag) -> None:
    ImageBlobFactory(manifest=tag.manifest, size=3 * 2**20)

    response = viewing.get(IMAGES)

    text = text_of(response)
    assert re.search(r"my-app/api 1 3\.0\WMB now never", text)
    assert re.search(r"Together your images take 3\.0\WMB\.", text)
    assert f'href="{address(tag.repository)}"' in response.content.decode()
    assert f'href="{LIST}"' in response.content.decode()


def test_images_page_shows_the_newest_only(
    viewing: Client, application: Application
) -> None:
    for number in range(11):
        ImageRepositoryFactory(application=application, name=f"r{number}")

    text = text_of(viewing.get(IMAGES))

    assert "my-app/r10 " in text
    assert "my-app/r0 " not in text
    assert "These are your 10 newest." in text


def test_images_page_leads_a_newcomer_to_the_commands(
    owner: Membership, viewing: Client, application: Application
) -> None:
    response = signed_in(owner).get(IMAGES)

    text = text_of(response)
    assert "Push your first one with the commands below." in text
    assert "a user token from API tokens" in text
    assert "as long as your account has no second factor" in text
    for page in ("api-tokens", "service-accounts"):
        paragraph = response.content.decode().partition("Log in with your e-mail")[2]
        assert f'href="/t/acme/{page}"' in paragraph
    assert copyable_of(response)[-1] == f"docker push {HOST}/my-app/IMAGE_NAME:TAG"

    assert "Your role does not." in text_of(viewing.get(IMAGES))


def test_without_a_registry_host_nothing_is_offered(
    viewing: Client, tag: ImageTag, settings: Any
) -> None:
    settings.BERTH_REGISTRY_HOST = ""

    text = text_of(viewing.get(IMAGES))

    assert "has no private registry" in text
    assert "my-app/api" not in text


# The list


def test_list_shows_storage_by_application(
    viewing: Client, team: Team, tag: ImageTag
) -> None:
    ImageBlobFactory(manifest=tag.manifest, size=2**20)
    other = ApplicationFactory(team=team, name="Other app", slug="other-app")
    blob = ImageBlobFactory(manifest__repository__application=other, size=5 * 2**20)
    ImageBlobFactory(
        manifest__repository__application=other, digest=blob.digest, size=5 * 2**20
    )

    text = text_of(viewing.get(LIST))

    assert re.search(r"Storage: 6\.0\WMB", text)
    assert re.search(r"Other app 5\.0\WMB My app 1\.0\WMB", text)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, {"api", "web"}),
        ({"application": "my-app"}, {"api"}),
        ({"application": "nowhere"}, set()),
        ({"search": "WE"}, {"web"}),
        ({"search": "my-app/a"}, {"api"}),
        ({"search": f" {HOST}/other-app/web "}, {"web"}),
        ({"search": "%"}, set()),
    ],
)
def test_filters(
    viewing: Client,
    team: Team,
    image: ImageRepository,
    query: dict[str, str],
    shown: set[str],
) -> None:
    other = ApplicationFactory(team=team, slug="other-app")
    ImageRepositoryFactory(application=other, name="web")

    response = viewing.get(LIST, query, headers={"HX-Request": "true"})

    assert "<html" not in response.content.decode()
    assert {each.name for each in response.context["page"].rows} == shown
    if not shown:
        assert "No image matches" in text_of(response)


def test_list_has_pages(viewing: Client, application: Application) -> None:
    for number in range(30):
        ImageRepositoryFactory(application=application, name=f"r{number:02}")

    first = viewing.get(LIST)
    older = viewing.get(LIST, {"page": first.context["page"].older})

    shown = [each.name for page in (first, older) for each in page.context["page"].rows]
    assert shown == [f"r{number:02}" for number in reversed(range(30))]


def test_empty_list_leads_to_the_commands(viewing: Client, team: Team) -> None:
    response = viewing.get(LIST)

    assert "No images yet" in text_of(response)
    assert f'href="{IMAGES}#private-registry"' in response.content.decode()


# One image


def test_image_tells_its_tags_and_who_pushed_them(
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

    text = text_of(response)
    assert copyable_of(response) == [f"{HOST}/my-app/api"]
    assert re.search(r"Last pushed \S+ \S+ UTC by member@acme\.example", text)
    assert re.search(
        r"v2 sha256:abababababab… linux/amd64, linux/arm64 5\.0\WMB now "
        r"by member@acme\.example 3\Whours ago",
        text,
    )
    assert re.search(r"old0 \S+ linux/amd64 being read 1\Wday ago by API token", text)
    assert re.search(r"old1 .{,80} 2\Wdays ago by somebody removed since never", text)
    assert re.search(r"old2 .{,80} 3\Wdays ago never", text)
    assert f'title="sha256:{"ab" * 32}"' in response.content.decode()
    assert "Untagged images" not in text
    assert "Nobody has pulled this image yet." in text


def test_image_shows_what_no_tag_names(
    owner: Membership, viewing: Client, tag: ImageTag
) -> None:
    index = ImageManifestFactory(repository=tag.repository, media_type=OCI_INDEX)
    child = ImageManifestFactory(repository=tag.repository)
    index.children = [child.digest]
    index.save()
    dialog = address(tag.repository, "untagged", index.pk, "delete")

    response = signed_in(owner).get(address(tag.repository))

    rows = [each.row for each in response.context["untagged"]]
    assert rows == [index]
    assert f'href="{dialog}"' in response.content.decode()
    assert dialog not in viewing.get(address(tag.repository)).content.decode()


def test_untagged_images_have_pages_of_their_own(
    viewing: Client, tag: ImageTag
) -> None:
    for _ in range(12):
        ImageManifestFactory(repository=tag.repository)

    first = viewing.get(address(tag.repository))
    cursor = first.context["untagged_page"].older
    older = viewing.get(address(tag.repository), {"untagged": cursor})

    sizes = [len(page.context["untagged"]) for page in (first, older)]
    assert sizes == [10, 2]
    assert [each.row for each in older.context["tags"]] == [tag]


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
    assert "now v1 Northwind Allowed 7" in text
    assert re.search(r"now \S Northwind License expired Why\?", text)
    assert len(response.context["pulls"]) == 2
    all_pulls = "pulls?registry=private-registry&amp;application=my-app&amp;search=api:"
    assert f'href="/t/acme/{all_pulls}"' in response.content.decode()
    pulls = viewing.get(f"/t/acme/{all_pulls.replace('&amp;', '&')}")
    assert {each.repository for each in pulls.context["page"].rows} == {"api"}
    assert len(pulls.context["page"].rows) == 2


# One tag


def test_tag_tells_how_to_pull_it_and_who_does(
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

    text = text_of(response)
    assert copyable_of(response) == [
        f"docker pull {HOST}/my-app/api:v1",
        f"docker pull {HOST}/my-app/api@{digest}",
    ]
    assert "Kind Image, in OCI format" in text
    assert "Other tags of this image latest" in text
    assert "7 pulls of this tag or its digest. 1 active license may pull it." in text
    assert "Northwind 7 Could they pull it now?" in text
    links = re.findall(r'href="(/t/acme/why\?[^"]*)"', response.content.decode())
    queries = [parse_qs(urlsplit(each.replace("&amp;", "&")).query) for each in links]
    image = [f"{HOST}/my-app/api:v1"]
    assert queries == [{"license": [str(license.pk)], "image": image}, {"image": image}]


def test_tag_of_an_unread_or_a_strange_image(viewing: Client, tag: ImageTag) -> None:
    tag.manifest.size, tag.manifest.media_type = None, "application/vnd.strange+json"
    tag.manifest.platforms = []
    tag.manifest.save()

    text = text_of(viewing.get(address(tag.repository, "tags", tag.pk)))

    assert "Kind application/vnd.strange+json" in text
    assert "Size being read" in text
    assert "Platforms" not in text
    assert "No customer has pulled it in this time." in text


def test_nothing_is_reached_from_another_image(viewing: Client, tag: ImageTag) -> None:
    other = ImageRepositoryFactory(application=tag.repository.application)

    assert viewing.get(address(other, "tags", tag.pk)).status_code == 404


# Roles, other teams, and the number of queries


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_who_may_not_delete_is_offered_nothing(
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
    assert theirs.context["total"] == 0


def _fill(owner: Membership, image: ImageRepository, number: int) -> ImageTag:
    team, user = image.team, f"user:{owner.user_id}"
    for each in range(number):
        token = ApiTokenFactory(team=team)
        pushed_by = f"api-token:{token.pk}"
        ImageTagFactory(manifest__repository=image, pushed_by=pushed_by)
        ImageManifestFactory(repository=image, pushed_by=pushed_by)
        blob = ImageBlobFactory(manifest__repository__application=image.application)
        ImageTagFactory(manifest=blob.manifest)
        license = LicenseFactory(team=team, application=image.application)
        private_pull(team, license=license, reference="same0")
        private_pull(team, holder=pushed_by, reference=f"x{each}")
    manifest = ImageManifestFactory(repository=image, pushed_by=user)
    tags = [
        ImageTagFactory(manifest=manifest, name=f"same{each}", pushed_by=user)
        for each in range(number + 1)
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
        (LIST, 7),
        (address(image), 12),
        (address(image, "tags", tag.pk), 13),
        (address(image, "delete"), 9),
        (address(image, "tags", tag.pk, "delete"), 12),
        (address(image, "untagged", untagged.pk, "delete"), 10),
    ):
        with django_assert_num_queries(queries, info=page):
            assert client.get(page).status_code == 200


# Pulls of the private registry on other pages


def test_pulls_page_tells_private_pulls_apart(viewing: Client, team: Team) -> None:
    license = LicenseFactory(team=team, customer__name="Northwind")
    registry = ExternalRegistryFactory(team=team, slug="api", endpoint="quay.io")
    private_pull(team, license=license, repository="api/x", outcome="license_expired")
    private_pull(team, license=license, repository="y", reference="")
    PullEventFactory(team=team, license=license, repository="api/z", registry=registry)

    def shown(**query: str) -> set[str]:
        text = text_of(viewing.get("/t/acme/pulls", query))
        names = (f"{HOST}/my-app/api/x:v1", f"{HOST}/my-app/y ", " api/z:v1.0.1")
        return {each.strip() for each in names if each in text}

    x, y, z = f"{HOST}/my-app/api/x:v1", f"{HOST}/my-app/y", "api/z:v1.0.1"
    assert shown() == {x, y, z}
    assert shown(registry="private-registry") == {x, y}
    assert shown(registry="api") == {z}
    assert shown(search="api/") == {x, z}
    assert shown(search=f"{HOST}/my-app/api") == {x}
    assert shown(search=f"{HOST}/other-app/api") == set()
    assert shown(search=f"{HOST}/my-app/api:") == set()
    assert shown(search=f"{HOST}/my-app/api/x:v") == {x}
    content = viewing.get("/t/acme/pulls").content.decode()
    assert '<option value="private-registry">Private registry</option>' in content
    (why,) = re.findall(r'href="(/t/acme/why\?[^"]*)"', content)
    query = parse_qs(urlsplit(why.replace("&amp;", "&")).query)
    assert query == {"license": [str(license.pk)], "image": [x]}


def test_why_answers_what_a_private_pull_asks(
    owner: Membership, team: Team, application: Application
) -> None:
    license = LicenseFactory(team=team, application=application, revoked=True)
    private_pull(team, license=license, reference="", outcome="license_revoked")
    client = signed_in(owner)
    pages = [
        client.get("/t/acme/pulls"),
        client.get("/t/acme/"),
        client.get(f"/t/acme/licenses/{license.pk}"),
        client.get(f"/t/acme/why?license={license.pk}"),
    ]

    for page in pages:
        text = text_of(page)
        assert f"{HOST}/my-app/api " in text
        (why,) = set(
            re.findall(r'"(/t/acme/why\?[^"]*image=[^"]*)"', str(page.content))
        )
        answer = client.get(why.replace("&amp;", "&"))
        assert "This pull is refused" in text_of(answer)
        assert "Is the registry connected" not in text_of(answer)


def test_dashboard_and_license_keep_private_and_proxied_pulls_apart(
    owner: Membership, team: Team, application: Application
) -> None:
    license = LicenseFactory(team=team, application=application, revoked=True)
    outcome = "license_revoked"
    private_pull(team, license=license, outcome=outcome, count=2)
    PullEventFactory(
        team=team,
        license=license,
        repository="api",
        reference="v1",
        outcome=outcome,
        count=30,
    )
    client = signed_in(owner)

    dashboard = text_of(client.get("/t/acme/"))
    page = text_of(client.get(f"/t/acme/licenses/{license.pk}"))

    assert re.search(rf" {HOST}/my-app/api 2 ", dashboard)
    assert re.search(r" my-app/api 30 ", dashboard)
    assert re.search(rf" {HOST}/my-app/api:v1 [^@]{{,120}} 2 now", page)
    assert re.search(r" api:v1 [^@]{,120} 30 now", page)


def test_application_leads_to_its_images(
    viewing: Client, application: Application
) -> None:
    response = viewing.get("/t/acme/applications/my-app")

    assert f'href="{LIST}?application=my-app"' in response.content.decode()
