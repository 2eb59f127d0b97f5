"""The guide under Help."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.guide.pages import guide_page
from registries.providers import PROVIDERS
from tests.support.guide import Page
from tests.support.guide import pages as written_pages
from tests.support.pages.reading import text_of

PROJECT = Path(__file__).resolve().parents[3]
CONFIG = PROJECT / "docs/guide-site/properdocs.yml"


def build(config: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "properdocs", "build", "--strict"),
            *("--config-file", str(config), "--site-dir", str(directory)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("guide")
    outcome = build(CONFIG, directory)
    assert outcome.returncode == 0, outcome.stderr
    return directory


@pytest.fixture
def guide(built: Path, settings: Any) -> Path:
    settings.BERTH_GUIDE_DIR = built
    return built


def pages(built: Path) -> list[str]:
    """Return the names of all pages, as in their addresses."""
    folders = [path.parent.relative_to(built) for path in built.rglob("index.html")]
    return sorted("" if folder == Path() else f"{folder}/" for folder in folders)


def test_strangers_read_every_page(guide: Path, client: Client, db: None) -> None:
    names = pages(guide)
    written = list((PROJECT / "docs/guide").rglob("*.md"))
    assert len(names) == len([path for path in written if path.name != "README.md"])

    for name in names:
        response = client.get(reverse("help", kwargs={"page": name}))
        page = response.content.decode()
        assert response.status_code == 200
        assert page.count("<h1") == 1
        # What the policy of the content would stop, and what the portal does not serve.
        assert "<style" not in page
        assert " style=" not in page
        assert 'src="http' not in page


@pytest.mark.parametrize("page", written_pages(), ids=lambda page: page.name)
def test_every_block_is_shown_as_it_is_written(page: Page, built: Path) -> None:
    name = page.name.removesuffix("index.md").replace(".md", "/")
    shown = guide_page(built, name)
    assert shown is not None

    blocks = re.findall(
        r'<pre><code class="language-(\w+)">(.*?)</code>', shown.html, re.DOTALL
    )

    assert [(language, unescape(text)) for language, text in blocks] == [
        (block.language, block.text) for block in page.blocks
    ]
    assert shown.html.count("<pre>") == len(blocks)


def test_each_page_links_to_all(guide: Path, client: Client, db: None) -> None:
    page = client.get("/help/registries/quay/").content.decode()

    for name in pages(guide):
        current = ' aria-current="page"' if name == "registries/quay/" else ""
        assert f'href="/help/{name}"{current}>' in page


@pytest.mark.parametrize("name", PROVIDERS)
def test_each_provider_has_its_page(name: str, built: Path) -> None:
    profile = PROVIDERS[name]
    for page in {profile.guide, *(kind.guide for kind in profile.auth_types)} - {""}:
        assert guide_page(built, page) is not None


def test_pages_of_the_portal_link_to_pages_of_the_guide(built: Path) -> None:
    link = re.compile(r'guide/link.html" with page="([^"]*)"')
    linked = {
        name
        for path in (PROJECT / "templates").rglob("*.html")
        for name in link.findall(path.read_text(encoding="utf-8"))
    }

    assert len(linked) >= 5
    assert linked <= set(pages(built))


@pytest.mark.parametrize(
    "address",
    [
        *("/help/nothing/", "/help/registries/", "/help/../settings/"),
        *("/help/index.html", "/help/sitemap.xml", "/help/registries/quay"),
        *("/help/%2e%2e/", "/help//etc/passwd/"),
    ],
)
def test_nothing_else_is_served(
    address: str, guide: Path, client: Client, db: None
) -> None:
    assert client.get(address).status_code == 404


def test_without_a_guide_the_page_says_how_to_build_it(
    tmp_path: Path, settings: Any, client: Client, db: None
) -> None:
    settings.BERTH_GUIDE_DIR = tmp_path

    for address in ("/help/", "/help/automate/"):
        response = client.get(address)
        assert response.status_code == 404
        assert "make guide" in text_of(response)


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# Help\n\n[Quay](registries/none.md)\n")
    text = CONFIG.read_text().replace("../guide\n", "docs\n").partition("nav:\n  - ")[0]
    theme = f"custom_dir: {CONFIG.parent}/theme"
    config = tmp_path / "properdocs.yml"
    config.write_text(text.replace("custom_dir: theme", theme))

    outcome = build(config, tmp_path / "built")

    assert outcome.returncode != 0
    assert "none.md" in outcome.stderr
