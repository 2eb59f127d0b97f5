"""What an external registry can do wrong, each with the sentence a customer sees.

UpstreamError            base; names the registry, never its answer's body
 ├── CredentialRejected  the stored credential was refused when signing in
 ├── RepositoryDenied    signed in, but not allowed to read the repository
 ├── RealmNotTrusted     the challenge names a token service of strangers
 ├── UpstreamRateLimited 429
 ├── UpstreamTimeout     no answer in time
 ├── UpstreamUnreachable no connection: name, address, refusal, TLS
 └── UpstreamFault       any other answer that is of no use
"""

from __future__ import annotations

from portal.errors import UpstreamProblem
from registries.upstream_target import UpstreamTarget


class UpstreamError(UpstreamProblem):
    """Carries the registry it is about and the HTTP status it answered, if any."""

    code = "upstream_error"

    def __init__(
        self, target: UpstreamTarget, message: str, http_status: int | None = None
    ) -> None:
        super().__init__(self.code, message)
        self.target = target
        self.http_status = http_status

    @property
    def detail_for_vendor(self) -> str:
        """What the vendor may know beyond what the customer is told."""
        return self.message


class CredentialRejected(UpstreamError):  # noqa: N818 -- states the fact
    code = "rejected"

    def __init__(self, target: UpstreamTarget, http_status: int = 401) -> None:
        super().__init__(
            target,
            f"The registry {target.label} refused the credential that your vendor "
            "stored for it. Tell your vendor to replace it.",
            http_status,
        )


class RepositoryDenied(UpstreamError):  # noqa: N818 -- states the fact
    code = "repository_denied"

    def __init__(self, target: UpstreamTarget, http_status: int) -> None:
        super().__init__(
            target,
            f"The registry {target.label} does not let your vendor's account read "
            "this repository, or it does not exist. Check the image name, then tell "
            "your vendor.",
            http_status,
        )


class RealmNotTrusted(UpstreamError):  # noqa: N818 -- states the fact
    def __init__(self, target: UpstreamTarget, realm: str) -> None:
        super().__init__(
            target,
            f"The registry {target.label} wants to sign in at a host that is not "
            "trusted with its credential. Your vendor can mark it as trusted.",
            401,
        )
        self._realm = realm

    @property
    def detail_for_vendor(self) -> str:
        return f"{self.message} It named {self._realm[:200]!r}."


class UpstreamRateLimited(UpstreamError):  # noqa: N818 -- states the fact
    code = "rate_limited"

    def __init__(self, target: UpstreamTarget, retry_after: str) -> None:
        super().__init__(
            target,
            f"The registry {target.label} limits how often your vendor may pull. "
            "Try again later.",
            429,
        )
        self.retry_after = (
            retry_after if retry_after.isascii() and retry_after.isdigit() else ""
        )


class UpstreamTimeout(UpstreamError):  # noqa: N818 -- states the fact
    code = "unreachable"

    def __init__(self, target: UpstreamTarget) -> None:
        super().__init__(
            target, f"The registry {target.label} did not answer in time. Try again."
        )


class UpstreamUnreachable(UpstreamError):  # noqa: N818 -- states the fact
    code = "unreachable"

    def __init__(self, target: UpstreamTarget, why: str) -> None:
        super().__init__(
            target, f"The registry {target.label} cannot be reached: {why}."
        )


class UpstreamFault(UpstreamError):  # noqa: N818 -- states the fact
    def __init__(
        self, target: UpstreamTarget, what: str, http_status: int | None = None
    ) -> None:
        super().__init__(target, f"The registry {target.label} {what}.", http_status)
