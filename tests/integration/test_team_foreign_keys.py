"""The database itself refuses to link rows of two teams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from customers.models import ListedImage, Unsubscription
from licenses.models import IdentityWorkload, Notice
from teams.models import Team
from tests.support.rows.factories import (
    ApiTokenFactory,
    ApplicationFactory,
    CacheUseFactory,
    ChannelFactory,
    ContactFactory,
    CredentialCheckFactory,
    CredentialFactory,
    CustomerFactory,
    CustomerLinkFactory,
    ExternalRegistryFactory,
    ImageBlobFactory,
    ImageManifestFactory,
    ImageRepositoryFactory,
    ImageTagFactory,
    InvitationFactory,
    LicenseFactory,
    LicenseFieldFactory,
    LicenseSigningKeyFactory,
    LicenseTrafficFactory,
    PullCredentialFactory,
    RegistryShareFactory,
    ServiceAccountFactory,
)
from tests.support.rows.identities import TrustedIdentityFactory

LINKS: dict[str, Callable[[Team, Team], Any]] = {
    "channel of an application": lambda ours, theirs: ChannelFactory(
        team=ours, application=ApplicationFactory(team=theirs)
    ),
    "token of a service account": lambda ours, theirs: ApiTokenFactory(
        team=ours,
        kind="service_account",
        service_account=ServiceAccountFactory(team=theirs),
    ),
    "invitation sent with a token": lambda ours, theirs: InvitationFactory(
        team=ours, sent_with=ApiTokenFactory(team=theirs)
    ),
    "license field of an application": lambda ours, theirs: LicenseFieldFactory(
        team=ours, application=ApplicationFactory(team=theirs)
    ),
    "key of an application's license files": lambda ours, theirs: (
        LicenseSigningKeyFactory(team=ours, application=ApplicationFactory(team=theirs))
    ),
    "contact of a customer": lambda ours, theirs: ContactFactory(
        team=ours, customer=CustomerFactory(team=theirs)
    ),
    "link to a contact": lambda ours, theirs: CustomerLinkFactory(
        team=ours, contact=ContactFactory(customer__team=theirs)
    ),
    "license that a link leads to": lambda ours, theirs: CustomerLinkFactory(
        team=ours,
        contact=ContactFactory(customer__team=ours),
        license=LicenseFactory(team=theirs),
    ),
    "contact who unsubscribed": lambda ours, theirs: Unsubscription.objects.create(
        team=ours, contact=ContactFactory(customer__team=theirs), kind="license_issued"
    ),
    "listed image of an application": lambda ours, theirs: ListedImage.objects.create(
        team=ours, application=ApplicationFactory(team=theirs), position=0, name="a/b:1"
    ),
    "notice of a license": lambda ours, theirs: Notice.objects.create(
        team=ours, license=LicenseFactory(team=theirs), kind="license_issued", key="1"
    ),
    "license of a customer": lambda ours, theirs: LicenseFactory(
        team=ours, customer=CustomerFactory(team=theirs)
    ),
    "license of an application": lambda ours, theirs: LicenseFactory(
        team=ours, application=ApplicationFactory(team=theirs)
    ),
    "license on another application's channel": lambda ours, _theirs: LicenseFactory(
        team=ours, channel=ChannelFactory(application__team=ours)
    ),
    "pull credential of a license": lambda ours, theirs: PullCredentialFactory(
        team=ours, license=LicenseFactory(team=theirs)
    ),
    "pull credential replaced by another license's": lambda ours, _theirs: (
        PullCredentialFactory(
            license=LicenseFactory(team=ours),
            replaced_by=PullCredentialFactory(license__team=ours),
        )
    ),
    "pull credential made with another license's": lambda ours, _theirs: (
        PullCredentialFactory(
            license=LicenseFactory(team=ours),
            created_with=PullCredentialFactory(license__team=ours),
        )
    ),
    "trusted identity of a license": lambda ours, theirs: TrustedIdentityFactory(
        team=ours, license=LicenseFactory(team=theirs)
    ),
    "workload of a trusted identity": lambda ours, theirs: (
        IdentityWorkload.objects.create(
            team=ours,
            identity=TrustedIdentityFactory(license__team=theirs),
            number=2,
            name="prod/api",
        )
    ),
    "share of a registry": lambda ours, theirs: RegistryShareFactory(
        team=ours,
        registry=ExternalRegistryFactory(team=theirs),
        application=ApplicationFactory(team=ours),
    ),
    "share with an application": lambda ours, theirs: RegistryShareFactory(
        team=ours,
        registry=ExternalRegistryFactory(team=ours),
        application=ApplicationFactory(team=theirs),
    ),
    "credential of a registry": lambda ours, theirs: CredentialFactory(
        team=ours, registry=ExternalRegistryFactory(team=theirs, credential=None)
    ),
    "check of a registry": lambda ours, theirs: CredentialCheckFactory(
        team=ours, registry=ExternalRegistryFactory(team=theirs)
    ),
    "use of the cache for a registry": lambda ours, theirs: CacheUseFactory(
        team=ours, registry=ExternalRegistryFactory(team=theirs)
    ),
    "traffic of a license": lambda ours, theirs: LicenseTrafficFactory(
        team=ours, license=LicenseFactory(team=theirs)
    ),
    "image of an application": lambda ours, theirs: ImageRepositoryFactory(
        team=ours, application=ApplicationFactory(team=theirs)
    ),
    "manifest of an image": lambda ours, theirs: ImageManifestFactory(
        team=ours, repository=ImageRepositoryFactory(application__team=theirs)
    ),
    "tag of a manifest": lambda ours, theirs: ImageTagFactory(
        team=ours, manifest__repository__application__team=theirs
    ),
    "tag of another image's manifest": lambda ours, _theirs: ImageTagFactory(
        repository=ImageRepositoryFactory(application__team=ours),
        manifest__repository__application__team=ours,
    ),
    "blob of a manifest": lambda ours, theirs: ImageBlobFactory(
        team=ours, manifest__repository__application__team=theirs
    ),
}


@pytest.mark.parametrize("link", LINKS)
def test_database_refuses_links_between_teams(
    link: str, team: Team, other_team: Team
) -> None:
    LINKS[link](team, other_team)

    with pytest.raises(IntegrityError, match="foreign key"), transaction.atomic():
        connection.check_constraints()
    transaction.set_rollback(True)


@pytest.mark.parametrize("link", [name for name in LINKS if "another" not in name])
def test_database_takes_the_same_links_within_a_team(link: str, team: Team) -> None:
    LINKS[link](team, team)

    connection.check_constraints()
