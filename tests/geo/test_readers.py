"""Reading the layers a town delivers, and refusing what cannot be one."""

import gzip
import json
import random
import re
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from pyproj import Transformer

from geo.geometry import degrees_of
from geo.layers import (
    LayerProblem,
    LayerRead,
    Limits,
    features_geojson,
    read_normalised,
    write_normalised,
)
from geo.readers import READERS, read_layer
from geo.readers.archive import read_attached
from geo.readers.xplan import VERSIONS
from tests.geo import files
from tests.geo.files import X0, Y0, degrees, eight, geojson, square, xplan


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., LayerRead]:
    """Reads bytes as a delivered file, and sees to it that the file and its folder stay as they are."""

    def read_bytes(content: bytes | str, filename: str, **options: Any) -> LayerRead:
        folder = tmp_path / "delivered"
        folder.mkdir(exist_ok=True)
        path = folder / "upload"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        before = path.read_bytes()
        try:
            return read_layer(path, filename=filename, **options)
        finally:
            assert path.read_bytes() == before
            assert list(folder.iterdir()) == [path]

    return read_bytes


@pytest.fixture
def problem(read: Callable[..., LayerRead]) -> Callable[..., LayerProblem]:
    def read_in_vain(content: bytes | str, filename: str, **options: Any) -> LayerProblem:
        with pytest.raises(LayerProblem) as found:
            read(content, filename, **options)
        return found.value

    return read_in_vain


def made(tmp_path: Path, kind: str, frame: geopandas.GeoDataFrame | None = None) -> bytes:
    """A good file of each registered format."""
    frame = files.quarters() if frame is None else frame
    if kind == "GeoPackage":
        frame.to_file(tmp_path / "a.gpkg", layer="viertel")
        return (tmp_path / "a.gpkg").read_bytes()
    if kind == "FlatGeobuf":
        frame.to_file(tmp_path / "a.fgb", driver="FlatGeobuf")
        return (tmp_path / "a.fgb").read_bytes()
    if kind == "Shapefile":
        return files.shapefile(tmp_path / "shp", frame)
    if kind == "GeoJSON":
        return str(frame.to_crs(4326).to_json(to_wgs84=True)).encode()
    if kind in ("CityGML", "CityJSON", "OpenStreetMap", "GML"):
        makers = {
            "CityGML": files.citygml,
            "CityJSON": files.cityjson,
            "OpenStreetMap": files.osm,
            "GML": files.gml,
        }
        return makers[kind]().encode()
    if kind == "GeoParquet":
        pytest.importorskip("pyarrow", reason="NOT TESTED: pyarrow, an optional part, is not installed")
        frame.to_parquet(tmp_path / "a.parquet")
        return (tmp_path / "a.parquet").read_bytes()
    if kind == "GeoTIFF":
        return files.geotiff()
    if kind == "XYZ":
        return files.xyz().encode()
    assert kind == "XPlanGML", "a new format needs a sample here"
    return xplan().encode()


def said_of(reader: Any) -> dict[str, int]:
    """What has to be said beside the file: a bare table of points names no coordinate system."""
    return {"crs": 25832} if reader.name == "XYZ" else {}


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_every_format_arrives_in_metres_with_its_report(
    reader: Any, tmp_path: Path, read: Callable[..., LayerRead]
) -> None:
    layer = read(made(tmp_path, reader.name), f"lage{reader.suffixes[0]}", **said_of(reader))
    assert layer.report.format == reader.name
    assert layer.frame.crs.to_epsg() == 25832
    assert layer.report.features == len(layer.frame) > 0
    assert layer.report.bounds == pytest.approx((X0, Y0, X0 + 200, Y0 + 200), abs=0.01)
    assert layer.report.repaired == 0
    assert json.loads(json.dumps(layer.report.as_dict()))["format"] == reader.name
    path = tmp_path / "normalised.fgb"
    write_normalised(layer.frame, path)
    assert path.is_file()
    stored = read_normalised(path)
    assert stored.crs.to_epsg() == 25832
    assert len(stored) == len(layer.frame)
    assert sorted(stored.geometry.to_wkt()) == sorted(layer.frame.geometry.to_wkt())
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("kind", ["GeoPackage", "FlatGeobuf", "Shapefile", "GeoJSON"])
def test_names_numbers_and_umlauts_survive(kind: str, tmp_path: Path, read: Callable[..., LayerRead]) -> None:
    suffix = next(reader.suffixes[0] for reader in READERS if reader.name == kind)
    frame = read(made(tmp_path, kind), f"a{suffix}").frame.set_index("name")
    assert sorted(frame.index) == ["Mühlviertel", "Weißhof", "Äußere Gärten"]
    assert frame.loc["Äußere Gärten", "einwohner"] == 830
    assert frame.loc["Äußere Gärten", "dichte"] == 2.25
    assert frame.loc["Weißhof"].geometry.equals_exact(square(0, 100), 0.01, normalize=True)


@pytest.mark.parametrize("crs", [25833, 31468, 4258, 3857, 5650])
def test_other_coordinate_systems_are_brought_over(
    crs: int, tmp_path: Path, read: Callable[..., LayerRead]
) -> None:
    layer = read(made(tmp_path, "GeoPackage", files.quarters(crs)), "a.gpkg")
    assert layer.report.crs == f"EPSG:{crs}"
    assert layer.report.bounds == pytest.approx((X0, Y0, X0 + 200, Y0 + 200), abs=0.01)


def test_several_layers_become_one_and_tables_are_reported(
    tmp_path: Path, read: Callable[..., LayerRead]
) -> None:
    path = tmp_path / "a.gpkg"
    files.quarters().to_file(path, layer="viertel")
    files.quarters(25833).to_file(path, layer="viertel33")
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE liste (fid INTEGER PRIMARY KEY, wort TEXT)")
        database.execute("INSERT INTO liste (wort) VALUES ('eins')")
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('liste', 'attributes', 'liste')"
        )
    database.close()
    layer = read(path.read_bytes(), "a.gpkg")
    assert [(info.name, info.features) for info in layer.report.layers] == [("viertel", 3), ("viertel33", 3)]
    assert list(layer.frame["source_layer"]) == ["viertel"] * 3 + ["viertel33"] * 3
    assert layer.report.crs == "EPSG:25832, EPSG:25833"
    assert [(left.layer, left.reason, left.count) for left in layer.report.skipped] == [
        ("liste", "no_geometry", 1)
    ]


def test_a_byte_order_mark_and_a_layer_in_an_archive_are_no_obstacle(read: Callable[..., LayerRead]) -> None:
    text = geojson(degrees(square(0, 0)))
    assert read(b"\xef\xbb\xbf" + text, "a.geojson").report.features == 1
    assert read(files.archive({"lies mich.txt": "x", "karte/a.geojson": text}), "a.zip").report.features == 1


def test_shapefile_text_without_code_page(tmp_path: Path, read: Callable[..., LayerRead]) -> None:
    for encoding, found in (("CP1252", "cp1252"), ("UTF-8", "utf-8")):
        packed = files.shapefile(tmp_path / found, files.quarters(), encoding=encoding, leave_out=".cpg")
        layer = read(packed, "a.zip")
        assert set(layer.frame["name"]) == {"Mühlviertel", "Äußere Gärten", "Weißhof"}
        assert ("encoding", found) in layer.report.notes


# --- coordinate systems that are missing, wrong, turned ---


def test_a_missing_coordinate_system_is_asked_for_never_guessed(
    tmp_path: Path, read: Callable[..., LayerRead], problem: Callable[..., LayerProblem]
) -> None:
    with pytest.warns(UserWarning, match="crs"):
        package = made(tmp_path, "GeoPackage", files.quarters(None))
    found = problem(package, "a.gpkg")
    assert (found.code, found.facts) == ("missing_crs", {"looks_like": "metres"})
    assert read(package, "a.gpkg", crs=25832).report.crs == "EPSG:25832"

    packed = files.shapefile(tmp_path / "shp", files.quarters(), leave_out=".prj")
    assert problem(packed, "a.zip").code == "missing_crs"
    assert read(packed, "a.zip", crs=25832).report.bounds[0] == pytest.approx(X0)

    plain = geojson(json.loads(shapely.to_geojson(square(0, 0))))
    assert problem(plain, "a.geojson").code == "missing_crs"
    assert read(plain, "a.geojson", crs=25832).report.bounds[0] == pytest.approx(X0)

    no_srs = xplan(srs="")
    assert problem(no_srs, "a.gml").code == "missing_crs"
    assert read(no_srs, "a.gml", crs=25832).report.bounds[0] == pytest.approx(X0)


def test_person_and_file_have_to_agree(tmp_path: Path, problem: Callable[..., LayerProblem]) -> None:
    found = problem(made(tmp_path, "GeoPackage"), "a.gpkg", crs=25833)
    assert (found.code, found.facts) == ("crs_conflict", {"found": "EPSG:25832", "given": "EPSG:25833"})
    assert problem(made(tmp_path, "GeoPackage"), "a.gpkg", crs=99).code == "unknown_crs"


def test_swapped_coordinates_are_named(problem: Callable[..., LayerProblem], tmp_path: Path) -> None:
    assert problem(geojson({"type": "Point", "coordinates": [48.37, 10.9]}), "a.geojson").code == "swapped"
    turned = files.quarters()
    turned.geometry = shapely.transform(turned.geometry.values, lambda xy: xy[:, ::-1])
    assert problem(made(tmp_path, "GeoPackage", turned), "a.gpkg").code == "swapped"


def test_a_place_elsewhere_is_left_out_and_a_layer_elsewhere_refused(
    read: Callable[..., LayerRead], problem: Callable[..., LayerProblem]
) -> None:
    paris = {"type": "Point", "coordinates": [2.35, 48.85]}
    turned = {"type": "Point", "coordinates": [48.37, 10.9]}
    null_island = {"type": "Point", "coordinates": [0, 0]}
    assert problem(geojson(paris, null_island), "a.geojson").code == "outside"
    here = {"type": "Point", "coordinates": [10.9, 48.37]}
    layer = read(geojson(here, paris, turned, None, null_island, here), "a.geojson")
    assert layer.report.features == 2
    assert {(left.reason, left.features) for left in layer.report.skipped} == {
        ("no_geometry", (4,)),
        ("outside", (2, 5)),
        ("swapped", (3,)),
    }


# --- geometry that has to be repaired ---


def test_a_self_crossing_area_is_repaired_and_reported(read: Callable[..., LayerRead]) -> None:
    layer = read(geojson(degrees(square(200, 0)), degrees(eight())), "a.geojson")
    assert layer.frame.geometry.is_valid.all()
    (repair,) = layer.report.repairs
    assert (repair.feature, repair.identifier, repair.what) == (2, "Nr. 2", "self_crossing")
    assert (repair.lon, repair.lat) == pytest.approx(
        tuple(degrees(shapely.Point(X0 + 50, Y0 + 50))["coordinates"]), abs=1e-6
    )
    assert layer.frame.area.iloc[1] == pytest.approx(5000, rel=1e-4)


def test_collections_holes_and_collapsed_areas(read: Callable[..., LayerRead]) -> None:
    mixed = {
        "type": "GeometryCollection",
        "geometries": [degrees(square(0, 0)), degrees(shapely.Point(X0, Y0))],
    }
    flat = degrees(shapely.Polygon([(X0, Y0), (X0 + 9, Y0), (X0, Y0)]))
    layer = read(geojson(mixed, flat, degrees(square(0, 0))), "a.geojson")
    assert layer.report.geometry_types == {"Polygon": 2}
    assert [repair.what for repair in layer.report.repairs] == ["collection"]
    assert [(left.reason, left.features) for left in layer.report.skipped] == [("collapsed", (2,))]


def test_one_impossible_geometry_does_not_cost_the_layer(read: Callable[..., LayerRead]) -> None:
    two_points = {"type": "Polygon", "coordinates": [[[10.9, 48.4], [10.91, 48.4]]]}
    layer = read(
        geojson(two_points, {"type": "Circle", "coordinates": [1]}, degrees(square(0, 0))), "a.geojson"
    )
    assert layer.report.features == 1
    assert [(left.reason, left.features) for left in layer.report.skipped] == [("no_geometry", (1, 2))]
    assert {code for code, _ in layer.report.notes} == {"reader"}


def test_heights_are_dropped(read: Callable[..., LayerRead]) -> None:
    layer = read(geojson({"type": "Point", "coordinates": [10.9, 48.37, 489.5]}), "a.geojson")
    assert not layer.frame.has_z.any()


# --- files that are not what they seem ---


def test_names_that_lie_and_files_that_are_something_else(
    tmp_path: Path, problem: Callable[..., LayerProblem], read: Callable[..., LayerRead]
) -> None:
    lie = problem(made(tmp_path, "GeoPackage"), "karte.geojson")
    assert (lie.code, lie.facts) == ("lying_type", {"named": ".geojson", "found": "GeoPackage"})
    assert read(made(tmp_path, "FlatGeobuf"), "ohne endung").report.features == 3
    for content, looks_like in [
        (b"%PDF-1.7 x", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"<!doctype html><html>", "HTML"),
        (b"<gpx/>", "XML"),
        (b'{"type":"Topology"}', "JSON"),
        (b"name;x;y\n", "text"),
        (files.archive({"a.txt": "x"}), "ZIP"),
        (files.archive({"a.zip": files.archive({"b.geojson": "{}"})}), "ZIP"),
        ("ä".encode("utf-16"), "UTF-16"),
        (b"\0\1\2", ""),
    ]:
        found = problem(content, "karte.geojson")
        assert (found.code, found.facts) == ("unknown_format", {"looks_like": looks_like})


def test_gml_of_another_kind_in_an_archive(problem: Callable[..., LayerProblem]) -> None:
    found = problem(files.archive({"a.gml": "<core:Model xmlns:core='c'/>"}), "a.zip")
    assert (found.code, found.facts) == ("unknown_format", {"looks_like": "XML (Model)"})


def test_nothing_in_it(problem: Callable[..., LayerProblem], tmp_path: Path) -> None:
    assert problem(b"", "a.geojson").code == "empty_file"
    assert problem(geojson(), "a.geojson").code == "no_features"
    assert problem(geojson(None, None), "a.geojson").code == "no_layers"
    assert problem(made(tmp_path, "FlatGeobuf", files.quarters().iloc[:0]), "a.fgb").code == "no_features"


def test_geojson_that_is_broken_names_the_line(problem: Callable[..., LayerProblem]) -> None:
    found = problem(b'{"type": "FeatureCollection",\n"features": [\n{"type": "Feature"', "a.geojson")
    assert (found.code, found.facts["line"]) == ("broken", 3)
    assert problem(b'{"type":"FeatureCollection","features":5}', "a.json").code == "broken"
    assert problem(b'{"type":"FeatureCollection","features":[1]}', "a.json").facts["detail"] == "features[1]"
    assert problem(b'{"a":' * 100_000, "a.json").code == "broken"
    assert (
        problem('{"type":"FeatureCollection","features":[],"ä":1}'.encode("latin-1"), "a.json").code
        == "broken"
    )


def test_parts_of_a_shapefile_are_asked_for_by_name(
    tmp_path: Path, problem: Callable[..., LayerProblem]
) -> None:
    packed = files.shapefile(tmp_path / "shp", files.quarters(), leave_out=".dbf")
    assert problem(packed, "a.zip").facts == {"missing": "daten/Stadtteile.dbf"}
    alone = (tmp_path / "shp" / "Stadtteile.shp").read_bytes()
    assert problem(alone, "a.shp").code == "incomplete"


# --- archives that attack ---


def test_paths_that_climb_out_of_an_archive(problem: Callable[..., LayerProblem], tmp_path: Path) -> None:
    good = geojson(degrees(square(0, 0)))
    for name in ("../a.geojson", "/etc/a.geojson", "x/../../a.geojson", "C:\\a.geojson", "..\\a.geojson"):
        assert problem(files.archive({name: good}), "a.zip").code == "climbing_path", name
    link = zipfile.ZipInfo("a.geojson")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert problem((tmp_path / "link.zip").read_bytes(), "a.zip").code == "climbing_path"


def test_archives_that_blow_up(problem: Callable[..., LayerProblem]) -> None:
    assert problem(files.archive({"a.geojson": b"0" * 50_000_000}), "a.zip").code == "zip_bomb"
    many = files.archive({f"{number}.txt": "" for number in range(30)})
    assert problem(many, "a.zip", limits=Limits(entries=20)).code == "zip_bomb"
    big = files.archive({"a.gml": xplan()})
    assert problem(big, "a.zip", limits=Limits(unpacked_bytes=1000)).code == "zip_bomb"
    # An archive that lies about its size: only the directory says "small".
    lying = files.archive({"a.geojson": b"0" * 900_000})
    size = (900_000).to_bytes(4, "little")
    assert lying.count(size) == 2
    assert problem(lying.replace(size, (1000).to_bytes(4, "little")), "a.zip").code in {"broken", "zip_bomb"}
    packed = gzip.compress(b"<" + b" " * 900_000)
    assert problem(packed, "a.gml.gz", limits=Limits(unpacked_bytes=1000)).code == "zip_bomb"


def test_a_password_and_a_name_twice(problem: Callable[..., LayerProblem]) -> None:
    packed = bytearray(files.archive({"a.geojson": b"{}"}))
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    assert problem(bytes(packed), "a.zip").code == "encrypted"
    twice = files.archive({"a.geojson": b"{}", "b.geojson": b"{}"}).replace(b"b.geojson", b"a.geojson")
    assert problem(twice, "a.zip").code == "broken"


def test_size_limits(problem: Callable[..., LayerProblem], tmp_path: Path) -> None:
    package = made(tmp_path, "GeoPackage")
    for limits, code in [
        (Limits(file_bytes=1000), "too_large"),
        (Limits(features=2), "too_many_features"),
        (Limits(vertices=5), "too_many_vertices"),
    ]:
        assert problem(package, "a.gpkg", limits=limits).code == code
    text = made(tmp_path, "GeoJSON")
    assert problem(text, "a.geojson", limits=Limits(text_bytes=100)).code == "too_large"
    assert problem(text, "a.geojson", limits=Limits(features=2)).code == "too_many_features"
    assert problem(xplan(), "a.gml", limits=Limits(text_bytes=100)).code == "too_large"
    assert problem(xplan(), "a.gml", limits=Limits(features=1)).code == "too_many_features"


# --- plans ---


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plan_with_all_that_belongs_to_it(version: str, read: Callable[..., LayerRead]) -> None:
    packed = files.archive(
        {
            "plan/xplan.gml": xplan(version),
            "plan/begruendung.pdf": b"%PDF-1.4",
            "plan/bild.png": b"\x89PNG",
            "a.gfs": "<x>",
        }
    )
    layer = read(packed, "plan.zip")
    assert (layer.report.format, layer.report.version) == ("XPlanGML", version)
    (plan,) = layer.plans
    assert (plan.name, plan.number, plan.municipality, plan.municipality_key, plan.quarter) == (
        "Am Mühlbach",
        "12 a",
        "Musterstadt",
        "09999001",
        "Süd",
    )
    assert (plan.kind, plan.state) == ("vorhabenbezogener Bebauungsplan", "öffentliche Auslegung")
    assert plan.dates == {"aufstellungsbeschlussDatum": "2025-03-31"}
    assert plan.description == "Zwischen Bach und Bahn."
    assert plan.scale == 1000
    assert plan.area is not None
    assert shapely.from_wkb(plan.area).equals(square(0, 0, 200))
    assert dict(zip(layer.frame["gml_id"], layer.frame["sign"], strict=True)) == {
        "PLAN_1": "plan_limit",
        "A_1": "residential",
        "A_2": "commercial",
        "L_1": "building_limit",
        "B_1": "planting",
    }
    arc = layer.frame[layer.frame["gml_id"] == "L_1"].geometry.iloc[0]
    assert arc.geom_type == "LineString"
    assert arc.length == pytest.approx(20 * 3.14159, rel=1e-3)
    (text,) = layer.texts
    assert (text.key, text.text, text.binding) == (
        "§ 2",
        "Dächer sind zu begrünen.\nDas gilt auch für Garagen.",
        True,
    )
    assert [(left.layer, left.reason, left.count) for left in layer.report.skipped] == [
        ("BP_TextAbschnitt", "no_geometry", 1)
    ]
    attached = {each.name: (each.title, each.kind, each.type_code, each.size) for each in layer.attached}
    assert attached == {
        "plan/begruendung.pdf": ("Begründung", "document", "1010", 8),
        "plan/bild.png": ("", "raster", "", 4),
        "a.gfs": ("", "other", "", 3),
        "umwelt.pdf": ("Umweltbericht", "document", "1040", None),
    }


def test_attached_documents_can_be_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "plan.zip"
    path.write_bytes(files.archive({"xplan.gml": xplan(), "begruendung.pdf": b"%PDF-1.4"}))
    assert read_attached(path, "begruendung.pdf") == b"%PDF-1.4"
    with pytest.raises(LayerProblem) as found:
        read_attached(path, "umwelt.pdf")
    assert found.value.code == "incomplete"


def test_versions_that_are_not_known(problem: Callable[..., LayerProblem]) -> None:
    for version in ("4.1", "5.0", "7.0", "60.0"):
        found = problem(xplan(version), "a.gml")
        assert (found.code, found.facts["found"]) == ("xplan_version", version)


def test_entities_and_document_types_are_refused_unread(
    problem: Callable[..., LayerProblem], tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("geheim")
    for prolog, name in [
        (f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>', "&e;"),
        ('<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>', "&b;"),
        (f'<!DOCTYPE x SYSTEM "file://{secret}">', "Plan"),
        ("<!DOCTYPE x []>", "Plan"),
        ("", "&unknown;"),
    ]:
        assert problem(xplan(prolog=prolog, name=name), "a.gml").code == "xml_entities", prolog


def test_a_plan_that_is_broken_names_the_line(problem: Callable[..., LayerProblem]) -> None:
    text = xplan()
    found = problem(text[:-40], "a.gml")
    assert found.code == "broken"
    assert isinstance(found.facts["line"], int)
    assert found.facts["line"] > 10
    assert problem(text.replace("BP_Plan", "BP_Punkt"), "a.gml").code == "no_plan"


@pytest.mark.parametrize(
    ("name", "code", "northing_first"),
    [
        ("EPSG:25833", 25833, False),
        ("urn:ogc:def:crs:EPSG::25832", 25832, False),
        ("http://www.opengis.net/def/crs/EPSG/0/25832", 25832, False),
        ("urn:adv:crs:ETRS89_UTM33", 25833, False),
        ("EPSG:31468", 31468, False),
        ("urn:ogc:def:crs:EPSG::31468", 31468, True),
        ("EPSG:4326", 4326, False),
        ("urn:ogc:def:crs:EPSG::4326", 4326, True),
    ],
)
def test_coordinate_systems_by_all_their_names(
    name: str, code: int, northing_first: bool, read: Callable[..., LayerRead]
) -> None:
    transformer = Transformer.from_crs(25832, code, always_xy=True)

    def moved(found: re.Match[str]) -> str:
        numbers = [float(number) for number in found[2].split()]
        pairs = (transformer.transform(x, y) for x, y in zip(numbers[::2], numbers[1::2], strict=True))
        return (
            found[1]
            + " ".join(f"{n:.9f}" for x, y in pairs for n in ((y, x) if northing_first else (x, y)))
            + found[3]
        )

    text = re.sub(r"(<gml:pos(?:List)?>)([^<]*)(</gml:pos)", moved, xplan(srs=f' srsName="{name}"'))
    layer = read(text, "a.gml")
    assert layer.report.crs == f"EPSG:{code}"
    assert layer.report.bounds == pytest.approx((X0, Y0, X0 + 200, Y0 + 200), abs=0.01)


def test_a_self_crossing_plan_area_is_repaired_and_reported(read: Callable[..., LayerRead]) -> None:
    layer = read(xplan(area=eight()), "a.gml")
    (repair,) = layer.report.repairs
    assert (repair.layer, repair.identifier, repair.what) == ("BP_Plan", "PLAN_1", "self_crossing")
    assert layer.plans[0].area is not None
    assert shapely.from_wkb(layer.plans[0].area).is_valid


def test_what_the_library_does_not_deliver_is_said(read: Callable[..., LayerRead]) -> None:
    more = "<gml:featureMember><xplan:BP_Nichts gml:id='N'/></gml:featureMember>"
    reasons = {left.layer: left.reason for left in read(xplan(more=more), "a.gml").report.skipped}
    assert reasons["BP_Nichts"] in {"unread", "no_geometry"}


# --- what a browser gets ---


def test_features_for_a_browser(tmp_path: Path, read: Callable[..., LayerRead]) -> None:
    path = tmp_path / "plan.fgb"
    write_normalised(read(xplan(), "a.gml").frame, path)
    text, more = features_geojson(path, columns=["klass", "sign", "GRZ", "nicht da"])
    assert not more
    found = {feature["properties"]["klass"]: feature for feature in json.loads(text)["features"]}
    assert set(found) == {
        "BP_Plan",
        "BP_BaugebietsTeilFlaeche",
        "BP_BauGrenze",
        "BP_AnpflanzungBindungErhaltung",
    }
    assert found["BP_Plan"]["properties"] == {"klass": "BP_Plan", "sign": "plan_limit"}
    tree = found["BP_AnpflanzungBindungErhaltung"]["geometry"]["coordinates"]
    assert tree == [round(value, 7) for value in degrees_of(X0 + 5, Y0 + 5)]
    lon, lat = degrees_of(X0 + 5, Y0 + 5)
    near, _ = features_geojson(path, columns=["gml_id"], bounds=(lon, lat, lon + 1e-5, lat + 1e-5))
    assert {feature["properties"]["gml_id"] for feature in json.loads(near)["features"]} == {"PLAN_1", "B_1"}
    few, more = features_geojson(path, limit=2)
    assert (len(json.loads(few)["features"]), more) == (2, True)


# --- whatever comes ---


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_file_cut_short_is_refused_or_complete(
    reader: Any, tmp_path: Path, read: Callable[..., LayerRead]
) -> None:
    whole = made(tmp_path, reader.name)
    name = f"a{reader.suffixes[0]}"
    complete = read(whole, name, **said_of(reader)).report
    rng = random.Random(7)
    for length in sorted({0, 1, 4, 100, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(40))}):
        try:
            report = read(whole[:length], name, **said_of(reader)).report
        except LayerProblem:
            continue  # any other exception fails this test
        assert report.features == complete.features, length


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_damaged_files_raise_nothing_but_layer_problems(
    reader: Any, tmp_path: Path, read: Callable[..., LayerRead]
) -> None:
    whole = made(tmp_path, reader.name)
    rng = random.Random(11)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 3, 30))):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            layer = read(bytes(damaged), f"a{reader.suffixes[0]}")
        except LayerProblem:
            refused += 1
        else:
            assert layer.frame.geometry.is_valid.all()
            assert layer.report.features == len(layer.frame)
    assert refused > 0
