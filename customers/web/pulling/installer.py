"""The installer, for customers to download, and lines that check and install it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from shlex import quote

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from customers.installer_wheel import InstallerWheel, installer_wheel
from customers.mail import site_of
from customers.web.look import FOREVER

# The installer needs an environment of its own: see docs/installer.md.
ENVIRONMENT = "berth-installer"


@dataclass(frozen=True, slots=True)
class InstallerLines:
    """What to type to get the installer; each line works as it is copied."""

    download: str
    verify: str
    install: str


def installer_lines(request: HttpRequest) -> InstallerLines | None:
    """Return the lines for the wheel that the portal has, or None without one."""
    wheel = installer_wheel()
    if wheel is None:
        return None
    address = quote(f"{site_of(request)}{_path(wheel)}")
    return InstallerLines(
        download=f"curl --fail --silent --show-error --remote-name {address}",
        verify=f"echo '{wheel.sha256}  {wheel.name}' | sha256sum --check",
        install=f"python3 -m venv {ENVIRONMENT}\n. {ENVIRONMENT}/bin/activate\n"
        f"pip install ./{wheel.name}",
    )


def _path(wheel: InstallerWheel) -> str:
    names = {"wheel_key": wheel.key, "wheel_name": wheel.name}
    return reverse("installer-wheel", kwargs=names)


@require_safe
def download(request: HttpRequest, wheel_key: str, wheel_name: str) -> HttpResponse:
    """Send the wheel to anybody: it holds nothing secret, and servers have no session.

    The key begins its digest, so that the address is that of these bytes.
    """
    wheel = installer_wheel()
    if wheel is None or (wheel.key, wheel.name) != (wheel_key, wheel_name):
        raise Http404
    digest = base64.b64encode(bytes.fromhex(wheel.sha256)).decode()
    return HttpResponse(
        wheel.content,
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{wheel.name}"',
            "Content-Length": str(len(wheel.content)),
            "Repr-Digest": f"sha-256=:{digest}:",  # RFC 9530
            "Cache-Control": FOREVER,
        },
    )
