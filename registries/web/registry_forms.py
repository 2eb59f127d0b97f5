"""Forms of external registries. Which fields there are, the provider says."""

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

_AGAIN = "Enter it again: secrets are never shown in the page."
_BLAMED = {
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
    """A host with its port; a scheme that was pasted with it is taken off."""

    def to_python(self, value: Any) -> str:
        text = (super().to_python(value) or "").lower()
        text = text.removeprefix("https://").removesuffix("/")
        if not text:
            return ""
        if "://" in text:
            raise ValidationError("Enter the host alone, without http://.")
        if "/" in text:
            raise ValidationError(
                "Enter the host alone. What follows the / belongs to the image name."
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
            help_text="What customers may pull, one pattern per line, such as "
            "my-org/* or my-org/api. A * stands for any characters, / too.",
            error_messages={"required": "Enter at least one pattern; * allows all."},
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
    """The image that checks look up; the text as it was entered."""

    def __init__(self, profile: Provider) -> None:
        super().__init__(
            label="Test image",
            help_text="Each check looks it up, to see that the account may read it. "
            f"Left empty, checks sign in and no more. {profile.test_help}".rstrip(),
        )

    def clean(self, value: Any) -> str:  # type: ignore[override]  # as people wrote it
        return (self.to_python(value) or "").strip() if super().clean(value) else ""


class SecretTextarea(forms.Textarea):
    """Several lines that are entered and never shown again."""

    def format_value(self, _value: Any) -> str:
        return ""


class CredentialFields(CreateForm):
    """What a provider asks for to sign in, tested before it is saved.

    The secret is never rendered, so after an error it has to be entered again.
    """

    # The result of the test, if it failed.
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
        self._use_words_of_provider()

    def _use_words_of_provider(self) -> None:
        kind = self.auth_type
        username, secret = self.fields["username"], self.fields["secret"]
        username.label, username.help_text = kind.username_label, kind.username_help
        secret.label = kind.secret_label
        secret.help_text = _AGAIN if self.is_bound else kind.secret_help
        if kind.is_document:
            secret.widget = SecretTextarea(
                attrs={"rows": 8, "spellcheck": "false", "autocomplete": "off"}
            )
        if kind.fixed_username:
            del self.fields["username"]
        if not kind.has_secret:
            del self.fields["secret"]

    @property
    def last_asked(self) -> str:
        """Return the field after which help is shown on where to find all of it."""
        return "secret" if self.auth_type.has_secret else "username"

    @property
    def credential(self) -> NewCredential:
        """Return what was entered, of a valid form."""
        return NewCredential(
            self.auth_type.name,
            self.cleaned_data.get("username", ""),
            Secret(self.cleaned_data.get("secret", "")),
        )

    def accepts(self, result: CheckResult | None) -> bool:
        """Return whether the credential may be stored: it works, or is not tested.

        What failed is shown beside the field that can fix it.
        """
        if result is None or result.is_valid:
            return True
        self.failed_test = result
        field = _BLAMED.get(result.problem, "") if result.problem else ""
        if result.problem and field in self.fields:
            self.add_error(field, f"{result.problem.label}.")
        return False


class SharingFields(forms.Form):
    """With which applications a registry is shared, and what of it."""

    shared_with = forms.ChoiceField(
        label="Shared with",
        widget=forms.RadioSelect,
        initial="all",
        choices=[
            ("all", "All applications, those added later too"),
            ("chosen", "Only some applications"),
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
        help_text="Host of the token service that may be sent the password, if it is "
        "on another domain than the registry. Most registries need none.",
    )

    def __init__(
        self, *args: Any, applications: QuerySet[Application], **options: Any
    ) -> None:
        super().__init__(*args, **options)
        chosen = self.fields["applications"]
        assert isinstance(chosen, forms.ModelMultipleChoiceField)  # noqa: S101 -- as declared above
        chosen.queryset = applications

    def clean(self) -> None:
        super().clean()
        shared_with = self.cleaned_data.get("shared_with")
        chosen = self.cleaned_data.get("applications")
        if shared_with == "chosen" and chosen is not None and not chosen:
            self.add_error(
                "applications", "Tick at least one application, or share with all."
            )

    @property
    def shares(self) -> list[Application] | None:
        """Return the chosen applications of a valid form, None for all."""
        if self.cleaned_data.get("shared_with", "all") == "all":
            return None
        return list(self.cleaned_data["applications"])


class SlugField(forms.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=128, validators=[validate_slug], **options)


class NewRegistryForm(SharingFields, CredentialFields):
    """The dialog's form for one provider: it has the fields that provider uses."""

    slug = SlugField(
        required=False,
        help_text="Stands for the registry in image names. Left empty, it is the "
        "endpoint without its port.",
    )
    field_order = (
        *("submission", "endpoint", "username", "secret", "test_image", "slug"),
    )
    # What is taken along from one provider's tab to another's.
    CARRIED = (
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
        """Return what was entered in a valid form."""
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
    def usual(self) -> list[forms.BoundField]:
        return [
            each for each in self.visible_fields() if each.name not in self.ADVANCED
        ]

    @property
    def advanced(self) -> list[forms.BoundField]:
        return [each for each in self.visible_fields() if each.name in self.ADVANCED]

    @property
    def is_advanced_open(self) -> bool:
        return any(each.errors for each in self.advanced)


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
        help_text="Stands for the registry in image names. Images named with the old "
        "slug are not found any more."
    )
    field_order = ("seen", "slug", "test_image")

    def __init__(self, *args: Any, profile: Provider, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["test_image"] = TestImageField(profile)
        self.order_fields(self.field_order)

    def differing(self) -> list[str]:
        found = super().differing()
        if self.data.get("shared_with") == "all":
            return [name for name in found if name != "applications"]
        return found


class DuplicateForm(CreateForm):
    slug = SlugField(help_text="Has to differ from the slugs of the other registries.")
