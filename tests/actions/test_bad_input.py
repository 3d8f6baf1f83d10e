"""Bad map data, one row for each kind: through `digilog layers check` and, as a job, over a layer that already stands."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import shapely
from sqlmodel import Session, col, select

from consultations.places import Layer
from geo.layers import LayerProblem, LayerReport
from participation import layers_import
from participation.database import make_engine
from tests import servers
from tests.actions.test_import_command import database, run
from tests.geo.files import (
    X0,
    Y0,
    archive,
    citygml,
    citygml_face,
    degrees,
    eight,
    geojson,
    gml,
    square,
    xplan,
)

__all__ = ["database"]


@dataclass(frozen=True)
class Bad:
    """A file that something is wrong with, and what is said of it: refused by a code, or read with a report.

    `said` is "repaired: <what> <id>" or "left out: <reason> <id>".
    """

    name: str
    content: bytes
    refused: str = ""
    said: tuple[str, ...] = ()
    role: str = "other"


def mixed() -> str:
    """The first house has a face of LoD1 beside those of LoD2, and one of LoD4, which is its inside."""
    face = citygml_face([(0, 0, 500), (9, 0, 500), (0, 9, 500)])
    more = f"<bldg:lod1MultiSurface>{face}</bldg:lod1MultiSurface><bldg:lod4MultiSurface>{face}</bldg:lod4MultiSurface>"
    return citygml().replace("<bldg:function>", more + "<bldg:function>", 1)


def with_face(*points: tuple[float, float, float], close: bool = True) -> bytes:
    """The model with one more wall on its first house."""
    face = citygml_face(list(points), close=close)
    wall = (
        f"<bldg:boundedBy><bldg:WallSurface><bldg:lod2MultiSurface>{face}</bldg:lod2MultiSurface>"
        "</bldg:WallSurface></bldg:boundedBy>"
    )
    return citygml().replace("<bldg:boundedBy>", wall + "<bldg:boundedBy>", 1).encode()


def table(address: str) -> list[Bad]:
    """Every kind of bad input of a city's data; `address` is a server that nobody may ask."""
    city, good = citygml(), geojson(degrees(square(0, 0)))
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{address}/geheim.xml">]>'
    remote = city.replace('xlink:href="#f2"', f'xlink:href="{address}/teil.gml#f2"').replace(
        "<core:CityModel ",
        f'<core:CityModel xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a {address}/a.xsd" ',
    )
    model = {"role": "city_model"}
    return [
        # Truncated and malformed GML
        Bad("abgeschnitten.gml", gml().encode()[:-200], "broken"),
        Bad("stadt-abgeschnitten.gml", city[: city.index("hof-2")].encode(), "broken", **model),
        Bad("plan-abgeschnitten.gml", xplan().encode()[:-40], "broken"),
        Bad("verschachtelt.gml", city.replace("</bldg:Building>", "</bldg:Haus>", 1).encode(), "broken", **model),
        Bad("wort.gml", city.replace(f"{X0} {Y0} 500.0", f"{X0} acht 500.0", 1).encode(), "broken", **model),
        # Wrong or missing coordinate system
        Bad("ohne-system.gml", citygml(system="").encode(), "missing_crs", **model),
        Bad("marssystem.gml", citygml(system="urn:adv:crs:MARS").encode(), "unknown_crs", **model),
        Bad("falsches-system.gml", gml("urn:ogc:def:crs:EPSG::25835").encode(), "outside"),
        Bad("vertauscht.geojson", geojson({"type": "Point", "coordinates": [48.3, 10.7]}), "swapped"),
        # Mixed levels of detail, open rings, faces without area, faces that cross themselves
        Bad("gemischt.gml", mixed().encode(), said=("left out: other_lod haus", "left out: interior haus"), **model),
        Bad(
            "offen.gml",
            with_face((0, 0, 500), (9, 0, 500), (9, 0, 509), (0, 0, 509), close=False),
            said=("repaired: open_ring haus",), **model,
        ),
        Bad("ohne-flaeche.gml", with_face((0, 0, 500), (5, 0, 500), (9, 0, 500)), said=("left out: zero_area haus",), **model),
        Bad(
            "schleife.gml", with_face((0, 0, 500), (9, 0, 509), (9, 0, 500), (0, 0, 509)),
            said=("repaired: self_crossing_face haus",), **model,
        ),
        Bad("acht.geojson", geojson(degrees(eight())), said=("repaired: self_crossing Nr. 1",)),
        # A building three kilometres high
        Bad("turm.gml", city.replace("512.0", "3500.0").encode(), said=("left out: too_high haus",), **model),
        # Archives
        Bad("klettert.zip", archive({"../../etc/a.geojson": good}), "climbing_path"),
        Bad("bombe.zip", archive({"a.geojson": b"0" * 50_000_000}), "zip_bomb"),
        # Entities, remote references
        Bad("entitaet.gml", city.replace("?>", f"?>{entity}", 1).replace("Färbergasse", "&e;").encode(), "xml_entities", **model),
        Bad("plan-entitaet.gml", xplan(prolog=entity, name="&e;").encode(), "xml_entities"),
        Bad("lachen.gml", city.replace("?>", '?><!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]>', 1).encode(), "xml_entities", **model),
        Bad("verweis.gml", remote.encode(), said=("left out: remote_link haus",), **model),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[str, list[str]]]:
    with servers.remembering() as address_and_asked:
        yield address_and_asked


def standing(url: str) -> list[tuple[int | None, str]]:
    engine = make_engine(url)
    with Session(engine) as session:
        rows = session.exec(
            select(Layer).where(col(Layer.replaced_at).is_(None)).order_by(col(Layer.id))
        ).all()
        found = [(row.id, row.title) for row in rows]
    engine.dispose()
    return found


def test_every_kind_of_bad_file_is_refused_or_repaired_by_name_and_never_half_a_layer(
    database: str, tmp_path: Path, listener: tuple[str, list[str]]
) -> None:
    address, asked = listener
    rows = table(address)
    paths = [tmp_path / row.name for row in rows]
    for row, path in zip(rows, paths, strict=True):
        path.write_bytes(row.content)

    # What the reader says, in codes: what `layers check` and the job put into words.
    for row, path in zip(rows, paths, strict=True):
        code, said = "", ()
        try:
            said = told_of(layers_import.check_layer(path, row.name))
        except LayerProblem as problem:
            code = problem.code
        assert (row.name, code) == (row.name, row.refused)
        assert set(row.said) <= set(said), row.name

    # The command says it in words, names each file, and goes on with the next.
    some = list(zip(rows, paths, strict=True))[::6]
    code, printed = run("layers", "check", *(path for _, path in some), "--json")
    told = json.loads(printed)
    assert code == 2
    assert [(each["file"], "refused" in each) for each in told] == [
        (row.name, bool(row.refused)) for row, _ in some
    ]
    assert {"refused" in each for each in told} == {True, False}

    # As a job over a layer of the same title: what is refused leaves the old one, what is repaired takes its place.
    old = {}
    for role, content in (("other", geojson(degrees(square(0, 0)))), ("city_model", citygml().encode())):
        first = tmp_path / f"alt-{role}.{'gml' if role == 'city_model' else 'geojson'}"
        first.write_bytes(content)
        assert run(*importing(first, role))[0] == 0
        old[role] = standing(database)[-1]
    for role in old:
        bad = [path for row, path in zip(rows, paths, strict=True) if row.role == role and row.refused]
        assert run(*importing(bad, role))[0] == 2
    assert standing(database) == list(old.values())
    mended = [
        path for row, path in zip(rows, paths, strict=True) if row.role == "city_model" and not row.refused
    ]
    assert run(*importing(mended, "city_model"))[0] == 0
    now = standing(database)
    assert [title for _, title in now] == ["other", "city_model"]
    assert now[0] == old["other"]
    assert now[1] != old["city_model"]
    assert asked == []


def importing(paths: Path | list[Path], role: str) -> list[object]:
    each = paths if isinstance(paths, list) else [paths]
    return ["import", "layer", *each, "--municipality", "auenfurt", "--role", role, "--title", role]


def told_of(report: LayerReport) -> tuple[str, ...]:
    return (
        *(f"repaired: {each.what} {each.identifier}" for each in report.repairs),
        *(f"left out: {each.reason} {name}" for each in report.skipped for name in each.identifiers or [""]),
    )


def test_a_polygon_of_ten_million_points_is_left_out_by_its_name_and_the_rest_is_read(tmp_path: Path) -> None:
    """In a process of its own, as in earnest: its memory and its time are bounded."""
    import pyogrio.raw

    turn = np.linspace(0, 2 * np.pi, 10_000_000)
    ring = np.stack([X0 + 5_000 * np.cos(turn), Y0 + 5_000 * np.sin(turn)], axis=1)
    circle = struct.pack("<BIII", 1, 3, 1, len(ring)) + ring.tobytes()
    fine = np.array([circle, shapely.to_wkb(square(0, 0))], dtype=object)
    path = tmp_path / "fein.gpkg"
    names = [np.array(["Kreis", "Feld"], dtype=object)]
    pyogrio.raw.write(str(path), fine, names, ["name"], geometry_type="Polygon", crs="EPSG:25832", layer="a")
    report = layers_import.check_layer(path, "fein.gpkg")
    assert (report.features, [(each.reason, each.count) for each in report.skipped]) == (
        1,
        [("too_detailed", 1)],
    )
    assert "left out: too_detailed Kreis" in told_of(report)
