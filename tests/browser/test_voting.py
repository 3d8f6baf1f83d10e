"""A vote in a real browser, narrow, dark and without JavaScript: chosen, checked, cast, counted; no barrier on the way."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import select

from consultations import paper_ballots, voting
from consultations.ballots import Vote
from consultations.counting import VoteKind
from participation.database import unit_of_work
from tests import cast
from tests.actions.test_voting import AFTER, put_up
from tests.browser.test_journeys import Arrive, arrive, fine, press
from tests.cast import NOW
from tests.live import LiveServer

pytestmark = pytest.mark.browser

__all__ = ["arrive", "fine"]


@pytest.mark.parametrize("look", ["narrow, dark, without JavaScript"])
def test_a_vote_without_a_barrier(
    arrive: Arrive, fine: Callable[[Page], None], live_server: LiveServer
) -> None:
    with unit_of_work(live_server.engine, write=True) as session:
        town = cast.with_ideas(session)
        vote = put_up(session, town, kind=VoteKind.RANKING)
        there, desk = (
            f"/beteiligungen/ideen/abstimmung/{vote.phase_id}",
            f"/verwaltung/planung/{town.procedure.id}/abstimmung/{vote.phase_id}",
        )
        batch = paper_ballots.open_batch(
            session, vote, ["?"], received_on=NOW.date(), key=b"", by=town.clerk, now=NOW
        ).id
    planner = arrive(town.planner)
    planner.goto(desk)
    fine(planner)
    planner.locator("#codes").fill("1")
    press(planner, "Briefe zum Drucken machen")
    fine(planner)
    code = planner.locator(".d-vote-letter__code").inner_text()
    page = arrive(town.clerk)
    page.goto(there)
    fine(page)
    press(page, "Zu meinem Stimmzettel")  # without a code
    expect(page.locator("main")).to_contain_text("kennen wir nicht")
    fine(page)
    page.locator("#code").fill(code)
    press(page, "Zu meinem Stimmzettel")
    for number in (1, 2):
        page.locator(f"#mark-{number}").select_option("1")
    fine(page)
    press(page, "Auswahl prüfen")
    expect(page.locator("main")).to_contain_text("Platz 1 ist zweimal vergeben")
    fine(page)
    page.locator("#mark-2").select_option("")
    press(page, "Auswahl prüfen")
    fine(page)
    press(page, "Stimme abgeben")
    expect(page.locator("h1")).to_have_text("Ihre Stimme ist gezählt")
    fine(page)
    page.goto(f"/verwaltung/auszaehlung/stapel/{batch}")
    fine(page)
    planner.goto(desk)
    fine(planner)
    with unit_of_work(live_server.engine, write=True) as session:
        voting.close(session, session.exec(select(Vote)).one(), by=town.planner, now=AFTER)
    page.goto(there)
    expect(page.locator("table")).to_contain_text("nicht gewählt")
    fine(page)
