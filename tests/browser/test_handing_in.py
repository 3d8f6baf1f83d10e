"""A citizen hands in and comes back, in a real browser: with and without JavaScript, by keyboard alone, on a phone."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import Session, select

from consultations.contributions import Contribution
from participation.database import unit_of_work
from tests import cast
from tests.cast import Town
from tests.conftest import Axe, NewPage
from tests.live import LiveServer

pytestmark = pytest.mark.browser

FORMAL = "/beteiligungen/wohnen-am-muehlbach/stellungnahme"
LOOKS = {
    "wide, light, with JavaScript": {"viewport": {"width": 1280, "height": 800}},
    "narrow, dark, without JavaScript": {
        "viewport": {"width": 360, "height": 740},
        "color_scheme": "dark",
        "java_script_enabled": False,
    },
}


@pytest.fixture
def town(live_server: LiveServer) -> Town:
    with unit_of_work(live_server.engine, write=True) as session:
        return cast.found(session)


def handed_in(server: LiveServer) -> list[Contribution]:
    with Session(server.engine) as session:
        return list(session.exec(select(Contribution)).all())


def looks_good(page: Page, axe: Axe) -> None:
    axe(page)
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wide, f"{page.url} is wider than the screen"


@pytest.mark.parametrize("look", LOOKS)
def test_from_the_first_word_to_the_addition(
    new_page: NewPage, live_server: LiveServer, town: Town, axe: Axe, look: str
) -> None:
    page = new_page(**LOOKS[look])
    page.goto(FORMAL)
    looks_good(page, axe)
    send = page.get_by_role("button", name="Absenden", exact=True)
    go_on = page.get_by_role("button", name="Weiter", exact=True)
    go_on.click()
    expect(page.get_by_role("alert")).to_contain_text("Bitte schreiben Sie etwas")
    looks_good(page, axe)
    page.get_by_label("Ihre Stellungnahme").fill("Die Linden sollen bleiben.")
    page.get_by_label("Dateien anhängen").set_input_files(
        {"name": "Skizze mit einem sehr langen Namen.txt", "mimeType": "text/plain", "buffer": b"Linde"}
    )
    page.get_by_role("button", name="Jetzt anhängen").click()
    expect(page.get_by_text("Skizze mit einem sehr langen Namen.txt").first).to_be_visible()
    looks_good(page, axe)
    go_on.click()
    page.get_by_label("Name", exact=False).first.fill("Rosa Muster")
    page.get_by_label("Ja, ohne meinen Namen veröffentlichen").check()
    looks_good(page, axe)
    go_on.click()
    expect(page.get_by_text("Die Linden sollen bleiben.")).to_be_visible()
    looks_good(page, axe)
    page.go_back()
    expect(page.get_by_label("Name", exact=False).first).to_have_value("Rosa Muster")
    page.go_forward()
    send.dblclick()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Wir haben Ihre Stellungnahme erhalten")
    looks_good(page, axe)
    (made,) = handed_in(live_server)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text("erhalten")

    page.goto("/beitrag")
    looks_good(page, axe)
    page.get_by_label("Zugangscode").fill(made.access_code.lower())
    page.get_by_role("button", name="Nachsehen").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(made.reference)
    looks_good(page, axe)
    page.get_by_role("link", name="Nicht veröffentlichen").click()
    looks_good(page, axe)
    page.get_by_role("button", name="Ja, nicht veröffentlichen").click()
    expect(page.get_by_role("status")).to_contain_text("nicht mehr öffentlich")
    looks_good(page, axe)
    page.get_by_role("button", name="Etwas ergänzen").click()
    page.get_by_label("Ihre Stellungnahme").fill("Und die Bank.")
    go_on.click()
    go_on.click()
    send.click()
    expect(page.get_by_text(f"Ergänzung zu {made.reference}")).to_be_visible()
    assert len(handed_in(live_server)) == 2


def test_by_keyboard_alone(new_page: NewPage, live_server: LiveServer, town: Town) -> None:
    page = new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{FORMAL}?ansicht=eine-seite")

    def tab_to(name: str) -> None:
        for _press in range(80):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "[document.activeElement.labels?.[0]?.innerText, document.activeElement.innerText].join(' ')"
            )
            if name in focused:
                return
        raise AssertionError(f"the Tab key does not lead to {name}")

    tab_to("Ihre Stellungnahme")
    page.keyboard.type("Mehr Bäume")
    tab_to("Name")
    page.keyboard.type("Rosa")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/pruefen$"))
    tab_to("Absenden")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/beleg/"))
    assert [each.text for each in handed_in(live_server)] == ["Mehr Bäume"]


def test_words_that_were_not_sent_are_still_in_the_browser(
    new_page: NewPage, live_server: LiveServer, axe: Axe
) -> None:
    with unit_of_work(live_server.engine, write=True) as session:
        cast.with_ideas(session)
    page = new_page(viewport={"width": 360, "height": 740})
    form = "/beteiligungen/ideen/stellungnahme?kind=proposal"
    notice = page.locator("[data-remembered]")
    page.goto(form)
    page.get_by_label("Titel").fill("Ein Brunnen")
    page.get_by_label("Ihr Vorschlag").fill("Am Platz fehlt Wasser.")
    page.get_by_label("Ort", exact=False).last.fill("Am Platz")
    # The tab goes without a word to anybody; somebody else's details are not kept, only the words.
    page.close(run_before_unload=False)
    again = page.context.new_page()
    again.goto(form)
    notice = again.locator("[data-remembered]")
    expect(notice).to_be_visible()
    axe(again)
    notice.get_by_role("button", name="Text einsetzen").click()
    expect(again.get_by_label("Ihr Vorschlag")).to_have_value("Am Platz fehlt Wasser.")
    expect(again.get_by_label("Titel")).to_have_value("Ein Brunnen")
    again.get_by_role("button", name="Weiter", exact=True).click()
    again.get_by_role("button", name="Weiter", exact=True).click()
    again.get_by_role("button", name="Absenden", exact=True).click()
    expect(again.get_by_role("heading", level=1)).to_contain_text("erhalten")
    again.goto(form)
    expect(again.get_by_label("Ihr Vorschlag")).to_have_value("")
    expect(notice).to_be_hidden()
    assert again.evaluate("Object.keys(localStorage)") == []
    # Whoever shares the device switches it off, and it stays off.
    again.get_by_role("button", name="Nichts in diesem Browser behalten").click()
    expect(again.get_by_role("button", name="Wieder bis zum Absenden behalten")).to_be_visible()
    again.get_by_label("Titel").fill("Geheim")
    again.close(run_before_unload=False)
    third = page.context.new_page()
    third.goto(form)
    expect(third.get_by_text("Dieser Browser behält nichts")).to_be_visible()
    assert third.evaluate("Object.keys(localStorage)") == ["digilog-words-off"]
