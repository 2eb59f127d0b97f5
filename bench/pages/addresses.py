"""What is requested of the portal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from registries.web.dashboard import RANGES
from tests.support.browser.portal_pages import PAGES, PortalPage
from tests.support.stacks.portal_stack import ExampleTeam

# This one waits for a registry that is not there.
_WAITING = "registries-add-failed"
# In a large team too much is selected, which leads back to the list.
_TOO_MANY = ("licenses-bulk-renew", "customers-bulk-archive")


@dataclass(frozen=True, slots=True)
class Address:
    """A request: its section and name in the report, its path, and who sends it.

    ``form`` is posted, if there is one; ``is_partial`` says that htmx sends it. The
    answer has the ``status``, and holds the text that it ``shows``.
    """

    section: str
    name: str
    path: str
    visitor: str = "owner"
    form: Mapping[str, str] | None = None
    is_partial: bool = False
    status: int = 200
    shows: str = ""


def other_pages(example: ExampleTeam) -> Iterator[Address]:
    """Yield every page that tests look at, and the dashboard's ranges.

    A page that is missing there fails a test.
    """
    for page in PAGES:
        if page.name != _WAITING:
            yield _address(page, example)
    for days in RANGES:
        page = PortalPage("dashboard", state=f"{days}-days", query={"days": str(days)})
        yield _address(page, example)


def _address(page: PortalPage, example: ExampleTeam) -> Address:
    return Address(
        _section(page),
        page.name,
        page.address(example.ids_for(page.visitor)),
        page.visitor,
        None if page.sends is None else {**page.query, **page.sends},
        status=302 if page.name in _TOO_MANY else page.status,
    )


def _section(page: PortalPage) -> str:
    if page.route.startswith(("customer:", "contact")):
        return "Customers' own pages"
    return "Other pages of the team" if page.is_of_team else "Accounts and the guide"


def with_query(path: str, **parameters: str) -> str:
    """Return a path with those of the parameters that have a value."""
    given = {name: text for name, text in parameters.items() if text}
    return f"{path}?{urlencode(given)}" if given else path
