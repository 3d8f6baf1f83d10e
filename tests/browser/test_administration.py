"""Account and administration in a real browser: without barriers in every state, and the look tried live."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from consultations import people
from consultations.permissions import SYSTEM, Role
from participation import identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.browser.steps import go
from tests.cast import NOW, Town
from tests.conftest import Axe, NewPage
from tests.live import LiveServer

pytestmark = pytest.mark.browser

HERE = "/verwaltung/kommunen/auenfurt"

#: What an administrator sees, in an order in which it can be walked through.
PAGES = (
    *("/konto", "/konto/passwort", HERE, f"{HERE}/angaben", f"{HERE}/aussehen", f"{HERE}/feiertage"),
    *(f"{HERE}/kontakt", f"{HERE}/texte/imprint", "/verwaltung/personal", "/verwaltung/personal/einladen"),
)


@pytest.fixture
def town(live_server: LiveServer) -> Town:
    with unit_of_work(live_server.engine, write=True) as session:
        return cast.found(session)


def sign_in(page: Page, live_server: LiveServer, town: Town) -> None:
    """As the administrator, who has a password."""
    person_id = town.administrator.person_id
    assert person_id is not None
    with unit_of_work(live_server.engine, write=True) as session:
        token = identity.sign_in(
            session, person_id, now=NOW, user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Firefox/150.0"
        )
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": live_server.url}])


def keep_picture(page: Page, name: str) -> None:
    """For eyes: pictures of all pages in the folder that DIGILOG_PICTURES names."""
    folder = os.environ.get("DIGILOG_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_every_page_is_without_barriers_and_nothing_scrolls_sideways(
    new_page: NewPage, live_server: LiveServer, town: Town, axe: Axe, width: int, scheme: str
) -> None:
    page = new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)

    def look(name: str) -> None:
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
        keep_picture(page, f"{name}-{width}-{scheme}")

    page.goto("/anmelden")
    look("sign-in")
    page.get_by_role("button", name="Anmelden").click()
    expect(page.get_by_role("alert")).to_be_visible()
    look("sign-in-refused")
    sign_in(page, live_server, town)
    for path in PAGES:
        page.goto(path)
        look(path.strip("/").replace("/", "-"))
    page.goto(f"{HERE}/kontakt")
    page.get_by_label("Postleitzahl").fill("12")
    page.get_by_role("button", name="Speichern").click()
    expect(page.get_by_role("alert")).to_contain_text("Eine Postleitzahl hat fünf Ziffern.")
    look("contact-refused")
    page.goto("/verwaltung/personal/einladen")
    page.get_by_label("Name", exact=True).fill("Klara Neu")
    page.get_by_label("E-Mail-Adresse").fill("klara@auenfurt.example")
    page.get_by_label("Erfassung").check()
    page.get_by_role("button", name="Einladen").click()
    link = page.get_by_label("Link zum Wählen des Passworts").input_value()
    look("link")
    go(page.get_by_role("link", name="Fertig"))
    look("member")
    page.context.clear_cookies()
    page.goto(urlsplit(link).path)
    look("invitation")


def test_an_invited_clerk_walks_in_without_javascript_by_keyboard(
    new_page: NewPage, live_server: LiveServer, town: Town
) -> None:
    with unit_of_work(live_server.engine, write=True) as session:
        klara, token = identity.invite(
            session, name="Klara", email="klara@auenfurt.example", municipality_id=town.id, by=SYSTEM, now=NOW
        )
        people.grant(session, klara, Role.CLERK, municipality_id=town.id, by=SYSTEM, now=NOW)
    page = new_page(java_script_enabled=False)
    page.goto(f"/einladung/{token}")
    page.get_by_label("Neues Passwort").focus()
    page.keyboard.type("a long enough password")
    page.keyboard.press("Enter")
    page.wait_for_url("**/verwaltung")
    page.goto("/konto")
    expect(page.get_by_role("main")).to_contain_text("Klara")
    page.get_by_role("main").get_by_role("button", name="Abmelden").press("Enter")
    page.wait_for_url(f"{live_server.url}/")
    page.goto("/konto")
    expect(page).to_have_url(f"{live_server.url}/anmelden?next=%2Fkonto")


def test_the_look_is_shown_live_and_what_nobody_can_read_is_refused_at_once(
    page: Page, live_server: LiveServer, town: Town
) -> None:
    sign_in(page, live_server, town)
    page.goto(f"{HERE}/aussehen")
    button = page.get_by_role("button", name="Speichern")
    said = page.locator("#look-said")

    def colour() -> str:
        return str(button.evaluate("button => getComputedStyle(button).backgroundColor"))

    page.get_by_label("Farbe der Kommune").fill("#7a1f3d")
    expect(button).to_have_css("background-color", "rgb(122, 31, 61)")
    page.get_by_label("Farbe der Kommune").fill("#ffcc00")
    expect(said).to_contain_text("Farbe der Kommune: Mit dieser Farbe sind Texte schwer zu lesen: Kontrast")
    assert colour() == "rgb(122, 31, 61)"
    page.get_by_label("Farbe der Kommune").fill("#205020")
    expect(said).to_be_empty()
    expect(button).to_have_css("background-color", "rgb(32, 80, 32)")
    button.click()
    expect(page.get_by_role("status")).to_contain_text("Gespeichert.")
    page.context.clear_cookies()
    page.goto("/anmelden")
    expect(page.get_by_role("button", name="Anmelden")).to_have_css("background-color", "rgb(32, 80, 32)")
