"""Which token services may receive a registry's credential.

The challenge of a hostile or broken registry can name any realm. A credential goes
only to the registry's own host, to a realm of the same registrable domain, to the
provider's known realm, or to the one realm that the vendor marked as trusted.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from publicsuffixlist import PublicSuffixList
from yarl import URL

from registries.upstream.target import UpstreamTarget


def is_trusted_realm(realm: URL, target: UpstreamTarget) -> bool:
    """Return whether ``target``'s credential may be sent to ``realm``."""
    host = authority(realm)
    if realm.scheme not in {"http", "https"} or realm.user or not realm.host:
        return False
    if realm.scheme == "http" and target.scheme != "http":
        return False
    if host in {target.api_host, target.endpoint} or host in target.realm_hosts:
        return True
    if realm.scheme == "http":
        return False
    return _same_registrable_domain(realm.host, URL(target.base_url).host or "")


def authority(url: URL) -> str:
    """Return ``host[:port]``, the port only where it is not the scheme's own."""
    host = url.host or ""
    if ":" in host:
        host = f"[{host}]"
    return host if url.is_default_port() else f"{host}:{url.port}"


def _same_registrable_domain(one: str, other: str) -> bool:
    domain = _registrable_domain(one)
    return domain is not None and domain == _registrable_domain(other)


def _registrable_domain(host: str) -> str | None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _public_suffixes().privatesuffix(host.rstrip(".").lower())
    return None


@lru_cache(maxsize=1)
def _public_suffixes() -> PublicSuffixList:
    # Names without a known suffix ("localhost", "registry.internal") have no owner to
    # compare.
    return PublicSuffixList(accept_unknown=False)
