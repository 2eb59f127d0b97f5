from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.support.browser.axe import accessibility_problems
from tests.support.browser.browsing import Browsing
from tests.support.stacks.portal_stack import Crew, PortalStack

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  template:
    spec:
      containers:
        - {name: api, image: "SAMPLE/my-org/api:v1.0.1"}
        - {name: log, image: "busybox:1.36"}
"""


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_manifest_is_previewed(
    browsing: Browsing, portal: PortalStack, crew: Crew, scripts: bool
) -> None:
    portal.connect_sample(crew)
    page = browsing.visitor(crew.sessions["owner"], scripts=scripts)
    page.goto(crew.path("manifest"))
    page.get_by_label("Kubernetes manifest").fill(
        MANIFEST.replace("SAMPLE", portal.settings.sample_host)
    )
    page.get_by_role("button", name="Preview").click()

    proxy = f"{portal.settings.portal_host}/proxy"
    row = page.get_by_role("row").filter(has_text="my-org/api")
    expect(row).to_contain_text("Deployment")
    kustomization = page.locator(".berth-copyable code").inner_text()
    assert f"name: {portal.settings.sample_host}/my-org/api" in kustomization
    assert f"newName: {proxy}/{crew.application}/sample/my-org/api" in kustomization
    assert "busybox" not in kustomization
    if scripts:
        assert accessibility_problems(page) == []
