"""The catalogue of map layers: taken in as a job, styled, switched, replaced; its objects, and what is said about them."""

import json
import re
import shutil
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import geopandas
import httpx2
import pytest
import shapely
from lxml import html
from sqlmodel import Session, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import attached, journal, moderation, places, procedures, publishing
from consultations.attached import LayerLink
from consultations.contributions import Contribution
from consultations.moderation import Action, Decision
from consultations.permissions import Role
from consultations.places import Layer
from geo.geometry import degrees_of, metres_of, tile_of
from participation import identity, jobs, map_services, things
from participation.app import create_app
from participation.database import unit_of_work
from participation.house import House
from participation.identity import COOKIE
from participation.map_services import Service
from participation.settings import Settings
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Clock, NewClient

LON, LAT = 10.7, 48.3
X, Y = metres_of(LON, LAT)
MAP = "/beteiligungen/wohnen-am-muehlbach/karte"
TOWN_LAYERS = "/verwaltung/ebenen"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def house(app: Starlette) -> Iterator[House]:
    house: House = app.state.house
    yield house
    house.engine.dispose()


@pytest.fixture
def session(house: House) -> Iterator[Session]:
    with Session(house.engine.execution_options(writes=True), expire_on_commit=False) as session:
        yield session


@pytest.fixture
def town(session: Session) -> Town:
    town = cast.found(session)
    session.commit()
    return town


@pytest.fixture
def paula(house: House, town: Town, new_client: NewClient) -> TestClient:
    """The town's planner, signed in."""
    client = new_client()
    with unit_of_work(house.engine, write=True) as session:
        client.cookies.set(COOKIE, identity.sign_in(session, town.planner.person_id or 0, now=NOW))
    return client


def beds(names: list[str], *, shift: float = 0.0, ids: list[str] | None = None) -> geopandas.GeoDataFrame:
    """Square areas of 20 m side by side, from the plan's middle to the east."""
    shapes = [shapely.box(X + 30 * n + shift, Y, X + 30 * n + 20 + shift, Y + 20) for n in range(len(names))]
    return geopandas.GeoDataFrame(
        {
            "uuid": ids or [f"id-{name}" for name in names],
            "name": names,
            "art": ["Rosen", "Gemüse", EVIL, "Rosen"][: len(names)],
        },
        geometry=shapes,
        crs=25832,
    )


def packed(frame: geopandas.GeoDataFrame, folder: Path) -> bytes:
    path = folder / "beete.gpkg"
    path.unlink(missing_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # without a coordinate system, on purpose
        frame.to_file(path, layer="beete")
    return path.read_bytes()


def filled(response: httpx2.Response, having: str) -> dict[str, Any]:
    """What the form with a field called `having` would send as it stands."""
    (form,) = (form for form in html.fromstring(response.content).forms if having in form.fields)
    return {name: value for name, value in form.form_values() if name not in ("do", "file")}


def words(response: httpx2.Response) -> str:
    return " ".join(html.fromstring(response.content).text_content().split())


def wrong(response: httpx2.Response) -> list[str]:
    """The fields that the summary of errors leads to."""
    links = html.fromstring(response.content).xpath("//*[@id='error-summary']//li/a/@href")
    return [each.removeprefix("#") for each in links]


def take_in(
    visitor: TestClient, house: House, url: str, content: bytes, name: str = "beete.gpkg", **more: Any
) -> str:
    """Send a map file by the form at `url` and do the job; the address of its page."""
    form = filled(visitor.get(url), "attribution") | {"title": "Beete", "attribution": "© Grünamt", **more}
    sent = visitor.post(url, data=form, files={"file": (name, content, "application/octet-stream")})
    assert sent.status_code == 303, wrong(sent)
    while jobs.run_one(house):
        pass
    return str(sent.headers["location"])


def fresh(session: Session) -> Session:
    """The session, knowing nothing of before; it begins anew, since it holds the line of writers while it reads."""
    session.rollback()
    session.expire_all()
    return session


def the_layer(session: Session, town: Town) -> Layer:
    layer = places.layers_of(fresh(session), town.id)[-1]
    session.commit()
    return layer


def places_of(house: House, town: Town) -> list[Layer]:
    with Session(house.engine) as session:
        return list(places.layers_of(session, town.id))


def about(session: Session, town: Town, house: House, layer: Layer, name: str) -> Contribution:
    """A published statement about the object of this name."""
    from geo import features
    from participation import layer_files

    path = layer_files.local_copy(house, layer)
    assert path is not None
    all_of_them, _ = features.features_in(path, None, layer_files.columns_of(layer))
    number = next(each.number for each in all_of_them if each.name == name)
    found = things.find(house, session, town.procedure, things.Choice(layer=layer.id, feature=number))
    assert found is not None
    made = town.hand_in(
        session, f"Zu {name}.", located=found.located, thing=found.thing, wants_publication=True
    )
    moderation.decide(session, made, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    session.commit()
    return made


# --- taking in -------------------------------------------------------------------------------------


def test_a_file_is_read_in_a_job_asked_for_its_system_and_never_sent_twice(
    paula: TestClient, house: House, session: Session, town: Town, tmp_path: Path
) -> None:
    url = f"/verwaltung/planung/{town.procedure.id}/ebenen"
    note = {"note": "Beete gezeigt", "title": "Beete"}
    form = filled(paula.get(url), "attribution") | note | {"attribution": " "}
    content = packed(beds(["A", "B"]).set_crs(None, allow_override=True), tmp_path)
    answer = paula.post(url, data=form, files={"file": ("beete.gpkg", content, "application/octet-stream")})
    assert (answer.status_code, wrong(answer)) == (422, ["attribution"])
    form = filled(answer, "attribution") | note | {"attribution": "© Grünamt"}
    forged = form | {"kept": form["kept"].replace("beete", "andere")}
    assert wrong(paula.post(url, data=forged)) == ["file"]
    assert wrong(paula.post(url, data=form | {"note": ""})) == ["note"]

    waiting = paula.post(url, data=form).headers["location"]
    assert "Wartet, bis sie an der Reihe ist" in words(paula.get(waiting))
    assert "Wartet, bis sie an der Reihe ist" in words(paula.get(url))
    assert jobs.run_one(house)
    page = paula.get(waiting)
    assert "sagt nicht, in welchem Koordinatensystem" in words(page)
    assert places.layers_of(session, town.id, town.procedure.id) == []
    session.commit()
    again = paula.post(waiting, data=filled(page, "crs") | {"crs": "25832"}).headers["location"]
    assert jobs.run_one(house)
    done = paula.get(again)
    assert "Ist auf der Karte" in words(done)
    assert "2 (2 Flächen)" in words(done)
    fresh(session)
    [layer] = places.layers_of(session, town.id, town.procedure.id)
    session.commit()
    assert (layer.title, layer.attribution, layer.is_visible, layer.series) == (
        "Beete", "© Grünamt", True, layer.id,
    )  # fmt: skip
    assert "Beete gezeigt" in words(paula.get(f"/verwaltung/planung/{town.procedure.id}/verlauf"))

    details = f"/verwaltung/ebenen/{layer.id}"
    assert paula.get(f"{url}/{layer.id}").headers["location"] == details
    form = filled(paula.get(details), "attribution") | {
        "title": "Alte Beete",
        "dated": "2026-05-01",
        "note": "Name",
    }
    assert paula.post(details, data=form | {"do": "save", "is_open": "y"}).status_code == 303
    assert "Alte Beete" in words(paula.get(url))
    assert paula.get(f"{details}/datei").content == content
    public = paula.get(f"{MAP}/ebenen/{layer.id}")
    assert ("1. Mai 2026" in words(public), EVIL in public.text) == (True, False)
    data = paula.get(f"/karte/ebenen/{layer.id}.geojson").json()
    assert {each["properties"]["name"] for each in data["features"]} == {"A", "B"}
    assert paula.get(f"/karte/ebenen/{layer.id}.fgb").content[:3] == b"fgb"
    assert paula.post(details, data=form | {"do": "save"}).status_code == 303
    assert paula.get(f"/karte/ebenen/{layer.id}.geojson").status_code == 404, "open no more"
    assert paula.post(details, data=form | {"do": "remove"}).status_code == 303
    assert places.layers_of(fresh(session), town.id, town.procedure.id) == []
    session.commit()
    assert paula.get(f"{details}/datei").content == content, "what was removed is kept"


def test_a_look_by_attribute_is_drawn_and_told_in_the_legend(
    paula: TestClient, client: TestClient, house: House, session: Session, town: Town, tmp_path: Path
) -> None:
    take_in(paula, house, TOWN_LAYERS, packed(beds(["A", "B", "C"]), tmp_path))
    layer = the_layer(session, town)
    url = f"/verwaltung/ebenen/{layer.id}/aussehen"
    form = filled(paula.get(url), "colour") | {"by": "art"}
    page = paula.post(url, data=form | {"do": "values"})
    assert page.status_code == 200
    form = filled(page, "colour")
    assert form["klasse-1-value"] == "Gemüse"
    form |= {"klasse-1-label": "Gemüsebeet", "klasse-1-colour": "other4", "klasse-1-pattern": "hatched"}
    assert paula.post(url, data=form | {"do": "save"}).status_code == 303
    shown = client.get(f"{MAP}?ansicht=plan")
    assert "Gemüsebeet" in words(shown)
    assert EVIL not in shown.text
    assert EVIL in words(shown)
    drawn = shown.text.partition("plan-picture")[2].partition("</svg>")[0]
    assert "hatched-other4" in drawn
    x, y = tile_of(LON, LAT, 17)
    [overlay] = json.loads(html.fromstring(client.get(MAP).content).xpath("//@data-overlays")[0])
    tile = overlay["url"].format(z=17, x=x, y=y)
    answer = client.get(tile)
    assert "immutable" in answer.headers["cache-control"]
    assert b'stroke="#2f6b1f"' in answer.content
    assert b"<rect" not in answer.content, "nothing but the layer"
    assert client.get(tile.replace("/light/", "/dark/")).content != answer.content


def test_layers_are_switched_without_a_script(
    paula: TestClient, client: TestClient, house: House, session: Session, town: Town, tmp_path: Path
) -> None:
    take_in(paula, house, TOWN_LAYERS, packed(beds(["A"]), tmp_path))
    layer = the_layer(session, town)

    def drawn(query: str) -> bool:
        return "--map-other0" in client.get(f"{MAP}?ansicht=plan{query}").text.partition("plan-picture")[2].partition("</svg>")[0]  # fmt: skip

    assert (drawn(""), drawn("&ebenen=0"), drawn(f"&ebenen=0&ebenen={layer.id}")) == (True, False, True)
    page = html.fromstring(client.get(f"{MAP}?ansicht=plan&ebenen=0").content)
    assert not page.xpath(f"//input[@value='{layer.id}']/@checked")
    moves = page.xpath("//*[contains(@class, 'm-plan__moves')]//a/@href")
    assert all("ebenen=0" in each for each in moves)
    assert page.xpath("//section[@id='legend']//a/@href") == [f"{MAP}/ebenen/{layer.id}"]


# --- objects ---------------------------------------------------------------------------------------


def test_an_object_is_found_by_click_and_list_and_a_statement_is_about_it(
    paula: TestClient, client: TestClient, house: House, session: Session, town: Town, tmp_path: Path
) -> None:
    take_in(paula, house, TOWN_LAYERS, packed(beds(["A", "B", "C"]), tmp_path))
    layer = the_layer(session, town)
    lon, lat = degrees_of(X + 70, Y + 10)  # in the third bed
    [found] = client.get(f"{MAP}/objekte.json?ort={lon},{lat}&zoom=18").json()["objects"]
    assert (found["name"], found["layer"], dict(found["words"])["Art"]) == ("C", "Beete", EVIL)
    assert client.get(f"{MAP}/objekte.json?ort={lon},{lat}&ebenen=0").json()["objects"] == []
    clicked = client.get(f"{MAP}?ansicht=plan&ort={lon:.6f},{lat:.6f}")
    listed = client.get(f"{MAP}/ebenen/{layer.id}")
    for page in (clicked, listed):
        assert found["url"] in html.fromstring(page.content).xpath("//main//a/@href")
        assert EVIL not in page.text
        assert EVIL in words(page)
    page = client.get(found["url"])
    assert (EVIL in page.text, EVIL in words(page)) == (False, True)
    ways = html.fromstring(page.content).xpath("//main//ul[contains(@class, 'm-ways')]//a/@href")
    sent = filled(client.get(ways[0]), "thing")
    assert json.loads(sent["thing"])["l"] == layer.id
    (action,) = {
        each.action for each in html.fromstring(client.get(ways[0]).content).forms if "thing" in each.fields
    }
    whole = action.rpartition("/")[0] + "/alles"
    answer = client.post(whole, data=sent | {"text": "Bitte erhalten.", "publish": "no", "do": "send"})
    assert "C (Beete)" in words(
        answer if answer.status_code == 200 else client.get(answer.headers["location"])
    )
    fresh(session)
    made = session.exec(select(Contribution)).one()
    session.commit()
    assert made.thing["name"] == "C"
    assert (made.thing["layer"], made.thing["id"], made.thing["kind"]) == (layer.series, "id-C", "Beete")
    assert made.geometry_kind == "area"
    assert made.geometry is not None
    assert shapely.from_wkb(made.geometry).area == pytest.approx(400)
    assert client.get(f"{MAP}/ebenen/{layer.id}/4711").status_code == 404
    assert things.read_choice('{"l": -1, "f": 0}') is None
    assert things.read_choice('{"v": Infinity, "b": "x"}') is None
    assert things.find(house, session, town.procedure, things.Choice(layer=4711, feature=0)) is None


# --- replacing -------------------------------------------------------------------------------------


def test_contributions_stay_with_their_objects_when_a_layer_is_replaced_or_wait_for_a_decision(
    paula: TestClient, house: House, session: Session, town: Town, tmp_path: Path
) -> None:
    first = packed(beds(["A", "B", "C", "D"]), tmp_path)
    take_in(paula, house, TOWN_LAYERS, first)
    old = the_layer(session, town)
    by_id, by_shape, gone, astray = (about(session, town, house, old, name) for name in "ABCD")
    chosen_before = things.Choice(layer=old.id, feature=by_id.thing["feature"])
    # A keeps its id and moves by 5 m; B keeps its shape and has no id any more; C is not there; somebody else, far away,
    # bears the id of D.
    newer = beds(["A neu", "B neu"], ids=["id-A", ""])
    newer.loc[0, "geometry"] = shapely.box(X + 5, Y, X + 25, Y + 20)
    far = beds(["Fremd"], shift=900, ids=["id-D"])
    newer = geopandas.GeoDataFrame(
        {name: [*newer[name], *far[name]] for name in ("uuid", "name", "art", "geometry")}, crs=25832
    )
    book = "/verwaltung/eingangsbuch"
    there = f"{MAP}/ebenen/{old.id}/{by_id.thing['feature']}"
    assert there in html.fromstring(paula.get(f"{book}/{by_id.id}").content).xpath("//main//a/@href")
    on_object = paula.get(there)
    assert by_id.reference in "".join(html.fromstring(on_object.content).xpath("//main//a/@href"))
    assert by_shape.reference not in on_object.text, "another object's"
    by_id.place_hidden = True
    session.add(by_id)
    session.commit()
    assert by_id.reference not in paula.get(there).text, (
        "what lies there would tell the place that was hidden"
    )
    by_id.place_hidden = False
    session.commit()
    url = f"/verwaltung/ebenen/{old.id}/ersetzen"
    assert "4 Beiträge beziehen sich" in words(paula.get(url))
    take_in(paula, house, url, packed(newer, tmp_path))
    fresh(session)
    layer = the_layer(session, town)
    assert (layer.series, layer.position, old.replaced_at is not None) == (old.id, old.position, True)
    links = {link.contribution_id: link for link in session.exec(select(LayerLink)).all()}
    assert {made.thing["name"]: (links[made.id or 0].state, links[made.id or 0].known_by) for made in (by_id, by_shape, gone, astray)} == {
        "A": ("held", "id"), "B": ("held", "shape"), "C": ("loose", ""), "D": ("loose", ""),
    }  # fmt: skip
    assert links[by_id.id or 0].name == "A neu"
    assert by_id.thing["name"] == "A", "what was handed in is never changed"
    again = things.find(house, session, town.procedure, chosen_before)
    assert again is not None
    assert again.thing is not None
    assert (again.thing.name, again.thing.delivery) == ("A neu", layer.id), "chosen before, sent after"
    session.commit()

    moved = f"{MAP}/ebenen/{layer.id}/{links[by_id.id or 0].feature}"
    assert moved in html.fromstring(paula.get(f"{book}/{by_id.id}").content).xpath("//main//a/@href")
    assert by_id.reference in "".join(html.fromstring(paula.get(moved).content).xpath("//main//a/@href"))
    assert "nicht wiedergefunden" in words(paula.get(f"{book}/{gone.id}"))
    assert "2 Beiträge warten" in words(paula.get(TOWN_LAYERS))
    page = paula.get(f"/verwaltung/ebenen/{layer.id}/zuordnen")
    assert (gone.reference in words(page), astray.reference in words(page)) == (True, True)
    numbers = html.fromstring(page.content).xpath(
        f"//form[.//input[@value='{gone.id}']]//input[@type='radio']/@value"
    )
    assert numbers[-1] == "gone"
    decide = {"contribution": gone.id, "object": numbers[0]}
    assert paula.post(page.url.path, data=decide | {"object": "4711"}).status_code == 422
    assert paula.post(page.url.path, data=decide).status_code == 303
    assert paula.post(page.url.path, data=decide).status_code == 422, "decided already"
    assert paula.post(page.url.path, data={"contribution": astray.id, "object": "gone"}).status_code == 303
    fresh(session)
    states = {
        link.contribution_id: (link.state, link.known_by) for link in session.exec(select(LayerLink)).all()
    }
    assert (states[gone.id or 0], states[astray.id or 0][0]) == (("held", "person"), "gone")
    assert attached.loose_counts(session, (layer.series or 0,)) == {}
    session.commit()
    assert "nicht mehr auf der Karte" in words(paula.get(f"{book}/{astray.id}"))
    verbs = {entry.verb for entry in journal.about(session, f"contribution:{gone.id}")}
    assert "layer_link_decided" in verbs
    layer_id, old_id = layer.id, old.id
    session.commit()
    history = paula.get(f"/verwaltung/ebenen/{layer_id}")
    assert "4 Objekte" in words(history)
    assert paula.get(f"/verwaltung/ebenen/{old_id}/datei").content == first
    refused = take_in(paula, house, f"/verwaltung/ebenen/{layer_id}/ersetzen", b"\x00" * 50)
    assert "keine Kartendatei" in words(paula.get(refused))
    assert the_layer(session, town).id == layer_id, "a broken file leaves the layer standing"


def test_about_a_parts_layer_everybody_decides_for_their_own_consultation_and_is_told_who_does_for_the_others(
    paula: TestClient, house: House, session: Session, town: Town, tmp_path: Path, new_client: NewClient
) -> None:
    area, other = (
        procedures.create(
            session, cast.consultation(key=key, title=title), municipality_id=town.id,
            template_key="development_plan", by=town.planner, now=NOW,
        )
        for key, title in (("A-1", "Bachquartier"), ("A-2", "Ganz woanders"))
    )  # fmt: skip
    publishing.publish(session, area, by=town.planner, now=NOW)
    cast.adopt(session, area)
    part = session.merge(town.procedure)
    below = replace(procedures.as_it_stands(part), part_of_id=area.id)
    procedures.change(session, part, below, by=town.planner, now=NOW, note="Gehört dazu")
    session.commit()
    layers = f"/verwaltung/planung/{part.id}/ebenen"
    take_in(paula, house, layers, packed(beds(["A", "B", "C"]), tmp_path), note="Beete")
    (old,) = places.layers_of(fresh(session), town.id, part.id)
    session.commit()
    to_part = [about(session, town, house, old, "A")]
    town.procedure = area
    to_area = [about(session, town, house, old, name) for name in "BC"]
    of_part, *of_area = ((each.id or 0, each.reference) for each in (*to_part, *to_area))
    session.commit()
    take_in(
        paula,
        house,
        f"/verwaltung/ebenen/{old.id}/ersetzen",
        packed(beds(["Neu"], shift=900), tmp_path),
        note="Neu",
    )

    fresh(session)
    staff = {
        name: cast.employ(session, town.municipality, Role.PLANNER, name, procedure_id=plans.id).person_id
        or 0
        for name, plans in (("Anna", area), ("Peter", part), ("Olga", other))
    }
    (layer,) = places.layers_of(session, town.id, part.id)
    session.commit()
    itself = f"/verwaltung/ebenen/{layer.id}"
    here = f"{itself}/zuordnen"
    session.commit()

    def planner(name: str) -> TestClient:
        client = new_client()
        with unit_of_work(house.engine, write=True) as work:
            client.cookies.set(COOKIE, identity.sign_in(work, staff[name], now=NOW))
        return client

    # Who plans the area alone decides about what was said there, from the register on; the layer itself is not theirs.
    anna = planner("Anna")
    entry = anna.get(f"/verwaltung/eingangsbuch/{of_area[0][0]}")
    assert here in html.fromstring(entry.content).xpath("//main//a/@href")
    page = anna.get(here)
    assert [reference in words(page) for _, reference in (*of_area, of_part)] == [True, True, False]
    assert (
        "1 Beitrag wartet noch. Darüber entscheidet, wer diese Beteiligung plant: Wohnen am Mühlbach"
        in words(page)
    )
    assert not html.fromstring(page.content).xpath(f"//a[@href='{itself}']")
    assert anna.get(itself).status_code == 403
    assert anna.post(here, data={"contribution": of_part[0], "object": "gone"}).status_code == 403
    for each, _ in of_area:
        assert anna.post(here, data={"contribution": each, "object": "gone"}).status_code == 303
    done = anna.get(here)
    assert done.status_code == 200, "also once nothing of theirs waits any more"
    assert "Nichts zu entscheiden" not in words(done)
    # Who plans the part alone: the same the other way round; whoever plans neither is not let in.
    peter = planner("Peter")
    page = peter.get(here)
    assert of_part[1] in words(page)
    assert "Darüber entscheidet" not in words(page)
    assert html.fromstring(page.content).xpath(f"//a[@href='{itself}']")
    assert planner("Olga").get(here).status_code == 403
    assert "andere entscheiden" not in words(paula.get(here)), "who plans all of them decides about all"


# --- services --------------------------------------------------------------------------------------

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001e221bc33"
    "0000000049454e44ae426082"
)


@pytest.fixture
def service() -> Iterator[tuple[str, list[str]]]:
    """A map service on this machine: its host, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if "redirect" in self.path:
                self.send_response(302)
                self.send_header("Location", "/other")
                self.end_headers()
                return
            body = b"<svg onload='alert(1)'/>" if "svg" in self.path else PIXEL
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_a_service_is_asked_by_this_server_only_and_only_where_that_is_allowed(
    settings: Settings, clock: Clock, service: tuple[str, list[str]]
) -> None:
    host, asked = service
    app = create_app(settings.model_copy(update={"map_hosts": [host]}), clock=clock)
    house: House = app.state.house
    with unit_of_work(house.engine, write=True) as session:
        town = cast.found(session)
        cookie = identity.sign_in(session, town.planner.person_id or 0, now=NOW)
    with TestClient(app, base_url="http://auenfurt.localhost", follow_redirects=False) as client:
        client.cookies.set(COOKIE, cookie)
        url = f"{TOWN_LAYERS}/dienst"
        form = filled(client.get(url), "url") | {
            "title": "Luftbild", "attribution": "© Land", "kind": "wms", "layers": "dop", "is_visible": "y",
        }  # fmt: skip
        assert wrong(client.post(url, data=form | {"url": "https://elsewhere.example/wms"})) == ["url"]
        assert wrong(client.post(url, data=form | {"url": "javascript:alert(1)"})) == ["url"]
        assert wrong(client.post(url, data=form | {"url": f"http://{host}/wms", "attribution": ""})) == [
            "attribution"
        ]
        assert client.post(url, data=form | {"url": f"http://{host}/wms"}).status_code == 303
        page = client.get(f"{MAP}?ansicht=plan")
        assert host not in page.text + page.headers["content-security-policy"]
        assert "© Land" in page.text
        [picture] = html.fromstring(page.content).xpath("//*[local-name()='image']/@href")[:1]
        assert re.fullmatch(r"/kacheln/dienst/\d+/\d+/\d+/\d+", picture)
        assert asked == [], "pages ask nobody"
        assert client.get(picture).content == PIXEL
        assert client.get(picture).headers["content-type"] == "image/png"
        assert len(asked) == 1, "the second time it is kept"
        assert client.get(picture).headers["cache-control"].startswith("public")
        assert "CRS=EPSG%3A3857" in asked[0]
        # It moved: the same layer, another address; where this server may not fetch is refused here too.
        (row,) = places_of(house, town)
        change = f"{TOWN_LAYERS}/{row.id}/dienst"
        assert change in client.get(f"{TOWN_LAYERS}/{row.id}").text
        known = filled(client.get(change), "url")
        assert (known["url"], known["layers"]) == (f"http://{host}/wms", "dop")
        assert wrong(client.post(change, data=known | {"url": "https://elsewhere.example/wms"})) == ["url"]
        assert client.post(change, data=known | {"url": f"http://{host}/neu"}).status_code == 303
        assert client.get(picture).content == PIXEL
        assert asked[-1].startswith("/neu?")
        assert [(each.id, each.title) for each in places_of(house, town)] == [(row.id, "Luftbild")]
        # For everybody it comes from memory, until the layer changes or the time of the settings is over.
        client.cookies.clear()
        before = len(asked)
        plain = [client.get(picture, headers={"Accept-Encoding": "gzip"}) for _ in range(2)]
        assert {(each.content, each.headers["content-type"]) for each in plain} == {(PIXEL, "image/png")}
        assert [each.headers["cache-control"] for each in plain] == ["public, max-age=86400"] * 2
        same = client.get(picture, headers={"If-None-Match": plain[1].headers["etag"]})
        assert (same.status_code, len(asked)) == (304, before)
        shutil.rmtree(house.settings.data_dir / "cache" / "services")
        assert (client.get(picture).content, len(asked)) == (PIXEL, before)
        clock.advance(hours=25)  # of 168: another day, asked for again
        assert (client.get(picture).content, len(asked)) == (PIXEL, before + 1)
        far = re.sub(r"/\d+/\d+/\d+$", "/17/10/10", picture)
        assert client.get(far).status_code == 404, "nobody fetches the whole world through us"
        with unit_of_work(house.engine, write=True) as session:
            found = places.layer_by_id(session, row.municipality_id, row.id or 0)
            assert found is not None
            places.remove_layer(session, found, by=town.planner, now=NOW)
        assert client.get(picture).status_code == 404
        for path in ("svg", "redirect"):
            wicked = Service("xyz", f"http://{host}/{path}/{{z}}/{{x}}/{{y}}")
            assert map_services.picture(house, wicked, 1, 1, 0) is None
        assert "/other" not in asked
    house.engine.dispose()


def test_addresses_of_services_and_room_for_their_pictures(tmp_path: Path) -> None:
    wmts = Service("wmts", "https://a.example/wmts?map=1", "karte", matrix_set="GLOBAL")
    asked = map_services.address(wmts, 3, 4, 2)
    assert asked.startswith("https://a.example/wmts?map=1&SERVICE=WMTS&REQUEST=GetTile")
    assert "TILEMATRIX=3&TILEROW=2&TILECOL=4" in asked
    rest = Service("wmts", "https://a.example/{Layer}/{Style}/{TileMatrixSet}/{TileMatrix}/{TileRow}/{TileCol}.png", "k", matrix_set="G")  # fmt: skip
    assert map_services.address(rest, 3, 4, 2) == "https://a.example/k/default/G/3/2/4.png"
    old = map_services.address(Service("wms", "https://a.example/wms", "k", version="1.1.1"), 1, 1, 0)
    assert ("SRS=EPSG%3A3857" in old, "BBOX=0.0000%2C0.0000%2C20037508" in old) == (True, True)
    for number in range(4):
        path = tmp_path / "aa" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 100)
        import os

        os.utime(path, (number, number))
    map_services.make_room(tmp_path, 300)
    assert sorted(each.name for each in (tmp_path / "aa").iterdir()) == ["2", "3"]
