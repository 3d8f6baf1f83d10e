"""The front door in a real browser: pictures load, nothing is in anybody's way, and what is near is found."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from consultations import filing, procedures, publishing
from consultations.documents import DocumentKind, FileFacts
from participation.database import unit_of_work
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Axe, NewPage
from tests.live import LiveServer
from tests.pages.test_home import PlaceKind, area, consult, put_places, street

pytestmark = pytest.mark.browser

HERE = "/beteiligungen/wohnen-am-muehlbach"
PAGES = [
    "/", "/suche?q=M%C3%BChlbach", "/suche?q=nirgends", "/beteiligungen", HERE, f"{HERE}/aenderungen", "/dokumente/1/1",
    "/ohne-internet", "/impressum", "/datenschutz", "/barrierefreiheit", "/leichte-sprache", "/software",
    "/barriere-melden", f"/en{HERE}",
]  # fmt: skip


@pytest.fixture
def town(live_server: LiveServer) -> Town:
    with unit_of_work(live_server.engine, write=True) as session:
        town = cast.found(session)
        put_places(session, town, PlaceKind.DISTRICT, ("Mitte", area(-2000, -2000, 4000)))
        put_places(session, town, PlaceKind.STREET, ("Angerstraße", street((-80, 50), (180, 50))))
        planner = town.planner
        procedures.set_plan_area(
            session, town.procedure, area(0, 0), by=planner, now=NOW, note="Fläche ergänzt"
        )
        filing.add_document(
            session, town.procedure, FileFacts("a" * 64, "plan.pdf", "application/pdf", 4_200_000, 3, "Zwei Geschosse."),
            title="Planzeichnung", kind=DocumentKind.PLAN_DRAWING, by=planner, now=NOW,
        )  # fmt: skip
        part = consult(session, town, "Am Rand", begins=4, ends=30, where=area(1500, 900))
        below = replace(procedures.as_it_stands(part), part_of_id=town.procedure.id)
        procedures.change(session, part, below, by=planner, now=NOW, note="Gehört dazu")
        done = consult(session, town, "Schon beschlossen", begins=-60, ends=-30)
        publishing.conclude(session, done, by=planner, now=NOW, note="Der Rat hat Ja gesagt.")
        return town


LOOKS = {
    "wide and light": {"viewport": {"width": 1280, "height": 800}},
    "narrow and dark": {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"},
}


@pytest.mark.parametrize("look", LOOKS)
def test_no_page_has_a_barrier_or_scrolls_sideways(
    new_page: NewPage, town: Town, axe: Axe, look: str
) -> None:
    page = new_page(**LOOKS[look])
    for address in PAGES:
        page.goto(address)
        axe(page)
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        assert not too_wide, f"{address} is wider than the screen"


def test_very_large_text_on_the_smallest_screen_never_scrolls_sideways(new_page: NewPage, town: Town) -> None:
    page = new_page(viewport={"width": 320, "height": 640})
    page.goto("/")
    page.context.add_cookies([{"name": "digilog_display", "value": "system.huge", "url": page.url}])
    for address in (HERE, f"{HERE}/stellungnahme"):
        page.goto(address)
        assert page.locator("html").get_attribute("data-text-size") == "huge"
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 320, f"{address} is {wide} px wide"
    words = page.locator(".d-steps__step--current > span:last-child")
    lines = words.evaluate(
        "e => e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)"
    )
    assert lines < 3, "a step of two words takes two lines: no word is broken into pieces"


def test_plans_are_drawn_and_follow_the_chosen_colours_without_javascript(
    new_page: NewPage, town: Town
) -> None:
    page = new_page(java_script_enabled=False, viewport={"width": 1280, "height": 800})
    page.goto(HERE)
    plan = page.locator("figure img")
    assert plan.evaluate("image => image.naturalWidth") == 960
    assert "look=" not in (plan.get_attribute("src") or "")
    page.get_by_role("button", name="Darstellung").click()
    page.get_by_label("Dunkel").check()
    page.get_by_label("Groß", exact=True).check()
    page.get_by_role("button", name="Übernehmen").click()
    expect(page).to_have_url(re.compile(f"{HERE}$"))
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert "look=dark" in (page.locator("figure img").get_attribute("src") or "")
    assert page.locator("figure img").evaluate("image => image.naturalWidth") == 960
    expect(page.get_by_role("button", name="In meiner Nähe")).to_be_hidden()


def test_near_me_asks_only_when_clicked_and_tells_only_about_where(new_page: NewPage, town: Town) -> None:
    page = new_page(
        geolocation={"longitude": 10.7004567, "latitude": 48.3004567}, permissions=["geolocation"]
    )
    page.goto("/")
    page.get_by_role("button", name="In meiner Nähe").click()
    expect(page).to_have_url(re.compile(r"/suche\?lon=10\.700&lat=48\.300$"))
    expect(page.get_by_role("heading", name="Wohnen am Mühlbach")).to_be_visible()
    expect(page.get_by_text("im Plangebiet", exact=False)).to_be_visible()


def test_when_the_device_says_no_the_street_is_asked_for(new_page: NewPage, town: Town) -> None:
    page = new_page(permissions=[])
    page.goto("/")
    page.get_by_role("button", name="In meiner Nähe").click()
    expect(page.get_by_text("Geben Sie stattdessen bitte Ihre Straße ein.")).to_be_visible()
    page.get_by_label("Thema, Straße oder Adresse").fill("Angerstr. 3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="In der Nähe von Angerstraße (Straße)")).to_be_visible()


def test_a_pin_leads_to_its_consultation_by_keyboard(new_page: NewPage, town: Town) -> None:
    page = new_page()
    page.goto("/")
    page.get_by_role("link", name="1: Wohnen am Mühlbach").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"{HERE}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Wohnen am Mühlbach")
