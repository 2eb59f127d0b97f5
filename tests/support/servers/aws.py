"""Amazon's API on this machine: moto's server, and a small one that can say no.

The small one speaks what the API references document: JSON 1.1 for ECR's
GetAuthorizationToken, the query protocol with XML for STS.
"""

from __future__ import annotations

import base64
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from deploy.local.process import ManagedProcess, free_port
from tests.support.servers.canned_server import Answer, Request, http_server

ACCOUNT = "123456789012"
ENDPOINT = f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com"
# Of AWS's own documentation.
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
# In another account than the registry, as it may be.
ROLE = "arn:aws:iam::210987654321:role/berth"
TEMPORARY_KEY_ID = "ASIAIOSFODNN7EXAMPLE"
TEMPORARY_SECRET = "temporary-secret-access-key-20c1"
SESSION_TOKEN = "session-token-of-sts-93ab/77=="
DAY_HALF = 12 * 3600.0


@contextlib.contextmanager
def moto_server(directory: Path) -> Iterator[str]:
    """Run moto's server and yield its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with ManagedProcess(argv, name="moto", log=directory / "moto.log") as process:
        process.wait_for_http(f"{address}/moto-api/", 60)
        yield address


@dataclass(frozen=True)
class Asked:
    """A request to the API: ``parameters`` are those of STS."""

    action: str
    parameters: dict[str, str]
    headers: dict[str, str]

    @property
    def signed_by(self) -> str:
        """The access key ID that signed it, "" if none did."""
        authorization = self.headers.get("authorization", "")
        return authorization.partition("Credential=")[2].partition("/")[0]


@dataclass
class FakeAws:
    """What the small server gives out, what it refuses, and what it was asked."""

    address: str = ""
    password: str = "password-of-ecr-5e1f"
    seconds: float = DAY_HALF
    # By action: status, code, message.
    refuses: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    # By action: a body to answer with instead, or a redirect to follow.
    body: dict[str, bytes] = field(default_factory=dict)
    redirects_to: str = ""
    asked: list[Asked] = field(default_factory=list)

    def actions(self) -> list[str]:
        return [request.action for request in self.asked]

    def forget(self) -> None:
        self.asked.clear()

    def answer(self, asked: Asked) -> tuple[int, bytes]:
        self.asked.append(asked)
        if asked.action in self.body:
            return 200, self.body[asked.action]
        if asked.action == "GetAuthorizationToken":
            return self._ecr()
        return self._sts(asked.action)

    def _ecr(self) -> tuple[int, bytes]:
        if "GetAuthorizationToken" in self.refuses:
            status, code, message = self.refuses["GetAuthorizationToken"]
            body = {"__type": code, "message": message}
            return status, json.dumps(body).encode()
        pair = base64.b64encode(f"AWS:{self.password}".encode()).decode()
        entry = {
            "authorizationToken": pair,
            "expiresAt": time.time() + self.seconds,
            "proxyEndpoint": f"https://{ENDPOINT}",
        }
        return 200, json.dumps({"authorizationData": [entry]}).encode()

    def _sts(self, action: str) -> tuple[int, bytes]:
        if action in self.refuses:
            status, code, message = self.refuses[action]
            return status, _STS_ERROR.format(
                code=escape(code), message=escape(message)
            ).encode()
        return 200, _STS_CREDENTIALS.encode()


_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_STS_ERROR = (
    f'<ErrorResponse xmlns="{_STS}"><Error><Type>Sender</Type><Code>{{code}}</Code>'
    "<Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
)
_STS_CREDENTIALS = (
    f'<AssumeRoleWithWebIdentityResponse xmlns="{_STS}">'
    "<AssumeRoleWithWebIdentityResult><Credentials>"
    f"<AccessKeyId>{TEMPORARY_KEY_ID}</AccessKeyId>"
    f"<SecretAccessKey>{TEMPORARY_SECRET}</SecretAccessKey>"
    f"<SessionToken>{SESSION_TOKEN}</SessionToken>"
    "<Expiration>2099-01-01T00:00:00Z</Expiration>"
    "</Credentials></AssumeRoleWithWebIdentityResult>"
    "</AssumeRoleWithWebIdentityResponse>"
)


@contextlib.contextmanager
def fake_aws() -> Iterator[FakeAws]:
    """Run the small server until the block ends."""
    state = FakeAws()

    def answer(request: Request) -> Answer:
        target = str(request.headers.get("X-Amz-Target", ""))
        fields = {} if target else parse_qs(request.body.decode())
        parameters = {name: values[0] for name, values in fields.items()}
        action = target.rpartition(".")[2] or parameters.get("Action", "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        status, content = state.answer(Asked(action, parameters, headers))
        kind = "application/x-amz-json-1.1" if target else "text/xml"
        answered = {"Content-Type": kind}
        if state.redirects_to:
            status, answered["Location"] = 307, state.redirects_to
        return Answer(status, answered, content)

    with http_server(answer) as port:
        state.address = f"http://127.0.0.1:{port}"
        yield state
