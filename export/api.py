from __future__ import annotations

from collections.abc import Sequence

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from export.lines import export_team
from licenses.api.licenses import TEXT, FirstRenderer
from teams.api.base import TeamView
from teams.models import Team


class TeamExportView(TeamView[Team]):
    # A HEAD request would be audited as an export.
    http_method_names: Sequence[str] = ["get"]
    content_negotiation_class = FirstRenderer

    @extend_schema(
        operation_id="team_export",
        responses={(200, TEXT): OpenApiResponse(OpenApiTypes.STR)},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Download all that your team owns as JSON Lines. For owners, and audited.

        One object a line: `{"type": "customer", "id": …}`. Secrets, such as license
        IDs and registries' credentials, are left out. The last line, `{"type": "end",
        "lines": …}`, says how many lines come before it: without it, the download is
        not complete.
        """
        return export_team(actor=self.actor, team=self.team)
