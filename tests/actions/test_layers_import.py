"""Map files become layers: read in a process of their own, kept twice, their places searchable, problems in words."""

from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from consultations import journal, places
from consultations.files import FolderStore
from consultations.permissions import SYSTEM
from consultations.places import Layer, LayerRole, Place, PlaceKind
from consultations.refusals import Code, Refusal
from geo.city import read_city
from geo.geometry import GEOMETRY_CODES
from geo.layers import LAYER_CODES, read_normalised
from geo.readers import apart
from participation import jobs, layers_import
from participation.database import unit_of_work
from participation.house import House
from participation.layers_import import GeometryProblem, LayerProblem
from participation.settings import ROOT, Settings
from participation.static import StaticFiles
from tests import cast
from tests.cast import NOW
from tests.geo.files import X0, Y0, archive, citygml, degrees, eight, geojson, quarters, square, xplan


@pytest.fixture
def files(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "files")


@pytest.fixture
def house(settings: Settings, engine: Engine, files: FolderStore) -> House:
    return House(settings, engine, files, StaticFiles(ROOT / "static"))


@pytest.fixture
def town(house: House) -> cast.Town:
    with unit_of_work(house.engine, write=True) as session:
        return cast.found(session)


def delivered(tmp_path: Path, content: bytes, name: str = "layer") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def line(x: float, y: float, dx: float = 80.0) -> dict[str, object]:
    import shapely

    return degrees(shapely.LineString([(X0 + x, Y0 + y), (X0 + x + dx, Y0 + y)]))


def named(*features: tuple[dict[str, object], dict[str, object]]) -> bytes:
    import json

    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "geometry": geometry, "properties": properties}
                for geometry, properties in features
            ],
        }
    ).encode()


WORDS: dict[str, str] = {
    "title": "Stadtteile",
    "source": "Vermessungsamt",
    "licence": "dl-de/by-2-0",
    "attribution": "© Stadt",
}


def test_districts_become_places_that_a_search_finds(house: House, town: cast.Town, tmp_path: Path) -> None:
    path = delivered(tmp_path, quarters(4326).to_json().encode())
    layer = layers_import.take_layer(
        house,
        path,
        "stadtteile.geojson",
        layers_import.LayerWish(role=LayerRole.DISTRICTS, **WORDS),
        municipality_id=town.id,
        by=SYSTEM,
        now=NOW,
    )
    assert layer.id is not None
    assert layer.report["format"] == "GeoJSON"
    assert layer.report["features"] == 3
    with Session(house.engine) as session:
        found = places.names(session, town.id, PlaceKind.DISTRICT)
        assert [place.name for place in found] == ["Äußere Gärten", "Mühlviertel", "Weißhof"]
        assert places.find(session, town.id, "aeussere")[0].name == "Äußere Gärten"
        assert journal.about(session, f"layer:{layer.id}")[-1].facts["places"] == 3
    assert b"".join(house.files.open(layer.original_sha256)) == path.read_bytes()
    normalised = delivered(tmp_path, b"".join(house.files.open(layer.normalised_sha256)), "kept.fgb")
    assert read_normalised(normalised).crs.to_epsg() == 25832


def test_a_newer_file_of_the_same_name_takes_the_place_of_the_older(
    house: House, town: cast.Town, tmp_path: Path
) -> None:
    for count in (3, 2):
        path = delivered(tmp_path, quarters(4326).iloc[:count].to_json().encode())
        wish = layers_import.LayerWish(role=LayerRole.DISTRICTS, **WORDS)
        layers_import.take_layer(
            house, path, "a.geojson", wish, municipality_id=town.id, by=SYSTEM, now=NOW
        )  # fmt: skip
    with Session(house.engine) as session:
        assert len(places.layers_of(session, town.id)) == 1
        assert len(places.names(session, town.id, PlaceKind.DISTRICT)) == 2


def test_a_street_is_one_place_but_two_of_one_name_stay_two(files: FolderStore, tmp_path: Path) -> None:
    content = named(
        (line(0, 0), {"name": "Dorfstraße", "viertel": "Au"}),
        (line(80, 0, 200), {"name": "Dorfstraße", "viertel": "Moos"}),
        (line(9_000, 0), {"name": "Dorfstraße", "viertel": "Weiler"}),
        (line(0, 50), {"name": "  Am   Bach ", "viertel": None}),
        (line(0, 90), {"name": None, "viertel": "Au"}),
    )
    read = layers_import.read_layer(
        files, delivered(tmp_path, content), "strassen.geojson", role=LayerRole.STREETS
    )
    found = [(place.name, place.district, place.located.kind) for place in read.reading.places]
    assert found == [
        ("Am Bach", "", "line"),
        ("Dorfstraße", "Moos, Au", "line"),
        ("Dorfstraße", "Weiler", "line"),
    ]


def test_parcels_are_called_by_sheet_and_number(files: FolderStore, tmp_path: Path) -> None:
    content = named((degrees(square(0, 0)), {"flurstnr": "193/2", "flur": "016", "gemarkung": "Au"}))
    read = layers_import.read_layer(files, delivered(tmp_path, content), "a.geojson", role=LayerRole.PARCELS)
    assert [(place.name, place.district) for place in read.reading.places] == [
        ("Flurstück 193/2 (Flur 16)", "Au")
    ]


def test_streets_without_a_column_of_names_are_refused_with_the_columns_there_are(
    files: FolderStore, tmp_path: Path
) -> None:
    content = named((line(0, 0), {"kennziffer": "7"}))
    with pytest.raises(LayerProblem) as refused:
        layers_import.read_layer(files, delivered(tmp_path, content), "x.geojson", role=LayerRole.STREETS)
    assert "kennziffer" in layers_import.explain(refused.value, "x.geojson", "de")


def test_a_plan_brings_its_area_and_what_else_it_says(files: FolderStore, tmp_path: Path) -> None:
    path = delivered(tmp_path, archive({"plan.gml": xplan(), "begruendung.pdf": b"%PDF-1.4"}))
    read = layers_import.read_layer(files, path, "plan.zip")
    (plan,) = read.reading.plans
    assert (plan.name, plan.number, plan.quarter) == ("Am Mühlbach", "12 a", "Süd")
    assert plan.area is not None
    assert plan.area.square_metres == pytest.approx(200 * 200)
    assert {each.name for each in read.reading.attached} >= {"begruendung.pdf"}


def test_many_areas_are_counted_and_the_largest_listed(files: FolderStore, tmp_path: Path) -> None:
    shapes = [degrees(square(dx * 100.0, 0, 10.0 + dx)) for dx in range(70)]
    read = layers_import.read_layer(files, delivered(tmp_path, geojson(*shapes)), "viele.geojson")
    assert read.reading.area_count == 70
    assert len(read.reading.areas) == 60
    assert read.reading.areas[0].feature == 70
    assert read.reading.whole is not None
    assert read.reading.whole.square_metres == pytest.approx(
        sum((10 + dx) ** 2 for dx in range(70)), rel=1e-4
    )


def test_a_crossing_outline_is_repaired_and_the_report_says_where(tmp_path: Path) -> None:
    report = layers_import.check_layer(delivered(tmp_path, geojson(degrees(eight()))), "acht.geojson")
    assert report.repaired == 1
    (words,) = layers_import.repairs(report.as_dict(), "de")
    assert f"{report.repairs[0].lon:.5f}" in words


HOSTILE = {
    "lying_type": (geojson(degrees(square(0, 0))), "karte.gpkg"),
    "xml_entities": (xplan(prolog='<!DOCTYPE x [<!ENTITY a "b">]>').encode(), "plan.gml"),
    "xplan_version": (xplan("9.9").encode(), "plan.gml"),
    "swapped": (geojson({"type": "Point", "coordinates": [48.3, 10.7]}), "orte.geojson"),
    "zip_bomb": (archive({"plan.gml": b"0" * 60_000_000}), "plan.zip"),
}


@pytest.mark.parametrize("code", HOSTILE)
def test_what_cannot_be_a_layer_is_refused_with_its_name_and_leaves_nothing(
    code: str, files: FolderStore, tmp_path: Path
) -> None:
    content, filename = HOSTILE[code]
    with pytest.raises(LayerProblem) as refused:
        layers_import.read_layer(files, delivered(tmp_path, content), filename)
    assert refused.value.code == code
    assert filename in layers_import.explain(refused.value, filename, "de")
    assert list(files.hashes()) == []


def test_a_file_without_a_coordinate_system_is_asked_for_it(tmp_path: Path) -> None:
    path = tmp_path / "ohne.gpkg"
    with pytest.warns(UserWarning, match="crs"):
        quarters(None).to_file(path, driver="GPKG")
    with pytest.raises(LayerProblem) as refused:
        layers_import.check_layer(path, "ohne.gpkg")
    assert refused.value.code == "missing_crs"
    assert layers_import.check_layer(path, "ohne.gpkg", crs=25832).features == 3


def test_the_death_of_the_reader_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geo.readers.apart._Reader._waiting", None)
    monkeypatch.setattr("geo.readers.apart.sys.executable", "/bin/false")
    with pytest.raises(LayerProblem) as refused:
        layers_import.check_layer(delivered(tmp_path, b"x"), "a.gpkg")
    assert refused.value.code == "broken"


def test_the_reader_waits_for_the_next_file_and_leaves_when_nobody_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = delivered(tmp_path, citygml().encode())
    layers_import.check_layer(path, "stadt.gml")
    reader = apart._Reader._waiting
    layers_import.check_layer(path, "stadt.gml")
    assert reader is not None
    assert apart._Reader._waiting is reader
    monkeypatch.setattr("geo.readers.apart._PATIENCE", 0.01)
    layers_import.check_layer(path, "stadt.gml")
    assert reader._process.wait(timeout=60) != 0
    assert not psutil.pid_exists(reader._process.pid)


def test_every_problem_has_a_sentence_in_both_languages() -> None:
    facts = {
        "found": "a", "given": "b", "named": "c", "missing": "d", "crs": "e", "entry": "f", "supported": "g",
        "columns": "h", "count": 3, "limit": 2, "size": 1, "line": 7, "detail": "i", "looks_like": "j", "others": "k",
        "part": "l", "format": "m", "names": "n", "seconds": 45,
    }  # fmt: skip
    for code in LAYER_CODES:
        said = {
            language: layers_import.explain(LayerProblem(code, **facts), "x.gpkg", language)
            for language in ("de", "en")
        }
        assert "x.gpkg" in said["de"]
        assert said["de"] != said["en"]
    places_facts = {"lon": 10.5, "lat": 48.5, "x": 1.0, "y": 2.0, "count": 3, "limit": 2, "type": "Point"}
    for code in GEOMETRY_CODES:
        problem = GeometryProblem(code, **places_facts)
        assert layers_import.explain_place(problem, "de") != layers_import.explain_place(problem, "en")


def test_a_stranger_adds_no_layer(house: House, town: cast.Town, tmp_path: Path) -> None:
    with unit_of_work(house.engine, write=True) as session:
        other = cast.found(session, "seebach", "Seebach")
    path = delivered(tmp_path, geojson(degrees(square(0, 0))))
    for actor, procedure_id in ((other.planner, None), (town.clerk, town.procedure.id)):
        wish = layers_import.LayerWish(procedure_id=procedure_id, **WORDS)
        with pytest.raises(Refusal) as refused:
            layers_import.take_layer(
                house, path, "a.geojson", wish, municipality_id=town.id, by=actor, now=NOW
            )  # fmt: skip
        assert refused.value.code is Code.NOT_ALLOWED
    with Session(house.engine) as session:
        assert session.exec(select(Layer)).all() == []
        assert session.exec(select(Place)).all() == []


# --- as a job ---


def many_houses(count: int) -> bytes:
    """A city model of so many houses, made of the first of the small one."""
    import re

    text = citygml()
    member = re.search(r"(?s)<core:cityObjectMember>.*?</core:cityObjectMember>", text)
    assert member is not None
    houses = "".join(
        re.sub(r'"(haus|f\d+)"', rf'"\1-{n}"', member[0]).replace("#f", f"#f{n}-") for n in range(count)
    )
    return text.replace("</core:CityModel>", f"{houses}</core:CityModel>").encode()


def test_a_city_model_comes_in_as_a_job_and_is_what_3d_reads(
    house: House, town: cast.Town, tmp_path: Path
) -> None:
    path = delivered(tmp_path, citygml().encode())
    wish = layers_import.LayerWish("Stadtmodell", LayerRole.CITY_MODEL, attribution="Stadt")
    with unit_of_work(house.engine, write=True) as session:
        job_id = layers_import.leave_job(
            session,
            house.files,
            path,
            "stadt.gml",
            wish,
            municipality_id=town.id,
            by=SYSTEM,
            now=house.clock(),
        ).id
    path.unlink()  # the job has a copy of its own
    assert jobs.run_one(house)
    with unit_of_work(house.engine) as session:
        job = session.get(jobs.Job, job_id)
        assert job is not None
        assert (job.state, job.progress) == (jobs.JobState.DONE.value, 100)
        layer = session.get(Layer, job.result["layer"])
        assert layer is not None
        assert (layer.role, layer.report["features"], layer.report["parts"]) == ("city_model", 2, 2)
        kept = delivered(tmp_path, b"".join(house.files.open(layer.normalised_sha256)), "model.gpkg")
    city = read_city(kept, None)
    assert sorted(city.ids) == ["haus", "hof", "hof-1", "hof-2"]


def test_a_reader_killed_in_the_middle_leaves_the_old_layer_standing(
    house: House, town: cast.Town, tmp_path: Path
) -> None:
    """The process that reads is killed, as by a machine that runs out of memory: a refusal, and nothing else."""
    old = layers_import.take_layer(
        house,
        delivered(tmp_path, citygml().encode()),
        "stadt.gml",
        layers_import.LayerWish("Stadtmodell", LayerRole.CITY_MODEL, attribution="Stadt"),
        municipality_id=town.id,
        by=SYSTEM,
        now=NOW,
    )
    seen: list[float] = []

    def kill(share: float) -> None:
        seen.append(share)
        if share > 0.3:
            for reader in psutil.Process().children():
                if "geo.readers.apart" in reader.cmdline():
                    for fork in reader.children():
                        fork.kill()

    with pytest.raises(LayerProblem) as found:
        layers_import.take_layer(
            house,
            delivered(tmp_path, many_houses(1500), "neu.gml"),
            "neu.gml",
            layers_import.LayerWish("Stadtmodell", LayerRole.CITY_MODEL, attribution="Stadt"),
            municipality_id=town.id,
            by=SYSTEM,
            now=NOW,
            progress=kill,
        )
    assert found.value.code == "broken"
    assert seen[0] < 0.3 < seen[-1] < 1
    with unit_of_work(house.engine) as session:
        rows = session.exec(select(Layer).where(Layer.title == "Stadtmodell")).all()
        assert [(row.id, row.replaced_at) for row in rows] == [(old.id, None)]


def test_a_file_that_is_refused_is_a_result_not_a_failure(
    house: House, town: cast.Town, tmp_path: Path
) -> None:
    path = delivered(tmp_path, citygml(system="").encode())
    wish = layers_import.LayerWish("Stadtmodell", LayerRole.CITY_MODEL)
    with unit_of_work(house.engine, write=True) as session:
        job_id = layers_import.leave_job(
            session,
            house.files,
            path,
            "stadt.gml",
            wish,
            municipality_id=town.id,
            by=SYSTEM,
            now=house.clock(),
        ).id
    jobs.run_one(house)
    with unit_of_work(house.engine) as session:
        job = session.get(jobs.Job, job_id)
        assert job is not None
        assert (job.state, job.result["refused"]) == (jobs.JobState.DONE.value, "missing_crs")
        assert session.exec(select(Layer)).all() == []
