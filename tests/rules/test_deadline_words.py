"""Until when one can take part, in words: right in every state, at midnight, and when the clocks change."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from consultations.deadlines import LEGAL_TIME
from consultations.phases import Course, Phase, PhaseKind
from consultations.procedures import Procedure
from participation.overview import Deadline, deadline

FIRST, LAST = date(2027, 2, 1), date(2027, 3, 2)


def phase(kind: str = PhaseKind.PUBLICATION, ends: date | None = LAST, **facts: object) -> Phase:
    made = Phase(
        procedure_id=1, kind=kind, starts_on=FIRST, ends_on=ends, opens=["statement"], is_formal=True,
        effective_end=facts.pop("effective_end", None), limited_to=facts.pop("limited_to", ""),
        released_at=datetime(2027, 1, 20, 9, 0, tzinfo=UTC),
    )  # fmt: skip
    if facts:
        made.course = replace(Course(), **facts)  # type: ignore[arg-type]
    return made


def said(day: date, each: Phase, language: str = "de", clock: str = "12:00:00") -> Deadline:
    hours, minutes, seconds = map(int, clock.split(":"))
    now = datetime(day.year, day.month, day.day, hours, minutes, seconds, tzinfo=LEGAL_TIME)
    procedure = Procedure(
        municipality_id=1, key="B", slug="b", template="t", template_version="1", title="B", state="published",
        created_at=now,
    )  # fmt: skip
    found = deadline(procedure, [each], now.astimezone(UTC), language)
    assert found
    return found


@pytest.mark.parametrize(
    ("day", "clock", "state", "german", "english"),
    [
        (date(2027, 1, 31), "23:59:59", "soon",
         ("Sie können bald mitmachen", "von Montag, 1. Februar 2027 bis Dienstag, 2. März 2027, 24 Uhr"),
         ("You can take part soon", "from Monday, 1 February 2027 until Tuesday, 2 March 2027, 24:00")),
        (date(2027, 2, 1), "00:00:00", "open",
         ("Sie können jetzt mitmachen", "bis Dienstag, 2. März 2027, 24 Uhr, noch 29 Tage"),
         ("You can take part now", "until Tuesday, 2 March 2027, 24:00, 29 days left")),
        (date(2027, 3, 1), "12:00:00", "open",
         ("Sie können jetzt mitmachen", "bis Dienstag, 2. März 2027, 24 Uhr, noch 1 Tag"),
         ("You can take part now", "until Tuesday, 2 March 2027, 24:00, 1 day left")),
        (date(2027, 3, 2), "23:59:59", "open",
         ("Heute ist der letzte Tag", "nur noch heute, Dienstag, 2. März 2027, bis 24 Uhr"),
         ("Today is the last day", "only today, Tuesday, 2 March 2027, until 24:00")),
        (date(2027, 3, 3), "00:00:00", "late",
         ("Die Frist ist vorbei", "Sie endete gestern, Dienstag, 2. März 2027, um 24 Uhr."),
         ("The period has ended", "It ended yesterday, Tuesday, 2 March 2027, at 24:00.")),
        (date(2027, 3, 4), "00:00:00", "late",
         ("Die Frist ist vorbei", "Sie endete am Dienstag, 2. März 2027 um 24 Uhr."),
         ("The period has ended", "It ended on Tuesday, 2 March 2027, 24:00.")),
    ],
)  # fmt: skip
def test_every_state_of_a_period_that_runs_as_announced(
    day: date, clock: str, state: str, german: tuple[str, str], english: tuple[str, str]
) -> None:
    for language, (title, when) in (("de", german), ("en", english)):
        found = said(day, phase(), language, clock)
        assert (found.state, found.when, found.notes) == (state, when, ())
        assert found.title.startswith(title)


@pytest.mark.parametrize("last", [date(2027, 3, 28), date(2027, 10, 31)])  # 23 and 25 hours long
def test_the_days_on_which_the_clocks_change_end_at_midnight_like_any_other(last: date) -> None:
    each = phase(ends=last)
    assert said(last - timedelta(days=1), each).when.endswith("24 Uhr, noch 1 Tag")
    assert said(last, each, clock="00:00:00").when.startswith("nur noch heute")
    assert said(last, each, clock="23:59:59").state == "open"
    assert said(last + timedelta(days=1), each, clock="00:00:00").when.startswith("Sie endete gestern")


def test_a_weekend_moves_the_end_and_says_why() -> None:
    each = phase(ends=date(2027, 3, 6), effective_end=date(2027, 3, 8))
    found = said(date(2027, 3, 7), each)
    assert found.when == "bis Montag, 8. März 2027, 24 Uhr, noch 1 Tag"
    assert found.notes == (
        "Der bekannt gemachte letzte Tag, Samstag, 6. März 2027, ist kein Werktag. Deshalb ist alles fristgerecht, "
        "was bis Montag, 8. März 2027, 24 Uhr, eingeht.",
    )
    assert said(date(2027, 3, 8), each).title == "Heute ist der letzte Tag"
    assert "is no working day" in said(date(2027, 3, 7), each, "en").notes[0]


@pytest.mark.parametrize(
    ("each", "title", "when", "note"),
    [
        (phase(extended_from=date(2027, 2, 20)), "Sie können jetzt mitmachen",
         "bis Dienstag, 2. März 2027, 24 Uhr, noch 14 Tage",
         "Verlängert: Letzter Tag war zunächst Samstag, 20. Februar 2027."),
        (phase(ends=None, interrupted_on=date(2027, 2, 10), end_before=LAST), "Die Beteiligung ist unterbrochen",
         "Seit Mittwoch, 10. Februar 2027 unterbrochen. Die neuen Termine geben wir hier bekannt.",
         "Was Sie eingereicht haben, zählt."),
        (phase(interrupted_on=date(2027, 2, 3), resumed_on=FIRST), "Sie können jetzt mitmachen",
         "bis Dienstag, 2. März 2027, 24 Uhr, noch 14 Tage",
         "Sie war seit Mittwoch, 3. Februar 2027 unterbrochen und läuft ab Montag, 1. Februar 2027 neu."),
        (phase(ends=date(2027, 2, 16), ended_early_on=date(2027, 2, 16), end_before=LAST), "Heute ist der letzte Tag",
         "nur noch heute, Dienstag, 16. Februar 2027, bis 24 Uhr",
         "Sie endet früher als angekündigt; letzter Tag sollte Dienstag, 2. März 2027 sein."),
        (phase(PhaseKind.REPEATED, limited_to="die Höhe im Norden"), "Sie können jetzt mitmachen",
         "bis Dienstag, 2. März 2027, 24 Uhr, noch 14 Tage", "Der Entwurf wurde geändert"),
    ],
)  # fmt: skip
def test_what_became_of_a_period_is_said_plainly(each: Phase, title: str, when: str, note: str) -> None:
    found = said(date(2027, 2, 16), each)
    assert (found.title, found.when) == (title, when)
    assert found.notes[0].startswith(note)
    english = said(date(2027, 2, 16), each, "en")
    assert len(english.notes) == len(found.notes)
    assert not set(english.notes) & set(found.notes)
    if each.limited_to:
        assert found.notes[1] == "Stellung nehmen können Sie nur hierzu: die Höhe im Norden"
