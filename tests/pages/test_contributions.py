"""Coming back: the receipt, the access code, and what its holder can do, online and without JavaScript."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx2
import pypdf
import pytest
from lxml import html
from sqlalchemy import Engine
from sqlmodel import Session, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import drafts, files, moderation, received
from consultations.contributions import AttachedFile, Contribution
from consultations.moderation import Action, Decision, Reason
from consultations.people import PersonInput
from consultations.permissions import Actor
from participation.app import create_app
from participation.database import unit_of_work
from participation.pages.contributions import COOKIE
from participation.settings import Settings
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Clock, NewClient
from tests.databases import once

FORMAL = "/beteiligungen/wohnen-am-muehlbach/stellungnahme"


@pytest.fixture
def town(engine: Engine) -> Town:
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
        cast.found(session, "seebach", "Seebach")
        return town


HandIn = Callable[..., Contribution]


@pytest.fixture
def hand_in(engine: Engine, town: Town) -> HandIn:
    """Hands in, and commits."""

    def submit(**facts: Any) -> Contribution:
        with unit_of_work(engine, write=True) as session:
            return town.hand_in(session, **facts)

    return submit


def look_up(client: TestClient, code: str, **fields: str) -> httpx2.Response:
    return client.post("/beitrag", data={"code": code, **fields})


def words(answer: httpx2.Response) -> str:
    return " ".join(html.fromstring(answer.content).find(".//main").text_content().split())


def now_of(engine: Engine, contribution: Contribution) -> Contribution:
    with Session(engine) as session:
        return session.get_one(Contribution, contribution.id)


def send_a_statement(client: TestClient, text: str = "Mehr Bäume", **typed: Any) -> str:
    """The address of the receipt."""
    answer = client.post(
        f"{FORMAL}/{drafts.new_secret()}/alles",
        data={"kind": "statement", "text": text, "do": "send"},
        **typed,
    )
    assert answer.status_code == 303
    return answer.headers["location"]


# --- the receipt -----------------------------------------------------------------------------------


def test_the_receipt_says_what_when_and_what_comes(
    client: TestClient, town: Town, engine: Engine, app: Starlette
) -> None:
    address = send_a_statement(client, files=[("attachments", ("Brief.txt", b"Lieber Rat", "text/plain"))])
    answer = client.get(address)
    with Session(engine) as session:
        record = received.record_of(session, session.exec(select(Contribution)).one())
    shown = words(answer)
    for expected in (
        record.contribution.reference,
        "16. Februar 2027, 11:30:15 Uhr (MEZ)",
        "Wohnen am Mühlbach",
        "Mehr Bäume",
        "Brief.txt",
        record.attachments[0].sha256,
        record.receipt.payload_sha256,
        "Der Rat entscheidet",
    ):
        assert expected in shown
    code = "".join(html.fromstring(answer.content).xpath("//*[@class='d-code__group']/text()"))
    assert code == record.contribution.access_code
    assert html.fromstring(answer.content).xpath("//div[@class='d-receipt']//a/@href")[0] == "/beitrag"
    assert answer.headers["cache-control"] == "no-store"
    document = client.get(f"{address}/beleg.pdf")
    assert document.headers["content-type"] == "application/pdf"
    read = "".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(document.content)).pages)
    assert record.contribution.reference in read
    file = client.get(f"{address}/dateien/0")
    assert (file.content, file.headers["content-disposition"].partition(";")[0]) == (
        b"Lieber Rat",
        "attachment",
    )
    assert client.get(f"{address}/dateien/7").status_code == 404


def test_a_receipt_is_found_by_its_secret_in_its_own_town_only(
    client: TestClient, new_client: NewClient, town: Town
) -> None:
    address = send_a_statement(client)
    assert new_client().get(address).status_code == 200
    for path in (address, f"{address}/beleg.pdf", f"{address}/dateien/0"):
        assert new_client("seebach.localhost").get(path).status_code == 404
    assert client.get(f"/beleg/{drafts.new_secret()}").status_code == 404
    begun = drafts.new_secret()
    client.post(f"{FORMAL}/{begun}/text", data={"text": "x", "do": "next"})
    assert client.get(f"/beleg/{begun}").status_code == 404, "a draft has no receipt"


# --- the access code -------------------------------------------------------------------------------


def test_a_code_opens_what_a_letter_writer_sent(client: TestClient, town: Town, hand_in: HandIn) -> None:
    made = hand_in(
        channel="letter", by=town.clerk, person=PersonInput(name="Rosa Muster"), text="Mehr Bänke."
    )
    assert client.get("/beitrag/stand").headers["location"] == "/beitrag"
    typed = f" {made.access_code[:4].lower()}-{made.access_code[4:]} "
    answer = look_up(client, typed)
    assert (answer.status_code, answer.headers["location"]) == (303, "/beitrag/stand")
    assert made.access_code not in str(answer.headers), "no code in an address, a log or a cookie"
    shown = words(client.get("/beitrag/stand"))
    for expected in (
        made.reference,
        "Rosa Muster",
        "Mehr Bänke.",
        "Brief",
        "Sie wollten keine Veröffentlichung",
    ):
        assert expected in shown
    document = client.get("/beitrag/beleg.pdf")
    assert document.headers["content-type"] == "application/pdf"


def test_a_wrong_code_is_told_and_stays_in_the_field(client: TestClient, town: Town) -> None:
    answer = look_up(client, "AAAA-3333")
    assert answer.status_code == 422
    assert "kennen wir keinen Beitrag" in words(answer)
    assert html.fromstring(answer.content).xpath("//input[@name='code']/@value") == ["AAAA-3333"]
    empty = look_up(client, "")
    assert "Bitte geben Sie den Zugangscode" in words(empty)
    assert "Nichts ist verloren" not in words(empty)
    for nonsense in ("x" * 100_000, "\x00", "'; DROP TABLE contribution; --", "🌳" * 8):
        assert look_up(client, nonsense).status_code == 422


def test_a_code_of_another_town_opens_nothing(new_client: NewClient, town: Town, hand_in: HandIn) -> None:
    made = hand_in()
    seebach = new_client("seebach.localhost")
    assert look_up(seebach, made.access_code).status_code == 422
    auenfurt = new_client()
    look_up(auenfurt, made.access_code)
    seebach.cookies.set(COOKIE, auenfurt.cookies[COOKIE])
    assert seebach.get("/beitrag/stand").status_code == 303, "nor does the cookie"


def test_guessing_is_slowed_down_and_the_holder_of_a_receipt_still_gets_in(
    client: TestClient, town: Town, hand_in: HandIn
) -> None:
    made, other = hand_in(), hand_in()
    for _guess in range(10):
        assert look_up(client, "AAAA-3333").status_code == 422
    answer = look_up(client, made.access_code)
    assert answer.status_code == 429
    assert "Aktenzeichen" in words(answer)
    assert html.fromstring(answer.content).xpath("//input[@name='reference']")
    assert look_up(client, made.access_code, reference=other.reference).status_code == 422
    right = look_up(client, made.access_code, reference=f" {made.reference.lower()} ")
    assert right.status_code == 303
    for _guess in range(12):
        last = look_up(client, "AAAA-3333", reference=other.reference)
    assert last.status_code == 429, "one contribution cannot be guessed at for ever"
    assert look_up(client, made.access_code, reference=made.reference).status_code == 303


def test_it_closes_by_itself_and_by_hand(
    client: TestClient, clock: Clock, town: Town, hand_in: HandIn
) -> None:
    made = hand_in()
    look_up(client, made.access_code)
    clock.advance(minutes=29)
    assert client.get("/beitrag/stand").status_code == 200
    clock.advance(minutes=29)
    assert client.get("/beitrag/stand").status_code == 200, "it stays open while it is used"
    clock.advance(minutes=31)
    assert client.get("/beitrag/stand").status_code == 303
    look_up(client, made.access_code)
    assert client.post("/beitrag/beenden").headers["location"] == "/"
    assert client.get("/beitrag/stand").status_code == 303


@once
@pytest.mark.parametrize("cookie", ["", "x", "WzEsMSw5OTk5OTk5OTk5XQ.x", "." * 200, "WzEsMSw5OTk5OTk5OTk5XQ"])
def test_a_cookie_cannot_be_made_up(client: TestClient, town: Town, hand_in: HandIn, cookie: str) -> None:
    hand_in()
    client.cookies.set(COOKIE, cookie)
    assert client.get("/beitrag/stand").status_code == 303


def test_a_cookie_of_another_installation_opens_nothing(
    client: TestClient, settings: Settings, clock: Clock, town: Town, hand_in: HandIn
) -> None:
    made = hand_in()
    look_up(client, made.access_code)
    other = create_app(settings.model_copy(update={"secret": type(settings.secret)("x" * 40)}), clock=clock)
    with TestClient(other, base_url="http://auenfurt.localhost", follow_redirects=False) as stranger:
        stranger.cookies.set(COOKIE, client.cookies[COOKIE])
        assert stranger.get("/beitrag/stand").status_code == 303


# --- what its holder can do -------------------------------------------------------------------------


def decide(engine: Engine, contribution: Contribution, by: Actor, **facts: Any) -> None:
    with unit_of_work(engine, write=True) as session:
        row = session.get_one(Contribution, contribution.id)
        moderation.decide(session, row, Decision(**facts), by=by, now=NOW)


def test_withdrawing_from_publication_is_asked_first(
    client: TestClient, town: Town, engine: Engine, hand_in: HandIn
) -> None:
    made = hand_in(wants_publication=True)
    decide(engine, made, town.moderator, action=Action.PUBLISH)
    look_up(client, made.access_code)
    assert "Andere lesen ihn ohne Ihren Namen" in words(client.get("/beitrag/stand"))
    asked = client.get("/beitrag/nicht-veroeffentlichen")
    assert f"{made.reference} nicht mehr veröffentlichen?" in words(asked)
    assert now_of(engine, made).publication == "published", "a look changes nothing"
    done = client.post("/beitrag/nicht-veroeffentlichen")
    assert now_of(engine, made).publication == "retracted"
    assert "nicht mehr öffentlich" in words(client.get(done.headers["location"]))
    again = client.post("/beitrag/nicht-veroeffentlichen")
    assert again.status_code == 303, "a double click is no mistake"
    page = html.fromstring(client.get("/beitrag/stand").content)
    assert not page.xpath("//a[@href='/beitrag/nicht-veroeffentlichen']")


def test_withdrawing_altogether_keeps_it_on_file(
    client: TestClient, town: Town, engine: Engine, hand_in: HandIn
) -> None:
    made = hand_in(text="Mehr Bänke.")
    look_up(client, made.access_code)
    assert "bleibt er, wie es das Gesetz" in words(client.get("/beitrag/zuruecknehmen"))
    assert now_of(engine, made).state == "received"
    answer = client.get(client.post("/beitrag/zuruecknehmen").headers["location"])
    assert client.post("/beitrag/zuruecknehmen").status_code == 303
    kept = now_of(engine, made)
    assert (kept.state, kept.text) == ("withdrawn", "Mehr Bänke.")
    assert "Sie haben Ihren Beitrag zurückgenommen." in words(answer)
    assert "Mehr Bänke." in words(answer)


def test_something_is_added_and_shown_with_it(
    client: TestClient, clock: Clock, engine: Engine, town: Town, hand_in: HandIn
) -> None:
    made = hand_in()
    look_up(client, made.access_code)
    clock.advance(days=20)
    look_up(client, made.access_code)
    address = client.post("/beitrag/ergaenzen").headers["location"]
    page = client.get(address)
    assert f"{made.reference} ergänzen" in words(page)
    sent = {"kind": "statement", "text": "Und eine Bank.", "do": "next"}
    assert client.post(address, data=sent).status_code == 303
    receipt = client.post(address.replace("/text", "/pruefen"), data={"do": "send"}).headers["location"]
    assert f"Ergänzung zu {made.reference}" in words(client.get(receipt))
    with Session(engine) as session:
        added = session.exec(select(Contribution).where(Contribution.supplements_id == made.id)).one()
    assert (added.text, added.is_late) == ("Und eine Bank.", True)
    assert "Und eine Bank." in words(client.get("/beitrag/stand"))


def test_the_reason_for_keeping_it_back_is_told_but_not_who_decided(
    client: TestClient, town: Town, engine: Engine, hand_in: HandIn
) -> None:
    made = hand_in(wants_publication=True)
    facts = {"reason": Reason.INSULT, "explanation": "Der letzte Satz beleidigt die Nachbarin."}
    decide(engine, made, town.moderator, action=Action.WITHHOLD, **facts)
    look_up(client, made.access_code)
    shown = words(client.get("/beitrag/stand"))
    assert "Der letzte Satz beleidigt die Nachbarin." in shown
    assert "Sehen Sie das anders?" in shown
    assert "Mona" not in shown


def test_files_come_back_as_they_were_handed_in(
    client: TestClient, app: Starlette, town: Town, hand_in: HandIn
) -> None:
    stored = files.accept_upload(app.state.house.files, BytesIO(b"Lieber Rat"), "Brief.txt")
    attached = AttachedFile(stored.sha256, stored.filename, stored.media_type, stored.size)
    look_up(client, hand_in(attachments=(attached,)).access_code)
    answer = client.get("/beitrag/dateien/0")
    assert answer.content == b"Lieber Rat"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_user_text_never_becomes_markup(client: TestClient, town: Town, hand_in: HandIn) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    made = hand_in(text=evil, place_words=evil, person=PersonInput(name=evil))
    look_up(client, made.access_code)
    page = html.fromstring(client.get("/beitrag/stand").content)
    assert not page.xpath("//main//script|//main//img")
    assert evil in page.find(".//main").text_content()


@pytest.mark.parametrize(
    "path", ["stand", "nicht-veroeffentlichen", "zuruecknehmen", "beleg.pdf", "dateien/0"]
)
def test_without_the_code_there_is_only_the_form(
    client: TestClient, town: Town, engine: Engine, hand_in: HandIn, path: str
) -> None:
    made = hand_in(wants_publication=True)
    assert client.get(f"/beitrag/{path}").headers["location"] == "/beitrag"
    for action in ("nicht-veroeffentlichen", "zuruecknehmen", "ergaenzen"):
        assert client.post(f"/beitrag/{action}").headers["location"] == "/beitrag"
    kept = now_of(engine, made)
    assert (kept.state, kept.publication) == ("received", "pending")
