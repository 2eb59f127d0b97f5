"""What can go wrong with a registry, as exactly as Berth can determine it."""

from __future__ import annotations

from django.db import models


class Problem(models.TextChoices):
    """More detailed than the stored outcome; known only during the check."""

    NAME_NOT_FOUND = "name_not_found", "Name not found"
    ADDRESS_NOT_PUBLIC = "address_not_public", "Address not public"
    CONNECTION_REFUSED = "connection_refused", "Connection refused"
    NO_CONNECTION = "no_connection", "No connection"
    TLS = "tls", "TLS problem"
    TIMEOUT = "timeout", "No answer in time"
    NOT_A_REGISTRY = "not_a_registry", "Not a registry"
    WRONG_CREDENTIAL = "wrong_credential", "Wrong username or password"
    NOT_LET_IN = "not_let_in", "Account not allowed"
    NO_ACCESS = "no_access", "No access to this repository"
    NO_SUCH_IMAGE = "no_such_image", "Image not found"
    REALM_NOT_TRUSTED = "realm_not_trusted", "Unknown token service"
    RATE_LIMITED = "rate_limited", "Rate limit reached"
    FAULT = "fault", "Unexpected answer"
