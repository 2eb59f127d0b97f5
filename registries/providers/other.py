"""Any registry of the distribution API, signed in to with a name and a password."""

from __future__ import annotations

from registries.providers.base import Provider

OTHER = Provider(name="other", title="Other registry")
