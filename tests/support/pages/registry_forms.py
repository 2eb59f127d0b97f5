"""What a vendor enters in the dialog that connects a registry."""

from __future__ import annotations

import json
import uuid
from typing import Any

SECRET = "very-secret-value"
JSON_KEY = json.dumps(
    {
        "type": "service_account",
        "project_id": "my-project",
        "private_key_id": "0123456789abcdef",
        "private_key": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n",
        "client_email": "puller@my-project.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    },
    indent=2,
)


def new(endpoint: str = "registry.example.com", **values: Any) -> dict[str, Any]:
    """Return the fields of the dialog, as a browser sends them."""
    return {
        "submission": str(uuid.uuid4()),
        "endpoint": endpoint,
        "username": "puller",
        "secret": SECRET,
        "shared_with": "all",
        "repository_patterns": "*",
        **values,
    }
