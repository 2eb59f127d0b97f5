"""What customers' pages show, for license holders: images, checks and pulls.

Each view shows one license, in the words of the pages. People are the pages' business
alone: a machine's secret must not invite anybody.
"""

from __future__ import annotations

from datetime import date
from typing import NoReturn

from django.conf import settings
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.pulling.answers import CHECKS_PER_MINUTE, Answer, Holder, answer_to
from customers.pulling.image_names import NamedImage, images_to_pull
from customers.pulling.outcomes import PUBLIC_CODES
from customers.pulling.pasted import pasted_secret, refusal_of
from customers.pulling.pulls import (
    PullRow,
    on_day,
    pull_rows,
    with_credential,
    with_outcome,
)
from customers.selectors import look_of_team
from oci.reference import MalformedName
from portal.errors import Conflict, Invalid, TooMany
from portal.http.api.pagination import PARAMETERS
from portal.limits.minute_counts import count, seconds_left
from registries.api.license_views import LicenseHolderView
from registries.models import PullEvent
from registries.preview.manifest import Hosts
from registries.selectors import pulls_for_team
from teams.api.base import InputSerializer

_NAME = "images.example.com/proxy/my-app/quay.io/my-org/api:v1.0.1"
CODES = [(code, code) for code in PUBLIC_CODES]


class HeldImageSerializer(serializers.Serializer[NamedImage]):
    name = serializers.CharField(help_text="The name to pull it by")
    description = serializers.CharField(help_text="What your vendor says; or empty")
    is_listed = serializers.BooleanField(
        help_text="Whether your vendor listed it; these come first"
    )


class HeldImagesSerializer(serializers.Serializer[dict[str, object]]):
    images = HeldImageSerializer(many=True)


class HeldImagesView(LicenseHolderView):
    serializer_class = HeldImagesSerializer
    is_paged = False

    @extend_schema(
        examples=[
            OpenApiExample(
                "Images",
                {
                    "images": [
                        {
                            "name": _NAME,
                            "description": "The API server",
                            "is_listed": True,
                        }
                    ]
                },
            )
        ]
    )
    def get(self, request: Request) -> Response:
        """List images that you can pull, by the names to pull them by.

        First what your vendor listed; then what your license pulled in the last 30
        days, and what else is known.
        """
        images = images_to_pull(self.license.application, [self.license.pk])
        return Response(self.get_serializer({"images": images}).data)


class ImageToCheckSerializer(InputSerializer):
    image = serializers.CharField(
        max_length=1000,
        help_text="The name to pull it by, or the name that it has elsewhere",
    )


class CheckAnswerSerializer(serializers.Serializer[Answer]):
    allowed = serializers.BooleanField(source="is_allowed")
    code = serializers.ChoiceField(CODES, source="outcome.code")
    message = serializers.CharField(
        help_text="What a client prints if it is refused; empty if it is allowed"
    )
    next_step = serializers.CharField(help_text="What to do; empty if nothing")
    new_name = serializers.CharField(
        help_text="The name to pull it by, if that is another; or empty"
    )
    missing = serializers.CharField(
        help_text="The tag or digest, if it is allowed but does not exist; or empty"
    )


class CheckImageView(LicenseHolderView):
    serializer_class = CheckAnswerSerializer

    @extend_schema(
        request=ImageToCheckSerializer,
        examples=[
            OpenApiExample(
                "Image", {"image": "quay.io/my-org/api:v1.0.1"}, request_only=True
            ),
            OpenApiExample(
                "Allowed",
                {
                    "allowed": True,
                    "code": "allowed",
                    "message": "",
                    "next_step": "Pull it by its new name.",
                    "new_name": _NAME,
                    "missing": "",
                },
                response_only=True,
            ),
            OpenApiExample(
                "Refused",
                {
                    "allowed": False,
                    "code": "repository_not_allowed",
                    "message": "The repository 'other/api' is not offered to "
                    "customers. Check the image name, or ask your vendor to allow it.",
                    "next_step": "Compare the image name with the one that Acme gave "
                    "you. If they are the same, ask Acme to make the image available.",
                    "new_name": "",
                    "missing": "",
                },
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Say whether what you sent as the password pulls an image. Pulls nothing.

        At most 30 a minute with one license.
        """
        body = ImageToCheckSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        image = body.validated_data["image"]
        if pasted := pasted_secret(image):
            raise Invalid({"image": [refusal_of(pasted)]})
        self._count()
        try:
            answer = self._answer(image)
        except MalformedName as error:
            raise Invalid({"image": [str(error)]}) from error
        return Response(self.get_serializer(answer).data)

    def _answer(self, image: str) -> Answer:
        if not settings.BERTH_PROXY_HOST:
            raise Conflict(
                "hosts_not_set_up",
                "This installation's proxy host is not configured. The operator must "
                "set BERTH_PROXY_HOST.",
            )
        return answer_to(
            image,
            Holder(self.license, self.signed_in.credential),
            hosts=Hosts(settings.BERTH_PROXY_HOST, settings.BERTH_REGISTRY_HOST),
            address=self.request.META["BERTH_CLIENT_ADDRESS"] or "unknown",
            vendor=look_of_team(self.license.team).name,
        )

    def _count(self) -> None:
        if count(f"license-checks:{self.license.pk}") > CHECKS_PER_MINUTE:
            _refuse_too_many()


def _refuse_too_many() -> NoReturn:
    seconds = seconds_left()
    raise TooMany(
        "too_many_checks",
        f"A license can check {CHECKS_PER_MINUTE} images a minute. Try again in "
        f"{seconds} seconds.",
        seconds,
    )


class HeldPullSerializer(serializers.Serializer[PullRow]):
    day = serializers.DateField(help_text="In UTC")
    last_at = serializers.DateTimeField(source="pull.last_at")
    image = serializers.CharField(help_text="The name as it was pulled")
    credential = serializers.CharField(
        source="credential_name",
        help_text="Name of the pull credential; empty for the license ID",
    )
    allowed = serializers.BooleanField(source="outcome.is_allowed")
    code = serializers.ChoiceField(CODES, source="outcome.code")
    next_step = serializers.CharField(
        source="advice", help_text="What to do if it was refused; or empty"
    )
    count = serializers.IntegerField(
        source="pull.count", help_text="Pulls within that hour"
    )


class HeldPullFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    day = filters.DateFilter(method="filter_day", label="Day in UTC")
    outcome = filters.CharFilter(
        method="filter_outcome", label="A `code`, or `refused` for all that are"
    )
    credential = filters.CharFilter(
        method="filter_credential",
        label="`license-id`, `credential:` and the name of a pull credential, or "
        "`identity:` and the ID of a trusted identity",
    )

    def filter_day(
        self, rows: QuerySet[PullEvent], _name: str, day: date
    ) -> QuerySet[PullEvent]:
        return on_day(rows, day)

    def filter_outcome(
        self, rows: QuerySet[PullEvent], _name: str, code: str
    ) -> QuerySet[PullEvent]:
        return with_outcome(rows, code)

    def filter_credential(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        return with_credential(rows, text)


class HeldPullsView(LicenseHolderView):
    serializer_class = HeldPullSerializer
    ordering = ("-last_at", "-id")
    filterset_class = HeldPullFilter
    orderings = ("last_at",)
    parameters = PARAMETERS.union(HeldPullFilter.base_filters)

    def get_queryset(self) -> QuerySet[PullEvent]:
        if getattr(self, "swagger_fake_view", False):
            return PullEvent.objects.none()
        return pulls_for_team(self.license.team_id).filter(license=self.license)

    @extend_schema(
        examples=[
            OpenApiExample(
                "A refused pull",
                {
                    "day": "2026-11-30",
                    "last_at": "2026-11-30T09:41:07Z",
                    "image": _NAME,
                    "credential": "Production cluster",
                    "allowed": False,
                    "code": "credential_revoked",
                    "next_step": "Log in with another pull credential of the license, "
                    "or make a new one.",
                    "count": 3,
                },
                response_only=True,
            )
        ]
    )
    def get(self, request: Request) -> Response:
        """List the pulls with your license, the latest first."""
        pulls = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        assert pulls is not None  # noqa: S101 -- all lists have pages
        rows = pull_rows(pulls, look_of_team(self.license.team).name)
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)
