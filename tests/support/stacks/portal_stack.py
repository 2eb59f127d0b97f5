"""The portal that browser tests visit: real processes on free ports."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from deploy.local.demo_settings import DemoSettings
from deploy.local.private_files import private_directory, write_private
from deploy.local.process import free_port
from deploy.local.stack import (
    SAMPLE_USER,
    Servers,
    build_installer,
    prepare,
    sample_password,
    start_berth,
    start_portal,
    start_registries,
    start_servers,
)
from tests.support.coverage import MEASURED
from tests.support.servers.receiver import Receiver, running_receiver
from tests.support.stacks.seeder import Seeder

PRISTINE = "pristine"
MAIL_SECONDS = 30


@dataclass(frozen=True)
class Crew:
    """A team with an application, a customer, and a member of every role."""

    slug: str
    application: str
    application_id: str
    customer_id: str
    # Session keys of members, by their role.
    sessions: dict[str, str]

    def path(self, rest: str = "") -> str:
        return f"/t/{self.slug}/{rest}"


@dataclass(frozen=True)
class ExampleTeam:
    """The team of the screenshots, and the sessions of its visitors."""

    ids: dict[str, str]
    newcomer_ids: dict[str, str]
    # Session keys by kind of visitor.
    sessions: dict[str, str]

    def ids_for(self, visitor: str) -> dict[str, str]:
        """Return the values for addresses of pages that this visitor looks at."""
        return self.newcomer_ids if visitor == "newcomer" else self.ids


@dataclass
class PortalStack:
    """A running portal with the sample registry, and ways to fill its database."""

    settings: DemoSettings
    servers: Servers
    seed: Seeder
    receiver: Receiver
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def url(self) -> str:
        return f"http://{self.settings.portal_host}"

    @property
    def sample_login(self) -> tuple[str, str]:
        return SAMPLE_USER, sample_password(self.settings)

    def crew(self) -> Crew:
        """Make a team that no other test has."""
        return Crew(**self.seed("team", slug=f"crew{next(self._numbers)}"))

    def connect_sample(self, crew: Crew, **values: Any) -> str:
        """Connect the sample registry to a team, with the right password."""
        registry_id: str = self.seed(
            "registry",
            team=crew.slug,
            endpoint=self.settings.sample_host,
            slug="sample",
            credential=self.sample_login,
            **values,
        )
        return registry_id

    def example_team(self) -> ExampleTeam:
        return ExampleTeam(**self.seed("example_team"))

    def license(self, crew: Crew) -> dict[str, Any]:
        issued: dict[str, Any] = self.seed("license", team=crew.slug)
        return issued

    def link_mailed_to(self, address: str, part: str) -> str:
        """Return the one link with this part, in the one mail to this address."""
        texts = [_text_of(mail) for mail in self._mails_to(address)]
        links = re.findall(r"http://\S+", "\n".join(texts))
        (link,) = [link for link in links if part in link]
        return str(link)

    def wait_for_mail(self, address: str, part: str) -> str:
        """Return the first match of ``part`` in a mail that the worker sends."""
        for _ in range(MAIL_SECONDS * 10):
            for mail in self._mails_to(address):
                if match := re.search(part, _text_of(mail)):
                    return match[0]
            time.sleep(0.1)
        raise AssertionError(f"no mail to {address} contains {part}")

    def subjects_mailed_to(self, address: str) -> list[str]:
        """Return the subjects of the mails to an address, in their order."""
        return [str(mail["Subject"]) for mail in self._mails_to(address)]

    def _mails_to(self, address: str) -> list[EmailMessage]:
        files = sorted(self.settings.mail.iterdir(), key=lambda file: file.name)
        # A file holds what was sent over one connection.
        mails = [
            message_from_bytes(part.lstrip(b"\n"), policy=policy.default)
            for file in files
            for part in file.read_bytes().split(b"\n" + b"-" * 79 + b"\n")
            if part.strip()
        ]
        return [mail for mail in mails if mail["To"] == address]

    @contextmanager
    def empty_portal(self) -> Iterator[str]:
        """Start another portal without any account; yield its address."""
        name = f"empty{next(self._numbers)}"
        database_url = copy_database(self.servers.database_url, PRISTINE, name)
        directory = private_directory(self.settings.directory / name)
        settings = replace(self.settings, directory=directory, portal_port=free_port())
        environment = self.servers.environment | {
            "DATABASE_URL_FILE": str(write_private(directory / "url", database_url)),
            "CSRF_TRUSTED_ORIGINS": f"http://{settings.portal_host}",
            "BERTH_PROXY_HOST": settings.portal_host,
        }
        with start_portal(settings, environment) as portal:
            portal.wait_for_http(f"http://{settings.portal_host}/readyz", 60)
            yield f"http://{settings.portal_host}"


def _text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body else ""


@contextmanager
def start_portal_stack(directory: Path) -> Iterator[PortalStack]:
    """Start everything, without data; stop it at the end."""
    ports = (free_port(), free_port(), free_port())
    settings = DemoSettings(private_directory(directory), *ports)
    with ExitStack() as stack:
        servers = start_servers(settings, stack, durable=False)
        receiver = stack.enter_context(running_receiver())
        wheel = build_installer(directory / "installer", settings.logs / "build.log")
        servers.environment.update(
            DJANGO_SETTINGS_MODULE="tests.support.stacks.quick_settings",
            BERTH_INSECURE_WEBHOOKS=receiver.host,
            BERTH_INSTALLER_WHEEL=str(wheel),
            **MEASURED,
        )
        prepare(settings, servers.environment)
        # PostgreSQL copies only databases that nobody is connected to.
        copy_database(servers.database_url, "berth", PRISTINE)
        start_registries(settings, stack)
        start_berth(
            settings,
            servers.environment,
            stack,
            celery_app="tests.support.stacks.quick_celery:app",
        )
        log = settings.logs / "seeder.log"
        seed = stack.enter_context(Seeder(servers.environment, log))
        yield PortalStack(settings, servers, seed, receiver)


def copy_database(url: str, source: str, target: str) -> str:
    """Copy a database within its server, and return the copy's URL."""
    base = url.rpartition("/")[0]
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(target), sql.Identifier(source)
    )
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(statement)
    return f"{base}/{target}"
