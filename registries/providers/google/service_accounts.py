"""Shared by Google's two registries: service accounts and their JSON keys."""

from __future__ import annotations

import json
from typing import Any

from registries.providers.problems import Problem
from registries.providers.provider import AuthType

_FIELDS = ("project_id", "private_key_id", "private_key", "client_email")


def _mistakes(_username: str, secret: str) -> dict[str, str]:
    problem = _key_problem(secret)
    return {"secret": problem} if problem else {}


def _key_problem(text: str) -> str:
    try:
        key: Any = json.loads(text)
    except (ValueError, RecursionError):
        return (
            "Not valid JSON. Paste the whole key file that Google gave you, from "
            "the first { to the last }."
        )
    if not isinstance(key, dict) or key.get("type") != "service_account":
        return (
            "Not a service account key: its type is not service_account. Create a "
            "JSON key of the service account and paste the whole file."
        )
    missing = [name for name in _FIELDS if not _is_text(key.get(name))]
    if missing:
        return f"The key lacks {', '.join(missing)}. Paste the whole file."
    if "-----BEGIN PRIVATE KEY-----" not in key["private_key"]:
        return "Its private_key is not a PEM key. Paste the file unchanged."
    return ""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


JSON_KEY = AuthType(
    "json_key",
    "Service account key",
    secret_label="JSON key",
    secret_help="The whole key file of the service account.",
    fixed_username="_json_key",
    is_document=True,
    mistakes=_mistakes,
)
HELP = (
    (
        "In the Google Cloud console, open IAM & Admin, Service accounts, and create "
        "one for Berth."
    ),
    (
        "Give it the role Artifact Registry Reader (roles/artifactregistry.reader) "
        "on the repositories to sell."
    ),
    "On its page open Keys, Add key, Create new key, JSON, and paste the file here.",
)
TEST_HELP = "Google accepts any service account: only an image shows what it may read."
MEANINGS = {
    Problem.WRONG_CREDENTIAL: "Google reports this when the key was deleted or has "
    "expired, or when the service account was disabled.",
    Problem.NO_ACCESS: "In Google Cloud, give the service account the role Artifact "
    "Registry Reader on this repository. Google reports the same for a repository "
    "that does not exist.",
}
