"""The text of an API token: ``berth_<kind>_<key>_<secret>``.

Secret scanners can match ``berth_(user|sa|team)_[0-9A-Za-z]{12}_[0-9A-Za-z]{43}``.
"""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass

from portal.crypto.secrets import Secret
from teams.models import ApiToken

PURPOSE = "api-token"
_ALPHABET = string.digits + string.ascii_letters
_PREFIXES = {
    ApiToken.Kind.USER: "user",
    ApiToken.Kind.SERVICE_ACCOUNT: "sa",
    ApiToken.Kind.TEAM: "team",
}
_FORM = re.compile(r"berth_(?:user|sa|team)_([0-9A-Za-z]{12})_[0-9A-Za-z]{43}")


@dataclass(frozen=True, slots=True)
class NewApiToken:
    """A token just generated, the only time that its text is known."""

    key: str
    text: Secret


def generate_api_token(kind: str) -> NewApiToken:
    """Generate a token with a secret of 43 random characters, about 256 bits."""
    key = _random(12)
    prefix = _PREFIXES[ApiToken.Kind(kind)]
    return NewApiToken(key=key, text=Secret(f"berth_{prefix}_{key}_{_random(43)}"))


def api_token_key(presented: str) -> str | None:
    """Return the look-up key in a token's text; None if the text is not a token."""
    match = _FORM.fullmatch(presented)
    return match[1] if match else None


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
