"""What a process remembers of a town: how much, and what goes first."""

from typing import Any

import pytest

from consultations.proposal_lists import Hits
from participation import house as rooms
from participation.house import House


def test_searches_for_ever_other_words_fill_no_more_memory_than_there_is_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rooms, "FACT_OCTETS_KEPT", 1000)
    nothing: Any = None
    house = House(nothing, nothing, nothing, nothing)

    def found(words: str, octets: int) -> Hits:
        return house.fact(("search", words), lambda: Hits(1, {7: "x" * octets}))

    first = found("a", 400)
    assert house.fact(("how many",), lambda: 9) == 9
    assert found("a", 1) is first, "looked up once"
    found("b", 400)
    found("a", 1)
    found("c", 400)
    assert [key[-1] for key in house.facts] == ["a", "c"], "those that nobody asked for the longest went"
    assert house.fact_octets_kept == 800
    assert found("d", 5000).octets == 5000
    assert ("search", "d") not in house.facts, "larger than all that is kept: nobody else has to go for it"
