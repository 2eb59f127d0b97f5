from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from alerts.events import Event
from alerts.models import Webhook
from alerts.services import create_webhook
from portal.crypto.secrets import Secret
from teams.actors import Actor
from teams.models import Team
from tests.support.servers.receiver import Receiver, running_receiver


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with running_receiver() as receiver:
        settings.BERTH_INSECURE_WEBHOOKS = [receiver.host]
        yield receiver


@pytest.fixture
def webhook(actor: Actor, team: Team, receiver: Receiver) -> tuple[Webhook, Secret]:
    return create_webhook(
        actor=actor,
        team=team,
        name="Pager",
        url=receiver.url,
        events=[Event.LICENSE_REVOKED.value],
    )
