"""The look in a real browser: the pattern page, which shows every component, in every way of looking at it."""

from typing import Any

import pytest
from playwright.sync_api import Page
from sqlmodel import Session

from tests import cast
from tests.browser.steps import go
from tests.conftest import Axe, NewPage
from tests.live import LiveServer

WAYS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1280, "height": 800}},
    "wide and dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "telephone": {"viewport": {"width": 360, "height": 740}},
    "telephone, dark, without JavaScript": {
        "viewport": {"width": 360, "height": 740},
        "color_scheme": "dark",
        "java_script_enabled": False,
    },
    "400 % of 1280": {"viewport": {"width": 320, "height": 256}},
}

OVERFLOWING = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
    .map(e => e.outerHTML.slice(0, 120))"""

SMALL_TARGETS = """() => [...document.querySelectorAll("a, button, summary, input, select, textarea")]
  .filter(e => e.checkVisibility() && !e.matches(".d-skip, .d-display *"))
  .filter(e => { const box = e.getBoundingClientRect(); return box.width < 24 || box.height < 24; })
  .map(e => e.outerHTML.slice(0, 120))"""


@pytest.fixture(autouse=True)
def town(live_server: LiveServer) -> None:
    with Session(live_server.engine) as session:
        cast.found(session)
        session.commit()


@pytest.mark.browser
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("address", ["/muster", "/en/muster", "/gibt-es-nicht"])
def test_no_barriers_however_one_looks(new_page: NewPage, axe: Axe, way: str, address: str) -> None:
    page = new_page(**WAYS[way])
    page.goto(address)
    axe(page)
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(SMALL_TARGETS) == []


@pytest.mark.browser
def test_less_used_filters_fold_on_a_telephone_and_stand_open_on_a_wide_screen(new_page: NewPage) -> None:
    narrow = new_page(viewport={"width": 360, "height": 740}, java_script_enabled=False)
    narrow.goto("/muster")
    form = narrow.get_by_role("form", name="Filter")
    folded, fold = form.get_by_label("Thema"), form.get_by_text("Mehr Filter")
    assert not folded.is_visible()
    fold.press("Enter")
    assert folded.is_visible()
    wide = new_page(viewport={"width": 1280, "height": 740}, java_script_enabled=False)
    wide.goto("/muster")
    form = wide.get_by_role("form", name="Filter")
    assert not form.get_by_text("Mehr Filter").is_visible()
    form.get_by_label("Name").press("Tab")
    assert form.get_by_role("combobox", name="Thema").evaluate("e => e === document.activeElement")


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
def test_display_settings_need_no_script_and_lead_back(new_page: NewPage, axe: Axe, width: int) -> None:
    page = new_page(viewport={"width": width, "height": 740}, java_script_enabled=False)
    page.goto("/muster")
    assert page.locator("html").get_attribute("data-theme") == "system"
    page.get_by_role("button", name="Darstellung").click()
    page.get_by_role("radio", name="Dunkel").check()
    page.get_by_role("radio", name="Sehr groß").check()
    go(page.get_by_role("button", name="Übernehmen"))
    assert page.url.endswith("/muster")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("html").get_attribute("data-text-size") == "huge"
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "23px"
    assert page.evaluate(OVERFLOWING) == []
    axe(page)


@pytest.mark.browser
def test_the_menu_of_small_screens_opens_and_closes_by_keyboard_without_script(new_page: NewPage) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, java_script_enabled=False)
    page.goto("/muster")
    navigation = page.get_by_role("navigation", name="Hauptnavigation")
    assert not navigation.is_visible()
    page.get_by_role("button", name="Menü", exact=True).press("Enter")
    assert navigation.is_visible()
    assert page.get_by_role("searchbox").is_visible()
    page.keyboard.press("Escape")
    assert not navigation.is_visible()


@pytest.mark.browser
def test_the_first_stop_of_the_keyboard_skips_to_the_content(page: Page) -> None:
    page.goto("/en/gibt-es-nicht")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    assert skip.evaluate("e => e === document.activeElement")
    assert skip.bounding_box()["y"] >= 0  # type: ignore[index]
    skip.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.browser
def test_with_script_reading_starts_at_what_was_done_or_the_errors_and_printing_is_offered(
    page: Page,
) -> None:
    page.goto("/barriere-melden?sent=1")
    assert page.evaluate("document.activeElement.id") == "done-summary"
    page.goto("/muster")
    assert page.evaluate("document.activeElement.id") == "error-summary"
    assert page.get_by_role("button", name="Diese Seite drucken").is_visible()
    page.locator("#text").fill("Bäume")
    assert page.locator("#text-count").text_content() == "noch 4.995 Zeichen"


@pytest.mark.browser
def test_paper_shows_the_content_and_whom_to_ask(page: Page) -> None:
    page.goto("/muster")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator("nav:visible, .kern-btn:visible").count() == 0
    assert page.get_by_text("08999 1234-0").last.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


@pytest.mark.browser
def test_signs_are_seen_in_forced_colours(new_page: NewPage) -> None:
    page = new_page(forced_colors="active")
    page.goto("/muster")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    signs = page.evaluate(
        "[...document.querySelectorAll('.d-tag [aria-hidden], .kern-alert__header [aria-hidden], .d-ways [aria-hidden]')]"
        ".map(e => getComputedStyle(e).backgroundColor)"
    )
    assert len(signs) > 15
    assert ground not in signs


@pytest.mark.browser
def test_the_heaviest_page_without_a_map_stays_within_120_kilobytes(page: Page) -> None:
    sizes: list[float] = []
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page.goto("/muster")
    page.wait_for_load_state("networkidle")
    assert len(sizes) >= 6
    assert sum(sizes) <= 120_000
