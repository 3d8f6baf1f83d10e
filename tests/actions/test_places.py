"""Places by name, layers that replace each other, and which consultations lie near a place."""

from collections.abc import Sequence

import pytest
from sqlmodel import Session

from consultations import journal, nearby, places, procedures
from consultations.places import Layer, LayerRole, Place, PlaceInput, PlaceKind, fold, in_order
from consultations.procedures import Procedure
from geo.geometry import Located, degrees_of, from_lonlat, metres_of, read_geojson_geometry
from tests import cast

NOW = cast.NOW
#: A corner in the middle of the cast's town, in metres.
X, Y = metres_of(10.70, 48.30)


@pytest.fixture
def town(session: Session) -> cast.Town:
    return cast.found(session)


def area(west: float, south: float, east: float, north: float) -> Located:
    """A rectangle, in metres from the corner."""
    ring = [degrees_of(X + x, Y + y) for x, y in ((west, south), (east, south), (east, north), (west, north))]
    return read_geojson_geometry({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})


def line(*points: tuple[float, float]) -> Located:
    """A street, in metres from the corner."""
    return read_geojson_geometry(
        {"type": "LineString", "coordinates": [degrees_of(X + x, Y + y) for x, y in points]}
    )


def put(
    session: Session,
    town: cast.Town,
    names: Sequence[str | tuple[str, str]],
    *,
    kind: PlaceKind = PlaceKind.STREET,
    title: str = "Straßen",
    located: Located | None = None,
) -> Layer:
    """A layer with places of these names, or of these (name, district)."""
    pairs = [(name, "") if isinstance(name, str) else name for name in names]
    located = located or line((0, 0), (50, 0))
    return places.add_layer(
        session,
        Layer(municipality_id=town.id, role=LayerRole.STREETS.value, title=title, imported_at=NOW),
        [PlaceInput(kind, name, located, district) for name, district in pairs],
        by=town.planner,
        now=NOW,
    )


def found(session: Session, town: cast.Town, words: str, **how: object) -> list[str]:
    return [place.name for place in places.find(session, town.id, words, **how)]  # type: ignore[arg-type]


# --- names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("Karl-Straße", "karl strasse"),
        ("KARLSTRASSE", "karlstrasse"),
        ("Karlstr.", "karlstrasse"),
        ("  Am   Mühlbach ", "am muehlbach"),
        ("Übergang", "uebergang"),
    ],
)
def test_names_are_compared_as_people_type_them(typed: str, folded: str) -> None:
    assert fold(typed) == folded


def test_house_numbers_stand_in_the_order_of_numbers() -> None:
    street = ["Am Anger", "Übergang 2", "Badgasse 2", "Badgasse 11", "Badgasse 2a", "Badgasse 1", "7 Linden"]
    assert sorted(street, key=in_order) == [
        "7 Linden", "Am Anger", "Badgasse 1", "Badgasse 2", "Badgasse 2a", "Badgasse 11", "Übergang 2",
    ]  # fmt: skip


def test_beginnings_come_before_middles_and_each_in_alphabetical_order(
    session: Session, town: cast.Town
) -> None:
    put(session, town, ["Neue Mühlgasse", "Mühlweg", "Mühlbachstraße", "Alte Mühlgasse", "Lindenweg"])
    assert found(session, town, "mühl") == ["Mühlbachstraße", "Mühlweg", "Alte Mühlgasse", "Neue Mühlgasse"]
    assert found(session, town, "MÜHL", limit=3) == ["Mühlbachstraße", "Mühlweg", "Alte Mühlgasse"]
    assert found(session, town, "mühl", limit=2) == ["Mühlbachstraße", "Mühlweg"]
    assert found(session, town, "muehlbachstr.") == ["Mühlbachstraße"]


@pytest.mark.parametrize("words", ["", "  ", "%", "...", "xyz", "' OR 1=1 --"])
def test_nothing_is_found_by_nothing(session: Session, town: cast.Town, words: str) -> None:
    put(session, town, ["Mühlweg"])
    assert found(session, town, words) == []


def test_kinds_and_towns_are_kept_apart(session: Session, town: cast.Town) -> None:
    other = cast.found(session, "seebach", "Seebach")
    put(session, town, ["Mühlviertel"], kind=PlaceKind.DISTRICT, title="Bezirke")
    put(session, town, ["Mühlweg"])
    put(session, other, ["Mühlgasse"])
    assert found(session, town, "mühl") == ["Mühlviertel", "Mühlweg"]
    assert found(session, town, "mühl", kinds=(PlaceKind.STREET,)) == ["Mühlweg"]
    place = places.find(session, other.id, "mühl")[0]
    assert places.by_id(session, other.id, place.id or 0) == place
    assert places.by_id(session, town.id, place.id or 0) is None


def test_a_list_of_names_has_each_once_per_district(session: Session, town: cast.Town) -> None:
    put(session, town, [("Ringstraße", "Nord"), ("Allee", ""), ("Ringstraße", "Süd"), ("Ringstraße", "Nord")])
    listed = places.names(session, town.id, PlaceKind.STREET)
    assert [(place.name, place.district) for place in listed] == [
        ("Allee", ""),
        ("Ringstraße", "Nord"),
        ("Ringstraße", "Süd"),
    ]


# --- layers ------------------------------------------------------------------------------------------


def test_a_new_import_takes_the_place_of_the_old_one_and_is_on_record(
    session: Session, town: cast.Town
) -> None:
    before = journal.revision(session, town.id)
    old = put(session, town, ["Alte Gasse", "Mühlweg"])
    other = put(session, town, ["Waldweg"], title="Wege")
    new = put(session, town, ["Neue Gasse"])
    assert old.replaced_at == NOW
    assert places.layers_of(session, town.id) == [other, new]
    assert found(session, town, "gasse") == ["Neue Gasse"]
    assert found(session, town, "weg") == ["Waldweg"]
    assert journal.revision(session, town.id) == before + 3


def test_layers_of_a_plan_are_not_layers_of_the_town(session: Session, town: cast.Town) -> None:
    plan = Layer(
        municipality_id=town.id,
        procedure_id=town.procedure.id,
        role=LayerRole.PLAN.value,
        title="Plan",
        imported_at=NOW,
    )
    places.add_layer(session, plan, [], by=town.planner, now=NOW)
    assert places.layers_of(session, town.id) == []
    assert places.layers_of(session, town.id, town.procedure.id) == [plan]


# --- boxes and distances -----------------------------------------------------------------------------


def test_a_box_finds_what_reaches_into_it(session: Session, town: cast.Town) -> None:
    put(session, town, ["Durch"], title="1", located=line((-500, 10), (500, 10)))
    put(session, town, ["Drin"], title="2", located=line((10, 10), (20, 20)))
    put(session, town, ["Daneben"], title="3", located=line((101, 0), (200, 0)))
    put(session, town, ["Bezirk"], kind=PlaceKind.DISTRICT, title="4", located=area(0, 0, 900, 900))
    box = (X, Y, X + 100, Y + 100)
    reached = places.in_box(session, town.id, PlaceKind.STREET, box)
    assert [place.name for place in reached] == ["Drin", "Durch"]
    west, _, east, north = places.extent(session, town.id, PlaceKind.DISTRICT) or (0, 0, 0, 0)
    assert (west, east, north) == pytest.approx((X, X + 900, Y + 900), abs=0.01)
    assert places.extent(session, town.id, PlaceKind.PARCEL) is None


def planned(session: Session, town: cast.Town, key: str, where: Located | None) -> Procedure:
    procedure = procedures.create(
        session,
        cast.consultation(key=key, title=key),
        municipality_id=town.id,
        template_key="development_plan",
        by=town.planner,
        now=NOW,
    )
    if where:
        procedures.set_plan_area(session, procedure, where, by=town.planner, now=NOW)
    return procedure


@pytest.fixture
def plans(session: Session, town: cast.Town) -> list[Procedure]:
    return [
        planned(session, town, "far", area(5000, 0, 5100, 100)),
        planned(session, town, "beside", area(130, 0, 200, 100)),
        planned(session, town, "here", area(0, 0, 100, 100)),
        planned(session, town, "nowhere", None),
        planned(session, town, "diagonal", area(-300, -400, 0, 0)),
    ]


def distances(near: Sequence[nearby.Near]) -> dict[str, float]:
    return {each.procedure.title: round(each.metres, 1) for each in near}


def test_plans_are_near_by_their_shape_nearest_first(plans: list[Procedure]) -> None:
    here = nearby.position(*degrees_of(X + 50, Y + 50))
    near = nearby.around(plans, here)
    assert [each.procedure.title for each in near] == ["here", "diagonal", "beside"]
    assert distances(near) == {"here": 0.0, "diagonal": 70.7, "beside": 80.0}
    assert distances(nearby.around(plans, here, within=75)) == {"here": 0.0, "diagonal": 70.7}
    assert nearby.around(plans, nearby.position(10.0, 50.0)) == []


def test_a_street_is_near_by_its_nearest_point(
    session: Session, town: cast.Town, plans: list[Procedure]
) -> None:
    put(session, town, ["Lange Straße"], located=line((50, 500), (150, 300), (115, 50)))
    (street,) = places.find(session, town.id, "lange")
    assert distances(nearby.around(plans, street, within=50)) == {"beside": 7.9, "here": 15.0}


def test_a_box_that_is_near_is_not_yet_a_shape_that_is_near(session: Session, town: cast.Town) -> None:
    corner = [(0, 0), (100, 0), (0, 100)]
    ring = [degrees_of(X + x, Y + y) for x, y in [*corner, corner[0]]]
    triangle = planned(
        session, town, "triangle", read_geojson_geometry({"type": "Polygon", "coordinates": [ring]})
    )
    at = nearby.position(*degrees_of(X + 100, Y + 100))
    assert nearby.around([triangle], at, within=70) == []
    assert distances(nearby.around([triangle], at)) == {"triangle": 70.7}


@pytest.mark.parametrize(
    ("lon", "lat"), [(48.3, 10.7), (0, 0), (float("nan"), 48.3), (float("inf"), 1), (637000, 5352000)]
)
def test_nonsense_is_no_position(lon: float, lat: float) -> None:
    with pytest.raises(ValueError, match=r"swapped|outside|not_finite|metres"):
        nearby.position(lon, lat)


def test_a_place_keeps_what_a_map_needs(session: Session, town: cast.Town) -> None:
    where = from_lonlat(10.7, 48.3)
    put(session, town, ["Brunnen"], kind=PlaceKind.LANDMARK, located=where)
    session.commit()
    session.expire_all()
    kept = session.get(Place, places.find(session, town.id, "brunnen")[0].id)
    assert kept is not None
    assert (kept.geometry, kept.cell, kept.lon, kept.lat) == (where.wkb, where.cell, 10.7, 48.3)
