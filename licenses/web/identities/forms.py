"""The forms of trusted identities, for the vendor's dialogs and the customer's."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms

from licenses.identities.key_sets import MAX_BYTES
from licenses.identities.rules import (
    GITHUB_ISSUER,
    GITLAB_ISSUER,
    MAX_ISSUER_LENGTH,
    MAX_VALUE_LENGTH,
    NAMESPACE,
    SERVICE_ACCOUNT,
    IdentityKind,
)
from licenses.identities.workload_token import MAX_LENGTH
from licenses.models import MAX_LABEL_LENGTH, TrustedIdentity
from licenses.models.identities import MAX_AUDIENCE_LENGTH
from licenses.services.identities import (
    check_identity,
    default_audience,
    read_issuer_for,
)
from portal.http.forms import CreateForm, EditForm

_STAR = "A * at the end allows more after it."
_AREA = {"rows": 4, "spellcheck": "false"}


class LabelField(forms.CharField):
    def __init__(self, example: str) -> None:
        super().__init__(
            max_length=MAX_LABEL_LENGTH,
            help_text=f"What it is called here, such as {example}.",
        )


class RuleField(forms.CharField):
    def __init__(self, help_text: str, *, required: bool = False) -> None:
        super().__init__(
            required=required, max_length=MAX_VALUE_LENGTH + 1, help_text=help_text
        )


class IssuerField(forms.CharField):
    def __init__(self, help_text: str, initial: str = "") -> None:
        super().__init__(
            max_length=MAX_ISSUER_LENGTH, help_text=help_text, initial=initial
        )


class KeySetField(forms.CharField):
    def __init__(self, help_text: str) -> None:
        super().__init__(
            label="Key set",
            required=False,
            max_length=MAX_BYTES,
            widget=forms.Textarea(attrs=_AREA),
            help_text=help_text,
        )


class IdentityForm(CreateForm):
    """What all kinds have in common; fields named in ``claims`` are rules."""

    repeated = "This trusted identity has already been added."
    kind: ClassVar[IdentityKind]
    claims: ClassVar[tuple[str, ...]]
    audience = forms.CharField(
        max_length=MAX_AUDIENCE_LENGTH,
        initial=default_audience,
        help_text="What tokens are requested for (aud). Tokens for others are refused.",
    )

    @property
    def rules(self) -> dict[str, str]:
        entered = {name: self.cleaned_data.get(name, "") for name in self.claims}
        return {name: value for name, value in entered.items() if value}

    @property
    def names(self) -> Mapping[str, str]:
        """Return where the service's errors belong in the form."""
        return {"rules": self.claims[0]}

    def values(self) -> dict[str, Any]:
        """Return what the service needs."""
        return {
            "label": self.cleaned_data["label"],
            "kind": self.kind,
            "issuer": self.cleaned_data["issuer"],
            "rules": self.rules,
            "audience": self.cleaned_data["audience"],
            "key_set": self.cleaned_data.get("key_set", ""),
        }

    def read_keys(self, team_id: uuid.UUID) -> None:
        """Read the issuer's keys if none are entered; raises Invalid, TooMany."""
        values = self.values()
        if not values["key_set"]:
            identity = (values["kind"], values["issuer"], values["rules"])
            check_identity(*identity, values["audience"])
            read_issuer_for(team_id, values["issuer"])


class KubernetesForm(IdentityForm):
    kind = IdentityKind.KUBERNETES
    claims = (NAMESPACE, SERVICE_ACCOUNT)
    field_order = ("label", "issuer", *claims, "audience", "key_set")
    label = LabelField("Production cluster")
    issuer = IssuerField(
        "The cluster's: kubectl get --raw /.well-known/openid-configuration shows it."
    )
    namespace = RuleField(f"Of the Pods. {_STAR}", required=True)
    service_account = RuleField(f"Of the Pods. Empty for all. {_STAR}")
    key_set = KeySetField(
        "If the issuer cannot be reached from the Internet: what kubectl get --raw "
        "/openid/v1/jwks prints. Otherwise leave empty."
    )


class GitHubForm(IdentityForm):
    kind = IdentityKind.GITHUB
    claims = ("repository", "environment", "ref")
    field_order = ("label", *claims, "issuer", "audience")
    label = LabelField("Deployment workflow")
    repository = RuleField(
        "Such as my-org/my-app, or my-org/* for all of an organization.", required=True
    )
    environment = RuleField("Of the job. Empty for all.")
    ref = RuleField(f"Such as refs/heads/main. {_STAR}")
    issuer = IssuerField(
        "Another one on GitHub Enterprise.",
        GITHUB_ISSUER,
    )


class GitLabForm(IdentityForm):
    kind = IdentityKind.GITLAB
    claims = ("project_path", "environment", "ref")
    field_order = ("label", *claims, "issuer", "audience", "key_set")
    label = LabelField("Deployment pipeline")
    project_path = RuleField(
        "Such as my-group/my-app, or my-group/* for all of a group.", required=True
    )
    environment = RuleField("Of the job. Empty for all.")
    ref = RuleField(f"The branch or tag, such as main. {_STAR}")
    issuer = IssuerField("The URL of a GitLab of your own.", GITLAB_ISSUER)
    key_set = KeySetField(
        "If that GitLab cannot be reached from the Internet: the content of "
        "/oauth/discovery/keys. Otherwise leave empty."
    )


class OtherForm(IdentityForm):
    kind = IdentityKind.OTHER
    claims = ("claims_text",)
    field_order = ("label", "issuer", "claims_text", "audience", "key_set")
    label = LabelField("Build server")
    issuer = IssuerField("Exactly as in tokens (iss).")
    claims_text = forms.CharField(
        label="Claims",
        max_length=5000,
        widget=forms.Textarea(attrs=_AREA),
        help_text=f"One per line, such as sub = project:app. All must hold. {_STAR}",
    )
    key_set = KeySetField(
        "If the issuer cannot be reached from the Internet: its JWK Set. Otherwise "
        "leave empty."
    )

    def clean_claims_text(self) -> dict[str, str]:
        rules: dict[str, str] = {}
        for line in self.cleaned_data["claims_text"].splitlines():
            claim, equals, value = line.partition("=")
            if not line.strip():
                continue
            if not equals or claim.strip() in rules:
                raise forms.ValidationError(
                    "Write each claim once, as claim = value, one per line."
                )
            rules[claim.strip()] = value.strip()
        return rules

    @property
    def rules(self) -> dict[str, str]:
        return dict(self.cleaned_data["claims_text"])


FORMS: dict[IdentityKind, type[IdentityForm]] = {
    form.kind: form for form in (KubernetesForm, GitHubForm, GitLabForm, OtherForm)
}


class IdentityChangesForm(EditForm):
    label = forms.CharField(max_length=MAX_LABEL_LENGTH)
    key_set = KeySetField(
        "Enter old and new keys together while the issuer changes them. Empty if Berth "
        "is to read the keys that the issuer publishes."
    )


def identity_values(identity: TrustedIdentity) -> dict[str, Any]:
    """Return the values that :class:`IdentityChangesForm` edits."""
    return {"label": identity.label, "key_set": identity.key_set}


class TokenForm(forms.Form):
    """A pasted token, which is never shown again."""

    token = forms.CharField(
        max_length=2 * MAX_LENGTH,
        widget=forms.Textarea(attrs={**_AREA, "autocomplete": "off"}),
        help_text="Berth does not store it.",
    )


TITLES = {
    IdentityKind.KUBERNETES: "Trust a Kubernetes cluster",
    IdentityKind.GITHUB: "Trust GitHub Actions",
    IdentityKind.GITLAB: "Trust GitLab CI",
    IdentityKind.OTHER: "Trust another issuer",
}
KIND_MENU = [(kind.value, TITLES[kind].removeprefix("Trust ")) for kind in FORMS]
REMOVING = (
    "Pulls with it stop within one second, also with tokens issued before. It stays in "
    "the list for the record."
)
EXPLANATION = (
    "Tokens of this issuer that meet all rules pull what the license does, without a "
    "password to keep."
)
