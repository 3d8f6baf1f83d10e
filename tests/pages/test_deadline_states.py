"""Until when one can take part is said in the same words wherever people read it, in every state a period comes to."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

from lxml import html
from sqlalchemy import Engine
from sqlmodel import Session
from starlette.testclient import TestClient

from consultations import changes, procedures, publishing, received
from consultations.changes import Dates, Repetition
from consultations.phases import Opens, Phase, PhaseInput, PhaseKind, phases_of
from consultations.procedures import Procedure
from consultations.seats import Seat
from participation import receipts
from participation.database import unit_of_work
from tests import cast
from tests.conftest import Clock
from tests.databases import once

SEAT = Seat("BY", ("public", "catholic"))
HERE = "/beteiligungen/wohnen-am-muehlbach"

Change = Callable[[Session, Procedure, Phase], object]


def noon(month: int, day: int) -> datetime:
    return datetime(2027, month, day, 11, 0, tzinfo=UTC)


def words(client: TestClient, address: str, found_by: str) -> str:
    nodes = html.fromstring(client.get(address).content).xpath(found_by)
    return " ".join(" ".join(node.text_content() for node in nodes).split())


def story(town: cast.Town) -> Iterator[tuple[datetime, Change | None, str, str, str]]:
    """What happens at which moment, and what is read then: the title, until when, what became of the period."""
    by, note = town.planner, "Es dauert länger"

    def told(procedure: Procedure, now: datetime) -> dict[str, object]:
        return {"by": by, "now": now, "note": note, "expected_version": procedure.version}

    yield (
        noon(1, 31), None, "Sie können bald mitmachen",
        "von Montag, 1. Februar 2027 bis Dienstag, 2. März 2027, 24 Uhr", "",
    )  # fmt: skip
    yield (
        noon(2, 16),
        None,
        "Sie können jetzt mitmachen",
        "bis Dienstag, 2. März 2027, 24 Uhr, noch 14 Tage",
        "",
    )
    yield (
        noon(2, 17),
        lambda session, procedure, phase: changes.extend(
            session, procedure, phase, date(2027, 3, 13), seat=SEAT, **told(procedure, noon(2, 17))
        ),
        "Sie können jetzt mitmachen", "bis Montag, 15. März 2027, 24 Uhr, noch 26 Tage",
        "Verlängert: Letzter Tag war zunächst Dienstag, 2. März 2027.",
    )  # fmt: skip
    yield (
        noon(2, 18),
        lambda session, procedure, phase: changes.interrupt(
            session, procedure, phase, **told(procedure, noon(2, 18))
        ),
        "Die Beteiligung ist unterbrochen",
        "Seit Donnerstag, 18. Februar 2027 unterbrochen. Die neuen Termine geben wir hier bekannt.",
        "Was Sie eingereicht haben, zählt.",
    )  # fmt: skip
    yield (
        noon(2, 19),
        lambda session, procedure, phase: changes.resume(
            session, procedure, phase, Dates(date(2027, 3, 1), date(2027, 3, 31)), seat=SEAT,
            **told(procedure, noon(2, 19)),
        ),
        "Sie können jetzt mitmachen", "bis Mittwoch, 31. März 2027, 24 Uhr, noch 40 Tage",
        "Sie war seit Donnerstag, 18. Februar 2027 unterbrochen und läuft ab Montag, 1. März 2027 neu.",
    )  # fmt: skip
    yield (
        noon(3, 30),
        None,
        "Sie können jetzt mitmachen",
        "bis Mittwoch, 31. März 2027, 24 Uhr, noch 1 Tag",
        "",
    )
    yield (
        noon(3, 30),
        lambda session, procedure, phase: changes.end_early(
            session, procedure, phase, **told(procedure, noon(3, 30))
        ),
        "Heute ist der letzte Tag", "nur noch heute, Dienstag, 30. März 2027, bis 24 Uhr",
        "Sie endet früher als angekündigt; letzter Tag sollte Mittwoch, 31. März 2027 sein.",
    )  # fmt: skip
    yield (
        noon(3, 31), None, "Die Frist ist vorbei", "Sie endete gestern, Dienstag, 30. März 2027, um 24 Uhr.",
        "Sie endete früher als angekündigt; letzter Tag sollte Mittwoch, 31. März 2027 sein.",
    )  # fmt: skip
    again = Repetition(
        "Das Haus wird höher", note, touches_interests=True, is_obvious=False, touches_basics=True,
        starts_on=date(2027, 4, 20), ends_on=date(2027, 5, 21), limited_to="die Höhe",
    )  # fmt: skip

    def repeat(session: Session, procedure: Procedure, phase: Phase) -> None:
        facts = told(procedure, noon(4, 1))
        del facts["note"]
        assert changes.repeat(session, procedure, phase, again, seat=SEAT, **facts)
        cast.adopt(session, procedure)

    coming = "von Dienstag, 20. April 2027 bis Freitag, 21. Mai 2027, 24 Uhr"
    once_more = "Der Entwurf wurde geändert, deshalb werden Sie noch einmal gefragt."
    yield noon(4, 1), repeat, "Sie können bald mitmachen", coming, once_more
    yield (
        noon(5, 1),
        None,
        "Sie können jetzt mitmachen",
        "bis Freitag, 21. Mai 2027, 24 Uhr, noch 20 Tage",
        once_more,
    )
    yield (
        noon(6, 1), None, "Die Frist ist vorbei", "Sie endete am Freitag, 21. Mai 2027 um 24 Uhr.",
        "Der Entwurf wurde geändert, deshalb wurde noch einmal gefragt.",
    )  # fmt: skip


@once
def test_consultation_start_page_and_form_say_the_same_in_every_state(
    client: TestClient, engine: Engine, clock: Clock
) -> None:
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
    for moment, change, title, when, became in story(town):
        clock.now = moment
        if change is not None:
            with unit_of_work(engine, write=True) as session:
                procedure = session.get_one(Procedure, town.procedure.id)
                change(session, procedure, phases_of(session, procedure.id or 0)[0])
        at = f"{moment.date()}: "
        banner = words(client, HERE, "//*[contains(@class, 'd-deadline')]")
        assert title in banner, at + banner
        assert when in banner, at + banner
        assert became in banner, at + banner
        form = words(client, f"{HERE}/stellungnahme", "//main")
        # A repetition that is coming does not shut the door that the first period left open.
        if title != "Sie können bald mitmachen" or not became:
            assert when in form, at + form
        if title not in ("Sie können bald mitmachen", "Die Frist ist vorbei"):
            assert became in form, at + form
        if title != "Die Frist ist vorbei":
            card = words(client, "/", "//article[contains(@class, 'd-card')]")
            assert when in card, at + card
    # What the law says of late ones stands there, and the receipt names the same day.
    assert "§ 4a Abs. 5 BauGB" in banner
    assert "§ 4a Abs. 5 BauGB" in form
    with unit_of_work(engine, write=True) as session:
        made = town.hand_in(session, now=clock.now)
        record = received.record_of(session, made)
        receipt = receipts.receipt_of(record, town.municipality, base="", language="de", with_code=False)
        assert (receipt.is_late, receipt.period_ended) == (True, date(2027, 5, 21))


@once
def test_an_informal_phase_without_an_end_promises_none(
    client: TestClient, engine: Engine, clock: Clock
) -> None:
    closing = date(2027, 6, 1)
    phases = (
        PhaseInput(PhaseKind.CO_CREATION, starts_on=cast.STARTS, opens=(Opens.STATEMENT,)),
        PhaseInput(PhaseKind.DISCUSSION_MEETING, starts_on=closing, ends_on=closing, opens=(Opens.COMMENT,)),
    )
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
        entered = cast.consultation(key="D-1", title="Dialog", phases=phases)
        dialogue = procedures.create(
            session, entered, municipality_id=town.id, template_key="informal_dialogue", by=town.planner, now=cast.NOW
        )  # fmt: skip
        publishing.publish(session, dialogue, by=town.planner, now=cast.NOW)
    for address, found_by in (
        ("/beteiligungen/dialog", "//*[contains(@class, 'd-deadline')]"),
        ("/", "//article[contains(., 'Dialog')]"),
        ("/beteiligungen/dialog/stellungnahme", "//*[@class='d-until']"),
    ):
        said = words(client, address, found_by)
        assert "ein Ende ist noch nicht festgelegt" in said, said
        assert "24 Uhr" not in said
