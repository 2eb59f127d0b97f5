from __future__ import annotations

from django.apps import AppConfig


class LicensesConfig(AppConfig):
    name = "licenses"

    def ready(self) -> None:
        from licenses.files import license_keys  # apps are not ready above

        # So that a wrong key stops the process, and not the first license file.
        license_keys.check_configuration()
