"""A town's settings and its staff, through the pages; and who may not touch them."""

import re
from collections.abc import Callable

import httpx2
import pytest
from lxml import html
from sqlalchemy import Engine
from sqlmodel import Session
from starlette.testclient import TestClient

from consultations import journal, municipalities, people
from consultations.deadlines import LEGAL_TIME
from consultations.municipalities import Municipality
from consultations.people import Person
from consultations.permissions import SYSTEM, Actor, Role
from consultations.seats import Seat
from participation import identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import NewClient
from tests.databases import once

HERE = "/verwaltung/kommunen/auenfurt"


@pytest.fixture
def towns(engine: Engine) -> tuple[Town, Town]:
    """Two towns with staff; those of the first can sign in."""
    with unit_of_work(engine, write=True) as session:
        return cast.found(session), cast.found(session, "seebach", "Seebach")


@pytest.fixture
def town(towns: tuple[Town, Town]) -> Town:
    return towns[0]


Enter = Callable[..., TestClient]


@pytest.fixture
def enter(engine: Engine, new_client: NewClient) -> Enter:
    """A visitor who is signed in as somebody of the cast."""

    def make(actor: Actor, host: str = "auenfurt.localhost") -> TestClient:
        client = new_client(host=host)
        assert actor.person_id is not None
        with unit_of_work(engine, write=True) as session:
            client.cookies.set(COOKIE, identity.sign_in(session, actor.person_id, now=NOW))
        return client

    return make


@pytest.fixture
def admin(enter: Enter, town: Town) -> TestClient:
    return enter(town.administrator)


@pytest.fixture
def operator(engine: Engine, enter: Enter, town: Town) -> TestClient:
    with unit_of_work(engine, write=True) as session:
        person = Person(name="Olga", email="olga@example.org", created_at=NOW)
        session.add(person)
        session.flush()
        people.grant(session, person, Role.OPERATOR, municipality_id=None, by=SYSTEM, now=NOW)
        actor = people.actor_of(session, person.id or 0)
    assert actor is not None
    return enter(actor)


def text(response: httpx2.Response) -> str:
    return " ".join(html.fromstring(response.content).text_content().split())


def fields(
    response: httpx2.Response, form: str = "//main//form[@method='post']"
) -> dict[str, str | list[str]]:
    """What a browser would send back if somebody pressed the button at once."""
    found = dict(html.fromstring(response.content).xpath(form)[0].form_values())
    several: dict[str, list[str]] = {}
    for name, value in html.fromstring(response.content).xpath(form)[0].form_values():
        several.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else found[name] for name, values in several.items()}


def stored(engine: Engine, key: str = "auenfurt") -> Municipality:
    with unit_of_work(engine) as session:
        row = municipalities.by_key(session, key)
        assert row is not None
        return row


def hosts(engine: Engine, key: str = "auenfurt") -> list[str]:
    with unit_of_work(engine) as session:
        row = municipalities.by_key(session, key)
        assert row is not None
        return municipalities.hosts_of(session, row.id or 0)


# --- the town --------------------------------------------------------------------------------------


def test_an_administrator_comes_straight_to_their_own_town(admin: TestClient) -> None:
    assert admin.get("/verwaltung/kommunen").headers["location"] == HERE
    page = admin.get(HERE)
    assert "Einstellungen von Auenfurt" in text(page)
    assert "Bayern, mit katholischen Feiertagen" in text(page)
    for link in html.fromstring(page.content).xpath("//main//a[contains(@href,'/kommunen/auenfurt/')]/@href"):
        assert admin.get(link).status_code == 200, link


@pytest.mark.parametrize("section", ["angaben", "aussehen", "feiertage", "kontakt", "texte/imprint"])
def test_saving_what_is_shown_changes_nothing_but_the_journal(
    admin: TestClient, engine: Engine, section: str
) -> None:
    before = stored(engine).model_dump()
    answer = admin.post(f"{HERE}/{section}", data=fields(admin.get(f"{HERE}/{section}")))
    assert answer.headers["location"] == f"{HERE}?done=saved"
    after = stored(engine).model_dump()
    after["legal_texts"] = {
        name: texts for name, texts in after["legal_texts"].items() if any(texts.values())
    }
    after["contact"] = {name: words for name, words in after["contact"].items() if words}
    for calendar in (before["calendar"], after["calendar"]):
        for list_of_days in ("closing_days", "school_holidays"):
            calendar.setdefault(list_of_days, [])
    assert after == before
    assert hosts(engine) == ["auenfurt.localhost"]
    assert "Gespeichert." in text(admin.get(f"{HERE}?done=saved"))


def test_a_changed_contact_stands_on_every_page_at_once(
    admin: TestClient, client: TestClient, engine: Engine
) -> None:
    assert "08999 1234-0" in client.get("/").text
    sent = fields(admin.get(f"{HERE}/kontakt")) | {"phone": "08999 777", "email": "not an address"}
    refused = admin.post(f"{HERE}/kontakt", data=sent)
    assert refused.status_code == 422
    assert "08999 777" in refused.text
    assert "08999 777" not in client.get("/").text
    assert admin.post(f"{HERE}/kontakt", data=sent | {"email": "neu@auenfurt.example"}).status_code == 303
    assert "08999 777" in client.get("/").text
    with unit_of_work(engine) as session:
        assert not list(journal.verify(session))


def test_host_names_are_checked_and_belong_to_one_town(admin: TestClient, engine: Engine) -> None:
    known = fields(admin.get(f"{HERE}/angaben"))

    def refused(typed: str) -> str:
        answer = admin.post(f"{HERE}/angaben", data=known | {"hosts": typed})
        assert answer.status_code == 422
        assert hosts(engine) == ["auenfurt.localhost"]
        shown = html.fromstring(answer.content).xpath("string(//textarea[@id='hosts'])")
        assert shown.strip() == typed
        return text(answer)

    assert "„https://neu.example“ ist kein Hostname" in refused("auenfurt.localhost\nhttps://neu.example")
    assert "„seebach.localhost“ ist schon vergeben" in refused("auenfurt.localhost\nseebach.localhost")
    assert "Bitte behalten Sie auenfurt.localhost" in refused("neu.example")
    sent = known | {"hosts": "auenfurt.localhost\nMITMACHEN.Auenfurt.example"}
    assert admin.post(f"{HERE}/angaben", data=sent).status_code == 303
    assert hosts(engine) == ["auenfurt.localhost", "mitmachen.auenfurt.example"]


@once
@pytest.mark.parametrize(
    "sides",
    [
        {"west": "10,6", "south": "48,2", "east": "10,8", "north": ""},
        {"west": "10,8", "south": "48,2", "east": "10,6", "north": "48,4"},
        {"west": "48,2", "south": "10,6", "east": "48,4", "north": "10,8"},
        {"west": "nan", "south": "48,2", "east": "10,8", "north": "48,4"},
    ],
)
def test_an_extent_is_a_box_in_germany(admin: TestClient, engine: Engine, sides: dict[str, str]) -> None:
    known = fields(admin.get(f"{HERE}/angaben"))
    assert admin.post(f"{HERE}/angaben", data=known | sides).status_code == 422
    assert stored(engine).bounds == [10.6, 48.2, 10.8, 48.4]
    right = {"west": "10,61", "south": "48.21", "east": "10,81", "north": "48,41"}
    assert admin.post(f"{HERE}/angaben", data=known | right).status_code == 303
    assert stored(engine).bounds == [10.61, 48.21, 10.81, 48.41]


def test_a_colour_that_makes_texts_hard_to_read_is_refused_with_what_was_measured(
    admin: TestClient, engine: Engine
) -> None:
    known = fields(admin.get(f"{HERE}/aussehen"))
    answer = admin.post(f"{HERE}/aussehen", data=known | {"brand": "#ffcc00"})
    assert answer.status_code == 422
    said = re.search(r"Kontrast ([\d,]+) zu 1, nötig sind 4,5 zu 1", text(answer))
    assert said is not None
    assert 1 < float(said[1].replace(",", ".")) < 2
    assert html.fromstring(answer.content).xpath("//input[@id='brand']/@value") == ["#ffcc00"]
    assert stored(engine).theme == {}
    assert (
        admin.post(f"{HERE}/aussehen", data=known | {"brand": "#7a1f3d", "corners": "round"}).status_code
        == 303
    )
    assert stored(engine).theme == {"brand": "#7a1f3d", "corners": "round"}
    assert "#7a1f3d" in admin.get("/theme.css").text


@once
@pytest.mark.parametrize(
    "change",
    [{"brand": "red"}, {"corners": "wobbly"}, {"logo": "https://evil.test/x.png"}, {"paper": "#000000"}],
)
def test_no_other_nonsense_gets_into_the_style_sheet(
    admin: TestClient, engine: Engine, change: dict[str, str]
) -> None:
    known = fields(admin.get(f"{HERE}/aussehen"))
    assert admin.post(f"{HERE}/aussehen", data=known | change).status_code == 422
    assert stored(engine).theme == {}


def test_the_look_is_tried_before_it_is_saved(admin: TestClient, engine: Engine) -> None:
    known = fields(admin.get(f"{HERE}/aussehen")) | {"brand": "#7a1f3d"}
    page = admin.post(f"{HERE}/aussehen", data=known | {"preview": "1"})
    assert "Noch ist nichts gespeichert." in text(page)
    (sheet,) = html.fromstring(page.content).xpath("//link[contains(@href,'aussehen.css')]/@href")
    tried = admin.get(sheet)
    assert tried.headers["content-type"].startswith("text/css")
    assert "#7a1f3d" in tried.text
    refused = admin.get(f"{HERE}/aussehen.css?brand=%23ffcc00")
    assert refused.status_code == 422
    assert refused.json()["field"] == "brand"
    assert "Kontrast" in refused.json()["message"]
    assert stored(engine).theme == {}


def test_holidays_of_the_seat_and_closing_days_are_set(admin: TestClient, engine: Engine) -> None:
    page = admin.get(f"{HERE}/feiertage")
    assert "Mariä Himmelfahrt" in text(page)
    known = fields(page)
    sent = known | {"closing_days": "24.12.2027 Heiligabend\n\nirgendwann", "subdivision": "HE"}
    refused = admin.post(f"{HERE}/feiertage", data=sent)
    assert refused.status_code == 422
    assert "Zeile 3 beginnt nicht mit einem Tag wie 24.12.2027." in text(refused)
    sent["closing_days"] = "2027-12-31\n24.12.2027 Heiligabend"
    del sent["catholic"]
    assert admin.post(f"{HERE}/feiertage", data=sent).status_code == 303
    seat = Seat.from_data(stored(engine).calendar)
    assert (seat.subdivision, seat.categories) == ("HE", ("public",))
    assert [(each.day.isoformat(), each.name) for each in seat.closing_days] == [
        ("2027-12-24", "Heiligabend"),
        ("2027-12-31", ""),
    ]
    assert "Mariä Himmelfahrt" not in text(admin.get(f"{HERE}/feiertage"))
    assert LEGAL_TIME.key == "Europe/Berlin"


def test_a_state_that_is_none_is_refused(admin: TestClient, engine: Engine) -> None:
    sent = fields(admin.get(f"{HERE}/feiertage")) | {"subdivision": "XX"}
    assert admin.post(f"{HERE}/feiertage", data=sent).status_code == 422
    assert stored(engine).calendar["subdivision"] == "BY"


def test_a_legal_text_is_shown_in_its_language_and_without_scripts(
    admin: TestClient, client: TestClient
) -> None:
    words = {"de": "## Wir\n\n<script>alert(1)</script>Stadt Auenfurt", "en": "## We"}
    assert admin.post(f"{HERE}/texte/imprint", data=words).status_code == 303
    page = client.get("/impressum")
    assert html.fromstring(page.content).xpath("//main//h2/text()")[0] == "Wir"
    assert "<script>alert" not in page.text
    assert html.fromstring(client.get("/en/impressum").content).xpath("//main//h2/text()")[0] == "We"
    assert admin.get(f"{HERE}/texte/no-such-text").status_code == 404


# --- which town, and who ---------------------------------------------------------------------------


def test_the_settings_of_another_town_are_not_there(
    admin: TestClient, enter: Enter, towns: tuple[Town, Town]
) -> None:
    sections = ["", "/angaben", "/aussehen", "/aussehen.css", "/feiertage", "/kontakt", "/texte/imprint"]
    for section in sections:
        assert admin.get(f"/verwaltung/kommunen/seebach{section}").status_code == 404, section
    foreign = enter(towns[0].administrator, host="seebach.localhost")
    for section in sections:
        assert foreign.get(f"/verwaltung/kommunen/seebach{section}").status_code == 403, section


def test_an_administrator_for_one_consultation_is_none_for_the_town(
    engine: Engine, enter: Enter, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        limited = cast.employ(
            session, town.municipality, Role.ADMINISTRATOR, "Lena", procedure_id=town.procedure.id
        )
    client = enter(limited)
    for path in (HERE, f"{HERE}/kontakt", "/verwaltung/personal", "/verwaltung/personal/einladen"):
        assert client.get(path).status_code == 403, path
    assert client.post(f"{HERE}/kontakt", data={"phone": "0"}).status_code == 403


def test_the_operator_adds_a_town_and_changes_any(
    operator: TestClient, engine: Engine, new_client: NewClient
) -> None:
    assert "Seebach" in text(operator.get("/verwaltung/kommunen"))
    assert operator.get("/verwaltung/kommunen/seebach/kontakt").status_code == 200
    bad = operator.post(
        "/verwaltung/neue-kommune", data={"name": "Neu", "key": "Neu Stadt", "hosts": "neu.localhost"}
    )
    assert bad.status_code == 422
    taken = operator.post(
        "/verwaltung/neue-kommune", data={"name": "Neu", "key": "seebach", "hosts": "neu.localhost"}
    )
    assert "„seebach“ ist schon vergeben" in text(taken)
    sent = {"name": "Neustadt", "key": "neustadt", "hosts": "neu.localhost"}
    assert (
        operator.post("/verwaltung/neue-kommune", data=sent)
        .headers["location"]
        .startswith("/verwaltung/kommunen/neustadt")
    )
    assert "Neustadt" in new_client(host="neu.localhost").get("/").text
    assert hosts(engine, "neustadt") == ["neu.localhost"]


def test_adding_a_town_is_the_operators_alone(admin: TestClient) -> None:
    assert admin.get("/verwaltung/neue-kommune").status_code == 403
    sent = {"name": "Neustadt", "key": "neustadt", "hosts": "neu.localhost"}
    assert admin.post("/verwaltung/neue-kommune", data=sent).status_code == 403


# --- staff -----------------------------------------------------------------------------------------

INVITATION = {"name": "Klara Neu", "email": "Klara@auenfurt.example", "role": "clerk", "where": ""}


def link_in(page: httpx2.Response) -> str:
    (link,) = html.fromstring(page.content).xpath("//input[@id='link']/@value")
    return str(link)


def member_of(engine: Engine, town: Town, name: str) -> int:
    with unit_of_work(engine) as session:
        return next(
            person.id or 0 for person, _ in people.staff_of(session, town.id) if person.name.startswith(name)
        )


def roles_of(session: Session, town: Town, person_id: int) -> list[tuple[str, int | None]]:
    return [
        (row.role, row.procedure_id)
        for person, row in people.staff_of(session, town.id)
        if person.id == person_id
    ]


def test_staff_are_listed_with_roles_and_how_they_sign_in(admin: TestClient) -> None:
    page = html.fromstring(admin.get("/verwaltung/personal").content)
    rows = {
        row.xpath("string(th/a)"): " ".join(row.text_content().split()) for row in page.xpath("//tbody/tr")
    }
    assert set(rows) == {"Anton", "Clara", "Mona", "Paula"}
    assert "Planung" in rows["Paula"]
    assert "braucht einen Link" in rows["Paula"]


def test_an_invited_clerk_gets_a_link_that_leads_in(
    admin: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    page = admin.post("/verwaltung/personal/einladen", data=INVITATION)
    link = link_in(page)
    assert link.startswith("http://auenfurt.localhost/einladung/")
    assert page.headers["cache-control"] == "no-store"
    assert "eingeladen" in text(admin.get("/verwaltung/personal"))
    klara = new_client()
    assert klara.post(link, data={"password": "a long enough password"}).status_code == 303
    assert "Klara Neu" in text(klara.get("/konto"))
    assert klara.get("/verwaltung/personal").status_code == 403
    with unit_of_work(engine) as session:
        assert roles_of(session, town, member_of(engine, town, "Klara")) == [("clerk", None)]


def test_a_role_may_be_for_one_consultation_but_an_administrator_is_for_the_town(
    admin: TestClient, engine: Engine, town: Town
) -> None:
    where = str(town.procedure.id)
    refused = admin.post(
        "/verwaltung/personal/einladen", data=INVITATION | {"role": "administrator", "where": where}
    )
    assert refused.status_code == 422
    assert "nur für die ganze Kommune" in text(refused)
    assert "Klara Neu" in refused.text
    assert "Klara" not in text(admin.get("/verwaltung/personal"))
    admin.post("/verwaltung/personal/einladen", data=INVITATION | {"role": "planner", "where": where})
    assert "Planung: Wohnen am Mühlbach" in text(admin.get("/verwaltung/personal"))


@once
@pytest.mark.parametrize(
    "change",
    [
        {"email": "no address"},
        {"email": ""},
        {"name": ""},
        {"role": ""},
        {"role": "operator"},
        {"where": "999"},
    ],
)
def test_a_wrong_invitation_keeps_what_was_typed(admin: TestClient, change: dict[str, str]) -> None:
    answer = admin.post("/verwaltung/personal/einladen", data=INVITATION | change)
    assert answer.status_code == 422
    for name, typed in (INVITATION | change).items():
        if name in ("name", "email"):
            assert html.fromstring(answer.content).xpath(f"//input[@id='{name}']/@value") == (
                [typed] if typed else [""]
            )


def test_who_has_an_account_of_another_town_gets_one_of_this_town_with_a_password_of_its_own(
    admin: TestClient, new_client: NewClient, engine: Engine, towns: tuple[Town, Town]
) -> None:
    """The role went to the other town's account, and so to whoever had chosen its password with the other town's link."""
    there = towns[1]
    theirs = {"email": "paula@seebach.example", "password": "a long enough password"}
    with unit_of_work(engine, write=True) as session:
        person = session.get(Person, there.planner.person_id)
        assert person is not None
        identity.create_password_identity(session, person, *theirs.values(), by=SYSTEM, now=NOW)
    link = link_in(admin.post("/verwaltung/personal/einladen", data=INVITATION | {"email": theirs["email"]}))
    assert new_client().post("/anmelden", data=theirs).status_code == 422
    assert new_client().post(link, data={"password": "the password here"}).status_code == 303
    assert new_client().post("/anmelden", data=theirs).status_code == 422
    own = theirs | {"password": "the password here"}
    assert new_client().post("/anmelden", data=own).status_code == 303
    assert admin.get(f"/verwaltung/personal/{there.planner.person_id}").status_code == 404
    again = admin.post(
        "/verwaltung/personal/einladen",
        data=INVITATION | {"email": theirs["email"], "role": "moderator"},
    )
    assert "kann sich schon anmelden" in text(again)
    assert not html.fromstring(again.content).xpath("//input[@id='link']")


def test_who_works_for_another_town_as_well_is_managed_by_the_operator_alone(
    admin: TestClient, engine: Engine, towns: tuple[Town, Town]
) -> None:
    here, there = towns
    with unit_of_work(engine, write=True) as session:
        person = session.get(Person, there.planner.person_id)
        assert person is not None
        people.grant(session, person, Role.CLERK, municipality_id=here.id, by=SYSTEM, now=NOW)
        identity.create_password_identity(
            session, person, "paula@seebach.example", "a long enough password", by=SYSTEM, now=NOW
        )
    member = f"/verwaltung/personal/{there.planner.person_id}"
    assert "kann nur der Betrieb ändern" in text(admin.get(member))
    for action in ("einladung", "sperren"):
        assert admin.post(f"{member}/{action}").status_code == 403


def test_roles_are_given_and_taken_away(admin: TestClient, engine: Engine, town: Town) -> None:
    person_id = member_of(engine, town, "Mona")
    member = f"/verwaltung/personal/{person_id}"
    assert admin.post(f"{member}/rollen", data={"role": "", "where": ""}).status_code == 422
    assert admin.post(f"{member}/rollen", data={"role": "planner", "where": ""}).status_code == 303
    with unit_of_work(engine) as session:
        assert roles_of(session, town, person_id) == [("moderator", None), ("planner", None)]
    offered = html.fromstring(admin.get(member).content).xpath("//input[@name='role']/@value")
    assert set(offered) == set(Role) - {Role.OPERATOR}, "every role of a town can be given by hand"
    page = html.fromstring(admin.get(member).content)
    for action in page.xpath("//form[contains(@action,'/entziehen')]/@action"):
        assert admin.post(action).status_code == 303
    with unit_of_work(engine) as session:
        assert roles_of(session, town, person_id) == []
        assert not list(journal.verify(session))
    assert admin.get(member).status_code == 404


def test_nobody_takes_their_own_administration_away_or_switches_themselves_off(
    admin: TestClient, engine: Engine, town: Town
) -> None:
    me = f"/verwaltung/personal/{town.administrator.person_id}"
    (action,) = html.fromstring(admin.get(me).content).xpath("//form[contains(@action,'/entziehen')]/@action")
    assert admin.post(action).status_code == 403
    assert admin.post(f"{me}/sperren").status_code == 403
    assert admin.get(me).status_code == 200


def test_switching_off_ends_sessions_and_on_again_lets_in(
    admin: TestClient, new_client: NewClient, engine: Engine, town: Town
) -> None:
    klara = new_client()
    klara.post(
        link_in(admin.post("/verwaltung/personal/einladen", data=INVITATION)),
        data={"password": "long password"},
    )
    member = f"/verwaltung/personal/{member_of(engine, town, 'Klara')}"
    assert admin.post(f"{member}/sperren").headers["location"] == f"{member}?done=off"
    assert klara.get("/konto").status_code == 303
    credentials = {"email": "klara@auenfurt.example", "password": "long password"}
    assert klara.post("/anmelden", data=credentials).status_code == 422
    assert "gesperrt" in text(admin.get("/verwaltung/personal"))
    assert admin.post(f"{member}/freigeben").status_code == 303
    assert klara.post("/anmelden", data=credentials).status_code == 303


def test_a_new_link_for_who_lost_theirs_and_for_who_never_had_one(
    admin: TestClient, engine: Engine, town: Town
) -> None:
    first = link_in(admin.post("/verwaltung/personal/einladen", data=INVITATION))
    member = f"/verwaltung/personal/{member_of(engine, town, 'Klara')}"
    second = link_in(admin.post(f"{member}/einladung"))
    assert first != second
    assert admin.get(first).status_code == 410
    assert admin.get(second).status_code == 200
    mona = f"/verwaltung/personal/{member_of(engine, town, 'Mona')}"
    assert admin.get(link_in(admin.post(f"{mona}/einladung"))).status_code == 200


def test_staff_of_another_town_are_not_there(
    admin: TestClient, engine: Engine, towns: tuple[Town, Town]
) -> None:
    here, there = towns
    stranger = there.moderator.person_id
    assert admin.get(f"/verwaltung/personal/{stranger}").status_code == 404
    for action in ("rollen", "einladung", "sperren", "freigeben"):
        assert (
            admin.post(f"/verwaltung/personal/{stranger}/{action}", data={"role": "clerk"}).status_code == 404
        )
    with unit_of_work(engine) as session:
        ((_, assignment),) = [pair for pair in people.staff_of(session, there.id) if pair[0].id == stranger]
    for person in (stranger, here.moderator.person_id):
        assert (
            admin.post(f"/verwaltung/personal/{person}/rollen/{assignment.id}/entziehen").status_code == 404
        )
    with unit_of_work(engine) as session:
        assert roles_of(session, there, stranger or 0) == [("moderator", None)]
