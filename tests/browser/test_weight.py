"""What a browser has to load."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import urllib3
from playwright.sync_api import Page

from tests.support.browser.browsing import Browsing
from tests.support.browser.portal_pages import PAGES
from tests.support.stacks.portal_stack import ExampleTeam, PortalStack

# Of a page with everything that it loads, and of a page alone.
COLD_BYTES = 200_000
WARM_BYTES = 60_000
_LOADED = re.compile(r'(?:src|href)="(/static/[^"]+|/c/(?:logos|colors)/[^"]+)"')


@dataclass
class Loaded:
    """An answer as Chromium received it."""

    url: str
    headers: dict[str, str]
    bytes: int = 0


def load(page: Page, address: str) -> list[Loaded]:
    """Open a page and return every answer, headers and bodies counted as sent."""
    answers: dict[str, Loaded] = {}

    def note_headers(event: dict[str, Any]) -> None:
        response = event["response"]
        headers = {name.lower(): text for name, text in response["headers"].items()}
        answers[event["requestId"]] = Loaded(response["url"], headers)

    def note_bytes(event: dict[str, Any]) -> None:
        answers[event["requestId"]].bytes = int(event["encodedDataLength"])

    devtools = page.context.new_cdp_session(page)
    devtools.on("Network.responseReceived", note_headers)
    devtools.on("Network.loadingFinished", note_bytes)
    devtools.send("Network.enable")
    page.goto(address, wait_until="networkidle")
    return list(answers.values())


def test_a_cold_dashboard_is_light_and_its_files_are_kept(
    browsing: Browsing, example: ExampleTeam
) -> None:
    page = browsing.visitor(example.sessions["owner"])
    loaded = load(page, f"/t/{example.ids['team']}/")
    files = [answer for answer in loaded if "/static/" in answer.url]
    style_sheet = next(file for file in files if "tabler" in file.url)

    assert len(files) >= 5
    fonts = [file for file in files if file.url.endswith(".woff2")]
    # The page's text is English. A font is compressed as it is.
    assert len(fonts) == 1
    for file in files:
        assert file in fonts or file.headers["content-encoding"] == "gzip"
    assert all("immutable" in file.headers["cache-control"] for file in files)
    assert 50_000 < style_sheet.bytes < 90_000
    assert sum(answer.bytes for answer in loaded) <= COLD_BYTES


def test_every_page_is_light(portal: PortalStack, example: ExampleTeam) -> None:
    """The test above shows that a browser loads nothing else, and keeps all files."""

    def received(path: str, visitor: str = "") -> urllib3.BaseHTTPResponse:
        cookie = f"sessionid={example.sessions.get(visitor, '')}"
        headers = {"Accept-Encoding": "gzip", "Cookie": cookie}
        return urllib3.request(
            "GET", portal.url + path, headers=headers, redirect=False
        )

    @cache
    def file_bytes(path: str) -> int:
        return int(received(path).headers["Content-Length"])

    heavy = {}
    for shown in PAGES:
        answer = received(shown.address(example.ids_for(shown.visitor)), shown.visitor)
        warm = int(answer.headers["Content-Length"])
        files = set(_LOADED.findall(answer.data.decode()))
        cold = warm + sum(map(file_bytes, files))
        if warm > WARM_BYTES or cold > COLD_BYTES:
            heavy[shown.name] = (warm, cold)

    assert file_bytes.cache_info().currsize > 5
    assert heavy == {}
