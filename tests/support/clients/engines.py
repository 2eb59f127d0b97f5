"""Container engines and tools of Debian, as vendors and customers run them."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.images import (
    CONFIG,
    LAYER,
    Descriptor,
    image_manifest,
    tar_layer,
)
from deploy.local.process import ManagedProcess
from tests.support.conformance.client import sha256

Finished = subprocess.CompletedProcess[str]


@contextmanager
def running_engines(directory: Path) -> Iterator[None]:
    """Run a docker engine, with the containerd that it brings along."""
    log_in(directory, {})
    with ManagedProcess(
        [
            *("dockerd", "--iptables=false", "--bridge=none", "--storage-driver=vfs"),
            *("--data-root", str(directory / "data")),
            *("--exec-root", str(directory / "exec")),
            *("--pidfile", str(directory / "pid")),
            *("--host", f"unix://{directory}/docker.sock"),
        ],
        name="dockerd",
        log=directory / "dockerd.log",
        env=dict(os.environ),
        cwd=directory,
    ) as process:
        process.wait_until(lambda: run("docker", directory, "info").returncode == 0, 60)
        yield


def run(program: str, directory: Path, *arguments: str, stdin: str = "") -> Finished:
    """Run a command of docker, podman or containerd at the engine of a directory."""
    return subprocess.run(
        [program, *arguments],
        env=os.environ
        | {
            "DOCKER_HOST": f"unix://{directory}/docker.sock",
            "DOCKER_CONFIG": str(directory / "config"),
        },
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def log_in(directory: Path, auths: dict[str, dict[str, str]]) -> None:
    """Write the file in which docker keeps its logins; podman reads it too."""
    (directory / "config").mkdir(exist_ok=True)
    (directory / "config/config.json").write_text(json.dumps({"auths": auths}))


def docker_pull(directory: Path, image: str, license_id: str) -> Finished:
    host = image.partition("/")[0]
    auth = base64.b64encode(f"license:{license_id}".encode()).decode()
    log_in(directory, {host: {"auth": auth}} if license_id else {})
    run("docker", directory, "image", "rm", "--force", image)
    return run("docker", directory, "pull", image)


def podman_pull(directory: Path, image: str, license_id: str) -> Finished:
    storage = _podman_storage(directory)
    login = ["--creds", f"license:{license_id}"] if license_id else []
    run("podman", directory, *storage, "image", "rm", "--force", image)
    return run(
        "podman", directory, *storage, "pull", "--tls-verify=false", *login, image
    )


def containerd_pull(directory: Path, image: str, license_id: str) -> Finished:
    socket = ["--address", str(directory / "exec/containerd/containerd.sock")]
    login = ["--user", f"license:{license_id}"] if license_id else []
    run("ctr", directory, *socket, "image", "rm", image)
    return run(
        "ctr",
        directory,
        *(*socket, "image", "pull", "--plain-http", "--snapshotter", "native"),
        *(*login, image),
    )


def _podman_storage(directory: Path) -> list[str]:
    return [
        *("--root", str(directory / "podman"), "--runroot", str(directory / "run")),
        *("--storage-driver", "vfs"),
    ]


class ImageClient(ABC):
    """Somebody with a client of their own; logins are kept in ``home``."""

    def __init__(self, engines: Path, home: Path) -> None:
        self.engines = engines
        self.home = home
        self.home.mkdir(parents=True)
        self.authfile = self.home / "auth.json"
        self.authfile.write_text('{"auths": {}}')

    @property
    def _options(self) -> list[str]:
        return ["--tls-verify=false", "--authfile", str(self.authfile)]

    @abstractmethod
    def __call__(self, *arguments: str, stdin: str = "") -> Finished:
        """Run a command of the program."""

    def login(self, host: str, username: str, password: str) -> Finished:
        user = ("--username", username, "--password-stdin")
        return self("login", *self._options, *user, host, stdin=password)

    @abstractmethod
    def make(self, name: str, content: bytes) -> None:
        """Make an image of one file, with no network."""

    @abstractmethod
    def push(self, name: str) -> Finished: ...

    @abstractmethod
    def pull(self, name: str) -> Finished: ...

    @abstractmethod
    def forget(self, name: str) -> None:
        """Remove the image, its layers too."""

    @abstractmethod
    def identity(self, name: str) -> str:
        """Return a digest of all of the image, "" where it is not here."""

    def _tar(self, content: bytes) -> str:
        path = self.home / "image.tar"
        path.write_bytes(tar_layer({"content.txt": content}))
        return str(path)


class Engine(ImageClient):
    """An engine that keeps images of its own."""

    def push(self, name: str) -> Finished:
        return self("push", *self._options, name)

    def pull(self, name: str) -> Finished:
        return self("pull", *self._options, name)

    def forget(self, name: str) -> None:
        succeeded(self("image", "rm", "--force", name))

    def identity(self, name: str) -> str:
        return self("image", "inspect", "--format", "{{.Id}}", name).stdout.strip()


class Docker(Engine):
    @property
    def _options(self) -> list[str]:
        return []

    def __call__(self, *arguments: str, stdin: str = "") -> Finished:
        config = ("--config", str(self.home))
        return run("docker", self.engines, *config, *arguments, stdin=stdin)

    def make(self, name: str, content: bytes) -> None:
        local = f"{name.rpartition('/')[2]}-local"
        succeeded(self("import", self._tar(content), local))
        succeeded(self("tag", local, name))
        succeeded(self("image", "rm", local))

    def read(self, name: str, path: str) -> bytes:
        """Return a file of an image, of which no container has to run."""
        container = self("create", name, "/none")
        succeeded(container)
        target = self.home / "read"
        source = f"{container.stdout.strip()}:/{path}"
        succeeded(self("cp", source, str(target)))
        return target.read_bytes()


class Podman(Engine):
    def __call__(self, *arguments: str, stdin: str = "") -> Finished:
        storage = _podman_storage(self.engines)
        return run("podman", self.engines, *storage, *arguments, stdin=stdin)

    def make(self, name: str, content: bytes) -> None:
        succeeded(self("import", self._tar(content), name))


class Skopeo(ImageClient):
    """Copies between a registry and the directories that stand for its images."""

    def __call__(self, *arguments: str, stdin: str = "") -> Finished:
        return run("skopeo", self.engines, *arguments, stdin=stdin)

    def make(self, name: str, content: bytes) -> None:
        directory = self._directory(name)
        directory.mkdir(parents=True)
        layer = tar_layer({"content.txt": content})
        packed = gzip.compress(layer, mtime=0)
        rootfs = {"type": "layers", "diff_ids": [sha256(layer)]}
        config = {"os": "linux", "architecture": "amd64", "rootfs": rootfs}
        manifest = image_manifest(
            _stored(directory, CONFIG, json.dumps(config).encode()),
            [_stored(directory, LAYER, packed)],
        )
        (directory / "version").write_text("Directory Transport Version: 1.1\n")
        (directory / "manifest.json").write_text(json.dumps(manifest))

    def push(self, name: str) -> Finished:
        return self._copy("dest", f"dir:{self._directory(name)}", f"docker://{name}")

    def pull(self, name: str) -> Finished:
        return self._copy("src", f"docker://{name}", f"dir:{self._directory(name)}")

    def _copy(self, end: str, source: str, target: str) -> Finished:
        options = (f"--{end}-tls-verify=false", "--authfile", str(self.authfile))
        return self("copy", *options, source, target)

    def forget(self, name: str) -> None:
        for path in self._directory(name).iterdir():
            path.unlink()

    def identity(self, name: str) -> str:
        manifest = self._directory(name) / "manifest.json"
        if not manifest.exists():
            return ""
        return hashlib.sha256(manifest.read_bytes()).hexdigest()

    def list_tags(self, repository: str) -> Finished:
        return self("list-tags", *self._options, f"docker://{repository}")

    def _directory(self, name: str) -> Path:
        return self.home / hashlib.sha256(name.encode()).hexdigest()


IMAGE_CLIENTS: dict[str, type[ImageClient]] = {
    "docker": Docker,
    "podman": Podman,
    "skopeo": Skopeo,
}


def succeeded(finished: Finished) -> None:
    assert finished.returncode == 0, finished.stderr


def _stored(directory: Path, media_type: str, content: bytes) -> Descriptor:
    blob = Descriptor.of(content, media_type)
    (directory / blob.digest.removeprefix("sha256:")).write_bytes(content)
    return blob
