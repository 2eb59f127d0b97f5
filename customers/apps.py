from __future__ import annotations

from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "customers"

    def ready(self) -> None:
        # They connect a receiver, and register a check.
        from customers import installer_wheel, sign_in  # noqa: F401
