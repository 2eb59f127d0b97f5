"""The company's HTTP proxies, from the environment variables that curl reads."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from urllib.parse import unquote
from urllib.request import getproxies_environment

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from installer.errors import UsageError
from installer.net.deadline import watch_connections


def company_proxies() -> dict[str, str]:
    """Return the proxies by scheme; ``all`` serves schemes without one."""
    return {
        scheme: url if "://" in url else f"http://{url}"
        for scheme, url in getproxies_environment().items()
        if scheme in {"http", "https", "all"} and url
    }


def manager_for(proxy: str, context: ssl.SSLContext) -> urllib3.PoolManager:
    """Return a connection manager, through a proxy if one is given.

    Raises:
        UsageError: the proxy is invalid.
    """
    if not proxy:
        direct = urllib3.PoolManager(maxsize=16, ssl_context=context)
        return watch_connections(direct)
    try:
        url = parse_url(proxy)
        through = urllib3.ProxyManager(
            url._replace(auth=None).url,
            maxsize=16,
            ssl_context=context,
            proxy_headers=_login(url.auth),
        )
    except (HTTPError, ValueError) as error:
        raise UsageError(
            "HTTPS_PROXY or HTTP_PROXY names an unsupported proxy. Use one like "
            "http://proxy.example.com:3128.",
            "http_proxy",
        ) from error
    return watch_connections(through)


def _login(auth: str | None) -> Mapping[str, str]:
    """Return the header for a URL's ``user:password``, both percent-encoded."""
    if not auth:
        return {}
    user, _, password = auth.partition(":")
    login = f"{unquote(user)}:{unquote(password)}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(login).decode()}"}
