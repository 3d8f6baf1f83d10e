"""The map in a real browser: by mouse, by keyboard alone, on a small screen, in the dark, and without JavaScript."""

import io
import json
import random
import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import shapely
import shapely.affinity
from PIL import Image
from playwright.sync_api import Page, expect
from sqlmodel import Session, select

from consultations import moderation, places, procedures, publishing
from consultations.contributions import Contribution, Kind
from consultations.moderation import Action, Decision
from consultations.permissions import SYSTEM
from consultations.phases import Opens, PhaseInput, PhaseKind
from consultations.places import Layer, PlaceInput, PlaceKind
from consultations.procedures import Procedure, ProcedureInput
from geo.geometry import from_lonlat, from_metres, metres_of
from tests import cast
from tests.browser.steps import go, until
from tests.cast import ENDS, NOW, STARTS, Town
from tests.conftest import Axe, NewPage
from tests.live import LiveServer

pytestmark = pytest.mark.browser

LON, LAT = 10.7, 48.3
MAP = "/beteiligungen/radfahren/karte"
HOSTILE = "<img src=x onerror=\"document.title='ran'\">"


def published(
    session: Session, town: Town, facts: ProcedureInput, edges: tuple[float, float, float, float]
) -> Procedure:
    """A public dialogue with a plan area: a rectangle, its edges in metres from the middle."""
    made = procedures.create(
        session,
        facts,
        municipality_id=town.id,
        template_key="informal_dialogue",
        by=town.planner,
        now=NOW,
    )
    publishing.publish(session, made, by=town.planner, now=NOW)
    area = from_metres(shapely.affinity.translate(shapely.box(*edges), *metres_of(LON, LAT)))
    procedures.set_plan_area(session, made, area, by=town.planner, now=NOW, note="Plangebiet")
    return made


def dialogue(session: Session, town: Town) -> Procedure:
    """A consultation that takes proposals and comments on the map."""
    phase = PhaseInput(
        PhaseKind.CO_CREATION, starts_on=STARTS, ends_on=ENDS, opens=(Opens.PROPOSAL, Opens.COMMENT)
    )
    facts = cast.consultation(key="DI-1", title="Radfahren", slug="radfahren", phases=(phase,))
    made = published(session, town, facts, (-400, -300, 400, 300))
    cast.adopt(session, made)
    return made


def say(
    session: Session, town: Town, procedure: Procedure, lon: float, lat: float, **facts: Any
) -> Contribution:
    given: dict[str, Any] = {
        "kind": Kind.PROPOSAL,
        "wants_publication": True,
        "located": from_lonlat(lon, lat),
        **facts,
    }
    made = town.hand_in(session, procedure=procedure, **given)
    moderation.decide(session, made, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    return made


@pytest.fixture
def hearing(live_server: LiveServer) -> Procedure:
    """A dialogue with three single contributions, a heap of twelve, and a street to choose."""
    chance = random.Random(2)
    with Session(live_server.engine.execution_options(writes=True), expire_on_commit=False) as session:
        town = cast.found(session)
        made = dialogue(session, town)
        say(session, town, made, LON - 0.004, LAT + 0.002, title="Radweg fehlt", text="Hier ist es eng.")
        say(session, town, made, LON + 0.004, LAT + 0.002, title=HOSTILE, text=HOSTILE)
        say(session, town, made, LON - 0.004, LAT - 0.002, title="Mehr Bäume", text="Es ist heiß.")
        for number in range(12):
            lon, lat = LON + chance.uniform(0, 0.0003), LAT + chance.uniform(0, 0.0002)
            say(session, town, made, lon, lat, title=f"Kreuzung {number}", text="Gefährlich.")
        x, y = metres_of(LON, LAT)
        street = PlaceInput(
            PlaceKind.STREET,
            "Färbergasse",
            from_metres(shapely.LineString([(x - 200, y + 50), (x + 200, y + 50)])),
        )
        layer = Layer(municipality_id=town.id, role="streets", title="Straßen", imported_at=NOW)
        places.add_layer(session, layer, [street], by=town.planner, now=NOW)
        session.commit()
    return made


def open_map(page: Page, address: str = MAP) -> None:
    page.goto(address)
    expect(page.locator(".d-map__canvas[data-ready]")).to_be_attached()
    expect(page.locator("[data-map-status]")).to_contain_text("im Ausschnitt")


def click_at(page: Page, right: float, down: float) -> None:
    """Click on the map at parts of its width and height; not so soon that two clicks become a double click."""
    canvas = page.locator(".d-map__canvas")
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": box["width"] * right, "y": box["height"] * down})
    page.wait_for_timeout(300)


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_contributions_are_buttons_with_names_and_open_as_text(
    hearing: Procedure, page: Page, axe: Axe
) -> None:
    open_map(page)
    expect(page.locator("[data-map-status]")).to_have_text("15 Beiträge im Ausschnitt")
    axe(page)
    page.get_by_role("button", name="Vorschlag: Radweg fehlt").click()
    popup = page.get_by_role("dialog", name="Vorschlag: Radweg fehlt")
    expect(popup).to_contain_text("Hier ist es eng.")
    axe(page)
    popup.get_by_role("button", name="Schließen").click()
    expect(popup).to_have_count(0)
    page.get_by_role("button", name="Vorschlag: <img").click()
    expect(page.get_by_role("dialog")).to_contain_text("onerror")
    assert page.locator(".m-popup img").count() == 0
    assert "ran" not in page.title()
    page.get_by_role("dialog").get_by_role("link", name="Ganzen Beitrag lesen").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("onerror")


def test_a_cluster_leads_closer_by_keyboard_and_back_by_escape(hearing: Procedure, page: Page) -> None:
    open_map(page)
    cluster = page.get_by_role("button", name="12 Beiträge, näher zeigen")
    cluster.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".d-map__canvas")).to_be_focused()
    expect(page.get_by_role("button", name="12 Beiträge, näher zeigen")).to_have_count(0)
    page.keyboard.press("+")
    page.keyboard.press("+")
    single = page.locator("button.m-pin").first
    expect(single).to_be_visible()
    single.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("link", name="Ganzen Beitrag lesen")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(single).to_be_focused()


def test_tab_goes_through_the_map_and_out_again(hearing: Procedure, page: Page) -> None:
    """No trap: from the link before the map to the link after it, and the way past it in one step."""
    open_map(page)
    page.get_by_role("link", name="Karte überspringen").focus()
    names = []
    for _ in range(20):
        page.keyboard.press("Tab")
        names.append(
            page.evaluate("document.activeElement.textContent.trim() || document.activeElement.title")
        )
        # Where one is can be seen, on the map as a whole too.
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", names[-1]
        if names[-1] == "Strecke zeichnen":
            break
    assert names[-1] == "Strecke zeichnen"
    assert "Vorschlag: Radweg fehlt" in names
    assert page.locator(".d-map__canvas").evaluate("map => (map.scrollTop = 50, map.scrollTop)") == 0
    page.get_by_role("link", name="Karte überspringen").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#map-after")).to_be_focused()


def test_a_click_chooses_a_place_and_leads_to_the_form(hearing: Procedure, page: Page) -> None:
    open_map(page)
    click_at(page, 0.5, 0.15)
    popup = page.get_by_role("dialog", name="Gewählter Ort")
    expect(popup.get_by_role("link")).to_have_count(2)
    expect(page.locator("[data-map-status]")).to_contain_text("Ort gewählt")
    expect(page.locator("#chosen")).to_be_visible()
    popup.get_by_role("link", name="Zu diesem Ort etwas sagen").click()
    page.wait_for_url("**/stellungnahme?**")
    asked = query(page.url)
    assert asked["kind"] == "comment"
    assert float(asked["lon"]) == pytest.approx(LON, abs=0.001)
    assert LAT < float(asked["lat"]) < LAT + 0.01
    expect(page.locator("input[name=lon]")).to_have_value(asked["lon"])


def test_by_keyboard_alone_from_the_map_to_the_form(hearing: Procedure, page: Page) -> None:
    open_map(page)
    page.locator(".d-map__canvas").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    popup = page.get_by_role("dialog", name="Gewählter Ort")
    link = popup.get_by_role("link").first
    expect(link).to_be_focused()
    for told in (popup, page.locator("#chosen")):
        expect(told).to_contain_text("Färbergasse")
    page.keyboard.press("Enter")
    page.wait_for_url("**/stellungnahme?**")
    expect(page.locator("input[name=lat]")).to_have_value(query(page.url)["lat"])


def test_an_area_is_drawn_by_keyboard(hearing: Procedure, page: Page, axe: Axe) -> None:
    open_map(page)
    page.get_by_role("button", name="Fläche zeichnen").press("Enter")
    add = page.get_by_role("button", name="Punkt in die Kartenmitte setzen")
    expect(add).to_be_focused()
    axe(page)
    add.press("Enter")
    page.get_by_role("button", name="Fertig").press("Enter")
    expect(page.locator("[data-map-status]")).to_contain_text("drei")
    canvas = page.locator(".d-map__canvas")
    for key, number in (("ArrowRight", 2), ("ArrowDown", 3)):
        canvas.focus()
        page.keyboard.press(key)
        page.wait_for_timeout(400)  # the map glides
        page.keyboard.press("Enter")
        expect(page.locator("[data-map-status]")).to_contain_text(f"Punkt {number} gesetzt")
    page.get_by_role("button", name="Fertig").press("Enter")
    link = page.get_by_role("dialog").get_by_role("link", name="Für diesen Ort etwas vorschlagen")
    expect(link).to_be_focused()
    link.press("Enter")
    page.wait_for_url("**/stellungnahme?**")
    geometry = json.loads(query(page.url)["geometry"])
    assert geometry["type"] == "Polygon"
    assert len(geometry["coordinates"][0]) == 4
    expect(page.locator("input[name=geometry]")).to_have_value(json.dumps(geometry, separators=(",", ":")))


def test_a_line_is_drawn_by_clicks_and_taken_back(hearing: Procedure, page: Page) -> None:
    open_map(page)
    page.get_by_role("button", name="Strecke zeichnen").click()
    for right, down in ((0.3, 0.2), (0.6, 0.25), (0.6, 0.8)):
        click_at(page, right, down)
    status = page.locator("[data-map-status]")
    expect(status).to_have_text("Punkt 3 gesetzt")
    page.get_by_role("button", name="Letzten Punkt entfernen").click()
    expect(status).to_have_text("Letzter Punkt entfernt")
    page.get_by_role("button", name="Fertig").click()
    page.get_by_role("dialog").get_by_role("link", name="Zu diesem Ort etwas sagen").click()
    page.wait_for_url("**/stellungnahme?**")
    geometry = json.loads(query(page.url)["geometry"])
    assert geometry["type"] == "LineString"
    assert len(geometry["coordinates"]) == 2


def part_of(session: Session, town: Town, area: Procedure) -> Procedure:
    """A part of the dialogue: the half of its plan area that lies to the east."""
    phase = PhaseInput(PhaseKind.CO_CREATION, starts_on=STARTS, ends_on=ENDS, opens=(Opens.COMMENT,))
    facts = cast.consultation(key="DI-2", title="Radweg am Bach", phases=(phase,), part_of_id=area.id)
    return published(session, town, facts, (20, -300, 400, 300))


def test_what_is_said_about_a_place_on_the_map_of_an_area_lands_at_the_part_that_it_lies_in(
    live_server: LiveServer, new_page: NewPage, axe: Axe
) -> None:
    with Session(live_server.engine.execution_options(writes=True), expire_on_commit=False) as session:
        town = cast.found(session)
        part = part_of(session, town, dialogue(session, town))
        session.commit()
    page = new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")
    middle = f"{MAP}?mitte={LON},{LAT}&zoom=17"
    open_map(page, middle)
    click_at(page, 0.8, 0.3)
    popup, status = page.get_by_role("dialog", name="Gewählter Ort"), page.locator("[data-map-status]")
    expect(popup).to_contain_text("Das gehört zu Radweg am Bach. Was Sie sagen, kommt dort an.")
    expect(status).to_contain_text("Das gehört zu Radweg am Bach.")
    expect(popup.get_by_role("link", name="Zu diesem Ort etwas sagen (zum Ganzen)")).to_be_visible()
    # The map glides until all of it is in sight.
    boxes = "['.leaflet-popup', '.d-map__canvas'].map((each) => document.querySelector(each).getBoundingClientRect())"
    within = (
        "box.left >= map.left && box.right <= map.right && box.top >= map.top && box.bottom <= map.bottom"
    )
    until(page, f"(([box, map]) => {within})({boxes})")
    expect(page.locator("#chosen")).to_contain_text("Das gehört zu Radweg am Bach.")
    axe(page)
    # Where the server does not answer, it is said; nobody is asked what to do there.
    page.route("**/karte/gehoert.json*", lambda route: route.abort())
    open_map(page, middle)
    click_at(page, 0.8, 0.3)
    expect(status).to_have_text(
        "Wir können gerade nicht feststellen, bei wem ankommt, was Sie zu diesem Ort sagen. Bitte wählen Sie ihn noch einmal."
    )
    page.unroute("**/karte/gehoert.json*")
    # To the west of it lies no part; in it again by keyboard, from the middle of the map.
    open_map(page, middle)
    click_at(page, 0.2, 0.3)
    expect(popup.get_by_role("link")).to_have_count(2)
    open_map(page, middle)
    canvas = page.locator(".d-map__canvas")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(400)  # the map glides
    canvas.press("Enter")
    link = popup.get_by_role("link", name="Zu diesem Ort etwas sagen", exact=True)
    expect(link).to_be_visible()
    go(link)
    page.locator("[name=title]").fill("Zu schmal")
    page.locator("[name=text]").fill("Bitte breiter.")
    while page.get_by_role("button", name="Weiter", exact=True).count():
        public = page.locator("[name=publish][value=yes]")
        if public.count():
            public.check()
        go(page.get_by_role("button", name="Weiter", exact=True))
    go(page.get_by_role("button", name="Absenden", exact=True))
    expect(page.get_by_role("heading", level=1)).to_contain_text("erhalten")
    with Session(live_server.engine) as session:
        said = session.exec(select(Contribution)).one()
    assert said.procedure_id == part.id
    assert said.lon == pytest.approx(LON + 0.0009, abs=0.0002)
    assert said.lat == pytest.approx(LAT, abs=0.0001)


def test_a_drawing_that_crosses_itself_is_not_finished(hearing: Procedure, page: Page) -> None:
    open_map(page)
    page.get_by_role("button", name="Fläche zeichnen").click()
    for right, down in ((0.3, 0.2), (0.7, 0.7), (0.7, 0.2), (0.3, 0.7)):
        click_at(page, right, down)
    expect(page.locator("[data-map-status]")).to_contain_text("kreuzt sich")
    page.get_by_role("button", name="Fertig").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Abbrechen").click()
    expect(page.get_by_role("button", name="Fläche zeichnen")).to_be_focused()


def test_the_list_leads_to_the_map_and_back(hearing: Procedure, page: Page, axe: Axe) -> None:
    page.goto("/beteiligungen/radfahren/beitraege?q=Bäume")
    axe(page)
    page.get_by_role("link", name=re.compile("Auf der Karte zeigen.*Mehr Bäume")).click()
    expect(page.get_by_role("dialog", name="Mehr Bäume")).to_contain_text("Es ist heiß.")
    page.get_by_role("link", name="Dasselbe als Liste").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Beiträge: Radfahren")


def test_a_street_is_chosen_by_its_name(hearing: Procedure, page: Page) -> None:
    open_map(page)
    page.get_by_label("Straße, Stadtteil oder Flurstück").fill("färber")
    page.get_by_role("button", name="Ort finden").click()
    page.get_by_role("link", name="Färbergasse").click()
    panel = page.locator("#chosen")
    expect(panel).to_contain_text("Färbergasse")
    expect(page.locator(".m-chosen-pin")).to_be_visible()
    panel.get_by_role("link", name="Zu diesem Ort etwas sagen").click()
    page.wait_for_url("**/stellungnahme?**")
    assert "place_id" in query(page.url)
    expect(page.locator("main")).to_contain_text("Färbergasse")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_small_screen_nothing_scrolls_sideways(
    hearing: Procedure, new_page: NewPage, axe: Axe, scheme: str
) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    open_map(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    tile = page.locator(".leaflet-tile-loaded").first
    expect(tile).to_be_attached()
    assert f"/{scheme}/" in str(tile.get_attribute("src"))
    click_at(page, 0.4, 0.5)
    expect(page.get_by_role("dialog", name="Gewählter Ort")).to_be_visible()
    # The map glides until no button lies on what is said.
    edge = "document.querySelector('{}').getBoundingClientRect().{}"
    until(page, f"{edge.format('.leaflet-control-zoom', 'right')} <= {edge.format('.leaflet-popup', 'left')}")
    axe(page)
    page.goto("/beteiligungen/radfahren/beitraege")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    axe(page)


def test_the_dark_theme_asks_for_dark_tiles_only_and_paper_is_light(hearing: Procedure, page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Darstellung").click()
    page.get_by_label("Dunkel").check()
    page.get_by_role("button", name="Übernehmen").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_map(page)
    tiles = [url for url in asked if "/kacheln/" in url]
    assert tiles
    assert all("/dark/" in url for url in tiles)
    # On paper the map is all there and as wide as the page, light, with its pins; the tools stay on the screen.
    expect(page.locator(".leaflet-tile-loaded").first).to_be_visible()
    seen = page.locator(".d-map__view").screenshot()
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 673, "height": 900})
    box = page.locator(".d-map__view").bounding_box()
    assert box
    assert 600 < box["width"] <= 673
    assert page.locator(".m-tools:visible").count() == 0
    for pin in page.locator(".m-pin").all():
        at = pin.bounding_box()
        assert at
        assert box["x"] < at["x"] < box["x"] + box["width"]
        assert box["y"] - 20 < at["y"] < box["y"] + box["height"]
    screen, paper = (
        np.asarray(Image.open(io.BytesIO(each)).convert("L"), dtype=float)
        for each in (seen, page.locator(".d-map__view").screenshot())
    )
    assert screen.mean() < 90
    assert paper.mean() > 190
    assert paper.std() > 8
    page.goto(f"{MAP}?ansicht=plan")
    until(page, "matchMedia('print').matches")  # a new page hears of it a moment later
    drawn = page.locator("svg.d-plan").screenshot(animations="disabled")
    plan = np.asarray(Image.open(io.BytesIO(drawn)).convert("L"))
    assert plan.mean() > 190
    assert plan.std() > 8


def test_with_less_motion_the_map_moves_at_once(hearing: Procedure, new_page: NewPage) -> None:
    page = new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    open_map(page)
    page.locator(".d-map__canvas").focus()
    page.keyboard.press("+")
    assert page.evaluate("window.digilogMaps.map_canvas._animatingZoom") in (None, False)
    page.keyboard.press("ArrowLeft")
    assert not page.evaluate("document.querySelector('.leaflet-pan-anim') !== null")


def test_without_javascript_a_plan_with_links_takes_its_place(
    hearing: Procedure, new_page: NewPage, axe: Axe
) -> None:
    page = new_page(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page.goto(MAP)
    page.wait_for_url("**ansicht=plan**")
    expect(page.locator("svg.d-plan")).to_be_visible()
    axe(page)
    page.get_by_role("link", name="12 Beiträge, näher zeigen").click()
    expect(page.locator("svg.d-plan")).to_be_visible()
    page.goto(f"{MAP}?ansicht=plan")
    page.locator("svg.d-plan a").filter(has_text="Radweg fehlt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Radweg fehlt")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_small_screen_the_pins_of_the_plan_can_be_hit_and_what_was_asked_for_is_in_sight(
    hearing: Procedure, new_page: NewPage, axe: Axe, scheme: str
) -> None:
    page = new_page(java_script_enabled=False, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page.goto(f"{MAP}?ansicht=plan&ort={LON},{LAT}&mitte={LON},{LAT}&zoom=17")
    pins = [each.bounding_box() for each in page.locator(".d-plan__pin circle").all()]
    assert len(pins) > 3
    boxes = [each for each in pins if each is not None]
    assert min(min(each["width"], each["height"]) for each in boxes) >= 24
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            across = (one["x"] + one["width"] / 2) - (other["x"] + other["width"] / 2)
            down = (one["y"] + one["height"] / 2) - (other["y"] + other["height"] / 2)
            assert (across**2 + down**2) ** 0.5 >= (one["width"] + other["width"]) / 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    middle = page.locator(".d-plan__pin[href='#chosen'] circle").bounding_box()
    assert middle is not None
    assert abs(middle["x"] + middle["width"] / 2 - 180) < 40
    axe(page)
    # It moves freely, also back to where it began.
    frame = page.locator(".m-plan__frame")
    page.wait_for_timeout(400)
    frame.hover()
    page.mouse.wheel(-900, 0)
    until(page, "document.querySelector('.m-plan__frame').scrollLeft === 0")
    go(page.get_by_role("link", name="Einen Ort im Plan wählen"))
    page.wait_for_timeout(400)
    assert (
        abs(page.locator(".m-plan__scroll").evaluate("each => each.scrollLeft + each.clientWidth / 2") - 480)
        < 4
    )


def test_without_javascript_a_click_on_the_plan_chooses_a_place(
    hearing: Procedure, new_page: NewPage, axe: Axe
) -> None:
    page = new_page(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page.goto(f"{MAP}?ansicht=plan")
    go(page.get_by_role("link", name="Einen Ort im Plan wählen"))
    axe(page)
    picture = page.locator("input[type=image]")
    picture.click(position={"x": 480, "y": 300})
    expect(page.locator("#chosen")).to_contain_text("Färbergasse")
    page.get_by_role("link", name="Zu diesem Ort etwas sagen").click()
    page.wait_for_url("**/stellungnahme?**")
    asked = query(page.url)
    assert (float(asked["lon"]), float(asked["lat"])) == pytest.approx((LON, LAT), abs=0.0002)


def test_the_towns_map_leads_to_its_consultations(
    live_server: LiveServer, hearing: Procedure, page: Page, new_page: NewPage, axe: Axe
) -> None:
    """Two in the same place: neither lies under the other."""
    with Session(live_server.engine.execution_options(writes=True)) as session:
        other = procedures.by_slug(session, hearing.municipality_id, "wohnen-am-muehlbach")
        assert other is not None
        procedures.set_plan_area(
            session,
            other,
            from_metres(shapely.from_wkb(hearing.plan_area)),
            by=SYSTEM,
            now=NOW,
            note="Plangebiet",
        )
        session.commit()
    page.goto("/karte")
    pins = page.locator("a.m-cluster")
    expect(pins).to_have_count(2)
    axe(page)
    middles = pins.evaluate_all(
        "pins => pins.map((pin) => pin.getBoundingClientRect()).map((box) => [box.x + box.width / 2, box.y + box.height / 2])"
    )
    assert np.hypot(*np.subtract(*middles)) >= 30
    page.get_by_role("link", name=re.compile(r"^\d: Radfahren \(Läuft gerade\)$")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Radfahren")
    plain = new_page(java_script_enabled=False)
    plain.goto("/karte")
    plain.wait_for_url("**ansicht=plan**")
    axe(plain)
    plain.locator("svg.d-plan a[aria-label*='Radfahren']").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Radfahren")


def test_a_map_page_weighs_little(hearing: Procedure, page: Page) -> None:
    """At the first visit at most 80 kB of scripts and 250 kB in all, compressed, tiles included."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    kinds: dict[str, str] = {}
    sizes: dict[str, float] = {}
    session.on("Network.responseReceived", lambda told: kinds.update({told["requestId"]: told["type"]}))
    session.on(
        "Network.loadingFinished", lambda told: sizes.update({told["requestId"]: told["encodedDataLength"]})
    )
    open_map(page)
    page.wait_for_load_state("networkidle")
    scripts = sum(size for request, size in sizes.items() if kinds.get(request) == "Script")
    assert 40_000 < scripts <= 80_000
    assert sum(sizes.values()) <= 250_000


@pytest.fixture
def of_a_club() -> Iterator[Callable[[str], str]]:
    """Serves a page of somebody else, of another origin; gives its address."""
    pages: list[bytes] = []

    class Club(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages[-1] if self.path == "/" else b"")

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Club) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield lambda page: pages.append(page.encode()) or f"http://verein.localhost:{server.server_port}/"
        server.shutdown()


def test_another_site_shows_the_map_in_a_frame(
    new_page: NewPage, live_server: LiveServer, hearing: Procedure, axe: Axe, of_a_club: Callable[[str], str]
) -> None:
    address = f"{live_server.url}{MAP}/einbetten"
    page = new_page(viewport={"width": 360, "height": 800})
    hosts: set[str] = set()
    page.context.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    frame = f'<iframe src="{address}" title="Karte" width="300" height="600"></iframe>'
    body = f"<!DOCTYPE html><html lang=de><title>Verein</title><main><h1>Verein</h1>{frame}</main></html>"
    club = of_a_club(body)
    page.goto(club)
    inside = page.frame_locator("iframe")
    expect(inside.locator(".d-map__canvas[data-ready]")).to_be_attached()
    inside.get_by_role("button", name="Vorschlag: Radweg fehlt").click()
    with page.context.expect_page() as opened:
        inside.get_by_role("link", name="Ganzen Beitrag lesen").click()
    opened.value.wait_for_load_state()
    assert urlsplit(opened.value.url).path.startswith("/beteiligungen/radfahren/")
    assert hosts == {urlsplit(club).netloc, urlsplit(live_server.url).netloc}
    assert page.context.cookies() == []

    narrow = new_page(viewport={"width": 300, "height": 600})
    narrow.goto(address)
    expect(narrow.locator("[data-map-status]")).to_contain_text("im Ausschnitt")
    axe(narrow)
    assert narrow.evaluate("document.documentElement.scrollWidth <= innerWidth")
    plain = new_page(viewport={"width": 300, "height": 600}, java_script_enabled=False, color_scheme="dark")
    plain.goto(address)
    expect(plain.locator("#map")).to_be_hidden()
    axe(plain)
    with plain.context.expect_page() as pinned:
        plain.locator("svg a").first.click()
    assert "/beteiligungen/radfahren/" in pinned.value.url

    how = new_page(viewport={"width": 1000, "height": 900})
    how.goto("/beteiligungen/radfahren/einbetten")
    expect(how.frame_locator("iframe").locator(".d-map__canvas[data-ready]")).to_be_attached()
    axe(how)
    assert f'{MAP}/einbetten?sprache=de"' in how.get_by_label("Text zum Kopieren").input_value()
    how.get_by_role("button", name="Kopieren").click()
    expect(how.get_by_role("status").filter(has_text="Kopiert")).to_be_visible()
