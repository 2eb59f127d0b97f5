"""What the benchmark of pages measures, with a crowd of few."""

from __future__ import annotations

from collections import defaultdict
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import resolve

from bench.pages.addresses import other_pages
from bench.pages.lists import LISTS, list_addresses
from bench.pages.searches import search_addresses
from bench.pages.values import Values
from bench.seed.crowd import seed_crowd
from licenses.models import Customer, License
from registries.models import PullEvent
from teams.models import Team
from tests.support.example.data import fill_example_team


@pytest.fixture
def values(db: None) -> Values:
    example = fill_example_team("crowd")
    team = Team.objects.get(slug="crowd")
    busiest = License.objects.get(pk=example.ids["license_id"])
    seed_crowd(team, busiest, customers=120, pulls=500)
    return Values(team, example)


def test_every_list_is_measured_in_every_order_with_every_filter(
    values: Values,
) -> None:
    """It raises an error if a list, or a value for a filter, is missing."""
    queries: dict[str, set[str]] = defaultdict(set)
    for address in list_addresses(values):
        url = urlsplit(address.path)
        queries[resolve(url.path).view_name].update(parse_qs(url.query))
    names = [address.name for address in other_pages(values.example)]

    assert Customer.objects.filter(custom_id__startswith="crm-").count() == 120
    assert PullEvent.objects.filter(repository__contains="service").count() > 400
    assert queries.keys() == {shown.route for shown in LISTS}
    for shown in LISTS:
        expected = set(shown.filters.base_filters) | (
            {"sort"} if shown.table else set()
        )
        assert queries[shown.route] >= expected
    assert queries["licenses"] >= {"page", "sort", "search"}
    assert len(names) == len(set(names)) > 150


def test_searches_find_what_they_are_to_find(values: Values) -> None:
    client = Client()
    client.cookies["sessionid"] = values.example.sessions["owner"]
    for address in search_addresses(values):
        answer = client.post(
            address.path, dict(address.form or {}), headers={"HX-Request": "true"}
        )

        assert answer.status_code == 200
        assert address.shows in answer.text, address.name
