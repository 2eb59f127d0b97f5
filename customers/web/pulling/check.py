"""*Check*: does my license, or this credential of it, pull this image?"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from customers.pulling.answers import CHECKS_PER_MINUTE, Answer, Holder, answer_to
from customers.pulling.pasted import pasted_secret, refusal_of
from customers.web.base import CustomerRequest, customer_page
from customers.web.overview import LicenseCard, cards
from customers.web.pulling.credentials import CredentialRow, license_names
from licenses.models import PullCredential
from licenses.selectors import customers_pull_credentials_to_show
from oci.digest import MalformedDigest
from oci.reference import MalformedName, parse_reference
from portal.errors import TooMany
from portal.http.forms import refusals_in
from portal.http.pages import page_context, render_page
from portal.limits.minute_counts import count, seconds_left
from registries.preview.manifest import Hosts


class CheckForm(forms.Form):
    """``holder`` names a credential and is none, so it may be in an address."""

    holder = forms.ChoiceField(
        label="License or credential",
        required=False,
        error_messages={"invalid_choice": "Choose one of yours."},
    )
    image = forms.CharField(
        max_length=1000,
        help_text="As you have it: a docker pull command, the name to pull it by, or "
        "the name that it has elsewhere.",
        error_messages={"required": "Enter the name of an image."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(
        self,
        data: Mapping[str, str] | None,
        *,
        holders: Sequence[Holder],
        labels: Mapping[uuid.UUID, LicenseCard],
        initial: Mapping[str, str],
    ) -> None:
        super().__init__(data and {**data}, initial={**initial})
        self.holders = {str(holder.subject): holder for holder in holders}
        if len(holders) == 1:
            del self.fields["holder"]
        else:
            choice: Any = self.fields["holder"]
            choice.choices = _choices(holders, labels)

    def clean_image(self) -> str:
        image: str = self.cleaned_data["image"]
        if pasted := pasted_secret(image):
            # The page is shown again, and must not repeat it.
            self.data = {**self.data, "image": ""}
            raise forms.ValidationError(refusal_of(pasted))
        return image

    def chosen(self) -> Holder:
        first = next(iter(self.holders))
        return self.holders[self.cleaned_data.get("holder") or first]


@require_http_methods(["GET", "HEAD", "POST"])
@customer_page(only_reads=True)
def check(request: CustomerRequest) -> HttpResponse:
    """Say whether an image can be pulled, and what to do next. Pulls nothing.

    The question is posted, so that a secret pasted by mistake is in no address.
    """
    by_license = {card.license.pk: card for card in cards(request)}
    holders = _holders(request, by_license)
    context: dict[str, Any] = {
        "form": None,
        "address": request.META["BERTH_CLIENT_ADDRESS"] or "unknown",
    }
    if holders:
        form = CheckForm(
            request.POST.dict() if request.method == "POST" else None,
            holders=holders,
            labels=by_license,
            initial=_named_in_address(request),
        )
        if form.is_valid():
            with refusals_in(request, form):
                context["answer"] = _answer(request, form, context["address"])
        context["form"] = form
    return render_page(request, "customers/check.html", context)


def _named_in_address(request: CustomerRequest) -> dict[str, str]:
    """Return what a link to this page filled in: an image's name, and nothing else."""
    image = request.GET.get("image", "")
    try:
        parse_reference(image)
    except (MalformedName, MalformedDigest):
        image = ""
    if pasted_secret(image):
        image = ""
    return {"image": image, "holder": request.GET.get("holder", "")}


def _answer(request: CustomerRequest, form: CheckForm, address: str) -> Answer | None:
    _count(request)
    names = page_context(request)
    try:
        return answer_to(
            form.cleaned_data["image"],
            form.chosen(),
            hosts=Hosts(names["proxy_host"], names["registry_host"]),
            address=address,
            vendor=request.look.name,
            others=list(form.holders.values()),
        )
    except MalformedName as error:
        form.add_error("image", str(error))
        return None


def _count(request: CustomerRequest) -> None:
    """Count a check, so that nobody learns names of images by trying many."""
    if count(f"customer-checks:{request.user.pk}") > CHECKS_PER_MINUTE:
        seconds = seconds_left()
        raise TooMany(
            "too_many_checks",
            f"You can check {CHECKS_PER_MINUTE} images a minute. Try again in "
            f"{seconds} seconds.",
            seconds,
        )


def _holders(
    request: CustomerRequest, by_license: Mapping[uuid.UUID, LicenseCard]
) -> list[Holder]:
    """Return each license, followed by its pull credentials."""
    credentials: dict[uuid.UUID, list[PullCredential]] = {}
    for credential in customers_pull_credentials_to_show(request.customer):
        credentials.setdefault(credential.license_id, []).append(credential)
    return [
        Holder(card.license, credential)
        for card in by_license.values()
        for credential in (None, *credentials.get(card.license.pk, []))
    ]


def _choices(
    holders: Sequence[Holder], by_license: Mapping[uuid.UUID, LicenseCard]
) -> list[tuple[str, list[tuple[str, str]]]]:
    names = license_names(card.license for card in by_license.values())
    groups: dict[str, list[tuple[str, str]]] = {}
    for holder in holders:
        card = by_license[holder.license.pk]
        choice = (str(holder.subject), _label(holder, card))
        groups.setdefault(names[holder.license.pk], []).append(choice)
    return list(groups.items())


def _label(holder: Holder, card: LicenseCard) -> str:
    if holder.credential is None:
        return f"The license itself: {card.state}"
    row = CredentialRow(holder.credential, card, vendor="")
    return f"{row.credential.name} ({row.credential.key[:8]}…): {row.words}"
