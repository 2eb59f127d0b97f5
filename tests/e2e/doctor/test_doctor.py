"""``manage.py doctor`` finds what is really wrong, and nothing else."""

from __future__ import annotations

import psycopg

from deploy.local.process import free_port
from tests.e2e.doctor.conftest import Installation
from tests.support.rows.vendor import Vendor
from tests.support.servers.canned_server import Answer, Request, http_server

SETTINGS, DATABASE, CLOCK, REDIS = "settings", "database", "clock", "Redis"
ENCRYPTION, HMAC = "encryption keys", "HMAC keys"
PORTAL, PROXY = "portal, as people see it", "proxy, as clients see it"
NGINX = "nginx in front of the edge"
BEHIND = "private registry, as Berth sees it"
IN_FRONT = "private registry, as clients see it"
BESIDE = "private registry, past nginx"
ALL = [
    *(SETTINGS, DATABASE, CLOCK, REDIS, ENCRYPTION, HMAC, "signing key"),
    *("root of license files", PORTAL, PROXY, NGINX, BEHIND, IN_FRONT, BESIDE),
]


def failures(found: dict[str, dict[str, str]]) -> list[str]:
    return [name for name, item in found.items() if item["status"] == "failed"]


def test_a_sound_installation(installation: Installation, vendor: Vendor) -> None:
    vendor.license()
    code, found = installation.examine()
    assert (code, failures(found)) == (0, [])
    assert list(found) == ALL
    # Its public host is this one.
    assert [name for name, item in found.items() if item["status"] != "ok"] == [BESIDE]
    assert not any(item["advice"] for item in found.values())


def test_text_has_a_line_each_and_advice(
    installation: Installation, vendor: Vendor
) -> None:
    done = installation.run(BERTH_PROXY_HOST=f"localhost:{free_port()}")
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[1].startswith("OK       database: PostgreSQL 18.")
    at = next(n for n, line in enumerate(lines) if line.startswith("FAILED"))
    assert lines[at].startswith("FAILED   proxy, as clients see it: http://localhost:")
    assert lines[at].endswith(" refuses connections.")
    advice = "Check DNS, the load balancer or Ingress, and the certificates of nginx."
    assert lines[at + 1] == f"         {advice}"


def test_no_database(installation: Installation) -> None:
    code, found = installation.examine(
        DATABASE_URL=f"postgresql://who:secret-4d1@127.0.0.1:{free_port()}/which"
    )
    # The portal's and the edge's own database is there.
    assert (code, failures(found)) == (1, [DATABASE])
    assert found[DATABASE]["text"] == "It does not answer (OperationalError)."
    assert found[CLOCK]["status"] == "skipped"
    assert "secret-4d1" not in str(found)


def test_no_redis(installation: Installation, vendor: Vendor) -> None:
    url = f"redis://:secret-4d1@127.0.0.1:{free_port()}/0"
    code, found = installation.examine(REDIS_URL=url)
    assert (code, failures(found)) == (1, [REDIS])
    assert "secret-4d1" not in str(found)


def test_an_old_schema(installation: Installation, vendor: Vendor) -> None:
    url = installation.settings["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("UPDATE django_migrations SET app = 'x' WHERE app = 'alerts'")
        try:
            code, found = installation.examine()
        finally:
            database.execute(
                "UPDATE django_migrations SET app = 'alerts' WHERE app = 'x'"
            )
    assert (code, failures(found)) == (1, [DATABASE, PORTAL])
    assert found[DATABASE]["advice"] == "Run manage.py migrate, once."


def test_a_clock_that_differs(installation: Installation, vendor: Vendor) -> None:
    """The database's clock is another function of that name, which it finds first."""
    url = installation.settings["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("CREATE SCHEMA late")
        try:
            database.execute(
                "CREATE FUNCTION late.clock_timestamp() RETURNS timestamptz AS "
                "$$ SELECT pg_catalog.clock_timestamp() - interval '60 s' $$ "
                "LANGUAGE sql"
            )
            late = f"{url}?options=-csearch_path%3Dlate,pg_catalog,public"
            code, found = installation.examine(DATABASE_URL=late)
        finally:
            database.execute("DROP SCHEMA late CASCADE")
    assert (code, failures(found)) == (1, [CLOCK])
    assert found[CLOCK]["text"] == "It differs from the database's by 60 s."


def test_no_portal(installation: Installation, vendor: Vendor) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, found = installation.examine(BERTH_PORTAL_URL=url)
    assert (code, failures(found)) == (1, [PORTAL])
    assert found[PORTAL]["text"] == f"{url} refuses connections."


def test_tls(installation: Installation, vendor: Vendor) -> None:
    """Of the registry's host, with the certificate of an authority of our own."""
    host = f"localhost:{installation.front.ports.registry_tls}"
    changes = {
        "BERTH_PORTAL_URL": f"https://{host}",
        "BERTH_PROXY_HOST": host,
        "BERTH_REGISTRY_HOST": host,
    }
    code, found = installation.examine(**changes)
    assert code == 1
    assert {PORTAL, PROXY, IN_FRONT} <= set(failures(found))
    assert "has a certificate that clients refuse: " in found[PROXY]["text"]

    trusted = {"SSL_CERT_FILE": str(installation.authority)}
    code, found = installation.examine(
        **changes, **trusted, BERTH_PROXY_SERVICE="berth-other"
    )
    # What answers is the registry's host, which names its own service.
    assert "names the service berth-registry" in found[PROXY]["text"]
    assert found[IN_FRONT]["status"] == "ok"

    code, found = installation.examine(
        **changes,
        **trusted,
        BERTH_PROXY_SERVICE="berth-registry",
        BERTH_REGISTRY_SERVICE="berth-other",
    )
    # The certificate is valid for a day.
    assert found[PROXY]["status"] == "warning"
    assert found[PROXY]["text"].startswith("The certificate ends on 20")


def test_a_proxy_that_sends_clients_elsewhere(
    installation: Installation, vendor: Vendor
) -> None:
    """As without X-Forwarded-Proto, or with another Host."""

    def respond(request: Request) -> Answer:
        realm = 'Bearer realm="http://edge:8001/v2/token",service="berth-proxy"'
        return Answer(401, {"WWW-Authenticate": realm, "Content-Type": "text/html"})

    with http_server(respond) as port:
        code, found = installation.examine(BERTH_PROXY_HOST=f"localhost:{port}")
    assert (code, failures(found)) == (1, [PROXY])
    assert "http://edge:8001/v2/token" in found[PROXY]["text"]
    assert "BERTH_TRUSTED_PROXIES" in found[PROXY]["advice"]


def test_an_edge_without_nginx(installation: Installation, vendor: Vendor) -> None:
    code, found = installation.examine(BERTH_PROXY_HOST=installation.edge)
    assert (code, failures(found)) == (0, [])
    assert found[NGINX]["status"] == "warning"
    code, found = installation.examine(
        BERTH_PROXY_HOST=installation.edge, BERTH_PULL_LOG="/var/log/berth/pulls.log"
    )
    assert (code, failures(found)) == (1, [NGINX])


def test_a_registry_that_is_away(installation: Installation, vendor: Vendor) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, found = installation.examine(BERTH_REGISTRY_URL=url)
    assert (code, failures(found)) == (1, [BEHIND])
    assert found[BEHIND]["text"] == f"{url} refuses connections."


def test_a_registry_that_trusts_another_root(
    installation: Installation, vendor: Vendor
) -> None:
    code, found = installation.examine(BERTH_REGISTRY_SERVICE="berth-renamed")
    assert code == 1
    # Nor does its public host name the service.
    assert failures(found) == [BEHIND, IN_FRONT]
    assert "write_registry_config" in found[BEHIND]["advice"]


def test_a_registry_past_nginx(installation: Installation, vendor: Vendor) -> None:
    """Its tokens work until they expire, whatever was revoked."""
    front = installation.front
    code, found = installation.examine(
        BERTH_REGISTRY_HOST=f"localhost:{front.ports.behind_registry}",
        # Where the registry sends clients.
        BERTH_PROXY_HOST=f"localhost:{front.ports.registry}",
        BERTH_PROXY_SERVICE="berth-proxy",
    )
    assert code == 1
    assert IN_FRONT in failures(found)
    assert found[IN_FRONT]["text"].endswith(
        "answers 404 to a license that does not exist."
    )


def test_a_registry_whose_port_is_open(
    installation: Installation, vendor: Vendor
) -> None:
    # On Linux this is this host, and not by an address of the loopback network.
    code, found = installation.examine(
        BERTH_REGISTRY_HOST=f"0.0.0.0:{installation.front.ports.registry}",
        ALLOWED_HOSTS="localhost,127.0.0.1,0.0.0.0",
    )
    assert code == 1
    assert BESIDE in failures(found)
    port = installation.front.ports.behind_registry
    assert found[BESIDE]["text"] == f"http://0.0.0.0:{port} answers 401."
