"""Whole ways through the house in a real browser, from one person to the next: a citizen's, a letter's, a plan's.

The single steps are tested where they live; here is that they lead to one another, without a barrier on any page.
"""

import io
import re
from collections.abc import Callable

import pypdf
import pytest
from playwright.sync_api import Page, expect

from consultations.permissions import Actor
from participation import identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.browser.steps import go
from tests.cast import NOW, Town
from tests.conftest import Axe, NewPage
from tests.live import LiveServer

pytestmark = pytest.mark.browser

WIDE = {"viewport": {"width": 1280, "height": 800}}
NARROW_DARK_PLAIN = {
    "viewport": {"width": 360, "height": 740},
    "color_scheme": "dark",
    "java_script_enabled": False,
}
LOOKS = {"wide, with JavaScript": WIDE, "narrow, dark, without JavaScript": NARROW_DARK_PLAIN}


def scan() -> bytes:
    """A PDF of one empty sheet."""
    made = io.BytesIO()
    writer = pypdf.PdfWriter()
    writer.add_blank_page(595, 842)
    writer.write(made)
    return made.getvalue()


@pytest.fixture
def town(live_server: LiveServer) -> Town:
    with unit_of_work(live_server.engine, write=True) as session:
        return cast.found(session)


Arrive = Callable[[Actor | None], Page]


@pytest.fixture
def arrive(new_page: NewPage, live_server: LiveServer, look: str) -> Arrive:
    """Somebody with a browser of their own: a visitor (None), or one of the staff, signed in already."""

    def open_browser(who: Actor | None) -> Page:
        page = new_page(**LOOKS[look])
        if who is not None:
            assert who.person_id is not None
            with unit_of_work(live_server.engine, write=True) as session:
                token = identity.sign_in(session, who.person_id, now=NOW)
            page.context.add_cookies([{"name": COOKIE, "value": token, "url": live_server.url}])
        return page

    return open_browser


@pytest.fixture
def fine(axe: Axe) -> Callable[[Page], None]:
    """This page, in this state, has no barrier and does not scroll sideways."""

    def check(page: Page) -> None:
        axe(page)
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        assert not too_wide, f"{page.url} is wider than the screen"

    return check


def press(page: Page, name: str) -> None:
    go(page.get_by_role("button", name=name, exact=True).first)


def look_up(page: Page, code: str) -> None:
    """What became of a contribution, by the code of its receipt, as anyone may ask."""
    page.goto("/beitrag")
    page.get_by_label("Zugangscode").fill(code)
    press(page, "Nachsehen")


def access_code(page: Page) -> str:
    """The access code as a receipt on the screen spells it for those who listen."""
    spelled = re.search(r"Zeichen für Zeichen: ((?:\w, ){7}\w)", page.locator("main").inner_text())
    assert spelled, page.locator("main").inner_text()
    return spelled[1].replace(", ", "")


@pytest.mark.parametrize("look", LOOKS)
def test_a_citizen_finds_reads_takes_part_and_comes_back(
    arrive: Arrive, fine: Callable[[Page], None], town: Town
) -> None:
    page = arrive(None)
    page.goto("/")
    fine(page)
    page.get_by_label("Thema, Straße oder Adresse").fill("Mühlbach")
    press(page, "Finden")
    fine(page)
    page.get_by_role("link", name="Wohnen am Mühlbach").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Wohnen am Mühlbach")
    expect(page.locator("main")).to_contain_text("noch 14 Tage")
    page.get_by_role("link", name="Stellung nehmen").first.click()
    page.get_by_label("Ihre Stellungnahme").fill("Am Bach bitte\nBänke mit Lehne.")
    while page.get_by_role("button", name="Weiter", exact=True).count():
        press(page, "Weiter")
    fine(page)
    press(page, "Absenden")
    expect(page.locator("main")).to_contain_text("BP-12-0001")
    fine(page)
    code = access_code(page)

    someone_later = arrive(None)
    look_up(someone_later, code.lower())
    expect(someone_later.locator("main")).to_contain_text("Bänke mit Lehne.")
    fine(someone_later)


@pytest.mark.parametrize("look", LOOKS)
def test_a_letter_goes_the_same_way_as_everything_else(
    arrive: Arrive, fine: Callable[[Page], None], town: Town
) -> None:
    """Letter in, receipt out; next in the queue, blacked out, published; and taken back."""
    clerk = arrive(town.clerk)
    clerk.goto("/verwaltung/eingang")
    fine(clerk)
    clerk.get_by_role("link", name="Wohnen am Mühlbach").click()
    clerk.get_by_label("Wie ist es bei uns angekommen?").select_option("letter")
    clerk.get_by_label("Tag des Eingangs").fill("2027-02-15")
    clerk.get_by_label("Verfasst am").fill("2027-02-16")  # later than it came: a slip
    clerk.get_by_label("Was darin steht").fill("Die alten Linden müssen bleiben.\nIhre Frau Kern, Gasse 3")
    clerk.get_by_label("Scan oder Originaldatei").set_input_files(
        {"name": "Brief.pdf", "mimeType": "application/pdf", "buffer": scan()}
    )
    clerk.get_by_label("Name", exact=False).first.fill("Ida Kern")
    clerk.get_by_label("Straße und Hausnummer").fill("Gasse 3")
    clerk.get_by_label("Darf ohne Namen veröffentlicht werden").check()
    press(clerk, "Aufnehmen und Eingangsbestätigung erstellen")
    expect(clerk.get_by_role("alert")).to_be_visible()
    fine(clerk)
    expect(clerk.get_by_label("Was darin steht")).to_have_value(re.compile("Linden"))
    expect(clerk.locator("main")).to_contain_text("Brief.pdf")
    clerk.get_by_label("Verfasst am").fill("2027-02-12")
    press(clerk, "Aufnehmen und Eingangsbestätigung erstellen")
    expect(clerk.locator("main")).to_contain_text("BP-12-0001")
    fine(clerk)
    code = access_code(clerk)
    with clerk.expect_download() as letter:
        clerk.get_by_role("link", name=re.compile("PDF")).first.click()
    assert letter.value.path().read_bytes().startswith(b"%PDF-")

    moderator = arrive(town.moderator)
    moderator.goto("/verwaltung/moderation")
    fine(moderator)
    press(moderator, "Nächsten öffnen")
    expect(moderator.locator("main")).to_contain_text("Die alten Linden müssen bleiben.")
    fine(moderator)
    moderator.get_by_label("Mit Schwärzungen veröffentlichen").check()
    moderator.get_by_label("Grund").select_option("personal_data")
    moderator.get_by_label("Öffentlicher Text").fill("Die alten Linden müssen bleiben.\n█████")
    press(moderator, "Entscheiden und weiter zum nächsten")
    fine(moderator)

    public = arrive(None)
    public.goto("/beteiligungen/wohnen-am-muehlbach/beitraege")
    expect(public.locator("main")).to_contain_text("Die alten Linden müssen bleiben.")
    expect(public.locator("main")).not_to_contain_text("Frau Kern")
    fine(public)
    look_up(public, code)
    expect(public.locator("main")).to_contain_text("Frau Kern")  # the writer sees what was written
    fine(public)

    moderator.goto("/verwaltung/moderation/entschieden")
    fine(moderator)
    go(moderator.get_by_role("link", name=re.compile("Die alten Linden")).first)
    fine(moderator)
    press(moderator, "Letzte Entscheidung zurücknehmen")
    fine(moderator)
    public.goto("/beteiligungen/wohnen-am-muehlbach/beitraege")
    expect(public.locator("main")).not_to_contain_text("Die alten Linden müssen bleiben.")


@pytest.mark.parametrize("look", LOOKS)
def test_a_plan_goes_from_a_template_to_the_public(
    arrive: Arrive, fine: Callable[[Page], None], town: Town
) -> None:
    planner, public = arrive(town.planner), arrive(None)
    planner.goto("/verwaltung/planung/neu")
    fine(planner)
    planner.get_by_label("Informeller Dialog").check()
    planner.get_by_label("Titel").fill("Schatten für den Marktplatz")
    planner.get_by_label("Aktenzeichen").fill("D-1")
    press(planner, "Anlegen")
    here = planner.url.partition("?")[0]
    expect(planner.locator("main")).to_contain_text("Vor der Veröffentlichung fehlt noch")
    fine(planner)
    unknown = public.goto("/beteiligungen/schatten-fuer-den-marktplatz")
    assert unknown is not None
    assert unknown.status == 404

    planner.goto(f"{here}/texte")
    planner.get_by_label("Kurzfassung – Deutsch").fill("Im August hat es hier 41 Grad. Was hilft?")
    planner.get_by_label("Ort in Worten – Deutsch").fill("Der Marktplatz")
    press(planner, "Speichern")
    planner.goto(f"{here}/phasen")
    planner.get_by_label("Erster Tag").first.fill("2027-02-16")
    planner.get_by_label("Letzter Tag").first.fill("2027-02-10")  # before it begins: a slip
    press(planner, "Speichern")
    expect(planner.get_by_role("alert").first).to_be_visible()
    fine(planner)
    planner.get_by_label("Letzter Tag").first.fill("2027-03-30")
    press(planner, "Speichern")
    planner.goto(f"{here}/kontakt")
    planner.locator("[name=name]").fill("Paula Rieger")
    planner.locator("[name=phone]").fill("089 99998-214")
    planner.locator("[name=access-0-place]").fill("Rathaus, Zimmer 14")
    press(planner, "Speichern")
    planner.goto(here)
    fine(planner)
    press(planner, "Jetzt veröffentlichen")
    fine(planner)

    public.goto("/")
    public.get_by_role("link", name="Schatten für den Marktplatz").first.click()
    expect(public.get_by_role("heading", level=1)).to_have_text("Schatten für den Marktplatz")
    expect(public.locator("main")).to_contain_text("Im August hat es hier 41 Grad.")
    expect(public.get_by_role("link", name="Idee vorschlagen").first).to_be_visible()
    fine(public)
