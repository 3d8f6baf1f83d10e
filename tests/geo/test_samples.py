"""The real files of the folder DIGILOG_SAMPLES: counts, bounds and words as its SOURCE.md files say."""

import os
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import shapely

from geo.layers import LayerProblem, LayerRead
from geo.readers import read_layer

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
        "citygml/Potsdam_LoD1.gml",
        "cityjson/delft.city.json",
        "buildings2d/north-bayreuth.osm.gz",
        "dcat-ap-de/dcat_ap_de-RefImp_TTL_SIMPLE.ttl",
    ],
)
def test_what_is_no_layer_is_refused(name: str) -> None:
    with pytest.raises(LayerProblem) as found:
        sample(name)
    assert found.value.code == "unknown_format"
