"""A survey in a real browser: what is not asked is hidden, what is wrong is said, the answers arrive; axe on every page."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from participation.database import unit_of_work
from tests.browser.test_journeys import access_code, fine, look_up, press
from tests.cast import Town
from tests.conftest import Clock, NewPage
from tests.live import LiveServer
from tests.pages.test_surveys import HERE, survey_town

pytestmark = pytest.mark.browser

__all__ = ["fine"]


@pytest.fixture
def town(live_server: LiveServer) -> Town:
    with unit_of_work(live_server.engine, write=True) as session:
        return survey_town(session)


def test_a_survey_asks_only_what_is_to_be_asked(
    town: Town, new_page: NewPage, fine: Callable[[Page], None], clock: Clock
) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, color_scheme="dark")

    def button(name: str) -> Locator:
        return page.get_by_role("button", name=name, exact=True).first

    page.goto("/beteiligungen/ideen")
    page.get_by_role("link", name="Umfrage beantworten").first.click()
    loud = page.get_by_role("group", name="2. Wie laut ist es?")
    expect(loud).to_be_hidden()
    fine(page)
    press(page, "Antworten absenden")
    expect(page.get_by_role("alert")).to_contain_text("Frage 1: Bitte beantworten Sie sie.")
    fine(page)
    page.get_by_label("Ja").check()
    expect(loud).to_be_visible()
    loud.get_by_label("5 (sehr laut)").check()
    page.get_by_label("Was noch?").fill("Mehr Licht")
    # A pin on the map, by keyboard; it can be taken away and set anew.
    button("Auf der Karte wählen").click()
    expect(page.locator(".d-map__canvas")).to_be_focused()
    page.keyboard.press("Enter")
    chosen = page.locator("[data-chosen]")
    expect(chosen).to_contain_text("° Nord")
    fine(page)
    button("Markierung entfernen").click()
    expect(chosen).to_be_hidden()
    page.keyboard.press("Enter")
    button("Karte schließen").click()
    expect(button("Auf der Karte wählen")).to_be_focused()
    page.get_by_role("group", name="Linde").get_by_label("3").check()
    press(page, "Antworten absenden")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ihre Antworten sind da")
    expect(page.locator("main")).to_contain_text("5 (sehr laut)")
    expect(page.locator("main")).to_contain_text("ein Punkt auf der Karte")
    fine(page)
    look_up(page, access_code(page))
    expect(page.get_by_role("group", name="2. Wie laut ist es?")).to_be_visible()
    fine(page)
    page.goto(f"{HERE}/formular")
    fine(page)
    clock.now += timedelta(days=60)
    page.goto(f"{HERE}/ergebnis")
    expect(page.locator("main")).to_contain_text("1 Person hat geantwortet")
    page.locator("svg a").first.press("Enter")
    expect(page).to_have_url(re.compile("#said-7-1$"))
    fine(page)
