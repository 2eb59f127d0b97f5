"""What ``manage.py doctor`` checks of an installation."""

from __future__ import annotations
