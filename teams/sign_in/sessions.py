"""Browser sessions: the store of ``SESSION_ENGINE``, their list, and their end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from audit.tags import EventTag
from portal.crypto.keyring import KeyringError
from portal.crypto.secrets import Secret
from portal.http.display.user_agents import browser_name
from teams.models import Session, StoredKey, User, stored_key
from teams.sign_in.account_log import record_on_account

_SIGNED_IN = "signed_in"
_USER_AGENT_LENGTH = 300


class SessionStore(DatabaseStore):
    """Django's store, on a table with the user and without the cookie's value.

    The data is encrypted. What a key that is gone has encrypted is an empty session.
    """

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        return _sealed(super().create_model_instance(data), data)

    async def acreate_model_instance(self, data: dict[str, Any]) -> Session:
        return _sealed(await super().acreate_model_instance(data), data)

    def encode(self, session_dict: dict[str, Any]) -> Any:
        return Secret(super().encode(session_dict))

    def decode(self, session_data: Any) -> dict[str, Any]:
        try:
            return super().decode(session_data.reveal())
        except KeyringError:
            return {}


def _sealed(row: Any, data: dict[str, Any]) -> Session:
    session: Session = row
    # Now, because the encryption is bound to it.
    session.session_key = stored_key(session.session_key)
    session.user_id = data.get(SESSION_KEY)
    return session


@receiver(user_logged_in)
def note_browser(request: HttpRequest, **kwargs: Any) -> None:
    """Remember where a session was begun, to show it to its user."""
    request.session[_SIGNED_IN] = {
        "at": timezone.now().isoformat(),
        "address": request.META.get("BERTH_CLIENT_ADDRESS") or "",
        "user_agent": request.META.get("HTTP_USER_AGENT", "")[:_USER_AGENT_LENGTH],
    }


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that somebody is signed in with, as its user sees it."""

    id: str
    at: datetime
    address: str
    user_agent: str

    @classmethod
    def of(cls, row: Session) -> SignedIn:
        noted = SessionStore().decode(row.session_data).get(_SIGNED_IN, {})
        return cls(
            id=row.session_key,
            at=datetime.fromisoformat(noted["at"]) if noted else timezone.now(),
            address=noted.get("address", ""),
            user_agent=noted.get("user_agent", ""),
        )


def signed_in_sessions(user: User) -> QuerySet[Session]:
    return Session.objects.filter(user=user, expire_date__gt=timezone.now())


def list_sessions(user: User) -> list[SignedIn]:
    """Return where a user is signed in, latest first."""
    rows = [row for row in signed_in_sessions(user) if _is_usable(row, user)]
    return sorted(map(SignedIn.of, rows), key=lambda session: session.at, reverse=True)


def _is_usable(row: Session, user: User) -> bool:
    # A password changed on the command line ends sessions, but deletes no rows.
    data = SessionStore().decode(row.session_data)
    return bool(data.get(HASH_SESSION_KEY) == user.get_session_auth_hash())


def other_sessions(request: HttpRequest, user: User) -> QuerySet[Session]:
    """Return the user's sessions except the one of the request."""
    current = request.session.session_key
    sessions = Session.objects.filter(user=user)
    return sessions.exclude(session_key=current) if current else sessions


def other_session(request: HttpRequest, user: User, session_id: str) -> Session | None:
    """Return the user's session with this ID, unless it is the request's own."""
    sessions = other_sessions(request, user) & signed_in_sessions(user)
    return sessions.filter(session_key=StoredKey(session_id)).first()


@transaction.atomic
def end_sessions(request: HttpRequest, user: User, sessions: QuerySet[Session]) -> None:
    """End some of a user's sessions at once, and record it in the audit log."""
    # Locked, so that only one of two concurrent requests ends and records a session.
    for row in sessions.select_for_update().order_by("pk"):
        ended = SignedIn.of(row)
        row.delete()
        record_on_account(
            request,
            user,
            EventTag.ACCOUNT_SESSION_ENDED,
            browser=browser_name(ended.user_agent),
            address=ended.address,
        )


def end_other_sessions(request: HttpRequest, user: User) -> None:
    """Sign a user out everywhere but in the browser of the request."""
    end_sessions(request, user, other_sessions(request, user))


def keep_only_this_session(request: HttpRequest, user: User) -> None:
    """Sign a user out everywhere else, because how they sign in has changed.

    The request's session gets a new key, in case somebody else has its cookie.
    """
    end_other_sessions(request, user)
    if request.user == user:
        request.session.cycle_key()


def delete_expired_sessions() -> None:
    """Delete sessions that have expired."""
    SessionStore.clear_expired()
