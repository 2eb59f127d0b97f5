"""Content discovery: tags, referrers, and the catalog of Distribution."""

from __future__ import annotations

from functools import partial

from tests.support.clients.edge import Answer
from tests.support.conformance.check import Category, Checks
from tests.support.conformance.client import RegistryClient, Repository
from tests.support.conformance.images import push_image

check = Checks(Category.DISCOVERY)
TAGS = ["a", "b", "c", "d"]


def _tagged(client: RegistryClient) -> Repository:
    repository = client.repository()
    push_image(repository, "c", "a", "d", "b")
    return repository


def _all_tags(query: str, client: RegistryClient) -> Answer:
    # Distribution 2.8 has no pages of tags: it answers with all, and no Link.
    repository = _tagged(client)
    answer = repository.send("GET", f"tags/list{query}")
    assert answer.json["name"] == repository.name
    assert sorted(answer.json["tags"]) == TAGS
    assert "Link" not in answer.headers
    return answer


for name, query in (
    ("tags", ""),
    ("first_page_of_tags", "?n=2"),
    ("tags_after_the_last_one_seen", "?n=2&last=b"),
    ("page_of_no_tags", "?n=0"),
):
    check.add(name, partial(_all_tags, query), 200)


@check(200)
def one_tag(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_image(repository, "latest")
    return repository.send("GET", "tags/list")


@check(404, "NAME_UNKNOWN")
def tags_of_an_unknown_repository(client: RegistryClient) -> Answer:
    return client.repository("none").send("GET", "tags/list")


@check(404, "NAME_UNKNOWN")
def tags_of_a_repository_without_any(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_image(repository)
    return repository.send("GET", "tags/list")


@check(405)
def tags_are_not_posted_to(client: RegistryClient) -> Answer:
    return _tagged(client).send("POST", "tags/list")


@check(404)
def referrers(client: RegistryClient) -> Answer:
    # Distribution 2.8 has none; 404 tells clients to look for the fallback tag.
    repository = client.repository()
    pushed = push_image(repository, "v1")
    return repository.send("GET", f"referrers/{pushed.digest}")


@check(200)
def fallback_tag_of_referrers(client: RegistryClient) -> Answer:
    repository = client.repository()
    pushed = push_image(repository, "v1")
    tag = pushed.digest.replace(":", "-")
    push_image(repository, tag, label="signature")
    return repository.get_manifest(tag, pushed.media_type)


@check(200)
def catalog(client: RegistryClient) -> Answer:
    return client.send("GET", "/v2/_catalog?n=1")


@check(200)
def catalog_after_the_last_one_seen(client: RegistryClient) -> Answer:
    return client.send("GET", "/v2/_catalog?n=5&last=zzzz")
