"""The pictures of an area, in three dimensions, of its shadows, in comparison, and its map: what its parts plan is in them,
and what is said of it goes to them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import geopandas
import pytest
import shapely
from lxml import html
from sqlmodel import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import drafts, moderation, places, procedures, publishing, variants
from consultations.contributions import Kind
from consultations.moderation import Action, Decision
from consultations.permissions import SYSTEM
from consultations.phases import Opens, PhaseInput, PhaseKind
from consultations.places import Layer, LayerRole, PlaceInput, PlaceKind
from consultations.procedures import Procedure
from consultations.variants import Variant, VariantInput
from geo.city import Volume, city_of
from geo.geometry import from_lonlat, metres_of, read_geojson_geometry
from geo.readers.apart import read_here
from participation import cityscape, jobs, layers_import, scenes, sun_hours, things
from participation.app import create_app
from participation.database import make_engine, unit_of_work
from participation.jobs import Job
from participation.things import Choice
from tests import cast, scapes
from tests.cast import NOW, Town
from tests.conftest import _settings
from tests.databases import Databases
from tests.html import structure_faults
from tests.queries import counted

AT = (10.701, 48.3007)
ADDRESSES = (
    "3d",
    "3d/szene.json",
    "schatten",
    "schatten.json",
    "3d/gebaeude",
    "vergleich",
    "karte",
    "karte/objekte.json",
    "karte/gehoert.json",
    "karte.json",
    "karte?ansicht=plan",
    "karte?art=proposal",
    "beitraege",
    "vorschlaege",
)
MOMENT = {"tag": "2027-03-21", "uhr": "15:00"}


def square(west: float, east: float) -> Any:
    """A plan area from one longitude to another."""
    ring = [[west, 48.30], [east, 48.30], [east, 48.3015], [west, 48.3015], [west, 48.30]]
    return read_geojson_geometry({"type": "Polygon", "coordinates": [ring]})


def forms(page: str) -> list[str]:
    """To whom the forms lead that take what is said about a thing, the first one first."""
    return re.findall(r'href="/beteiligungen/([^/"]+)/stellungnahme\?[^"]*thing=', page)


def found_in(page: str, path: str) -> list[str]:
    """Texts and attributes of a page."""
    every: Any = html.fromstring(page).xpath(path)
    return [" ".join(str(each).split()) for each in every]


@dataclass
class Quarter:
    """An area with parts: the application, the area's address and key, and the variants by what they are called."""

    client: TestClient
    app: Starlette
    town: Town
    area_id: int
    rows: dict[str, int]

    def get(self, address: str, **asked: Any) -> str:
        answer = self.client.get(f"/beteiligungen/{address}", params=asked)
        assert answer.status_code == 200, answer.text[:300]
        if answer.headers["content-type"].startswith("text/html"):
            assert structure_faults(answer.content) == []
        return answer.text

    def json(self, address: str, **asked: Any) -> Any:
        return json.loads(self.get(address, **asked))


def _consultation(
    session: Session, town: Town, key: str, title: str, area: tuple[float, float], *, part_of: int | None
) -> Procedure:
    ideas = PhaseInput(
        PhaseKind.CO_CREATION,
        starts_on=date(2027, 2, 10),
        ends_on=date(2027, 4, 1),
        opens=(Opens.PROPOSAL,),
    )
    entered = cast.consultation(key=key, title=title, phases=(ideas,), part_of_id=part_of)
    row = procedures.create(
        session, entered, municipality_id=town.id, template_key="informal_dialogue", by=town.planner, now=NOW
    )
    procedures.set_plan_area(session, row, square(*area), by=SYSTEM, now=NOW, note="Gebiet")
    return row


def _plan(
    session: Session, app: Starlette, procedure: Procedure, title: str, east: float, *gone: str
) -> Variant:
    """A block of 20 by 12 m, so many metres east of the middle."""
    x, y = metres_of(*AT)
    block = Volume(
        "P0", shapely.box(x + east, y - 6, x + east + 20, y + 6), 490, 505, name="Block", storeys=4
    )
    digest = cityscape.keep_model(app.state.house.files, city_of([block]))
    new = VariantInput(title, "Ein Block.", "Entwurf", {"storeys": 4}, digest, 1, gone)
    return variants.add_variant(session, procedure, new, by=SYSTEM, now=NOW)


@pytest.fixture(scope="module")
def quarter(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarter]:
    folder: Path = tmp_path_factory.mktemp("quarter")
    with databases.sqlite(folder / "digilog.sqlite") as url:
        app = create_app(_settings(url, folder), clock=lambda: NOW)
        engine = make_engine(url)
        with unit_of_work(engine, write=True) as session:
            town = cast.found(session)
            area = _consultation(session, town, "G-0", "Bachquartier", (10.6985, 10.7035), part_of=None)
            publishing.publish(session, area, by=town.planner, now=NOW)
            mill = session.merge(town.procedure)
            procedures.set_plan_area(session, mill, square(10.70, 10.702), by=SYSTEM, now=NOW, note="Gebiet")
            scape = scapes.build(session, app.state.house.files, mill, at=AT)
            session.get_one(Layer, scape.layer.id).procedure_id = None  # the model of the whole town
            below = replace(procedures.as_it_stands(mill), part_of_id=area.id)
            procedures.change(session, mill, below, by=town.planner, now=NOW, note="Gehört dazu")
            rows = list(scape.variants)
            for key, title, place, east, state in (
                ("G-1", "Bachweg", (10.7021, 10.7035), 95.0, "published"),
                ("G-2", "Noch geheim", (10.6985, 10.6995), -95.0, "draft"),
                ("G-3", "Zurückgezogen", (10.6985, 10.6995), -60.0, "withdrawn"),
                ("G-4", "Weit weg", (10.73, 10.731), 2200.0, "published"),
            ):
                part = _consultation(session, town, key, title, place, part_of=area.id)
                rows.append(_plan(session, app, part, f"Block {key}", east))
                if state != "draft":
                    publishing.publish(session, part, by=town.planner, now=NOW)
                if state == "withdrawn":
                    publishing.withdraw(session, part, by=town.planner, now=NOW, note="Vorbei")
            session.flush()
            found = {row.title: row.id or 0 for row in rows}
            area_id = area.id or 0
            session.expunge_all()
        with TestClient(app, base_url="http://auenfurt.localhost") as client:
            yield Quarter(client, app, town, area_id, found)
        engine.dispose()


def test_the_picture_of_an_area_holds_what_its_public_parts_plan_and_nothing_of_the_others(
    quarter: Quarter,
) -> None:
    scene = quarter.json("bachquartier/3d/szene.json")
    # By the titles of the parts; of each its own order.
    assert [(each["title"], each["group"].partition("-")[0]) for each in scene["variants"]] == [
        ("Block G-1 (Bachweg)", "teil"),
        ("Hoch (Wohnen am Mühlbach)", "teil"),
        ("Niedrig (Wohnen am Mühlbach)", "teil"),
    ]
    for each in scene["variants"]:
        assert quarter.client.get(each["url"]).content[:4] == b"glTF"
    for title in ("Block G-2", "Block G-3"):
        address = f"/beteiligungen/bachquartier/varianten/{quarter.rows[title]}.glb"
        assert quarter.client.get(address).status_code == 404, title
    page = quarter.get("bachquartier/3d")
    assert found_in(page, "//fieldset[.//input[@data-variant]]/legend/text()") == [
        "Bachweg",
        "Wohnen am Mühlbach",
    ]
    checked = {int(each) for each in found_in(page, "//input[@data-variant][@checked]/@value")}
    assert checked == {quarter.rows["Block G-1"], quarter.rows["Hoch"]}, "the first of each"
    assert found_in(page, "//a[text()='Weit weg']/@href") == ["/beteiligungen/weit-weg/3d"]
    for words in ("geheim", "Zurückgezogen", "G-2", "G-3"):
        assert words not in page + json.dumps(scene, ensure_ascii=False), words
    # A part's own picture is what it was.
    own = quarter.json("wohnen-am-muehlbach/3d/szene.json")["variants"]
    assert [(each["title"], each["group"]) for each in own] == [("Hoch", "variante"), ("Niedrig", "variante")]
    assert quarter.client.get("/beteiligungen/noch-geheim/3d").status_code == 404


def test_shadows_in_an_area_are_those_of_all_that_is_chosen_of_its_parts(quarter: Quarter) -> None:
    scene = quarter.json("bachquartier/3d/szene.json")
    weg, hoch, niedrig = scene["variants"]

    def cast_of(*chosen: dict[str, Any]) -> Any:
        fields = {each["group"]: "heute" for each in scene["variants"]}
        fields |= {each["group"]: each["id"] for each in chosen}
        return quarter.json("bachquartier/schatten.json", **MOMENT, **fields)

    first = quarter.json("bachquartier/schatten.json", **MOMENT)
    both, high, block, nothing = cast_of(hoch, weg), cast_of(hoch), cast_of(weg), cast_of()
    assert first == both, "what is shown before anybody chooses"
    new = {name: found["square_metres"]["new"] for name, found in
           (("both", both), ("high", high), ("block", block), ("nothing", nothing))}  # fmt: skip
    # They stand far from each other: no shadow of one lies on that of the other.
    assert new["both"] == pytest.approx(new["high"] + new["block"], abs=0.2)
    assert new["both"] > max(new["high"], new["block"]) > new["nothing"] == 0
    assert cast_of(niedrig)["square_metres"]["new"] < new["high"]
    assert both["chosen"].startswith("„Alles Gewählte zusammen“:")
    assert [re.sub("“.*", "", each) for each in both["areas"]] == [
        "„Alles Gewählte zusammen", "„Block G-1 (Bachweg)", "„Hoch (Wohnen am Mühlbach)",
    ]  # fmt: skip
    assert [nothing["chosen"], nothing["areas"]] == ["", []]
    # Without JavaScript: one choice for each part, the same words, and links for all of them at once.
    page = quarter.get(
        "bachquartier/schatten", **MOMENT, **{hoch["group"]: hoch["id"], weg["group"]: "heute"}
    )
    legends = found_in(page, "//form[@data-moment]//fieldset/legend/text()")
    assert legends == ["Bachweg", "Wohnen am Mühlbach"]
    checked = found_in(page, "//form[@data-moment]//input[@checked]/@value")
    assert checked == ["heute", str(hoch["id"])]
    assert high["areas"][0] in page
    assert "Mit dem, was oben gewählt ist" in page
    (everything,) = found_in(page, "//nav//a[text()='Die erste Variante jeder Beteiligung']/@href")
    assert both["chosen"] in quarter.client.get(everything).text
    (today,) = found_in(page, "//nav//a[text()='Alles so wie heute']/@href")
    assert "Oben ist nichts gewählt" in quarter.client.get(today).text
    assert "geheim" not in page


def rows_of(page: str) -> dict[str, dict[str, list[str]]]:
    """The tables of a comparison by what they are called: what, on the left, on the right, the difference."""
    tables: Any = html.fromstring(page).xpath("//main//table")
    return {
        table.xpath("string(caption)"): {
            cells[0]: cells[1:]
            for cells in ([" ".join(each.text_content().split()) for each in row] for row in table.xpath(".//tbody/tr"))
        }
        for table in tables
    }  # fmt: skip


def test_the_comparison_of_an_area_holds_what_its_parts_plan_and_tells_each_of_them_for_itself(
    quarter: Quarter,
) -> None:
    own = "wohnen-am-muehlbach"
    weg, mill = (each["group"] for each in quarter.json("bachquartier/3d/szene.json")["variants"][:2])
    hoch, niedrig, block = (quarter.rows[each] for each in ("Hoch", "Niedrig", "Block G-1"))
    page = quarter.get("bachquartier/vergleich")
    for other in ("karte", "3d", "schatten"):
        assert found_in(quarter.get(f"bachquartier/{other}"), "//main//a/@href[contains(., '/vergleich')]"), (
            other
        )
    # At first today, and of each part what its planners put first.
    names = [f"{side}-{each}" for side in ("links", "rechts") for each in (weg, mill)]
    assert (
        found_in(page, "//select[starts-with(@name, 'links') or starts-with(@name, 'rechts')]/@name") == names
    )
    chosen = "//select[starts-with(@name, '{}')]/option[@selected]/@value"
    assert found_in(page, chosen.format("links")) == ["heute", "heute"]
    assert found_in(page, chosen.format("rechts")) == [str(block), str(hoch)]
    sides: Any = html.fromstring(page).xpath("//figure//*[local-name()='svg']")
    assert [html.tostring(each).decode().count('fill="var(--map-planned') for each in sides] == [0, 2]
    assert found_in(page, "//a[text()='Weit weg']/@href") == ["/beteiligungen/weit-weg/vergleich"]
    # All of it together, and each part as its own comparison tells it.
    told = rows_of(page)
    assert list(told) == ["Alles zusammen", "Bachweg", "Wohnen am Mühlbach"]
    whole = told["Alles zusammen"]
    assert whole["Gebäude"][2] == "1 Gebäude mehr", "two new ones, one of today's is replaced"
    assert whole["Überbauter Boden"][2].endswith("mehr überbauter Boden")
    assert "Wohnungen" not in whole, "only one of both says how many"
    assert told["Wohnen am Mühlbach"]["Wohnungen"] == ["nicht bekannt", "50", "nicht vergleichbar"]
    (alone,) = rows_of(quarter.get(f"{own}/vergleich")).values()
    assert told["Wohnen am Mühlbach"] == alone
    # What is the same on both sides is said once; what differs, as on the part's own page.
    sides_asked = {
        f"links-{mill}": hoch,
        f"rechts-{mill}": niedrig,
        f"links-{weg}": block,
        f"rechts-{weg}": block,
    }
    page = quarter.get("bachquartier/vergleich", **sides_asked)
    told = rows_of(page)
    assert list(told) == ["Alles zusammen", "Wohnen am Mühlbach"]
    assert "Auf beiden Seiten gleich: Block G-1 (Bachweg)." in page
    (alone,) = rows_of(quarter.get(f"{own}/vergleich", links=hoch, rechts=niedrig)).values()
    assert told["Wohnen am Mühlbach"] == alone
    assert alone["Geschosse, höchstens"][2] == "3 Geschosse niedriger"
    sides_asked |= {f"links-{weg}": "heute", f"rechts-{weg}": "heute"}
    told = rows_of(quarter.get("bachquartier/vergleich", **sides_asked))
    assert told["Alles zusammen"]["Wohnungen"] == ["50", "20", "30 Wohnungen weniger"]
    # With the shadow of a day it is the one of the shadow's own page.
    day = {"schatten": "maerz", "uhr": "15"}
    page = quarter.get("bachquartier/vergleich", **day)
    new = quarter.json("bachquartier/schatten.json", **MOMENT)["square_metres"]["new"]
    assert rows_of(page)["Alles zusammen"]["Neu beschatteter Boden"][:2] == ["0 m²", f"{round(new)} m²"]
    sides = html.fromstring(page).xpath("//figure//*[local-name()='svg']")
    assert [html.tostring(each).decode().count("var(--map-shade-new") > 0 for each in sides] == [False, True]
    late = quarter.get("bachquartier/vergleich", schatten="dezember", uhr="20")
    assert "so tief, dass kein Schatten" in late
    assert "Neu beschatteter Boden" not in late
    for words in ("geheim", "Zurückgezogen", "G-2", "G-3"):
        assert words not in page, words


def _layer(
    session: Session, quarter: Quarter, folder: Path, title: str, shapes: dict[str, Any], slug: str = ""
) -> Layer:
    """A layer of the town, or of one consultation, with objects called by these names (shapes in degrees)."""
    frame = geopandas.GeoDataFrame({"name": list(shapes)}, geometry=list(shapes.values()), crs=4326)
    frame.to_crs(25832).to_file(folder / f"{title}.gpkg")
    files = quarter.app.state.house.files
    read = layers_import.read_layer(files, folder / f"{title}.gpkg", f"{title}.gpkg", read=read_here)
    owner = procedures.by_slug(session, quarter.town.id, slug) if slug else None
    layer, named = layers_import.layer_of(
        read, municipality_id=quarter.town.id, procedure_id=owner.id if owner else None, title=title, source="",
        licence="", attribution="Amt", now=NOW,
    )  # fmt: skip
    layer.role = LayerRole.OTHER.value
    return places.add_layer(session, layer, named, by=SYSTEM, now=NOW)


def test_the_map_of_an_area_holds_the_layers_of_its_parts_and_objects_belong_to_whoever_has_them(
    quarter: Quarter, tmp_path: Path
) -> None:
    house, spot = quarter.app.state.house, shapely.Point(10.7028, 48.3003)
    with unit_of_work(house.engine, write=True) as session:
        beds = _layer(session, quarter, tmp_path, "Beete", {"Rosenbeet": spot.buffer(0.0001)}, "bachweg")
        drafted = _layer(
            session, quarter, tmp_path, "Skizze", {"Skizze 1": spot.buffer(0.0001)}, "noch-geheim"
        )
        ways = _layer(session, quarter, tmp_path, "Wege", {
            "Ostweg": shapely.LineString([(10.7018, 48.3002), (10.7034, 48.3002)]),
            "Westweg": shapely.LineString([(10.6987, 48.3002), (10.7002, 48.3002)]),
        })  # fmt: skip
        _layer(session, quarter, tmp_path, "Vorbei", {"Alt": spot.buffer(0.0001)}, "zurueckgezogen")
        numbers = {each.title: each.id for each in (beds, drafted, ways)}
    page = quarter.get("bachquartier/karte")
    switches = found_in(page, "//label[starts-with(@for, 'ebene-')]/text()")
    assert switches == ["Wege", "Beete (Bachweg)"], "the town's, and those of parts that are shown"
    assert "Beete (Bachweg)" in found_in(page, "//@data-overlays")[0]
    # Picked at its place, and from the list of its layer; with the part that it belongs to, whose form knows it.
    (here,) = quarter.json("bachquartier/karte/objekte.json", ort="10.7028,48.3003", zoom="19")["objects"]
    assert (here["name"], here["layer"]) == ("Rosenbeet", "Beete (Bachweg)")
    assert here["url"] in quarter.get(f"bachquartier/karte/ebenen/{numbers['Beete']}")
    asked = here["url"].removeprefix("/beteiligungen/")
    shown = quarter.get(asked)
    assert "Das gehört zu" in shown
    assert "Bachweg" in found_in(shown, "//main//a/text()")
    form, whole = found_in(shown, "//main//a/@href[contains(., 'thing=')]")
    assert form.startswith("/beteiligungen/bachweg/")
    assert whole.startswith("/beteiligungen/bachquartier/"), "if it is about more than the part"
    for each in (form, whole):
        assert "Rosenbeet (Beete)" in quarter.client.get(each).text
    # A street of the town goes to the part that has the greater half of it, else to the area.
    for number, (owner, words) in enumerate((("bachweg", True), ("bachquartier", False))):
        shown = quarter.get(f"bachquartier/karte/ebenen/{numbers['Wege']}/{number}")
        assert forms(shown)[0] == owner
        assert ("Das gehört zu" in shown) is words
    for hidden in (f"{numbers['Skizze']}", f"{numbers['Skizze']}/0"):
        assert quarter.client.get(f"/beteiligungen/bachquartier/karte/ebenen/{hidden}").status_code == 404
    assert quarter.client.get(f"/beteiligungen/weit-weg/karte/ebenen/{numbers['Beete']}/0").status_code == 404
    # What is said of it there can be read here.
    with unit_of_work(house.engine, write=True) as session:
        weg = procedures.by_slug(session, quarter.town.id, "bachweg")
        assert weg is not None
        found = things.find(house, session, weg, Choice(layer=numbers["Beete"], feature=0))
        assert found is not None
        made = quarter.town.hand_in(
            session, "Die Rosen sollen bleiben.", procedure=weg, kind=Kind.PROPOSAL, title="Rosen",
            located=found.located, thing=found.thing, wants_publication=True, pseudonym="Rosa",
        )  # fmt: skip
        moderation.decide(session, made, Decision(Action.PUBLISH), by=quarter.town.moderator, now=NOW)
        said = f"/beteiligungen/bachweg/beitraege/{made.reference}"
    assert said in found_in(quarter.get(asked), "//main//a/@href")


def test_the_map_and_the_lists_of_an_area_show_what_was_published_of_its_parts(quarter: Quarter) -> None:
    def say(session: Session, slug: str, title: str, lon: float, *, shown: bool = True) -> str:
        to = procedures.by_slug(session, quarter.town.id, slug)
        assert to is not None
        made = quarter.town.hand_in(
            session, "Ein Satz dazu.", procedure=to, kind=Kind.PROPOSAL, title=title, pseudonym="Rosa",
            located=from_lonlat(lon, 48.3006), wants_publication=True,
        )  # fmt: skip
        if shown:
            moderation.decide(session, made, Decision(Action.PUBLISH), by=quarter.town.moderator, now=NOW)
        return made.reference

    with unit_of_work(quarter.app.state.house.engine, write=True) as session:
        gone = _consultation(
            session, quarter.town, "G-5", "Bald vorbei", (10.6985, 10.6995), part_of=quarter.area_id
        )
        publishing.publish(session, gone, by=quarter.town.planner, now=NOW)
        area = say(session, "bachquartier", "Für das Ganze", 10.6991)
        part = say(session, "bachweg", "Am Weg", 10.7027)
        say(session, "bachweg", "Noch ungelesen", 10.7029, shown=False)
        say(session, "bald-vorbei", "Damit vorbei", 10.6989)
        publishing.withdraw(session, gone, by=quarter.town.planner, now=NOW, note="Vorbei")
    bounds = {"bbox": "10.69,48.29,10.71,48.31", "zoom": "19"}
    feed = quarter.json("bachquartier/karte.json", **bounds)
    told = {each["title"]: (each["url"], each.get("part", "")) for each in feed["entries"]}
    assert told["Für das Ganze"] == (f"/beteiligungen/bachquartier/beitraege/{area}", "")
    assert told["Am Weg"] == (f"/beteiligungen/bachweg/beitraege/{part}", "Teil: Bachweg")
    own = quarter.json("bachweg/karte.json", **bounds)
    assert "part" not in own["entries"][0]
    assert feed["total"] == own["total"] + 1, "the one of the area itself"
    far = quarter.json("bachquartier/karte.json", bbox="10,48,11,49", zoom="9")
    assert sum(each[2] for each in far["clusters"]) + len(far["entries"]) == far["total"] == feed["total"]
    # The list of equal rank, the plan without JavaScript, a frame elsewhere, the picture, the list of proposals.
    plan = {"ansicht": "plan", "mitte": "10.701,48.3007", "zoom": "17"}
    for address, asked in (
        ("beitraege", {}),
        ("karte", plan),
        ("karte", plan | {"art": "proposal"}),
        ("karte/einbetten", {}),
        ("vorschlaege", {}),
    ):
        page = quarter.get(f"bachquartier/{address}", **asked)
        links = found_in(page, "//a[.//text() = 'Am Weg' or text() = 'Am Weg']/@href")
        assert any("/beteiligungen/bachweg/" in each and each.endswith(part) for each in links), address
        assert "Teil: Bachweg" in page, address
        for hidden in ("Noch ungelesen", "Damit vorbei"):
            assert hidden not in page, (address, hidden)
    (there,) = [
        each for each in quarter.json("bachquartier/3d/szene.json")["pins"] if each["title"] == "Am Weg"
    ]
    assert (there["part"], there["url"]) == ("Teil: Bachweg", f"/beteiligungen/bachweg/beitraege/{part}")
    # From the list to the map of the area and back to the contribution; as a feed and as open data.
    (on_map,) = found_in(quarter.get("bachquartier/beitraege"), f"//a/@href[contains(., 'beitrag={part}')]")
    assert on_map.startswith("/beteiligungen/bachquartier/karte?")
    (focus,) = found_in(quarter.client.get(on_map).text, "//@data-focus")
    assert json.loads(focus)["part"] == "Teil: Bachweg"
    for address in ("beitraege.atom", "beitraege.csv", "beitraege.geojson"):
        data = quarter.get(f"bachquartier/{address}")
        assert f"/beteiligungen/bachweg/beitraege/{part}" in data, address
        assert "Damit vorbei" not in data, address
    header, *rows = quarter.get("bachquartier/beitraege.csv").splitlines()
    assert header.endswith(";url;lon;lat;consultation"), "programs that count columns find the earlier ones"
    assert any(part in row and row.endswith(";bachweg") for row in rows)
    # The page of the area counts what its list holds, and leads there.
    own_page, part_page = quarter.get("bachquartier"), quarter.get("bachweg")
    assert found_in(own_page, "//*[@class='d-figure']/text()") == [str(feed["total"])]
    assert "Was zu den einzelnen Teilen gesagt wurde, ist dabei." in own_page
    assert found_in(part_page, "//*[@class='d-figure']/text()") == [str(own["total"])]
    assert "Was zu den einzelnen Teilen gesagt wurde" not in part_page
    listed = quarter.get("bachquartier/beitraege")
    assert "Was zu den einzelnen Teilen gesagt wurde, ist dabei." in listed
    assert "Was zu den einzelnen Teilen gesagt wurde" not in quarter.get("bachweg/beitraege")
    for slug, named in (("bachquartier", True), ("bachweg", False)):
        page = quarter.get(f"{slug}/vorschlaege")
        assert ("Vorschläge zu den einzelnen Teilen sind dabei" in page) is named
        assert ("Beides meldet nur Vorschläge zum Ganzen" in page) is named
    assert f"{feed['total']} Beiträge" in listed


def test_a_search_for_a_topic_of_a_part_is_followed_as_it_stands_in_the_list_of_the_area(
    quarter: Quarter,
) -> None:
    with unit_of_work(quarter.app.state.house.engine, write=True) as session:
        part = procedures.by_slug(session, quarter.town.id, "bachweg")
        made = quarter.town.hand_in(
            session, "Ein Satz.", procedure=part, kind=Kind.PROPOSAL, title="Breiter", pseudonym="Rosa",
            category="Uferweg", wants_publication=True,
        )  # fmt: skip
        moderation.decide(session, made, Decision(Action.PUBLISH), by=quarter.town.moderator, now=NOW)
    page = quarter.get("bachquartier/vorschlaege", thema="Uferweg")
    assert "Breiter" in page
    (follow,) = found_in(page, "//main//a/@href[contains(., 'folgen/suche')]")
    told = quarter.client.get(follow).text
    assert "Uferweg" in " ".join(found_in(told, "//main//text()")), (
        "not everything that is ever proposed here"
    )
    assert (
        "Breiter"
        not in quarter.client.get(
            "/beteiligungen/bachquartier/vorschlaege.atom", params={"thema": "Uferweg"}
        ).text
    )


def owners(ways: list[dict[str, str]]) -> set[str]:
    """Whose forms these lead to."""
    return {each["url"].removeprefix("/beteiligungen/").partition("/")[0] for each in ways}


def test_a_place_chosen_on_the_map_of_an_area_goes_to_the_part_that_it_lies_in_or_to_the_area_if_wanted(
    quarter: Quarter,
) -> None:
    def taken(**asked: str) -> Any:
        return quarter.json("bachquartier/karte/gehoert.json", **asked)

    def drawn(kind: str, coordinates: Any) -> Any:
        return taken(geometry=json.dumps({"type": kind, "coordinates": coordinates}))

    there = taken(ort="10.7028,48.3007")
    assert (there["part"], there["part_url"]) == ("Bachweg", "/beteiligungen/bachweg")
    assert there["goes"] == "Was Sie sagen, kommt dort an."
    assert owners(there["ways"]) == {"bachweg"}
    assert all(
        "lon=10.702800&lat=48.300700" in each["url"] for each in there["ways"] + there["ways_of_whole"]
    )
    assert there["whole"] == "Geht es um mehr als diesen Teil? Dann richten Sie es an „Bachquartier“:"
    assert owners(there["ways_of_whole"]) == {"bachquartier"}
    assert [each["text"] for each in there["ways_of_whole"]] == [
        f"{each['text']} (zum Ganzen)" for each in there["ways"]
    ]
    # Where a draft and a withdrawn part lie, and where none does.
    beside = taken(ort="10.699,48.3007")
    assert (beside["part"], beside["goes"], beside["whole"], beside["ways_of_whole"]) == ("", "", "", [])
    assert owners(beside["ways"]) == {"bachquartier"}
    # The greater part of a drawing decides.
    for kind, ends, owner in (
        ("LineString", (10.7012, 10.7025), "wohnen-am-muehlbach"),
        ("LineString", (10.6987, 10.7005), "bachquartier"),
        ("Polygon", (10.7019, 10.7034), "bachweg"),
        ("Polygon", (10.699, 10.7034), "bachquartier"),
    ):
        west, east = ends
        ring = [[west, 48.3002], [east, 48.3002], [east, 48.3006], [west, 48.3006], [west, 48.3002]]
        found = drawn(kind, [ring] if kind == "Polygon" else ring[:2])
        assert owners(found["ways"]) == {owner}, (kind, ends)
        assert "geometry=%7B%22type" in found["ways"][0]["url"]
    for nonsense in ({"ort": "2,10"}, {"ort": "hier"}, {"geometry": "{}"}, {}):
        assert taken(**nonsense)["ways"] == []
    assert taken(ort="2.35,48.85")["goes"] == "Dieser Ort liegt außerhalb Deutschlands."
    # The page knows whether to ask; a part itself need not.
    assert found_in(quarter.get("bachquartier/karte"), "//@data-taken | //@data-ways") == [
        "/beteiligungen/bachquartier/karte/gehoert.json"
    ]
    assert len(found_in(quarter.get("bachweg/karte"), "//@data-ways")) == 1
    # Without JavaScript: a click on the picture, and a street by its name.
    clicked = quarter.get(
        "bachquartier/karte",
        ansicht="plan",
        waehlen="1",
        mitte="10.7028,48.3007",
        zoom="18",
        **{"ort.x": 480, "ort.y": 300},
    )
    with unit_of_work(quarter.app.state.house.engine, write=True) as session:
        street = PlaceInput(
            PlaceKind.STREET,
            "Bachgasse",
            read_geojson_geometry(
                {"type": "LineString", "coordinates": [[10.7022, 48.3007], [10.7034, 48.3007]]}
            ),
        )
        streets = Layer(
            municipality_id=quarter.town.id,
            role="streets",
            title="Straßen",
            is_visible=False,
            imported_at=NOW,
        )
        places.add_layer(session, streets, [street], by=SYSTEM, now=NOW)
    (named,) = found_in(
        quarter.get("bachquartier/karte", suche="Bachgasse"), "//main//a[.='Bachgasse']/@href"
    )
    for shown, sent in ((clicked, "lon"), (quarter.client.get(named).text, "place_id")):
        assert "Das gehört zu" in shown
        found = found_in(shown, f"//*[@id='chosen']//a/@href[contains(., '{sent}=')]")
        assert owners([{"url": each} for each in found]) == {"bachweg", "bachquartier"}
        (form,) = [each for each in found if "/bachweg/" in each]
        (value,) = found_in(quarter.client.get(form).text, f"//input[@name='{sent}']/@value")
        assert value


def test_whoever_writes_to_an_area_and_chooses_a_place_in_a_part_finds_their_words_again(
    quarter: Quarter,
) -> None:
    at = {"ort": "10.7028,48.3007"}
    (way,) = [
        each["url"]
        for each in quarter.json("bachquartier/karte/gehoert.json", **at)["ways"]
        if "kind=proposal" in each["url"]
    ]
    assert owners([{"url": way}]) == {"bachweg"}
    begun = f"/beteiligungen/bachquartier/stellungnahme/{drafts.new_secret()}/text"
    typed = {"kind": "proposal", "title": "Bank", "text": "Eine Bank, bitte.", "do": "map"}
    try:
        sent = quarter.client.post(begun, data=typed, follow_redirects=False)
        assert sent.headers["location"].endswith("/bachquartier/karte")
        back = quarter.client.get(way)
        assert str(back.url).partition("?")[0].endswith(begun)
        assert "Eine Bank, bitte." in back.text
        assert found_in(back.text, "//input[@name='lon']/@value") == ["10.702800"]
    finally:
        quarter.client.cookies.clear()
    assert "Eine Bank, bitte." not in quarter.client.get(way).text


def test_on_the_map_of_an_area_that_takes_nothing_itself_its_parts_still_do(quarter: Quarter) -> None:
    def become(state: str) -> None:
        with unit_of_work(quarter.app.state.house.engine, write=True) as session:
            session.get_one(Procedure, quarter.area_id).state = state

    become("concluded")
    page = quarter.get("bachquartier/karte", anew="1")
    assert len(found_in(page, "//@data-taken")) == len(found_in(page, "//button[@data-draw='line']")) == 1
    there = quarter.json("bachquartier/karte/gehoert.json", ort="10.7028,48.3007")
    assert (owners(there["ways"]), there["whole"]) == ({"bachweg"}, "")
    assert quarter.json("bachquartier/karte/gehoert.json", ort="10.699,48.3007")["ways"] == []
    shown = quarter.get("bachquartier/karte", ansicht="plan", ort="10.699,48.3007")
    assert "Zurzeit kann hier nichts eingereicht werden." in shown
    become("published")


def test_what_is_said_goes_to_the_part_that_a_thing_belongs_to(quarter: Quarter) -> None:
    def at(east: float) -> str:
        x, y = metres_of(*AT)
        return Choice("", None, None, (x + east, y - 20, 495.0)).text

    # A planned building to whoever plans it; a point to the part in whose area it lies; anything else to the area.
    planned = quarter.get("bachquartier/3d/gebaeude", haus=f"{quarter.rows['Block G-1']}:P0", stock="2")
    assert "am Haus Block (geplant), 2. Stock" in planned
    assert forms(planned) == ["bachweg", "bachquartier"], "to the part, or to the whole"
    assert '<optgroup label="Block G-1 (Bachweg)">' in planned
    assert "Block G-2" not in planned
    in_mill = quarter.get("bachquartier/3d/gebaeude", was=at(0))
    assert forms(in_mill) == ["wohnen-am-muehlbach", "bachquartier"]
    assert "Das gehört zu" in in_mill
    beside = quarter.get("bachquartier/3d/gebaeude", was=at(-150))
    assert forms(beside) == ["bachquartier"], "a draft and a withdrawn part take nothing"
    assert "Das gehört zu" not in beside
    # The form of the part knows the thing.
    (form,) = re.findall(r'href="(/beteiligungen/bachweg/stellungnahme[^"]*)"', planned)
    assert "am Haus Block (geplant), 2. Stock" in quarter.client.get(form.replace("&amp;", "&")).text
    # Where the part takes nothing any more, the area does, and says so.
    with unit_of_work(quarter.app.state.house.engine, write=True) as session:
        weg = session.get_one(Procedure, session.get_one(Variant, quarter.rows["Block G-1"]).procedure_id)
        publishing.conclude(session, weg, by=quarter.town.planner, now=NOW, note="Fertig")
    over = quarter.get("bachquartier/3d/gebaeude", haus=f"{quarter.rows['Block G-1']}:P0")
    assert forms(over) == ["bachquartier"]
    assert "Dort können Sie zurzeit nichts einreichen; was Sie hier sagen, geht an „Bachquartier“." in over
    (form,) = re.findall(r'href="(/beteiligungen/bachquartier/stellungnahme[^"]*thing=[^"]*)"', over)
    assert "am Haus Block (geplant)" in quarter.client.get(form.replace("&amp;", "&")).text
    assert "Block G-1 (Bachweg)" in quarter.get("bachquartier/3d/szene.json"), "it is still planned"


def test_the_worker_makes_what_parts_add_to_the_picture_and_pages_ask_no_more_for_more_parts(
    quarter: Quarter, tmp_path: Path
) -> None:
    house = quarter.app.state.house
    north = shapely.box(10.7022, 48.30078, 10.7027, 48.30093)
    with unit_of_work(house.engine, write=True) as session:
        for title, owner in (
            ("Rosengarten", "bachweg"),
            ("Geheimgarten", "noch-geheim"),
            ("Festwiese", "zurueckgezogen"),
        ):
            lawn = _layer(session, quarter, tmp_path, f"Grün {title}", {title: north}, owner)
            lawn.role = LayerRole.GREEN.value
    work, job = jobs.KINDS[scenes.KIND], Job(kind=scenes.KIND, run_at=NOW, created_at=NOW)
    while any(work(house, job).values()):
        pass
    with unit_of_work(house.engine) as session:
        area = session.get_one(Procedure, quarter.area_id)
        key = cityscape.key_of(area, cityscape.layers_in_force(session, area))
    assert key is not None
    folder = cityscape.scenes(house) / key
    assert len(list(folder.glob("variant-*.glb.gz"))) == 3
    counted_ahead = {each.name for each in folder.glob("hours-*.json.gz")}
    assert len(counted_ahead) >= len(sun_hours.DAYS)
    # Open ground of public parts loses sun, too; the page reads what the worker has counted.
    page = quarter.get("bachquartier/schatten", **MOMENT)
    lost = [
        each
        for each in found_in(page, "//section[@aria-labelledby='lost-heading']//tbody//tr/*[1]//text()")
        if each
    ]
    assert "Rosengarten (Bachweg)" in lost
    assert not {"Geheimgarten", "Festwiese"} & {each.partition(" (")[0] for each in lost}
    assert "Rosengarten (" not in quarter.get("bachweg/schatten", **MOMENT), "there it is its own"
    assert {each.name for each in folder.glob("hours-*.json.gz")} == counted_ahead

    def cost() -> dict[str, int]:
        found = {}
        for number, full in enumerate(ADDRESSES):
            address, _, asked_for = full.partition("?")
            with counted(house.engine) as asked:
                quarter.get(
                    f"bachquartier/{address}",
                    **dict(parse_qsl(asked_for)),
                    anew=f"{len(quarter.rows)}-{number}",
                    ort="10.7028,48.3007",
                    bbox="10.69,48.29,10.71,48.31",
                    zoom="18",
                )
            found[full] = len(asked)
        return found

    few = cost()
    with unit_of_work(house.engine, write=True) as session:
        for number in range(6):
            part = _consultation(
                session,
                quarter.town,
                f"M-{number}",
                f"Mehr {number}",
                (10.7021, 10.7035),
                part_of=quarter.area_id,
            )
            row = _plan(session, quarter.app, part, f"Mehr {number}", 95.0 + number)
            publishing.publish(session, part, by=quarter.town.planner, now=NOW)
            session.flush()
            quarter.rows[row.title] = row.id or 0
    assert cost() == few
    assert len(quarter.json("bachquartier/3d/szene.json")["variants"]) == 9
