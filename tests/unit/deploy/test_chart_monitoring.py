"""Alerts and dashboard of the chart, against the metrics that there are."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

import alerts.metrics
import registries.metrics
import registries.tokens.metrics
from deploy.chart_values import CHART, PROJECT
from portal.limits import fair_share

METRIC = re.compile(r"\bberth_[a-z_]+\b")
DASHBOARD = json.loads((CHART / "files/dashboard.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((CHART / "files/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]


@pytest.fixture
def metrics(db: None) -> set[str]:
    """Return the names as Prometheus has them: those of counters end in _total."""
    return {
        f"{family.name}_total" if family.type == "counter" else family.name
        for collect in (
            registries.metrics.collect,
            registries.tokens.metrics.collect,
            alerts.metrics.collect,
            fair_share.collect,
        )
        for family in collect()
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_that_exist(
    rule: dict[str, Any], metrics: set[str]
) -> None:
    named = set(METRIC.findall(rule["expr"]))
    assert named
    assert named <= metrics


def test_the_dashboard_shows_metrics_that_exist(metrics: set[str]) -> None:
    shown = {
        name
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
        for name in METRIC.findall(target["expr"])
    }
    # Each is on it, but for a limit of the process that is of no use without its use.
    assert shown == metrics


def test_panels_do_not_overlap() -> None:
    places = [
        (panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]
    ]
    assert len(set(places)) == len(places) == 13


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_its_section_of_the_runbook(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^## (\w+)$", (PROJECT / page).read_text(), re.MULTILINE)
    assert rule["alert"] in headings
    assert anchor == rule["alert"].lower()


def test_the_runbook_has_no_other_alerts() -> None:
    text = (PROJECT / "docs/operations/alerts.md").read_text()
    assert re.findall(r"^## (Berth\w+)$", text, re.MULTILINE) == [
        rule["alert"] for rule in RULES
    ]
