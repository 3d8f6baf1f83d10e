"""What lies open, at the planner's desk and for everybody: frozen documents, corrections, certificates, late statements."""

import hashlib
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pikepdf
import pypdf
import pytest
from anyio import CapacityLimiter
from lxml import html
from sqlalchemy import Engine
from sqlmodel import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import (
    announcements,
    certificates,
    corrections,
    filing,
    frozen,
    lateness,
    procedures,
    received,
)
from consultations.announcements import Entered
from consultations.certificates import Certificate
from consultations.checks import Medium
from consultations.documents import DocumentKind, FileFacts
from consultations.permissions import SYSTEM, Actor
from consultations.phases import phases_of
from participation import certificate_pdf, identity, letters
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import NewClient

Enter = Callable[..., TestClient]
FROZEN_AT = datetime(2027, 1, 31, 20, tzinfo=UTC)
OLD = "Nachts werden an der Bahn 45 dB(A) erreicht. " + "Mehr dazu steht im Gutachten. " * 40
NEW = OLD.replace("45", "49") + "Neu ist auch dieser Satz."


@pytest.fixture
def town(engine: Engine) -> Town:
    with unit_of_work(engine, write=True) as session:
        return cast.found(session)


@pytest.fixture
def enter(engine: Engine, new_client: NewClient) -> Enter:
    def make(actor: Actor) -> TestClient:
        client = new_client(host="auenfurt.localhost")
        assert actor.person_id is not None
        with unit_of_work(engine, write=True) as session:
            client.cookies.set(COOKIE, identity.sign_in(session, actor.person_id, now=NOW))
        return client

    return make


@pytest.fixture
def document(engine: Engine, town: Town) -> int:
    """A document with words that lies open in the cast's formal phase."""
    with unit_of_work(engine, write=True) as session:
        procedure = session.get_one(procedures.Procedure, town.procedure.id)
        version = filing.add_document(
            session,
            procedure,
            FileFacts("0" * 64, "laerm.pdf", "application/pdf", 1000, pages=3, text=OLD),
            title="Lärmgutachten",
            kind=DocumentKind.EXPERT_REPORT,
            by=SYSTEM,
            now=FROZEN_AT,
        )
        phase = phases_of(session, procedure.id or 0)[0]
        frozen.freeze(session, procedure=procedure, phase=phase, by=SYSTEM, now=FROZEN_AT)
        return version.document_id


def words(response: httpx2.Response) -> str:
    return " ".join(html.fromstring(response.content).text_content().split())


def pdf(text: str) -> bytes:
    import typst

    return bytes(typst.compile(f"#set document(title: [x])\n{text}".encode(), format="pdf"))


def correct(engine: Engine, town: Town, document: int) -> None:
    with unit_of_work(engine, write=True) as session:
        procedure = session.get_one(procedures.Procedure, town.procedure.id)
        corrections.correct(
            session,
            procedure,
            session.get_one(filing.Document, document),
            FileFacts("1" * 64, "laerm.pdf", "application/pdf", 1001, pages=3, text=NEW),
            note="Tabelle 4: 49, nicht 45 dB(A)",
            by=SYSTEM,
            now=NOW,
        )


def certify(engine: Engine, town: Town, now: datetime = NOW) -> str:
    with unit_of_work(engine, write=True) as session:
        procedure = session.get_one(procedures.Procedure, town.procedure.id)
        phase = phases_of(session, procedure.id or 0)[0]
        return certificates.issue(
            session, procedure, phase, by=town.planner, now=now, url="https://x.example/", probe_minutes=5
        ).number


# --- frozen documents ------------------------------------------------------------------------------


def test_a_frozen_document_offers_the_two_lawful_ways_and_nothing_else(
    engine: Engine, town: Town, document: int, enter: Enter
) -> None:
    paula = enter(town.planner)
    address = f"/verwaltung/planung/{town.procedure.id}/unterlagen/{document}"
    page = paula.get(address)
    assert "Diese Unterlage ist festgehalten" in words(page)
    assert not html.fromstring(page.content).xpath("//button[@value='version' or @value='withdraw']")
    refused = paula.post(address, data={"do": "withdraw", "gone-note": "weg"})
    assert refused.status_code == 422
    assert "zwei zulässige Wege" in words(refused)


def test_a_correction_is_chosen_taken_announced_and_read_by_everybody(
    engine: Engine, town: Town, document: int, enter: Enter, client: TestClient
) -> None:
    paula = enter(town.planner)
    address = f"/verwaltung/planung/{town.procedure.id}/unterlagen/{document}/berichtigung"
    assert "Die zwei zulässigen Wege" in words(paula.get(address))
    empty = paula.post(address, data={"do": "save", "way": "note", "note": "49, nicht 45"})
    assert empty.status_code == 422
    assert "Bitte wählen Sie eine Datei" in words(empty)
    taken = paula.post(
        address,
        data={"do": "save", "way": "note", "note": "49, nicht 45"},
        files={"file": ("laerm.pdf", pdf("Nachts 49 dB"), "application/pdf")},
        follow_redirects=True,
    )
    assert "Eine neue Bekanntmachung ist nötig" in words(taken)
    hearing = client.get(f"/beteiligungen/{town.procedure.slug}")
    assert "Berichtigung vom 16. Februar 2027: 49, nicht 45" in words(hearing)
    (link,) = html.fromstring(hearing.content).xpath(
        "//a[contains(., 'PDF') and contains(., 'Lärmgutachten')]"
    )
    assert link.get("href") == f"/dokumente/{document}/2/laerm.pdf", "the corrected one stands first"
    (first,) = html.fromstring(hearing.content).xpath(
        "//a[contains(., 'So lag die Unterlage zuerst aus')]/@href"
    )
    assert first == f"/dokumente/{document}/1/laerm.pdf", (
        "what was laid open stays beside it, for everybody to read"
    )
    with Session(engine) as session:
        (made,) = corrections.open_demands(session, town.procedure.id or 0)
    proof = f"/verwaltung/planung/{town.procedure.id}/nachweise"
    assert paula.post(proof, data={"do": "announced", "correction": made.id}).status_code == 422
    with unit_of_work(engine, write=True) as session:  # an announcement on record is offered
        procedure = session.get_one(procedures.Procedure, town.procedure.id)
        phase = phases_of(session, procedure.id or 0)[0]
        version = announcements.save(
            session, town.municipality, procedure, phase, Entered(), address="https://x.example", by=town.planner, now=NOW
        )  # fmt: skip
        act = announcements.record_act(
            session, procedure, version, medium=Medium.GAZETTE, day=NOW.date(), issue="Nr. 6", by=town.planner, now=NOW
        ).id  # fmt: skip
    assert f"correction-act-{made.id}" in paula.get(proof).text
    chosen = paula.post(
        proof, data={"do": "announced", "correction": made.id, "act": act}, follow_redirects=True
    )
    assert "Neu bekannt gemacht: Amtsblatt, Nr. 6, Dienstag, 16. Februar 2027" in words(chosen)
    with Session(engine) as session:
        (linked,) = corrections.of_procedure(session, town.procedure.id or 0)
        assert linked.act_id == act
    done = paula.post(
        proof,
        data={"do": "announced", "correction": made.id, "announcement": "Amtsblatt 7"},
        follow_redirects=True,
    )
    assert "Neu bekannt gemacht: Amtsblatt 7" in words(done)


def test_the_consequences_of_a_restart_are_shown_before_it_is_saved(
    engine: Engine, town: Town, document: int, enter: Enter
) -> None:
    paula = enter(town.planner)
    address = f"/verwaltung/planung/{town.procedure.id}/unterlagen/{document}/berichtigung"
    shown = paula.post(address, data={"do": "preview", "way": "without", "starts_on": "2027-03-01"})
    assert "Mittwoch, 31. März 2027" in words(shown)
    with Session(engine) as session:
        assert phases_of(session, town.procedure.id or 0)[0].starts_on == cast.STARTS
    sent = {"do": "save", "way": "without", "note": "gehörte nicht dazu", "starts_on": "2027-03-01"}
    short = paula.post(address, data={**sent, "ends_on": "2027-03-20"})
    assert short.status_code == 422
    assert "Das ist zu kurz: Das Gesetz verlangt frühestens Mittwoch, 31. März 2027" in words(short)
    assert "gehörte nicht dazu" in short.text
    taken = paula.post(address, data={**sent, "ends_on": "2027-03-31"}, follow_redirects=True)
    assert "Frist neu begonnen" in words(taken)
    assert paula.get(address).status_code == 404  # it no longer lies open


# --- comparison ------------------------------------------------------------------------------------


def test_readers_see_word_by_word_what_a_correction_changed(
    app: Starlette, engine: Engine, town: Town, document: int, client: TestClient
) -> None:
    correct(engine, town, document)
    address = f"/dokumente/{document}/vergleich/1/2"
    assert address in client.get(f"/beteiligungen/{town.procedure.slug}").text
    # However many short pages are being made just now: long ones stand in a line of their own.
    app.state.house.makers = CapacityLimiter(0)
    for view in ("", "?ansicht=nebeneinander"):
        page = html.fromstring(client.get(address + view).content)
        assert [" ".join(each.text_content().split()) for each in page.xpath("//del")] == [
            "entfallen: 45 (Ende)"
        ]
        assert page.xpath("//ins")[-1].text_content().startswith("neu: Neu ist auch dieser Satz.")
    assert "100 Wörter unverändert" not in words(client.get(address))
    assert "Wörter unverändert" in words(client.get(address))
    assert "Kein Wort hat sich geändert" in words(client.get(f"/dokumente/{document}/vergleich/1/1"))
    assert client.get(f"/dokumente/{document}/vergleich/1/3").status_code == 404


# --- certificates ----------------------------------------------------------------------------------


def test_a_certificate_is_issued_found_by_its_number_and_verified(
    engine: Engine, town: Town, document: int, enter: Enter, client: TestClient
) -> None:
    paula = enter(town.planner)
    with Session(engine) as session:
        phase = phases_of(session, town.procedure.id or 0)[0].id
    issued = paula.post(
        f"/verwaltung/planung/{town.procedure.id}/nachweise",
        data={"do": f"certify-{phase}"},
        follow_redirects=True,
    )
    assert "Der Nachweis ist ausgestellt" in words(issued)
    with Session(engine) as session:
        (made,) = certificates.of_procedure(session, town.procedure.id or 0)
    wrong = client.get("/nachweis", params={"nummer": "2027-0001-AAAA"})
    assert wrong.status_code == 422
    assert "Wir kennen keinen Nachweis mit dieser Nummer" in words(wrong)
    shown = client.get(
        "/nachweis", params={"nummer": made.number.lower().replace("-", " ")}, follow_redirects=True
    )
    said = words(shown)
    assert "Der Nachweis ist echt" in said
    assert "Montag, 1. Februar 2027" in said
    assert "OVG" not in said  # no outage, nothing to judge
    data = client.get(f"/nachweis/{made.number}/nachweis.json")
    assert hashlib.sha256(data.content).hexdigest() == made.sha256
    assert json.loads(data.content)["documents"][0]["sha256"] == "0" * 64
    with unit_of_work(engine, write=True) as session:
        row = session.get_one(Certificate, made.id)
        row.payload = row.payload.replace("Mühlbach", "Bach")
        session.add(row)
    assert "Verlassen Sie sich nicht auf diesen Nachweis" in words(client.get(f"/nachweis/{made.number}"))


def test_the_certificate_on_paper_is_tagged_and_says_the_same(
    engine: Engine, town: Town, document: int
) -> None:
    correct(engine, town, document)
    number = certify(engine, town)
    with Session(engine) as session:
        certificate = certificates.by_number(session, town.id, number)
        assert certificate is not None
        made = certificate_pdf.certificate_pdf(
            certificate,
            letters.Letterhead.of(town.municipality),
            "de",
            verify_url=f"https://auenfurt.example/nachweis/{number}",
        )
    with pikepdf.open(io.BytesIO(made)) as paper:
        root: Any = paper.Root
        assert bool(root.MarkInfo.Marked)
        assert str(root.Lang) == "de"
        with paper.open_metadata() as metadata:
            assert metadata["pdfuaid:part"] == "1"
            assert metadata["pdfaid:part"] == "2"
            assert number in str(metadata["dc:title"])
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(made)).pages)
    flat = " ".join(text.split())
    assert number in flat
    for words_of_it in (
        "Veröffentlichungsnachweis",
        "Vorläufig: Die Frist läuft noch",
        "Dienstag, 2. März 2027",
        "§ 3 Abs. 2 Satz 1 BauGB",
        "Berichtigung zu Nr. 1",
        "49, nicht 45",
        "Rathaus, Zimmer 12",
        "Nicht gemessen",
        certificate.sha256[:16],
    ):
        assert words_of_it in flat, words_of_it


# --- late statements -------------------------------------------------------------------------------


def test_a_late_statement_is_decided_condition_by_condition(
    engine: Engine, town: Town, enter: Enter, new_client: NewClient
) -> None:
    with unit_of_work(engine, write=True) as session:
        procedure = session.get_one(procedures.Procedure, town.procedure.id)
        late = town.hand_in(
            session, "Zu spät, aber wichtig", procedure=procedure, now=NOW + timedelta(days=20)
        )
        late_id, code = late.id, late.access_code
    paula = enter(town.planner)
    assert "1 Stellungnahme wartet auf eine Entscheidung" in words(paula.get("/verwaltung/verspaetet"))
    form = f"/verwaltung/eingangsbuch/{late_id}/verspaetung"
    assert not html.fromstring(paula.get(form).content).xpath("//input[@name='hint_given'][@checked]")
    with unit_of_work(engine, write=True) as session:
        procedure = session.get_one(procedures.Procedure, town.procedure.id)
        phase = phases_of(session, procedure.id or 0)[0]
        version = announcements.save(
            session, town.municipality, procedure, phase, Entered(), address="https://x.example", by=town.planner, now=NOW
        )  # fmt: skip
        announcements.put_online(session, procedure, version, by=town.planner, now=NOW)
    proposed = paula.get(form)  # what the announcement said is on record: nobody has to look it up
    assert html.fromstring(proposed.content).xpath("//input[@name='hint_given'][@checked]/@value") == ["yes"]
    assert "Fassung 1, die bekannt gemacht wurde, enthält den Hinweis" in words(proposed)
    assert "1 verspätete Stellungnahme wartet" in words(paula.get("/verwaltung"))
    address = f"/verwaltung/eingangsbuch/{late_id}/verspaetung"
    answers = {
        "seen": "0",
        "hint_given": "yes",
        "content_known": "no",
        "should_have_been_known": "no",
        "relevant_for_lawfulness": "yes",
    }
    checked = paula.post(address, data={**answers, "do": "check"})
    assert "Sie muss berücksichtigt werden" in words(checked)
    refused = paula.post(
        address, data={**answers, "do": "save", "outcome": "disregarded", "reason": "unwichtig"}
    )
    assert refused.status_code == 422
    assert "Nach Ihren Antworten muss sie von Rechts wegen berücksichtigt werden" in words(refused)
    free = {**answers, "relevant_for_lawfulness": "no", "outcome": "disregarded", "do": "save"}
    assert paula.post(address, data=free).status_code == 422  # no reason
    done = paula.post(address, data={**free, "reason": "Nichts Neues."}, follow_redirects=True)
    assert "Nichts wartet" in words(done)
    assert "Zu spät, aber wichtig" in words(paula.get("/verwaltung/eingangsbuch?late=disregarded"))
    assert "Zu spät, aber wichtig" not in words(paula.get("/verwaltung/eingangsbuch?late=open"))
    visitor = new_client(host="auenfurt.localhost")
    mine = visitor.post("/beitrag", data={"code": code}, follow_redirects=True)
    assert "in die Entscheidung über den Plan fließt sie nicht ein" in words(mine)
    assert "Nichts Neues." not in words(mine)
    again = paula.post(
        address, data={**free, "seen": "1", "outcome": "considered", "reason": "Doch."}, follow_redirects=True
    )
    assert again.status_code == 200
    with Session(engine) as session:
        assert [row.outcome for row in lateness.decisions_of(session, late_id or 0)] == [
            "disregarded",
            "considered",
        ]
        row = received.by_id(session, town.id, late_id or 0)
        assert row is not None
        assert row.is_late
