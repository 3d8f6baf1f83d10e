"""The agencies' pages: the register, asking them, their own desk behind a link, the counter; on both databases."""

import html
import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pypdf
import pytest
from openpyxl import load_workbook
from sqlalchemy import Engine
from sqlmodel import Session, select
from starlette.testclient import TestClient

from consultations import agencies, agency_answers, agency_overview, invitations
from consultations.agencies import AgencyInput, ClerkInput, ClerkRole, Entry
from consultations.agency_answers import AgencyReply
from consultations.contributions import Contribution
from consultations.invitations import Invitation, InvitationLink
from consultations.notices import Notice, NoticeWay
from consultations.permissions import SYSTEM, Actor, Role
from consultations.phases import Phase, PhaseKind
from consultations.seats import Seat
from participation import agency_messages, identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Clock, NewClient
from tests.queries import counted

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
BROWSER = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Mode": "navigate"}
SEAT = Seat.from_data({"country": "DE", "subdivision": "BY", "categories": ["public", "catholic"]})
DUE = date(2027, 3, 18)


@pytest.fixture
def town(engine: Engine) -> Town:
    """The cast's town with an agencies' phase beside the public one."""
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
        session.add(
            Phase(
                procedure_id=town.procedure.id or 0,
                kind=PhaseKind.AGENCIES.value,
                track="agencies",
                starts_on=date(2027, 2, 1),
                is_formal=True,
                position=9,
            )
        )
        return town


Enter = Callable[[Actor], TestClient]


@pytest.fixture
def enter(engine: Engine, new_client: NewClient, clock: Clock) -> Enter:
    def make(actor: Actor) -> TestClient:
        client = new_client()
        with unit_of_work(engine, write=True) as session:
            client.cookies.set(COOKIE, identity.sign_in(session, actor.person_id or 0, now=clock.now))
        client.headers.update(SAME_ORIGIN)
        return client

    return make


@pytest.fixture
def planner(enter: Enter, town: Town) -> TestClient:
    return enter(town.planner)


def register(session: Session, town: Town, name: str, *clerks: ClerkInput, **facts: Any) -> Entry:
    facts = {"email": f"{name.lower().replace(' ', '.')}@amt.example", **facts}
    entry, _ = agencies.save(session, AgencyInput(name, **facts), municipality_id=town.id, by=SYSTEM, now=NOW)
    for clerk in clerks:
        agencies.add_clerk(session, entry, clerk, by=SYSTEM, now=NOW)
    return entry


def asked(session: Session, town: Town, key: bytes, entry: Entry) -> Invitation:
    phase = session.exec(select(Phase).where(Phase.track == "agencies")).one()
    procedure = session.merge(town.procedure)
    facts: dict[str, Any] = {"by": SYSTEM, "now": NOW}
    invitations.put_on_list(session, phase, procedure, entry, why="", is_proposed=True, **facts)
    return invitations.send(session, phase, procedure, due_on=None, seat=SEAT, key=key, **facts)[0]


def key_of(client: TestClient) -> bytes:
    key = client.app.state.house.link_key  # type: ignore[attr-defined]
    assert isinstance(key, bytes)
    return key


def links(session: Session, key: bytes) -> list[str]:
    """The addresses of all links in the order in which they were made."""
    rows = session.exec(select(InvitationLink).order_by(InvitationLink.id)).all()  # type: ignore[arg-type]
    return [f"/behoerden/{invitations.token_of(key, row)}" for row in rows]


def only(engine: Engine, kind: type[Any]) -> Any:
    with unit_of_work(engine) as session:
        row = session.exec(select(kind)).one()
        session.expunge(row)
        return row


# --- the register ----------------------------------------------------------------------------------


def test_a_planner_keeps_the_register(planner: TestClient, engine: Engine, town: Town) -> None:
    sent = {
        "name": "Wasserwirtschaftsamt",
        "kind": "authority",
        "subjects": ["water", "nature"],
        "is_townwide": "y",
        "email": "post@wwa.example",
    }
    wrong = planner.post("/verwaltung/behoerden/neu", data={**sent, "email": "kein at"})
    assert wrong.status_code == 422
    assert "ist keine E-Mail-Adresse" in wrong.text
    assert 'value="Wasserwirtschaftsamt"' in wrong.text
    made = planner.post("/verwaltung/behoerden/neu", data=sent)
    address = made.headers["location"].partition("?")[0]
    assert "Wasserwirtschaftsamt" in planner.get(address).text
    clerk = {
        "do": "clerk",
        "clerk_name": "Vera Moos",
        "clerk_email": "v@wwa.example",
        "clerk_role": "releases",
    }
    assert planner.post(address, data=clerk).status_code == 303
    assert "Vera Moos" in planner.get(address).text
    assert planner.post(address, data={**clerk, "clerk_email": "x"}).status_code == 422
    planner.post("/verwaltung/behoerden/neu", data={**sent, "name": "WWA"})
    with unit_of_work(engine) as session:
        first, second = [entry.id for entry in agencies.every(session, town.id)]
    merge = {"do": "merge", "merge_into": str(first), "merge_note": ""}
    assert planner.post(f"/verwaltung/behoerden/{second}", data=merge).status_code == 422
    assert (
        planner.post(f"/verwaltung/behoerden/{second}", data={**merge, "merge_note": "doppelt"}).status_code
        == 303
    )
    shown = planner.get(f"/verwaltung/behoerden/{first}").text
    undo = re.search(r'value="(undo-\d+)"', shown)
    assert undo is not None
    assert "doppelt" in shown
    assert "aufgegangen" in planner.get(f"/verwaltung/behoerden/{second}").text
    assert planner.post(f"/verwaltung/behoerden/{first}", data={"do": undo[1]}).status_code == 303
    assert planner.post(f"/verwaltung/behoerden/{second}", data={"do": "off"}).status_code == 303
    listed = planner.get("/verwaltung/behoerden?active=no").text
    assert "nicht mehr beteiligt" in listed
    assert planner.post("/verwaltung/behoerden/sachgebiete", data={"label": "Stadtbäche"}).status_code == 303
    assert "Stadtbäche" in planner.get("/verwaltung/behoerden/neu").text


def test_competence_is_drawn_or_typed_and_the_history_says_what_changed(
    enter: Enter, planner: TestClient, engine: Engine, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        entry = register(session, town, "Bachamt", key="7")
        asked(session, town, key_of(planner), entry)
    page = f"/verwaltung/behoerden/{entry.id}"
    sent = {"name": "Bachamt Süd", "kind": "authority", "email": "b@amt.example", "key": "7"}
    area = '{"type":"Polygon","coordinates":[[[10.9,48.3],[10.91,48.3],[10.91,48.31],[10.9,48.3]]]}'
    for wrong, words in (
        ({"drawn": '{"type":"Point","coordinates":[10.9,48.3]}'}, "drawn"),
        ({"others": "Nirgendwo"}, "Nirgendwo"),
        ({}, "areas"),
    ):
        refused = planner.post(page, data={**sent, **wrong})
        assert refused.status_code == 422, wrong
        assert words in refused.text
    assert planner.post(page, data={**sent, "drawn": area}).status_code == 303
    shown = planner.get(page).text
    assert "Name: Bachamt → Bachamt Süd" in shown
    assert "ganze Stadt → ein Teil davon" in shown
    assert "Bisherige Anfragen" in shown
    assert "Wohnen am Mühlbach" in shown
    assert "gezeichnetes Gebiet" in planner.get("/verwaltung/behoerden").text
    # Saved again as it is shown, nothing changes.
    drawn = re.search(r'<textarea[^>]*id="drawn"[^>]*>([^<]+)<', shown)
    assert drawn is not None
    with unit_of_work(engine) as session:
        before = session.get_one(agencies.Agency, entry.id).drawn
    assert planner.post(page, data={**sent, "drawn": html.unescape(drawn[1])}).status_code == 303
    with unit_of_work(engine) as session:
        assert session.get_one(agencies.Agency, entry.id).drawn == before
    # Who plans one consultation only is not offered what would be refused.
    with unit_of_work(engine, write=True) as session:
        one = cast.employ(session, town.municipality, Role.PLANNER, "Einer", procedure_id=town.procedure.id)
    theirs = enter(one)
    assert 'href="/verwaltung/behoerden"' not in theirs.get("/verwaltung").text
    assert theirs.get("/verwaltung/behoerden").status_code == 403
    assert 'href="/verwaltung/behoerden"' in planner.get("/verwaltung").text


def test_a_table_is_looked_at_before_it_is_taken_in(planner: TestClient, engine: Engine, town: Town) -> None:
    template = planner.get("/verwaltung/behoerden/vorlage.xlsx")
    sheet = load_workbook(io.BytesIO(template.content)).active
    assert sheet is not None
    assert [cell.value for cell in sheet[1]][:2] == ["Kennung", "Name"]
    table = "Kennung;Name;Sachgebiete\n1;Straßenbauamt;Straßen\n2;Zauberamt;Magie\n".encode("cp1252")
    address = "/verwaltung/behoerden/import"
    looked = planner.post(address, files={"file": ("liste.csv", table, "text/csv")})
    assert looked.status_code == 200
    assert "Magie" in looked.text
    assert "Windows-1252" in looked.text
    with unit_of_work(engine) as session:
        assert agencies.every(session, town.id) == []
    found = re.search(r'name="kept"[^>]*value="([^"]+)"', looked.text)
    assert found is not None
    kept = found[1]
    assert planner.post(address, data={"kept": kept, "do": "import"}).status_code == 200  # a line is refused
    assert planner.post(address, data={"kept": kept + "x", "do": "import"}).status_code == 422  # not ours
    assert planner.post(address, data={"kept": kept, "do": "import", "skip": "y"}).status_code == 303
    with unit_of_work(engine) as session:
        assert [entry.name for entry in agencies.every(session, town.id)] == ["Straßenbauamt"]
    given = planner.get("/verwaltung/behoerden/verzeichnis.csv")
    assert "Straßenbauamt" in given.content.decode("utf-8-sig")
    again = planner.post(address, files={"file": ("liste.csv", given.content, "text/csv")})
    assert "Nichts zu übernehmen" in again.text
    for name, content, words in (
        ("kaputt.xlsx", b"PK\x03\x04 nothing", "„kaputt.xlsx“ ist beschädigt"),
        ("liste.csv", b"Name;Ort\nAmt;Au;zu viel\n", "Zeile 2 hat 3 Zellen, die Kopfzeile 2"),
        ("liste.csv", b"Amt;Ort\nA;B\n", "keine Spalte „Name“"),
        ("liste.csv", b"Name\n" + b"Amt\n" * 100_000, "mehr als 2.000 Zeilen"),
    ):
        refused = planner.post(address, files={"file": (name, content, "text/csv")})
        assert refused.status_code == 422, name
        assert words in html.unescape(refused.text), words
    assert planner.post(address, data={"do": "check"}).status_code == 422


# --- asking ----------------------------------------------------------------------------------------


def test_a_planner_asks_and_is_not_let_below_the_law(planner: TestClient, engine: Engine, town: Town) -> None:
    page = f"/verwaltung/planung/{town.procedure.id}/behoerden"
    with unit_of_work(engine, write=True) as session:
        water = register(session, town, "Wasserwirtschaftsamt", subjects=("water",)).id
        fire = register(
            session,
            town,
            "Pfarramt",
            subjects=("churches",),
            email="",
            street="Kirchgasse 2",
            city="Auenfurt",
        ).id
    assert "Wasserwirtschaftsamt" in planner.get(page).text
    about = {"do": "round", "subjects": ["water"], "words": "Bitte zum Bach.", "remind_before": "5"}
    assert planner.post(page, data=about).status_code == 303
    # The plan is about water now: the parish needs a reason, whatever a form claims.
    planner.post(page, data={"do": "list", "chosen": [str(water), str(fire)]})
    assert planner.post(page, data={"do": "add", "other": str(fire), "reason": ""}).status_code == 422
    assert planner.post(page, data={"do": "add", "other": str(fire), "reason": "Friedhof"}).status_code == 303
    shown = planner.get(page).text
    assert "1 Behörde hat keine E-Mail-Adresse" in shown
    short = planner.post(page, data={"do": "send", "due_on": "2027-03-17"})
    assert short.status_code == 422
    assert "kürzer, als das Gesetz erlaubt" in short.text
    assert planner.post(page, data={"do": "send", "due_on": "2027-03-24"}).status_code == 303
    with unit_of_work(engine) as session:
        assert {row.due_on for row in session.exec(select(Invitation)).all()} == {date(2027, 3, 24)}
        ways = {notice.way for notice in session.exec(select(Notice)).all()}
        assert ways == {NoticeWay.MAIL.value, NoticeWay.LETTER.value}
        one = session.exec(select(Invitation).where(Invitation.organisation_id == water)).one()
    detail = f"{page}/{one.id}"
    assert "§\u00a04 Abs. 2" in planner.get(detail).text
    for sent in (
        {"do": "due", "due-due_on": "2027-03-18", "due-reason": "kürzer"},
        {"do": "remove", "remove-reason": ""},
        {"do": "grant", "grant-granted_until": "2027-04-01"},
        {"do": "assign", "assign-reference": "BP-12-0099"},
    ):
        assert planner.post(detail, data=sent).status_code == 422, sent
    later = {"do": "due", "due-due_on": "2027-03-31", "due-reason": "Ferien"}
    assert planner.post(detail, data=later).status_code == 303
    assert "31. März 2027" in planner.get(detail).text
    table = planner.get(f"{page}/uebersicht.csv").content.decode("utf-8-sig")
    assert "Wasserwirtschaftsamt;angefragt;per E-Mail;2027-02-16" in table


def test_the_overview_is_narrowed_paged_and_given_out_safely(
    planner: TestClient, desk: TestClient, engine: Engine, town: Town, clock: Clock, enter: Enter
) -> None:
    with unit_of_work(engine, write=True) as session:
        formula = asked(
            session, town, key_of(planner), register(session, town, "=HYPERLINK(1)", email="f@amt.example")
        )
        for number in range(51):
            asked(session, town, key_of(planner), register(session, town, f"Amt {number:02}"))
    page = f"/verwaltung/planung/{town.procedure.id}/behoerden"
    with unit_of_work(engine) as session:
        link = invitations.token_of(
            key_of(planner),
            session.exec(select(InvitationLink).where(InvitationLink.invitation_id == formula.id)).one(),
        )
    assert desk.post(f"/behoerden/{link}", data={"do": "no_concerns"}).status_code == 303
    whole = planner.get(page).text
    assert "Amt 48" in whole
    assert "Amt 50" not in whole
    more = re.search(r'href="([^"]*after=\d+[^"]*)"', whole)
    assert more is not None
    rest = planner.get(html.unescape(more[1])).text
    assert "Amt 50" in rest
    assert "Amt 48" not in rest
    narrowed = planner.get(f"{page}?state=no_concerns").text
    assert "HYPERLINK" in narrowed
    assert "Amt 00" not in narrowed
    exports = re.findall(r'href="([^"]*uebersicht[^"]*)"', narrowed)
    assert len(exports) == 2
    csv = planner.get(next(html.unescape(each) for each in exports if ".csv" in each)).content.decode(
        "utf-8-sig"
    )
    assert [line.partition(";")[0] for line in csv.splitlines()[1:]] == ["'=HYPERLINK(1)"]
    assert "fristgerecht" in csv
    sheet = load_workbook(
        io.BytesIO(planner.get(next(html.unescape(each) for each in exports if ".xlsx" in each)).content)
    ).active
    assert sheet is not None
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("'=HYPERLINK(1)", "s")
    # Reminding all who are silent: not on the day of the request, and by hand only once a day.
    assert planner.post(page, data={"do": "remind"}).status_code == 422
    clock.now = NOW + timedelta(days=3)
    again = enter(town.planner).post(page, data={"do": "remind"})
    assert again.status_code == 303
    with unit_of_work(engine) as session:
        kinds = [each.kind for each in session.exec(select(Notice)).all()]
    assert kinds.count("agency_reminder") == 51


def test_no_page_of_agencies_asks_the_database_more_often_for_many(
    planner: TestClient, desk: TestClient, engine: Engine, town: Town
) -> None:
    procedure = town.procedure.id
    served = planner.app.state.house.engine  # type: ignore[attr-defined]
    dora = ClerkInput("Dora Ott", "d@amt.example")
    with unit_of_work(engine, write=True) as session:
        row = asked(session, town, key_of(planner), register(session, town, "Amt D", dora))
        [clerk] = session.exec(select(agencies.AgencyClerk)).all()
        desk.cookies.set(COOKIE, identity.sign_in(session, clerk.person_id, now=NOW))
        own = links(session, key_of(desk))[0]
        organisation, request = row.organisation_id, row.id
    pages = [
        (planner, "/verwaltung/behoerden"),
        (planner, f"/verwaltung/behoerden/{organisation}"),
        (planner, f"/verwaltung/planung/{procedure}/behoerden"),
        (planner, f"/verwaltung/planung/{procedure}/behoerden?state=listed"),
        (planner, f"/verwaltung/planung/{procedure}/behoerden/{request}"),
        (planner, f"/verwaltung/planung/{procedure}/behoerden/uebersicht.csv"),
        (planner, "/verwaltung/behoerden/verzeichnis.csv"),
        (desk, "/behoerden"),
        (desk, "/konto/behoerden"),
        (desk, own),
    ]

    def cost() -> dict[str, int]:
        found = {}
        for client, page in pages:
            with counted(served) as statements:
                assert client.get(page).status_code == 200, page
            found[page] = len(statements)
        return found

    def add(numbers: range) -> None:
        with unit_of_work(engine, write=True) as session:
            for number in numbers:
                asked(session, town, key_of(planner), register(session, town, f"Amt {number}"))
                register(session, town, f"Anderes Amt {number}")
            phase = session.exec(select(Phase).where(Phase.track == "agencies")).one()
            facts: dict[str, Any] = {"why": "", "is_proposed": True, "by": SYSTEM, "now": NOW}
            for number in numbers:
                waiting = register(session, town, f"Wartendes Amt {number}")
                invitations.put_on_list(session, phase, session.merge(town.procedure), waiting, **facts)

    add(range(2))
    cost()
    few = cost()
    add(range(2, 12))
    many = cost()
    assert {page: many[page] for page in many if many[page] > few[page]} == {}


def test_a_letter_is_printed_with_its_code_and_posted(
    enter: Enter, planner: TestClient, engine: Engine, town: Town, clock: Clock
) -> None:
    with unit_of_work(engine, write=True) as session:
        entry = register(
            session, town, "Pfarramt", email="", street="Kirchgasse 2", postcode="89999", city="Auenfurt"
        )
        row = asked(session, town, key_of(planner), entry)
        link = session.exec(select(InvitationLink)).one()
        code = invitations.code_of(key_of(planner), link)
        notice_id = session.exec(select(Notice.id)).one()
        row_id = row.id
    clerk = enter(town.clerk)
    assert "Pfarramt" in clerk.get("/verwaltung").text
    letter = clerk.get(f"/verwaltung/briefe/{notice_id}/brief.pdf")
    reader = pypdf.PdfReader(io.BytesIO(letter.content))
    text = " ".join("".join(page.extract_text() for page in reader.pages).split())
    for words in (
        code[:4],
        "Pfarramt Kirchgasse 2",
        "22. März 2027",
        "20. Februar 2027",
        "Bitte um Ihre Stellungnahme",
    ):
        assert words in text, words
    assert reader.trailer["/Root"]["/Lang"] == "de"
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    clock.now = NOW + timedelta(days=2)
    clerk = enter(town.clerk)
    assert clerk.post(f"/verwaltung/briefe/{notice_id}/erledigt").status_code == 303
    with unit_of_work(engine) as session:
        assert session.get_one(Invitation, row_id).due_on == date(2027, 3, 24)


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("kind", ["reminder", "granted", "refused"])
def test_reminders_and_answers_go_by_letter_too_and_everybody_can_read_them(
    planner: TestClient, engine: Engine, town: Town, kind: str, language: str
) -> None:
    with unit_of_work(engine, write=True) as session:
        entry = register(
            session, town, "Pfarramt", email="", street="Kirchgasse 2", postcode="89999", city="Auenfurt"
        )
        row = asked(session, town, key_of(planner), entry)
        later = NOW + timedelta(days=5)
        phase = session.get_one(Phase, row.phase_id)
        procedure = session.merge(town.procedure)
        if kind == "reminder":
            invitations.remind(session, phase, procedure, by=town.planner, now=later)
        else:
            [holder] = agency_answers.holders_of(session, row)
            agency_answers.ask_extension(session, holder, reason="Urlaub", wished_until=None, now=later)
            until = date(2027, 4, 9) if kind == "granted" else None
            words = "Gern, weil die Kartierung erst im April vorliegt."
            agency_answers.decide_extension(
                session, row, granted_until=until, answer=words, by=town.planner, now=later
            )
        wanted = "agency_reminder" if kind == "reminder" else "agency_extension"
        [notice] = [each for each in session.exec(select(Notice)).all() if each.kind == wanted]
        assert notice.way == NoticeWay.LETTER.value
        told = agency_overview.told(session, notice)
        assert told is not None
        link = session.exec(select(InvitationLink)).one()
        message = agency_messages.message_of(
            told, town.municipality, key=key_of(planner), base="https://auenfurt.example", language=language
        )
        made = agency_messages.letter_of(message, told)
    reader = pypdf.PdfReader(io.BytesIO(made))
    text = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
    heading = {
        ("reminder", "de"): "Erinnerung: Ihre Stellungnahme",
        ("reminder", "en"): "Reminder: your statement",
        ("granted", "de"): "Ihr Antrag auf Fristverlängerung",
        ("granted", "en"): "Your request for more time",
    }[("granted" if kind == "refused" else kind, language)]
    end = {
        ("granted", "de"): "9. April 2027",
        ("granted", "en"): "9 April 2027",
        ("refused", "de"): "Wir können die Frist nicht verlängern",
        ("refused", "en"): "We cannot give you more time.",
        ("reminder", "de"): "22. März 2027",
        ("reminder", "en"): "22 March 2027",
    }[kind, language]
    code = invitations.code_of(key_of(planner), link)
    for words in (heading, end, "Pfarramt Kirchgasse 2", code[:4], code[4:8], "BP-12"):
        assert words in text, words
    root = reader.trailer["/Root"]
    assert root["/Lang"] == language
    assert root["/MarkInfo"]["/Marked"]
    assert reader.metadata is not None
    assert heading in (reader.metadata.title or "")


def test_the_mail_brings_the_link_and_says_until_when(
    planner: TestClient, engine: Engine, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        dora = ClerkInput("Dora Ott", "d@amt.example")
        asked(session, town, key_of(planner), register(session, town, "Forstamt", dora))
        notice = session.exec(select(Notice).where(Notice.to_name == "Dora Ott")).one()
        told = agency_overview.told(session, notice)
        assert told is not None
        message = agency_messages.message_of(
            told, town.municipality, key=key_of(planner), base="https://auenfurt.example", language="de"
        )
        address = links(session, key_of(planner))[0]
    subject, text = agency_messages.mail_of(message)
    assert subject == "Bitte um Ihre Stellungnahme: Wohnen am Mühlbach (BP-12)"
    assert "Guten Tag Dora Ott," in text
    assert f"https://auenfurt.example{address}" in text
    assert "Donnerstag, 18. März 2027" in text
    assert "Sie entwerfen" in text


# --- the agency's desk -----------------------------------------------------------------------------


@pytest.fixture
def desk(new_client: NewClient) -> TestClient:
    """Somebody at an agency: no account, no cookie."""
    client = new_client()
    client.headers.update(SAME_ORIGIN)
    return client


def request_of(engine: Engine, town: Town, client: TestClient, *clerks: ClerkInput) -> list[str]:
    with unit_of_work(engine, write=True) as session:
        asked(session, town, key_of(client), register(session, town, "Wasserwirtschaftsamt", *clerks))
        return links(session, key_of(client))


def version(text: str) -> str:
    found = re.search(r'name="version"[^>]*value="(\d+)"', text)
    assert found is not None
    return found[1]


def test_a_clerk_drafts_and_the_coordinator_gives_back_then_releases(
    desk: TestClient, engine: Engine, town: Town
) -> None:
    drafting, releasing = request_of(
        engine,
        town,
        desk,
        ClerkInput("Dora Ott", "d@amt.example"),
        ClerkInput("Karl Eder", "k@amt.example", ClerkRole.RELEASES),
    )
    looked = desk.get(drafting)  # a program that looks into links
    assert only(engine, Invitation).opened_at is None
    assert "no-store" not in looked.headers["cache-control"]
    assert looked.headers["referrer-policy"] == "strict-origin"
    shown = desk.get(drafting, headers=BROWSER).text
    assert only(engine, Invitation).opened_at == NOW
    assert "bis Donnerstag, 18. März 2027" in shown
    assert "Freigeben und absenden" not in shown
    written = {
        "version": version(shown),
        "parts-0-subject": "water",
        "parts-0-text": "Zehn Meter am Bach.",
        "wants_publication": "y",
    }
    added = desk.post(
        drafting, data={**written, "do": "add"}, files={"files": ("karte.txt", b"Karte", "text/plain")}
    )
    assert added.status_code == 303
    shown = desk.get(drafting).text
    assert "karte.txt" in shown
    assert "parts-1-text" in shown
    both = {**written, "version": version(shown), "parts-1-subject": "", "parts-1-text": "Sonst nichts."}
    lost = desk.post(drafting, data={**both, "version": "0", "do": "save"})
    assert lost.status_code == 409
    assert "Sonst nichts." in lost.text
    forged = desk.post(drafting, data={**both, "do": "release"})
    assert forged.status_code == 422
    assert only(engine, AgencyReply).state == "draft"
    both["version"] = version(desk.get(drafting).text)
    assert desk.post(drafting, data={**both, "do": "hand_on"}).status_code == 303
    waiting = desk.get(drafting).text
    assert "wartet auf die Freigabe" in waiting
    assert "parts-0-text" not in waiting
    chief = desk.get(releasing, headers=BROWSER).text
    assert "Zehn Meter am Bach." in chief
    assert "zuletzt hier" in chief
    assert desk.post(releasing, data={"do": "return", "note": ""}).status_code == 422
    assert desk.post(releasing, data={"do": "return", "note": "Bitte genauer."}).status_code == 303
    assert "Bitte genauer." in desk.get(drafting).text
    both["version"] = version(desk.get(releasing).text)
    sent = desk.post(releasing, data={**both, "parts-0-text": "Zwölf Meter am Bach.", "do": "release"})
    assert sent.status_code == 303
    row = only(engine, Contribution)
    assert row.text == "Wasser\n\nZwölf Meter am Bach.\n\nSonst nichts."
    receipt = desk.get(releasing).text
    assert row.reference in receipt
    pdf = desk.get(f"{releasing}/beleg/0")
    assert pdf.content.startswith(b"%PDF")
    assert desk.get(f"{releasing}/beleg/1").status_code == 404


def test_no_concerns_takes_one_click_and_something_can_be_added(
    desk: TestClient, engine: Engine, town: Town
) -> None:
    [address] = request_of(engine, town, desk)
    assert desk.post(address, data={"do": "no_concerns"}).status_code == 303
    row = only(engine, Contribution)
    assert "keine Bedenken" in row.text
    shown = desk.get(address).text
    assert row.reference in shown
    assert 'value="no_concerns"' not in shown
    empty = desk.post(address, data={"version": "0", "parts-0-text": " ", "do": "release"})
    assert empty.status_code == 422
    assert "Bitte schreiben Sie etwas" in empty.text
    more = {"version": version(desk.get(address).text), "parts-0-text": "Doch noch etwas.", "do": "release"}
    assert desk.post(address, data=more).status_code == 303
    assert only(engine, Invitation).state == "answered"


def test_more_time_is_asked_for_and_what_is_late_is_marked(
    desk: TestClient, enter: Enter, engine: Engine, town: Town, clock: Clock
) -> None:
    planner = enter(town.planner)
    [address] = request_of(engine, town, desk)
    refused = desk.post(address, data={"do": "extension", "more-reason": ""})
    assert refused.status_code == 422
    sent = {"do": "extension", "more-reason": "Die Kartierung fehlt.", "more-wished_until": "2027-04-01"}
    assert desk.post(address, data=sent).status_code == 303
    assert "noch nicht entschieden" in desk.get(address).text
    page = f"/verwaltung/planung/{town.procedure.id}/behoerden"
    assert "1 Behörde beantragt mehr Zeit" in planner.get(page).text
    row = only(engine, Invitation)
    answer = {"do": "grant", "grant-granted_until": "2027-03-25", "grant-answer": "Gern."}
    assert planner.post(f"{page}/{row.id}", data=answer).status_code == 303
    told = desk.get(address).text
    assert "Verlängert bis Donnerstag, 25. März 2027" in told
    clock.now = NOW.replace(month=3, day=26)
    over = desk.get(address).text
    assert "Die Frist ist abgelaufen" in over
    late = {"version": version(over), "parts-0-text": "Zu spät.", "do": "release"}
    assert desk.post(address, data=late).status_code == 303
    assert only(engine, Contribution).is_late
    assert "verspätet" in enter(town.planner).get(f"{page}?state=late").text


def test_a_code_is_typed_in_and_guessing_is_slowed_down(desk: TestClient, engine: Engine, town: Town) -> None:
    with unit_of_work(engine, write=True) as session:
        entry = register(session, town, "Pfarramt", email="", street="Kirchgasse 2", city="Auenfurt")
        asked(session, town, key_of(desk), entry)
        [address] = links(session, key_of(desk))
        code = invitations.code_of(key_of(desk), session.exec(select(InvitationLink)).one())
    wrong = desk.post("/behoerden", data={"code": "AAAA AAAA AAAA"})
    assert wrong.status_code == 422
    assert "kennen wir nicht" in wrong.text
    right = desk.post("/behoerden", data={"code": f"{code[:4]} {code[4:8].lower()}-{code[8:]}"})
    assert right.headers["location"] == address
    for _ in range(9):
        desk.post("/behoerden", data={"code": "AAAAAAAAAAAA"})
    assert desk.post("/behoerden", data={"code": code}).status_code == 429
    assert desk.get(address).status_code == 200  # who has the link is not kept out
    assert desk.get(f"/behoerden/{'x' * 32}").status_code == 404


def test_a_revoked_link_opens_nothing(
    desk: TestClient, planner: TestClient, engine: Engine, town: Town
) -> None:
    [address] = request_of(engine, town, desk)
    row = only(engine, Invitation)
    detail = f"/verwaltung/planung/{town.procedure.id}/behoerden/{row.id}"
    assert planner.post(detail, data={"do": "links"}).status_code == 303
    assert desk.get(address).status_code == 404
    assert desk.post(address, data={"do": "no_concerns"}).status_code == 404
    with unit_of_work(engine) as session:
        newest = links(session, key_of(desk))[-1]
    assert desk.get(newest).status_code == 200
    assert planner.post(detail, data={"do": "revoke", "revoke-reason": "falsche Adresse"}).status_code == 303
    assert desk.get(newest).status_code == 404


def test_a_clerk_opens_an_account_by_the_own_address_and_keeps_another_s_requests(
    desk: TestClient, enter: Enter, engine: Engine, town: Town
) -> None:
    releases = ClerkInput("Dora Ott", "d@amt.example", ClerkRole.RELEASES)
    other = ClerkInput("Dora Ott", "dora@verband.example", ClerkRole.RELEASES)
    request_of(engine, town, desk, releases)
    with unit_of_work(engine, write=True) as session:
        asked(session, town, key_of(desk), register(session, town, "Bachverband", other))
        first, second = links(session, key_of(desk))
    assert "Konto eröffnen" in desk.get(first).text
    assert desk.post(f"{first}/konto").status_code == 303
    assert desk.post(f"{first}/konto").status_code == 303  # a second mail the same day is not sent
    with unit_of_work(engine) as session:
        [notice] = [each for each in session.exec(select(Notice)).all() if each.kind == "agency_account"]
        told = agency_overview.told(session, notice)
        assert told is not None
        assert notice.address == "d@amt.example"
        message = agency_messages.message_of(
            told, town.municipality, key=key_of(desk), base="https://auenfurt.example", language="de"
        )
    subject, text = agency_messages.mail_of(message)
    assert subject.startswith("Ihr Konto")
    assert message.link in text
    # Whoever has only the personal link cannot open the account; the mail's link can.
    assert desk.get(f"{first}/konto/{'0' * 48}").status_code == 404
    offer = message.link.removeprefix("https://auenfurt.example")
    assert "d@amt.example" in desk.get(offer).text
    invited = desk.post(offer)
    assert invited.status_code == 303
    form = desk.get(invited.headers["location"]).text
    inputs = [each for each in re.findall(r"<input[^>]*>", form) if 'type="password"' in each]
    names = [found[1] for each in inputs if (found := re.search(r'name="([^"]+)"', each))]
    assert names
    entered = desk.post(invited.headers["location"], data=dict.fromkeys(names, "ein langes Passwort"))
    assert entered.headers["location"] == "/konto/behoerden"
    mine = desk.get("/konto/behoerden").text
    assert "Wasserwirtschaftsamt" in mine
    assert "Bachverband" not in mine
    assert "Konto eröffnen" not in desk.get(first).text
    # Signed in, the link of another agency is kept in the same account; an answer shows with its receipt.
    assert desk.post(f"{second}/konto").headers["location"].startswith("/konto/behoerden")
    assert desk.post(second, data={"do": "no_concerns"}).status_code == 303
    both = desk.get("/konto/behoerden").text
    assert "Bachverband" in both
    assert "keine Bedenken" in both
    receipt = re.search(r'href="([^"]+/beleg/0)"', both)
    assert receipt is not None
    assert desk.get(receipt[1]).headers["content-type"] == "application/pdf"
    # Somebody else's account shows nothing of it, and nobody's without signing in.
    stranger = enter(town.clerk)
    assert "Bachverband" not in stranger.get("/konto/behoerden").text
    # Who kept the other agency's requests detaches them again; nobody else can, but who keeps the register.
    detach = re.search(r'name="leave" value="(\d+)"', both)
    assert detach is not None
    assert (
        stranger.post("/konto/behoerden", data={"leave": detach[1]}).headers["location"] == "/konto/behoerden"
    )
    assert "Bachverband" in desk.get("/konto/behoerden").text
    assert desk.post("/konto/behoerden", data={"leave": detach[1]}).status_code == 303
    left = desk.get("/konto/behoerden?done=left").text
    assert "Bachverband" not in left
    assert "Wasserwirtschaftsamt" in left
    assert desk.post(f"{second}/konto").status_code == 303  # kept once more, and detached in the register
    with unit_of_work(engine) as session:
        clerk = session.get_one(agencies.AgencyClerk, int(detach[1]))
        address = f"/verwaltung/behoerden/{clerk.organisation_id}"
    planner = enter(town.planner)
    assert f'value="detach-{detach[1]}"' in planner.get(address).text
    assert planner.post(address, data={"do": f"detach-{detach[1]}"}).status_code == 303
    assert "Ein Konto zeigt die Anfragen nicht mehr" in planner.get(address).text
    assert "Bachverband" not in desk.get("/konto/behoerden").text
    desk.cookies.clear()
    assert desk.get("/konto/behoerden").status_code in (303, 401)


def test_a_clerk_with_an_account_finds_the_request(desk: TestClient, engine: Engine, town: Town) -> None:
    request_of(engine, town, desk, ClerkInput("Dora Ott", "d@amt.example"))
    assert "Wohnen am Mühlbach" not in desk.get("/behoerden").text
    with unit_of_work(engine, write=True) as session:
        [clerk] = session.exec(select(agencies.AgencyClerk)).all()
        desk.cookies.set(COOKIE, identity.sign_in(session, clerk.person_id, now=NOW))
        [own, _] = links(session, key_of(desk))
    assert own in desk.get("/behoerden").text


# --- the counter -----------------------------------------------------------------------------------


def test_the_counter_takes_in_an_answer_by_letter(enter: Enter, engine: Engine, town: Town) -> None:
    clerk = enter(town.clerk)
    request_of(engine, town, clerk)
    row = only(engine, Invitation)
    form = f"/verwaltung/eingang/{town.procedure.id}"
    assert "Wasserwirtschaftsamt" in clerk.get(form).text
    sent = {
        "channel": "phone_record",
        "received_on": "2027-02-16",
        "kind": "statement",
        "text": "Angerufen: keine Einwände.",
        "invitation": str(row.id),
        "do": "send",
    }
    assert clerk.post(form, data=sent).status_code == 303
    made = only(engine, Contribution)
    assert (made.phase_id, made.due_on, made.channel) == (row.phase_id, DUE, "phone_record")
    assert only(engine, Invitation).state == "answered"
    assert clerk.post(form, data={**sent, "invitation": "9999"}).status_code == 422
