"""From the idea to the built thing in a real browser: written, improved, merged, answered, followed, built; axe everywhere.

The steps are tested where they live (tests/actions, tests/pages); here is that they lead to one another without a
barrier, with JavaScript on a wide screen, without it on a narrow dark one, and at the counter.
"""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from consultations import evaluation, moderation, proposals
from consultations.contributions import Contribution
from consultations.moderation import Action, Decision
from consultations.permissions import Role
from participation.database import unit_of_work
from tests import cast
from tests.browser.steps import go
from tests.browser.test_journeys import LOOKS, Arrive, access_code, arrive, fine, look_up, press
from tests.cast import NOW, Town
from tests.live import LiveServer

pytestmark = pytest.mark.browser

__all__ = ["arrive", "fine"]

HERE = "/beteiligungen/ideen"
THERE = f"{HERE}/vorschlaege/ID-0001"


@pytest.fixture
def town(live_server: LiveServer) -> Town:
    """The cast's town with a dialogue that takes proposals and comments."""
    with unit_of_work(live_server.engine, write=True) as session:
        return cast.with_ideas(session)


def show_everything(server: LiveServer, town: Town) -> None:
    """What a moderator would decide, past the pages, which have journeys of their own."""
    with unit_of_work(server.engine, write=True) as session:
        for row in session.exec(select(Contribution).where(Contribution.publication == "pending")).all():
            moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)


def write(page: Page, fine: Callable[[Page], None], title: str, what: str) -> str:
    """Propose something from the list on, step by step; the access code of the receipt."""
    page.goto(f"{HERE}/vorschlaege")
    fine(page)
    go(page.get_by_role("link", name="Einen Vorschlag schreiben").first)
    fine(page)
    page.locator("[name=title]").fill(title)
    page.locator("[name=text]").fill(what)
    while page.get_by_role("button", name="Weiter", exact=True).count():
        public = page.locator("[name=publish][value=yes]")
        if public.count():
            public.check()
        press(page, "Weiter")
        fine(page)
    press(page, "Absenden")
    expect(page.locator("main")).to_contain_text("ID-000")
    fine(page)
    return access_code(page)


@pytest.mark.parametrize("look", LOOKS)
def test_written_improved_and_merged(
    arrive: Arrive, fine: Callable[[Page], None], live_server: LiveServer, town: Town
) -> None:
    author = arrive(None)
    code = write(author, fine, "Bänke am Mühlbach", "Am Mühlbach sollen Bänke im Schatten stehen.")
    show_everything(live_server, town)

    other = arrive(None)
    other.goto(THERE)
    fine(other)
    other.get_by_role("link", name="Andere Worte vorschlagen").first.click()
    press(other, "Absenden")
    fine(other)
    other.locator("[name=what]").fill("Am Mühlbach sollen acht Bänke im Schatten stehen.")
    other.locator("[name=reason]").fill("Das ist genauer.")
    other.locator("[name=pseudonym]").fill("Emil")
    press(other, "Absenden")
    expect(other.get_by_role("heading", level=1)).to_have_text("Wir haben Ihren Änderungsvorschlag erhalten")
    show_everything(live_server, town)

    look_up(author, code)
    press(author, "Weiterschreiben, auch mit anderen")
    fine(author)
    go(author.get_by_role("link", name="Was schlagen Sie vor?").first)
    fine(author)
    press(author, "Übernehmen")
    fine(author)
    other.goto(THERE)
    expect(other.locator("main")).to_contain_text("acht Bänke")
    go(other.get_by_role("link", name=re.compile("Was sich in Fassung 2")).first)
    fine(other)

    # Another one that wishes the same goes into it, with the consent of both.
    second = write(other, fine, "Stühle am Mühlbach", "Am Mühlbach sollen Stühle stehen.")
    show_everything(live_server, town)
    look_up(other, second)
    press(other, "Weiterschreiben, auch mit anderen")
    go(other.get_by_role("link", name="Mit einem anderen zusammenlegen"))
    fine(other)
    other.get_by_label("Nummer des anderen Vorschlags").fill("ID-0001")
    press(other, "Weiter")
    fine(other)
    other.locator("[name=reason]").fill("Beide wollen sitzen.")
    press(other, "Die andere Seite fragen")
    fine(other)
    author.goto("/mitschreiben/vorschlag")
    go(author.get_by_role("link", name="Stühle am Mühlbach"))
    fine(author)
    press(author, "Zustimmen")
    fine(author)
    other.goto(f"{HERE}/vorschlaege/ID-0003")
    expect(other.locator("main")).to_contain_text("Teil eines anderen Vorschlags")
    fine(other)


@pytest.mark.parametrize("look", ["wide, with JavaScript"])
def test_at_the_counter_answered_followed_and_built(
    arrive: Arrive, fine: Callable[[Page], None], live_server: LiveServer, town: Town
) -> None:
    clerk = arrive(town.clerk)
    clerk.goto("/verwaltung/eingang")
    clerk.get_by_role("link", name="Ideen für den Mühlbach").click()
    clerk.get_by_label("Wie ist es bei uns angekommen?").select_option("letter")
    kind = clerk.locator("[name=kind][value=proposal]")
    if kind.count():
        kind.check()
    clerk.get_by_label("Tag des Eingangs").fill(f"{NOW:%Y-%m-%d}")
    clerk.locator("[name=title]").fill("Bänke am Mühlbach")
    clerk.get_by_label("Was darin steht").fill("Am Mühlbach sollen Bänke stehen.")
    clerk.get_by_label("Name", exact=False).first.fill("Ida Kern")
    clerk.get_by_label("Straße und Hausnummer").fill("Gasse 3")
    clerk.get_by_label("Darf ohne Namen veröffentlicht werden").check()
    fine(clerk)
    press(clerk, "Aufnehmen und Eingangsbestätigung erstellen")
    fine(clerk)
    show_everything(live_server, town)

    visitor = arrive(None)
    visitor.goto(THERE)
    go(visitor.get_by_role("link", name="Unterstützen").first)
    fine(visitor)
    press(visitor, "Unterstützen")
    fine(visitor)
    go(visitor.get_by_role("link", name=re.compile("Sagen Sie mir|Bescheid|was daraus wird")).first)
    fine(visitor)
    visitor.locator("[name=email]").fill("nora@example.org")
    visitor.locator("[name=agrees]").check()
    go(visitor.locator("main form button").last)
    fine(visitor)

    # The office judges and writes, a second person agrees, the planner publishes.
    with unit_of_work(live_server.engine, write=True) as session:
        evaluator = cast.employ(session, town.municipality, Role.EVALUATOR, "Nadja")
        evaluation.assign(
            session, [1], ["Stadtgrün"], due_on=(NOW + timedelta(days=9)).date(), by=town.planner, now=NOW
        )
    office = arrive(evaluator)
    office.goto("/verwaltung/bewertung")
    fine(office)
    office.goto("/verwaltung/bewertung/vorschlaege/1")
    fine(office)
    office.locator("[name=outcome][value=adopted]").check()
    office.locator("[name=reason]").fill("Das machen wir.")
    office.locator("button[value=hand_on]").click()  # the costs are missing: a slip
    expect(office.get_by_role("alert").first).to_be_visible()
    fine(office)
    office.locator("[name=cost_from]").fill("8000")
    office.locator("[name=cost_to]").fill("9000")
    go(office.locator("button[value=hand_on]"))
    fine(office)
    planner = arrive(town.planner)
    planner.goto("/verwaltung/bewertung/vorschlaege/1")
    go(planner.locator("button[value=approve]"))
    fine(planner)
    planner.goto(f"/verwaltung/bewertung/{town.procedure.id}")
    planner.locator("[name=chosen]").first.check()
    go(planner.locator("button[value=publish]"))
    fine(planner)

    planner.goto("/verwaltung/umsetzung/1")
    planner.locator("[name=title]").fill("Bänke aufstellen")
    planner.locator("[name=day]").fill(f"{NOW:%Y-%m-%d}")
    planner.locator("[name=state]").select_option("reached")
    go(planner.locator("button[value=add]"))
    fine(planner)
    visitor.goto(THERE)
    for expected in ("Das machen wir.", "8.000 bis 9.000 €", "Bänke aufstellen", "1 Person"):
        expect(visitor.locator("main")).to_contain_text(expected)
    fine(visitor)
    with unit_of_work(live_server.engine) as session:
        assert proposals.by_contribution(session, 1) is not None
