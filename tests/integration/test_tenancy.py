from __future__ import annotations

import pytest
from django.apps import apps

from teams.models import TeamOwned

NOT_OWNED = {
    "account.EmailAddress": "allauth's; a person's address",
    "account.EmailConfirmation": "allauth's; unused, links are signed instead",
    "mfa.Authenticator": "allauth's; a person's second factor, encrypted",
    "socialaccount.SocialAccount": "allauth's; a person's single sign-on",
    "socialaccount.SocialApp": "allauth's; unused, the provider is in the settings",
    "socialaccount.SocialToken": "allauth's; unused, no token is kept",
    "admin.LogEntry": "Django's; the admin is read-only, so it stays empty",
    "auth.Group": "Django's; unused, rights come from memberships",
    "auth.Permission": "Django's; unused, rights come from memberships",
    "contenttypes.ContentType": "Django's list of models",
    "images.RegistryNotification": "an ID, of whatever team; it says nothing",
    "licenses.IssuerKeys": "public keys of an issuer that several teams may trust",
    "registries.PullLog": "how far the log of one nginx has been counted",
    "teams.Session": "a browser's, of a user who may be in several teams",
    "teams.StoredMail": "a mail to a person, who may be in several teams",
    "teams.User": "a person, who may be in several teams",
    "teams.Team": "the owner itself",
    "audit.AuditEvent": "has its team, but knows no room above it",
}


def test_every_model_is_owned_by_a_team_or_says_why_not() -> None:
    not_owned = {
        model._meta.label
        for model in apps.get_models()
        if not issubclass(model, TeamOwned)
    }

    assert not_owned == set(NOT_OWNED)


@pytest.mark.parametrize(
    "model",
    [model for model in apps.get_models() if issubclass(model, TeamOwned)],
    ids=lambda model: model._meta.label,
)
def test_every_owned_model_needs_its_team(model: type[TeamOwned]) -> None:
    assert not model._meta.get_field("team").null
