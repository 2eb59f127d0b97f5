"""Both revisions, each on databases of its own with few and with many licenses."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench.harness.rounds import say
from bench.harness.servers import Servers
from bench.revisions.calls import Revision, running_revision
from bench.revisions.tree import unpack_revision
from bench.seed.databases import copy_current_database, create_database, database_url
from deploy.local.demo_settings import PROJECT
from deploy.local.private_files import private_directory, write_private
from deploy.local.process import ManagedProcess


class Age(StrEnum):
    NOW = "now"
    BEFORE = "before"


@dataclass(frozen=True, slots=True)
class Database:
    """A database with a number of licenses, and the environment that names it."""

    name: str
    licenses: int
    environment: Mapping[str, str]
    directory: Path


@dataclass(frozen=True, slots=True)
class Seeded:
    """A revision's code on its database."""

    code: Revision
    database: Database


Revisions = Mapping[tuple[Age, int], Seeded]


def largest(revisions: Revisions, age: Age) -> Seeded:
    """Return a revision on its database with most licenses."""
    return revisions[age, max(licenses for _, licenses in revisions)]


@contextmanager
def running_revisions(
    servers: Servers, before: str, sizes: Sequence[int]
) -> Iterator[Revisions]:
    """Run both revisions, each with every number of licenses.

    Their schemas may differ, so each migrates and seeds databases of its own.

    Raises:
        BenchError: the earlier revision is missing, or seeding failed.
        LocalStackError: a migration failed.
    """
    earlier = unpack_revision(before, private_directory(servers.directory / "before"))
    databases = {
        Age.NOW: _current_databases(servers, sizes),
        Age.BEFORE: _migrated_databases(servers, earlier, sizes),
    }
    trees = {Age.NOW: PROJECT, Age.BEFORE: earlier}
    with ExitStack() as stack:
        revisions = {
            (age, database.licenses): _run(trees[age], database, stack)
            for age in Age
            for database in databases[age]
        }
        _seed(list(revisions.values()))
        yield revisions


def _current_databases(servers: Servers, sizes: Sequence[int]) -> list[Database]:
    databases = [_database(servers, Age.NOW, size) for size in sizes]
    for database in databases:
        copy_current_database(database.name)
    return databases


def _migrated_databases(
    servers: Servers, tree: Path, sizes: Sequence[int]
) -> list[Database]:
    first, *others = [_database(servers, Age.BEFORE, size) for size in sizes]
    create_database(first.name)
    _migrate(tree, first)
    for database in others:
        create_database(database.name, template=first.name)
    return [first, *others]


def _database(servers: Servers, age: Age, licenses: int) -> Database:
    name = f"{age}_{licenses}"
    own = private_directory(servers.directory / name)
    url = write_private(own / "database-url", database_url(name))
    environment = {**servers.environment, "DATABASE_URL_FILE": str(url)}
    return Database(name, licenses, environment, own)


def _migrate(tree: Path, database: Database) -> None:
    commands = [["migrate", "--no-input", "--verbosity", "0"]]
    with ManagedProcess(
        [sys.executable, "-m", "deploy.local.commands", json.dumps(commands)],
        name="Migrating for the earlier revision",
        log=database.directory / "migrate.log",
        env=database.environment,
        cwd=tree,
    ) as process:
        process.wait_for_success(300)


def _run(tree: Path, database: Database, stack: ExitStack) -> Seeded:
    running = running_revision(tree, database.environment, database.directory)
    return Seeded(stack.enter_context(running), database)


def _seed(revisions: Sequence[Seeded]) -> None:
    """Seed all databases at once."""
    sizes = sorted({item.database.licenses for item in revisions})
    numbers = " and ".join(f"{size:,}" for size in sizes)
    say(f"Seeding {numbers} licenses for both revisions …")

    def seed(item: Seeded) -> None:
        item.code.seed(item.database.licenses)

    with ThreadPoolExecutor() as threads:
        list(threads.map(seed, revisions))
