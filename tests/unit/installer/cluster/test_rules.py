from __future__ import annotations

import pytest

from installer.cluster.rules import (
    Rule,
    assumed_rules,
    keeping,
    narrowed,
    parse_prefix,
    rules_of,
)
from installer.errors import UsageError
from installer.net.portal import RenamedRegistry
from oci.reference import MalformedName


def lines(rules: list[Rule]) -> list[str]:
    return [" ".join(rule.words) for rule in rules]


def registry(host: str, *patterns: str, upstream: str | None = None) -> RenamedRegistry:
    return RenamedRegistry(host, upstream or host, patterns)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("my-org/*", "quay.io/my-org/ quay.io"),
        ("my-org/api*", "quay.io/my-org/api quay.io"),
        ("my-org/**", "quay.io/my-org/ quay.io"),
        ("my-org/api", "quay.io/my-org/api: quay.io"),
        ("*", "quay.io/ quay.io"),
        ("*/api", r"quay.io/ quay.io ^quay\.io/[^:]*/api:"),
        ("my-org/v?", r"quay.io/my-org/v quay.io ^quay\.io/my-org/v[^:]:"),
        ("a*b*", r"quay.io/a quay.io ^quay\.io/a[^:]*b[^:]*:"),
    ],
)
def test_each_pattern_is_a_rule(pattern: str, line: str) -> None:
    assert lines(rules_of([registry("quay.io", pattern)])) == [line]


def test_a_host_with_a_port_goes_by_its_upstream() -> None:
    rules = rules_of([registry("[::1]:5000", "a*b", upstream="corp")])

    assert lines(rules) == [r"[::1]:5000/a corp ^\[::1\]:5000/a[^:]*b:"]


def test_official_images_keep_their_names_if_all_of_docker_hub_is_offered() -> None:
    everything = rules_of([registry("quay.io", "*"), registry("docker.io", "*")])
    some = rules_of([registry("docker.io", "acme/*", "library/own")])

    assert lines(everything) == [
        "docker.io/library/ -",
        "quay.io/ quay.io",
        "docker.io/ docker.io",
    ]
    assert lines(some) == [
        "docker.io/acme/ docker.io",
        "docker.io/library/own: docker.io",
    ]


def test_rules_that_never_count_are_left_out() -> None:
    rules = rules_of(
        [
            registry("quay.io", "a/b", "a/*", "a/c", "?/d", upstream="one"),
            registry("quay.io", "a/b", "a/b/c", "z/*", upstream="two"),
        ]
    )

    assert lines(rules) == [
        "quay.io/a/b: one",
        "quay.io/a/ one",
        r"quay.io/ one ^quay\.io/[^:]/d:",
        "quay.io/z/ two",
    ]


def test_only_selects_within_what_the_license_pulls() -> None:
    rules = rules_of(
        [
            registry("quay.io", "a/*", "b/c", upstream="one"),
            registry("quay.io", "*", upstream="two"),
            registry("docker.io", "*"),
        ]
    )

    def only(*texts: str) -> list[str]:
        return lines(narrowed(rules, [parse_prefix(text) for text in texts]))

    assert only("quay.io/a/x/") == ["quay.io/a/x/ one"]
    assert only("quay.io/b/") == ["quay.io/b/c: one", "quay.io/b/ two"]
    assert only("quay.io/b/c") == ["quay.io/b/c: one"]
    assert only("quay.io/") == [
        "quay.io/a/ one",
        "quay.io/b/c: one",
        "quay.io/ two",
    ]
    # Who names official images wants them.
    assert only("nginx", "acme/") == [
        "docker.io/library/nginx: docker.io",
        "docker.io/acme/ docker.io",
    ]
    with pytest.raises(UsageError, match=r"begins with ghcr\.io/my-org/api\. "):
        only("ghcr.io/my-org/api")


def test_only_keeps_the_pattern_of_its_rule() -> None:
    rules = rules_of([registry("quay.io", "*/api")])

    assert lines(narrowed(rules, ["quay.io/my-org/"])) == [
        r"quay.io/my-org/ quay.io ^quay\.io/[^:]*/api:"
    ]


def test_without_a_portal_prefixes_are_the_rules() -> None:
    assert lines(assumed_rules(["quay.io/my-org/", "docker.io/acme/web:"])) == [
        "quay.io/my-org/ quay.io",
        "docker.io/acme/web: docker.io",
    ]
    with pytest.raises(UsageError, match="Name them with --only"):
        assumed_rules([])
    with pytest.raises(UsageError, match=r"registry\.corp:5000 has a port"):
        assumed_rules(["registry.corp:5000/a/"])


def test_excluded_images_come_first() -> None:
    rules = [Rule("quay.io/a/", "quay.io"), Rule("quay.io/b/", "quay.io")]

    kept = keeping(rules, ["quay.io/a/public:", "quay.io/b/"])

    assert lines(kept) == ["quay.io/a/public: -", "quay.io/b/ -", "quay.io/a/ quay.io"]


def test_five_hundred_rules_are_the_most() -> None:
    rules = [Rule(f"quay.io/org-{number}/", "quay.io") for number in range(500)]

    assert keeping(rules, []) == rules
    with pytest.raises(UsageError, match="These are 501 rules"):
        keeping(rules, ["quay.io/x/"])


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("quay.io/", "quay.io/"),
        ("quay.io/my-org/", "quay.io/my-org/"),
        ("quay.io/my-org/api", "quay.io/my-org/api:"),
        ("Registry.Corp:5000/team/", "registry.corp:5000/team/"),
        ("localhost/team/", "localhost/team/"),
        ("nginx", "docker.io/library/nginx:"),
        ("acme/", "docker.io/acme/"),
        ("acme/web", "docker.io/acme/web:"),
        ("docker.io/", "docker.io/"),
        ("index.docker.io/acme/", "docker.io/acme/"),
        ("docker.io/nginx", "docker.io/library/nginx:"),
    ],
)
def test_prefixes_are_read_as_engines_read_names(text: str, prefix: str) -> None:
    assert parse_prefix(text) == prefix


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "quay.io/A/", "quay.io/a:v1", "quay.io//", "quay.io/a b/"),
        *(f"quay.io/a@sha256:{'0' * 64}", "quay.io/a@sha256:0", "-/", "qu ay.io/a/"),
    ],
)
def test_what_is_no_prefix_is_refused(text: str) -> None:
    with pytest.raises(MalformedName):
        parse_prefix(text)
