"""Reading a page as a person does, signing in, and one-time codes."""

from __future__ import annotations

import base64
import hmac
import html
import itertools
import re
import time
from typing import Any

from allauth.mfa.models import Authenticator
from django.http import HttpRequest
from django.test import Client

from teams.models import User
from teams.sign_in.second_factor import note_passed
from tests.support.rows.factories import PASSWORD

_numbers = itertools.count(1)


def new_browser(**defaults: Any) -> Client:
    """Return a browser at an address of its own, so that no limit is shared."""
    number = next(_numbers)
    address = f"198.18.{number // 250}.{number % 250 + 1}"
    return Client(REMOTE_ADDR=address, **defaults)


def copyable_of(response: Any) -> list[str]:
    """Return the texts that have a button to copy them."""
    page = response.content.decode()
    texts = re.findall(r"<pre><code>([^<]*)</code></pre>", page)
    return [html.unescape(text) for text in texts]


def text_of(response: Any) -> str:
    """Return what people read on a page, in one line.

    Mark-up that was not escaped is missing from it.
    """
    page = response.content.decode()
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def undated(text: str) -> str:
    """Return a page's text without the days that stand before how far they are."""
    return re.sub(r"\b\d{1,2} [A-Z][a-z]{2}(?: \d{4})? · ", "", text)


def give_password(user: User, password: str = PASSWORD) -> User:
    """Give a user a password, and return the user."""
    user.set_password(password)
    user.save(update_fields=["password"])
    return user


def sign_in(browser: Client, user: User, password: str = PASSWORD) -> Any:
    return browser.post("/accounts/login/", {"login": user.email, "password": password})


def is_signed_in(browser: Client) -> bool:
    return "_auth_user_id" in browser.session


def pass_second_factor(browser: Client, user: User) -> None:
    """Let a browser's session pass the second factor that its user has."""
    factors = Authenticator.objects.filter(user=user)
    request = HttpRequest()
    request.session = browser.session
    note_passed(request, user, factors.exclude(type="recovery_codes").latest("pk"))
    request.session.save()


def totp_code(secret: str) -> str:
    """Return what an authenticator app shows now: RFC 6238, SHA-1 and six digits."""
    counter = int(time.time()) // 30
    key = base64.b32decode(secret.strip())
    digest = hmac.digest(key, counter.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def links_in(text: str) -> list[str]:
    """Return the paths of a mail's links to the portal."""
    return re.findall(r"http://testserver(/\S+)", text)
