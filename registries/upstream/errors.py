"""The failures of an external registry, with a sentence for each reader.

The customer reads ``message``, the vendor ``detail_for_vendor``: what happened, and
what to do about it, by the provider's own advice if it has any.

UpstreamError            base; names the registry, never quotes its answer's body
 ├── CredentialRejected  the stored credential was refused when signing in
 ├── RepositoryDenied    signed in, but not allowed to read the repository
 ├── RealmNotTrusted     the challenge names a token service that is not trusted
 ├── UpstreamRateLimited 429
 ├── UpstreamTimeout     no answer in time
 ├── UpstreamUnreachable no connection: name, address, refusal, TLS
 └── UpstreamFault       any other unusable answer
      ├── ConnectionBroke
      └── NotARegistry   the host answers, but does not speak the registry API
"""

from __future__ import annotations

from portal.errors import UpstreamProblem
from registries.providers import LoginNotMade
from registries.providers.problems import Problem
from registries.upstream.target import UpstreamTarget


class UpstreamError(UpstreamProblem):
    """Carries the registry and the HTTP status of its answer, if any."""

    code = "upstream_error"
    problem = Problem.FAULT
    # Whether it says nothing about the image, and may be over in a while.
    is_outage = False
    # Set if the provider could not make a login from what is stored.
    not_made: LoginNotMade | None = None

    def __init__(
        self, target: UpstreamTarget, message: str, http_status: int | None = None
    ) -> None:
        super().__init__(self.code, message)
        self.target = target
        self.http_status = http_status

    @property
    def detail_for_vendor(self) -> str:
        """Return the vendor's sentence: more than the customer's, with advice."""
        if self.not_made is not None:
            return f"{self.not_made.fact} {self.not_made.advice}".rstrip()
        advice = self.target.meanings.get(self.problem) or self._advice()
        return f"{self._fact()} {advice}".rstrip()

    def _fact(self) -> str:
        return self.message

    def _advice(self) -> str:
        return ""


class CredentialRejected(UpstreamError):  # noqa: N818 -- states the fact
    code = "rejected"
    problem = Problem.WRONG_CREDENTIAL

    def __init__(self, target: UpstreamTarget, http_status: int = 401) -> None:
        super().__init__(
            target,
            f"The registry {target.label} refused the credential that your vendor "
            "stored for it. Ask your vendor to replace it.",
            http_status,
        )

    def _fact(self) -> str:
        fact = f"The registry {self.target.label} refused this username and password."
        secret = self.target.secret.reveal()
        if secret != secret.strip():
            fact += " The password begins or ends with a space."
        return fact

    def _advice(self) -> str:
        return "Check both; an access token may have expired or been revoked."


class RepositoryDenied(UpstreamError):  # noqa: N818 -- states the fact
    code = "repository_denied"
    problem = Problem.NOT_LET_IN

    def __init__(
        self, target: UpstreamTarget, http_status: int, repository: str = ""
    ) -> None:
        super().__init__(
            target,
            f"The registry {target.label} does not let your vendor's account read "
            "this repository, or it does not exist. Check the image name, then contact "
            "your vendor.",
            http_status,
        )
        self._repository = repository
        if repository:
            self.problem = Problem.NO_ACCESS

    def _fact(self) -> str:
        label, status = self.target.label, self.http_status
        if self._repository:
            return (
                f"Signed in to {label}, but this account may not read "
                f"{self._repository}, or it does not exist (status {status})."
            )
        return f"The registry {label} does not let this account in (status {status})."

    def _advice(self) -> str:
        if self._repository:
            return "Give the account the right to pull it, or check the name."
        return (
            "Give the account the right to pull, and check that the registry does "
            "not block this installation's address."
        )


class RealmNotTrusted(UpstreamError):  # noqa: N818 -- states the fact
    problem = Problem.REALM_NOT_TRUSTED

    def __init__(self, target: UpstreamTarget, realm: str) -> None:
        super().__init__(
            target,
            f"The registry {target.label} asks to sign in at a host that is not "
            "trusted with its credential. Your vendor can mark it as trusted.",
            401,
        )
        self._realm = realm

    def _fact(self) -> str:
        return (
            f"The registry {self.target.label} asks to send the password to another "
            f"organisation's host: {self._realm[:200]!r}."
        )

    def _advice(self) -> str:
        return "If you know that host, enter it as the trusted token realm."


class UpstreamRateLimited(UpstreamError):  # noqa: N818 -- states the fact
    code = "rate_limited"
    is_outage = True
    problem = Problem.RATE_LIMITED

    def __init__(self, target: UpstreamTarget, retry_after: str) -> None:
        super().__init__(
            target,
            f"The registry {target.label} limits how often your vendor may pull. "
            "Try again later.",
            429,
        )
        is_seconds = retry_after.isascii() and retry_after.isdigit()
        # More digits are a mistake of the registry, or an attack.
        self.retry_after = retry_after if is_seconds and len(retry_after) < 10 else ""

    def _fact(self) -> str:
        wait = f"in {self.retry_after} seconds" if self.retry_after else "later"
        return (
            f"The registry {self.target.label} got too many requests from this account "
            f"or installation (status 429). Try again {wait}."
        )


class UpstreamTimeout(UpstreamError):  # noqa: N818 -- states the fact
    code = "unreachable"
    problem = Problem.TIMEOUT
    is_outage = True

    def __init__(self, target: UpstreamTarget) -> None:
        super().__init__(
            target, f"The registry {target.label} did not answer in time. Try again."
        )

    def _fact(self) -> str:
        return f"The registry {self.target.label} did not answer in time."

    def _advice(self) -> str:
        return "Check the host and the port, and that a firewall lets Berth in."


class UpstreamUnreachable(UpstreamError):  # noqa: N818 -- states the fact
    """``why`` completes the sentence; ``advice`` is for the vendor alone."""

    code = "unreachable"
    is_outage = True

    def __init__(
        self, target: UpstreamTarget, why: str, problem: Problem, advice: str
    ) -> None:
        super().__init__(
            target, f"The registry {target.label} cannot be reached: {why}."
        )
        self.problem = problem
        self._what_to_do = advice

    def _advice(self) -> str:
        return self._what_to_do


class UpstreamFault(UpstreamError):  # noqa: N818 -- states the fact
    def __init__(
        self, target: UpstreamTarget, what: str, http_status: int | None = None
    ) -> None:
        super().__init__(target, f"The registry {target.label} {what}.", http_status)
        self.is_outage = http_status is not None and http_status >= 500


class ConnectionBroke(UpstreamFault):
    def __init__(self, target: UpstreamTarget) -> None:
        super().__init__(target, "broke the connection")
        self.is_outage = True


class NotARegistry(UpstreamFault):
    """Raised by checks alone: some web sites have a page for every address."""

    problem = Problem.NOT_A_REGISTRY

    def __init__(self, target: UpstreamTarget, http_status: int) -> None:
        super().__init__(target, "does not speak the registry API", http_status)

    def _fact(self) -> str:
        return (
            f"{self.target.label} answers, but does not speak the registry API "
            f"(status {self.http_status} for /v2/)."
        )

    def _advice(self) -> str:
        return "It may be a web page. Enter the host that image names begin with."
