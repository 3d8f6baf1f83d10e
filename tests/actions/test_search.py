"""What is handed in is found by the very next search, on both databases, whether or not it is in the index yet."""

from sqlmodel import Session

from consultations import received, search
from consultations.search import TOGETHER, Scope
from tests import cast


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
