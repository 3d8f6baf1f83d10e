"""A plan in three dimensions and its shadows: what pages say without a picture, and what the picture is made of."""

import asyncio
import base64
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas
import httpx2
import numpy as np
import pytest
import shapely
from anyio import CapacityLimiter
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from lxml import html
from pydantic import SecretStr
from sqlmodel import select
from starlette.testclient import TestClient

from consultations import contributions, drafts, journal, moderation, people, places, procedures, received
from consultations.contributions import Thing
from consultations.deadlines import local_date
from consultations.moderation import Action, Decision
from consultations.people import Person
from consultations.permissions import SYSTEM
from consultations.phases import Opens, Phase, PhaseKind
from consultations.places import Layer, LayerRole, PlaceInput, PlaceKind
from consultations.procedures import Procedure
from geo.geometry import degrees_of, from_lonlat, metres_of, read_geojson_geometry
from geo.layers import write_normalised
from geo.terrain import Terrain, write_terrain
from participation import cityscape, identity, jobs, scenes, sun_hours
from participation.app import create_app
from participation.database import make_engine, unit_of_work
from participation.jobs import Job
from participation.pages.city_comment import fits
from participation.settings import Settings
from participation.things import Choice
from tests import cast, scapes
from tests.cast import NOW, Town
from tests.databases import Databases
from tests.geo.files import box_mesh, gltf
from tests.html import structure_faults
from tests.scapes import Scape

AREA = {
    "type": "Polygon",
    "coordinates": [[[10.70, 48.30], [10.702, 48.30], [10.702, 48.3015], [10.70, 48.3015], [10.70, 48.30]]],
}
AT = (10.701, 48.3007)


@dataclass
class Place:
    """The application, the consultation's address, and what stands there."""

    client: TestClient
    path: str
    scape: Scape
    url: str
    procedure_id: int
    planner_id: int
    town: Town

    def get(self, rest: str = "", **asked: Any) -> str:
        answer = self.client.get(f"{self.path}{rest}", params=asked)
        assert answer.status_code == 200, answer.text[:300]
        if answer.headers["content-type"].startswith("text/html"):
            assert structure_faults(answer.content) == []
        return answer.text

    def scene(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get("/3d/szene.json"))
        return found


@pytest.fixture(scope="module")
def place(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("city")
    with databases.sqlite(folder / "digilog.sqlite") as url:
        settings = Settings(
            database_url=url,
            data_dir=folder,
            secret=SecretStr("a secret that only the tests know, and long"),
            in_process_worker=False,
        )
        app = create_app(settings, clock=lambda: NOW)
        engine = make_engine(url)
        with unit_of_work(engine, write=True) as session:
            town = cast.found(session)
            area = read_geojson_geometry(AREA)
            procedures.set_plan_area(session, town.procedure, area, by=SYSTEM, now=NOW, note="Gebiet")
            scape = scapes.build(session, app.state.house.files, town.procedure, at=AT)
            slug = town.procedure.slug
            procedure_id, planner_id = town.procedure.id or 0, town.planner.person_id or 0
            session.flush()
            session.refresh(scape.variants[0])
            session.refresh(scape.variants[1])
            session.expunge_all()
        with TestClient(app, base_url="http://auenfurt.localhost") as client:
            yield Place(client, f"/beteiligungen/{slug}", scape, url, procedure_id, planner_id, town)
        engine.dispose()


def test_the_page_says_in_words_what_the_picture_shows(place: Place) -> None:
    page = place.get("/3d")
    for words in ("Hoch", "Niedrig", "Gehweg", "Blick nach Norden.", "Färbergasse 4", "3 Geschosse weniger"):
        assert words in page
    assert "9 m niedriger" in page
    assert "unsafe" not in place.client.get(f"{place.path}/3d").headers["content-security-policy"]
    assert place.path + "/3d" in place.get()  # the consultation links to it


@pytest.mark.parametrize("cookie", ["", f"{identity.COOKIE}=made-up"])
@pytest.mark.parametrize("path", ["/schatten", "/schatten.json", "/vergleich"])
def test_what_takes_seconds_to_count_waits_in_a_line_of_its_own(place: Place, path: str, cookie: str) -> None:
    """Forty shadows of forty days, asked for at once, kept everybody from the server for more than a minute."""
    app: Any = place.client.app

    async def run() -> int:
        app.state.house.long_makers = line = CapacityLimiter(0)
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://auenfurt.localhost") as client:
            asked = client.get(
                f"{place.path}{path}?tag=2029-05-0{len(path) % 9 + 1}", headers={"cookie": cookie}
            )
            long_one = asyncio.create_task(asked)
            done, _ = await asyncio.wait({long_one}, timeout=0.5)
            assert not done
            assert (await client.get("/impressum")).status_code == 200
            line.total_tokens = 1
            return (await long_one).status_code

    before = app.state.house.long_makers
    try:
        assert asyncio.run(run()) == 200
    finally:
        app.state.house.long_makers = before


def test_the_scene_holds_every_building_once_and_nothing_from_elsewhere(place: Place) -> None:
    scene = place.scene()
    tileset = place.client.get(scene["tileset"])
    assert "immutable" in tileset.headers["cache-control"]
    children = tileset.json()["root"]["children"]
    assert sum(child["extras"].get("buildings", 0) for child in children) == 12
    base = scene["tileset"].rpartition("/")[0]
    names = set()
    [ground] = [child for child in children if child["extras"].get("ground")]
    children.remove(ground)
    assert scene["ground"]["url"].endswith("/ground.glb")
    assert place.client.get(scene["ground"]["url"]).content[:4] == b"glTF"
    for child in children:
        body = place.client.get(f"{base}/{child['content']['uri']}").content
        assert body[:4] == b"glTF"
        names |= set(re.findall(rb"house-\d-\d", body))
    assert len(names) == 12
    for variant in scene["variants"]:
        assert place.client.get(variant["url"]).content[:4] == b"glTF"
        assert variant["replaces"] == ["house-1-1"]
    assert all(tile["url"].startswith("/kacheln/") for tile in scene["draped"])
    assert place.client.get(f"{place.path}/3d/{'0' * 64}/tileset.json").status_code == 404
    assert place.client.get(f"{base}/1-1.glb").status_code == 404


def test_a_higher_building_shades_more_and_no_shadow_is_shown_at_night(place: Place) -> None:
    high, low = place.scape.variants
    found = {}
    for row in (high, low):
        found[row.title] = json.loads(
            place.get("/schatten.json", variante=row.id, tag="2027-03-21", uhr="15:00")
        )["square_metres"]["new"]
    assert found["Hoch"] > found["Niedrig"] > 20
    night = json.loads(place.get("/schatten.json", variante=high.id, tag="2027-03-21", uhr="22:00"))
    assert night["square_metres"] is None
    assert "unter dem Horizont" in night["words"]
    page = place.get("/schatten", variante=high.id, tag="2027-03-21", uhr="15:00")
    assert f"„Hoch“: {round(found['Hoch'])}\u00a0m² Boden" in page
    assert page.count("<path") > 3
    assert "ebenem Boden" in page
    assert "Färbergasse" in page.partition("Sonnenstunden am")[2]  # somebody loses an hour
    for nonsense in ({"tag": "morgen", "uhr": "25:99"}, {"tag": "0001-01-01"}, {"variante": "-1"}):
        place.get("/schatten", **nonsense)


def test_a_building_and_a_floor_are_chosen_from_lists_and_told_in_words(place: Place) -> None:
    page = place.get("/3d/gebaeude", haus="house-0-1", stock="1")
    assert "am Haus Färbergasse 2, 1. Stock" in page
    assert "thing=" in page
    planned = place.get("/3d/gebaeude", haus=f"{place.scape.variants[0].id}:P0", stock="4")
    assert "am Haus Neubau (geplant), 4. Stock" in planned
    for unknown in ("house-9-9", "999:P0", "x" * 500):
        assert "Diesen Ort kennen wir nicht" in place.get("/3d/gebaeude", haus=unknown)
    assert "thing=" not in place.get("/3d/gebaeude", was='{"at": [1e99, 2, 3]}')


@pytest.mark.parametrize(
    ("words", "label", "does"),
    [
        ("", "Färbergasse 2", True),
        ("FÄRBER", "Färbergasse 2", True),
        ("2 färber", "Färbergasse 2", True),
        ("2", "Färbergasse 12", False),
        ("12", "Färbergasse 12 a", True),
        ("12a", "Färbergasse 12 a", True),
        ("färber 12 A", "Färbergasse 12a", True),
        ("12b", "Färbergasse 12a", False),
        ("12", "Färbergasse 12a", True),
        ("Bahnhofstr. 3", "Bahnhofstraße 3", True),
        ("gasse (", "Färbergasse 2", False),
    ],
)
def test_words_fit_anywhere_and_numbers_as_a_whole(words: str, label: str, does: bool) -> None:
    assert fits(label, words) is does


def test_the_menu_of_buildings_is_narrowed_and_keeps_what_is_chosen(place: Place) -> None:
    def menu(**asked: str) -> list[str]:
        found = html.fromstring(place.get("/3d/gebaeude", **asked))
        return [each.text for each in found.xpath("//select[@name='haus']//option[@value!='']")]

    everything = menu()
    assert len(everything) > 3
    fitting = [each for each in everything if "2" in each.split()]
    assert fitting
    assert menu(suche="2") == fitting
    assert len(fitting) < len(everything)
    kept = menu(suche="2", haus=f"{place.scape.variants[0].id}:P0")
    assert len(kept) == len(fitting) + 1
    assert menu(suche="Nirgendwo") == everything
    assert "Zu „Nirgendwo“ haben wir kein Gebäude gefunden" in place.get("/3d/gebaeude", suche="Nirgendwo")
    assert f"{len(fitting)} Gebäude pass" in place.get("/3d/gebaeude", suche="2")


def test_a_proposal_is_begun_in_three_dimensions_and_its_place_chosen_there(place: Place) -> None:
    engine = make_engine(place.url)
    with unit_of_work(engine, write=True) as session:
        row = Phase(
            procedure_id=place.procedure_id, kind=PhaseKind.CO_CREATION.value, opens=[Opens.PROPOSAL.value],
            starts_on=NOW.date() - timedelta(days=9), ends_on=NOW.date() + timedelta(days=9), position=9,
        )  # fmt: skip
        session.add(row)
        square = Layer(
            municipality_id=place.town.id, role=PlaceKind.LANDMARK.value, title="Orte", imported_at=NOW
        )
        named = PlaceInput(PlaceKind.LANDMARK, "Webersteg", from_lonlat(*AT))
        places.add_layer(session, square, [named], by=SYSTEM, now=NOW)
    try:
        x, y = metres_of(*AT)
        bare = place.get("/3d/gebaeude", was=Choice("", None, None, (x, y, 432.0)).text)
        assert re.search(r"Webersteg, in einer Höhe von \d+ m über dem Meer", bare), (
            "a height alone is no place"
        )
        # From the picture to a proposal ...
        page = place.get("/3d/gebaeude", haus="house-0-1", stock="1")
        (begun,) = re.findall(r'href="([^"]*kind=proposal[^"]*thing=[^"]*)"', page)
        form = place.client.get(begun.replace("&amp;", "&")).text
        assert "am Haus Färbergasse 2, 1. Stock" in form
        assert "keine Stellungnahme im Sinne des Gesetzes" in form
        assert "im förmlichen Verfahren gehört werden" in form
        # ... and from a proposal that somebody is writing into the picture and back.
        action = f"{place.path}/stellungnahme/{drafts.new_secret()}/text"
        typed = {"kind": "proposal", "title": "Bank", "text": "Eine Bank, bitte.", "do": "city"}
        sent = place.client.post(action, data=typed, follow_redirects=False)
        assert sent.headers["location"].endswith("/3d")
        assert 'value="city"' in place.client.get(action).text
        back = place.client.get(begun.replace("&amp;", "&")).text
        assert "am Haus Färbergasse 2, 1. Stock" in back
        assert "Eine Bank, bitte." in back
        formal = place.get("/stellungnahme", kind="statement")
        assert "Das ist förmlich: Ihre Stellungnahme kommt zu den Akten" in formal
    finally:
        place.client.cookies.clear()
        with unit_of_work(engine, write=True) as session:
            session.delete(session.get_one(Phase, row.id))
        engine.dispose()


def test_a_point_picked_in_the_picture_is_kept_with_its_height_and_told_on_the_receipt(place: Place) -> None:
    city = place.scape.city
    row = 0
    corners = list(city.footprints[row].exterior.coords)
    southern = min(pairwise(corners), key=lambda edge: edge[0][1] + edge[1][1])
    x, y = (southern[0][0] + southern[1][0]) / 2, (southern[0][1] + southern[1][1]) / 2
    choice = Choice(str(city.ids[row]), None, None, (x, y, 495.2))
    page = place.get("/3d/gebaeude", was=choice.text)
    chosen = re.search(r"an der Süd(ost|west)?seite des Hauses Färbergasse 1, etwa 5 m über dem Boden", page)
    assert chosen, "the side is told"
    address = re.search(r'href="([^"]*thing=[^"]*)"', page)
    assert address
    form = place.client.get(address[1].replace("&amp;", "&")).text
    action = re.search(r'<form[^>]*action="([^"]*/stellungnahme/[^"]*)"', form)
    assert action
    sent = dict(re.findall(r'<input[^>]*name="(lon|lat|thing|geometry|kind)"[^>]*value="([^"]*)"', form))
    sent = {name: value.replace("&#34;", '"').replace("&quot;", '"') for name, value in sent.items()}
    assert json.loads(sent["thing"])["b"] == "house-0-0"
    whole = action[1].rpartition("/")[0] + "/alles"
    answer = place.client.post(
        whole, data={**sent, "text": "Hier fällt Schatten in mein Fenster.", "do": "send", "publish": "no"}
    )
    assert chosen[0] in answer.text
    engine = make_engine(place.url)
    with unit_of_work(engine, write=False) as session:
        stored = received.register(session, 1)[0]
        assert stored.elevation == 495.2
        assert stored.thing["id"] == "house-0-0"
        assert stored.thing["above"] == 5.2
        assert (stored.lon, stored.lat) == pytest.approx(degrees_of(x, y), abs=1e-6)
        sealed = received.receipt_of(session, stored.id or 0).payload_sha256
        person, _ = received.submitter_of(session, stored)
        attached = received.attachments_of(session, stored.id or 0)
        assert contributions.payload_sha256(stored, person, attached) == sealed
        stored.elevation = 1.0
        assert contributions.payload_sha256(stored, person, attached) != sealed
        session.rollback()
    engine.dispose()


def test_scenes_are_made_before_anybody_asks_and_a_terrain_carries_what_is_planned(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last but for the planner's: the terrain stays."""
    # Files bear the machine's time.
    house = replace(place.client.app.state.house, clock=lambda: datetime.now(UTC))  # type: ignore[attr-defined]
    folder = cityscape.scenes(house)
    shutil.rmtree(folder, ignore_errors=True)
    work = jobs.KINDS[scenes.KIND]
    job = Job(kind=scenes.KIND, run_at=NOW, created_at=NOW)
    assert work(house, job) == {"made": 1, "waiting": 0}
    [made] = folder.iterdir()
    assert len(list(made.glob("variant-*.glb.gz"))) == 2
    # With the scene there, the hours of sun of the ready-made days are counted too; a visitor then only reads them.
    assert work(house, job) == {"made": 0, "counted": 4, "waiting": 1}
    assert work(house, job) == {"made": 0, "waiting": 0}
    with monkeypatch.context() as patched:
        patched.setattr(sun_hours, "_count_hours", None)
        sun_hours.hours_of.cache_clear()
        assert "Sonnenstunden" in place.get("/schatten", tag=f"{datetime.now(UTC).year}-06-21")
    x, y = place.scape.middle
    heights = np.full((61, 61), 493.5)
    heights[:, 40:] += np.arange(21) * 0.5
    with tempfile.TemporaryDirectory() as kept:
        path = Path(kept) / "dgm"
        write_terrain(Terrain(x - 600, y - 600, 20.0, heights), path)
        with path.open("rb") as file:
            digest = house.files.put(file).sha256
    with unit_of_work(house.engine, write=True) as session:
        procedure = session.get_one(Procedure, place.procedure_id)
        layer = Layer(
            municipality_id=procedure.municipality_id,
            role=LayerRole.TERRAIN.value,
            title="Gelände",
            attribution="Geländeamt",
            normalised_sha256=digest,
            imported_at=NOW,
        )
        places.add_layer(session, layer, [], by=SYSTEM, now=NOW)
    assert work(house, job) == {"made": 1, "waiting": 0}
    scene = place.scene()
    assert scene["origin"][2] == 493.5
    assert scene["ground"]["step"] == 20
    assert "Vermessungsamt, Geländeamt" in place.get("/3d")
    assert "auf dem Boden des Geländemodells" in place.get("/schatten", tag="2027-12-21")  # the shortest day
    # The scene without the terrain stays for some days, for browsers that still show it.
    assert len(list(folder.iterdir())) == 2
    later = replace(house, clock=lambda: datetime.now(UTC) + scenes.KEPT + timedelta(hours=1))
    assert work(later, job)["made"] == 0
    assert len(list(folder.iterdir())) == 1


def test_a_planner_adds_a_variant_from_outlines_and_sets_the_points_to_look_from(place: Place) -> None:
    desk = f"/verwaltung/planung/{place.procedure_id}/varianten"
    engine = make_engine(place.url)
    with unit_of_work(engine, write=True) as session:
        paula = people.actor_of(session, place.planner_id)
        assert paula is not None
        identity.create_password_identity(
            session,
            session.get_one(Person, place.planner_id),
            "p@a.example",
            "a long enough password",
            by=SYSTEM,
            now=NOW,
        )
        token = identity.sign_in(session, place.planner_id, now=NOW)
    engine.dispose()
    place.client.cookies.set(identity.COOKIE, token)

    def send(path: str, files: Any = None, **data: Any) -> Any:
        return place.client.post(path, data=data, files=files, follow_redirects=True)

    lon, lat = AT
    ring = [[lon, lat], [lon + 0.0002, lat], [lon + 0.0002, lat + 0.0001], [lon, lat + 0.0001], [lon, lat]]
    outline = {
        "type": "Feature",
        "properties": {"hoehe": 14.5, "geschosse": 4, "name": "Torhaus"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    body = json.dumps({"type": "FeatureCollection", "features": [outline]}).encode()
    shown = send(
        desk,
        {"file": ("torhaus.geojson", body)},
        do="add",
        title="Mit Torhaus",
        note="Neue Variante",
        homes="12",
        roof="flat",
        crs="",
    )
    assert shown.status_code == 200
    assert structure_faults(shown.content) == []
    assert "Mit Torhaus" in shown.text
    page = place.get("/3d")
    assert "14,5 m" in page  # read off the building
    assert "Torhaus" in place.get("/3d/gebaeude")
    x, y = place.scape.middle
    tower = gltf(*box_mesh(8, 21, 8), name="Turm")
    details = {"title": "Mit Turm", "note": "Turm", "roof": "flat", "crs": "", "body_storeys": "7"}
    asked = send(desk, {"file": ("turm.glb", tower)}, do="add", **details)
    assert asked.status_code == 422
    assert "weiß nicht, wo auf der Erde es steht" in asked.text
    far = send(desk, {"file": ("turm.glb", tower)}, do="add", place="500000, 5300000", **details)
    assert "stehen nicht dort, wo der Plan liegt" in far.text
    assert 'value="500000, 5300000"' in far.text
    stood = send(desk, {"file": ("turm.glb", tower)}, do="add", place=f"{x:.0f}, {y:.0f}", **details)
    assert stood.status_code == 200
    assert "am Haus Turm (geplant), 6. Stock" in place.get(
        "/3d/gebaeude", haus=f"{place.scene()['variants'][-1]['id']}:P1", stock="6"
    )
    broken = send(
        desk, {"file": ("x.geojson", b"{}")}, do="add", title="Kaputt", note="x", crs="", roof="flat"
    )
    assert broken.status_code == 422
    assert 'value="Kaputt"' in broken.text
    x, y = place.scape.middle
    point = {
        "kind": "window",
        "title": "Fenster",
        "eye": f"{x:.0f}, {y - 40:.0f}",
        "eye_above": "5",
        "look": f"{x:.0f},{y:.0f}",
        "look_above": "3",
    }
    rows = {f"view-0-{name}": value for name, value in point.items()}
    assert "view-1-title" in send(desk, do="add-view", **rows).text
    wrong = send(desk, do="views", note="x", **{**rows, "view-0-eye": "hier"})
    assert wrong.status_code == 422
    assert "Ostwert und Nordwert" in wrong.text
    assert send(desk, do="views", note="Standpunkte", **rows).status_code == 200
    [view] = place.scene()["views"]
    assert view["eye"][2] == pytest.approx(5, abs=0.3)
    place.client.cookies.clear()


def test_trees_of_a_layer_stand_in_the_scene_and_are_counted_in_words(place: Place) -> None:
    """Heights and crowns as delivered where they can be; those that cannot are as trees usually are."""
    x, y = place.scape.middle
    house = place.client.app.state.house  # type: ignore[attr-defined]
    assert place.scene()["trees"] == []
    assert "einzelne Bäume" not in place.get("/3d")
    frame = geopandas.GeoDataFrame(
        {"baumhoehe": [12.0, 4000.0, 7.0], "krone": [5.0, -1.0, 4.0]},
        geometry=shapely.points([(x + 10, y + 20), (x - 5, y - 30), (x + 90_000, y)]),
        crs=25832,
    )
    with tempfile.TemporaryDirectory() as kept:
        path = Path(kept) / "baeume.fgb"
        write_normalised(frame, path)
        with path.open("rb") as file:
            digest = house.files.put(file).sha256
    with unit_of_work(house.engine, write=True) as session:
        layer = Layer(
            municipality_id=place.town.id,
            role=LayerRole.TREES.value,
            title="Bäume",
            attribution="Grünamt",
            normalised_sha256=digest,
            imported_at=NOW,
        )
        places.add_layer(session, layer, [], by=SYSTEM, now=NOW)
    scene = place.scene()
    east, north, _ = scene["origin"]
    stood = sorted([x0 + east, y0 + north, high, crown] for x0, y0, high, crown in scene["trees"])
    assert [each[2:] for each in stood] == [[9.0, 6.0], [12.0, 5.0]]
    assert stood[1][:2] == pytest.approx([x + 10, y + 20], abs=0.06)
    assert "Das Bild zeigt auch 2 einzelne Bäume." in place.get("/3d")
    assert re.search(r"<circle[^>]*--map-tree\).*</svg><span>Einzelner Baum</span>", place.get("/karte"))


def test_a_place_on_a_building_is_told_in_the_same_words_wherever_it_stands(place: Place) -> None:
    x, y = place.scape.middle
    engine = make_engine(place.url)
    with unit_of_work(engine, write=True) as session:
        procedure = session.get_one(Procedure, place.procedure_id)
        row = place.town.hand_in(
            session,
            "Hier fehlt ein Baum.",
            procedure=procedure,
            located=from_lonlat(*degrees_of(x, y)),
            elevation=499.2,
            thing=Thing("house-0-1", "Färbergasse 2", side="s", above=9.2),
            wants_publication=True,
        )
        moderation.decide(session, row, Decision(Action.PUBLISH), by=place.town.moderator, now=NOW)
        reference = row.reference
    engine.dispose()
    words = "an der Südseite des Hauses Färbergasse 2, etwa 9 m über dem Boden"
    scene = place.scene()
    pin = next(each for each in scene["pins"] if each["where"])
    assert pin["where"] == words
    assert pin["at"][2] == pytest.approx(499.2 - scene["origin"][2], abs=0.02)
    assert words in place.get("/beitraege")
    assert words in place.client.get(pin["url"]).text
    feed = place.get("/karte.json", bbox="10.6,48.2,10.8,48.4", zoom=19)
    assert words in feed
    assert reference in feed
    # Who tells the place in words of their own beside it is quoted.
    with unit_of_work(place.client.app.state.house.engine, write=True) as session:  # type: ignore[attr-defined]
        spot = {
            "located": from_lonlat(*degrees_of(x + 40, y)),
            "place_words": "an der Linde",
            "wants_publication": True,
        }
        procedure = session.get_one(Procedure, place.procedure_id)
        row = place.town.hand_in(session, "Hier fehlt eine Bank.", procedure=procedure, **spot)
        moderation.decide(session, row, Decision(Action.PUBLISH), by=place.town.moderator, now=NOW)
    assert '"where":"an der Linde"' in place.get("/karte.json", bbox="10.6,48.2,10.8,48.4", zoom=19)
    assert "an der Linde" in {each["where"] for each in place.scene()["pins"]}


def test_a_touch_table_is_the_device_that_has_its_key_on_the_days_of_its_event(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cookie is worth ten minutes, its key as long as the table stands; nobody finds what the visitor before left."""
    house = place.client.app.state.house  # type: ignore[attr-defined]
    cookies, host = place.client.cookies, "auenfurt.localhost"
    slug = place.path.rpartition("/")[2]
    desk, passes = f"/verwaltung/planung/{place.procedure_id}/tisch", f"{place.path}/tisch/ausweis"
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def public(pair: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
        form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        return base64.b64encode(pair.public_key().public_bytes(*form)).decode()

    def sign_in() -> None:
        with unit_of_work(house.engine, write=True) as session:
            cookies.set(identity.COOKIE, identity.sign_in(session, place.planner_id, now=NOW), domain=host)

    def at(moment: datetime) -> None:
        monkeypatch.setattr(house, "clock", lambda: moment)

    def prove(pair: ec.EllipticCurvePrivateKey, question: str = "") -> int:
        asked = place.client.get(passes)
        if asked.status_code != 200:
            return asked.status_code
        question = question or asked.json()["question"]
        r, s = utils.decode_dss_signature(pair.sign(question.encode(), ec.ECDSA(hashes.SHA256())))
        signed = base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()
        return place.client.post(passes, data={"question": question, "signature": signed}).status_code

    def hand_in(text: str) -> tuple[str, Any]:
        form = place.client.get(f"{place.path}/stellungnahme?kind=statement&ansicht=eine-seite").text
        action = re.search(r'<form[^>]*action="([^"]*/stellungnahme/[^"]*)"', form)
        assert action
        whole = action[1].rpartition("/")[0] + "/alles"
        sent = {"kind": "statement", "text": text, "do": "send", "publish": "no"}
        return whole, place.client.post(whole, data=sent)

    # A planner sets it up, and is signed out there. What is wrong comes back with what was typed.
    sign_in()
    assert structure_faults(place.client.get(desk).content) == []
    days = {"starts_on": "2027-01-01", "ends_on": (local_date(NOW) + timedelta(days=3)).isoformat()}
    asked = {"do": "begin", "title": "Rathaus, Foyer", "key": public(key), **days}
    for wrong in (
        {"title": ""},
        {"ends_on": "2027-01-01"},
        {"ends_on": (local_date(NOW) + timedelta(days=61)).isoformat()},
        {"key": ""},
        {"key": public(rsa.generate_private_key(65537, 2048))},
    ):
        refused = place.client.post(desk, data=asked | wrong)
        assert refused.status_code == 422, wrong
        assert structure_faults(refused.content) == []
        assert wrong.get("title", "Rathaus, Foyer") in refused.text
    begun = place.client.post(desk, data=asked)
    assert begun.url.path.endswith(f"/{slug}/tisch")
    assert structure_faults(begun.content) == []
    assert "Sonne und Schatten" in begun.text
    assert f'href="{place.path}/vergleich"' in begun.text
    assert "Anmelden" in place.client.get(desk).text
    draft, receipt = hand_in("Am Tisch geschrieben.")
    assert receipt.url.path.startswith("/beleg/")
    assert place.client.get(receipt.url.path).status_code == 200

    # Whoever copied the cookie is a table for ten minutes at most; only the key gets another one.
    copied = {name: cookies[name] for name in cookies if name.startswith("digilog_table")}
    old_question = place.client.get(passes).json()["question"]
    at(NOW + timedelta(minutes=11))
    hand_in("Mit dem Cookie von gestern geschrieben.")
    assert [prove(other), prove(key, old_question), prove(key, old_question[:-1] + "x")] == [403, 403, 403]
    hand_in("Mit falschem Schlüssel geschrieben.")
    assert prove(key) == 200
    hand_in("Am Tisch, zehn Minuten später.")

    # The next visitor comes to the first screen: what was open is not to be found any more.
    left = {"digilog_author", "digilog_contribution", "digilog_support", identity.COOKIE}
    for name in left:
        cookies.set(name, "of-the-visitor-before", domain=host, path="/")
    ended = place.client.get(f"{place.path}/tisch").headers.get_list("set-cookie")
    assert left <= {each.partition("=")[0] for each in ended if "Max-Age=0" in each}
    assert place.client.get(receipt.url.path).status_code == 404
    assert place.client.get(draft).status_code == 410

    # Ended from another device: at once, whatever pass the table has.
    table_cookies = dict(cookies)
    cookies.clear()
    assert place.client.get(receipt.url.path).status_code == 200  # elsewhere it stays where it is
    sign_in()
    listed = place.client.get(desk).text
    assert "Rathaus, Foyer" in listed
    number = re.search(r'value="end-(\d+)"', listed)
    assert number
    assert "Beendet" in place.client.post(desk, data={"do": f"end-{number[1]}"}).text
    cookies.clear()
    for name, value in table_cookies.items():
        cookies.set(name, value, domain=host)
    hand_in("Am beendeten Tisch geschrieben.")
    assert prove(key) == 410

    # A table is over with the last day of its event, and what somebody made up is none.
    cookies.clear()
    sign_in()
    at(NOW)
    place.client.post(desk, data=asked)
    at(NOW + timedelta(days=4))
    assert prove(key) == 410
    at(NOW)
    for name, value in {**copied, "digilog_table": f"pass.{number[1]}.9999999999.{'0' * 64}"}.items():
        cookies.set(name, value, domain=host)
    hand_in("Mit erfundenem Ausweis geschrieben.")
    cookies.clear()
    assert prove(key) == 404
    with unit_of_work(house.engine) as session:
        written = {row.text: row.channel for row in received.register(session, 1)}
        assert {text for text, channel in written.items() if channel == "terminal"} == {
            "Am Tisch geschrieben.",
            "Am Tisch, zehn Minuten später.",
        }
        assert len([text for text in written if text.startswith(("Mit", "Am"))]) == 6
        verbs = [entry.verb for entry in session.exec(select(journal.JournalEntry))]
    assert (verbs.count("table_set_up"), verbs.count("table_ended")) == (2, 1)
