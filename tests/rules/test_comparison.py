"""Two versions of a text: what the comparison shows is what changed, nothing more and nothing less, and in time."""

import random
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consultations.comparison import WORDS_LIMIT, Part, TooLong, compare

WORDS = st.lists(
    st.sampled_from(["der", "die", "das", "Plan", "Lärm", "45", "dB(A)", "nachts", "Haus", "Wiese"]),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(WORDS, WORDS)
def test_both_versions_can_be_read_out_of_it(earlier: list[str], later: list[str]) -> None:
    found = compare(" ".join(earlier), " ".join(later), context=1000)
    if earlier == later:
        assert found.is_same
        assert not found.places
        return
    (place,) = found.places
    assert " ".join(piece.text for piece in place.before) == " ".join(earlier)
    assert " ".join(piece.text for piece in place.after) == " ".join(later)


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS, st.integers(0, 4))
def test_every_changed_word_is_shown_and_every_other_word_is_counted(
    earlier: list[str], later: list[str], context: int
) -> None:
    found = compare(" ".join(earlier), " ".join(later), context=context)
    pieces = [piece for place in found.places for piece in place.pieces]

    def count(*parts: Part) -> int:
        return sum(len(piece.text.split()) for piece in pieces if piece.part in parts)

    assert (count(Part.REMOVED), count(Part.ADDED)) == (found.words_removed, found.words_added)
    left_out = sum(place.skipped for place in found.places) + found.skipped
    assert left_out + count(Part.SAME, Part.REMOVED) == len(earlier)
    assert left_out + count(Part.SAME, Part.ADDED) == len(later)


def test_a_changed_number_is_one_place_with_what_stands_around_it() -> None:
    earlier = "Nachts werden an der Bahn 45 dB(A) erreicht. " + "Mehr dazu steht im Gutachten. " * 30
    found = compare(earlier, earlier.replace("45", "49"), context=3)
    (place,) = found.places
    assert [(piece.part, piece.text) for piece in place.pieces] == [
        (Part.SAME, "an der Bahn"),
        (Part.REMOVED, "45"),
        (Part.ADDED, "49"),
        (Part.SAME, "dB(A) erreicht. Mehr"),
    ]
    assert (place.skipped, found.skipped) == (2, 149)


def test_new_line_breaks_are_no_change() -> None:
    assert compare("Ein Satz,\nder umbricht.", "Ein Satz, der\n\numbricht.").is_same


def test_more_places_than_are_shown_are_said_to_be_more() -> None:
    earlier = " ".join(f"Wort{number} bleibt immer stehen" for number in range(50))
    later = earlier.replace("Wort", "Neu")
    found = compare(earlier, later, context=1, limit=10)
    assert (len(found.places), found.is_cut, found.words_added) == (10, True, 50)


def book(pages: int, seed: int = 1) -> list[str]:
    chance = random.Random(seed)
    known = [f"wort{number}" for number in range(4000)]
    return [chance.choice(known) for _ in range(pages * 500)]


@pytest.mark.parametrize(("pages", "seconds"), [(50, 1.0), (500, 6.0)])
def test_long_texts_do_not_block(pages: int, seconds: float) -> None:
    earlier = book(pages)
    later = list(earlier)
    chance = random.Random(2)
    for _ in range(pages * 2):
        later[chance.randrange(len(later))] = "geändert"
    del later[1000:1400]
    began = process_time()
    found = compare(" ".join(earlier), " ".join(later))
    assert process_time() - began < seconds
    assert 400 <= found.words_removed <= 400 + pages * 2


def test_two_texts_without_anything_in_common_do_not_block_either() -> None:
    began = process_time()
    found = compare(" ".join(book(100)), " ".join(word.upper() for word in book(100, seed=3)))
    assert process_time() - began < 2
    assert (found.words_removed, found.words_added) == (50_000, 50_000)


def test_beyond_the_limit_it_says_so_at_once() -> None:
    with pytest.raises(TooLong) as problem:
        compare("ja " * (WORDS_LIMIT + 1), "ja")
    assert problem.value.words == WORDS_LIMIT + 1
