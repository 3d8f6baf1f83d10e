"""What is handed in is found by the very next search, on both databases, whether or not it is in the index yet."""

import pytest
from sqlmodel import Session, select

from consultations import moderation, proposal_lists, received, search
from consultations.contributions import Contribution, Kind
from consultations.moderation import Action
from consultations.proposal_lists import Wanted
from consultations.search import TOGETHER, Among, Scope
from tests import cast
from tests.cast import NOW


def test_everything_is_found_at_once_however_much_there_is(session: Session) -> None:
    town = cast.found(session)
    words = "Straßenbäume am Mühlbach"
    for number in range(TOGETHER + 3):
        handed_in = town.hand_in(session, f"{words}, Stelle Nummer{number}x, foo_anhang{number}x")
        for asked in (f"nummer{number}x", f"STRASSENBAUM Nummer{number}", f"anhang{number}x"):
            found = received.register(session, town.id, words=asked, limit=100)
            assert handed_in.id in [row.id for row in found], asked
        assert received.register(session, town.id, words=f"nummer{number}y") == []
    assert len(received.register(session, town.id, words="mühlb", limit=100)) == TOGETHER + 3


def test_what_is_removed_is_not_found_and_disturbs_nothing(session: Session) -> None:
    town = cast.found(session)
    rows = [town.hand_in(session, f"Bank Nummer{number}x") for number in range(TOGETHER + 3)]

    def found(word: str) -> set[int | None]:
        return {row.id for row in received.register(session, town.id, words=word, limit=500)}

    # One from the index, the last in it, and one that is not in it yet.
    for gone in (rows[3], rows[-5], rows[-4], rows[-1]):
        assert gone.id is not None
        search.remove(session, gone.id, Scope.ORIGINAL)
    left = {row.id for row in rows} - {rows[3].id, rows[-5].id, rows[-4].id, rows[-1].id}
    assert found("bank") == left
    for number in range(TOGETHER):
        left.add(town.hand_in(session, f"Bank Zusatz{number}x").id)
    assert found("bank") == left


def test_a_search_among_some_finds_of_them_what_one_among_all_finds(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "TOGETHER", 3)  # all but the last two are in the index at once
    town = cast.found(session)
    number = town.procedure.id or 0
    rows = [town.hand_in(session, "Bank") for _ in range(7)]
    kinds = [Kind.COMMENT if at % 3 else Kind.PROPOSAL for at in range(7)]
    for row, kind in zip(rows, kinds, strict=True):
        search.index(session, row.id or 0, Scope.PUBLIC, "Bank am Mühlbach", among=Among(number, kind.value))

    def found(words: str, among: Among | None, newest: int | None = None) -> set[int | None]:
        condition = search.matching(session, words, Scope.PUBLIC, among=among, newest=newest)
        assert condition is not None
        return set(session.exec(select(Contribution.id).where(condition)).all())

    of_kind = {row.id for row, kind in zip(rows, kinds, strict=True) if kind is Kind.PROPOSAL}
    among = Among(number, Kind.PROPOSAL.value)
    assert found("bank", None) == {row.id for row in rows}
    assert found("bank mühl", among) & of_kind == of_kind
    assert rows[-1].id in found("bank", among, newest=1)
    if search._is_sqlite(session):
        # Of those that are not in the index yet it gives all.
        assert found("bank", among) == of_kind | {rows[5].id}
        assert found("bank", among, newest=1) == {row.id for row in (rows[3], *rows[5:])}
        # Of several consultations none but theirs, and of these none but of the kind.
        part = number + 1
        search.remove(session, rows[0].id or 0, Scope.PUBLIC)
        search.index(
            session, rows[0].id or 0, Scope.PUBLIC, "Bank am Mühlbach", among=Among(part, Kind.PROPOSAL.value)
        )
        for _ in range(3):  # until the index has it
            filler = town.hand_in(session, "Brunnen")
            search.index(session, filler.id or 0, Scope.PUBLIC, "Brunnen", among=Among(number, "comment"))
        of_both = found("bank", Among(number, Kind.PROPOSAL.value, (part, part + 1)))
        assert of_both == of_kind
        assert found("bank mühl", Among(number, Kind.PROPOSAL.value)) == of_kind - {rows[0].id}
        assert found("bank", Among(part, Kind.PROPOSAL.value)) == {rows[0].id}
        # Nobody finds anything by what marks are made of.
        assert found("pfad", None) == found("kproposal", None) == set()


def test_a_list_by_chance_shows_every_hit_of_a_search_once_and_looks_them_up_once(session: Session) -> None:
    town = cast.with_ideas(session, "Ideen")
    key = town.procedure.id or 0
    made = []
    for title in [f"Bank {at}" for at in range(9)] + ["Brunnen"] * 3:
        row = town.hand_in(session, title, kind=Kind.PROPOSAL, title=title, wants_publication=True)
        moderation.decide(session, row, moderation.Decision(Action.PUBLISH), by=town.moderator, now=NOW)
        made.append(row.id)
    wanted = Wanted(words="Bank")
    known = proposal_lists.hits(session, key, wanted)
    assert (known.total, proposal_lists.how_many(session, key, wanted)) == (9, 9)
    orders = {}
    for seed in ("a", "b"):
        pages: dict[bool, list[int]] = {True: [], False: []}
        for is_known, read in pages.items():
            after: str | None = ""
            while after is not None:
                page = proposal_lists.listed(
                    session, key, wanted, seed=seed, after=after, limit=4, known=known if is_known else None
                )
                assert page.total == 9
                read += page.ids
                after = page.next
        assert pages[True] == pages[False]
        assert sorted(pages[True]) == sorted(each for each in made[:9] if each)
        orders[seed] = pages[True]
    assert orders["a"] != orders["b"]
    nothing = Wanted(words="Zebrastreifen")
    assert proposal_lists.listed(session, key, nothing) == proposal_lists.Listed((), 0, None)
