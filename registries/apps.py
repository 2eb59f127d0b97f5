from __future__ import annotations

from django.apps import AppConfig


class RegistriesConfig(AppConfig):
    name = "registries"
    verbose_name = "External registries"

    def ready(self) -> None:
        from registries.providers.amazon import web_identity  # apps are not ready above

        # An invalid key should stop the process at start, not fail the first check.
        web_identity.check_configuration()
