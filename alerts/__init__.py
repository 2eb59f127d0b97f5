"""Alerts by mail and webhook.

An alert's way through this room: a service of any room calls ``services.raise_alert``;
``tasks`` run ``dispatch``, which creates deliveries and sends them with ``mail`` and
``webhooks``; ``results`` records each attempt and schedules the next.
"""

from __future__ import annotations
