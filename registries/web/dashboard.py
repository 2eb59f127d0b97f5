"""The dashboard: four numbers, what needs attention, first steps, pulls per day."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from licenses.selectors import LicenseNumbers, license_numbers
from portal.http.pages import render_page
from registries.pulls.days import PullDay, pulls_per_day
from registries.selectors import first_steps
from registries.web.attention import attention
from registries.web.pull_chart import pull_chart
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page, team_url

# In days; the first is shown unless another is chosen.
RANGES = (30, 7, 90)
WEEK = 7


@dataclass(frozen=True, slots=True)
class Number:
    """A number of the last days, how it changed, and the list behind it."""

    label: str
    value: int
    trend: str
    url: str


@require_safe
@team_page(Permission.TEAM_READ)
def dashboard(request: TeamRequest) -> HttpResponse:
    """Show how the team is doing, and what to do next."""
    days = _range(request.GET.get("days", ""))
    # Two weeks are compared, whatever the chart shows.
    pulls = pulls_per_day(request.team.pk, max(days, 2 * WEEK))
    steps = first_steps(request.team.pk)
    return render_page(
        request,
        "registries/dashboard.html",
        {
            "attention": attention(request),
            "steps": steps,
            "numbers": _numbers(request, pulls) if steps.are_done else (),
            "chart": pull_chart(pulls[-days:]),
            "ranges": sorted(RANGES),
            "days": days,
        },
    )


def _range(text: str) -> int:
    chosen = [days for days in RANGES if str(days) == text]
    return chosen[0] if chosen else RANGES[0]


def _numbers(request: TeamRequest, pulls: list[PullDay]) -> list[Number]:
    licenses: LicenseNumbers = license_numbers(request.team.pk)
    before, week = pulls[-2 * WEEK : -WEEK], pulls[-WEEK:]
    list_url = team_url(request, "licenses")
    pulls_url = f"{team_url(request, 'pulls')}?first_day={week[0].day}"
    return [
        Number(
            "Active licenses",
            licenses.active,
            f"{licenses.issued:,} issued in 30 days",
            f"{list_url}?state=active",
        ),
        Number(
            "Expiring within 30 days",
            licenses.expiring,
            f"{licenses.expired:,} expired in 7 days",
            f"{list_url}?state=expiring",
        ),
        Number(
            "Pulls in 7 days",
            sum(day.allowed for day in week),
            _trend([day.allowed for day in before], [day.allowed for day in week]),
            f"{pulls_url}&outcome=allowed",
        ),
        Number(
            "Refused in 7 days",
            sum(day.refused for day in week),
            _trend([day.refused for day in before], [day.refused for day in week]),
            f"{pulls_url}&outcome=refused",
        ),
    ]


def _trend(before: list[int], now: list[int]) -> str:
    """Compare with the week before, in words for the line below a number."""
    old, new = sum(before), sum(now)
    if old == new:
        return "as in the week before"
    if not old:
        return "none in the week before"
    percent = round(100 * (new - old) / old)
    return f"{percent:+,} % on the week before".replace("-", "\N{MINUS SIGN}")
