"""A computation with its proof: what was counted, from which rule, and what is to know about it.

`Computation` is handed to every question of `legal_periods`; it counts, shifts and judges by the rules, and notes each
step and finding with its source. `Answer` is what comes out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from consultations.deadlines import earliest_event, event_counted, full_days_between, start_counted
from consultations.law import ENGINE_VERSION, Both, Counting, Length, Policy, Rule, Severity, Shift
from consultations.reasons import VERDICTS, Fact, Sentence, kind_of_day
from consultations.seats import Seat

_DAY = timedelta(days=1)

Result = date | datetime | str | int | bool | list[str] | None


class Impossible(ValueError):
    """An input no answer exists for; says which field and why."""

    def __init__(self, why: str, field: str | None = None) -> None:
        self.field = field
        self.why = why
        super().__init__(f"{field}: {why}" if field else why)


@dataclass(frozen=True)
class Step:
    """One step of a computation: what follows from which source."""

    why: Sentence
    source: str


@dataclass(frozen=True)
class Finding:
    """Something to know before going on; BLOCK cannot be passed, WARN needs a recorded reason."""

    severity: Severity
    code: str
    reason: str
    why: Sentence
    source: str


@dataclass(frozen=True)
class End:
    """An end of a period (its last day), with the sentence why and its source."""

    day: date
    why: Sentence
    source: str


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    `minimum_end` is the earliest lawful last day, `recommended_end` the safe one, `effective_end` the day until
    which statements are in time (None while no end is announced, and when the announced one is blocked).
    `results` holds everything by the names of the JSON interface.
    """

    question: str
    law_versions: tuple[str, ...]
    results: Mapping[str, Result]
    minimum_end: End | None
    recommended_end: End | None
    effective_end: End | None
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    #: Fields of the input that this question does not use.
    unused: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity | None:
        """The gravest severity among the findings, None without any."""
        order = list(Severity)
        return min((finding.severity for finding in self.findings), key=order.index, default=None)

    def as_data(self) -> dict[str, Any]:
        """The results as JSON values: days and moments as ISO 8601 text, moments with the offset of Berlin."""
        return {name: _plain(value) for name, value in self.results.items()}

    def explanation(self) -> dict[str, Any]:
        """Ends, findings and steps as JSON values with both languages: what a certificate stores as proof."""

        def said(why: Sentence, source: str) -> dict[str, str]:
            return {"de": why.text("de"), "en": why.text("en"), "source": source}

        return {
            "engine_version": ENGINE_VERSION,
            "law_versions": list(self.law_versions),
            **{
                name: None if end is None else {"day": end.day.isoformat(), **said(end.why, end.source)}
                for name, end in (
                    ("minimum_end", self.minimum_end),
                    ("recommended_end", self.recommended_end),
                    ("effective_end", self.effective_end),
                )
            },
            "findings": [
                {"severity": one.severity.value, "code": one.code, **said(one.why, one.source)}
                for one in self.findings
            ],
            "steps": [said(step.why, step.source) for step in self.steps],
        }


def _plain(value: Result) -> Any:
    return value.isoformat() if isinstance(value, date) else value


@dataclass
class Computation:
    """Collects the steps and findings of one answer; everything that is counted is counted here.

    `judged` says that something the municipality chose was held against the law, so that the answer has a verdict.
    """

    seat: Seat
    policy: Policy
    results: dict[str, Result] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    minimum_end: End | None = None
    recommended_end: End | None = None
    effective_end: End | None = None
    judged: bool = False

    def step(self, code: str, source: str, **facts: Fact) -> None:
        self.steps.append(Step(Sentence(code, facts), source))

    def find(self, code: str, source: str, **facts: Fact) -> None:
        verdict = VERDICTS[code]
        finding = Finding(verdict.severity, code, verdict.reason, Sentence(code, facts), source)
        if finding not in self.findings:
            self.findings.append(finding)

    def use(self, law: Rule, on: date | None = None) -> Rule:
        """Note a rule as used, and what is to know about its version on the day in question."""
        if law not in self.rules:
            self.rules.append(law)
        if on is not None and law.in_force_from is not None and on < law.in_force_from:
            self.find(
                "law_not_yet_in_force", law.source, version=law.law_version, since=law.in_force_from, day=on
            )
        if on is not None and law.in_force_until is not None and on > law.in_force_until:
            self.find("law_by_choice_only", law.source, version=law.law_version, until=law.in_force_until)
        if not law.verified:
            self.find("law_not_verified", law.source)
        return law

    def kind(self, day: date) -> Both:
        return kind_of_day((self.seat.holiday(day, "de"), self.seat.holiday(day, "en")))

    def from_start(self, law: Rule, first_day: date) -> date:
        length = length_of(law)
        end = start_counted(first_day, length)
        self.step("counted_from_start", law.counting_source, start=first_day, length=length, end=end)
        return end

    def from_event(self, law: Rule, event: date) -> date:
        length = length_of(law)
        end = event_counted(event, length)
        self.step("counted_from_event", law.counting_source, event=event, length=length, end=end)
        return end

    def after_display(self, law: Rule, display_end: date) -> tuple[date, date, date]:
        """A period after a display: the reading of §187(2), that of §187(1), and the one that counts."""
        length = length_of(law)
        counted, event = start_counted(display_end + _DAY, length), event_counted(display_end, length)
        end = max(counted, event) if self.policy.later_reading_after_display else min(counted, event)
        if counted == event:
            self.step("after_display", law.basis, length=length, end=end)
        else:
            self.step(
                "two_readings_after", law.basis, length=length, counted=counted, event_counted=event, end=end
            )
        return counted, event, end

    def minimum(self, law: Rule, base: date) -> tuple[date, date | None, date]:
        """Month end, end of the floor in days (None without a floor) and the later of both."""
        end = self.from_start(law, base) if law.counting is Counting.START else self.from_event(law, base)
        floor_end = None
        minimum = end
        if law.floor_days is not None:
            counted = start_counted if law.counting is Counting.START else event_counted
            floor_end = counted(base, Length(days=law.floor_days))
            minimum = max(end, floor_end)
            self.step("floor", law.source, days=law.floor_days, end=floor_end)
            self.step("later_end", law.source, end=minimum)
        self.minimum_end = End(minimum, Sentence("minimum", {"end": minimum}), law.basis)
        return end, floor_end, minimum

    def shifted(self, law: Rule, day: date, seat: Seat | None = None) -> date:
        """The day, or the next working day where the rule shifts; written down as a step."""
        seat = seat or self.seat
        if seat.is_working_day(day):
            self.step("working_day", law.shift_source, end=day)
            return day
        kind = kind_of_day((seat.holiday(day, "de"), seat.holiday(day, "en")))
        shifts = law.shift is Shift.NEXT_WORKING_DAY or (
            law.shift is Shift.CONTESTED and self.policy.shift_publication_end
        )
        if not shifts:
            self.step("not_shifted", law.shift_source, day=day, kind=kind)
            return day
        end = seat.working_day_from(day)
        code = "shifted_contested" if law.shift is Shift.CONTESTED else "shifted"
        self.step(code, law.shift_source, day=day, kind=kind, end=end)
        return end

    def recommend(self, law: Rule, day: date, seat: Seat | None = None) -> date:
        end = self.shifted(law, day, seat)
        self.recommended_end = End(end, self.steps[-1].why, law.shift_source)
        if closed := self.seat.closing_day(end):
            self.find("closing_day", law.source, day=end, name=closed)
        return end

    def effective(self, end: date, source: str) -> None:
        self.effective_end = End(end, Sentence("effective", {"end": end}), source)

    def statutory(self, law: Rule, unshifted: date, seat: Seat | None = None) -> date:
        """A period nobody announces: it ends by law, shifted where the rule shifts."""
        self.minimum_end = End(unshifted, self.steps[-1].why, law.basis)
        end = self.recommend(law, unshifted, seat)
        self.effective(end, law.source)
        return end

    def judge_announced(self, law: Rule, announced: date | None, minimum: date) -> None:
        """Hold an announced end against the minimum: shorter is BLOCK, longer binds (both R-2.4)."""
        if announced is None:
            return
        self.judged = True
        self.step("announced", law.source, end=announced)
        if announced < minimum:
            if law.severity is Severity.BLOCK:
                self.find("announced_end_before_minimum", law.source, announced=announced, minimum=minimum)
                self.results["effective_end"] = None
                return
            self.find("announced_end_short", law.source, announced=announced, minimum=minimum)
        end = self.shifted(law, announced)
        if end != announced:
            self.find(
                "announced_end_on_non_working_day",
                law.source, announced=announced, kind=self.kind(announced), effective=end,
            )  # fmt: skip
        self.step("effective", law.source, end=end)
        self.effective(end, law.source)
        self.results["effective_end"] = end

    def judge_lead(self, law: Rule, announced_on: date | None, start: date) -> None:
        """Hold the day of an announcement against the start: before it, and if the rule says so, a week before."""
        if announced_on is None:
            return
        self.judged = True
        days = full_days_between(announced_on, start)
        if announced_on >= start:
            self.find("announcement_not_before_start", law.source, announced=announced_on, start=start)
        elif law.counting is Counting.BACKWARD and earliest_event(announced_on, length_of(law)) > start:
            self.find(
                "lead_too_short",
                law.source, announced=announced_on, event=start, days=days, length=length_of(law),
            )  # fmt: skip
        elif law.counting is not Counting.BACKWARD and days < self.policy.advised_lead_days:
            self.find("lead_under_one_week", law.source, announced=announced_on)

    def free_period(self, law: Rule, start: date | None, end: date | None, short: str) -> None:
        """A period without a statutory minimum: its days, and whether it is unusually short."""
        self.step("no_statutory_period", law.source)
        self.results["statutory_minimum"] = None
        if start is None or end is None:
            return
        if end < start:
            raise Impossible("the end is before the start", "end")
        days = (end - start).days + 1
        self.judged = True
        self.step("days_open", law.source, start=start, end=end, days=days)
        self.results["days"] = days
        if days < self.policy.advised_free_period_days:
            self.find(short, law.source, days=days, advised=self.policy.advised_free_period_days)
        self.effective(end, law.source)

    def answer(self, question: str, unused: tuple[str, ...]) -> Answer:
        results = dict(self.results)
        listed = [one.code for one in self.findings if VERDICTS[one.code].listed]
        if listed:
            results["warnings"] = listed
        if self.judged:
            grave = [one for one in self.findings if one.severity is not Severity.INFO]
            grave.sort(key=lambda one: list(Severity).index(one.severity))
            results["validation"] = grave[0].severity.value if grave else "OK"
            if grave:
                results["reason"] = grave[0].reason
        versions = dict.fromkeys(law.law_version for law in self.rules)
        return Answer(
            question, tuple(versions), results, self.minimum_end, self.recommended_end, self.effective_end,
            tuple(self.findings), tuple(self.steps), unused,
        )  # fmt: skip


def length_of(law: Rule) -> Length:
    """The length of a rule that has one. Raises ValueError for a rule without a statutory period."""
    if law.length is None:
        raise ValueError(f"{law.key} has no length")
    return law.length
