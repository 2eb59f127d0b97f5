from __future__ import annotations

from django.apps import AppConfig


class RegistriesConfig(AppConfig):
    name = "registries"
    verbose_name = "External registries"

    def ready(self) -> None:
        from registries.providers.amazon import web_identity  # apps are not ready above

        # So that a wrong key stops the process, and not the first check.
        web_identity.check_configuration()
