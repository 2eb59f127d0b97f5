"""``make image-test``: the demo's story, told by containers of the image.

Each runs as in production: read-only, without capabilities, as a user without rights.
PostgreSQL, Valkey and the two registries are those of the demo.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from deploy.image.build import BuildError, build_images
from deploy.image.build import options as build_options
from deploy.image.containers import Containers
from deploy.image.contents import image_id, problems_of
from deploy.image.story import Story, StoryError
from deploy.local.demo import demo_command, read_facts
from deploy.local.demo_settings import DemoSettings
from deploy.local.ports import require_free_port
from deploy.local.private_files import private_directory
from deploy.local.process import LocalStackError, free_port
from deploy.local.stack import Servers, start_registries, start_servers

EDGE, PORTAL = 8001, 8002
ROLES = ("edge", "portal", "worker", "beat", "cache_manager")
# Of this machine, or already in the image.
NOT_PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "STATIC_ROOT"}
NOT_PASSED_ON |= {"BERTH_GUIDE_DIR", "BERTH_INSTALLER_WHEEL", "PYTHONUNBUFFERED"}


def main() -> int:
    options = build_options()
    options.images = ["berth"]
    if os.geteuid() != 0:
        sys.stderr.write("Its containers use this machine's network: run it as root.\n")
        return 1
    try:
        try_image(f"{options.repository}/berth:{options.tag}")
        if options.again:
            compare_builds(options)
    except (BuildError, LocalStackError, StoryError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"\n{error}\n{error.stdout or ''}{error.stderr or ''}\n")
        return 1
    return 0


def try_image(image: str) -> None:
    """Check what is in the image, run all roles, and tell the story.

    Raises:
        StoryError: something is wrong with the image.
        LocalStackError: a server of this machine did not start.
        subprocess.CalledProcessError: a program failed.
    """
    if problems := list(problems_of(image)):
        raise StoryError("\n".join(problems))
    for port, role in ((EDGE, "edge"), (PORTAL, "portal")):
        require_free_port(port, purpose=f"the {role}", variable="no other variable; no")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = DemoSettings(
            private_directory(directory / "demo"), EDGE, free_port(), free_port()
        )
        servers = start_servers(settings, stack, durable=False)
        start_registries(settings, stack, portal_port=PORTAL)
        containers = stack.enter_context(_containers(image, settings, servers))
        containers.run("manage", "init_secrets", "/tmp/secrets")  # noqa: S108
        containers.run("migrate")
        containers.run("manage", *demo_command(settings))
        for role in ROLES:
            # Without nginx, only the edge can count.
            log = {"BERTH_PULL_LOG": f"{directory}/log/pulls.log"}
            containers.start(role, log if role == "cache_manager" else {})
        for role in ROLES:
            containers.wait_until_healthy(role)
        Story(read_facts(settings.facts), PORTAL, directory).tell()
        for role in ROLES:
            containers.stop(role)


def _containers(image: str, settings: DemoSettings, servers: Servers) -> Containers:
    shared = settings.directory.parent
    private_directory(shared / "log")
    for path in (shared, *shared.rglob("*")):
        if "postgres" not in str(path):
            os.chown(path, Containers.USER, Containers.USER)
    environment = {
        **{k: v for k, v in servers.environment.items() if k not in NOT_PASSED_ON},
        "CSRF_TRUSTED_ORIGINS": f"http://localhost:{PORTAL}",
        "EMAIL_URL": "filemail:////tmp",
    }
    return Containers(image, environment, shared)


def compare_builds(options: argparse.Namespace) -> None:
    """Build once more, from nothing, and compare.

    Raises:
        StoryError: the two builds differ.
    """
    image = f"{options.repository}/berth:{options.tag}"
    first = image_id(image)
    build_images(options)
    if (second := image_id(image)) != first:
        raise StoryError(f"Two builds differ: {first} and {second}")
    print(f"Two builds have the same digest: {first}")


if __name__ == "__main__":
    sys.exit(main())
