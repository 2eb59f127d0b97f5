"""Images that the example team lists for its customers."""

from __future__ import annotations

from customers.models import ListedImage
from licenses.models import Application

# The registry of the last one is no longer connected.
_LISTED = (
    ("quay.io/kestrel/api:v4.0.0", "The server's API, with its web interface"),
    ("quay.io/kestrel/migrations:v4.0.0", "Run it once before each upgrade"),
    ("old.kestrel.example/reports:v3", "Monthly reports"),
)


def add_listed_images(application: Application) -> None:
    """List images; without the service, which would refuse the last one."""
    for position, (name, description) in enumerate(_LISTED):
        ListedImage.objects.create(
            team_id=application.team_id,
            application=application,
            position=position,
            name=f"proxy/{application.slug}/{name}",
            description=description,
        )
