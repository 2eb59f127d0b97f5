"""Render the chart with Helm and check what comes out: ``make chart-check``.

Each file of ``deploy/chart/ci`` is rendered for the oldest and the newest Kubernetes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deploy.chart_values import CHART
from deploy.local.nginx import MODULES, NGINX
from tests.support.chart.generated_keys import check_generated_keys

# The schemas of kubernetes-validate for the newest one, and the chart's `kubeVersion`.
KUBERNETES = ("1.30", "1.37")
RULES = CHART / "files" / "alerts.yaml"
# What the chart refuses, by values on top of those for a trial, and in which words.
REFUSED = {
    "secrets.generate=false": "Set secrets.existingSecret",
    "secrets.existingSecret=keys": "not both",
    "valkey.enabled=false": "both, or none",
    "hosts.registry=": "Set hosts.registry",
    "registry.url=http://registry": "not both",
    "registry.storage=s3": "registry.s3.bucket",
    "registry.replicas=2": "needs registry.storage=s3",
    "gateway.enabled=true": "gateway.parentRefs",
    "hosts.portal=https://portal.example.com": "/hosts/portal",
    "edge.replica=3": "'replica' not allowed",
    "env.DATABASE_URL=postgresql://x": "into the Secret as database-url",
}


class ChartError(Exception):
    """The chart is not as it must be; the text says what is wrong."""


def main() -> int:
    """Check everything; return 1 and print what is wrong."""
    if not shutil.which("helm"):
        sys.stderr.write(
            "Helm 3.14 or later is missing. Install it: https://helm.sh/docs/intro/install\n"
        )
        return 1
    try:
        for values in sorted((CHART / "ci").glob("*.yaml")):
            _check(values)
        check_generated_keys(_rendered_trial)
        sys.stdout.write("Generated keys are usable, and left alone by an upgrade\n")
        _check_refusals()
        _check_rules()
    except ChartError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return 0


def _check(values: Path) -> None:
    _run("helm", "lint", "--strict", "--quiet", str(CHART), "--values", str(values))
    for version in KUBERNETES:
        text = rendered("--values", str(values), "--kube-version", f"{version}.0")
        _validate(text, version)
        documents = [item for item in yaml.safe_load_all(text) if item]
        for item in documents:
            for problem in insecure(item):
                raise ChartError(f"{values.name}: {problem}")
        with tempfile.TemporaryDirectory() as directory:
            _test_nginx(documents, Path(directory))
        sys.stdout.write(
            f"{values.name}, Kubernetes {version}: {len(documents)} objects\n"
        )


def rendered(*options: str) -> str:
    """Return what the chart renders.

    Raises:
        ChartError: the chart refuses the values.
    """
    return _run("helm", "template", "berth", str(CHART), *options)


def _rendered_trial(*options: str) -> str:
    values = str(CHART / "ci" / "trial.yaml")
    version = f"{KUBERNETES[-1]}.0"
    return rendered("--values", values, "--kube-version", version, *options)


def _validate(text: str, version: str) -> None:
    """Compare with the schemas of Kubernetes; they lack those of its extensions."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    validate = shutil.which("kubernetes-validate", path=programs)
    if validate is None:
        raise ChartError("Install kubernetes-validate, as requirements-dev.txt does.")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        _run(validate, "--strict", "--kubernetes-version", version, file.name)


def insecure(item: dict[str, Any]) -> Iterator[str]:
    """Yield what the restricted Pod security standard, and we, would not allow."""
    spec = item.get("spec") or {}
    pod = spec if item["kind"] == "Pod" else (spec.get("template") or {}).get("spec")
    if not pod:
        return
    name = f"{item['kind']} {item['metadata']['name']}"
    if pod.get("automountServiceAccountToken") is not False:
        yield f"{name} has a token of its service account"
    context = pod.get("securityContext", {})
    if not context.get("runAsNonRoot") or not context.get("seccompProfile"):
        yield f"{name} may run as root, or without seccomp"
    for container in pod["containers"] + pod.get("initContainers", []):
        own = container.get("securityContext", {})
        if (
            own.get("allowPrivilegeEscalation") is not False
            or own.get("readOnlyRootFilesystem") is not True
            or own.get("capabilities", {}).get("drop") != ["ALL"]
        ):
            yield f"{name}: {container['name']} is not restricted"
        if not container.get("resources", {}).get("limits", {}).get("memory"):
            yield f"{name}: {container['name']} has no limit of memory"


def nginx_files(documents: list[dict[str, Any]], directory: Path) -> Path:
    """Write nginx's files as its Pod sees them, but for loopback."""
    files = next(
        item["data"]
        for item in documents
        if item["kind"] == "ConfigMap" and "nginx.conf" in item["data"]
    )
    volumes = next(
        item["spec"]["template"]["spec"]["volumes"]
        for item in documents
        if item["kind"] == "StatefulSet" and item["metadata"]["name"] == "berth-edge"
    )
    paths = next(item["configMap"] for item in volumes if item["name"] == "nginx")
    for item in paths["items"]:
        path = directory / item["path"]
        path.parent.mkdir(exist_ok=True)
        path.write_text(_on_this_machine(files[item["key"]], directory))
    return directory / "nginx.conf"


def _on_this_machine(text: str, directory: Path) -> str:
    for before, after in {
        # First, since the directory may be in it.
        "/tmp/": f"{directory}/",  # noqa: S108 -- a Pod's own
        "include /etc/nginx/modules-enabled/*.conf;": "".join(
            f"load_module {MODULES}/{name}.so;"
            for name in ("ndk_http_module", "ngx_http_lua_module")
        ),
        "server berth-portal:": "server 127.0.0.1:",
        "server berth-registry:": "server 127.0.0.1:",
        "server distribution.registry.svc:": "server 127.0.0.1:",
        "/etc/berth/nginx": str(directory),
        "/etc/berth/tls": str(directory),
        "/var/log/berth": str(directory),
        "/var/cache/berth": str(directory),
    }.items():
        text = text.replace(before, after)
    return text


def _test_nginx(documents: list[dict[str, Any]], directory: Path) -> None:
    main_file = nginx_files(documents, directory)
    _run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
        *("ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=berth", "-days", "1"),
        *("-keyout", str(directory / "tls.key"), "-out", str(directory / "tls.crt")),
    )
    _run(NGINX, "-t", "-q", "-c", str(main_file), "-p", str(directory), "-e", "stderr")


def _check_refusals() -> None:
    for change, words in REFUSED.items():
        try:
            _rendered_trial("--set", change)
        except ChartError as problem:
            if words not in str(problem):
                raise ChartError(f"{change}: no {words!r} in: {problem}") from None
        else:
            raise ChartError(f"{change} is not refused")
    sys.stdout.write(f"{len(REFUSED)} mistakes are refused\n")


def _check_rules() -> None:
    if not shutil.which("promtool"):
        sys.stdout.write("Not run without promtool of prometheus: alerts.yaml\n")
        return
    _run("promtool", "check", "rules", str(RULES))
    _run("promtool", "test", "rules", str(Path(__file__).with_name("alerts_test.yaml")))
    sys.stdout.write("alerts.yaml: checked by promtool\n")


def _run(*command: str) -> str:
    """Return what a command printed.

    Raises:
        ChartError: it failed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ChartError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
