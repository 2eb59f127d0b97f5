from __future__ import annotations

from collections.abc import Iterable

from django import forms

from alerts.events import DESCRIPTIONS, Event


class EventsField(forms.MultipleChoiceField):
    """A choice of the events to get by e-mail or webhook."""

    def __init__(
        self,
        *,
        label: str,
        events: Iterable[Event],
        required: bool = True,
        help_text: str = "",
    ) -> None:
        super().__init__(
            choices=[(event.value, _label(event)) for event in events],
            label=label,
            required=required,
            help_text=help_text,
            widget=forms.CheckboxSelectMultiple,
            error_messages={
                "required": "Choose at least one event.",
                "invalid_choice": "Unknown event: %(value)s.",
            },
        )

    def clean(self, value: object) -> list[str]:
        # Services store them sorted; another order must not count as a change.
        return sorted(set(super().clean(value)))


def _label(event: Event) -> str:
    suffix = " (for programs)" if event.is_for_programs else ""
    return f"{DESCRIPTIONS[event]}{suffix}"
