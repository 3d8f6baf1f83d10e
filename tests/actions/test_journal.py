"""The journal: a chain that shows every alteration, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from consultations import journal
from consultations.journal import JournalEntry
from consultations.permissions import SYSTEM
from participation.database import unit_of_work
from tests import cast


def problems(session: Session) -> list[tuple[int, str]]:
    return [(gap.sequence, gap.problem) for gap in journal.verify(session, batch=3)]


@pytest.fixture
def town(session: Session) -> cast.Town:
    town = cast.found(session)
    session.commit()
    return town


def test_an_untouched_chain_holds_and_its_head_is_the_revision(session: Session, town: cast.Town) -> None:
    before = journal.revision(session, town.id)
    town.hand_in(session)
    session.commit()
    assert problems(session) == []
    assert journal.revision(session, town.id) == before + 1


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE journal_entry SET actor = 'person:99' WHERE sequence = 4", [(4, "altered")]),
        ("UPDATE journal_entry SET facts = '{}' WHERE sequence = 5", [(5, "altered")]),
        ("DELETE FROM journal_entry WHERE sequence = 4", [(4, "missing")]),
    ],
)
def test_what_was_tampered_with_is_named(
    session: Session, town: cast.Town, change: str, found: list[tuple[int, str]]
) -> None:
    session.execute(text(change))
    session.commit()
    assert problems(session) == found


def test_a_rehashed_entry_breaks_the_link_of_the_next(session: Session, town: cast.Town) -> None:
    entry = session.exec(select(JournalEntry).where(JournalEntry.sequence == 4)).one()
    entry.actor = "person:99"
    entry.hash = journal._entry_hash(entry)
    session.add(entry)
    session.commit()
    assert problems(session) == [(5, "unlinked")]


def test_each_town_has_a_chain_of_its_own(session: Session, town: cast.Town) -> None:
    other = cast.found(session, "birkstein", "Birkstein")
    session.commit()
    assert journal.revision(session, other.id) == journal.revision(session, town.id)
    assert problems(session) == []


def test_writers_at_the_same_time_make_one_chain(engine: Engine) -> None:
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
        municipality_id, start = town.id, journal.revision(session, town.id)

    def write(number: int) -> None:
        with unit_of_work(engine, write=True) as own:
            journal.append(
                own,
                municipality_id=municipality_id,
                verb="tested",
                by=SYSTEM,
                at=cast.NOW,
                facts={"n": number},
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    with unit_of_work(engine) as session:
        assert journal.revision(session, municipality_id) == start + 40
        assert problems(session) == []
