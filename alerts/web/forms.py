from __future__ import annotations

from django import forms

from alerts.events import CHOOSABLE, DESCRIPTIONS

EVENT_CHOICES = [(event.value, DESCRIPTIONS[event]) for event in CHOOSABLE]


class EventsField(forms.MultipleChoiceField):
    """A choice of the events to get by e-mail or webhook."""

    def __init__(self, *, label: str, required: bool = True) -> None:
        super().__init__(
            choices=EVENT_CHOICES,
            label=label,
            required=required,
            widget=forms.CheckboxSelectMultiple,
            error_messages={
                "required": "Choose at least one event.",
                "invalid_choice": "Unknown event: %(value)s.",
            },
        )

    def clean(self, value: object) -> list[str]:
        # Services store them sorted; another order must not count as a change.
        return sorted(set(super().clean(value)))
