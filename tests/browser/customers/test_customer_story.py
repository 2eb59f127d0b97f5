"""From the vendor's *Send* to a customer's rotated credential, with real clients."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from deploy.local.stack import SAMPLE_REPOSITORY, SAMPLE_TAG
from tests.support.browser.axe import problems_in_all_looks
from tests.support.browser.browsing import Browsing
from tests.support.clients.customer_shell import Shell
from tests.support.clients.engines import Finished, running_engines, succeeded
from tests.support.stacks.portal_stack import Crew, PortalStack

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="container engines are started as root"
)

LINK = r"http://\S+/c/links/\S+"
SECRET = re.compile(r"berth_pull_\w{12}_\w{49}")
NAME = "Production cluster"
# A revocation is felt within a second.
PROMISED_SECONDS = 1


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("d", numbered=True)
    with running_engines(directory):
        yield directory


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_customer_helps_themselves_from_mail_to_rotation(
    browsing: Browsing,
    portal: PortalStack,
    crew: Crew,
    engines: Path,
    tmp_path: Path,
    scripts: bool,
) -> None:
    portal.connect_sample(
        crew,
        patterns=[SAMPLE_REPOSITORY],
        test_image=f"{SAMPLE_REPOSITORY}:{SAMPLE_TAG}",
    )
    address = f"anna@{crew.slug}-customer.example"
    vendor = Vendor(browsing.visitor(crew.sessions["sales"], scripts=scripts), crew)
    vendor.issues_license()
    vendor.sends_it(address)

    shell = Shell(tmp_path, engines, portal.settings.portal_host)
    page = browsing.visitor(scripts=scripts)
    anna = Administrator(page, shell, scripts=scripts)
    anna.opens_link(portal.wait_for_mail(address, LINK))
    vendor.sees_of_contact("Anna Admin", "link opened")
    anna.signs_in(address)
    first = anna.makes_credential()
    image = anna.pulls_with_the_copied_lines(first)

    anna.meets_a_refusal(image.replace(SAMPLE_REPOSITORY, "my-org/secret-plans"))
    anna.pastes_a_secret_by_mistake(first)
    anna.finds_it_in_pulls("my-org/secret-plans")

    second = anna.rotates()
    succeeded(anna.pulls(image, second))
    succeeded(anna.pulls(image, first))
    anna.ends_the_previous_secret()
    time.sleep(PROMISED_SECONDS)
    refused = anna.pulls(image, first)
    assert refused.returncode != 0
    assert "revoked" in refused.stderr
    succeeded(anna.pulls(image, second))

    colleague = f"bob@{crew.slug}-customer.example"
    anna.invites(colleague)
    vendor.sees_all_of_it(address)
    vendor.sees_of_contact("Anna Admin", "signed in")
    vendor.sees_of_contact(colleague, address)


class Vendor:
    """A person in sales, in the portal."""

    def __init__(self, page: Page, crew: Crew) -> None:
        self.page = page
        self.crew = crew
        self._license = ""

    def issues_license(self) -> None:
        page = self.page
        page.goto(self.crew.path("licenses/new"))
        # The only customer with such a name: it need not be chosen from the list.
        page.get_by_label("Customer", exact=True).fill("Example Corp")
        page.get_by_role("button", name="Issue license").click()
        expect(page.get_by_text("Pulls work until")).to_be_visible()
        self._license = page.url

    def sends_it(self, address: str) -> None:
        page = self.page
        page.get_by_role("link", name="Send to customer").click()
        page.get_by_label("New people").fill(f"Anna Admin <{address}>")
        page.get_by_label("A line from you").fill("Welcome aboard.")
        page.get_by_role("button", name="Preview").click()
        preview = page.get_by_role("region", name="Preview")
        expect(preview).to_contain_text("Welcome aboard.")
        page.get_by_role("button", name="Send", exact=True).click()
        row = page.get_by_role("row").filter(has_text="Anna Admin")
        expect(row).to_contain_text("sent")

    def sees_all_of_it(self, address: str) -> None:
        page = self.page
        page.goto(self._license)
        credentials = page.locator("#pull-credentials").get_by_role("row")
        current = credentials.filter(has_text=NAME).filter(has_text="active")
        expect(current).to_contain_text(address)
        old = credentials.filter(has_text=NAME).filter(has_text="revoked")
        expect(old).to_contain_text(address)
        page.goto(self.crew.path("pulls"))
        for repository in (SAMPLE_REPOSITORY, "my-org/secret-plans"):
            seen = page.get_by_role("row").filter(has_text=repository)
            expect(seen.first).to_contain_text(NAME)

    def sees_of_contact(self, name: str, text: str) -> None:
        page = self.page
        page.goto(self.crew.path(f"customers/{self.crew.customer_id}/contacts"))
        row = page.get_by_role("row").filter(has_text=name)
        expect(row).to_contain_text(text)


class Administrator:
    """A contact of the customer who administers a cluster, with a shell."""

    def __init__(self, page: Page, shell: Shell, *, scripts: bool) -> None:
        self.page = page
        self.shell = shell
        self._scripts = scripts

    @property
    def form(self) -> Locator:
        """The open dialog; without scripts, it is a page."""
        return self.page.get_by_role("dialog" if self._scripts else "main")

    def opens_link(self, link: str) -> None:
        self.page.goto(link)
        self.sees_no_problem()

    def signs_in(self, address: str) -> None:
        self.page.get_by_role("button", name=f"Continue as {address}").click()
        expect(self.page).to_have_url(re.compile(r"/c/[0-9a-f-]{36}/#license-"))
        expect(self.page.get_by_text("What to do:")).to_be_visible()
        self.sees_no_problem()

    def makes_credential(self) -> str:
        page, form = self.page, self.form
        page.get_by_role("link", name="Credentials", exact=True).click()
        page.get_by_role("link", name="Make a pull credential").click()
        form.get_by_label("Name").fill(NAME)
        form.get_by_role("button", name="Make pull credential").click()
        return self._secret_shown_once()

    def pulls_with_the_copied_lines(self, secret: str) -> str:
        """Run the lines of docker, podman and Kubernetes; return the image's name."""
        page = self.page
        page.get_by_role("link", name="Install", exact=True).click()
        image = page.get_by_label("Image").input_value()
        save, *lines = self._lines_of("Docker")
        succeeded(self.shell(save, stdin=f"{secret}\n"))
        for line in lines:
            succeeded(self.shell(line))
        for line in self._lines_of("Podman")[1:]:
            succeeded(self.shell(line))
        for tool in ("docker", "podman"):
            succeeded(self.shell(f"{tool} image inspect {image}"))
        fetch, _, apply = self._lines_of("Kubernetes")[1].rpartition("|")
        assert apply.strip() == "kubectl apply --filename -"
        written = self.shell(fetch)
        succeeded(written)
        assert "kubernetes.io/dockerconfigjson" in written.stdout
        assert self._lines_of("Kubernetes")[2].count(image) == 1
        return image

    def invites(self, address: str) -> None:
        page = self.page
        page.get_by_role("link", name="People").click()
        page.get_by_role("link", name="Invite a person").click()
        page.get_by_label("E-mail address").fill(address)
        page.get_by_role("button", name="Send invitation").click()
        row = page.get_by_role("row").filter(has_text=address)
        expect(row).to_contain_text("sent")

    def sees_no_problem(self) -> None:
        if self._scripts:
            assert problems_in_all_looks(self.page) == []

    def meets_a_refusal(self, image: str) -> None:
        refused = self.shell(f"docker pull {image}")
        assert refused.returncode != 0
        page = self.page
        page.get_by_role("link", name="Check", exact=True).click()
        choice = page.get_by_role("option").filter(has_text=NAME)
        page.get_by_label("License or credential").select_option(
            choice.get_attribute("value")
        )
        page.get_by_label("Image").fill(f"docker pull {image}")
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_text("What to do:")).to_be_visible()
        self.sees_no_problem()

    def pastes_a_secret_by_mistake(self, secret: str) -> None:
        page = self.page
        page.get_by_label("Image").fill(f"docker login -p {secret} images.example")
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_text("This contains a pull credential")).to_be_visible()
        expect(page.get_by_label("Image")).to_have_value("")
        assert secret not in page.content()
        assert secret not in page.url

    def finds_it_in_pulls(self, repository: str) -> None:
        """Wait until the refusal is counted, which takes a few seconds."""
        page = self.page
        page.get_by_role("link", name="Pulls", exact=True).click()
        row = page.get_by_role("row").filter(has_text=repository)
        for _ in range(60):
            if row.count():
                break
            page.wait_for_timeout(500)
            page.reload()
        expect(row.first).to_contain_text(NAME)
        self.sees_no_problem()

    def rotates(self) -> str:
        page, form = self.page, self.form
        page.get_by_role("link", name="Credentials", exact=True).click()
        page.get_by_role("link", name=f"Rotate {NAME}").click()
        other_time = form.get_by_label("The other time")
        expect(other_time).to_be_hidden()
        form.get_by_label("at another time within 90 days").check()
        expect(other_time).to_be_visible()
        form.get_by_label("in 7 days").check()
        form.get_by_role("button", name="Make new secret").click()
        return self._secret_shown_once()

    def ends_the_previous_secret(self) -> None:
        page, form = self.page, self.form
        page.get_by_role("link", name=f"Rotate {NAME}").click()
        expect(form).to_contain_text(f"{NAME} cannot be rotated yet")
        self.sees_no_problem()
        form.get_by_role("link", name="End previous secret").click()
        expect(form).to_contain_text(f"End the previous secret of {NAME}?")
        form.get_by_role("button", name="End previous secret").click()
        row = page.get_by_role("row").filter(has_text=NAME)
        expect(row.filter(has_text="revoked")).to_have_count(1)

    def pulls(self, image: str, secret: str) -> Finished:
        host = image.partition("/")[0]
        login = f"docker login --username license --password-stdin {host}"
        logged_in = self.shell(login, stdin=secret)
        if logged_in.returncode != 0:
            return logged_in
        succeeded(self.shell(f"docker image rm --force {image}"))
        return self.shell(f"docker pull {image}")

    def _secret_shown_once(self) -> str:
        expect(self.form.get_by_role("alert")).to_contain_text("shown only once")
        self.sees_no_problem()
        found = SECRET.search(self.form.locator("pre").first.inner_text())
        assert found
        self.form.get_by_role("link", name="Done").click()
        row = self.page.get_by_role("row").filter(has_text=NAME)
        expect(row.first).to_be_visible()
        expect(self.page.get_by_text(found[0])).to_have_count(0)
        return found[0]

    def _lines_of(self, tool: str) -> list[str]:
        page = self.page
        page.get_by_role("link", name=tool, exact=True).click()
        heading = page.get_by_role("heading", name="How to pull")
        how = page.locator("section").filter(has=heading)
        current = page.get_by_role("navigation", name="Tool").get_by_role(
            "link", name=tool, exact=True
        )
        expect(current).to_have_attribute("aria-current", "page")
        return [str(text) for text in how.locator("pre").all_inner_texts()]
