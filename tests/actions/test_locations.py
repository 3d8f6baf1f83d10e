"""Clusters, views, lists and words for places, each held against counting by hand, on both databases."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import shapely
from sqlalchemy import Engine, event
from sqlmodel import Session

from consultations import (
    contributions,
    locations,
    moderation,
    places,
    procedures,
    published,
    publishing,
    received,
    whereabouts,
)
from consultations.contributions import Contribution
from consultations.moderation import Action, Decision, Reason
from consultations.people import OrganisationKind, PersonInput
from consultations.places import Layer, PlaceInput, PlaceKind
from consultations.published import Around, Entry, Key, Order, Wanted, Withheld
from geo.geometry import CELL_ZOOM, covering_ranges, from_lonlat, from_metres, metres_of, prefix
from tests import cast
from tests.cast import NOW, Town

LON, LAT = 10.7, 48.3
EVERYWHERE = [(0, 1 << 2 * CELL_ZOOM)]


@pytest.fixture
def town(session: Session) -> Town:
    return cast.found(session)


def say(session: Session, town: Town, lon: float | None, lat: float | None, **facts: Any) -> Contribution:
    """A contribution that was published."""
    located = from_lonlat(lon, lat) if lon is not None and lat is not None else None
    made = town.hand_in(session, **{"located": located, "wants_publication": True, **facts})
    moderation.decide(session, made, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    return made


def scattered(session: Session, town: Town, number: int, seed: int = 7) -> list[Contribution]:
    """Published contributions in heaps around the town, some without a place, received at different moments."""
    chance = random.Random(seed)
    found = []
    for index in range(number):
        wide = chance.choice((0.0001, 0.002, 0.03))
        lon, lat = LON + chance.gauss(0, wide), LAT + chance.gauss(0, wide * 0.7)
        found.append(
            say(
                session,
                town,
                lon if index % 6 else None,
                lat,
                text=f"Satz {index} über {chance.choice(('Bäume', 'Wege', 'Licht'))}",
                category=("Grün", "Verkehr")[index % 2],
                received_at=NOW - timedelta(minutes=chance.randrange(0, 300)),
                channel="web",
            )
        )
    return found


# --- clusters --------------------------------------------------------------------------------------


def counted(those: list[Contribution], level: int) -> dict[int, tuple[int, float, float]]:
    """The clusters of a level, counted by hand."""
    cells: dict[int, list[Contribution]] = {}
    for each in those:
        if each.cell is not None:
            cells.setdefault(prefix(each.cell, level), []).append(each)
    return {
        key: (
            len(heap),
            sum(each.lon or 0.0 for each in heap) / len(heap),
            sum(each.lat or 0.0 for each in heap) / len(heap),
        )
        for key, heap in cells.items()
    }


def test_clusters_are_what_counting_by_hand_gives(session: Session, town: Town) -> None:
    those = scattered(session, town, 90)
    own = town.procedure.id or 0
    public = published._public(own)
    for level in locations.LEVELS:
        expected = counted(those, level)
        kept = locations.clusters(session, [own], level, EVERYWHERE)
        fresh = locations.grouped(session, Contribution, public, level, EVERYWHERE)
        for found in (kept, fresh):
            assert {each.cell: each.count for each in found} == {key: one[0] for key, one in expected.items()}
            for each in found:
                assert (each.lon, each.lat) == pytest.approx(expected[each.cell][1:], abs=1e-9)


def test_clusters_of_a_part_are_those_whose_cells_meet_it(session: Session, town: Town) -> None:
    those = scattered(session, town, 60)
    level = 16
    ranges = covering_ranges(LON - 0.01, LAT - 0.006, LON + 0.004, LAT + 0.01)
    shift = 2 * (CELL_ZOOM - level)
    meets = {
        key: one[0]
        for key, one in counted(those, level).items()
        if any(low >> shift <= key <= (high - 1) >> shift for low, high in ranges)
    }
    kept = locations.clusters(session, [town.procedure.id or 0], level, ranges)
    fresh = locations.grouped(session, Contribution, published._public(town.procedure.id or 0), level, ranges)
    assert {each.cell: each.count for each in kept} == meets
    assert {each.cell: each.count for each in fresh} == meets


def test_what_is_no_longer_public_is_counted_out(session: Session, town: Town) -> None:
    first = say(session, town, LON, LAT)
    second = say(session, town, LON, LAT)
    third = say(session, town, LON, LAT)
    own = town.procedure.id or 0
    contributions.withdraw(session, first, by=town.clerk, now=NOW)
    moderation.decide(session, second, Decision(Action.WITHHOLD, Reason.INSULT), by=town.moderator, now=NOW)
    for level in locations.LEVELS:
        assert [each.count for each in locations.clusters(session, [own], level, EVERYWHERE)] == [1]
    moderation.undo(session, second, by=town.moderator, now=NOW)
    contributions.retract(session, third, by=town.clerk, now=NOW)
    shown = published.in_view(session, own, Wanted(), (LON - 1, LAT - 1, LON + 1, LAT + 1), 12)
    assert [entry.reference for entry in shown.entries] == [second.reference]


# --- the view --------------------------------------------------------------------------------------


@pytest.mark.parametrize("single", [5, 200])
def test_a_view_loses_nobody(session: Session, town: Town, single: int) -> None:
    """In every view each contribution is shown once, alone or in a cluster, and those alone stand apart."""
    those = [each for each in scattered(session, town, 80) if each.lon is not None]
    chance = random.Random(3)
    for zoom in range(8, 20):
        half = 360 / 2**zoom * 2
        lon, lat = LON + chance.gauss(0, half / 4), LAT + chance.gauss(0, half / 4)
        box = (lon - half, lat - half / 2, lon + half, lat + half / 2)
        inside = [
            each.reference
            for each in those
            if box[0] <= (each.lon or 0) <= box[2] and box[1] <= (each.lat or 0) <= box[3]
        ]
        shown = published.in_view(session, town.procedure.id or 0, Wanted(), box, zoom, single=single)
        told = [entry.reference for entry in shown.entries]
        assert len(told) + sum(each.count for each in shown.clusters) == shown.total
        assert len(set(told)) == len(told)
        if shown.is_exact:
            assert shown.total == len(inside)
            assert set(told) <= set(inside)
        else:
            assert shown.total > single


def test_filters_narrow_view_and_list_alike(session: Session, town: Town) -> None:
    those = scattered(session, town, 48)
    own = town.procedure.id or 0
    world = (LON - 2, LAT - 2, LON + 2, LAT + 2)
    for wanted, fits in (
        (Wanted(topic="Grün"), lambda each: each.category == "Grün"),
        (Wanted(words="baum"), lambda each: "Bäume" in each.text),
        (Wanted(kind="proposal"), lambda each: False),
        (Wanted(words=those[5].reference.lower()), lambda each: each is those[5]),
    ):
        expected = {each.reference for each in those if fits(each)}
        listed = published.listed(session, own, wanted, limit=100)
        assert {entry.reference for entry in listed.entries} == expected
        assert listed.total == len(expected)
        on_map = {each.reference for each in those if fits(each) and each.lon is not None}
        assert published.in_view(session, own, wanted, world, 9).total == len(on_map)


def test_with_its_parts_a_consultation_shows_what_each_of_them_shows_and_of_no_other(
    session: Session, town: Town
) -> None:
    those: dict[int, list[Contribution]] = {}
    for number, title in enumerate(("", "Teil eins", "Teil zwei", "Ein anderer")):
        made = town.procedure
        if number:
            facts = cast.consultation(key=f"T-{number}", title=title)
            made = procedures.create(
                session, facts, municipality_id=town.id, template_key="informal_dialogue",
                by=town.planner, now=NOW,
            )  # fmt: skip
            publishing.publish(session, made, by=town.planner, now=NOW)
            cast.adopt(session, made)
        shown = Town(town.municipality, town.staff, made, keys=1000 * number)
        those[made.id or 0] = scattered(session, shown, 24, seed=number)
    own, first, second, _other = those
    wanted = Wanted(parts=(first, second))
    asked = [each for key in (own, first, second) for each in those[key]]
    world = (LON - 2, LAT - 2, LON + 2, LAT + 2)
    for level in locations.LEVELS:
        found = locations.clusters(session, [own, first, second], level, EVERYWHERE)
        expected = counted(asked, level)
        assert {each.cell: each.count for each in found} == {key: one[0] for key, one in expected.items()}
        for each in found:
            assert (each.lon, each.lat) == pytest.approx(expected[each.cell][1:], abs=1e-9)
    for narrowed, fits in (
        (wanted, lambda each: True),
        (replace(wanted, words="baum"), lambda each: "Bäume" in each.text),
        (replace(wanted, topic="Grün"), lambda each: each.category == "Grün"),
        (replace(wanted, words=those[second][3].reference), lambda each: each is those[second][3]),
    ):
        fitting = [each for each in asked if fits(each)]
        listed = published.listed(session, own, narrowed, limit=200)
        assert {each.id: each.procedure_id for each in listed.entries} == {
            each.id: each.procedure_id for each in fitting
        }
        assert listed.total == published.how_many(session, own, narrowed) == len(fitting)
        located = [each for each in fitting if each.lon is not None]
        shown_there = published.in_view(session, own, narrowed, world, 9)
        assert shown_there.total == len(located)
        close = published.in_view(session, own, narrowed, world, 22)
        assert {each.id for each in close.entries} <= {each.id for each in located}
        assert len(close.entries) + sum(each.count for each in close.clusters) == len(located)
    around = Around(from_lonlat(LON, LAT).wkb, 300.0)
    near = published.listed(session, own, replace(wanted, around=around), order=Order.NEAREST, limit=200)
    assert {each.procedure_id for each in near.entries} == {own, first, second}
    assert published.everything(session, own, parts=(first, second)) == [
        each
        for each in published.everything(session, own, parts=tuple(those)[1:])
        if each.procedure_id != _other
    ]
    reference = those[first][0].reference
    assert published.one(session, own, reference) is None
    assert isinstance(published.one(session, own, reference, parts=(first,)), Entry)
    assert received.topics_of(session, own, first, second) == ("Grün", "Verkehr")
    assert received.published_count(session, own, first, second) == len(asked)


# --- the list --------------------------------------------------------------------------------------


def walked(session: Session, town: Town, wanted: Wanted, order: Order) -> Iterator[tuple[Entry, ...]]:
    """The pages from the first to the last, each checked against going back to it."""
    after: Key | None = None
    previous: tuple[Entry, ...] = ()
    while True:
        shown = published.listed(session, town.procedure.id or 0, wanted, order=order, after=after, limit=7)
        yield shown.entries
        assert (shown.before is None) == (not previous)
        if shown.before is not None:
            before = Key.read(str(shown.before), order)
            back = published.listed(
                session, town.procedure.id or 0, wanted, order=order, before=before, limit=7
            )
            assert back.entries == previous
        if shown.after is None:
            return
        previous, after = shown.entries, Key.read(str(shown.after), order)


@pytest.mark.parametrize("order", [Order.NEWEST, Order.OLDEST])
def test_the_pages_of_the_list_are_the_whole_list(session: Session, town: Town, order: Order) -> None:
    those = scattered(session, town, 33)
    references = [entry.reference for page in walked(session, town, Wanted(), order) for entry in page]
    by_receipt = sorted(those, key=lambda each: (each.received_at, each.id))
    expected = [each.reference for each in by_receipt]
    assert references == (expected[::-1] if order is Order.NEWEST else expected)


@pytest.mark.parametrize("order", list(Order))
def test_around_a_place_is_what_measuring_gives(session: Session, town: Town, order: Order) -> None:
    those = [each for each in scattered(session, town, 60) if each.geometry is not None]
    street = shapely.LineString([metres_of(LON - 0.003, LAT), metres_of(LON + 0.001, LAT + 0.002)])
    far = {each.reference: shapely.distance(street, shapely.from_wkb(each.geometry)) for each in those}
    expected = {reference for reference, metres in far.items() if metres <= 400}
    assert 5 < len(expected) < len(those)
    wanted = Wanted(around=Around(street.wkb, 400.0))
    pages = list(walked(session, town, wanted, order))
    entries = [entry for page in pages for entry in page]
    assert {entry.reference for entry in entries} == expected
    assert len(entries) == len(expected)
    if order is Order.NEAREST:
        measured = [far[entry.reference] for entry in entries]
        assert measured == pytest.approx(sorted(measured), abs=0.001)


def test_nearest_needs_a_place(session: Session, town: Town) -> None:
    with pytest.raises(ValueError, match="nearest"):
        published.listed(session, town.procedure.id or 0, Wanted(), order=Order.NEAREST)


@pytest.mark.parametrize(
    "text", ["", "-", "x-1", "20270216T103015.000000-x", "nan-1", "-5.0-1", "1e9-1", "1-" + "9" * 30]
)
def test_a_key_that_cannot_be_read_is_none(text: str) -> None:
    for order in Order:
        assert Key.read(text, order) is None or order is Order.NEAREST
    assert Key.read(text, Order.NEAREST) is None


# --- what leaves the house -------------------------------------------------------------------------


def test_nothing_of_a_redacted_original_leaves(session: Session, town: Town) -> None:
    made = town.hand_in(
        session,
        "Familie Geheim stört",
        title="Familie Geheim",
        place_words="bei Geheim",
        section="Geheimgasse 3",
        wants_publication=True,
        person=PersonInput(name="Anna Geheim", email="geheim@example.org"),
    )
    decision = Decision(Action.REDACT, Reason.THIRD_PARTY, title="Familie ▇", text="▇ stört")
    moderation.decide(session, made, decision, by=town.moderator, now=NOW)
    own = town.procedure.id or 0
    entry = published.one(session, own, made.reference)
    assert isinstance(entry, Entry)
    assert (entry.title, entry.text, entry.is_redacted) == ("Familie ▇", "▇ stört", True)
    for each in (
        entry,
        *published.everything(session, own),
        *published.listed(session, own, Wanted()).entries,
    ):
        assert "Geheim" not in repr(each)
    assert published.listed(session, own, Wanted(words="Geheim")).total == 0


@pytest.mark.parametrize("kind", list(OrganisationKind))
def test_bodies_are_named_and_persons_never(session: Session, town: Town, kind: OrganisationKind) -> None:
    person = PersonInput(name="Herr Amt", organisation="Amt für Wasser", organisation_kind=kind)
    made = say(session, town, LON, LAT, person=person, on_behalf_of="Frau Nachbarin")
    entry = published.one(session, town.procedure.id or 0, made.reference)
    assert isinstance(entry, Entry)
    assert entry.author == ("Amt für Wasser" if kind.value in published.NAMED else "")
    assert "Herr Amt" not in repr(entry)
    assert "Nachbarin" not in repr(entry)


def test_a_withheld_one_says_why_and_nothing_else(session: Session, town: Town) -> None:
    made = say(session, town, LON, LAT, text="Böse Worte")
    decision = Decision(Action.WITHHOLD, Reason.INSULT, explanation="nur für den Verfasser")
    moderation.decide(session, made, decision, by=town.moderator, now=NOW)
    found = published.one(session, town.procedure.id or 0, made.reference)
    assert isinstance(found, Withheld)
    assert found.reason == Reason.INSULT.value
    assert "Böse" not in repr(found)
    assert "Verfasser" not in repr(found)


@pytest.mark.parametrize("wants", [True, False])
def test_what_is_not_decided_or_not_meant_for_all_is_not_there(
    session: Session, town: Town, wants: bool
) -> None:
    made = town.hand_in(session, wants_publication=wants, located=from_lonlat(LON, LAT))
    own = town.procedure.id or 0
    assert published.one(session, own, made.reference) is None
    assert published.listed(session, own, Wanted()).total == 0
    assert published.everything(session, own) == []


def test_a_comment_names_what_it_is_about_only_if_that_is_public(session: Session, town: Town) -> None:
    about = say(session, town, LON, LAT, text="Vorschlag")
    comment = say(session, town, None, None, text="Gute Idee", parent=about)
    own = town.procedure.id or 0
    entry = published.one(session, own, comment.reference)
    assert isinstance(entry, Entry)
    assert entry.answers_to == about.reference
    assert [each.reference for each in published.answers_to(session, own, about.id or 0)] == [
        comment.reference
    ]
    assert published.answer_counts(session, [about.id or 0]) == {about.id: 1}
    moderation.decide(session, about, Decision(Action.WITHHOLD, Reason.INSULT), by=town.moderator, now=NOW)
    entry = published.one(session, own, comment.reference)
    assert isinstance(entry, Entry)
    assert entry.answers_to == ""


def test_other_procedures_stay_apart(session: Session, town: Town) -> None:
    made = say(session, town, LON, LAT)
    other = (town.procedure.id or 0) + 1
    assert published.one(session, other, made.reference) is None
    assert published.in_view(session, other, Wanted(), (10, 48, 11, 49), 10).total == 0
    assert published.everything(session, other) == []


def test_headings_are_titles_or_first_words(session: Session, town: Town) -> None:
    titled = say(session, town, None, None, title="Mehr Bäume", text="Bitte.")
    plain = say(session, town, None, None, text="Ein Satz. " * 40)
    own = town.procedure.id or 0
    first, second = (published.one(session, own, each.reference) for each in (titled, plain))
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert first.heading == "Mehr Bäume"
    assert second.heading.startswith("Ein Satz. Ein Satz")
    assert second.heading.endswith("…")
    assert len(second.heading) <= published.HEADING_LENGTH


def test_lists_and_views_ask_a_fixed_number_of_questions(
    engine: Engine, session: Session, town: Town
) -> None:
    """However many rows there are."""
    asked: Counter[str] = Counter()
    running = ""

    def count(*_: object) -> None:
        asked[running] += 1

    event.listen(engine, "before_cursor_execute", count)
    own = town.procedure.id or 0
    around = Wanted(around=Around(from_lonlat(LON, LAT).wkb, 2000.0))
    counts = []
    for number in (4, 40):
        scattered(session, town, number, seed=number)
        asked.clear()
        running = "list"
        published.listed(session, own, Wanted())
        running = "around"
        published.listed(session, own, around)
        running = "view"
        published.in_view(session, own, Wanted(), (LON - 1, LAT - 1, LON + 1, LAT + 1), 10)
        running = "filtered"
        published.in_view(session, own, Wanted(topic="Grün"), (LON - 1, LAT - 1, LON + 1, LAT + 1), 10)
        counts.append(dict(asked))
    event.remove(engine, "before_cursor_execute", count)
    assert counts[0] == counts[1]
    assert counts[0] == {"list": 2, "around": 2, "view": 2, "filtered": 2}


def test_a_view_looks_at_what_lies_in_it_and_not_at_all_there_is(
    engine: Engine, session: Session, town: Town
) -> None:
    """However its edges fall: in four ranges of cells and more, SQLite once went through the whole table."""
    scattered(session, town, 150)
    session.commit()
    with engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("ANALYZE")
        if engine.dialect.name == "sqlite":
            # As if there were a hundred thousand: with few rows it decides otherwise.
            connection.exec_driver_sql(
                "UPDATE sqlite_stat1 SET stat = replace(stat, '150', '100000') WHERE tbl = 'contribution'"
            )
            connection.exec_driver_sql("ANALYZE sqlite_schema")
    wide, high = 0.0006, 0.0004
    views = [
        (LON + at * wide / 3, LAT + at * high / 4, LON + at * wide / 3 + wide, LAT + at * high / 4 + high)
        for at in range(-4, 5)
    ]
    assert max(len(covering_ranges(*view)) for view in views) > 3
    plans: list[str] = []

    def look(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "place_words" in statement and not statement.startswith("EXPLAIN"):
            asked = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
            rows = connection.connection.cursor().execute(asked + statement, parameters).fetchall()
            plans.append("\n".join(str(row[-1]) for row in rows))

    event.listen(engine, "before_cursor_execute", look)
    try:
        shown = [published.in_view(session, town.procedure.id or 0, Wanted(), view, 19) for view in views]
    finally:
        event.remove(engine, "before_cursor_execute", look)
    assert sum(each.total for each in shown) > 20
    assert plans
    assert not [plan for plan in plans if "SCAN contribution" in plan]


# --- places in words -------------------------------------------------------------------------------


def test_whereabouts_name_the_district_and_what_is_nearest(session: Session, town: Town) -> None:
    x, y = metres_of(LON, LAT)
    known = [
        PlaceInput(PlaceKind.DISTRICT, "Westend", from_metres(shapely.box(x - 2000, y - 2000, x, y + 2000))),
        PlaceInput(PlaceKind.DISTRICT, "Ostend", from_metres(shapely.box(x, y - 2000, x + 2000, y + 2000))),
        PlaceInput(
            PlaceKind.STREET,
            "Lange Straße",
            from_metres(shapely.LineString([(x - 900, y + 100), (x + 900, y + 100)])),
        ),
        PlaceInput(PlaceKind.LANDMARK, "Brunnen", from_metres(shapely.Point(x + 500, y))),
        PlaceInput(PlaceKind.PARCEL, "12/3", from_metres(shapely.Point(x + 500, y))),
    ]
    layer = Layer(municipality_id=town.id, role="streets", title="Straßen", imported_at=NOW)
    places.add_layer(session, layer, known, by=town.planner, now=NOW)
    spots = [(x - 400, y + 112), (x + 507, y), (x - 10, y + 40), (x + 1500, y - 1500), (x + 9000, y)]
    lonlats = [
        (located.lon, located.lat) for located in (from_metres(shapely.Point(*spot)) for spot in spots)
    ]
    found = whereabouts.of(session, town.id, lonlats)
    assert [(each.district, each.near, each.metres) for each in found] == [
        ("Westend", "Lange Straße", 12),
        ("Ostend", "Brunnen", 7),
        ("Westend", "Lange Straße", 60),
        ("Ostend", "", 0),
        ("", "", 0),
    ]
    assert whereabouts.of(session, town.id, []) == []


def test_shapes_become_geojson_within_their_budget(session: Session, town: Town) -> None:
    x, y = metres_of(LON, LAT)
    line = from_metres(shapely.LineString([(x, y), (x + 50, y + 1), (x + 100, y)]))
    area = from_metres(shapely.box(x, y, x + 30, y + 30))
    for located in (line, area):
        say(session, town, None, None, located=located)
    entries = published.everything(session, town.procedure.id or 0)
    whole = published.outlines(entries)
    assert [text[:20] for text in whole.values()] == ['{"type":"LineString"', '{"type":"Polygon","c']
    assert published.outlines(entries, tolerance=5.0)[entries[0].id].count("[") == 3
    assert list(published.outlines(entries, vertices=3)) == [entries[0].id]
    assert published.outlines([]) == {}
    lon, lat = shapely.from_geojson(whole[entries[0].id]).coords[0]
    assert metres_of(lon, lat) == pytest.approx((x, y), abs=0.1)
