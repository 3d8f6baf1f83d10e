"""CityGML and CityJSON: every version, links, holes, parts, coordinate systems, and whatever a file can get wrong."""

import contextlib
import os
import re
import signal
import tracemalloc
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from geo.layers import LayerProblem, LayerRead
from geo.readers import read_layer
from geo.readers.citygml import CityGmlFile, numbers_of
from geo.readers.citymodel import Findings, read_buildings, read_surfaces
from geo.readers.pieces import Pieces, cut
from tests import servers
from tests.geo import files
from tests.geo.files import X0, Y0, citygml, cityjson


def read(tmp_path: Path, content: str | bytes, name: str = "stadt.gml", **options: Any) -> LayerRead:
    path = tmp_path / "upload"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_layer(path, filename=name, model=tmp_path / "model.gpkg", **options)


def refused(tmp_path: Path, content: str | bytes, name: str = "stadt.gml", **options: Any) -> LayerProblem:
    with pytest.raises(LayerProblem) as found:
        read(tmp_path, content, name, **options)
    assert [each.name for each in tmp_path.iterdir()] == ["upload"]
    return found.value


@pytest.mark.parametrize(
    ("content", "name"),
    [
        *((citygml(version), "stadt.gml") for version in ("1.0", "2.0", "3.0")),
        *((cityjson(version), "stadt.json") for version in ("1.0", "1.1", "2.0")),
        (cityjson(sequence=True), "stadt.jsonl"),
    ],
    ids=["GML 1", "GML 2", "GML 3", "JSON 1.0", "JSON 1.1", "JSON 2.0", "sequence"],
)
def test_every_version_gives_the_same_city(tmp_path: Path, content: str, name: str) -> None:
    found = read(tmp_path, content, name)

    report = found.report
    assert (report.features, report.parts, report.repaired) == (2, 2, 0)
    assert report.crs == "EPSG:25832"
    assert report.heights == (500.0, 512.0)
    rows = read_buildings(tmp_path / "model.gpkg").set_index("id")
    assert rows.loc["haus"].volume == pytest.approx(120_000.0)
    assert rows.loc["hof"].volume == pytest.approx(50 * 100 * (6 + 9))
    assert list(rows.loc[["hof-1", "hof-2"]].parent) == ["hof", "hof"]
    assert (rows.loc["haus"].storeys, rows.loc["haus"].measured) == (4, 12.0)
    assert (rows.loc["haus"].function, rows.loc["haus"].roof_type) == ("31001_3012", "1000")
    surfaces = read_surfaces(tmp_path / "model.gpkg")
    areas = surfaces.groupby("kind")["area"].sum()
    assert areas["ground"] == areas["roof"] == pytest.approx(20_000.0)
    assert areas["wall"] == pytest.approx(400 * 12 + 300 * 6 + 300 * 9)
    assert sorted(found.frame.id) == ["haus", "hof"]


def test_names_addresses_holes_and_links_of_citygml(tmp_path: Path) -> None:
    found = read(tmp_path, citygml())
    assert found.report.vertical == "DHHN2016 (EPSG:7837)"
    assert found.report.thematic == {"GroundSurface": 3, "WallSurface": 12, "RoofSurface": 4}
    assert found.report.skipped == ()  # solids only repeat what stands elsewhere
    row = read_buildings(tmp_path / "model.gpkg").set_index("id").loc["haus"]
    assert row.address == "Färbergasse 7, Musterstadt"
    assert row["name"] == "Altes <script>Rathaus</script>"  # text, to be escaped where it is shown
    roofs = read_surfaces(tmp_path / "model.gpkg").query("building == 'haus' and kind == 'roof'")
    assert sorted(len(roof.interiors) for roof in roofs.geometry) == [0, 1]
    assert sorted(roofs["area"]) == pytest.approx([400.0, 9_600.0])


def test_kinds_may_be_given_by_links_to_the_faces_of_a_solid(tmp_path: Path) -> None:
    """The other way round: the solid has the faces, and thematic surfaces refer to them."""
    text = citygml()
    polygons = dict(re.findall(r'(?s)(<gml:Polygon gml:id="(f\d+)".*?</gml:Polygon>)', text) and [
        (name, polygon) for polygon, name in re.findall(r'(?s)(<gml:Polygon gml:id="(f\d+)".*?</gml:Polygon>)', text)
    ])  # fmt: skip
    for name, polygon in polygons.items():
        text = text.replace(f"<gml:surfaceMember>{polygon}</gml:surfaceMember>", f"[{name}]")
        text = text.replace(
            f'<gml:surfaceMember xlink:href="#{name}"/>', f"<gml:surfaceMember>{polygon}</gml:surfaceMember>"
        )
        text = text.replace(f"[{name}]", f'<gml:surfaceMember xlink:href="#{name}"/>')
    assert read(tmp_path, text).report.surfaces == {"ground": 3, "wall": 12, "roof": 4}


def test_several_tiles_are_one_layer(tmp_path: Path) -> None:
    second = citygml("1.0").replace('gml:id="haus"', 'gml:id="neu"')
    found = read(
        tmp_path, files.archive({"1.gml": citygml(), "2.gml": second, "3.json": cityjson()}), "kacheln.zip"
    )
    assert found.report.format == "CityGML + CityJSON"
    assert [layer.features for layer in found.report.layers] == [2, 2, 2]
    assert found.report.features == 3  # "hof" is in all three, "haus" in two
    assert {each.reason for each in found.report.skipped} == {"duplicate", "other_object"}


@pytest.mark.parametrize(
    ("system", "code"),
    [
        ("EPSG:25833", 25833),
        ("urn:adv:crs:ETRS89_UTM33*DE_DHHN2016_NH", 25833),
        ("urn:ogc:def:crs:EPSG::31468", 31468),
        ("EPSG:31467", 31467),
        ("urn:ogc:def:crs,crs:EPSG:6.12:25832,crs:EPSG:6.12:5783", 25832),
        ("http://www.opengis.net/def/crs/EPSG/0/4326", 4326),
        ("EPSG:3857", 3857),
        ("EPSG:32632", 32632),
    ],
)
def test_systems_and_orders_of_axes_end_in_one_place(tmp_path: Path, system: str, code: int) -> None:
    from pyproj import CRS, Transformer

    northing_first = system.startswith(("urn:ogc", "http")) and CRS(code).axis_info[0].direction == "north"
    there = Transformer.from_crs(25832, code, always_xy=True)

    def moved(found: re.Match[str]) -> str:
        numbers = [float(word) for word in found[1].split()]
        points = [there.transform(*numbers[at : at + 2]) for at in range(0, len(numbers), 3)]
        pairs = [(y, x) if northing_first else (x, y) for x, y in points]
        words = (f"{a:.9f} {b:.9f} {z}" for (a, b), z in zip(pairs, numbers[2::3], strict=True))
        return f'srsDimension="3">{" ".join(words)}<'

    text = re.sub(r'srsDimension="3">([\d. ]+)<', moved, citygml(system=system))
    report = read(tmp_path, text).report
    assert report.bounds == pytest.approx((X0, Y0, X0 + 200, Y0 + 200), abs=0.005)
    assert report.heights == (500.0, 512.0)  # heights stay as delivered
    assert report.crs == f"EPSG:{code}"
    missing = {name for name, _ in report.notes}
    assert ("missing_grid" in missing) == ("approximate_datum" in missing)
    assert "axis_order" not in missing


def test_axes_in_the_wrong_order_are_put_right_and_said(tmp_path: Path) -> None:
    def turned(found: re.Match[str]) -> str:
        words = found[1].split()
        swapped = (f"{words[at + 1]} {words[at]} {words[at + 2]}" for at in range(0, len(words), 3))
        return f'srsDimension="3">{" ".join(swapped)}<'

    report = read(tmp_path, re.sub(r'srsDimension="3">([\d. ]+)<', turned, citygml())).report
    assert report.bounds == pytest.approx((X0, Y0, X0 + 200, Y0 + 200))
    assert ("axis_order", "EPSG:25832") in report.notes


def test_a_system_that_is_not_said_is_asked_for(tmp_path: Path) -> None:
    for content, name in ((citygml(system=""), "a.gml"), (cityjson(system=""), "a.json")):
        assert refused(tmp_path, content, name).code == "missing_crs"
        assert read(tmp_path, content, name, crs=25832).report.bounds[0] == pytest.approx(X0)
        (tmp_path / "model.gpkg").unlink()
    assert refused(tmp_path, citygml(), crs=25833).code == "crs_conflict"
    assert refused(tmp_path, citygml(system="urn:adv:crs:MARS")).code == "unknown_crs"


def test_of_several_levels_of_detail_the_best_is_taken(tmp_path: Path) -> None:
    polygon = (
        f"<gml:Polygon><gml:exterior><gml:LinearRing><gml:posList>{X0} {Y0} 500 {X0 + 9} {Y0} 500 {X0} {Y0 + 9} 500 {X0} {Y0} 500"
        "</gml:posList></gml:LinearRing></gml:exterior></gml:Polygon>"
    )
    member = f"<gml:MultiSurface><gml:surfaceMember>{polygon}</gml:surfaceMember></gml:MultiSurface>"
    more = f"<bldg:lod1MultiSurface>{member}</bldg:lod1MultiSurface><bldg:lod4MultiSurface>{member}</bldg:lod4MultiSurface>"
    found = read(tmp_path, citygml().replace("<bldg:function>", more + "<bldg:function>", 1))
    assert {(each.reason, each.count, each.identifiers) for each in found.report.skipped} == {
        ("other_lod", 1, ("haus",)),
        ("interior", 1, ("haus",)),
    }
    assert found.report.lods == {"2": 3, "0": 1}


def test_broken_files_name_line_and_building(tmp_path: Path) -> None:
    text = citygml()
    cut = refused(tmp_path, text[: text.index("hof-2")])
    assert cut.code == "broken"
    assert int(str(cut.facts["line"])) > 10
    assert "after building haus" in str(cut.facts["detail"])
    word = refused(tmp_path, text.replace(f"{X0 + 100} {Y0 + 100} 500.0", f"{X0 + 100} acht 500.0", 1))
    assert (word.code, word.facts["feature"]) == (
        "broken",
        "hof" if "hof" in str(word.facts["feature"]) else "haus",
    )
    assert "“acht”" in str(word.facts["detail"])
    lines = cityjson(sequence=True).splitlines()
    assert refused(tmp_path, "\n".join([*lines[:2], lines[2][:80]]), "a.jsonl").facts["line"] == 3
    whole = cityjson().replace('"boundaries"', '"limits"', 1)
    assert refused(tmp_path, whole, "a.json").facts["feature"] == "haus"
    assert "vertex" in str(
        refused(tmp_path, cityjson().replace("        3,", "        99,", 1), "a.json").facts["detail"]
    )


@pytest.mark.parametrize(
    "document_type",
    [
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
        '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]>',
    ],
)
def test_document_types_and_entities_are_refused(tmp_path: Path, document_type: str) -> None:
    text = citygml().replace("?>", f"?>{document_type}", 1)
    assert refused(tmp_path, text).code == "xml_entities"
    assert refused(tmp_path, citygml().replace("Färbergasse", "&b;")).code == "xml_entities"


def test_what_is_read_is_the_same_wherever_the_stream_is_cut_and_what_is_not_read_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tree grows by a few octets at once; what lies around buildings, and as deep as it likes, is never kept."""
    junk = "<gml:TriangulatedSurface>" + "<gml:Triangle><gml:pos>1 2 3</gml:pos></gml:Triangle>" * 20_000
    relief = f"<core:cityObjectMember><dem:Relief xmlns:dem='d'>{junk}</gml:TriangulatedSurface></dem:Relief></core:cityObjectMember>"
    text = citygml().replace("<core:cityObjectMember>", f"{relief}<core:cityObjectMember>", 1)
    # One house has no id.
    text = text.replace(' gml:id="haus"', "", 1)
    path = tmp_path / "model.gml"
    path.write_text(text)

    def buildings() -> list[tuple[str, int, float]]:
        sources = CityGmlFile(path, Findings(), lambda share: None).sources()
        each = [part for source in sources for part in (source.building, *source.parts)]
        return [
            (one.id, len(one.surfaces), sum(ring.sum() for face in one.surfaces for ring in face.rings))
            for one in each
        ]

    usual = buildings()
    assert [name for name, *_ in usual] == ["Nr. 1", "hof", "hof-1", "hof-2"]
    for octets in (61, 997):
        monkeypatch.setattr("geo.readers.citygml._CHUNK", octets)
        tracemalloc.start()
        assert buildings() == usual
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()
    path.unlink()
    deep = text.replace("<bldg:function>", "<a>" * 3_000 + "</a>" * 3_000 + "<bldg:function>", 1)
    assert (refused(tmp_path, deep).code, refused(tmp_path, deep).facts["feature"]) == ("broken", "Nr. 1")


def test_a_large_file_is_read_in_pieces_by_two_processes_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Buildings, their order, what was found and what is refused, also where a piece is out of the ordinary."""
    head, members, foot = re.split(r"(?s)(<core:cityObjectMember>.*</core:cityObjectMember>\s)", citygml())
    # Each with its own names; every fifth links to what is not there, and trees lie between.
    trees = '<core:cityObjectMember><veg:Tree xmlns:veg="v"/></core:cityObjectMember>'
    many = [
        re.sub(r'"(haus|hof|hof-\d)"', rf'"\1 {n}"', members.replace("#f1", "#fort" if n % 5 == 0 else "#f1"))
        + trees
        for n in range(12)
    ]
    nameless = [*many[:7], many[7].replace(' gml:id="haus 7"', ""), *many[8:]]
    comment = [*many[:5], "<!-- </core:cityObjectMember> -->", *many[5:]]
    wrong = [*many[:9], many[9].replace("100.0", "hundert", 1), *many[10:]]
    cut_short = [*many[:10], many[10][:3_000]]
    work = CityGmlFile._piece_of

    def outcome(text: str, processes: int) -> Any:
        (tmp_path / "upload").write_text(text)
        findings, found = Findings(), []
        file = CityGmlFile(
            tmp_path / "upload", findings, lambda share: None, processes=processes, piece=6_000
        )
        try:
            for source in file.sources():
                for each in (source.building, *source.parts):
                    faces = [(face.kind, [ring.tolist() for ring in face.rings]) for face in each.surfaces]
                    found.append((replace(each, surfaces=[]), faces, source.system))
        except LayerProblem as problem:
            return problem.code, problem.facts
        return found, findings.skipped, findings.thematic, file.others, file.version

    for members_of_it in (many, nameless, comment, wrong, cut_short):
        text = head + "".join(members_of_it) + (foot if members_of_it is not cut_short else "")
        alone = outcome(text, 1)
        assert len(cut(tmp_path / "upload", 6_000) or ()) > 5
        assert repr(outcome(text, 2)) == repr(alone)  # equal, numbers that are none too
    assert len(outcome(head + "".join(many) + foot, 2)[0]) == 12 * 4
    assert [outcome(head + "".join(each), 2)[0] for each in (wrong, cut_short)] == ["broken", "broken"]
    # What cannot be cut is read in one go.
    (tmp_path / "upload").write_text(citygml(system="").replace("Envelope", "Box"))
    assert cut(tmp_path / "upload", 100) is None

    def die(file: CityGmlFile, pieces: Pieces, number: int) -> bytes | None:
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return work(file, pieces, number)

    def children() -> set[str]:
        return {
            pid for told in Path("/proc/self/task").glob("*/children") for pid in told.read_text().split()
        }

    before = children()
    monkeypatch.setattr(CityGmlFile, "_piece_of", die)
    code, facts = outcome(head + "".join(many) + foot, 2)
    assert (code, "has ended" in facts["detail"]) == ("broken", True)
    assert children() <= before  # none is left behind


def test_what_a_model_gets_wrong_is_repaired_or_left_out_by_name(tmp_path: Path) -> None:
    tower = citygml().replace("512.0", "3500.0")
    found = read(tmp_path, tower).report
    assert [(each.reason, each.identifiers) for each in found.skipped] == [("too_high", ("haus",))]
    assert found.features == 1
    elsewhere = citygml().replace('xlink:href="#f1"', 'xlink:href="#fort"').replace(
        'xlink:href="#f2"', 'xlink:href="http://127.0.0.1:9/teil.gml#f2"'
    )  # fmt: skip
    found = read(tmp_path, elsewhere).report
    assert {(each.reason, each.identifiers) for each in found.skipped} == {
        ("unresolved_link", ("haus",)),
        ("remote_link", ("haus",)),
    }
    (tmp_path / "model.gpkg").unlink()
    trees = '<core:cityObjectMember><veg:Tree xmlns:veg="v"/></core:cityObjectMember>'
    nothing = re.sub(r"(?s)<core:cityObjectMember>.*</core:cityObjectMember>", trees, citygml())
    assert (refused(tmp_path, nothing).code, refused(tmp_path, nothing).facts["others"]) == (
        "no_buildings",
        "Tree",
    )


def test_a_face_counts_where_it_stands_whatever_forms_were_there_before(tmp_path: Path) -> None:
    """What one form comes to is remembered: the same names in the same order may stand for something else."""
    said, surface = "<gen:a><gen:value>1</gen:value></gen:a>", "bldg:WallSurface>"
    head, *walls = re.split(f"(?=<{surface})", citygml())
    head = head.replace("xmlns:bldg", 'xmlns:gen="http://www.opengis.net/citygml/generics/1.0" xmlns:bldg', 1)
    walls = [wall.replace(f"<{surface}", f"<{surface}{said}", 1) for wall in walls]

    def change(number: int, *changes: tuple[str, str]) -> None:
        for before, after in changes:
            assert before in walls[number]
            walls[number] = walls[number].replace(before, after, 1)

    def points(number: int, end: str, ends: str) -> None:
        numbers = re.findall(r"srsDimension=.3.>([^<]*)<", walls[number])[0]
        ring = "".join(f"<gml:pos>{point}{end}" for point in re.findall(r"\S+ \S+ \S+", numbers)) + ends
        walls[number] = re.sub(r"<gml:posList.*?</gml:posList>", ring, walls[number], count=1)

    # In a value of an attribute; beside its surface; after a reference; as single points; in one point after the other.
    property_ends = "</bldg:lod2MultiSurface>"
    change(1, ("</gen:value></gen:a>", ""), (property_ends, f"{property_ends}</gen:value></gen:a>"))
    change(2, (said, f"{said}</{surface}"), (f"{property_ends}</{surface}", property_ends))
    change(3, ("<gml:surfaceMember>", '<gml:surfaceMember xlink:href="#no"/>'), ("</gml:surfaceMember>", ""))
    points(4, "</gml:pos>", "")
    points(5, "", "</gml:pos>" * 5)
    report = read(tmp_path, "".join((head, *walls))).report
    assert report.thematic == {"GroundSurface": 3, "WallSurface": 12, "RoofSurface": 4}
    assert report.surfaces == {"ground": 3, "wall": 10, "roof": 4}
    assert {(each.reason, each.count, each.identifiers) for each in report.skipped} == {
        ("interior", 1, ("haus",)),
        ("unresolved_link", 1, ("haus",)),
    }


@pytest.mark.parametrize("word", ["1,2", "null", "true", '"7"', "[7]", "[]", "{}", "7],[7", "0x7"])
def test_what_is_no_number_is_none_in_any_other_language_either(tmp_path: Path, word: str) -> None:
    text = citygml().replace(f"{X0 + 100} {Y0 + 100} 500.0", f"{X0 + 100} {word} 500.0", 1)
    problem = refused(tmp_path, text)
    assert (problem.code, f"“{word}”" in str(problem.facts["detail"])) == ("broken", True)


_DECIMALS = st.from_regex(
    r"\A[+-]?(?:[0-9]{1,25}(?:\.[0-9]{0,25})?|\.[0-9]{1,25})(?:[eE][+-]?[0-9]{1,3})?\Z"
) | (st.floats(0, 6e6).map("{:.3f}".format) | st.floats(allow_nan=False, allow_infinity=False).map(repr))


@given(st.lists(st.lists(_DECIMALS, max_size=6), min_size=1, max_size=6), st.sampled_from([" ", "  ", "\n"]))
@example([["-0", "1"], ["9" * 400]], " ")
def test_numbers_are_the_nearest_to_what_is_written(rings: list[list[str]], between: str) -> None:
    numbers, counts = numbers_of([between.join(ring) for ring in rings])
    assert counts == [len(ring) for ring in rings]
    assert numbers is not None
    assert numbers.tobytes() == array("d", [float(word) for ring in rings for word in ring]).tobytes()


def test_a_ring_that_never_ends_costs_its_face_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geo.readers.citygml._LONGEST", 400)
    ring = " ".join(f"{X0 + n} {Y0 + n % 2} 512.0" for n in range(60))
    text = re.sub(r'srsDimension="3">[^<]*512.0[^<]*<', f'srsDimension="3">{ring}<', citygml(), count=1)
    report = read(tmp_path, text).report
    assert ("too_detailed", ("haus",)) in {(each.reason, each.identifiers) for each in report.skipped}
    assert report.features == 2


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    with servers.remembering() as address_and_asked:
        yield address_and_asked


def test_no_reader_ever_asks_a_foreign_address(tmp_path: Path, listener: tuple[str, list[str]]) -> None:
    address, asked = listener
    schema = f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:beispiel {address}/a.xsd" '
    link = f'<a:form><gml:Polygon xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="{address}/form.gml"/></a:form>'
    plain = files.gml().replace("<wfs:FeatureCollection ", f"<wfs:FeatureCollection {schema}")
    plain = plain.replace("<a:name>", f"{link}<a:name>", 1)
    city = citygml().replace("<core:CityModel ", f"<core:CityModel {schema}").replace(
        'xlink:href="#f2"', f'xlink:href="{address}/teil.gml#f2"'
    )  # fmt: skip
    for content in (plain, city):
        with contextlib.suppress(LayerProblem):  # refusing is as good
            read(tmp_path, content)
    assert asked == []
