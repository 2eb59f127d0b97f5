"""Ask an installation what its clients ask first; exit with 1 if an answer is wrong.

    python ask.py http://SERVICE https PORTAL_HOST PROXY_HOST [REGISTRY_HOST]

nginx is asked at the first address, with the host names that clients use.
"""

from __future__ import annotations

import http.client
import json
import ssl
import sys
from urllib.parse import urlsplit

SECONDS = 15


def main(service: str, scheme: str, portal: str, proxy: str, *registry: str) -> int:
    """Print a line for each question; return 1 if an answer is not as it must be."""
    realm = f'realm="{scheme}://'
    problems = [
        problem
        for name, host, path, status, expected in [
            ("The portal is ready", portal, "/readyz", 200, '"ok"'),
            ("The proxy asks clients to log in", proxy, "/v2/", 401, realm),
            ("The token service answers", proxy, "/v2/token", 200, '"token"'),
            ("Decisions are for nginx alone", proxy, "/v2/_pull", 404, ""),
            *(
                ("The registry asks clients to log in", host, "/v2/", 401, realm)
                for host in registry
            ),
        ]
        if (problem := _problem(service, name, host, path, status, expected))
    ]
    return 1 if problems else 0


def _problem(
    service: str, name: str, host: str, path: str, status: int, expected: str
) -> str:
    try:
        answered, text = _get(service, host, path)
    except OSError as error:
        problem = f"no answer from {service}: {error}"
    else:
        problem = ""
        if answered != status:
            problem = f"{host}{path} answered {answered}, not {status}"
        elif expected not in text:
            problem = f"{host}{path} answered {status} without {expected}"
    sys.stdout.write(f"{'FAILED' if problem else 'ok':8}{name}\n")
    if problem:
        sys.stdout.write(f"        {problem}\n")
    return problem


def _get(service: str, host: str, path: str) -> tuple[int, str]:
    """Return the status, and the challenge and the body as text."""
    address = urlsplit(service)
    connection: http.client.HTTPConnection
    if address.scheme == "https":
        # The certificate is for the host names, and not for the Service's.
        unchecked = ssl.create_default_context()
        unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            address.netloc, timeout=SECONDS, context=unchecked
        )
    else:
        connection = http.client.HTTPConnection(address.netloc, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        body = response.read(1_000_000).decode(errors="replace")
    except http.client.HTTPException as error:
        raise OSError(repr(error)) from error
    finally:
        connection.close()
    challenge = response.headers.get("WWW-Authenticate", "")
    try:
        body = json.dumps(json.loads(body))
    except ValueError:
        body = ""
    return response.status, f"{challenge} {body}"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
