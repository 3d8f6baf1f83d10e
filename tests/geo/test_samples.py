"""The real files of the folder DIGILOG_SAMPLES: counts, bounds and words as its SOURCE.md files say."""

import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyproj
import pytest
import shapely

from geo.layers import LayerProblem, LayerRead
from geo.readers import read_layer
from geo.readers.citymodel import read_buildings, read_surfaces

ROOT = Path(__file__).parents[2]
SAMPLES = Path(os.environ.get("DIGILOG_SAMPLES") or ROOT.parent / "shared" / "data")

pytestmark = [
    pytest.mark.samples,
    pytest.mark.skipif(
        not SAMPLES.is_dir(), reason="NOT TESTED: the folder DIGILOG_SAMPLES is not on this machine"
    ),
]


@cache
def sample(name: str) -> LayerRead:
    path = SAMPLES / name
    return read_layer(path, filename=path.name)


@pytest.mark.parametrize(
    ("name", "features", "kinds", "crs"),
    [
        ("districts/augsburg_stadtbezirke_42.geojson", 42, {"MultiPolygon"}, "EPSG:4326"),
        ("districts/augsburg_planungsraeume_17.geojson", 17, {"Polygon"}, "EPSG:4326"),
        ("districts/augsburg_stadtgrenze.geojson", 1, {"Polygon"}, "EPSG:4326"),
        ("streets/augsburg_strassen.geojson", 6244, {"LineString"}, "EPSG:4326"),
        ("parcels/nrw_alkis_flurstueck_sample.geojson", 10, {"MultiPolygon"}, "EPSG:4326"),
        ("parcels/nrw_alkis_gebaeudebauwerk_sample.geojson", 10, {"MultiPolygon"}, "EPSG:4326"),
        ("buildings2d/north_bayreuth_buildings_25832.gpkg", 4267, {"MultiPolygon"}, "EPSG:25832"),
        ("participation/bonn-raddialog-2017/proposals.geojson", 2340, {"Point"}, "EPSG:4326"),
    ],
)
def test_layers_are_read_whole(name: str, features: int, kinds: set[str], crs: str) -> None:
    report = sample(name).report
    assert (report.features, set(report.geometry_types), report.crs) == (features, kinds, crs)
    assert (report.repaired, report.skipped, report.notes) == (0, (), ())


def test_districts_cover_the_town_without_gaps() -> None:
    for name in (
        "districts/augsburg_stadtbezirke_42.geojson",
        "districts/augsburg_planungsraeume_17.geojson",
    ):
        frame = sample(name).frame
        assert frame.area.sum() / 1e6 == pytest.approx(146.75, abs=0.2)
        union = shapely.union_all(frame.geometry.values)
        assert union.area == pytest.approx(frame.area.sum(), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "version", "crs", "classes", "bounds"),
    [
        (
            "xplan/BPlan004_6-0.zip",
            "6.0",
            "EPSG:25832",
            {"BP_Plan": 1, "XP_TextAbschnitt": 9},
            (567386.293, 5937595.479, 567474.996, 5937698.959),
        ),
        (
            "xplan/Blankenese29_6-0.gml",
            "6.0",
            "EPSG:25832",
            {
                "BP_Plan": 1,
                "BP_Bereich": 1,
                "BP_BaugebietsTeilFlaeche": 42,
                "BP_UeberbaubareGrundstuecksFlaeche": 79,
                "BP_BauGrenze": 83,
                "XP_PPO": 222,
                "XP_TextAbschnitt": 12,
            },
            (552874.001, 5934779.737, 553340.636, 5935085.629),
        ),
        (
            "xplan/Heideweg_Sallgast_5-1.gml",
            "5.1",
            "EPSG:25833",
            {
                "BP_Plan": 1,
                "BP_BaugebietsTeilFlaeche": 9,
                "BP_AnpflanzungBindungErhaltung": 186,
                "BP_TextAbschnitt": 17,
            },
            None,
        ),
    ],
)
def test_plans_are_read_whole(
    name: str, version: str, crs: str, classes: dict[str, int], bounds: tuple[float, ...] | None
) -> None:
    layer = sample(name)
    assert (layer.report.version, layer.report.crs) == (version, crs)
    counted = Counter(layer.frame["klass"])
    counted.update({left.layer: left.count for left in layer.report.skipped})
    assert {klass: counted[klass] for klass in classes} == classes
    assert {left.reason for left in layer.report.skipped} <= {"no_geometry"}
    assert len(layer.texts) == next(count for klass, count in classes.items() if "Text" in klass)
    (plan,) = layer.plans
    assert plan.area is not None
    area = shapely.from_wkb(plan.area)
    assert area.is_valid
    if bounds:
        assert area.bounds == pytest.approx(bounds, abs=0.001)
    assert layer.frame.geometry.intersects(area.buffer(5)).mean() > 0.99


def test_plan_words_and_documents() -> None:
    archive = sample("xplan/BPlan004_6-0.zip")
    assert len({*archive.frame["klass"], *(left.layer for left in archive.report.skipped)}) == 18
    assert {(each.name, each.kind) for each in archive.attached} == {
        ("BPlan004_6-0.pdf", "document"),
        ("BPlan004_6-0.png", "raster"),
        ("BPlan004_6-0.pgw", "georeference"),
    }
    assert all(each.size for each in archive.attached)
    old = sample("xplan/Heideweg_Sallgast_5-1.gml").plans[0]
    assert (old.name, old.number, old.state, old.dates["inkrafttretensDatum"]) == (
        "Heideweg",
        "Nr.1",
        "in Kraft getreten",
        "2002-02-01",
    )
    arcs = sample("xplan/Blankenese29_6-0.gml").frame
    assert arcs.geometry.is_valid.all()


@pytest.mark.parametrize(
    "name",
    [
        "parcels/ogcapi_collection_flurstueck.json",
        "dcat-ap-de/dcat_ap_de-RefImp_TTL_SIMPLE.ttl",
    ],
)
def test_what_is_no_layer_is_refused(name: str) -> None:
    with pytest.raises(LayerProblem) as found:
        sample(name)
    assert found.value.code == "unknown_format"


# --- city models ---


@pytest.mark.parametrize(
    ("name", "version", "buildings", "parts", "thematic", "lods", "crs", "vertical"),
    [
        (
            "citygml/LoD2_32_280_5659_1_NW.gml", "1.0", 109, 55,
            {"RoofSurface": 210, "WallSurface": 910, "GroundSurface": 140, "ClosureSurface": 107},
            {"2": 140, "0": 24}, "EPSG:25832", "DHHN2016 (EPSG:7837)",
        ),
        (
            "citygml/LoD2_576_5950_1_HH.gml", "1.0", 47, 71,
            {"RoofSurface": 140, "WallSurface": 451, "GroundSurface": 94},
            {"2": 94, "0": 24}, "EPSG:25832", "DHHN2016 (EPSG:7837)",
        ),
        (
            "citygml/DEBY_LOD2_4959457.gml", "2.0", 1, 0,
            {"RoofSurface": 20, "WallSurface": 63, "GroundSurface": 1}, {"2": 1}, "EPSG:25832", "",
        ),
        (
            "citygml/ingolstadt_lod3_4018204c.gml", "2.0", 1, 1,
            {"RoofSurface": 5, "WallSurface": 42, "GroundSurface": 1, "Window": 24, "Door": 1,
             "OuterCeilingSurface": 13, "OuterFloorSurface": 5}, {"3": 2}, "EPSG:32632", "",
        ),
        ("citygml/Potsdam_LoD1.gml", "1.0", 97, 0, {}, {"1": 97}, "EPSG:25833", "DHHN92 (EPSG:5783)"),
        (
            "citygml/citygml3_lod2_buildings_synthetic.gml", "3.0", 100, 0,
            {"RoofSurface": 200, "WallSurface": 400, "GroundSurface": 100},
            {"2": 100}, "EPSG:3068", "DHHN92 (EPSG:5783)",
        ),
        ("cityjson/delft.city.json", "2.0", 160, 0, {}, {"1": 160}, "EPSG:28992", "NAP (EPSG:5709)"),
        (
            "cityjson/zurich_subset_lod2.city.json", "1.1", 49, 161,
            {"RoofSurface": 644, "WallSurface": 1340, "GroundSurface": 54}, {"2": 161, "0": 49}, "EPSG:2056", "",
        ),
        (
            "cityjson/3dbag_delft_subset.city.jsonl", "2.0", 10, 10, None,
            {"2.2": 10, "0": 10}, "EPSG:28992", "NAP (EPSG:5709)",
        ),
    ],
)  # fmt: skip
def test_city_models_are_read_whole(
    name: str,
    version: str,
    buildings: int,
    parts: int,
    thematic: dict[str, int] | None,
    lods: dict[str, int],
    crs: str,
    vertical: str,
) -> None:
    report = sample(name).report
    assert (report.version, report.features, report.parts) == (version, buildings, parts)
    assert thematic is None or report.thematic == thematic
    assert (report.lods, report.crs, report.vertical) == (lods, crs, vertical)
    assert report.layers[0].features == buildings


@pytest.mark.parametrize(
    ("name", "bounds", "ground_area"),
    [
        (
            "citygml/LoD2_32_280_5659_1_NW.gml",
            (280735.32, 5659008.957, 33.429, 280995.337, 5659368.012, 45.695),
            6665.0,
        ),
        (
            "citygml/LoD2_576_5950_1_HH.gml",
            (576229.976, 5949995.357, 26.285, 576576.105, 5950845.71, 39.099),
            4652.4,
        ),
        (
            "citygml/DEBY_LOD2_4959457.gml",
            (690953.026, 5335962.625, 509.79, 691054.069, 5336105.592, 547.33),
            6029.0,
        ),
    ],
)
def test_models_lie_and_stand_where_their_descriptions_say(
    name: str, bounds: tuple[float, ...], ground_area: float, tmp_path: Path
) -> None:
    path = tmp_path / "model.gpkg"
    report = read_layer(SAMPLES / name, filename=Path(name).name, model=path).report
    surfaces, rows = read_surfaces(path), read_buildings(path)
    points = shapely.get_coordinates(surfaces.geometry.values, include_z=True)
    assert (*points.min(axis=0), *points.max(axis=0)) == pytest.approx(bounds, abs=0.001)
    assert report.heights == pytest.approx((bounds[2], bounds[5]), abs=0.001)
    assert surfaces[surfaces.kind == "ground"].geometry.area.sum() == pytest.approx(ground_area, abs=0.1)
    assert rows[rows.parent == ""].geometry.area.sum() == pytest.approx(ground_area, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "addresses", "holes"),
    [
        ("citygml/LoD2_32_280_5659_1_NW.gml", 99, 0),
        ("citygml/LoD2_576_5950_1_HH.gml", 7, 0),
        ("citygml/DEBY_LOD2_4959457.gml", 1, 6),
    ],
)
def test_areas_of_each_kind_are_those_that_stand_in_the_file(
    name: str, addresses: int, holes: int, tmp_path: Path
) -> None:
    """Straight from the XML, polygon by polygon under the name of its surface; the frame of the file is kept."""
    path = tmp_path / "model.gpkg"
    read_layer(SAMPLES / name, filename=Path(name).name, model=path)
    surfaces, rows = read_surfaces(path), read_buildings(path)
    assert (rows.address != "").sum() == addresses
    assert sum(len(each.interiors) for each in surfaces.geometry) == holes
    found: Counter[str] = Counter()
    for thematic in ElementTree.parse(SAMPLES / name).iter():
        local = thematic.tag.rpartition("}")[2]
        if local in ("RoofSurface", "WallSurface", "GroundSurface", "ClosureSurface"):
            for polygon in thematic.iterfind(".//{*}Polygon"):
                for number, ring in enumerate(polygon.iterfind(".//{*}LinearRing")):
                    words = " ".join(ring.itertext()).split()
                    corners = np.array(words, dtype=float).reshape(-1, 3)
                    corners -= corners[0]
                    vector = np.cross(corners[:-1], corners[1:]).sum(axis=0) / 2
                    found[local.removesuffix("Surface").lower()] += np.linalg.norm(vector) * (
                        -1 if number else 1
                    )
    written = surfaces.groupby("kind")["area"].sum()
    assert dict(written) == pytest.approx(dict(found), rel=1e-6)


Bodies = dict[str, list[list[np.ndarray]]]
"""The faces of each building or part as they stand in a file: rings of corners, the first around, the others holes."""


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _bodies_of_citygml(path: Path) -> Bodies:
    """Every polygon under a building or part, but not under the parts below it."""

    def below(element: ElementTree.Element) -> Iterator[list[np.ndarray]]:
        for child in element:
            if _local(child) == "Polygon":
                texts = [" ".join(ring.itertext()) for ring in child.iter() if _local(ring) == "LinearRing"]
                yield [np.array(text.split(), dtype=float).reshape(-1, 3)[:-1] for text in texts]
            elif _local(child) != "consistsOfBuildingPart":
                yield from below(child)

    found: Bodies = {}
    for element in ElementTree.parse(path).iter():
        if _local(element) in ("Building", "BuildingPart") and (faces := list(below(element))):
            found[next(value for name, value in element.attrib.items() if name.endswith("}id"))] = faces
    return found


def _bodies_of_cityjson(path: Path, lod: str) -> Bodies:
    lines = [json.loads(each) for each in path.read_text().splitlines()] if path.suffix == ".jsonl" else []
    head, *features = lines or [document := json.loads(path.read_text()), document]
    found: Bodies = {}
    for feature in features:
        points = np.array(feature["vertices"]) * head["transform"]["scale"] + head["transform"]["translate"]
        for identifier, each in feature["CityObjects"].items():
            for shape in each.get("geometry", ()):
                if each["type"].startswith("Building") and str(shape["lod"]) == lod:
                    faces = shape["boundaries"]
                    faces = itertools.chain(*faces) if shape["type"] == "Solid" else faces
                    found.setdefault(identifier, []).extend([points[ring] for ring in face] for face in faces)
    return found


def _measured(faces: list[list[np.ndarray]]) -> tuple[float, float, bool]:
    """Area and volume by the divergence theorem, over triangles from the first corner of each ring and the tetrahedra that
    they span; and whether the body is closed: every edge is run once each way, corners told apart to a millimetre."""
    origin = faces[0][0][0]
    area = volume = 0.0
    edges: Counter[tuple[bytes, bytes]] = Counter()
    for rings in faces:
        vectors = []
        for ring in rings:
            corners = ring - origin
            one, two = corners[1:-1], corners[2:]
            vectors.append(np.cross(one - corners[0], two - corners[0]).sum(axis=0) / 2)
            volume += float((np.cross(one, two) @ corners[0]).sum()) / 6
            names = [corner.tobytes() for corner in np.round(corners * 1000).astype(int)]
            edges.update((a, b) for a, b in itertools.pairwise([*names, names[0]]) if a != b)
        area += float(np.linalg.norm(np.sum(vectors, axis=0)))
    return area, volume, all(edges[b, a] == count for (a, b), count in edges.items())


@pytest.mark.parametrize(
    ("name", "system", "lod", "bodies", "closed", "told"),
    [
        ("citygml/LoD2_32_280_5659_1_NW.gml", 25832, "", 140, 101, 140),
        ("citygml/LoD2_576_5950_1_HH.gml", 25832, "", 94, 94, 94),
        ("citygml/DEBY_LOD2_4959457.gml", 25832, "", 1, 0, 1),
        ("citygml/ingolstadt_lod3_4018204c.gml", 32632, "", 2, 0, 0),
        ("citygml/Potsdam_LoD1.gml", 25833, "", 97, 97, 97),
        ("citygml/citygml3_lod2_buildings_synthetic.gml", 3068, "", 100, 100, 100),
        ("cityjson/delft.city.json", 28992, "1", 160, 0, 0),
        ("cityjson/zurich_subset_lod2.city.json", 2056, "2", 161, 5, 7),
        ("cityjson/3dbag_delft_subset.city.jsonl", 28992, "2.2", 10, 10, 10),
    ],
)
def test_areas_and_volumes_are_those_of_the_raw_file_by_another_computation(
    name: str, system: int, lod: str, bodies: int, closed: int, told: int, tmp_path: Path
) -> None:
    """Every body of every sample, straight from the file, in EPSG:25832 as the reader keeps it: areas to a millionth, volumes
    of closed bodies to a millionth. A body whose faces fit (their vectors add up to nothing) without sharing all of their
    edges has a volume too, to a thousandth: what little is open counts by its distance from the origin chosen. `told` have
    one; the others are open, and none is claimed."""
    path = tmp_path / "model.gpkg"
    read_layer(SAMPLES / name, filename=Path(name).name, model=path)
    surfaces, rows = read_surfaces(path), read_buildings(path).set_index("id")
    raw = _bodies_of_cityjson(SAMPLES / name, lod) if lod else _bodies_of_citygml(SAMPLES / name)
    written = surfaces.groupby("building")["area"].sum()
    assert set(written.index) == set(raw)
    assert len(raw) == bodies
    move = pyproj.Transformer.from_crs(system, 25832, always_xy=True)
    found = {"closed": 0, "told": 0}
    for identifier, faces in raw.items():
        corners = np.concatenate([ring for face in faces for ring in face])
        # The made file says northing first; its houses are mirrored by that, and are turned inside out again.
        x, y = (corners[:, 1], corners[:, 0]) if system == 3068 else (corners[:, 0], corners[:, 1])
        corners[:, 0], corners[:, 1] = move.transform(x, y)
        rings = iter(np.split(corners, np.cumsum([len(ring) for face in faces for ring in face])[:-1]))
        area, volume, is_closed = _measured([[next(rings) for _ in face] for face in faces])
        if system == 3068:
            volume = -volume
        assert written[identifier] == pytest.approx(area, rel=1e-6, abs=1e-4), identifier
        measured = float(rows.volume[identifier]) - sum(rows.volume[rows.parent == identifier])
        found["closed"] += is_closed
        if not np.isnan(measured):
            found["told"] += 1
            assert measured == pytest.approx(volume, rel=1e-6 if is_closed else 1e-3), identifier
        assert not (is_closed and np.isnan(measured)), identifier
    assert found == {"closed": closed, "told": told}


def test_what_else_the_descriptions_count() -> None:
    assert sample("buildings2d/north_bayreuth_buildings_25832.gpkg").frame["addr_street"].notna().sum() == 781
    proposals = sample("participation/bonn-raddialog-2017/proposals.geojson").frame
    assert ((proposals["text"].fillna("") == "").sum(), proposals["category"].nunique()) == (33, 8)
    plan = sample("xplan/Blankenese29_6-0.gml")
    assert len({*plan.frame["klass"], *(left.layer for left in plan.report.skipped)}) == 16
    plan = sample("xplan/Heideweg_Sallgast_5-1.gml")
    assert len({*plan.frame["klass"], *(left.layer for left in plan.report.skipped)}) == 19


def test_what_is_wrong_with_a_model_is_said_by_name() -> None:
    potsdam = sample("citygml/Potsdam_LoD1.gml").report
    assert {repair.what for repair in potsdam.repairs} == {"measured_height"}
    assert potsdam.heights is not None
    assert potsdam.heights[1] < 100
    ingolstadt = sample("citygml/ingolstadt_lod3_4018204c.gml").report
    assert [(each.reason, each.identifiers) for each in ingolstadt.skipped] == [("zero_area", ("4018204c",))]
    delft = sample("cityjson/delft.city.json").report
    others = {each.layer: each.count for each in delft.skipped}
    assert others == {
        "Road": 143, "PlantCover": 126, "LandUse": 81, "GenericCityObject": 54, "Bridge": 3, "WaterBody": 3,
    }  # fmt: skip
    assert ("outside_germany", "") in delft.notes


def test_an_extract_of_openstreetmap_has_all_its_layers() -> None:
    read = sample("buildings2d/north-bayreuth.osm.gz")
    counts = {layer.name: layer.features for layer in read.report.layers}
    assert (counts["points"], counts["lines"], counts["multipolygons"]) == (897, 2384, 5412)
    assert read.frame["building"].notna().sum() == 4267
    assert read.report.crs == "EPSG:4326"


def test_the_table_in_the_documentation_says_what_the_reports_say() -> None:
    """Format, version, coordinate and height system of every row, and each of its numbers under its own name."""
    text = (ROOT / "docs" / "geo.md").read_text(encoding="utf-8").partition("## Samples")[2]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert len(rows) == 21
    for name, kind, objects, system in rows:
        read = sample(name)
        report = read.report
        assert kind.startswith(report.format.removesuffix("Seq")), (name, report.format)
        assert report.format == "OpenStreetMap" or kind in (
            report.format,
            f"{report.format} {report.version}",
        ), name
        assert system.startswith(report.crs), name
        assert ("outside Germany" in system) == (("outside_germany", "") in report.notes), name
        assert not report.vertical or report.vertical.split()[0] in system, name
        layers = Counter({layer.name: layer.features for layer in report.layers})
        classes = Counter(read.frame["klass"]) if "klass" in read.frame else Counter()
        classes.update({left.layer: left.count for left in report.skipped})
        for number, word in re.findall(r"(\d[\d,]*) (\w+)", re.sub(r"LoD\d", "", objects)):
            told = {
                "buildings": report.features,
                "building": report.features,
                "parts": report.parts,
                "part": report.parts,
                **(report.thematic or {}),
                **classes,
            }
            if report.format == "OpenStreetMap":
                told |= {
                    "points": layers["points"],
                    "lines": layers["lines"],
                    "areas": layers["multipolygons"],
                }
            assert int(number.replace(",", "")) == told.get(word, report.features), (name, word)
