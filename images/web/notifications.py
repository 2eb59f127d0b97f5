"""The endpoint for the private registry's notifications."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from images.events import take_notifications
from images.notifications import MalformedEnvelope, parse_envelope


@csrf_exempt
@require_POST
def registry_notifications(request: HttpRequest) -> HttpResponse:
    """Store notifications; the registry resends them until the response is 200."""
    if not settings.BERTH_REGISTRY_NOTIFICATION_TOKEN:
        raise Http404
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not constant_time_compare(
        token.strip(), settings.BERTH_REGISTRY_NOTIFICATION_TOKEN
    ):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    try:
        notifications = parse_envelope(request.body)
    except MalformedEnvelope as error:
        return JsonResponse({"detail": str(error)}, status=400)
    take_notifications(notifications)
    return JsonResponse({"taken": len(notifications)})
