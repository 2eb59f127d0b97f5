"""The portal's pages that can be found by name."""

from __future__ import annotations

from dataclasses import dataclass

from teams.permissions import Permission


@dataclass(frozen=True, slots=True)
class Page:
    """A page by the name of its address; ``words`` are what people may call it."""

    title: str
    name: str
    permission: Permission
    words: str = ""

    @property
    def detail(self) -> str:
        return self.words

    def matches(self, text: str) -> bool:
        """Return whether a lower-case text is in the title or the words."""
        return text in f"{self.title} {self.words}".casefold()


P = Permission
PAGES = (
    Page("Dashboard", "dashboard", P.TEAM_READ, "what needs attention"),
    Page("Alerts", "alerts", P.TEAM_READ),
    Page("E-mail alerts", "alerts-mail", P.TEAM_READ, "notifications"),
    Page("Webhooks", "alerts-webhooks", P.WEBHOOK_MANAGE, "events, Slack"),
    Page("Customers", "customers", P.CUSTOMER_READ),
    Page("Licenses", "licenses", P.LICENSE_READ),
    Page("Issue a license", "licenses-add", P.LICENSE_ISSUE, "new license"),
    Page("Images", "images", P.REGISTRY_READ, "registries, names to pull"),
    Page("Add external registry", "registries-add", P.REGISTRY_MANAGE, "connect"),
    Page("Private registry", "private-registry", P.APPLICATION_READ, "push"),
    Page("Applications", "applications", P.APPLICATION_READ, "channels, fields"),
    Page("Pulls", "pulls", P.LICENSE_READ, "refused, denied"),
    Page("Why?", "why", P.LICENSE_READ, "explain a refused pull"),
    Page("Manifest preview", "manifest", P.APPLICATION_READ, "Kubernetes, YAML"),
    Page("Members", "members", P.TEAM_READ, "people, roles, invite"),
    Page("Service accounts", "service-accounts", P.SERVICE_ACCOUNT_READ),
    Page("API tokens", "api-tokens", P.TEAM_READ),
    Page("Audit log", "audit", P.AUDIT_READ, "history, who did what"),
    Page("Settings", "team-settings", P.TEAM_MANAGE, "time zone, second factor"),
    Page("What customers see", "customer-look", P.TEAM_MANAGE, "logo, color"),
    Page("Mails to customers", "customer-mails", P.TEAM_MANAGE, "notices"),
)
