"""What all pages share."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django import forms
from django.core.cache import caches
from django.db import IntegrityError
from django.http import HttpRequest
from django.template import Context, Template
from django.test import Client, override_settings
from django.utils import timezone

from portal.errors import Conflict, Invalid, NotAllowed
from portal.health import redis_answers
from portal.http.display.template_tags import control, instant
from portal.http.forms import EditForm, fingerprint, refusals_in
from portal.http.pages import is_local_url
from portal.http.static_files import NodeFilesFinder

UNREACHABLE = {
    "BACKEND": "portal.http.redis_cache.ForgivingRedisCache",
    "LOCATION": "redis://127.0.0.1:1",
    "OPTIONS": {"socket_connect_timeout": 0.2},
}
LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


class NameForm(forms.Form):
    name = forms.CharField(help_text="What it is called.")


def filled() -> NameForm:
    return NameForm({"name": "Acme"})


def refused(
    form: NameForm, error: Exception, names: dict[str, str] | None = None
) -> NameForm:
    with refusals_in(HttpRequest(), form, names):
        raise error
    return form


def test_service_errors_are_shown_beside_the_field() -> None:
    form = refused(filled(), Invalid({"name": ["Taken."]}))

    assert form.errors == {"name": ["Taken."]}


def test_names_of_the_service_are_mapped_to_fields() -> None:
    form = refused(filled(), Invalid({"title": ["Taken."]}), {"title": "name"})

    assert form.errors == {"name": ["Taken."]}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Conflict("expired", "It has expired."), "It has expired."),
        (IntegrityError(), "Somebody else made a change first."),
    ],
)
def test_errors_without_a_field_are_shown_above_the_form(
    error: Exception, message: str
) -> None:
    form = refused(filled(), error)

    assert message in form.non_field_errors()[0]


def test_missing_permission_is_not_a_form_error() -> None:
    with pytest.raises(NotAllowed):
        refused(filled(), NotAllowed("no", "No."))


def test_fingerprints_of_different_values_differ() -> None:
    one = fingerprint({"a": 1, "b": datetime(2026, 1, 1, tzinfo=UTC)})

    assert one == fingerprint({"b": datetime(2026, 1, 1, tzinfo=UTC), "a": 1})
    assert one != fingerprint({"a": 2, "b": datetime(2026, 1, 1, tzinfo=UTC)})


def test_a_control_is_linked_to_its_help_and_errors() -> None:
    valid = str(control(filled()["name"]))
    invalid = str(control(NameForm({})["name"]))

    assert 'class="form-control"' in valid
    assert 'aria-describedby="id_name_help"' in valid
    assert 'class="form-control is-invalid"' in invalid
    assert 'aria-invalid="true"' in invalid
    assert 'aria-describedby="id_name_errors id_name_help"' in invalid


def test_times_are_shown_in_the_current_zone() -> None:
    at = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    with timezone.override("Europe/Berlin"):
        shown = str(instant(at))

    assert shown == (
        '<time datetime="2026-07-01T22:30:00+00:00" title="2 Jul 2026, 00:30 CEST">'
        "2 Jul 2026, 00:30 CEST</time>"
    )
    assert instant(None) == ""


def test_values_are_escaped() -> None:
    text = Template("{% copyable text %}{% badge text %}").render(
        Context({"text": "<script>"})
    )

    assert "<script>" not in text
    assert text.count("&lt;script&gt;") == 2


@pytest.mark.parametrize("url", ["/", "/t/demo/", "/t/demo/why?image=a"])
def test_local_addresses(url: str) -> None:
    assert is_local_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "//evil.example",
        "/\\evil.example",
        "https://evil.example/",
        "javascript:x",
    ],
)
def test_other_addresses(url: str) -> None:
    assert not is_local_url(url)


@override_settings(CACHES={"default": UNREACHABLE, "local": LOCAL})
def test_without_redis_the_process_keeps_its_own_cache() -> None:
    cache = caches["default"]

    assert cache.add("count", 1, timeout=60)
    assert not cache.add("count", 1, timeout=60)
    assert cache.incr("count") == 2
    assert cache.get("count") == 2
    assert cache.get("nothing", "default") == "default"
    assert not redis_answers()


def test_only_page_assets_are_served_from_node_modules() -> None:
    finder = NodeFilesFinder()

    assert finder.find("@tabler/core/dist/css/tabler.min.css")
    assert not finder.find("@tabler/core/package.json")
    assert not finder.find("../manage.py")
    assert finder.find("@tabler/core/package.json", find_all=True) == []


class ChangeForm(EditForm):
    name = forms.CharField(required=False)
    text = forms.CharField(required=False, strip=False, widget=forms.Textarea)
    kind = forms.ChoiceField(choices=[("a", "Kind A"), ("b", "Kind B")])
    tags = forms.MultipleChoiceField(
        required=False, choices=[("x", "Tag X"), ("y", "Tag Y")]
    )
    is_open = forms.BooleanField(required=False)
    at = forms.DateTimeField(required=False)
    secret = forms.CharField(required=False, widget=forms.PasswordInput)


CURRENT = {
    "name": "",
    "text": "one\ntwo",
    "kind": "b",
    "tags": ["x", "y"],
    "is_open": True,
    "at": datetime(2031, 7, 1, 18, 30, tzinfo=UTC),
    "secret": "hunter2",
}


def test_an_edit_form_with_the_current_values_has_no_differences() -> None:
    entered = {**CURRENT, "text": "one\r\ntwo", "is_open": "on", "seen": "x"}

    assert ChangeForm(entered, initial=CURRENT).differing() == []


def test_a_form_with_a_conflict_shows_the_current_values() -> None:
    entered = {"name": "Mine", "kind": "a", "secret": "mine", "text": "one\ntwo"}
    form = ChangeForm(entered, initial=CURRENT)

    form.show_conflict()

    assert form.has_conflict
    assert form.current == {
        "name": "empty",
        "kind": "Kind B",
        "tags": "Tag X, Tag Y",
        "is_open": "yes",
        "at": "2031-07-01 18:30",
    }
    page = Template('{% include "portal/form.html" %}').render(Context({"form": form}))
    assert '<div class="form-hint" id="id_kind_current">Now: Kind B</div>' in page
    assert 'aria-describedby="id_kind_current"' in page
    assert 'value="Mine"' in page
    assert "hunter2" not in page


def test_a_malformed_request_gets_a_page(client: Client) -> None:
    page = client.get("/", headers={"host": "not a host"})

    text = page.content.decode()
    assert page.status_code == 400
    assert "tabler.min.css" in text
    assert '<a href="/">Go to the start page</a>' in text
    assert "Nothing was changed." in text
    assert 'data-theme="auto"' in text
    assert "data-bs-theme" not in text
    assert "berth-theme" not in text
