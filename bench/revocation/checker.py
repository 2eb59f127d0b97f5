"""Judges a history: a pure function of it.

An answer *carries content* if its status is 2xx and it has a body of a manifest, blob
or range, or if it is a registry token that grants anything. Content is right only if
its license may have been active at some instant that counts for it:

1. For every answer: from one second before its request was sent until its first byte
   arrived. So an answer whose request was sent more than one second after the commit
   of a revocation carries nothing.
2. For an answer that came late, not more than one second and the request's deadline
   before its first byte. A request that was sent before the revocation may wait for a
   frozen process, but not for ever.
3. For each byte of a long download through the proxy: not earlier than the promised
   number of seconds before. The edge decides again every few seconds, so those in which
   it or nginx in front of it was frozen do not count, nor those without PostgreSQL
   until the edge has asked again. Distribution streams blobs of the private registry
   itself; those may be finished.

A commit has no exact time for its client. A revocation counts from when its answer was
received, so it was certainly done; a reinstatement from when it was asked for, so it
may have been. A change whose answer was lost counts as perhaps made until the state is
read back. Clients note that a request is sent before they send it, and that a byte
arrived after they have read it; a wrong verdict would need the opposite.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.revocation.history import (
    Answer,
    Change,
    History,
    Kind,
    Process,
    Route,
    Trouble,
    as_line,
)
from bench.revocation.spans import Span, Spans, active_spans, license_spans

# Nothing can break a download off without these, and for some seconds afterwards: while
# PostgreSQL is away the edge goes on, and asks again after five seconds or ten.
_ON_THE_WAY = {
    Route.EDGE: {Process.EDGE: 0.0, Process.POSTGRES: 10.0},
    Route.NGINX: {Process.EDGE: 0.0, Process.POSTGRES: 10.0, Process.NGINX: 0.0},
}


@dataclass(frozen=True, slots=True)
class Promises:
    """Seconds after a commit: for answers, for late ones, and for downloads."""

    answer: float = 1.0
    deadline: float = 10.0
    download: float = 10.0


@dataclass(frozen=True, slots=True)
class Violation:
    """Content that nobody may have had, with the changes of its license before."""

    rule: str
    answer: Answer
    changes: tuple[Change, ...]

    def __str__(self) -> str:
        answer = replace(self.answer, marks=self.answer.marks[-1:])
        lines = [*map(as_line, self.changes), as_line(answer)]
        return "\n".join([self.rule, *(f"  {line}" for line in lines)])


def check(history: History, promises: Promises) -> list[Violation]:
    """Return every answer that breaks a promise."""
    spans = active_spans(history.changes)
    return [
        Violation(rule, answer, _changes_before(history.changes, answer))
        for answer in history.answers
        if answer.carries
        for rule in _broken(
            answer,
            license_spans(spans, answer.license),
            promises,
            history.troubles,
        )
    ]


def _broken(
    answer: Answer, active: Spans, promises: Promises, troubles: Sequence[Trouble]
) -> Iterator[str]:
    begun = answer.sent - promises.answer
    late = answer.first_byte - promises.answer - promises.deadline
    if not active.touch(begun, answer.first_byte):
        yield "Content of a request sent after the promised second"
    elif not active.touch(max(begun, late), answer.first_byte):
        yield "Content after the request's deadline"
    if _is_judged_to_its_end(answer):
        pauses = _pauses(answer.route, troubles)
        starts = (_before(mark, promises.download, pauses) for mark in answer.marks)
        if not all(map(active.touch, starts, answer.marks)):
            yield "A download that ran on"


def _pauses(route: Route, troubles: Iterable[Trouble]) -> list[Span]:
    """Return when nothing could break a download off, the latest first."""
    after = _ON_THE_WAY[route]
    return sorted(
        (
            (item.began, item.ended + after[item.victim])
            for item in troubles
            if item.victim in after
        ),
        reverse=True,
    )


def _before(instant: float, seconds: float, pauses: Iterable[Span]) -> float:
    """Return the instant so many seconds before, not counting pauses."""
    for began, ended in pauses:
        counted = max(0.0, instant - ended)
        if began >= instant:
            continue
        if counted >= seconds:
            break
        seconds -= counted
        instant = began
    return instant - seconds


def _is_judged_to_its_end(answer: Answer) -> bool:
    """Return whether a download has to be broken off."""
    return answer.kind is Kind.DOWNLOAD and answer.route in _ON_THE_WAY


def _changes_before(changes: Iterable[Change], answer: Answer) -> tuple[Change, ...]:
    own = [item for item in changes if item.license == answer.license]
    return tuple(item for item in own if item.asked <= answer.ended)[-6:]
