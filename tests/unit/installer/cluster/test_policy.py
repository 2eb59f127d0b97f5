"""What ``policy`` writes. Its expressions have tests of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.support.installer.command import Installer, Outcome
from tests.support.installer.licenses import LICENSE_ID
from tests.support.installer.patching import REGISTRIES
from tests.support.installer.servers import Server

VERSION = "1.37"
KINDS = ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"]


def told(objects: dict[str, Any]) -> dict[str, str]:
    """Return what the policy's variables are told, rather than compute."""
    variables = objects[KINDS[0]]["spec"]["variables"]
    return {item["name"]: item["expression"] for item in variables[:4]}


class Policy:
    def __init__(self, installer: Installer, license: Path, portal: Server) -> None:
        self._installer = installer
        self._options: list[str | Path] = [
            *("policy", "--license", license),
            *("--portal", f"http://{portal.host}", "--plain-http", portal.host),
        ]

    def __call__(self, *more: str | Path) -> Outcome:
        outcome = self._installer(*self._options, *more)
        assert LICENSE_ID not in outcome.out + outcome.err
        return outcome

    def objects(self, *more: str | Path) -> dict[str, Any]:
        outcome = self(*more)
        assert outcome.code == 0, outcome.err
        documents = list(yaml.safe_load_all(outcome.out))
        return {document["kind"]: document for document in documents}


@pytest.fixture
def policy(installer: Installer, license: Path, portal: Server) -> Policy:
    return Policy(installer, license, portal)


def test_a_policy_with_its_binding(policy: Policy) -> None:
    objects = policy.objects()

    assert list(objects) == KINDS
    assert told(objects) == {
        "proxy": '"proxy.example.com/proxy/my-app/"',
        "secret": '"my-app-registry"',
        "served": '["proxy.example.com/proxy/my-app/", "registry.example.com/my-app/"]',
        "rules": '[\n  ["quay.io/my-org/", "quay.io"],\n'
        '  ["registry.corp:5000/", "corp"]\n]',
    }
    assert objects["MutatingAdmissionPolicyBinding"]["spec"] == {
        "policyName": "berth-my-app",
        "matchResources": {
            "namespaceSelector": {"matchLabels": {"berth-application": "my-app"}},
            "objectSelector": {
                "matchExpressions": [
                    {
                        "key": "berth-rewrite",
                        "operator": "NotIn",
                        "values": ["disabled"],
                    }
                ]
            },
        },
    }


@pytest.mark.parametrize("more", [(), ("--identity",), ("--label", "a.b/c=d")])
def test_objects_are_as_kubernetes_describes_them(
    more: tuple[str, ...], policy: Policy
) -> None:
    for document in policy.objects(*more).values():
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_what_kubernetes_does_not_describe_is_noticed(policy: Policy) -> None:
    document = policy.objects()["MutatingAdmissionPolicy"]
    document["spec"]["failPolicy"] = document["spec"].pop("failurePolicy")

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_notes_say_what_else_is_needed(policy: Policy) -> None:
    whole, labeled, secret = policy().err.splitlines()

    assert whole.startswith("Note: Every image of registry.corp:5000 is renamed")
    assert labeled.endswith("kubectl label namespace NAME berth-application=my-app")
    assert secret == "Note: These also need the Secret my-app-registry: see secret -h."


def test_with_an_identity_there_is_no_secret(policy: Policy) -> None:
    assert told(policy.objects("--identity"))["secret"] == '""'
    assert "Secret" not in policy("--identity").err


def test_choices_are_in_the_objects(policy: Policy) -> None:
    objects = policy.objects(
        *("--only", "quay.io/my-org/api", "--exclude", "quay.io/my-org/public/"),
        *("--pull-secret", "mine", "--label", "team.example.com/app=one"),
        *("--proxy", "new.example.com"),
    )

    assert told(objects) == {
        "proxy": '"new.example.com/proxy/my-app/"',
        "secret": '"mine"',
        "served": '["new.example.com/proxy/my-app/", '
        '"proxy.example.com/proxy/my-app/", "registry.example.com/my-app/"]',
        "rules": '[\n  ["quay.io/my-org/public/", "-"],\n'
        '  ["quay.io/my-org/api:", "quay.io"]\n]',
    }
    selected = objects["MutatingAdmissionPolicyBinding"]["spec"]["matchResources"]
    labels = {"team.example.com/app": "one"}
    assert selected["namespaceSelector"] == {"matchLabels": labels}


def test_kyverno_gets_the_same_in_its_own_form(policy: Policy) -> None:
    (theirs,) = policy.objects("--kyverno").values()

    ours = policy.objects()
    spec, native = theirs["spec"], ours["MutatingAdmissionPolicy"]["spec"]
    assert (theirs["apiVersion"], theirs["kind"]) == (
        "policies.kyverno.io/v1",
        "MutatingPolicy",
    )
    assert spec["variables"] == native["variables"]
    assert spec["mutations"] == native["mutations"]
    assert spec["autogen"] == {"podControllers": {"controllers": []}}
    bound = ours["MutatingAdmissionPolicyBinding"]["spec"]["matchResources"]
    assert spec["matchConstraints"] == native["matchConstraints"] | bound


def test_a_file_that_was_edited_stays(policy: Policy, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"

    assert policy("--file", file).out == f"Wrote {file}\n"
    kinds = [document["kind"] for document in yaml.safe_load_all(file.read_text())]
    assert kinds == KINDS
    assert policy("--file", file, "--identity").code == 0
    edited = file.read_text() + "# mine\n"
    file.write_text(edited)
    assert policy("--file", file).code == 4
    assert file.read_text() == edited
    assert policy("--file", file, "--force").code == 0


def test_one_document_for_scripts(policy: Policy) -> None:
    document = policy("-o", "json").document

    assert (document["kind"], document["apiVersion"]) == ("List", "v1")
    assert [item["kind"] for item in document["items"]] == KINDS


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--only", "ghcr.io/"], "pulls nothing through the proxy that begins with"),
        (["--only", "quay.io/a:v1"], "has a tag or a digest"),
        (["--label", "x"], "'x' is not a label such as key=value"),
        (["--identity", "--pull-secret", "x"], "not allowed with argument"),
        (["--offline"], "Name them with --only"),
    ],
)
def test_what_cannot_be_done_is_told(
    more: list[str], sentence: str, policy: Policy
) -> None:
    outcome = policy(*more)

    assert (outcome.code, outcome.out) == (2, "")
    assert sentence in outcome.err


def test_a_license_that_pulls_nothing_is_told(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Data of the portal's stand-in.
    monkeypatch.setattr("tests.support.installer.patching.REGISTRIES", [])

    outcome = policy()

    assert (outcome.code, outcome.out) == (2, "")
    assert "pulls nothing through the proxy. Ask your vendor" in outcome.err


@pytest.mark.parametrize(
    "change",
    [
        {"repositories": ["a b"]},
        {"repositories": ["a\n- b c"]},
        {"upstream": "a b"},
        {"host": "quay.io/x"},
        {"repositories": None},
    ],
)
def test_what_a_portal_must_not_answer_is_refused(
    change: dict[str, Any], policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = [REGISTRIES[0] | change]
    monkeypatch.setattr("tests.support.installer.patching.REGISTRIES", answer)

    outcome = policy()

    assert (outcome.code, outcome.out) == (5, "")
    assert "returned no list of registries" in outcome.err


def test_offline_the_prefixes_are_the_rules(
    installer: Installer, license: Path
) -> None:
    outcome = installer(
        *("policy", "--license", license, "--offline", "--only", "quay.io/my-org/")
    )

    assert outcome.code == 0
    documents = yaml.safe_load_all(outcome.out)
    objects = {document["kind"]: document for document in documents}
    assert told(objects)["rules"] == '[\n  ["quay.io/my-org/", "quay.io"]\n]'


def test_without_license_and_manifests_there_is_nothing_to_do(
    installer: Installer,
) -> None:
    outcome = installer("policy")

    assert outcome.code == 2
    assert "Give the license with --license" in outcome.err
