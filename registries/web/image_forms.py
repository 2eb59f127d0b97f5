"""Forms of external registries. Which fields there are, the provider says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from oci.digest import MalformedDigest
from oci.reference import (
    MalformedName,
    Reference,
    parse_reference,
    parse_registry_host,
)
from portal.crypto.secrets import Secret
from portal.http.forms import CreateForm, EditForm
from registries.checks import CheckResult
from registries.models import (
    MAX_PATTERNS,
    MAX_SECRET_BYTES,
    ExternalRegistry,
    validate_pattern,
)
from registries.providers import PROVIDERS, Provider, canonical_endpoint
from registries.services import NewCredential
from registries.upstream_errors import Problem
from teams.models import Application, validate_slug

_AGAIN = "Enter it again: what was sent is not shown in the page."
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
    Problem.NO_ACCESS: "image",
    Problem.NO_SUCH_IMAGE: "image",
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
                "This is no host. Enter one like quay.io or registry.example.com:5000."
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
                "This is no image name. Enter one like my-org/api:v1.0.1."
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
                    f"{pattern[:80]!r} is no pattern. Use lower-case letters, digits "
                    "and . _ - /, with * for any characters."
                ) from error
        return patterns


class _ImageForm(forms.Form):
    """A form that names an image, which has to be on the registry in question."""

    image = ImageField()

    @property
    def endpoint(self) -> str:
        """Return the registry's endpoint, "" if that is not known."""
        raise NotImplementedError

    def clean_image(self) -> Reference | None:
        image: Reference | None = self.cleaned_data["image"]
        if image is None or image.registry is None or not self.endpoint:
            return image
        if canonical_endpoint(image.registry) != self.endpoint:
            raise ValidationError(
                f"This image is on {image.registry}. Enter one that is on "
                f"{self.endpoint}."
            )
        return image


class CredentialFields(_ImageForm, CreateForm):
    """Username and secret as a provider calls them, tested before they are saved.

    The secret is never rendered, so after an error it has to be entered again.
    """

    # What came of the test, if it failed.
    failed_test: CheckResult | None = None
    auth_type = forms.ChoiceField(label="Sign in with", widget=forms.RadioSelect)
    username = forms.CharField(
        max_length=MAX_SECRET_BYTES,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    secret = forms.CharField(
        max_length=MAX_SECRET_BYTES,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    image = ImageField(
        label="Test image",
        help_text="An image to look up while testing, to see that the account may "
        "read it. Leave it empty to test signing in alone.",
    )

    def __init__(self, *args: Any, profile: Provider, **options: Any) -> None:
        super().__init__(*args, **options)
        self.profile = profile
        self._use_words_of_provider()
        if self.is_bound:
            self.fields["secret"].help_text = _AGAIN

    def _use_words_of_provider(self) -> None:
        kinds = self.profile.auth_types
        self.fields["username"].label = _joined([k.username_label for k in kinds])
        self.fields["secret"].label = _joined([k.secret_label for k in kinds])
        chosen = self.fields["auth_type"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101 -- as declared above
        if len(kinds) == 1:
            del self.fields["auth_type"]
        else:
            chosen.choices = [(kind.name, kind.secret_label) for kind in kinds]
            chosen.initial = kinds[0].name

    @property
    def credential(self) -> NewCredential:
        """Return what was entered, of a valid form."""
        only = self.profile.auth_types[0].name
        return NewCredential(
            self.cleaned_data.get("auth_type", only),
            self.cleaned_data["username"],
            Secret(self.cleaned_data["secret"]),
        )

    def note_failed_test(self, result: CheckResult) -> None:
        """Show what is wrong beside the field that can mend it."""
        self.failed_test = result
        if result.problem is None:
            return
        field = _BLAMED.get(result.problem, "")
        if field in self.fields:
            self.add_error(field, f"{result.problem.label}.")


def _joined(labels: Sequence[str]) -> str:
    first, *others = dict.fromkeys(labels)
    return " or ".join([first, *(other.lower() for other in others)])


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
        "submission",
        "endpoint",
        "auth_type",
        "username",
        "secret",
        "image",
        "slug",
    )
    ADVANCED = ("shared_with", "applications", "repository_patterns", "trusted_realm")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.profile.fixed_endpoint is None:
            self.fields["endpoint"] = HostField(
                max_length=255, help_text=self.profile.endpoint_help
            )
            self.order_fields(self.field_order)
        if not options["applications"].exists():
            del self.fields["shared_with"], self.fields["applications"]

    @property
    def endpoint(self) -> str:
        known: str = self.cleaned_data.get("endpoint", "")
        return self.profile.fixed_endpoint or known

    def clean_endpoint(self) -> str:
        endpoint: str = self.cleaned_data["endpoint"]
        for other in PROVIDERS.values():
            if canonical_endpoint(endpoint) == other.fixed_endpoint:
                raise ValidationError(f"This is {other.title}: use its tab above.")
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


class CredentialForm(CredentialFields):
    """A new credential for a registry that is connected."""

    def __init__(self, *args: Any, registry: ExternalRegistry, **options: Any) -> None:
        super().__init__(*args, profile=registry.provider_profile, **options)
        self._endpoint = registry.endpoint

    @property
    def endpoint(self) -> str:
        return self._endpoint


class RegistryForm(SharingFields, EditForm):
    slug = SlugField(
        help_text="Stands for the registry in image names. Images named with the old "
        "slug are not found any more."
    )
    field_order = ("seen", "slug")

    def differing(self) -> list[str]:
        found = super().differing()
        if self.data.get("shared_with") == "all":
            return [name for name in found if name != "applications"]
        return found


class DuplicateForm(CreateForm):
    slug = SlugField(help_text="Has to differ from the slugs of the other registries.")


class _RegistryImageForm(_ImageForm):
    def __init__(self, *args: Any, registry: ExternalRegistry, **options: Any) -> None:
        super().__init__(*args, **options)
        self._endpoint = registry.endpoint

    @property
    def endpoint(self) -> str:
        return self._endpoint


class CheckForm(_RegistryImageForm):
    """What to check a stored credential with."""

    prefix = "check"
    image = ImageField(label="Test image (optional)")


class ImageNameForm(_RegistryImageForm):
    """The image whose name is to be shown as customers pull it."""

    image = ImageField(label="Your image")
