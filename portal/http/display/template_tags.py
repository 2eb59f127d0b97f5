"""Tags and filters for all templates."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django import forms, template
from django.forms.boundfield import BoundField, BoundWidget
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from portal.http.display import times
from portal.http.display.user_agents import browser_name

register = template.Library()

_CLASSES: tuple[tuple[type[forms.Widget], str], ...] = (
    (forms.CheckboxInput, "form-check-input"),
    (forms.CheckboxSelectMultiple, "form-check-input"),
    (forms.RadioSelect, "form-check-input"),
    (forms.Select, "form-select"),
)


_DIGEST = re.compile(r"\b(sha\d+:[0-9a-f]{8})[0-9a-f]+([0-9a-f]{8})\b")
_SHORT_DIGEST = r'<span title="\g<0>">\1…\2</span>'
# Good pulls, or works; a warning will stop; what is bad does not pull.
_TONES = {
    **dict.fromkeys(("active", "valid", "allowed"), "good"),
    **dict.fromkeys(("expiring", "replaced"), "warning"),
    **dict.fromkeys(("expired", "revoked", "customer archived", "rejected"), "bad"),
    **dict.fromkeys(("unreachable", "refused"), "bad"),
}


@register.filter
def control(field: BoundField) -> SafeString:
    """Render a field's widget, linked to its help and errors for screen readers."""
    widget = field.field.widget
    style = next((name for kind, name in _CLASSES if isinstance(widget, kind)), None)
    classes = [style or "form-control", widget.attrs.get("class", "")]
    described = [f"{field.auto_id}_help"] if field.help_text else []
    if current_value(field):
        described.insert(0, f"{field.auto_id}_current")
    attributes: dict[str, Any] = {}
    if field.errors:
        classes.append("is-invalid")
        described.insert(0, f"{field.auto_id}_errors")
        attributes["aria-invalid"] = "true"
    if described:
        attributes["aria-describedby"] = " ".join(described)
    attributes["class"] = " ".join(filter(None, classes))
    return field.as_widget(attrs=attributes)


@register.filter
def current_value(field: BoundField) -> str:
    """Return the current value of a field after a conflict, otherwise ""."""
    current: dict[str, str] = getattr(field.form, "current", {})
    return current.get(field.name, "")


@register.filter
def choices(field: BoundField) -> list[tuple[SafeString, str]]:
    """Return the radio buttons or checkboxes of a field, each with its label."""
    attributes = {"class": "form-check-input", "id": field.auto_id}
    described = [f"{field.auto_id}_current"] if current_value(field) else []
    if field.errors:
        described.insert(0, f"{field.auto_id}_errors")
        attributes["aria-invalid"] = "true"
    if described:
        attributes["aria-describedby"] = " ".join(described)
    widget = field.field.widget
    options = widget.subwidgets(field.html_name, field.value(), attributes)
    return [
        (BoundWidget(widget, option, field.form.renderer).tag(), option["label"])
        for option in options
    ]


@register.filter
def kind_of_control(field: BoundField) -> str:
    """Return how a field is laid out: ``check``, ``choices`` or ``plain``."""
    widget = field.field.widget
    if isinstance(widget, forms.CheckboxInput):
        return "check"
    if isinstance(widget, forms.CheckboxSelectMultiple | forms.RadioSelect):
        return "choices"
    return "plain"


@register.filter
def when(at: datetime | None) -> str:
    """Show a day and how far away it is, for a table; hovering shows it exactly."""
    return _time(at, times.short(at)) if at else ""


@register.filter
def ago(at: datetime | None) -> str:
    """Show how far away a time is, in a sentence; hovering shows it exactly."""
    return _time(at, times.in_words(at)) if at else ""


@register.filter
def instant(at: datetime | None) -> str:
    """Show a time exactly, in the current time zone."""
    return _time(at, times.exact(at)) if at else ""


def _time(at: datetime, text: str) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        times.exact(at),
        text,
    )


@register.filter
def short_digests(text: str) -> SafeString:
    """Shorten digests in their middle; hovering shows them whole."""
    return mark_safe(_DIGEST.sub(_SHORT_DIGEST, conditional_escape(text)))  # noqa: S308 -- escaped


@register.filter
def browser(user_agent: str) -> str:
    """Return the name of the browser that sent a ``User-Agent``."""
    return browser_name(user_agent)


@register.simple_tag(takes_context=True)
def with_parameters(context: template.Context, **changes: object) -> str:
    """Return this page's query with some parameters changed; None removes one."""
    request: HttpRequest = context["request"]
    query = request.GET.copy()
    for name, value in changes.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = str(value)
    return f"?{query.urlencode()}" if query else "?"


@register.simple_tag
def opens(url: str) -> SafeString:
    """Return the attributes of a link to a dialog; without scripts, to a page."""
    return format_html('href="{}" hx-get="{}" hx-target="#dialog-body"', url, url)


@register.inclusion_tag("portal/nav_item.html", takes_context=True)
def nav_item(
    context: template.Context, name: str, label: str, icon: str, waiting: str = ""
) -> dict[str, object]:
    """Render an entry of the team's navigation; ``name`` is its URL name.

    ``waiting`` is how many things there wait for somebody.
    """
    request: HttpRequest = context["request"]
    match = request.resolver_match
    current = (match.url_name or "") if match else ""
    return {
        "url": reverse(name, kwargs={"team": context["team"].slug}),
        "label": label,
        "icon": icon,
        "waiting": waiting,
        "is_current": current == name or current.startswith(f"{name}-"),
    }


@register.inclusion_tag("portal/copyable.html")
def copyable(text: str, label: str = "Copy") -> dict[str, object]:
    """Show a text with a button that copies it."""
    return {"text": text, "label": label}


@register.inclusion_tag("portal/badge.html")
def badge(text: object, tone: str = "") -> dict[str, object]:
    """Show a state as a badge; tones: good, warning, bad, info or neutral.

    The same word has the same tone on all pages: without one, that of the table.
    """
    return {"text": text, "tone": tone or _TONES.get(str(text).lower(), "neutral")}
