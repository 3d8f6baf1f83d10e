"""Changes of a running procedure: each with a reason, a journal entry, a public version, and nothing lost."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from consultations import changes, journal, publishing
from consultations.changes import Dates, Repetition
from consultations.deadlines import PhaseState
from consultations.phases import Announce, Phase, phases_of
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from tests import cast
from tests.cast import ENDS, NOW, STARTS

SEAT = Seat("BY", ("public", "catholic"))


@pytest.fixture
def town(session: Session) -> cast.Town:
    return cast.found(session)


@pytest.fixture
def phase(session: Session, town: cast.Town) -> Phase:
    return phases_of(session, town.procedure.id or 0)[0]


def told(town: cast.Town, **more: Any) -> dict[str, Any]:
    """What every verb wants to know."""
    usual = {
        "by": town.planner,
        "now": NOW,
        "note": "Server stand still",
        "expected_version": town.procedure.version,
    }
    return {**usual, **more}


def verbs(session: Session) -> list[str]:
    return [
        row.verb for row in session.exec(select(journal.JournalEntry).order_by(journal.JournalEntry.id)).all()
    ]  # type: ignore[arg-type]


def test_an_extension_remembers_the_first_end_and_wants_to_be_announced(
    session: Session, town: cast.Town, phase: Phase
) -> None:
    extend = changes.extend
    before = town.procedure.version
    extend(session, town.procedure, phase, date(2027, 3, 13), seat=SEAT, **told(town))  # a Saturday
    assert (phase.ends_on, phase.effective_end) == (date(2027, 3, 13), date(2027, 3, 15))
    extend(session, town.procedure, phase, date(2027, 3, 31), seat=SEAT, **told(town))
    assert (phase.course.extended_from, phase.course.announce) == (ENDS, Announce.EXTENSION)
    assert town.procedure.version == before + 2
    newest = publishing.versions_of(session, town.procedure.id or 0)[0]
    assert (newest.note, newest.snapshot["phases"][0]["ends_on"]) == ("Server stand still", "2027-03-31")
    assert verbs(session)[-4:] == ["phase_extended", "procedure_changed"] * 2


@pytest.mark.parametrize(
    ("changed", "more", "code"),
    [
        ({"ends_on": ENDS}, {}, Code.END_NOT_LATER),
        ({}, {"note": " "}, Code.REASON_REQUIRED),
        ({}, {"expected_version": 99}, Code.CHANGED_MEANWHILE),
        ({}, {"now": NOW + timedelta(days=60)}, Code.NOT_RUNNING),
        ({}, {"now": NOW - timedelta(days=60)}, Code.NOT_RUNNING),
    ],
)
def test_an_extension_that_is_none_is_refused(
    session: Session, town: cast.Town, phase: Phase, changed: dict[str, Any], more: dict[str, Any], code: Code
) -> None:
    with pytest.raises(Refusal) as refused:
        changes.extend(
            session,
            town.procedure,
            phase,
            changed.get("ends_on", date(2027, 3, 31)),
            seat=SEAT,
            **told(town, **more),
        )
    assert refused.value.code is code
    assert phase.ends_on == ENDS


def test_nobody_may_extend_into_the_decision(session: Session, town: cast.Town, phase: Phase) -> None:
    council = Phase(
        procedure_id=town.procedure.id or 0, kind="resolution", starts_on=date(2027, 3, 20), position=9
    )
    session.add(council)
    session.flush()
    with pytest.raises(Refusal) as refused:
        changes.extend(session, town.procedure, phase, date(2027, 3, 31), seat=SEAT, **told(town))
    assert refused.value.code is Code.UNLAWFUL_DATES
    session.refresh(phase)
    assert phase.ends_on == ENDS


def test_between_interruption_and_resumption_statements_are_taken_and_in_time(
    session: Session, town: cast.Town, phase: Phase
) -> None:
    changes.interrupt(session, town.procedure, phase, **told(town))
    assert phase.course.is_interrupted
    assert (phase.ends_on, phase.course.end_before) == (None, ENDS)
    late = NOW + timedelta(days=40)  # long after the end that was announced first
    assert phase.state(late) is PhaseState.OPEN
    made = town.hand_in(session, now=late)
    assert (made.phase_id, made.is_late) == (phase.id, False)
    with pytest.raises(Refusal):
        changes.interrupt(session, town.procedure, phase, **told(town))
    begin = date(2027, 4, 5)
    with pytest.raises(Refusal) as short:
        changes.resume(
            session, town.procedure, phase, Dates(begin, date(2027, 4, 20)), seat=SEAT, **told(town, now=late)
        )
    assert short.value.code is Code.UNLAWFUL_DATES  # the whole month again, not what was left of it
    changes.resume(
        session, town.procedure, phase, Dates(begin, date(2027, 5, 4)), seat=SEAT, **told(town, now=late)
    )
    assert (phase.starts_on, phase.ends_on) == (begin, date(2027, 5, 4))
    assert (phase.course.began_on, phase.course.announce) == (STARTS, Announce.RESUMPTION)
    assert phase.state(late) is PhaseState.OPEN  # before the new first day as well
    assert phase.state(datetime(2027, 5, 5, 0, 0, 1, tzinfo=NOW.tzinfo)) is PhaseState.OVER
    assert "phase_interrupted" in verbs(session)
    assert "phase_resumed" in verbs(session)


def test_a_phase_that_ends_early_ends_with_the_day(session: Session, town: cast.Town, phase: Phase) -> None:
    changes.end_early(session, town.procedure, phase, **told(town))
    assert (phase.ends_on, phase.course.ended_early_on) == (date(2027, 2, 16), date(2027, 2, 16))
    assert phase.course.end_before == ENDS
    assert phase.state(NOW) is PhaseState.OPEN
    assert phase.state(NOW + timedelta(days=1)) is PhaseState.OVER


ANSWERS = Repetition(
    what_changed="Baugrenze im Norden", reason="Nachbar stärker betroffen", touches_interests=True, is_obvious=False,
    touches_basics=False, starts_on=date(2027, 3, 8), ends_on=date(2027, 3, 22), limited_to="Nur die Baugrenze im Norden",
    with_agencies=True,
)  # fmt: skip


def repeat(session: Session, town: cast.Town, phase: Phase, entered: Repetition) -> Phase | None:
    facts = {name: value for name, value in told(town).items() if name != "note"}
    return changes.repeat(session, town.procedure, phase, entered, seat=SEAT, **facts)


def test_a_repetition_follows_what_it_repeats_and_says_what_is_open(
    session: Session, town: cast.Town, phase: Phase
) -> None:
    made = repeat(session, town, phase, ANSWERS)
    assert made
    rows = phases_of(session, town.procedure.id or 0)
    assert [(row.kind, row.track) for row in rows] == [
        ("publication", "public"), ("repeated", "public"), ("repeated", "agencies"), ("weighing", "public"),
    ]  # fmt: skip
    assert (made.repeats_id, made.limited_to) == (phase.id, "Nur die Baugrenze im Norden")
    assert (made.facts["scope"], made.opens) == ("affected", ["statement"])
    entry = session.exec(
        select(journal.JournalEntry).where(journal.JournalEntry.verb == "phase_repeated")
    ).one()
    assert entry.facts["what_changed"] == "Baugrenze im Norden"


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"starts_on": ENDS}, Code.UNLAWFUL_DATES),  # not before the first is over
        ({"ends_on": date(2027, 3, 7)}, Code.DATES_REVERSED),
        ({"starts_on": None}, Code.RENEWAL_NEEDED),
        ({"reason": ""}, Code.REASON_REQUIRED),
        ({"what_changed": ""}, Code.REASON_REQUIRED),
    ],
)
def test_a_repetition_without_what_it_needs_is_refused(
    session: Session, town: cast.Town, phase: Phase, answers: dict[str, Any], code: Code
) -> None:
    with pytest.raises(Refusal) as refused:
        repeat(session, town, phase, replace(ANSWERS, **answers))
    assert refused.value.code is code
    assert len(phases_of(session, town.procedure.id or 0)) == 2


def test_a_typing_error_asks_nobody_again_but_its_reason_is_kept(
    session: Session, town: cast.Town, phase: Phase
) -> None:
    typo = replace(
        ANSWERS, touches_interests=False, is_obvious=True, reason="Nur ein Schreibfehler", starts_on=None
    )
    assert repeat(session, town, phase, typo) is None
    entry = session.exec(
        select(journal.JournalEntry).where(journal.JournalEntry.verb == "renewal_not_needed")
    ).one()
    assert (entry.facts["note"], entry.facts["is_obvious"]) == ("Nur ein Schreibfehler", True)
    assert len(phases_of(session, town.procedure.id or 0)) == 2
