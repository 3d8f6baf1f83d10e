"""A planner goes from a template to the certificate in a real browser, under each law; no page on the way has a barrier."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typst
from playwright.sync_api import FilePayload, Page, expect

from consultations import corrections, filing
from consultations.documents import FileFacts
from consultations.permissions import SYSTEM
from consultations.phases import phases_of
from consultations.procedures import Procedure
from participation import identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.browser.steps import go
from tests.conftest import Axe, Clock, NewPage
from tests.live import Served

pytestmark = pytest.mark.browser

TODAY = datetime(2027, 2, 10, 9, 0, tzinfo=UTC)
PAPERS = ("Planzeichnung", "Begründung", "Umweltbericht", "Umwelt Stellungnahme Wasser")


@dataclass(frozen=True)
class Way:
    """A template, the last day that the program proposes for a start on 1 March 2027, and what the certificate says."""

    template: str
    last_day: str
    #: After the period.
    later: datetime
    law: str
    #: A sentence of the announcement that only this law asks for.
    hint: str


WAYS = {
    "BauGB": Way(
        "development_plan", "2027-03-31", datetime(2027, 4, 2, 9, tzinfo=UTC), "§ 3 Abs. 2 Satz 1 BauGB",
        "Stellungnahmen sollen elektronisch übermittelt werden",
    ),
    "VwVfG, new": Way(
        "plan_approval", "2027-04-12", datetime(2027, 4, 13, 9, tzinfo=UTC), "§ 73 Abs. 2 Satz 1 VwVfG",
        "Im Falle der Unzumutbarkeit einer elektronischen Erhebung",
    ),
    "VwVfG, old": Way(
        "plan_approval_old", "2027-04-14", datetime(2027, 4, 15, 9, tzinfo=UTC), "§ 73 Abs. 4 VwVfG (",
        "für Stellungnahmen von Vereinigungen gilt dies entsprechend",
    ),
}  # fmt: skip
WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
NARROW: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "color_scheme": "dark",
    "java_script_enabled": False,
}


def paper(name: str) -> FilePayload:
    text = f"#set document(title: [{name}])\n= {name}\nHier steht, was geplant ist."
    content = bytes(typst.compile(text.encode(), format="pdf"))
    return {"name": f"{name}.pdf", "mimeType": "application/pdf", "buffer": content}


def press(page: Page, value: str) -> None:
    go(page.locator(f"button[name=do][value={value}]").last)  # the first may be the one of the Enter key


@pytest.mark.timeout(300)  # some thirty pages one after the other, on a machine that is busy
@pytest.mark.parametrize(
    ("name", "look"),
    [("BauGB", WIDE), ("VwVfG, old", WIDE), ("VwVfG, new", NARROW)],
)
def test_a_planner_goes_from_the_template_to_the_certificate(
    live_server: Served, new_page: NewPage, axe: Axe, clock: Clock, name: str, look: dict[str, Any]
) -> None:
    way = WAYS[name]
    clock.now = TODAY
    with unit_of_work(live_server.engine, write=True) as session:
        town = cast.found(session)
    person_id = town.planner.person_id
    assert person_id is not None
    page = new_page(**look)
    page.set_default_timeout(60_000)  # a long way, and slow machines
    expect.set_options(timeout=30_000)

    def sign_in() -> None:
        with unit_of_work(live_server.engine, write=True) as session:
            token = identity.sign_in(session, person_id, now=clock.now)
        page.context.add_cookies([{"name": COOKIE, "value": token, "url": live_server.url}])

    def fine(what: str) -> None:
        """No barrier, nothing scrolls sideways; wide and light, only what no other way shows is looked at."""
        if look is NARROW or what in ("comparison", "proof"):
            axe(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
        if folder := os.environ.get("DIGILOG_PICTURES"):
            page.screenshot(path=Path(folder) / f"{name}-{what}.png".replace(" ", ""), full_page=True)

    sign_in()
    page.goto("/verwaltung/planung/neu")
    page.check(f"input[name=template][value={way.template}]")
    page.fill("#title", "Am Anger")
    page.fill("#key", "BP-20")
    go(page.get_by_role("button", name="Anlegen"))
    address = page.url.partition("?")[0]

    page.goto(f"{address}/texte")
    page.fill("#summary", "Ein Anger für alle.")
    page.fill("#location_words", "Zwischen Bach und Bahn")
    press(page, "save")

    page.goto(f"{address}/phasen")
    page.fill("#phases-0-starts_on", "2027-03-01")
    press(page, "check")
    press(page, "take-0")
    expect(page.locator("#phases-0-ends_on")).to_have_value(way.last_day)
    press(page, "save")
    if "/phasen" in page.url:  # what follows from the days is shown first
        fine("consequences")
        press(page, "save")

    page.goto(f"{address}/kontakt")
    page.fill("#name", "Frau Kern")
    page.fill("#phone", "08999 1234-10")
    page.fill("#access-0-place", "Rathaus")
    page.fill("#access-0-hours", "Mo bis Fr 8 bis 12 Uhr")
    page.fill("#access-0-step_free", "Aufzug")
    press(page, "save")

    page.goto(f"{address}/unterlagen")
    page.set_input_files("#files", [paper(each) for each in PAPERS])
    press(page, "add")
    expect(page.locator(".d-queue__row")).to_have_count(4)

    page.goto(address)
    go(page.locator("form[action$='/veroeffentlichen'] button"))
    page.goto(f"{address}/kalender")
    fine("calendar")
    phase = page.goto(address) and page.locator("a[href$='/freigabe']").first.get_attribute("href")
    assert phase is not None
    phase = phase.removesuffix("/freigabe")

    page.goto(f"{phase}/freigabe")
    expect(page.get_by_text("Es gibt noch keine Bekanntmachung.").first).to_be_visible()
    expect(page.get_by_role("button", name="Jetzt freigeben")).to_have_count(0)
    fine("release-blocked")

    page.goto(f"{phase}/bekanntmachung")
    if name == "BauGB":
        page.fill("#themes-0-theme", "Wasser")
        page.fill("#themes-0-keywords", "Hochwasser")
        for box in page.locator("input[name='themes-0-documents']").all():
            box.check()
        page.fill("#portal", "https://portal.example/bp-20")
    press(page, "save")
    page.goto(f"{phase}/bekanntmachung")
    expect(page.get_by_text(way.hint).first).to_be_visible()
    fine("announcement")

    page.goto(f"{phase}/bekanntmachungsakte")
    page.select_option("#medium", "gazette")
    page.fill("#day", "2027-02-12")
    page.fill("#issue", "Nr. 5, Seite 3")
    press(page, "record")
    press(page, "online")
    fine("acts")

    page.goto(f"{phase}/freigabe")
    for _ in range(page.locator("button[value=reason]").count()):
        page.locator(".a-reason summary").first.click()
        page.locator(".a-reason textarea").first.fill("Das Rechtsamt hat verglichen.")
        go(page.locator(".a-reason button[value=reason]").first)
    fine("release-ready")
    press(page, "release")
    expect(page.get_by_text("Freigegeben am 10. Februar 2027").first).to_be_visible()

    page.goto("/beteiligungen/am-anger")
    page.locator("main a[href*='/bekanntmachung/']").first.click()
    expect(page.get_by_text(way.hint).first).to_be_visible()
    fine("public-announcement")

    if name == "BauGB":
        clock.now = datetime(2027, 3, 10, 9, tzinfo=UTC)
        sign_in()
        document = correct(live_server, address)
        page.goto(f"/dokumente/{document}/vergleich/1/2?ansicht=nebeneinander")
        expect(page.locator("ins").first).to_contain_text("49")
        fine("comparison")
        page.goto(f"{address}/nachweise")
        fine("proof")
        page.locator("input[name=announcement]").fill("Amtsblatt Nr. 8 vom 12. März 2027")
        press(page, "announced")

    clock.now = way.later
    sign_in()
    page.goto(f"{address}/nachweise")
    page.get_by_role("button", name="Endgültigen Nachweis ausstellen").click()
    page.locator("a[href^='/nachweis/']").first.click()
    said = page.locator("main")
    for words in (
        "Der Nachweis ist echt", "endgültig: Die Frist ist beendet", "Montag, 1. März 2027", way.law, "Amtsblatt",
        "Nr. 5, Seite 3", "Rathaus", *PAPERS,
    ):  # fmt: skip
        expect(said).to_contain_text(words)
    if name == "BauGB":
        expect(said).to_contain_text("49, nicht 45")
        expect(said).to_contain_text("Amtsblatt Nr. 8")
    fine("certificate")
    kind = "async address => (await fetch(address)).headers.get('content-type')"
    assert page.evaluate(kind, f"{page.url.rstrip('/')}/nachweis.pdf") == "application/pdf"


def correct(live_server: Served, address: str) -> int:
    """Set a corrected version beside one of the frozen documents; how a planner does it, tests/pages shows."""
    with unit_of_work(live_server.engine, write=True) as session:
        procedure = session.get_one(Procedure, int(address.rpartition("/")[2]))
        (phase, *_) = phases_of(session, procedure.id or 0)
        document, versions = filing.documents_of(session, procedure.id or 0)[1]
        text = versions[0].text + " Nachts werden 49 dB(A) erreicht."
        facts = FileFacts("1" * 64, "begruendung.pdf", "application/pdf", 1001, pages=1, text=text)
        now = datetime(2027, 3, 10, 9, tzinfo=UTC)
        corrections.correct(session, procedure, document, facts, note="Seite 4: 49, nicht 45 dB(A)", by=SYSTEM, now=now)  # fmt: skip
        assert phase.released_at is not None
        return document.id or 0
