from __future__ import annotations

import pytest
from django.test import Client

from images.models import ImageRepository, ImageTag
from licenses.models import Application, License
from teams.models import Membership, Team
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    ApplicationFactory,
    ImageRepositoryFactory,
    ImageTagFactory,
    LicenseFactory,
)


@pytest.fixture
def application(team: Team) -> Application:
    made: Application = ApplicationFactory(team=team, name="My app", slug="my-app")
    return made


@pytest.fixture
def image(application: Application) -> ImageRepository:
    made: ImageRepository = ImageRepositoryFactory(application=application, name="api")
    return made


@pytest.fixture
def tag(image: ImageRepository) -> ImageTag:
    made: ImageTag = ImageTagFactory(manifest__repository=image, name="v1")
    return made


@pytest.fixture
def viewing(viewer: Membership) -> Client:
    return signed_in(viewer)


@pytest.fixture
def license(team: Team) -> License:
    made: License = LicenseFactory(
        team=team,
        customer__name="Northwind",
        customer__email="it@northwind.example",
        application__slug="my-app",
        application__name="My app",
    )
    return made
