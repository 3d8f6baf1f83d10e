"""A whole procedure held against the law: each phase's period, what has to happen by when, and what clashes.

`plan(frame, phases, seat=…)` asks the question of `legal_periods` that governs each phase and adds what only shows when
the phases are seen together. `consequences` says what a change of dates changes. Pure: plain inputs, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from consultations.computation import Answer, Finding, Impossible
from consultations.deadlines import latest_notice
from consultations.law import Length, Policy, Severity
from consultations.legal_periods import ask
from consultations.reasons import VERDICTS, Fact, Sentence
from consultations.seats import Seat

_DAY = timedelta(days=1)
_WEEK = Length(days=7)
URBAN_PLANS = ("development_plan", "land_use_plan")
#: Phases that are announced to everybody before they begin.
ANNOUNCED = ("publication", "repeated", "display")
FORMAL_STEPS = ("publication", "repeated", "agencies", "display")
EARLY_STEPS = ("early", "agencies_early")
#: Only begins when everything that arrives in time is known.
AFTERWARDS = ("resolution", "in_force")


@dataclass(frozen=True)
class Frame:
    """What decides which law a procedure follows; the words of `procedures.PlanKind` and `PlanVariant`."""

    plan_kind: str = "development_plan"
    variant: str = "regular"
    law_version: str = ""

    @property
    def law(self) -> str:
        """The text of VwVfG §73 that applies: "old" or "new"."""
        return "old" if "until" in self.law_version else "new"


@dataclass(frozen=True)
class Planned:
    """A phase with its dates. `key` tells it from the others; `repeats` is the key of what it repeats."""

    key: str
    kind: str
    track: str = "public"
    starts_on: date | None = None
    ends_on: date | None = None
    is_formal: bool = False
    repeats: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Demand:
    """Something that has to be done by a day, or is wise by then. `must`: the law says so."""

    day: date
    why: Sentence
    source: str
    must: bool = True


@dataclass(frozen=True)
class Scheduled:
    """A phase with what the law says of it; findings with the gravest first."""

    phase: Planned
    answer: Answer | None = None
    demands: tuple[Demand, ...] = ()
    findings: tuple[Finding, ...] = ()
    #: The last day to take, if none or a worse one is entered; None where the law says nothing and no length is known.
    proposed_end: date | None = None
    #: The last day on which something is in time, where that is later than the announced one.
    effective_end: date | None = None

    @property
    def last_day(self) -> date | None:
        """The last day on which something arrives in time."""
        return max((day for day in (self.phase.ends_on, self.effective_end) if day), default=None)


def question_of(
    frame: Frame, phase: Planned, phases: Sequence[Planned] = ()
) -> tuple[str, dict[str, Any]] | None:
    """The question of the law about a phase, and its facts; None where the law says nothing, or without a start."""
    start, end = phase.starts_on, phase.ends_on
    if not phase.is_formal or start is None:
        return None
    known = {name: value for name, value in phase.facts.items() if value not in (None, "")}

    def of(*names: str) -> dict[str, Any]:
        return {name: known[name] for name in names if name in known}

    def until(name: str) -> dict[str, Any]:
        return {name: end} if end else {}

    if frame.plan_kind == "plan_approval":
        if phase.kind == "display":
            if frame.law == "old":
                return "planfeststellung_old", {"display_start": start, **of("display_end")}
            more = of("display_end", "plan_complete_on")
            return "planfeststellung_new", {"display_start": start, **more, **until("announced_end")}
        if phase.kind == "repeated":
            return "planfeststellung_change", {"notified_on": start, "law_version": frame.law}
        if phase.kind == "discussion_meeting":
            ends = [each.ends_on for each in phases if each.kind == "display" and each.ends_on]
            objections = {"objection_end": max(ends)} if ends else {}
            return "planfeststellung_hearing", {
                "hearing_on": start, "law_version": frame.law, **objections, **of("announced_on"),
            }  # fmt: skip
        return None
    if frame.plan_kind not in URBAN_PLANS:
        return None
    if phase.kind in EARLY_STEPS:
        name = "bauleitplan_early" if phase.kind == "early" else "toeb_early"
        return name, {"start": start, **until("end")}
    if phase.kind == "repeated":
        more = of("change_touches_interests", "obvious")
        return "bauleitplan_renewed", {"start": start, **more, **until("end")}
    if phase.kind == "agencies":
        return "toeb_participation", {"request_received": start, **until("announced_end")}
    if phase.kind != "publication":
        return None
    facts = {
        "start": start,
        **of("announced_on", "online_since", "important_reason"),
        **until("announced_end"),
    }
    if frame.variant not in ("simplified", "accelerated"):
        return "bauleitplan_publication", facts
    if known.get("scope") == "affected":
        return "bauleitplan_simplified", {"variant": "affected_public", "start": start, **until("end")}
    return "bauleitplan_simplified", {"variant": "publication_3_2", **facts}


def plan(
    frame: Frame, phases: Sequence[Planned], *, seat: Seat, policy: Policy | None = None
) -> tuple[Scheduled, ...]:
    """Every phase in its order, with what the law says of it and how it fits the others."""
    policy = policy or Policy()
    alone = [_alone(frame, phase, phases, seat, policy) for phase in phases]
    return tuple(_with_findings(each, (*each.findings, *_clashes(each, alone, frame))) for each in alone)


def _with_findings(each: Scheduled, findings: Sequence[Finding]) -> Scheduled:
    order = list(Severity)
    ranked = sorted(findings, key=lambda finding: order.index(finding.severity))
    return Scheduled(
        each.phase, each.answer, each.demands, tuple(ranked), each.proposed_end, each.effective_end
    )


def _finding(code: str, source: str, **facts: Fact) -> Finding:
    return Finding(VERDICTS[code].severity, code, VERDICTS[code].reason, Sentence(code, facts), source)


def _is_reversed(phase: Planned) -> bool:
    return bool(phase.starts_on and phase.ends_on and phase.ends_on < phase.starts_on)


def _alone(frame: Frame, phase: Planned, phases: Sequence[Planned], seat: Seat, policy: Policy) -> Scheduled:
    start, end = phase.starts_on, phase.ends_on
    if _is_reversed(phase):
        assert start is not None
        assert end is not None
        without_end = Planned(
            phase.key, phase.kind, phase.track, start, None, phase.is_formal, phase.repeats, phase.facts
        )
        known = _alone(frame, without_end, phases, seat, policy)
        reversed_dates = _finding("dates_reversed", "BGB §§187, 188", start=start, end=end)
        return Scheduled(phase, known.answer, known.demands, (reversed_dates,), known.proposed_end)
    if end is not None and start is None:
        return Scheduled(phase, findings=(_finding("start_missing", "BGB §187(2)"),))
    answer = None
    if asked := question_of(frame, phase, phases):
        try:
            answer = ask(asked[0], asked[1], seat=seat, policy=policy)
        except Impossible:
            answer = None  # a year for which no calendar is known
    if answer is None:
        return Scheduled(phase, proposed_end=_usual_end(phase, seat))
    findings = list(answer.findings)
    effective = answer.effective_end.day if answer.effective_end and end else None
    minimum, recommended = answer.minimum_end, answer.recommended_end
    if answer.question == "planfeststellung_old" or answer.question == "planfeststellung_change":
        # These periods end by law and are not announced to the engine; a shorter one is held against them here.
        if end and minimum and end < minimum.day:
            findings.append(
                _finding("announced_end_before_minimum", minimum.source, announced=end, minimum=minimum.day)
            )
            effective = None
        elif end and recommended:
            effective = max(recommended.day, seat.working_day_from(end))
    proposed = recommended or minimum
    return Scheduled(
        phase,
        answer,
        tuple(_demands(phase, answer)),
        tuple(findings),
        proposed.day if proposed and phase.kind != "discussion_meeting" else _usual_end(phase, seat),
        effective if effective and end and effective > end else None,
    )


def _usual_end(phase: Planned, seat: Seat) -> date | None:
    """The last day by the length that the template proposes, moved to a working day."""
    days = phase.facts.get("days")
    if not phase.starts_on or not isinstance(days, int) or days < 1:
        return None
    end = phase.starts_on + timedelta(days=days - 1)
    try:
        return seat.working_day_from(end) if days > 1 else end
    except ValueError:
        return None  # no calendar for that year


def _demands(phase: Planned, answer: Answer) -> list[Demand]:
    found: list[Demand] = []

    def demand(code: str, day: date, source: str, *, must: bool = True) -> None:
        found.append(Demand(day, Sentence(code, {"end": day}), source, must))

    start = phase.starts_on
    assert start is not None
    law = answer.minimum_end.source if answer.minimum_end else ""
    if phase.kind in ANNOUNCED and phase.track == "public":
        source = {"display": "VwVfG §27a, §73", "repeated": "BauGB §4a(3)"}.get(phase.kind, "BauGB §3(2) S.4")
        demand("announce_advised", latest_notice(start, _WEEK), source, must=False)
        demand("announce_before", start - _DAY, source)
    results = answer.results
    if isinstance(day := results.get("latest_announcement"), date):
        demand("hearing_notice", day, "VwVfG §73b(2)")
    if isinstance(day := results.get("close_by"), date):
        demand("hearing_close_by", day, "VwVfG §73b", must=False)
    if isinstance(day := results.get("display_start_by"), date):
        demand("display_begins_by", day, "VwVfG §73(1) S.1")
    if isinstance(day := results.get("minimum_display_end"), date):
        demand("display_ends_at_earliest", day, "VwVfG §73")
    if answer.minimum_end and phase.kind != "discussion_meeting":
        demand("earliest_end", answer.minimum_end.day, law)
    if answer.recommended_end and answer.recommended_end != answer.minimum_end:
        recommended = answer.recommended_end
        if not answer.minimum_end or recommended.day != answer.minimum_end.day:
            demand("recommended_last_day", recommended.day, recommended.source, must=False)
    return sorted(found, key=lambda each: each.day)


def _clashes(each: Scheduled, others: Sequence[Scheduled], frame: Frame) -> list[Finding]:
    phase, start = each.phase, each.phase.starts_on
    if start is None:
        return []
    found: list[Finding] = []
    formal = [
        one
        for one in others
        if one.phase.is_formal and one.phase.kind in FORMAL_STEPS and not _is_reversed(one.phase)
    ]
    if phase.kind in ("publication", "agencies") and phase.is_formal:
        for one in others:
            early = one.phase
            same = early.kind in EARLY_STEPS and early.track == phase.track and not _is_reversed(early)
            if same and early.ends_on and early.ends_on >= start:
                source = "BauGB §4(1), §4(2)" if phase.track == "agencies" else "BauGB §3(1), §3(2)"
                found.append(_finding("formal_before_early_ends", source, start=start, end=early.ends_on))
    if phase.kind == "repeated":
        for one in others:
            is_meant = one.phase.key == phase.repeats
            if is_meant and (end := one.last_day) and end >= start and not _is_reversed(one.phase):
                found.append(_finding("repeated_before_end", "BauGB §4a(3)", start=start, end=end))
    if phase.kind == "agencies" and phase.is_formal and phase.ends_on:
        for one in formal:
            public = one.phase
            together = (
                public.kind == "publication"
                and public.starts_on
                and public.ends_on
                and public.starts_on <= phase.ends_on
                and start <= public.ends_on
            )
            if together and public.ends_on and phase.ends_on < public.ends_on:
                found.append(
                    _finding(
                        "agencies_shorter_than_public",
                        "BauGB §4a(2)",
                        end=phase.ends_on,
                        other=public.ends_on,
                    )
                )
    if phase.kind in AFTERWARDS:
        ends = [one.last_day for one in formal if one.last_day and one.last_day >= start]
        if ends:
            source = "VwVfG §74" if frame.plan_kind == "plan_approval" else "BauGB §3(2) S.6, §1(7)"
            found.append(_finding("weighed_before_end", source, start=start, end=max(ends)))
    if phase.kind == "discussion_meeting" and frame.plan_kind == "plan_approval":
        ends = [one.last_day for one in formal if one.phase.kind == "display" and one.last_day]
        if ends and max(ends) >= start:
            found.append(_finding("meeting_before_end", "VwVfG §73b", start=start, end=max(ends)))
    return found


# --- what a change changes --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shift:
    """A day before and after a change: `what` is "starts_on", "ends_on", "effective_end" or the code of a demand."""

    what: str
    before: date | None
    after: date | None


@dataclass(frozen=True)
class Consequence:
    """What a change does to one phase. `phase` is the phase as it will be, or as it was if it is taken out."""

    phase: Planned
    shifts: tuple[Shift, ...] = ()
    new: tuple[Finding, ...] = ()
    gone: tuple[Finding, ...] = ()
    is_new: bool = False
    is_removed: bool = False


def consequences(before: Sequence[Scheduled], after: Sequence[Scheduled]) -> tuple[Consequence, ...]:
    """What is different for each phase, by its key, in the order of the new plan; phases that stay are left out."""
    old = {each.phase.key: each for each in before}
    new = {each.phase.key for each in after}
    found = [_difference(old.get(each.phase.key), each) for each in after]
    found += [
        Consequence(each.phase, gone=each.findings, is_removed=True)
        for each in before
        if each.phase.key not in new
    ]
    return tuple(
        each
        for each in found
        if each.shifts or each.new or each.gone or each.is_removed or (each.is_new and each.phase.starts_on)
    )


def _difference(before: Scheduled | None, after: Scheduled) -> Consequence:
    if before is None:
        return Consequence(after.phase, _shifts(None, after), after.findings, is_new=True)
    return Consequence(
        after.phase,
        _shifts(before, after),
        tuple(each for each in after.findings if each not in before.findings),
        tuple(each for each in before.findings if each.code not in {one.code for one in after.findings}),
    )


def _days(each: Scheduled | None) -> dict[str, date | None]:
    if each is None:
        return {}
    demands = {demand.why.code: demand.day for demand in each.demands}
    return {
        "starts_on": each.phase.starts_on,
        "ends_on": each.phase.ends_on,
        "effective_end": each.effective_end,
        **demands,
    }


def _shifts(before: Scheduled | None, after: Scheduled) -> tuple[Shift, ...]:
    old, new = _days(before), _days(after)
    return tuple(
        Shift(what, old.get(what), new.get(what))
        for what in dict.fromkeys([*new, *old])
        if old.get(what) != new.get(what)
    )


def needs_confirmation(changes: Sequence[Consequence]) -> bool:
    """Whether somebody has to see them first: days of a formal phase that were known already move or go, or something
    grave comes up. Entering clean days for the first time needs nothing."""
    return any(
        any(finding.severity is not Severity.INFO for finding in each.new)
        or (each.phase.is_formal and any(shift.before for shift in each.shifts))
        or (each.phase.is_formal and each.is_removed and each.phase.starts_on is not None)
        for each in changes
    )


def is_blocked(changes: Sequence[Consequence]) -> bool:
    """Whether a change makes something unlawful that was not."""
    return any(finding.severity is Severity.BLOCK for each in changes for finding in each.new)


def proposed_start(
    phases: Sequence[Planned], number: int, *, today: date, seat: Seat, policy: Policy | None = None
) -> date | None:
    """A first day for the phase with this number: after what comes before it, with a week to announce it.

    Phases on the other track run side by side: an agencies' step begins with the public's of the same rank.
    """
    policy = policy or Policy()
    phase = phases[number]
    ends = [each.ends_on for each in phases[:number] if each.track == phase.track and each.ends_on]
    day = max([today + timedelta(days=policy.advised_lead_days + 1), *(end + _DAY for end in ends)])
    partner = {"agencies": "publication", "agencies_early": "early"}.get(phase.kind)
    together = [each.starts_on for each in phases if partner and each.kind == partner and each.starts_on]
    if together:
        day = max(together[-1], today)
    try:
        return seat.working_day_from(day)
    except ValueError:
        return None  # no calendar for that year


__all__ = [
    "Consequence", "Demand", "Frame", "Planned", "Scheduled", "Shift", "consequences", "is_blocked",
    "needs_confirmation", "plan", "proposed_start", "question_of",
]  # fmt: skip
