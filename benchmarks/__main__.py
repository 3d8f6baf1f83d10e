"""`python -m benchmarks [--quick] [part …]`: measure, print the table, and end with 1 if a target is missed."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import city, drawing, pages, proposing, reading, scene, submitting, weight
from benchmarks.measuring import Result, table
from benchmarks.town import Place, fill, new_database, postgresql_cluster, settle
from participation.app import keep_what_is_loaded

#: Contributions that maps and lists have to cope with.
MANY = 100_000


def _sqlite(folder: Path, name: str) -> Place:
    return settle(f"sqlite:///{folder / name}.sqlite", folder / name)


def _pages(folder: Path, quick: bool) -> Iterator[Result]:
    place = _sqlite(folder, "pages")
    yield from pages.speed(place, rounds=2 if quick else 5, seconds=1 if quick else 3)
    yield from pages.kept_tile(place, rounds=2 if quick else 5, seconds=1 if quick else 3)
    yield from pages.kept_picture(place, rounds=2 if quick else 5, seconds=1 if quick else 3)
    yield from pages.worker(place)


def _submit(folder: Path, quick: bool) -> Iterator[Result]:
    rounds, times, each = (4, 25, 10) if quick else (12, 50, 25)
    place = _sqlite(folder, "submit")
    bare = _sqlite(folder, "bare")
    yield from submitting.durable(place, bare, "SQLite", rounds=rounds, times=times)
    yield from submitting.at_once(place, "SQLite", rounds=rounds // 2, seconds=1)
    yield from submitting.by_web(place, "SQLite", each=each)
    with postgresql_cluster() as server:
        place = settle(new_database(server, "submit"), folder / "postgresql")
        bare = settle(new_database(server, "bare"), folder / "bare-postgresql")
        yield from submitting.durable(place, bare, "PostgreSQL", rounds=rounds, times=times)
        yield from submitting.at_once(place, "PostgreSQL", rounds=rounds // 2, seconds=1)
        yield from submitting.by_web(place, "PostgreSQL", each=each)
        for used in (place, bare):
            used.engine.dispose()


def _reading(folder: Path, quick: bool) -> Iterator[Result]:
    place = _sqlite(folder, "reading")
    fill(place, MANY)
    yield from reading.feed(place, times=3 if quick else 10)
    yield from reading.list_pages(place, pages=10 if quick else 30)


def _proposing(folder: Path, quick: bool) -> Iterator[Result]:
    yield from proposing.measure(
        _sqlite(folder, "many-proposals"), _sqlite(folder, "few-proposals"), quick=quick
    )


def _weight(folder: Path, quick: bool) -> Iterator[Result]:
    place = _sqlite(folder, "weight")
    fill(place, 300)
    yield from weight.of_pages(place)


def _drawing(folder: Path, quick: bool) -> Iterator[Result]:
    yield from drawing.base_map(folder, times=10 if quick else 25)


def _city(folder: Path, quick: bool) -> Iterator[Result]:
    yield from city.reading_citygml(
        folder / "gml", buildings=3_000 if quick else 26_000, rounds=7 if quick else 5
    )
    yield from city.windows(folder / "windows", buildings=30_000 if quick else 330_000, times=24)


def _scene(folder: Path, quick: bool) -> Iterator[Result]:
    yield from scene.city(folder, times=2 if quick else 5)
    yield from scene.browser(folder)


PARTS: dict[str, Callable[[Path, bool], Iterator[Result]]] = {
    "pages": _pages,
    "submit": _submit,
    "reading": _reading,
    "proposing": _proposing,
    "weight": _weight,
    "drawing": _drawing,
    "city": _city,
    "scene": _scene,
}


def main() -> int:
    """Measure what was asked for; 0 if every target is met."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}; all of them if none is named"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a look, not a measurement")
    asked = parser.parse_args()
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part: {', '.join(sorted(unknown))}")
    results: list[Result] = []
    keep_what_is_loaded()  # as the server does when it starts
    with tempfile.TemporaryDirectory(prefix="digilog-benchmarks-") as folder:
        for name in asked.parts or PARTS:
            print(f"{name} …", file=sys.stderr, flush=True)
            results += PARTS[name](Path(folder) / name, asked.quick)
    print(table(results))
    missed = [result.what for result in results if not result.is_met]
    print(f"\n{len(results)} figures, {len(missed) or 'no'} target{'' if len(missed) == 1 else 's'} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
