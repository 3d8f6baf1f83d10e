"""A whole procedure against the law: the question of each phase, what is due, what clashes, what a change changes."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consultations import checks
from consultations.announcements import Entered, case_of
from consultations.computation import Impossible
from consultations.law import Severity
from consultations.periods import ask_about
from consultations.phases import Opens, Phase, PhaseKind, Track
from consultations.procedures import PlanKind, PlanVariant, Procedure
from consultations.schedule import (
    Frame,
    Planned,
    Scheduled,
    consequences,
    is_blocked,
    needs_confirmation,
    plan,
    proposed_start,
    question_of,
)
from consultations.seats import Seat
from consultations.templates import NEW_VWVFG, OLD_VWVFG, TEMPLATES, Template

SEAT = Seat("BY", ("public", "catholic"))
START = date(2027, 2, 1)
NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)


def laid_out(template: Template, start: date = START) -> tuple[Frame, list[Planned]]:
    """The template's steps, all beginning on one day."""
    frame = Frame(template.plan_kind, template.variant, template.law_version)
    steps = [
        Planned(str(number), step.kind, step.track, start, None, step.is_formal, facts=step.facts)
        for number, step in enumerate(template.steps)
    ]
    return frame, steps


def codes(each: Scheduled) -> set[str]:
    return {finding.code for finding in each.findings}


def publication(ends: date | None = None, **facts: object) -> Planned:
    return replace(Planned("p", "publication", "public", START, ends, is_formal=True), **facts)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.key)
def test_templates_speak_the_words_of_the_house_and_name_the_question_that_governs_them(
    template: Template,
) -> None:
    assert template.plan_kind in list(PlanKind)
    assert template.variant in list(PlanVariant)
    frame, phases = laid_out(template)
    for step, phase in zip(template.steps, phases, strict=True):
        assert step.kind in list(PhaseKind)
        assert step.track in list(Track)
        assert set(step.opens) <= set(Opens)
        asked = question_of(frame, phase, phases)
        assert (asked[0] if asked else "") == step.question
    answered = [each for each in plan(frame, phases, seat=SEAT) if each.answer]
    assert len(answered) == sum(bool(step.question) for step in template.steps)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: each.key)
def test_checks_and_certificates_ask_the_question_that_the_schedule_asks(template: Template) -> None:
    procedure = Procedure(
        municipality_id=1, key="P", slug="p", template=template.key, template_version=template.version, title="P",
        plan_kind=template.plan_kind, variant=template.variant, law_version=template.law_version, created_at=NOW,
    )  # fmt: skip
    frame, phases = laid_out(template)
    for each in phases:
        asked = question_of(frame, each)
        row = Phase(
            procedure_id=1, kind=each.kind, track=each.track, starts_on=START, is_formal=each.is_formal
        )
        if asked is None:
            with pytest.raises(Impossible):
                ask_about(procedure, row, SEAT)
            continue
        assert ask_about(procedure, row, SEAT).question == asked[0]
        if each.track == "public" and each.kind in ("early", "publication", "repeated", "display"):
            case = case_of(procedure, row, [row], Entered())
            answer = checks.period(case, START, None, seat=SEAT, facts=row.facts)
            assert answer is not None
            assert answer.question == asked[0]


def test_the_display_under_old_law_does_not_end_with_the_objections() -> None:
    """A month of display and two weeks: the certificate must not count two more weeks from the end of the phase."""
    procedure = Procedure(
        municipality_id=1, key="P", slug="p", template="plan_approval_old", template_version="x", title="P",
        plan_kind="plan_approval", law_version=OLD_VWVFG, created_at=NOW,
    )  # fmt: skip
    row = Phase(
        procedure_id=1, kind="display", starts_on=date(2026, 3, 2), ends_on=date(2026, 4, 15), is_formal=True
    )
    answer = ask_about(procedure, row, SEAT)
    assert answer.results["objection_end"] == date(2026, 4, 15)


def test_regular_plans_ask_public_and_agencies_early_and_formally() -> None:
    for key in ("development_plan_regular", "development_plan_project", "land_use_plan"):
        (template,) = (each for each in TEMPLATES if each.key == key)
        kinds = {(step.track, step.kind) for step in template.steps}
        assert {
            ("public", "early"), ("agencies", "agencies_early"), ("public", "publication"), ("agencies", "agencies"),
        } <= kinds  # fmt: skip


def test_a_body_that_a_town_keeps_gives_the_template_back() -> None:
    for template in TEMPLATES:
        assert template.with_body(template.as_body(), template.version) == template


def test_the_last_day_is_proposed_and_the_announcement_is_due_before_the_first() -> None:
    (only,) = plan(Frame(), [publication()], seat=SEAT)
    assert only.proposed_end == date(2027, 3, 2)
    dues = {due.why.code: (due.day, due.must) for due in only.demands}
    assert dues["announce_before"] == (date(2027, 1, 31), True)
    assert dues["announce_advised"] == (date(2027, 1, 24), False)
    assert dues["earliest_end"] == (date(2027, 3, 2), True)
    assert only.demands[-1].why.text("de") == "Frühester letzter Tag: Dienstag, 2. März 2027."


def test_agencies_count_from_the_request_which_gives_them_a_day_more() -> None:
    public, agencies = plan(
        Frame(), [publication(), Planned("a", "agencies", "agencies", START, None, True)], seat=SEAT
    )
    assert (public.proposed_end, agencies.proposed_end) == (date(2027, 3, 2), date(2027, 3, 3))


def test_what_the_plan_approval_asks_follows_the_law_chosen() -> None:
    display = Planned("d", "display", "public", date(2026, 10, 5), date(2026, 11, 10), True)
    meeting = Planned("m", "discussion_meeting", "public", date(2026, 11, 12), date(2026, 11, 12), True)
    new = plan(Frame("plan_approval", law_version=NEW_VWVFG), [display, meeting], seat=SEAT)
    old = plan(Frame("plan_approval", law_version=OLD_VWVFG), [display, meeting], seat=SEAT)
    # New law: six weeks from the display; old law: a month, and two weeks after it.
    assert codes(new[0]) >= {"announced_end_before_minimum"}
    assert codes(old[0]) >= {"announced_end_before_minimum"}
    assert (new[0].proposed_end, old[0].proposed_end) == (date(2026, 11, 16), date(2026, 11, 18))
    (due,) = (due for due in new[1].demands if due.why.code == "hearing_notice")
    assert due.day == date(2026, 11, 4)
    late = replace(meeting, starts_on=date(2026, 11, 10), ends_on=date(2026, 11, 10))
    clash = plan(Frame("plan_approval", law_version=NEW_VWVFG), [display, late], seat=SEAT)
    assert "meeting_before_end" in codes(clash[1])


def test_informal_procedures_have_no_period_but_a_usual_length() -> None:
    ideas = Planned("i", "co_creation", "public", START, facts={"days": 42})
    (only,) = plan(Frame("dialogue"), [ideas], seat=SEAT)
    assert (only.answer, only.findings, only.proposed_end) == (None, (), date(2027, 3, 15))


@pytest.mark.parametrize(
    ("first", "second", "code", "severity"),
    [
        (
            Planned("e", "early", "public", date(2027, 1, 4), date(2027, 2, 1), True),
            publication(date(2027, 3, 2)), "formal_before_early_ends", Severity.WARN,
        ),
        (
            publication(date(2027, 3, 2)),
            Planned("r", "repeated", "public", date(2027, 3, 2), date(2027, 3, 20), True, repeats="p"),
            "repeated_before_end", Severity.BLOCK,
        ),
        (
            publication(date(2027, 3, 6)),  # a Saturday: in time until Monday
            Planned("w", "resolution", "public", date(2027, 3, 8)), "weighed_before_end", Severity.BLOCK,
        ),
        (
            publication(date(2027, 3, 31)),
            Planned("a", "agencies", "agencies", START, date(2027, 3, 3), True),
            "agencies_shorter_than_public", Severity.INFO,
        ),
    ],
)  # fmt: skip
def test_phases_that_clash_say_so_and_a_day_later_they_do_not(
    first: Planned, second: Planned, code: str, severity: Severity
) -> None:
    found = [one for one in plan(Frame(), [first, second], seat=SEAT)[1].findings if one.code == code]
    assert [one.severity for one in found] == [severity]
    assert second.starts_on is not None
    later = replace(
        second,
        starts_on=second.starts_on + timedelta(days=1),
        ends_on=second.ends_on and second.ends_on + timedelta(days=28),
    )
    assert code not in codes(plan(Frame(), [first, later], seat=SEAT)[1])


def test_reversed_days_are_named_and_do_not_stop_the_others() -> None:
    wrong = publication(date(2027, 1, 1))
    right = Planned("a", "agencies", "agencies", START, date(2027, 3, 3), True)
    found = plan(Frame(), [wrong, right], seat=SEAT)
    assert codes(found[0]) == {"dates_reversed"}
    assert found[0].proposed_end == date(2027, 3, 2)
    assert found[1].answer is not None


def test_a_moved_day_shows_what_moves_with_it_and_what_comes_up() -> None:
    meeting = Planned("w", "resolution", "public", date(2027, 4, 1), date(2027, 4, 1))
    before = plan(Frame(), [publication(date(2027, 3, 2)), meeting], seat=SEAT)
    after = plan(
        Frame(), [replace(publication(date(2027, 4, 3)), starts_on=date(2027, 3, 1)), meeting], seat=SEAT
    )
    moved, clash = consequences(before, after)
    shifts = {shift.what: (shift.before, shift.after) for shift in moved.shifts}
    assert shifts["earliest_end"] == (date(2027, 3, 2), date(2027, 3, 31))
    assert shifts["effective_end"] == (None, date(2027, 4, 5))
    assert shifts["announce_before"] == (date(2027, 1, 31), date(2027, 2, 28))
    assert [one.code for one in clash.new] == ["weighed_before_end"]
    assert needs_confirmation((moved, clash))
    assert is_blocked((moved, clash))
    (back,) = (each for each in consequences(after, before) if each.phase.key == "w")
    assert [one.code for one in back.gone] == ["weighed_before_end"]


def test_clean_days_entered_for_the_first_time_need_no_second_look() -> None:
    before = plan(Frame(), [replace(publication(), starts_on=None)], seat=SEAT)
    assert not needs_confirmation(
        consequences(before, plan(Frame(), [publication(date(2027, 3, 2))], seat=SEAT))
    )
    short = plan(Frame(), [publication(date(2027, 3, 1))], seat=SEAT)
    assert needs_confirmation(consequences(before, short))
    assert needs_confirmation(consequences(short, []))  # a dated formal phase is taken out


days = st.dates(date(2024, 1, 1), date(2030, 12, 31))
frames = st.builds(
    Frame,
    st.sampled_from(PlanKind),
    st.sampled_from(PlanVariant),
    st.sampled_from(["", OLD_VWVFG, NEW_VWVFG]),
)


@st.composite
def procedures_of_any_kind(draw: st.DrawFn) -> list[Planned]:
    return [
        Planned(
            str(number), draw(st.sampled_from(PhaseKind)), draw(st.sampled_from(Track)),
            draw(st.none() | days), draw(st.none() | days), draw(st.booleans()),
            draw(st.none() | st.sampled_from("0123")),
        )
        for number in range(draw(st.integers(0, 4)))
    ]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(frames, procedures_of_any_kind())
def test_any_procedure_can_be_planned_and_what_is_proposed_is_lawful(
    frame: Frame, phases: list[Planned]
) -> None:
    found = plan(frame, phases, seat=SEAT)
    assert [each.phase for each in found] == phases
    assert consequences(found, found) == ()
    for each in found:
        for finding in each.findings:
            assert finding.why.text("de")
            assert finding.why.text("en")
            assert finding.source
        if each.proposed_end and each.answer:
            assert SEAT.is_working_day(each.proposed_end) or each.phase.kind == "discussion_meeting"
        if each.effective_end:
            assert each.phase.ends_on is not None
            assert each.effective_end > each.phase.ends_on
    # Taking every proposal leaves nothing that the periods forbid.
    taken = [
        replace(each.phase, ends_on=each.proposed_end) if each.proposed_end and each.answer else each.phase
        for each in found
    ]
    periods = {"announced_end_before_minimum", "dates_reversed"}
    for each in plan(frame, taken, seat=SEAT):
        if each.answer and each.phase.ends_on == each.proposed_end:
            assert not codes(each) & periods


@settings(max_examples=60, deadline=None)
@given(days, st.integers(0, 3))
def test_a_proposed_first_day_is_a_working_day_after_what_comes_before(today: date, gap: int) -> None:
    early = Planned("e", "early", "public", today, today + timedelta(days=20 * gap), True)
    start = proposed_start([early, replace(publication(), starts_on=None)], 1, today=today, seat=SEAT)
    assert start is not None
    assert SEAT.is_working_day(start)
    assert early.ends_on is not None
    assert start > early.ends_on
    assert (start - today).days >= 8  # a week lies between announcement and start
