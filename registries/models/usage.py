"""What pulls have used, by the day (UTC), and how far their log has been read."""

from __future__ import annotations

import uuid
from datetime import date

from django.db import models
from django.utils import timezone

from registries.models.external import ExternalRegistry
from teams.models import TeamOwned

FOLDED_DAY = date(2000, 1, 1)


class LicenseTraffic(TeamOwned):
    """The bytes that were sent through the proxy to the holder of a license."""

    license = models.ForeignKey(
        "licenses.License", on_delete=models.CASCADE, related_name="traffic"
    )
    day = models.DateField()
    bytes = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["license", "day"], name="registries_licensetraffic_day"
            )
        ]
        indexes = [models.Index(fields=["day"], name="registries_traffic_age")]

    def __str__(self) -> str:
        return f"{self.license_id} {self.day}: {self.bytes} bytes"


class CacheUse(TeamOwned):
    """What the disk cache did for a registry in one day.

    Days that are too old to be shown are added up under FOLDED_DAY, so that totals do
    not fall.
    """

    registry = models.ForeignKey(
        ExternalRegistry, on_delete=models.CASCADE, related_name="cache_use"
    )
    day = models.DateField()
    hits = models.PositiveBigIntegerField(default=0)
    misses = models.PositiveBigIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)
    evictions = models.PositiveBigIntegerField(default=0)
    stale_pulls = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["registry", "day"], name="registries_cacheuse_day"
            )
        ]
        indexes = [models.Index(fields=["day"], name="registries_cacheuse_age")]

    def __str__(self) -> str:
        return f"{self.registry_id} {self.day}: {self.hits} hits"


class PullLog(models.Model):
    """How far a log of nginx has been counted.

    A file is known by its inode and by a digest of its beginning: once a rotated file
    is deleted, a new one may get its inode.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    inode = models.PositiveBigIntegerField(default=0)
    offset = models.PositiveBigIntegerField(default=0)
    beginning = models.CharField(max_length=64, blank=True)
    malformed_lines = models.PositiveBigIntegerField(default=0)
    read_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.id}: {self.offset} bytes of {self.inode}"
