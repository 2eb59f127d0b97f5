from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
import redis
import urllib3

from deploy.local import images
from deploy.local.ports import require_free_port
from deploy.local.postgres import start_postgres
from deploy.local.process import LocalStackError, ManagedProcess, free_port
from deploy.local.registry import TokenAuth, start_registry
from deploy.local.valkey import start_valkey

AUTH = ("sample", "right-password")
REPOSITORY = "my-org/api"


@pytest.fixture
def registry_url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    with start_registry(tmp_path / "registry", port, htpasswd=AUTH):
        yield f"http://127.0.0.1:{port}"


def get(url: str, *, auth: tuple[str, str] | None = AUTH) -> urllib3.BaseHTTPResponse:
    headers = urllib3.make_headers(basic_auth=":".join(auth)) if auth else {}
    accept = {"Accept": f"{images.INDEX}, {images.MANIFEST}"}
    return urllib3.request("GET", url, headers={**headers, **accept}, retries=False)


def skopeo(*args: str) -> str:
    outcome = subprocess.run(
        ["skopeo", *args], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_managed_process_that_ends_early_quotes_its_last_lines(tmp_path: Path) -> None:
    script = "for n in $(seq 1 25); do echo line $n; done; exit 3"
    process = ManagedProcess(["sh", "-c", script], name="Talker", log=tmp_path / "log")

    with pytest.raises(LocalStackError) as caught:
        process.wait_until(lambda: False, 20)

    lines = str(caught.value).splitlines()
    assert lines[0] == f"Talker ended with exit code 3. From {tmp_path / 'log'}:"
    assert lines[1:] == [f"  line {number}" for number in range(6, 26)]


def test_managed_process_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    process = ManagedProcess(["sleep", "60"], name="Sleeper", log=tmp_path / "log")

    with pytest.raises(LocalStackError, match=r"Sleeper was not ready within 0\.2 s"):
        process.wait_until(lambda: False, 0.2)

    assert process.exit_code == -signal.SIGTERM


def test_stop_kills_a_process_that_ignores_the_signal(tmp_path: Path) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    process = ManagedProcess(["sh", "-c", script], name="Deaf", log=tmp_path / "log")
    process.wait_until(lambda: "ready" in process.log_tail(), 20)

    process.stop(grace_seconds=0.2)

    assert process.exit_code == -signal.SIGKILL


def test_stop_kills_children_that_outlive_the_process(tmp_path: Path) -> None:
    script = "sleep 60 & echo $!; exec sleep 60"
    process = ManagedProcess(["sh", "-c", script], name="Parent", log=tmp_path / "log")
    process.wait_until(lambda: bool(process.log_tail()), 20)
    child = int(process.log_tail())

    process.stop()

    wait_for_end(child)


def test_managed_process_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = f"""
import os, pathlib
from deploy.local.process import ManagedProcess
log = pathlib.Path({str(tmp_path / "log")!r})
child = ManagedProcess(["sh", "-c", "echo up; exec sleep 60"], name="child", log=log)
child.wait_until(lambda: "up" in child.log_tail(), 20)
print(child.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    parent = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert parent.returncode == -signal.SIGKILL
    wait_for_end(int(parent.stdout))


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    # A zombie has ended, and waits for its new parent to notice.
    return state != "Z"


def test_start_postgres_keeps_its_data_under_a_closed_directory(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    process, url = start_postgres(closed / "data", durable=False)
    with process, psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        connection.commit()

    process, url = start_postgres(closed / "data", durable=False)
    with process, psycopg.connect(url) as connection:
        answer = connection.execute("SELECT answer FROM kept").fetchone()

    assert answer == (42,)
    assert closed.stat().st_mode & 0o777 == 0o700
    assert (closed / "data.password").stat().st_mode & 0o777 == 0o600


def test_start_postgres_lets_nobody_in_without_the_password(tmp_path: Path) -> None:
    process, url = start_postgres(tmp_path / "data", durable=False)
    address = url.rpartition("@")[2]

    with process:
        with pytest.raises(psycopg.OperationalError, match="password authentication"):
            psycopg.connect(f"postgresql://berth:wrong@{address}")
        with pytest.raises(psycopg.OperationalError, match="pg_hba"):
            psycopg.connect(f"postgresql://postgres@{address}")
        with psycopg.connect(url) as connection:
            role = connection.execute(
                "SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = 'berth'"
            ).fetchone()

    assert role == (False, True)


def test_start_postgres_has_resident_memory(tmp_path: Path) -> None:
    process, _ = start_postgres(tmp_path / "data", durable=False)

    with process:
        assert process.rss_bytes() > 1024 * 1024


def test_start_valkey_answers_only_with_its_password(tmp_path: Path) -> None:
    process, url = start_valkey(tmp_path / "valkey")
    stranger_url = f"redis://{url.rpartition('@')[2]}"

    with process, redis.Redis.from_url(url) as client:
        assert client.ping() is True
        with (
            redis.Redis.from_url(stranger_url) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


def test_start_valkey_durable_keeps_its_data(tmp_path: Path) -> None:
    process, url = start_valkey(tmp_path / "valkey", durable=True)
    with process, redis.Redis.from_url(url) as client:
        client.set("kept", "yes")

    process, url = start_valkey(tmp_path / "valkey", durable=True)
    with process, redis.Redis.from_url(url) as client:
        assert client.get("kept") == b"yes"


def test_start_registry_with_htpasswd_wants_the_password(registry_url: str) -> None:
    assert get(f"{registry_url}/v2/", auth=None).status == 401
    assert get(f"{registry_url}/v2/", auth=("sample", "wrong")).status == 401
    assert get(f"{registry_url}/v2/").status == 200


def test_start_registry_with_token_names_its_token_server(tmp_path: Path) -> None:
    bundle = tmp_path / "root.crt"
    bundle.write_text(self_signed_certificate())
    port = free_port()
    token = TokenAuth(
        realm="http://localhost:8000/v2/token",
        service="berth-registry",
        issuer="berth",
        root_bundle=bundle,
    )

    with start_registry(tmp_path / "registry", port, token=token):
        answer = get(f"http://127.0.0.1:{port}/v2/", auth=None)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer realm="http://localhost:8000/v2/token",service="berth-registry"'
    )


def self_signed_certificate() -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def test_push_image_is_pulled_back_by_skopeo(registry_url: str, tmp_path: Path) -> None:
    layer = images.tar_layer({"greeting.txt": b"hello\n"})
    pushed = images.push_image(
        registry_url, REPOSITORY, "v1.0.1", auth=AUTH, layers=[layer]
    )
    host = registry_url.removeprefix("http://")

    skopeo(
        *("copy", "--src-tls-verify=false", "--src-creds", ":".join(AUTH)),
        *(f"docker://{host}/{REPOSITORY}:v1.0.1", f"dir:{tmp_path / 'pulled'}"),
    )

    manifest = (tmp_path / "pulled/manifest.json").read_bytes()
    assert f"sha256:{sha256(manifest).hexdigest()}" == pushed.digest


def test_push_index_serves_each_platform(registry_url: str, tmp_path: Path) -> None:
    layer = images.tar_layer({"greeting.txt": b"hello\n"})
    pushed = [
        images.push_image(
            registry_url, REPOSITORY, None, auth=AUTH, layers=[layer], platform=platform
        )
        for platform in ("linux/amd64", "linux/arm64")
    ]
    images.push_index(registry_url, REPOSITORY, "v2", auth=AUTH, images=pushed)
    host = registry_url.removeprefix("http://")

    # Into docker's own archive format: skopeo checks the layer against its diff_id.
    skopeo(
        *("--override-os", "linux", "--override-arch", "arm64"),
        *("copy", "--src-tls-verify=false", "--src-creds", ":".join(AUTH)),
        f"docker://{host}/{REPOSITORY}:v2",
        f"docker-archive:{tmp_path / 'image.tar'}:{REPOSITORY}:v2",
    )

    assert (tmp_path / "image.tar").stat().st_size > 0


def test_push_image_twice_gives_the_same_digest(registry_url: str) -> None:
    layer = images.tar_layer({"b": b"2", "a": b"1"})
    same_layer = images.tar_layer({"a": b"1", "b": b"2"})

    first = images.push_image(registry_url, "first", "v1", auth=AUTH, layers=[layer])
    again = images.push_image(
        registry_url, "again", "v1", auth=AUTH, layers=[same_layer]
    )

    assert first == again
    assert images.manifest_exists(registry_url, "first", "v1", auth=AUTH)
    assert not images.manifest_exists(registry_url, "first", "v2", auth=AUTH)


def test_push_artifact_of_a_streamed_blob_comes_back_whole(registry_url: str) -> None:
    size = 3 * images.BLOCK_BYTES + 5
    blob = images.push_blob_stream(registry_url, REPOSITORY, size, auth=AUTH)
    pushed = images.push_artifact(
        *(registry_url, REPOSITORY, "chart"),
        auth=AUTH,
        artifact_type="application/vnd.example.chart.v1",
        blobs=[blob],
    )

    manifest = get(f"{registry_url}/v2/{REPOSITORY}/manifests/{pushed.digest}").json()
    body = get(f"{registry_url}/v2/{REPOSITORY}/blobs/{blob.digest}").data

    assert manifest["artifactType"] == "application/vnd.example.chart.v1"
    assert manifest["layers"] == [blob.as_json()]
    assert body == b"".join(images.pattern_blocks(size))
    assert blob.size == size


def test_push_image_with_a_wrong_password_says_401(registry_url: str) -> None:
    with pytest.raises(images.PushFailed, match="401"):
        images.push_image(
            registry_url, REPOSITORY, "v1", auth=("sample", "wrong"), layers=[b""]
        )


def test_require_free_port_names_the_holder_and_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(LocalStackError) as caught:
            require_free_port(port, purpose="the portal", variable="BERTH_DEMO_PORT")

    message = str(caught.value)
    assert message.startswith(f"Port {port}, wanted for the portal, cannot be used")
    assert f"(process {os.getpid()})" in message
    assert message.endswith("choose another port with BERTH_DEMO_PORT=PORT.")
