"""What to type or write to pull an image, for each tool.

No line contains a secret: they read it from the file ``pull-credential``. Every line
works as it stands, in any POSIX shell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from oci.kustomize import dump_yaml, image_name
from oci.pull_secrets import USERNAME, pull_secret_name

SECRET_FILE = "pull-credential"  # noqa: S105 -- a file's name
# The first line for every tool. The file is for its owner alone.
SAVE_SECRET = f"(umask 077; cat > {SECRET_FILE})"
# In a command's arguments where a tool takes no password otherwise.
_CREDENTIALS = f'"{USERNAME}:$(cat {SECRET_FILE})"'


@dataclass(frozen=True, slots=True)
class Step:
    """Lines of a shell, or with ``file`` what a file of this name contains."""

    text: str
    lines: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image to pull; ``portal`` is the address that clusters ask, without a slash.

    Without an image, only the installer helps.
    """

    application: str
    image: str
    portal: str

    @property
    def host(self) -> str:
        return self.image.partition("/")[0]

    @property
    def name(self) -> str:
        """Return a name for objects of Kubernetes and Compose."""
        return self.application.replace("_", "-")[:50].rstrip("-")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that pulls, and its steps; the installer needs the license file too."""

    key: str
    label: str
    steps: Callable[[Wanted], list[Step]]
    needs_license_file: bool = False


def _login(program: str, wanted: Wanted) -> str:
    return (
        f"{program} login --username {USERNAME} --password-stdin "
        f"{quote(wanted.host)} < {SECRET_FILE}"
    )


def _engine(program: str) -> Callable[[Wanted], list[Step]]:
    def steps(wanted: Wanted) -> list[Step]:
        return [
            Step("Log in, once.", _login(program, wanted)),
            Step("Pull the image.", f"{program} pull {quote(wanted.image)}"),
        ]

    return steps


def _skopeo(wanted: Wanted) -> list[Step]:
    return [
        Step("Log in, once.", _login("skopeo", wanted)),
        Step(
            "Copy the image into the directory image.",
            f"skopeo copy {quote(f'docker://{wanted.image}')} dir:image",
        ),
    ]


def _containerd(wanted: Wanted) -> list[Step]:
    image = quote(wanted.image)
    return [
        Step("With ctr, as root:", f"ctr images pull --user {_CREDENTIALS} {image}"),
        Step("Or with crictl, as root:", f"crictl pull --creds {_CREDENTIALS} {image}"),
        Step(
            "Or with nerdctl:",
            f"{_login('nerdctl', wanted)}\nnerdctl pull {image}",
        ),
    ]


def make_pull_secret(wanted: Wanted) -> Step:
    """Return the step that writes the pull secret into a cluster."""
    name = pull_secret_name(wanted.application)
    return Step(
        f"Make the pull secret {name} in the current namespace. The portal writes it, "
        "for all hosts that your images are on.",
        f'printf \'user = "{USERNAME}:%s"\\n\' "$(cat {SECRET_FILE})" |\n'
        f"  curl --fail --silent --show-error --config - "
        f"{quote(f'{wanted.portal}/api/v1/license/pull-secret')} |\n"
        "  kubectl apply --filename -",
    )


def _kubernetes(wanted: Wanted) -> list[Step]:
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": wanted.name},
        "spec": {
            "imagePullSecrets": [{"name": pull_secret_name(wanted.application)}],
            "containers": [{"name": "app", "image": wanted.image}],
        },
    }
    file = f"{wanted.name}-pod.yaml"
    return [
        make_pull_secret(wanted),
        Step(
            "Name the image and the pull secret in your manifests, as this Pod does.",
            dump_yaml(pod),
            file=file,
        ),
        Step("Start it.", f"kubectl apply --filename {file}"),
    ]


def _kustomize(wanted: Wanted) -> list[Step]:
    return [
        Step(
            "Put the vendor's manifests into the directory manifests, and your license "
            "file beside it. The installer writes the pull secret, and a kustomization "
            "that renames the images. The manifests stay as they are.",
            f"berth-installer patch manifests/ --out out/ \\\n"
            f"  --license license-{wanted.application}.yaml \\\n"
            f"  --credential-file {SECRET_FILE} --portal {quote(wanted.portal)}",
        ),
        Step("Apply it.", "kubectl apply --kustomize out/overlays/midstream"),
    ]


def _helm(wanted: Wanted) -> list[Step]:
    # As "helm create" names them.
    repository = image_name(wanted.image)
    reference = wanted.image.removeprefix(repository)
    is_tag = "@" not in reference
    values = {
        "image": {
            "repository": repository if is_tag else wanted.image,
            **({"tag": reference.removeprefix(":")} if is_tag else {}),
        },
        "imagePullSecrets": [{"name": pull_secret_name(wanted.application)}],
    }
    return [
        make_pull_secret(wanted),
        Step(
            "Most charts take these values. If yours has other names for them, its "
            "README says so.",
            dump_yaml(values),
            file="registry-values.yaml",
        ),
        Step(
            "Install the chart, here from the directory chart.",
            f"helm upgrade --install {wanted.name} ./chart "
            "--values registry-values.yaml",
        ),
    ]


def _compose(wanted: Wanted) -> list[Step]:
    services = {"services": {"app": {"image": wanted.image}}}
    return [
        Step("Log in, once.", _login("docker", wanted)),
        Step("Name the image.", dump_yaml(services), file="compose.yaml"),
        Step("Pull it.", "docker compose --file compose.yaml pull"),
    ]


_TOOLS = (
    Tool("docker", "Docker", _engine("docker")),
    Tool("podman", "Podman", _engine("podman")),
    Tool("skopeo", "skopeo", _skopeo),
    Tool("containerd", "containerd", _containerd),
    Tool("kubernetes", "Kubernetes", _kubernetes),
    Tool("kustomize", "Kustomize", _kustomize, needs_license_file=True),
    Tool("helm", "Helm", _helm),
    Tool("compose", "Compose", _compose),
)
TOOLS: Mapping[str, Tool] = {tool.key: tool for tool in _TOOLS}
# The one that needs to know no image.
WITHOUT_IMAGE = "kustomize"
