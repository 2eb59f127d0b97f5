"""The portal: pages and REST API. Production serves it with granian."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from portal.http.draining import drain_on_sigterm
from portal.logs.tracing import start_tracing

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

drain_on_sigterm()
start_tracing("portal")
application = get_wsgi_application()
