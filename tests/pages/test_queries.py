"""How often a page asks the database does not depend on how much there is: the same for two rows as for thirty."""

from collections.abc import Callable

import pytest
from sqlalchemy import Engine
from sqlmodel import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import discussion, moderation, procedures, publishing, rewording, support
from consultations.contributions import AttachedFile, Contribution, Kind, Submission
from consultations.moderation import Action, Decision
from consultations.permissions import PUBLIC, Actor, Role
from consultations.phases import Opens, PhaseInput, PhaseKind
from geo.geometry import from_lonlat
from participation import identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.cast import ENDS, NOW, STARTS, Town
from tests.queries import counted

HERE = "/beteiligungen/ideen-fuer-den-bahnhof"
PUBLIC_PAGES = (
    f"{HERE}/beitraege",
    f"{HERE}/beitraege?q=Baum",
    f"{HERE}/beitraege/IDEE-0001",
    f"{HERE}/vorschlaege",
    f"{HERE}/vorschlaege?q=Baum&sortierung=newest",
    f"{HERE}/vorschlaege/IDEE-0001",
    f"{HERE}/vorschlaege/IDEE-0001/kommentare",
    f"{HERE}/vorschlaege/IDEE-0001/kommentare?art=for",
    f"{HERE}/beitraege.atom",
    f"{HERE}/beitraege.csv",
    f"{HERE}/karte",
    f"{HERE}/karte.json?bbox=10.6,48.2,10.8,48.4&zoom=15",
    f"{HERE}/stellungnahme?kind=proposal",
    "/karte",
    "/karte.json",
    "/beteiligungen.atom",
)
STAFF_PAGES: tuple[tuple[Role, str], ...] = (
    (Role.CLERK, "/verwaltung"),
    (Role.CLERK, "/verwaltung/eingang"),
    (Role.CLERK, "/verwaltung/eingangsbuch/1"),
    (Role.MODERATOR, "/verwaltung/moderation"),
    (Role.MODERATOR, "/verwaltung/moderation/entschieden"),
    (Role.MODERATOR, "/verwaltung/vorschlaege"),
    (Role.PLANNER, "/verwaltung"),
    (Role.ADMINISTRATOR, "/verwaltung/personal"),
    (Role.ADMINISTRATOR, "/konto"),
)


@pytest.fixture
def town(engine: Engine) -> Town:
    """The cast's town with a dialogue that takes ideas and comments on them."""
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
        phase = PhaseInput(
            PhaseKind.CO_CREATION, starts_on=STARTS, ends_on=ENDS, opens=(Opens.PROPOSAL, Opens.COMMENT)
        )
        town.procedure = procedures.create(
            session,
            cast.consultation(key="IDEE", title="Ideen für den Bahnhof", phases=(phase,)),
            municipality_id=town.id,
            template_key="informal_dialogue",
            by=town.planner,
            now=NOW,
        )
        publishing.publish(session, town.procedure, by=town.planner, now=NOW)
        return town


def grow(session: Session, town: Town, numbers: range) -> None:
    """For each number an idea with a place and a file, a comment on the first idea, one that waits, and a clerk."""
    town.procedure = session.merge(town.procedure)
    for number in numbers:
        file = AttachedFile(f"{number:064x}", f"{number}.pdf", "application/pdf", 10)
        idea = town.hand_in(
            session,
            f"Ein Baum an Stelle {number}",
            kind=Kind.PROPOSAL,
            title=f"Idee {number}",
            category=f"Thema {number}",
            located=from_lonlat(10.7 + number / 1000, 48.3),
            wants_publication=True,
            attachments=(file,),
        )
        first = session.get_one(Contribution, idea.id if number == 0 else 1)
        comment = town.hand_in(
            session, f"Ja, Nummer {number}!", kind=Kind.COMMENT, parent=first, wants_publication=True
        )
        form = Submission(
            Kind.COMMENT, "web", f"said-{number}", text=f"Gut, {number}!", wants_publication=True
        )
        for row in (idea, comment):
            moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
        said = discussion.comment(
            session, first.id or 0, discussion.Stance.FOR, form, procedure=town.procedure, by=PUBLIC, now=NOW
        )
        moderation.decide(session, said, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
        anew = rewording.reword(
            session, said.id or 0, f"Sehr gut, {number}!", base_number=1, by=PUBLIC, now=NOW
        )
        rewording.show(session, said, anew, by=town.moderator, now=NOW)
        finds = support.Supporter(f"browser:{number}")
        support.mark(session, first.id or 0, said.id or 0, finds, by=PUBLIC, now=NOW)
        town.hand_in(session, f"Noch {number}", kind=Kind.PROPOSAL, title="Wartet", wants_publication=True)
        cast.employ(session, session.merge(town.municipality), Role.CLERK, f"Clerk{number}")


def test_thirty_rows_cost_as_many_queries_as_two(
    app: Starlette, engine: Engine, town: Town, new_client: Callable[..., TestClient]
) -> None:
    visitors: dict[Role | None, TestClient] = {None: new_client()}
    for role, actor in town.staff.items():
        visitors[role] = signed_in(engine, actor, new_client())
    pages: list[tuple[Role | None, str]] = [*((None, address) for address in PUBLIC_PAGES), *STAFF_PAGES]

    def ask() -> dict[tuple[Role | None, str], list[str]]:
        asked = {}
        for role, address in pages:
            with counted(app.state.house.engine) as statements:
                assert visitors[role].get(address).status_code == 200, address
            asked[role, address] = statements
        return asked

    with unit_of_work(engine, write=True) as session:
        grow(session, town, range(2))
    ask()  # What a process looks up once and then knows does not count.
    with unit_of_work(engine, write=True) as session:
        grow(session, town, range(2, 4))
    few = ask()
    with unit_of_work(engine, write=True) as session:
        grow(session, town, range(4, 30))
    many = ask()
    assert all(few.values()), "every page asks something"
    more = {
        page: f"{len(few[page])}, then {len(many[page])}" for page in few if len(few[page]) != len(many[page])
    }
    assert not more


def signed_in(engine: Engine, actor: Actor, client: TestClient) -> TestClient:
    assert actor.person_id is not None
    with unit_of_work(engine, write=True) as session:
        client.cookies.set(COOKIE, identity.sign_in(session, actor.person_id, now=NOW))
    return client


def test_a_page_that_says_no_asks_once_who_is_there(
    app: Starlette, engine: Engine, town: Town, new_client: Callable[..., TestClient]
) -> None:
    clerk = signed_in(engine, town.clerk, new_client())
    with counted(app.state.house.engine) as statements:
        said = clerk.get("/verwaltung/personal")
    assert (said.status_code, "Clara" in said.text) == (403, True)
    assert sum("FROM sign_in" in each for each in statements) == 1
