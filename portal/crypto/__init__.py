"""Keys, secret values, and the model field that encrypts them at rest."""

from __future__ import annotations
