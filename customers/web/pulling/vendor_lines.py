"""The tools whose lines vendors copy: those of customers, without the installer."""

from __future__ import annotations

from django.conf import settings

from customers.pulling.image_names import NamedImage, repository_in
from customers.web.pulling.install_lines import (
    TOOLS,
    WITHOUT_IMAGE,
    Step,
    Tool,
    Wanted,
    make_pull_secret,
)
from oci.kustomize import (
    DOCKER_HUB,
    Renaming,
    dump_yaml,
    image_changes,
    image_name,
)
from oci.pull_secrets import pull_secret_name
from registries.decision.proxied_name import parse_proxied_name
from registries.preview.manifest import ImageJudge
from registries.providers import canonical_endpoint


def tools_for(image: NamedImage, judge: ImageJudge) -> list[Tool]:
    """Return the tools that pull an image.

    Kustomize is among them if the image has another name in its registry.
    """
    tools = [tool for tool in TOOLS.values() if tool.key != WITHOUT_IMAGE]
    spellings = _spellings(image, judge)
    if not spellings:
        return tools

    def steps(wanted: Wanted) -> list[Step]:
        return _kustomize(wanted, spellings)

    return [*tools, Tool("kustomize", "Kustomize", steps)]


def _kustomize(wanted: Wanted, spellings: list[str]) -> list[Step]:
    new_name = image_name(wanted.image)
    renamings = [Renaming(spelling, new_name) for spelling in spellings]
    secret = pull_secret_name(wanted.application)
    patch = f'{{"imagePullSecrets": [{{"name": "{secret}"}}]}}'
    return [
        make_pull_secret(wanted),
        Step(
            "Let the Pods of the namespace use it.",
            f"kubectl patch serviceaccount default --patch '{patch}'",
        ),
        Step(
            "Rename the image in your manifests, which stay as they are.",
            dump_yaml(image_changes(renamings)),
            file="kustomization.yaml",
        ),
    ]


def _spellings(image: NamedImage, judge: ImageJudge) -> list[str]:
    """Return the names that manifests may have for a proxied image, without its tag."""
    host, _, path = image_name(image.name).partition("/")
    if host != settings.BERTH_PROXY_HOST:
        return []
    registry = judge.registry_of(parse_proxied_name(path))
    if registry is None:
        return []
    repository = repository_in(registry, path)
    if registry.endpoint == canonical_endpoint(DOCKER_HUB):
        short = repository.removeprefix("library/")
        return [short, f"{DOCKER_HUB}/{repository}"]
    return [f"{registry.endpoint}/{repository}"]
