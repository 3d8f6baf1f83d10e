"""The planner's pages in a real browser: without barriers, and an area drawn by mouse and by keyboard."""

import json

import pytest
from playwright.sync_api import Page, expect

from consultations import filing
from consultations.documents import DocumentKind, FileFacts
from consultations.procedures import Procedure
from participation import identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Axe, NewPage
from tests.live import LiveServer

pytestmark = pytest.mark.browser

SECTIONS = ("", "/texte", "/phasen", "/kalender", "/aendern", "/aendern/1/wiederholen", "/kontakt", "/unterlagen", "/unterlagen/1", "/gebiet", "/ebenen", "/verlauf", "/abschliessen")  # fmt: skip


@pytest.fixture
def town(live_server: LiveServer) -> Town:
    with unit_of_work(live_server.engine, write=True) as session:
        town = cast.found(session)
        filing.add_document(
            session,
            town.procedure,
            FileFacts("0" * 64, "Begründung.pdf", "application/pdf", 123_456, pages=7),
            title="Begründung",
            kind=DocumentKind.EXPLANATORY_REPORT,
            by=town.planner,
            now=NOW,
        )
        return town


def sign_in(page: Page, live_server: LiveServer, town: Town) -> str:
    """As the planner; returns the address of the published consultation at the planner's desk."""
    person_id = town.planner.person_id
    assert person_id is not None
    with unit_of_work(live_server.engine, write=True) as session:
        token = identity.sign_in(session, person_id, now=NOW)
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": live_server.url}])
    return f"/verwaltung/planung/{town.procedure.id}"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_every_section_is_without_barriers_and_nothing_scrolls_sideways(
    new_page: NewPage, live_server: LiveServer, town: Town, axe: Axe, width: int, scheme: str
) -> None:
    page = new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    address = sign_in(page, live_server, town)
    for path in (
        "/verwaltung/planung/neu",
        "/verwaltung/vorlagen",
        "/verwaltung/vorlagen/plan_approval",
        *(address + section for section in SECTIONS),
    ):
        page.goto(path)
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_an_area_is_drawn_by_mouse_and_keyboard_and_saved(
    page: Page, live_server: LiveServer, town: Town
) -> None:
    address = sign_in(page, live_server, town)
    page.goto(f"{address}/gebiet")
    canvas = page.locator(".d-draw__map")
    expect(page.get_by_role("button", name="Umriss schließen")).to_be_disabled()
    page.get_by_role("button", name="Neu zeichnen").click()
    expect(canvas).to_be_focused()
    canvas.click(position={"x": 200, "y": 100})
    canvas.click(position={"x": 500, "y": 120})
    expect(page.locator(".d-draw__handle")).to_have_count(2)
    page.get_by_role("button", name="Umriss schließen").click()
    expect(page.get_by_role("status")).to_contain_text("mindestens drei Ecken")
    canvas.focus()
    page.keyboard.press("Enter")  # the middle of the map
    page.get_by_role("button", name="Umriss schließen").click()
    drawn = json.loads(page.input_value("#geojson"))
    assert drawn["type"] == "Polygon"
    (ring,) = drawn["coordinates"]
    assert len(ring) == 4
    assert ring[0] == ring[-1]
    page.fill("#note", "Gebiet eingezeichnet")
    page.get_by_role("button", name="Dieses Gebiet speichern").click()
    expect(page.get_by_role("img", name="Das Plangebiet und die Straßen ringsum")).to_be_visible()
    with unit_of_work(live_server.engine) as session:
        assert session.get_one(Procedure, town.procedure.id).plan_area is not None
