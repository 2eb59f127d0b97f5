"""Forms of external registries; the provider determines their fields."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from licenses.models import Application
from oci.digest import MalformedDigest
from oci.reference import (
    MalformedName,
    Reference,
    parse_reference,
    parse_registry_host,
)
from portal.crypto.secrets import Secret
from portal.http.forms import CreateForm, EditForm
from registries.checks.attempt import CheckResult
from registries.models import (
    MAX_PATTERNS,
    MAX_SECRET_BYTES,
    validate_pattern,
)
from registries.providers import (
    AuthType,
    Provider,
    canonical_endpoint,
    endpoint_problem,
)
from registries.providers.problems import Problem
from registries.services import NewCredential, NewRegistry
from teams.models import validate_slug

_ENTER_AGAIN = "Enter it again. Secrets are never shown on the page."
# The field that can fix a problem; a problem without one is shown above the form.
_FIELD_TO_FIX = {
    Problem.NAME_NOT_FOUND: "endpoint",
    Problem.ADDRESS_NOT_PUBLIC: "endpoint",
    Problem.CONNECTION_REFUSED: "endpoint",
    Problem.NO_CONNECTION: "endpoint",
    Problem.TLS: "endpoint",
    Problem.TIMEOUT: "endpoint",
    Problem.NOT_A_REGISTRY: "endpoint",
    Problem.WRONG_CREDENTIAL: "secret",
    Problem.NOT_LET_IN: "username",
    Problem.NO_ACCESS: "test_image",
    Problem.NO_SUCH_IMAGE: "test_image",
    Problem.REALM_NOT_TRUSTED: "trusted_realm",
}


class HostField(forms.CharField):
    """A host with an optional port; a pasted https:// is removed."""

    def to_python(self, value: Any) -> str:
        text = (super().to_python(value) or "").lower()
        text = text.removeprefix("https://").removesuffix("/")
        if not text:
            return ""
        if "://" in text:
            raise ValidationError("Enter only the host, without http://.")
        if "/" in text:
            raise ValidationError(
                "Enter only the host. The path belongs in the image name."
            )
        try:
            return parse_registry_host(text)
        except MalformedName as error:
            raise ValidationError(
                "Not a valid host. Enter one like quay.io or registry.example.com:5000."
            ) from error


class ImageField(forms.CharField):
    """A repository with its tag or digest, with or without the registry's host."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            max_length=512,
            required=False,
            widget=forms.TextInput(
                attrs={"placeholder": "my-org/api:v1.0.1", "autocomplete": "off"}
            ),
            **options,
        )

    def clean(self, value: Any) -> Reference | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_reference(text)
        except (MalformedName, MalformedDigest) as error:
            raise ValidationError(
                "Not a valid image name. Enter one like my-org/api:v1.0.1."
            ) from error


class PatternsField(forms.CharField):
    """Repository patterns, one per line."""

    def __init__(self) -> None:
        super().__init__(
            label="Repositories",
            initial="*",
            widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
            help_text="Repositories that customers may pull, such as my-org/* or "
            "my-org/api. One pattern per line; * matches any characters, including /.",
            error_messages={"required": "Enter at least one pattern. * allows all."},
        )

    def clean(self, value: Any) -> list[str]:
        text = super().clean(value)
        patterns = list(dict.fromkeys(text.split()))
        if len(patterns) > MAX_PATTERNS:
            raise ValidationError(f"Enter at most {MAX_PATTERNS} patterns.")
        for pattern in patterns:
            try:
                validate_pattern(pattern)
            except ValidationError as error:
                raise ValidationError(
                    f"{pattern[:80]!r} is not a valid pattern. Use lower-case letters, "
                    "digits and . _ - /, with * for any characters."
                ) from error
        return patterns


class TestImageField(ImageField):
    """The image that checks look up, as the text that was entered."""

    def __init__(self, profile: Provider) -> None:
        super().__init__(
            label="Test image",
            help_text="Checks verify that the account can read this image. If empty, "
            f"they only sign in. {profile.test_help}".rstrip(),
        )

    def clean(self, value: Any) -> str:  # type: ignore[override]  # text, not a Reference
        return (self.to_python(value) or "").strip() if super().clean(value) else ""


class SecretTextarea(forms.Textarea):
    """A text area that never shows what was entered."""

    def format_value(self, _value: Any) -> str:
        return ""


class CredentialFields(CreateForm):
    """The credential that a provider needs, tested before it is saved.

    The secret is never rendered, so it must be entered again after an error.
    """

    # Set by ``accepts`` if the test failed.
    failed_test: CheckResult | None = None
    username = forms.CharField(
        max_length=MAX_SECRET_BYTES,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    secret = forms.CharField(
        max_length=MAX_SECRET_BYTES,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(
        self, *args: Any, profile: Provider, auth_type: AuthType, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.profile = profile
        self.auth_type = auth_type
        self._adapt_to_auth_type()

    def _adapt_to_auth_type(self) -> None:
        auth_type = self.auth_type
        username, secret = self.fields["username"], self.fields["secret"]
        username.label = auth_type.username_label
        username.help_text = auth_type.username_help
        secret.label = auth_type.secret_label
        secret.help_text = _ENTER_AGAIN if self.is_bound else auth_type.secret_help
        if auth_type.is_document:
            secret.widget = SecretTextarea(
                attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off"}
            )
        if auth_type.fixed_username:
            del self.fields["username"]
        if not auth_type.has_secret:
            del self.fields["secret"]

    @property
    def credential(self) -> NewCredential:
        """Return the credential entered in a valid form."""
        return NewCredential(
            self.auth_type.name,
            self.cleaned_data.get("username", ""),
            Secret(self.cleaned_data.get("secret", "")),
        )

    @property
    def paste_note(self) -> str:
        """Return what was changed about the secret in a valid form, or ""."""
        # Around a document, line breaks mean nothing, and its file ends with one.
        if self.auth_type.is_document or not self.credential.has_line_breaks_around:
            return ""
        return "Line breaks around the secret were removed."

    def accepts(self, result: CheckResult | None) -> bool:
        """Return whether to store the credential: the test succeeded or was skipped.

        A failure is shown beside the field that can fix it.
        """
        if result is None or result.is_valid:
            return True
        self.failed_test = result
        field = _FIELD_TO_FIX.get(result.problem, "") if result.problem else ""
        if result.problem and field in self.fields:
            self.add_error(field, f"{result.problem.label}.")
        return False


class SharingFields(forms.Form):
    """Which applications may pull through a registry, and which repositories."""

    shared_with = forms.ChoiceField(
        label="Shared with",
        widget=forms.RadioSelect,
        initial="all",
        choices=[
            ("all", "All applications, including future ones"),
            ("chosen", "Selected applications"),
        ],
    )
    applications = forms.ModelMultipleChoiceField(
        queryset=Application.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    repository_patterns = PatternsField()
    trusted_realm = HostField(
        required=False,
        max_length=255,
        label="Trusted token realm",
        help_text="Host of the token service that Berth may send the password to, if "
        "it is on another domain than the registry. Most registries do not need this.",
    )

    def __init__(
        self, *args: Any, applications: QuerySet[Application], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        field: Any = self.fields["applications"]
        field.queryset = applications

    def clean(self) -> None:
        super().clean()
        is_limited = self.cleaned_data.get("shared_with") == "chosen"
        selected = self.cleaned_data.get("applications")
        if is_limited and selected is not None and not selected:
            self.add_error(
                "applications", "Select at least one application, or share with all."
            )

    @property
    def shares(self) -> list[Application] | None:
        """Return the selected applications of a valid form, or None for all."""
        if self.cleaned_data.get("shared_with", "all") == "all":
            return None
        return list(self.cleaned_data["applications"])


class SlugField(forms.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=128, validators=[validate_slug], **options)


class NewRegistryForm(SharingFields, CredentialFields):
    """A new registry, with the fields that its provider uses."""

    slug = SlugField(
        required=False,
        help_text="Identifies the registry in image names. Defaults to the endpoint "
        "without its port.",
    )
    field_order = (
        *("submission", "endpoint", "username", "secret", "test_image", "slug"),
    )
    KEPT_BETWEEN_TABS = (
        *("username", "test_image", "slug"),
        *("shared_with", "repository_patterns", "trusted_realm"),
    )
    ADVANCED = ("shared_with", "applications", "repository_patterns", "trusted_realm")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["test_image"] = TestImageField(self.profile)
        if self.profile.fixed_endpoint is None:
            self.fields["endpoint"] = _endpoint_field(self.profile)
        self.order_fields(self.field_order)
        if not options["applications"].exists():
            del self.fields["shared_with"], self.fields["applications"]

    def new_registry(self) -> NewRegistry:
        """Return the registry entered in a valid form."""
        values = self.cleaned_data
        return NewRegistry(
            provider=self.profile.name,
            endpoint=self.profile.fixed_endpoint or values["endpoint"],
            credential=self.credential,
            slug=values["slug"],
            trusted_realm=values["trusted_realm"],
            applications=self.shares,
            repository_patterns=values["repository_patterns"],
            test_image=values["test_image"],
        )

    def clean_endpoint(self) -> str:
        endpoint = canonical_endpoint(self.cleaned_data["endpoint"])
        problem = endpoint_problem(self.profile, endpoint)
        if problem:
            raise ValidationError(problem)
        return endpoint

    @property
    def basic_fields(self) -> list[forms.BoundField]:
        return [
            field for field in self.visible_fields() if field.name not in self.ADVANCED
        ]

    @property
    def advanced_fields(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name in self.ADVANCED]

    @property
    def is_advanced_open(self) -> bool:
        return any(field.errors for field in self.advanced_fields)


def _endpoint_field(profile: Provider) -> HostField:
    return HostField(
        max_length=255,
        help_text=profile.endpoint_help,
        initial=profile.usual_endpoint,
        widget=forms.TextInput(
            attrs={"placeholder": profile.endpoint_example, "autocomplete": "off"}
        ),
    )


class RegistryForm(SharingFields, EditForm):
    slug = SlugField(
        help_text="Identifies the registry in image names. Names with the old slug "
        "stop working."
    )
    field_order = ("seen", "slug", "test_image")

    def __init__(self, *args: Any, profile: Provider, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["test_image"] = TestImageField(profile)
        self.order_fields(self.field_order)

    def differing(self) -> list[str]:
        names = super().differing()
        if self.data.get("shared_with") == "all":
            return [name for name in names if name != "applications"]
        return names


class DuplicateForm(CreateForm):
    slug = SlugField(help_text="Must be unique among the team's registries.")
