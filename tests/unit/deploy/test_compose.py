"""What must hold of every container that ``deploy/compose`` starts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.roles import commands
from registries.management.commands.init_secrets import OF_OTHERS, secret_sets

PROJECT = Path(__file__).resolve().parents[3]
FOLDER = PROJECT / "deploy/compose"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OF_BERTH = {
    name: service
    for name, service in SERVICES.items()
    if service["image"].startswith("${BERTH_IMAGE")
}
services = pytest.mark.parametrize("name", SERVICES)


@services
def test_a_container_has_no_rights_and_writes_only_where_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(service)


@services
def test_a_container_has_limits_and_bounded_logs(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert set(SERVICES[name]["logging"]["options"]) == {"max-size", "max-file"}


@services
def test_a_container_that_stays_is_checked(name: str) -> None:
    service = SERVICES[name]
    if service["restart"] == "no":
        assert "healthcheck" not in service
    else:
        assert service["healthcheck"]["test"][0] == "CMD"  # no shell


def test_the_roles_are_those_of_the_image() -> None:
    assert {"edge", "portal", "worker", "beat", "cache_manager", "migrate"} <= set(
        OF_BERTH
    )
    for name, service in OF_BERTH.items():
        assert service["command"][0] in commands()
        if name in service["command"] and name != "migrate":
            assert service["healthcheck"]["test"] == ["CMD", "berth", "health", name]


def test_only_nginx_is_reachable_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == [
        "nginx"
    ]
    for name in ("postgres", "valkey", "registry"):
        networks = set(SERVICES[name]["networks"])
        assert networks
        assert all(COMPOSE["networks"][network]["internal"] for network in networks)


def test_nginx_is_the_proxy_that_berth_trusts() -> None:
    address = SERVICES["nginx"]["networks"]["inside"]["ipv4_address"]
    for service in OF_BERTH.values():
        assert service["environment"]["BERTH_TRUSTED_PROXIES"] == f"{address}/32"


def test_nginx_reaches_the_others_from_no_other_address() -> None:
    networks = set(SERVICES["nginx"]["networks"])
    for name, service in SERVICES.items():
        if name != "nginx":
            assert networks & set(service.get("networks", ())) <= {"inside"}, name


def test_nginx_passes_requests_to_what_runs() -> None:
    upstreams = (FOLDER / "nginx/upstreams.conf").read_text()
    servers = re.findall(r"server (\w+):(\d+);", upstreams)
    assert dict(servers) == {"portal": "8002", "edge": "8001", "registry": "5000"}
    for name, _port in servers:
        # nginx looks a name up once.
        assert "ipv4_address" in SERVICES[name]["networks"]["inside"]


def test_every_secret_is_made_and_read() -> None:
    made = {name for files in secret_sets("postgres", "valkey") for name in files.names}
    declared = set(COMPOSE["secrets"])
    # License holders verify with it; no process reads it.
    assert declared == made - {"license-root.pem"} | {"email-url"}
    assert "email-url" in OF_OTHERS
    used = {
        name for service in SERVICES.values() for name in service.get("secrets", ())
    }
    assert used == declared
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}


def test_a_role_gets_its_secrets_as_files_alone() -> None:
    for service in OF_BERTH.values():
        files = {
            variable: path.removeprefix("/run/secrets/")
            for variable, path in service["environment"].items()
            if str(path).startswith("/run/secrets/")
        }
        assert all(variable.endswith("_FILE") for variable in files)
        # Without these, none of them starts.
        for variable in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
            assert files[f"{variable}_FILE"] in service["secrets"]
        assert set(service["secrets"]) <= set(files.values())


def test_no_file_of_an_installation_is_committed() -> None:
    ignored = (FOLDER / ".gitignore").read_text().split()
    assert ignored == ["/.env", "/secrets/", "/tls/"]
