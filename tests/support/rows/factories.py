"""One factory per model: minimal, valid, and of one team throughout."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from alerts.models import Alert, Delivery, Webhook
from customers.models import Contact, CustomerLink, VendorLook
from images.models import ImageBlob, ImageManifest, ImageRepository, ImageTag
from licenses.license_id import PURPOSE as LICENSE_ID_PURPOSE
from licenses.license_id import generate_license_id
from licenses.models import (
    Application,
    Channel,
    Customer,
    License,
    LicenseField,
    LicenseSigningKey,
    PullCredential,
)
from licenses.pull_credential import PURPOSE as PULL_CREDENTIAL_PURPOSE
from licenses.pull_credential import generate_pull_credential
from oci.media_types import OCI_MANIFEST
from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret
from registries.models import (
    CacheUse,
    Credential,
    CredentialCheck,
    ExternalRegistry,
    LicenseTraffic,
    PullEvent,
    RegistryShare,
)
from registries.models.health import Outcome
from teams.models import ApiToken, Invitation, Membership, ServiceAccount, Team, User
from teams.permissions import Role
from teams.tokens import PURPOSE as API_TOKEN_PURPOSE
from teams.tokens import generate_api_token
from tests.support.rows.pull_hours import CountedFactory

PASSWORD = "correct horse battery staple"
WEBHOOK_SECRET = "whsec_" + "A" * 43 + "="


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User

    email = factory.Sequence(lambda n: f"user{n}@example.com")
    # Unusable; tests that need a password set one.
    password = "!"


class TeamFactory(DjangoModelFactory[Team]):
    class Meta:
        model = Team

    name = factory.Sequence(lambda n: f"Team {n}")
    slug = factory.Sequence(lambda n: f"team-{n}")


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    team = factory.SubFactory(TeamFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.OWNER.value


class ApplicationFactory(DjangoModelFactory[Application]):
    class Meta:
        model = Application
        skip_postgeneration_save = True

    team = factory.SubFactory(TeamFactory)
    name = factory.Sequence(lambda n: f"Application {n}")
    slug = factory.Sequence(lambda n: f"app-{n}")
    stable = factory.RelatedFactory(
        "tests.support.rows.factories.ChannelFactory",
        factory_related_name="application",
        name="Stable",
        slug="stable",
        is_default=True,
    )


class ChannelFactory(DjangoModelFactory[Channel]):
    class Meta:
        model = Channel

    application = factory.SubFactory(ApplicationFactory)
    team = factory.SelfAttribute("application.team")
    name = factory.Sequence(lambda n: f"Channel {n}")
    slug = factory.Sequence(lambda n: f"channel-{n}")


class InvitationFactory(DjangoModelFactory[Invitation]):
    class Meta:
        model = Invitation

    team = factory.SubFactory(TeamFactory)
    email = factory.Sequence(lambda n: f"invited{n}@example.com")
    role = Role.SUPPORT.value
    digest = factory.Sequence(lambda n: f"none:{n}")
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=7))


class ServiceAccountFactory(DjangoModelFactory[ServiceAccount]):
    class Meta:
        model = ServiceAccount

    team = factory.SubFactory(TeamFactory)
    name = factory.Sequence(lambda n: f"robot-{n}")
    role = Role.DEVELOPER.value


class ApiTokenFactory(DjangoModelFactory[ApiToken]):
    """A team token by default. ``text`` is what the client sends."""

    class Meta:
        model = ApiToken

    class Params:
        new = factory.LazyAttribute(lambda token: generate_api_token(token.kind))

    team = factory.SubFactory(TeamFactory)
    kind = ApiToken.Kind.TEAM.value
    name = factory.Sequence(lambda n: f"token-{n}")
    role = factory.LazyAttribute(
        lambda token: Role.OWNER.value if token.kind == "team" else ""
    )
    key = factory.LazyAttribute(lambda token: token.new.key)
    digest = factory.LazyAttribute(
        lambda token: lookup_keyring().digest(
            token.new.text.reveal(), purpose=API_TOKEN_PURPOSE
        )
    )


def api_token_text(**fields: Any) -> str:
    """Create an API token and return its text."""
    new = generate_api_token(fields.get("kind", "team"))
    ApiTokenFactory(new=new, **fields)
    return new.text.reveal()


class CustomerFactory(DjangoModelFactory[Customer]):
    class Meta:
        model = Customer

    team = factory.SubFactory(TeamFactory)
    name = factory.Sequence(lambda n: f"Customer {n}")


class ContactFactory(DjangoModelFactory[Contact]):
    """An administrator by default."""

    class Meta:
        model = Contact

    customer = factory.SubFactory(CustomerFactory)
    team = factory.SelfAttribute("customer.team")
    email = factory.Sequence(lambda n: f"contact{n}@customer.example")
    role = "administrator"
    invited_by = "owner@acme.example"


class CustomerLinkFactory(DjangoModelFactory[CustomerLink]):
    class Meta:
        model = CustomerLink

    contact = factory.SubFactory(ContactFactory)
    team = factory.SelfAttribute("contact.team")
    digest = factory.Sequence(lambda n: f"none:link{n}")
    sent_by = "owner@acme.example"
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=7))


class VendorLookFactory(DjangoModelFactory[VendorLook]):
    class Meta:
        model = VendorLook

    team = factory.SubFactory(TeamFactory)


class LicenseFieldFactory(DjangoModelFactory[LicenseField]):
    class Meta:
        model = LicenseField

    application = factory.SubFactory(ApplicationFactory)
    team = factory.SelfAttribute("application.team")
    name = factory.Sequence(lambda n: f"field_{n}")
    title = factory.LazyAttribute(lambda field: field.name.title())
    type = LicenseField.Type.STRING.value


class LicenseFactory(DjangoModelFactory[License]):
    class Meta:
        model = License

    class Params:
        revoked = factory.Trait(
            revoked_at=factory.LazyFunction(timezone.now), revoke_reason="unpaid"
        )

    team = factory.SubFactory(TeamFactory)
    customer = factory.SubFactory(CustomerFactory, team=factory.SelfAttribute("..team"))
    application = factory.SubFactory(
        ApplicationFactory, team=factory.SelfAttribute("..team")
    )
    channel = factory.LazyAttribute(
        lambda license: license.application.channels.get(is_default=True)
    )
    type = License.Type.PAID.value
    license_id = factory.LazyFunction(generate_license_id)
    license_id_digest = factory.LazyAttribute(
        lambda license: lookup_keyring().digest(
            license.license_id.reveal(), purpose=LICENSE_ID_PURPOSE
        )
    )


class PullCredentialFactory(DjangoModelFactory[PullCredential]):
    class Meta:
        model = PullCredential

    class Params:
        new = factory.LazyFunction(generate_pull_credential)

    license = factory.SubFactory(LicenseFactory)
    team = factory.SelfAttribute("license.team")
    name = factory.Sequence(lambda n: f"cluster-{n}")
    key = factory.LazyAttribute(lambda credential: credential.new.key)
    digest = factory.LazyAttribute(
        lambda credential: lookup_keyring().digest(
            credential.new.text.reveal(), purpose=PULL_CREDENTIAL_PURPOSE
        )
    )
    created_by_kind = "user"
    created_by_label = "owner@acme.example"


def pull_credential(license: License, **fields: Any) -> tuple[PullCredential, str]:
    """Create a pull credential of a license; return it with its text."""
    new = generate_pull_credential()
    credential = PullCredentialFactory(license=license, new=new, **fields)
    return credential, new.text.reveal()


class LicenseSigningKeyFactory(DjangoModelFactory[LicenseSigningKey]):
    """A key that signs nothing: no test needs to wait for a real one."""

    class Meta:
        model = LicenseSigningKey

    application = factory.SubFactory(ApplicationFactory)
    team = factory.SelfAttribute("application.team")
    private_key = factory.LazyFunction(lambda: Secret("no key"))
    public_key = "no key"
    root_id = "0" * 32
    root_signature = ""


class ExternalRegistryFactory(DjangoModelFactory[ExternalRegistry]):
    class Meta:
        model = ExternalRegistry
        skip_postgeneration_save = True

    team = factory.SubFactory(TeamFactory)
    provider = "other"
    endpoint = factory.Sequence(lambda n: f"registry{n}.example.com")
    slug = factory.LazyAttribute(lambda registry: registry.endpoint.partition(":")[0])
    credential = factory.RelatedFactory(
        "tests.support.rows.factories.CredentialFactory",
        factory_related_name="registry",
    )


class CredentialFactory(DjangoModelFactory[Credential]):
    class Meta:
        model = Credential

    registry = factory.SubFactory(ExternalRegistryFactory, credential=None)
    team = factory.SelfAttribute("registry.team")
    auth_type = "password"
    username = factory.LazyFunction(lambda: Secret("puller"))
    secret = factory.LazyFunction(lambda: Secret("upstream-password"))
    active = True


class RegistryShareFactory(DjangoModelFactory[RegistryShare]):
    class Meta:
        model = RegistryShare

    registry = factory.SubFactory(ExternalRegistryFactory, shared_with_all=False)
    application = factory.SubFactory(
        ApplicationFactory, team=factory.SelfAttribute("..registry.team")
    )
    team = factory.SelfAttribute("registry.team")


class CredentialCheckFactory(DjangoModelFactory[CredentialCheck]):
    class Meta:
        model = CredentialCheck

    registry = factory.SubFactory(ExternalRegistryFactory)
    team = factory.SelfAttribute("registry.team")
    outcome = Outcome.VALID.value
    http_status = 200
    latency_ms = 12
    detail = "Signed in."


class ImageRepositoryFactory(DjangoModelFactory[ImageRepository]):
    class Meta:
        model = ImageRepository

    application = factory.SubFactory(ApplicationFactory)
    team = factory.SelfAttribute("application.team")
    name = factory.Sequence(lambda n: f"image{n}")


class ImageManifestFactory(DjangoModelFactory[ImageManifest]):
    class Meta:
        model = ImageManifest

    repository = factory.SubFactory(ImageRepositoryFactory)
    team = factory.SelfAttribute("repository.team")
    digest = factory.Sequence(lambda n: f"sha256:{n:064x}")
    media_type = OCI_MANIFEST
    size = 5 * 2**20
    platforms = factory.LazyFunction(lambda: ["linux/amd64"])
    pushed_at = factory.LazyFunction(timezone.now)
    confirmed_at = factory.LazyFunction(timezone.now)


class ImageTagFactory(DjangoModelFactory[ImageTag]):
    class Meta:
        model = ImageTag

    manifest = factory.SubFactory(ImageManifestFactory)
    repository = factory.SelfAttribute("manifest.repository")
    team = factory.SelfAttribute("repository.team")
    name = factory.Sequence(lambda n: f"1.0.{n}")
    pushed_at = factory.LazyFunction(timezone.now)
    confirmed_at = factory.LazyFunction(timezone.now)


class ImageBlobFactory(DjangoModelFactory[ImageBlob]):
    class Meta:
        model = ImageBlob

    manifest = factory.SubFactory(ImageManifestFactory)
    repository = factory.SelfAttribute("manifest.repository")
    team = factory.SelfAttribute("repository.team")
    digest = factory.Sequence(lambda n: f"sha256:{n:064x}")
    size = 2**20


class PullEventFactory(CountedFactory):
    class Meta:
        model = PullEvent

    class Params:
        registry = None

    team = factory.SubFactory(TeamFactory)
    hour = factory.LazyFunction(
        lambda: timezone.now().replace(minute=0, second=0, microsecond=0)
    )
    application_slug = "my-app"
    holder = factory.Sequence(lambda n: f"license:{n}")
    registry_id = factory.LazyAttribute(lambda pull: pull.registry and pull.registry.pk)
    registry_slug = factory.LazyAttribute(
        lambda pull: getattr(pull.registry, "slug", "")
    )
    repository = "my-org/api"
    reference = "v1.0.1"
    outcome = "allowed"
    count = 1
    last_at = factory.LazyFunction(timezone.now)


class LicenseTrafficFactory(DjangoModelFactory[LicenseTraffic]):
    class Meta:
        model = LicenseTraffic

    license = factory.SubFactory(LicenseFactory)
    team = factory.SelfAttribute("license.team")
    day = factory.LazyFunction(lambda: timezone.now().date())
    bytes = 2**20


class CacheUseFactory(DjangoModelFactory[CacheUse]):
    class Meta:
        model = CacheUse

    registry = factory.SubFactory(ExternalRegistryFactory)
    team = factory.SelfAttribute("registry.team")
    day = factory.LazyFunction(lambda: timezone.now().date())


class AlertFactory(DjangoModelFactory[Alert]):
    class Meta:
        model = Alert

    team = factory.SubFactory(TeamFactory)
    event = "license.revoked"
    key = factory.Sequence(lambda n: f"license.revoked:{n}")
    subject_id = factory.LazyFunction(uuid.uuid4)
    subject_label = "Initech: my-app"
    message = "The license of Initech for my-app was revoked."
    dispatched_at = factory.LazyFunction(timezone.now)


class WebhookFactory(DjangoModelFactory[Webhook]):
    class Meta:
        model = Webhook

    team = factory.SubFactory(TeamFactory)
    name = factory.Sequence(lambda n: f"Webhook {n}")
    url = "https://hooks.example.com/berth"
    events = factory.LazyFunction(lambda: ["license.revoked"])
    secret = factory.LazyFunction(lambda: Secret(WEBHOOK_SECRET))


class DeliveryFactory(DjangoModelFactory[Delivery]):
    """To a webhook, and delivered by default."""

    class Meta:
        model = Delivery

    webhook = factory.SubFactory(WebhookFactory)
    team = factory.SelfAttribute("webhook.team")
    alert = factory.SubFactory(AlertFactory, team=factory.SelfAttribute("..team"))
    state = "delivered"
    attempts = 1
    http_status = 204
    detail = "Delivered."
