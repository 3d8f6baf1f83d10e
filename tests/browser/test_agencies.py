"""An agency answers by link in a real browser: a clerk drafts, the coordinator gives back, then releases; no barrier."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from consultations import agencies, invitations
from consultations.agencies import AgencyInput, ClerkInput, ClerkRole
from consultations.invitations import InvitationLink
from consultations.permissions import SYSTEM
from consultations.phases import Phase, PhaseKind
from consultations.seats import Seat
from participation import identity
from participation.database import unit_of_work
from participation.house import link_key
from participation.identity import COOKIE
from tests import cast
from tests.browser.steps import go
from tests.cast import NOW
from tests.conftest import Axe, NewPage
from tests.live import Served

pytestmark = pytest.mark.browser

NARROW_DARK_PLAIN: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "color_scheme": "dark",
    "java_script_enabled": False,
}


@pytest.fixture
def fine(axe: Axe) -> Callable[[Page], None]:
    def check(page: Page) -> None:
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"{page.url} scrolls sideways"
        )

    return check


def test_an_agency_answers_by_link(
    live_server: Served, new_page: NewPage, fine: Callable[[Page], None]
) -> None:
    key = link_key(live_server.settings)
    with unit_of_work(live_server.engine, write=True) as session:
        town = cast.found(session)
        phase = Phase(
            procedure_id=town.procedure.id or 0,
            kind=PhaseKind.AGENCIES.value,
            track="agencies",
            starts_on=date(2027, 2, 1),
            position=9,
        )
        session.add(phase)
        session.flush()
        facts: dict[str, Any] = {"by": SYSTEM, "now": NOW}
        entered = AgencyInput("Wasserwirtschaftsamt", subjects=("water",), email="post@wwa.example")
        entry, _ = agencies.save(session, entered, municipality_id=town.id, **facts)
        for name, role in (("Dora Ott", ClerkRole.DRAFTS), ("Karl Eder", ClerkRole.RELEASES)):
            email = f"{name[:4].lower()}@wwa.example"
            agencies.add_clerk(session, entry, ClerkInput(name, email, role), **facts)
        invitations.put_on_list(session, phase, town.procedure, entry, why="", is_proposed=True, **facts)
        seat = Seat.from_data(town.municipality.calendar)
        invitations.send(session, phase, town.procedure, due_on=None, seat=seat, key=key, **facts)
        rows = session.exec(select(InvitationLink).order_by(InvitationLink.id)).all()  # type: ignore[arg-type]
        drafting, releasing = (f"/behoerden/{invitations.token_of(key, row)}" for row in rows)
        procedure_id = town.procedure.id
        planner = identity.sign_in(session, town.planner.person_id or 0, now=NOW)

    dora = new_page(**NARROW_DARK_PLAIN)
    dora.goto(drafting)
    expect(dora.get_by_text("bis Donnerstag, 18. März 2027, 24 Uhr, noch 30 Tage")).to_be_visible()
    dora.locator(".d-deadline summary").click()  # the computation, step by step, each with its source
    expect(dora.locator(".d-deadline .d-law__source").first).to_be_visible()
    fine(dora)
    dora.get_by_label("Betrifft").select_option(label="Wasser")
    dora.get_by_label("Was Sie sagen möchten").fill("Am Bach bleiben zehn Meter frei.")
    dora.get_by_role("button", name="Noch ein Abschnitt").click()
    dora.get_by_label("Was Sie sagen möchten").nth(1).fill("Sonst nichts.")
    dora.get_by_role("button", name="Zur Freigabe weitergeben").click()
    expect(dora.get_by_role("heading", name="Der Entwurf wartet auf die Freigabe")).to_be_visible()
    fine(dora)

    karl = new_page(viewport={"width": 1280, "height": 900})
    karl.goto(releasing)
    expect(karl.get_by_label("Was Sie sagen möchten").first).to_have_value("Am Bach bleiben zehn Meter frei.")
    karl.get_by_label("Was geändert werden soll").fill("Bitte die Böschung nennen.")
    karl.get_by_role("button", name="Zurückgeben").click()
    expect(karl.get_by_text("Der Entwurf ist zurückgegeben")).to_be_visible()
    fine(karl)

    dora.goto(drafting)
    expect(dora.get_by_text("Bitte die Böschung nennen.")).to_be_visible()
    dora.get_by_label("Was Sie sagen möchten").first.fill("Ab der Böschung bleiben zehn Meter frei.")
    go(dora.get_by_role("button", name="Zur Freigabe weitergeben"))

    karl.goto(releasing)
    karl.get_by_role("button", name="Freigeben und absenden").click()
    expect(karl.get_by_text("Ihre Stellungnahme ist bei uns eingegangen.")).to_be_visible()
    expect(karl.get_by_role("link", name="Eingangsbestätigung als PDF")).to_be_visible()
    fine(karl)

    paula = new_page(viewport={"width": 1280, "height": 900})
    paula.context.add_cookies([{"name": COOKIE, "value": planner, "url": live_server.url}])
    for address in (
        f"/verwaltung/planung/{procedure_id}/behoerden",
        f"/verwaltung/planung/{procedure_id}/behoerden/1",
        "/verwaltung/behoerden",
        "/verwaltung/behoerden/1",
        "/verwaltung/behoerden/import",
    ):
        paula.goto(address)
        fine(paula)
    paula.goto(f"/verwaltung/planung/{procedure_id}/behoerden")
    expect(paula.get_by_role("row", name="Wasserwirtschaftsamt")).to_contain_text("BP-12-0001")
