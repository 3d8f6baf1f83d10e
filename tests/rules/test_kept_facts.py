"""What a process remembers of a town: how much, and what goes first."""

import gzip
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from consultations.proposal_lists import Hits
from participation import house as rooms
from participation import sun_hours
from participation.cityscape import Cityscape
from participation.database import make_engine
from participation.house import House
from participation.settings import Settings


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


def test_of_what_visitors_let_count_of_a_scene_the_older_half_goes(tmp_path: Path) -> None:
    scape = Cityscape("key", "", tmp_path, (0.0, 0.0, 1.0, 1.0), b"", 0.0, 0.0, has_terrain=False)
    scape.keep("ground-1.gz", lambda: b"the scene itself")
    for at in range(6):
        scape.keep(f"hours-{at}.gz", lambda: b"counted", most=4)
        os.utime(tmp_path / f"hours-{at}.gz", (at, at))
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == ["ground-1.gz", "hours-2.gz", "hours-3.gz", "hours-4.gz", "hours-5.gz"]
    assert gzip.decompress(scape.keep("hours-5.gz", lambda: b"made twice", most=4)) == b"counted"


def test_hours_kept_before_their_rows_told_of_parts_are_counted_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a plan without open ground nothing else has changed: after an update the page met rows of another form."""
    scape = Cityscape("key", "", tmp_path, (0.0, 0.0, 1.0, 1.0), b"", 0.0, 0.0, has_terrain=False)
    day = date(2026, 6, 21)
    earlier = hashlib.sha256(repr(([], (), day.isoformat())).encode()).hexdigest()[:24]
    scape.keep(f"hours-{earlier}.json.gz", lambda: b'[["Haus 1", 90.0, 5.0, [4.0]]]')
    monkeypatch.setattr(sun_hours, "_count_hours", lambda *_asked: (("Haus 1", 0, 90.0, 5.0, (4.0,)),))
    assert sun_hours.hours_of(scape, (), (), day) == (("Haus 1", 0, 90.0, 5.0, (4.0,)),)


def test_two_threads_that_count_first_count_with_the_same_limiter(tmp_path: Path) -> None:
    """Of two limiters, each would let everybody try as often as is allowed altogether."""
    nothing: Any = None
    engine = make_engine(f"sqlite:///{tmp_path / 'digilog.sqlite'}")
    settings = Settings(
        data_dir=tmp_path, secret=SecretStr("a secret that only this test knows"), shared_limits=True
    )
    house = House(settings, engine, nothing, nothing)
    together = threading.Barrier(8)

    def first() -> int:
        together.wait(10)
        return id(house.limiter)

    with ThreadPoolExecutor(8) as pool:
        assert {each.result() for each in [pool.submit(first) for _ in range(8)]} == {id(house.limiter)}
    engine.dispose()
