"""A plan in three dimensions in a real browser: its shadows measured, by mouse and keyboard, and without WebGL."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from playwright.sync_api import Page, expect
from sqlmodel import Session, select

from consultations import moderation, places, procedures, publishing, variants
from consultations.contributions import Contribution
from consultations.files import FolderStore
from consultations.moderation import Action, Decision
from consultations.permissions import SYSTEM
from consultations.phases import Opens, PhaseInput, PhaseKind
from consultations.places import Layer
from consultations.variants import VariantInput, ViewInput, Viewpoint
from geo.city import Volume, city_of
from geo.geometry import from_metres, metres_of
from geo.readers.apart import read_here
from participation import cityscape, identity, layers_import
from participation.database import unit_of_work
from tests import cast, scapes
from tests.browser.steps import until
from tests.cast import NOW, Town
from tests.conftest import Axe, NewPage
from tests.live import Served

pytestmark = pytest.mark.browser

AT = (10.701, 48.3007)
#: Metres from the middle to the edge of the picture that is measured, and its pixels.
HALF, PIXELS = 60.0, 600

#: The scene straight from above: buildings unseen, but casting their shadows on white ground; "1" where it is dark.
FROM_ABOVE = """([half, pixels]) => {
    const { world, renderer, THREE } = document.querySelector("[data-city]").city;
    const white = new THREE.MeshLambertMaterial({ color: 0xffffff });
    world.fog = null;
    world.traverse((each) => {
        if (each.userData.tile) for (const material of each.material) material.colorWrite = material.depthWrite = false;
        else if (each.isMesh && each.receiveShadow) each.material = white;
        else if (each.isMesh || each.isSprite) each.visible = false;
    });
    const camera = new THREE.OrthographicCamera(-half, half, half, -half, 1, 2000);
    camera.position.set(0, 800, 0);
    camera.up.set(0, 0, -1);
    camera.lookAt(0, 0, 0);
    const target = new THREE.WebGLRenderTarget(pixels, pixels);
    renderer.setRenderTarget(target);
    renderer.render(world, camera);
    const seen = new Uint8Array(pixels * pixels * 4);
    renderer.readRenderTargetPixels(target, 0, 0, pixels, pixels, seen);
    const bright = Array.from({ length: pixels * pixels }, (_, n) => seen[4 * n + 1]);
    const middle = (bright.reduce((a, b) => Math.max(a, b)) + bright.reduce((a, b) => Math.min(a, b))) / 2;
    return bright.map((value) => (value < middle ? "1" : "0")).join("");
}"""

FETCHED = "(url) => fetch(url).then((answer) => answer.json())"


@pytest.fixture
def town(live_server: Served) -> Town:
    with unit_of_work(live_server.engine, write=True) as session:
        town = cast.found(session)
        x, y = metres_of(*AT)
        area = from_metres(shapely.box(x - 70, y - 70, x + 70, y + 70))
        procedures.set_plan_area(session, town.procedure, area, by=SYSTEM, now=NOW, note="Gebiet")
    return town


@pytest.fixture
def scape(live_server: Served, town: Town, tmp_path: Path, request: pytest.FixtureRequest) -> scapes.Scape:
    files = FolderStore(tmp_path / "live-data" / "files")
    with unit_of_work(live_server.engine, write=True) as session:
        return scapes.build(session, files, town.procedure, at=AT, rise=getattr(request, "param", 0.0))


def open_city(page: Page, slug: str) -> None:
    page.goto(f"/beteiligungen/{slug}/3d")
    expect(page.locator("[data-city]")).to_have_attribute("data-state", "ready", timeout=60_000)


def write(page: Page, text: str, *, by_keyboard: bool = False) -> None:
    """From the chosen place to the receipt: the words, the name left out, published without it."""
    way = page.locator("#chosen-heading ~ ul a").first
    if by_keyboard:
        way.focus()
        page.keyboard.press("Enter")
    else:
        way.click()
    words = page.get_by_label("Ihre Stellungnahme")
    words.focus()
    page.keyboard.type(text)
    for label in ("Ja, ohne meinen Namen veröffentlichen", None):
        go_on = page.get_by_role("button", name="Weiter", exact=True)
        go_on.focus()
        page.keyboard.press("Enter")
        if label:
            choice = page.get_by_label(label)
            choice.focus()
            page.keyboard.press("Space")
    send = page.get_by_role("button", name="Absenden", exact=True)
    send.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Wir haben Ihre Stellungnahme erhalten")


def handed_in(live_server: Served) -> Contribution:
    with Session(live_server.engine) as session:
        return session.exec(select(Contribution)).one()


@pytest.mark.parametrize("scape", [0.0, 0.15], indirect=True, ids=["flat", "slope"])
def test_the_shadow_in_the_picture_is_the_shadow_on_the_plan(
    new_page: NewPage, town: Town, scape: scapes.Scape
) -> None:
    page = new_page(viewport={"width": 900, "height": 800}, reduced_motion="reduce")
    open_city(page, town.procedure.slug)
    page.locator("[data-day]").select_option("maerz")
    page.locator("[data-time]").fill("900")
    dark = np.array(list(page.evaluate(FROM_ABOVE, [HALF, PIXELS]))) == "1"
    drawn = dark.reshape(PIXELS, PIXELS)  # rows from the south

    asked = f"/beteiligungen/{town.procedure.slug}/schatten.json?variante={scape.variants[0].id}&tag=2027-03-21&uhr=15:00"
    told = page.evaluate(FETCHED, asked)
    origin = page.evaluate(FETCHED, f"/beteiligungen/{town.procedure.slug}/3d/szene.json")["origin"]
    areas = [shapely.Polygon(rings[0], rings[1:]) for rings in told["after"]]
    # Both are compared where nothing stands: on the plan, houses cover the ground; here, it is lit from within them.
    x, y = scape.middle
    block = shapely.box(x - 12, y - 10, x + 12, y)
    standing = [*scape.city.without(["house-1-1"]).footprints, block]
    moved = shapely.transform(np.array(standing), lambda points: points - np.array(origin[:2]))
    shade, covered = shapely.union_all(areas), shapely.union_all(moved).buffer(0.1)
    side = (np.arange(PIXELS) + 0.5) * (2 * HALF / PIXELS) - HALF
    across, up = np.meshgrid(side, side)
    exact, is_open = (
        value.reshape(PIXELS, PIXELS)
        for value in (
            shapely.contains_xy(shade, across.ravel(), up.ravel()),
            ~shapely.contains_xy(covered, across.ravel(), up.ravel()),
        )
    )
    drawn, exact = drawn & is_open, exact & is_open
    assert 0.1 < exact.mean() < 0.6
    overlap = (drawn & exact).sum() / (drawn | exact).sum()
    assert overlap > 0.93, overlap


def within_an_area(session: Session, files: FolderStore, town: Town, scape: scapes.Scape) -> str:
    """Let the consultation be a part of an area that plans something too, beside it; the slug of the area."""
    ideas = PhaseInput(
        PhaseKind.CO_CREATION, starts_on=date(2027, 2, 10), ends_on=date(2027, 4, 1), opens=(Opens.PROPOSAL,)
    )
    entered = cast.consultation(key="G-0", title="Bachquartier", phases=(ideas,))
    area = procedures.create(
        session, entered, municipality_id=town.id, template_key="informal_dialogue", by=town.planner, now=NOW
    )
    x, y = scape.middle
    around = from_metres(shapely.box(x - 90, y - 90, x + 90, y + 90))
    procedures.set_plan_area(session, area, around, by=SYSTEM, now=NOW, note="Gebiet")
    street = ViewInput(
        Viewpoint.STREET, "Gehweg", (x, y - 60, 491.6), (x, y, 495), "Blick nach Norden ins Quartier."
    )
    variants.set_views(session, area, (street,), by=SYSTEM, now=NOW)
    gate = Volume("T0", shapely.box(x + 45, y - 6, x + 60, y + 6), 490, 500, name="Torhaus", storeys=3)
    new = VariantInput(
        "Torhaus", "Am Eingang.", "Entwurf", {}, cityscape.keep_model(files, city_of([gate])), 1
    )
    variants.add_variant(session, area, new, by=SYSTEM, now=NOW)
    publishing.publish(session, area, by=town.planner, now=NOW)
    session.get_one(Layer, scape.layer.id).procedure_id = None  # the model of the whole town
    part = session.merge(town.procedure)
    below = replace(procedures.as_it_stands(part), part_of_id=area.id)
    procedures.change(session, part, below, by=town.planner, now=NOW, note="Gehört dazu")
    return area.slug


def test_of_an_area_a_parts_building_is_switched_chosen_by_keyboard_and_commented_on(
    new_page: NewPage, live_server: Served, town: Town, scape: scapes.Scape, axe: Axe, tmp_path: Path
) -> None:
    with unit_of_work(live_server.engine, write=True) as session:
        slug = within_an_area(session, FolderStore(tmp_path / "live-data" / "files"), town, scape)
    page = new_page(viewport={"width": 360, "height": 740}, reduced_motion="reduce", color_scheme="dark")
    open_city(page, slug)
    axe(page)
    status, canvas = page.locator("[data-status]"), page.locator("[data-canvas]")
    part = page.get_by_role("group", name="Wohnen am Mühlbach")
    # Off, and nothing stands at the crosshair; on again, and it does. All the while the area's own stays.
    for variant, shown, there, words in (
        ("Wie es heute ist", "Zu sehen: Torhaus", status, "Im Fadenkreuz ist hier nichts."),
        ("Hoch", "Zu sehen: Torhaus, Hoch (Wohnen am Mühlbach)", page.locator("[data-picked-words]"), "Neubau: "),
    ):  # fmt: skip
        part.get_by_label(variant).focus()
        page.keyboard.press("Space")
        expect(status).to_have_text(shown)
        canvas.focus()
        page.keyboard.press("1")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        expect(page.locator("p[data-words]")).to_contain_text("Blick nach Norden ins Quartier.")
        page.keyboard.press("Enter")
        expect(there).to_contain_text(words)
    page.get_by_text("Was zu sehen ist").click()
    expect(page.locator("[data-sight]")).to_contain_text("Neubau (Hoch (Wohnen am Mühlbach))")
    page.locator("[data-picked-way] a").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#chosen-heading + p")).to_contain_text("an der Südseite des Hauses Neubau (geplant)")
    expect(page.locator("main")).to_contain_text("Das gehört zu Wohnen am Mühlbach.")
    axe(page)
    write(page, "Bitte ein Geschoss weniger.", by_keyboard=True)
    expect(page.locator("main")).to_contain_text("an der Südseite des Hauses Neubau (geplant)")
    made = handed_in(live_server)
    assert made.procedure_id == town.procedure.id, "what is said goes to the part"
    assert (made.thing["id"], made.thing["variant"]) == ("P0", scape.variants[0].id)
    assert 490 < made.elevation < 508
    page.goto(f"/beteiligungen/{town.procedure.slug}/schatten?variante={scape.variants[0].id}")
    before = page.locator("[data-sun-words]").inner_text()
    page.get_by_label("Durch den Tag schieben").press("ArrowLeft")
    expect(page.locator("[data-sun-words]")).not_to_have_text(before)
    axe(page)


def test_without_webgl_the_page_says_so_and_the_lists_do_the_same(
    new_page: NewPage, live_server: Served, town: Town, scape: scapes.Scape, axe: Axe
) -> None:
    page = new_page()
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(f"/beteiligungen/{town.procedure.slug}/3d")
    expect(page.locator("[data-status]")).to_contain_text("Alles steht auf dieser Seite auch in Worten")
    page.get_by_role("link", name="Zu einem Gebäude etwas sagen, ohne das Bild").click()
    page.get_by_label("Gebäude").select_option(label="Färbergasse 2")
    page.get_by_role("button", name="Auswählen").click()
    page.get_by_label("Stockwerk").select_option(label="1. Stock")
    page.get_by_role("button", name="Auswählen").click()
    expect(page.locator("#chosen-heading + p")).to_contain_text("am Haus Färbergasse 2, 1. Stock")
    axe(page)
    write(page, "Im ersten Stock wird es dunkel.")
    expect(page.locator("main")).to_contain_text("am Haus Färbergasse 2, 1. Stock")
    made = handed_in(live_server)
    assert (made.thing["name"], made.thing["storey"], made.thing.get("variant")) == ("Färbergasse 2", 1, None)


def test_a_building_is_chosen_with_the_mouse_and_the_movable_map_shows_its_shadow(
    new_page: NewPage, live_server: Served, town: Town, scape: scapes.Scape, axe: Axe
) -> None:
    page = new_page(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
    open_city(page, town.procedure.slug)
    # With less motion a view is there at once; without, it is glided to.
    go = "name => { document.querySelectorAll('[data-view]')[name].click(); return document.querySelector('[data-status]').textContent; }"
    assert page.evaluate(go, 1) == "Blick: Von oben"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(go, 0) == "Blick: Von oben"
    expect(page.locator("[data-status]")).to_have_text("Blick: Gehweg")
    expect(page.locator("p[data-words]")).to_contain_text("Blick nach Norden.")
    page.locator("[data-canvas]").click()
    expect(page.locator("[data-picked-words]")).to_contain_text("Neubau: ")
    page.locator("[data-picked-way] a").click()
    expect(page.locator("#chosen-heading + p")).to_contain_text("an der Südseite des Hauses Neubau (geplant)")
    write(page, "Die Fassade ist zu hoch.")
    # Once it is published its pin stands in the picture at its height, with its link; and it is in the list in words.
    with unit_of_work(live_server.engine, write=True) as session:
        made = session.exec(select(Contribution)).one()
        moderation.decide(session, made, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
        elevation = made.elevation
    open_city(page, town.procedure.slug)
    (pin,) = page.evaluate(
        "fetch(document.querySelector('[data-city]').dataset.scene).then((a) => a.json()).then((s) => s.pins)"
    )
    origin = page.evaluate(FETCHED, f"/beteiligungen/{town.procedure.slug}/3d/szene.json")["origin"]
    assert elevation is not None
    assert abs(pin["at"][2] + origin[2] - elevation) < 0.02
    page.get_by_text("Was zu sehen ist").click()
    expect(page.locator("[data-sight] a").first).to_have_attribute("href", pin["url"])
    page.goto(f"/beteiligungen/{town.procedure.slug}/beitraege")
    expect(page.locator("main")).to_contain_text("an der Südseite des Hauses Neubau (geplant)")
    page.goto(f"/beteiligungen/{town.procedure.slug}/schatten?variante={scape.variants[0].id}")
    switch = page.get_by_role("button", name="Auf einer beweglichen Karte")
    above, below = page.locator("[data-sun-picture]").bounding_box(), switch.bounding_box()
    assert above is not None
    assert below is not None
    assert below["y"] - (above["y"] + above["height"]) >= 8, "the button keeps clear of the picture"
    switch.click()
    live = page.locator("[data-sun-map]")
    expect(live).to_have_attribute("data-shown", re.compile("[34]"))
    expect(live.locator("path.c-cast--shade-new")).to_have_count(1)
    before = live.locator("path.c-cast--shade-new").get_attribute("d")
    axe(page)
    page.get_by_label("Durch den Tag schieben").press("ArrowLeft")
    expect(live.locator("path.c-cast--shade-new")).not_to_have_attribute("d", before or "")


def test_a_touch_table_proves_itself_and_begins_anew_when_nobody_touches_it(
    new_page: NewPage, live_server: Served, town: Town, axe: Axe
) -> None:
    page = new_page(viewport={"width": 1080, "height": 1920})
    start = f"/beteiligungen/{town.procedure.slug}/tisch"
    with unit_of_work(live_server.engine, write=True) as session:
        token = identity.sign_in(session, town.planner.person_id or 0, now=NOW)
    page.context.add_cookies([{"name": identity.COOKIE, "value": token, "url": live_server.url}])
    page.goto(f"/verwaltung/planung/{town.procedure.id}/tisch")
    axe(page)
    page.get_by_label("Wo steht der Tisch?").fill("Rathaus, Foyer")
    page.get_by_role("button", name="Dieses Gerät zum Tisch machen").click()
    page.wait_for_url(f"**{start}")
    # The key that this browser made is its own; what was copied to another one proves nothing there.
    expect(page.locator("html")).to_have_attribute("data-proved", "yes")
    thief = new_page()
    thief.context.add_cookies(
        [
            {"name": each["name"], "value": each["value"], "url": live_server.url}
            for each in page.context.cookies()
        ]
    )
    thief.goto(start)
    expect(thief.locator(".k-over")).to_contain_text("kein Touch-Tisch")
    thief.close()
    page.clock.install()
    page.goto(start)
    axe(page)
    page.goto(f"/beteiligungen/{town.procedure.slug}/stellungnahme?kind=statement")
    expect(page.locator("html")).to_have_attribute("data-kiosk", "yes")
    page.locator("textarea").first.fill("Das soll der Nächste nicht lesen.")
    page.clock.fast_forward(91_000)
    dialog = page.get_by_role("dialog", name="Sind Sie noch da?")
    expect(dialog).to_be_visible()
    page.get_by_role("button", name="Ja, weiter").click()
    expect(dialog).to_be_hidden()
    small = page.locator("main .kern-btn:visible").first.bounding_box()
    assert small
    assert small["height"] >= 56
    page.clock.fast_forward(91_000)
    expect(dialog).to_be_visible()
    page.clock.run_for(32_000)
    page.wait_for_url(f"**{start}")


def test_a_touch_table_is_used_by_keyboard_alone_up_to_the_receipt(
    new_page: NewPage, live_server: Served, town: Town, axe: Axe
) -> None:
    """From the first screen by tabulator, enter and space: to the form, through the question whether somebody is there, to
    the receipt, and back to the first screen, with the focus always to be seen."""
    page = new_page(viewport={"width": 1080, "height": 1920}, reduced_motion="reduce")
    start = f"/beteiligungen/{town.procedure.slug}/tisch"
    with unit_of_work(live_server.engine, write=True) as session:
        token = identity.sign_in(session, town.planner.person_id or 0, now=NOW)
    page.add_init_script("window.print = () => { window.printed = true }")
    page.context.add_cookies([{"name": identity.COOKIE, "value": token, "url": live_server.url}])
    page.goto(f"/verwaltung/planung/{town.procedure.id}/tisch")

    def walk(words: str) -> None:
        """By tabulator to what says this, which has to show that it is there."""
        for _ in range(80):
            page.keyboard.press("Tab")
            here = page.evaluate(
                "() => { const e = document.activeElement; return [e.innerText || e.ariaLabel || '', "
                "getComputedStyle(e).outlineStyle !== 'none' || getComputedStyle(e).boxShadow !== 'none']; }"
            )
            if words in here[0]:
                assert here[1], f"nothing shows that the focus is on {words}"
                return
        raise AssertionError(f"no way to {words} by tabulator")

    page.get_by_label("Wo steht der Tisch?").fill("Rathaus, Foyer")
    walk("Dieses Gerät zum Tisch machen")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{start}")
    expect(page.locator("html")).to_have_attribute("data-proved", "yes")
    page.clock.install()
    page.goto(start)
    way = page.locator("main a[href*='stellungnahme']").first
    walk(way.inner_text().strip().splitlines()[0])
    page.keyboard.press("Enter")
    words = page.get_by_label("Ihre Stellungnahme")
    expect(words).to_be_visible()
    words.focus()
    page.keyboard.type("Ohne Maus und ohne Finger.")
    # The question whether somebody is there takes the focus, and gives it back.
    page.clock.fast_forward(91_000)
    expect(page.get_by_role("dialog", name="Sind Sie noch da?")).to_be_visible()
    axe(page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Sind Sie noch da?")).to_be_hidden()
    expect(words).to_be_focused()
    for label in ("Ja, ohne meinen Namen veröffentlichen", None):
        walk("Weiter")
        page.keyboard.press("Enter")
        if label:
            choice = page.get_by_label(label)
            choice.focus()
            page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Absenden", exact=True)).to_be_visible()
    walk("Absenden")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Wir haben Ihre Stellungnahme erhalten")
    until(page, "window.printed")
    axe(page)
    assert handed_in(live_server).channel == "terminal"
    back = page.locator(".k-back a")
    walk(back.inner_text().strip())
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{start}")


HOSTILE = "<img src=x onerror=\"document.title='ran'\">"


def test_legend_object_and_slider_work_and_run_nobodys_script(
    new_page: NewPage, live_server: Served, town: Town, axe: Axe, tmp_path: Path
) -> None:
    """A layer whose attributes are scripts: switched in the legend, chosen as an object, told in words, as the name of a
    house in three dimensions too; and variants compared under a slider. At 360 pixels in the dark, where things break
    first."""
    x, y = metres_of(*AT)
    beds = geopandas.GeoDataFrame(
        {"uuid": ["id-1", "id-2"], "name": [HOSTILE, "Beet 2"], "art": [HOSTILE, "Rosen"]},
        geometry=[shapely.box(x - 20, y + 15, x, y + 35), shapely.box(x + 5, y + 15, x + 25, y + 35)],
        crs=25832,
    )
    beds.to_file(tmp_path / "beete.gpkg")
    files = FolderStore(tmp_path / "live-data" / "files")
    read = layers_import.read_layer(files, tmp_path / "beete.gpkg", "beete.gpkg", read=read_here)
    with unit_of_work(live_server.engine, write=True) as session:
        layer, named = layers_import.layer_of(
            read, municipality_id=town.id, procedure_id=town.procedure.id, title=HOSTILE, source="", licence="",
            attribution=HOSTILE, is_open=True, now=NOW,
        )  # fmt: skip
        number = places.add_layer(session, layer, named, by=SYSTEM, now=NOW).id
        scapes.build(session, files, town.procedure, at=AT, name=HOSTILE)
    page = new_page(viewport={"width": 360, "height": 740}, color_scheme="dark", reduced_motion="reduce")
    slug = town.procedure.slug
    page.goto(f"/beteiligungen/{slug}/karte")
    expect(page.locator(".d-map__canvas[data-ready]")).to_be_attached()
    switch = page.get_by_role("checkbox", name=HOSTILE)
    expect(page.get_by_role("button", name="Diese Ebenen zeigen")).to_be_hidden()  # for who has no script
    over = page.locator(f".leaflet-tile-pane img[src*='/auflage/{number}/']")
    expect(over.first).to_be_attached()
    axe(page)
    switch.focus()
    page.keyboard.press("Space")
    expect(over).to_have_count(0)
    page.keyboard.press("Space")
    expect(over.first).to_be_attached()
    page.goto(f"/beteiligungen/{slug}/karte/ebenen/{number}")
    axe(page)
    page.get_by_role("link", name=HOSTILE).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    axe(page)
    page.goto(f"/beteiligungen/{slug}/vergleich")
    page.get_by_role("button", name="Übereinander, mit Schieber").click()
    slider = page.get_by_label("Wo die Linie dazwischen steht")
    before = page.locator(".m-compare .m-plan__frame").nth(1).get_attribute("style")
    slider.focus()
    page.keyboard.press("ArrowRight")
    upper = page.locator(".m-compare .m-plan__frame").nth(1)
    expect(upper).not_to_have_attribute("style", before or "")
    axe(page)
    # The same line is dragged in the picture: where it is let go, the slider stands too, and no further than the edge.
    line = page.locator(".m-compare__line")
    line.scroll_into_view_if_needed()
    whole, handle = upper.bounding_box(), line.bounding_box()
    assert whole
    assert handle
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + 20)
    page.mouse.down()
    page.mouse.move(whole["x"] + whole["width"] * 0.25, whole["y"] + 30, steps=3)
    expect(slider).to_have_value("25")
    expect(upper).to_have_attribute("style", re.compile(r"inset\(0px 0px 0px 25%\)"))
    page.mouse.move(whole["x"] - 50, whole["y"] + 30)
    page.mouse.up()
    expect(slider).to_have_value("0")
    page.mouse.move(whole["x"] + 90, whole["y"] + 30)
    expect(slider).to_have_value("0")  # let go
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    open_city(page, town.procedure.slug)
    page.locator("[data-canvas]").focus()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("[data-picked-words]")).to_contain_text(f"{HOSTILE}: ")
    page.get_by_text("Was zu sehen ist").click()
    expect(page.locator("[data-sight]")).to_contain_text(f"{HOSTILE} (Hoch)")
    page.locator("[data-picked-way] a").click()
    expect(page.locator("#chosen-heading + p")).to_contain_text(HOSTILE)
    assert "ran" not in page.title()
    assert page.locator("img[src=x]").count() == 0
