from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from oci.kustomize import (
    Renaming,
    home_of,
    image_name,
    is_proxied,
    kustomization,
    proxy_image_name,
)
from oci.reference import MalformedName, parse_reference

PROXY = "proxy.example.com"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def renamed(name: str, *paths: str) -> Renaming:
    host, repository = home_of(parse_reference(name))
    upstream = "sample" if ":" in host else host
    new_name = proxy_image_name(PROXY, "my-app", upstream, repository)
    return Renaming(name, new_name, paths)


def test_the_kustomization_of_the_documentation() -> None:
    text = kustomization([renamed("quay.io/my-org/api")])

    assert text == (
        "apiVersion: kustomize.config.k8s.io/v1beta1\n"
        "resources:\n"
        "- ../../base\n"
        "images:\n"
        "- name: quay.io/my-org/api\n"
        "  newName: proxy.example.com/proxy/my-app/quay.io/my-org/api\n"
    )


def test_nothing_to_rename_leaves_the_base() -> None:
    assert yaml.safe_load(kustomization([], resources=["../base"])) == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "resources": ["../base"],
    }


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("quay.io/my-org/api:v1.0.1", "quay.io/my-org/api"),
        ("quay.io/my-org/api", "quay.io/my-org/api"),
        (f"quay.io/my-org/api@{DIGEST}", "quay.io/my-org/api"),
        (f"quay.io/my-org/api:v1@{DIGEST}", "quay.io/my-org/api"),
        ("localhost:5001/api", "localhost:5001/api"),
        ("localhost:5001/api:v1", "localhost:5001/api"),
        ("redis", "redis"),
        ("redis:7", "redis"),
    ],
)
def test_image_name_leaves_out_tag_and_digest(image: str, name: str) -> None:
    assert image_name(image) == name


@pytest.mark.parametrize(
    "spelling",
    [
        "redis",
        "library/redis",
        "docker.io/redis",
        "docker.io/library/redis",
        "index.docker.io/library/redis",
        "registry-1.docker.io/library/redis:7",
    ],
)
def test_all_spellings_of_docker_hub_are_one(spelling: str) -> None:
    assert home_of(parse_reference(spelling)) == ("docker.io", "library/redis")


def test_other_hosts_are_left_as_they_are() -> None:
    assert home_of(parse_reference("my-org/api")) == ("docker.io", "my-org/api")
    assert home_of(parse_reference("localhost:5001/api")) == ("localhost:5001", "api")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("proxy.example.com/proxy/my-app/quay.io/my-org/api", True),
        ("proxy.example.com/other/api", False),
        ("quay.io/proxy/api", False),
        ("proxy/api", False),
    ],
)
def test_is_proxied(image: str, expected: bool) -> None:
    assert is_proxied(parse_reference(image), PROXY) is expected


def test_a_registry_with_a_port_needs_its_slug() -> None:
    with pytest.raises(MalformedName, match="has a port"):
        proxy_image_name(PROXY, "my-app", "localhost:5001", "api")


def test_a_name_that_would_be_too_long_is_refused() -> None:
    with pytest.raises(MalformedName, match="longer than"):
        proxy_image_name(PROXY, "my-app", "quay.io", "a" * 250)


def test_each_name_has_one_entry() -> None:
    document = yaml.safe_load(kustomization([renamed("redis"), renamed("redis")]))

    assert len(document["images"]) == 1


def test_places_beyond_the_reach_of_images_get_a_transformer() -> None:
    renamings = [
        renamed("redis", "spec/containers[]/image", "spec/ephemeralContainers[]/image"),
        renamed("redis", "spec/ephemeralContainers[]/image"),
        renamed("quay.io/my-org/api", "containers[]/image"),
    ]
    (text,) = yaml.safe_load(kustomization(renamings))["transformers"]

    transformer = yaml.safe_load(text)
    assert transformer["imageTag"] == {
        "name": "redis",
        "newName": f"{PROXY}/proxy/my-app/docker.io/library/redis",
    }
    assert transformer["fieldSpecs"] == [{"path": "spec/ephemeralContainers[]/image"}]


def test_a_name_that_would_match_another_is_escaped() -> None:
    def name(text: str) -> str:
        found: str = yaml.safe_load(text)["images"][0]["name"]
        return found

    only = [renamed("quay.io/api")]
    assert name(kustomization(only, kept=["quay.io/other"])) == "quay.io/api"
    assert name(kustomization(only, kept=["quay-io/api"])) == r"quay\.io/api"


# Without dots, so that none looks like a host.
parts = st.from_regex(r"[a-z0-9]{1,20}(?:[_-][a-z0-9]{1,20})?", fullmatch=True)
repositories = st.lists(parts, min_size=1, max_size=3).map("/".join)
hosts = st.sampled_from(["", "quay.io/", "docker.io/", "localhost:5001/", "my.gcr.io/"])
versions = st.sampled_from(["", ":v1", f"@{DIGEST}", f":v1@{DIGEST}"])


@settings(deadline=None)
@given(hosts, repositories, versions)
def test_renamed_images_keep_their_version_and_can_be_pulled(
    host: str, repository: str, version: str
) -> None:
    image = f"{host}{repository}{version}"
    reference = parse_reference(image)
    name = image_name(image)

    assert name + version == image
    (entry,) = yaml.safe_load(kustomization([renamed(name)]))["images"]
    assert re.fullmatch(entry["name"], name)
    proxied = parse_reference(entry["newName"] + version)
    assert is_proxied(proxied, PROXY)
    assert (proxied.tag, proxied.digest) == (reference.tag, reference.digest)


class CountedName(str):
    """A name that counts how often it is compared with another."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other: object) -> bool:
        CountedName.comparisons += 1
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        CountedName.comparisons += 1
        return str.__ne__(self, other)

    __hash__ = str.__hash__


def test_many_names_are_not_compared_each_with_each() -> None:
    renamings = [
        Renaming(CountedName(f"quay.io/my-org/api{number:04}"), "new")
        for number in range(2_000)
    ]
    kept = [CountedName(item.name.replace(".", "-")) for item in renamings]
    CountedName.comparisons = 0

    text = kustomization(renamings, kept=kept)

    assert text.count(r"name: quay\.io/my-org/api") == 2_000
    assert CountedName.comparisons < 50_000


def test_names_with_dots_in_very_many_places_are_escaped_unseen() -> None:
    names = ["a" * place + "." + "a" * (99 - place) for place in range(1, 99)]

    images = yaml.safe_load(kustomization([Renaming(item, "new") for item in names]))

    assert [item["name"] for item in images["images"]] == [
        item.replace(".", r"\.") for item in names
    ]


def test_a_name_in_very_many_places_beyond_reach_has_each_once() -> None:
    paths = [f"spec/at{number}/image" for number in range(2_000)]
    renamings = [renamed("redis", *paths), renamed("redis", *paths)]

    (text,) = yaml.safe_load(kustomization(renamings))["transformers"]

    assert [item["path"] for item in yaml.safe_load(text)["fieldSpecs"]] == paths


def test_an_ipv6_host_is_not_a_set_of_letters() -> None:
    renaming = Renaming("[::1]:5000/my-org/api", "proxy.test/proxy/my-app/a/my-org/api")

    document = yaml.safe_load(kustomization([renaming]))

    (entry,) = document["images"]
    assert re.fullmatch(entry["name"], renaming.name)
    assert not re.fullmatch(entry["name"], "::5000/my-org/api")


@pytest.mark.parametrize("name", ["1e3", "0o7", "12e45", "y", "N", "nan", "1_0"])
def test_a_name_that_kubectl_would_take_for_a_number_is_quoted(name: str) -> None:
    new_name = f"proxy.example.com/proxy/app/docker.io/library/{name.lower()}"

    text = kustomization([Renaming(name, new_name)])

    assert f'- name: "{name}"\n' in text
    assert yaml.safe_load(text)["images"] == [{"name": name, "newName": new_name}]


def test_the_transformer_of_names_that_images_does_not_reach() -> None:
    renaming = Renaming("redis", "proxy.example.com/proxy/app/redis", ("spec/image",))

    text = kustomization([renaming])

    # A document inside a document, to be read by people too.
    assert "transformers:\n- |\n  apiVersion: builtin\n" in text
    (transformer,) = yaml.safe_load(text)["transformers"]
    assert yaml.safe_load(transformer) == {
        "apiVersion": "builtin",
        "kind": "ImageTagTransformer",
        "metadata": {"name": "images-elsewhere-1"},
        "imageTag": {"name": "redis", "newName": "proxy.example.com/proxy/app/redis"},
        "fieldSpecs": [{"path": "spec/image"}],
    }


def test_a_long_name_stays_on_its_line() -> None:
    new_name = "proxy.example.com/proxy/app/" + "/".join(["part"] * 40)

    assert f"  newName: {new_name}\n" in kustomization([Renaming("a", new_name)])
