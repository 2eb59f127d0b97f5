"""What the demo shows, as requests: pull, revoke, reinstate, push, look."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import urllib3

SECONDS = 30
# Promised of a revocation; a pull takes a moment, too.
REVOKED_SECONDS = 1


class StoryError(Exception):
    """Something is wrong with the image."""


class Story:
    """Told by the facts of a demo, to a portal at a port of its own."""

    def __init__(self, facts: Mapping[str, str], portal: int, directory: Path) -> None:
        self._facts = facts
        self._portal = f"http://localhost:{portal}"
        self._directory = directory
        self._pulls = 0
        self._license = ("license", facts["LICENSE_ID"])

    def tell(self) -> None:
        """Tell it, and print each step.

        Raises:
            StoryError: a step went another way.
        """
        slug, host = self._facts["APP_SLUG"], self._facts["PROXY_HOST"]
        image = f"{host}/proxy/{slug}/sample/{self._facts['SAMPLE_IMAGE']}"
        self._pages_are_whole()
        self._expect_pull(image)
        (license_,) = self._api("GET", "licenses")["results"]
        address = f"licenses/{license_['id']}"
        self._api("POST", f"{address}/revoke", {"reason": "The trial is over."})
        time.sleep(REVOKED_SECONDS)
        self._expect_refusal(image, "This license was revoked on")
        self._api("POST", f"{address}/reinstate")
        time.sleep(REVOKED_SECONDS)
        self._expect_pull(image)
        self._push_and_pull(f"{self._facts['REGISTRY_HOST']}/{slug}/api:v1")
        self._wait_for("the worker to confirm the pushed image", self._is_listed)
        self._wait_for("the edge to count the pulls", self._are_counted)

    def _pages_are_whole(self) -> None:
        page = self._get("/accounts/login/")
        (style, *_) = [word for word in page.split('"') if word.endswith(".css")]
        self._get(style)
        self._get("/help/")
        self._get("/api/v1/docs")
        _say("pages, style sheets, guide and API reference are there")

    def _push_and_pull(self, image: str) -> None:
        source = f"dir:{self._directory}/image-1"
        owner = f"{self._facts['OWNER_EMAIL']}:{self._facts['API_TOKEN']}"
        pushed = _skopeo(
            "--dest-tls-verify=false", "--dest-creds", owner, source, image
        )
        if pushed.returncode:
            raise StoryError(f"The push failed: {pushed.stderr}")
        _say("the vendor pushes to the private registry")
        self._expect_pull(image)

    def _expect_pull(self, image: str) -> None:
        result = self._pull(image)
        if result.returncode:
            raise StoryError(f"The pull of {image} failed: {result.stderr}")
        _say(f"the license pulls {image}")

    def _expect_refusal(self, image: str, sentence: str) -> None:
        result = self._pull(image)
        if result.returncode == 0 or sentence not in result.stderr:
            raise StoryError(f"No {sentence!r} in the answer: {result.stderr}")
        _say(f"the license is refused: {sentence} …")

    def _pull(self, image: str) -> subprocess.CompletedProcess[str]:
        self._pulls += 1
        target = f"dir:{self._directory}/image-{self._pulls}"
        creds = ":".join(self._license)
        return _skopeo("--src-tls-verify=false", "--src-creds", creds, image, target)

    def _is_listed(self) -> bool:
        listed = self._api("GET", f"applications/{self._facts['APP_SLUG']}/images")
        return any(image["storage_bytes"] for image in listed["results"])

    def _are_counted(self) -> bool:
        pulls = self._api("GET", "pulls")["results"]
        return {pull["outcome"] for pull in pulls} >= {"allowed", "license_revoked"}

    def _wait_for(self, what: str, happened: Callable[[], bool]) -> None:
        began = time.monotonic()
        while not happened():
            if time.monotonic() - began > SECONDS:
                raise StoryError(f"Waited {SECONDS} seconds for {what}.")
            time.sleep(0.5)
        _say(f"{what}: done")

    def _get(self, path: str) -> str:
        url = f"{self._portal}{path}"
        answer = urllib3.request("GET", url, retries=False, timeout=SECONDS)
        if answer.status != 200:
            raise StoryError(f"{url}: {answer.status}")
        return answer.data.decode(errors="replace")

    def _api(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self._portal}/api/v1/{path}"
        token = {"Authorization": f"Bearer {self._facts['API_TOKEN']}"}
        answer = urllib3.request(
            method, url, json=body or {}, headers=token, retries=False, timeout=SECONDS
        )
        if answer.status != 200:
            raise StoryError(f"{method} {url}: {answer.status} {answer.data.decode()}")
        return json.loads(answer.data)


def _skopeo(*arguments: str) -> subprocess.CompletedProcess[str]:
    *options, source, target = arguments
    places = [
        place if place.startswith("dir:") else f"docker://{place}"
        for place in (source, target)
    ]
    # A policy of this machine may ask for signatures.
    command = ["skopeo", "--insecure-policy", "copy", "--all", *options, *places]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def _say(step: str) -> None:
    print(f"ok: {step}", flush=True)
