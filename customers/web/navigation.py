"""The pages of a customer, in the order of their navigation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A page without further parts in its address.

    ``name`` is its URL name, and begins the names of the pages below it, such as
    ``people-add``. ``icon`` is one of Heroicons.
    """

    name: str
    label: str
    icon: str


NAVIGATION = (
    NavigationItem("overview", "Overview", "home"),
    NavigationItem("install", "Install", "arrow-down-tray"),
    NavigationItem("credentials", "Credentials", "key"),
    NavigationItem("check", "Check", "question-mark-circle"),
    NavigationItem("pulls", "Pulls", "queue-list"),
    NavigationItem("license-file", "License file", "document-text"),
    NavigationItem("people", "People", "users"),
)
