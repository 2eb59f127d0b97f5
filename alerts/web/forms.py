from __future__ import annotations

from django import forms

from alerts.events import CHOOSABLE, DESCRIPTIONS

EVENT_CHOICES = [(event.value, DESCRIPTIONS[event]) for event in CHOOSABLE]


class EventsField(forms.MultipleChoiceField):
    """Some of the events that people and webhooks can choose, in words."""

    def __init__(self, *, label: str, required: bool = True) -> None:
        super().__init__(
            choices=EVENT_CHOICES,
            label=label,
            required=required,
            widget=forms.CheckboxSelectMultiple,
            error_messages={
                "required": "Choose at least one event.",
                "invalid_choice": "There is no event %(value)s. Choose from the list.",
            },
        )

    def clean(self, value: object) -> list[str]:
        # In the order in which they are stored: another order is no change.
        return sorted(set(super().clean(value)))
