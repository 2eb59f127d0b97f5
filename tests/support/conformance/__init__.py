"""What a registry must do, check by check: the OCI distribution spec 1.1 in our words.

Its four workflow categories are pull, push, content discovery and content management.
"""

from __future__ import annotations
