"""The planner's way to a formal phase through the pages, what everybody then reads, and the papers to hang out."""

import io
from datetime import UTC, date, datetime
from typing import Any

import httpx2
import pypdf
import pytest
from icalendar import Calendar
from lxml import html
from sqlalchemy import Engine
from sqlmodel import Session
from starlette.testclient import TestClient

from consultations import procedures, publishing, releases
from consultations.phases import Opens, Phase, PhaseInput, PhaseKind, phases_of
from participation import identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.actions.test_releases import NOW, planned
from tests.cast import Town
from tests.conftest import Clock, NewClient
from tests.pages.test_letters import elements


@pytest.fixture
def town(engine: Engine, clock: Clock) -> Town:
    clock.now = NOW
    with unit_of_work(engine, write=True) as session:
        return cast.found(session)


@pytest.fixture
def way(engine: Engine, town: Town) -> str:
    """The address of a formal phase that nobody has released, of a consultation with all its papers."""
    with unit_of_work(engine, write=True) as session:
        procedure, phase = planned(session, town)
        return f"/verwaltung/planung/{procedure.id}/phasen/{phase.id}"


@pytest.fixture
def paula(engine: Engine, town: Town, new_client: NewClient) -> TestClient:
    client = new_client()
    assert town.planner.person_id is not None
    with unit_of_work(engine, write=True) as session:
        client.cookies.set(COOKIE, identity.sign_in(session, town.planner.person_id, now=NOW))
    return client


def words(response: httpx2.Response) -> str:
    return " ".join(html.fromstring(response.content).text_content().split())


def links(response: httpx2.Response, having: str) -> list[str]:
    return [
        str(each)
        for each in html.fromstring(response.content).xpath("//main//a/@href")
        if having in str(each)
    ]


def released(engine: Engine, way: str) -> bool:
    with Session(engine) as session:
        return session.get_one(Phase, int(way.rpartition("/")[2])).released_at is not None


def announced(paula: TestClient, way: str, **facts: Any) -> httpx2.Response:
    """Save an announcement with one theme that names every paper."""
    form = html.fromstring(paula.get(f"{way}/bekanntmachung").content).forms[-1]
    papers = [
        box.get("value") for box in form.xpath(".//input[@type='checkbox'][contains(@name, 'documents')]")
    ]
    sent = {
        "themes-0-theme": "Wasser", "themes-0-keywords": "Hochwasser", "themes-0-documents": papers,
        "portal": "https://portal.example/bp-20", "do": "save", **facts,
    }  # fmt: skip
    return paula.post(f"{way}/bekanntmachung", data=sent)


def test_a_planner_mends_gives_reasons_and_releases(
    paula: TestClient, client: TestClient, engine: Engine, way: str
) -> None:
    first = paula.get(f"{way}/freigabe")
    assert "Es gibt noch keine Bekanntmachung." in words(first)
    assert "Jetzt freigeben" not in words(first)
    assert links(first, "/bekanntmachung")
    refused = paula.post(f"{way}/freigabe", data={"do": "release"})
    assert refused.status_code == 422
    assert not released(engine, way)

    preview = paula.get(f"{way}/bekanntmachung")
    assert "⟦FEHLT: Arten umweltbezogener Informationen" in words(preview)
    assert "§ 3 Abs. 2 Satz 4 Nr. 2 BauGB" in words(preview)
    assert announced(paula, way).status_code == 303

    acts = f"{way}/bekanntmachungsakte"
    wrong = paula.post(acts, data={"medium": "gazette", "day": "2027-02-09", "issue": "", "do": "record"})
    assert wrong.status_code == 422
    assert html.fromstring(wrong.content).xpath("//*[@id='error-summary']//a[@href='#issue']")
    sent = {"medium": "gazette", "day": "2027-02-09", "issue": "Nr. 5, Seite 3", "do": "record"}
    assert paula.post(acts, data=sent).status_code == 303
    assert paula.post(acts, data={"do": "online"}).headers["location"].endswith("done=online")

    page = paula.get(f"{way}/freigabe")
    assert "Für „Amtsblatt“ fehlt der Nachweis." in words(page)
    (key,) = html.fromstring(page.content).xpath("//input[@name='finding']/@value")
    without = paula.post(f"{way}/freigabe", data={"do": "reason", "finding": key, "reason": " "})
    assert without.status_code == 422
    assert html.fromstring(without.content).xpath("//details[@open]//textarea[@aria-invalid]")
    gone = paula.post(
        f"{way}/freigabe", data={"do": "reason", "finding": "customary_missing:9", "reason": "x"}
    )
    assert gone.status_code == 409
    given = {"do": "reason", "finding": key, "reason": "Der Druck kommt morgen."}
    assert paula.post(f"{way}/freigabe", data=given).status_code == 303
    ready = words(paula.get(f"{way}/freigabe"))
    assert "Der Druck kommt morgen." in ready
    assert "Paula" in ready
    assert "Jetzt freigeben" in ready
    assert paula.post(f"{way}/freigabe", data={"do": "release"}).status_code == 303
    assert released(engine, way)
    assert "Freigegeben am 10. Februar 2027" in words(paula.get(f"{way}/freigabe"))

    hearing = client.get("/beteiligungen/am-anger")
    (public,) = links(hearing, "/bekanntmachung/")
    shown = client.get(public)
    assert "Stellungnahmen sollen elektronisch übermittelt werden" in words(shown)
    english = client.get(f"/en{public}")
    assert "The German text is authoritative" in words(english)
    assert html.fromstring(english.content).xpath("//h1[@lang='de']")
    assert public in client.get("/beteiligungen.atom").text


def test_narrowing_words_are_named_while_they_are_typed_and_stop_the_release(
    paula: TestClient, engine: Engine, way: str
) -> None:
    typed = "Stellungnahmen sind ausschließlich online abzugeben."
    preview = paula.post(f"{way}/bekanntmachung", data={"more": typed, "do": "preview"})
    assert "„ausschließlich online“ kann so nicht bleiben" in words(preview)
    assert announced(paula, way, more=typed).status_code == 303
    page = words(paula.get(f"{way}/freigabe"))
    assert "In der Bekanntmachung steht „ausschließlich online“." in page
    paula.post(f"{way}/freigabe", data={"do": "reason", "finding": "wording_only_online:1:ausschließlich online", "reason": "Weil."})  # fmt: skip
    assert paula.post(f"{way}/freigabe", data={"do": "release"}).status_code == 422
    assert not released(engine, way)


def test_themes_are_added_and_removed_without_losing_words(paula: TestClient, way: str) -> None:
    sent = {"themes-0-theme": "Wasser", "themes-0-keywords": "Hochwasser", "do": "add", "portal": "unsinn"}
    wrong = paula.post(f"{way}/bekanntmachung", data=sent)
    assert wrong.status_code == 422
    two = paula.post(f"{way}/bekanntmachung", data=sent | {"portal": ""})
    rows = html.fromstring(two.content).xpath("//input[contains(@name, '-theme')]/@value")
    assert rows == ["Wasser", ""]
    one = paula.post(f"{way}/bekanntmachung", data=sent | {"portal": "", "do": "remove-0"})
    assert html.fromstring(one.content).xpath("//input[contains(@name, '-theme')]/@value") == []


def test_a_mistaken_act_is_taken_back_with_a_reason(paula: TestClient, way: str) -> None:
    announced(paula, way)
    acts = f"{way}/bekanntmachungsakte"
    paula.post(acts, data={"medium": "notice_board", "day": "2027-02-09", "issue": "Rathaus", "do": "record"})
    (button,) = html.fromstring(paula.get(acts).content).xpath(
        "//button[starts-with(@value, 'cancel-')]/@value"
    )
    refused = paula.post(acts, data={"do": button, "reason": ""})
    assert refused.status_code == 422
    assert html.fromstring(refused.content).xpath("//details[@open]")
    assert paula.post(acts, data={"do": button, "reason": "Falscher Tag"}).status_code == 303
    assert "Noch nichts." in words(paula.get(acts))
    assert paula.post(acts, data={"do": button, "reason": "Nochmal"}).status_code == 404


def test_the_papers_are_tagged_have_a_title_and_say_everything(
    paula: TestClient, client: TestClient, way: str
) -> None:
    announced(paula, way)
    paula.post(f"{way}/bekanntmachungsakte", data={"do": "online"})
    (public,) = links(client.get("/beteiligungen/am-anger"), "/bekanntmachung/")
    for name, wanted in (
        ("bekanntmachung.pdf", "Nicht fristgerecht abgegebene Stellungnahmen"),
        ("plakat.pdf", "Donnerstag, 1. April 2027"),
        ("aushang.pdf", "Rathaus"),
    ):
        answer = client.get(f"{public}/{name}")
        assert answer.headers["content-type"] == "application/pdf"
        pdf = pypdf.PdfReader(io.BytesIO(answer.content))
        assert pdf.root_object["/Lang"] == "de"
        assert pdf.root_object["/MarkInfo"]["/Marked"].value is True
        assert pdf.metadata is not None
        assert "Am Anger" in str(pdf.metadata.title)
        assert "<pdfuaid:part>1<" in pdf.root_object["/Metadata"].get_data().decode()
        kinds = [str(each["/S"]) for each in elements(pdf)]
        assert next(kind for kind in kinds if kind.startswith("/H")) == "/H1"
        figures = [each for each in elements(pdf) if each["/S"] == "/Figure"]
        assert figures
        assert all(str(each["/Alt"]) for each in figures)
        text = " ".join("\n".join(page.extract_text() for page in pdf.pages).replace("\u200b", "").split())
        assert wanted in text
    sizes = [
        pypdf.PdfReader(io.BytesIO(client.get(f"{public}/{name}").content)).pages[0].mediabox
        for name in ("plakat.pdf", "aushang.pdf")
    ]
    assert [round(float(size.width) / 72 * 25.4) for size in sizes] == [297, 210]
    gazette = client.get(f"{public}/amtsblatt.txt")
    assert gazette.text.startswith("Bekanntmachung\r\nVeröffentlichung des Entwurfs zum Bebauungsplan BP-20")
    calendar = Calendar.from_ical(client.get(f"{public}/frist.ics").content)
    assert [str(each["TZID"]) for each in calendar.walk("VTIMEZONE")] == ["Europe/Berlin"]
    days = [event.decoded("dtstart").isoformat() for event in calendar.walk("VEVENT")]
    assert days == ["2027-03-01T00:00:00+01:00", "2027-04-01T00:00:00+02:00"]
    assert client.get(f"{public}/anderes.pdf").status_code == 404


def test_nobody_sees_an_announcement_that_is_not_on_the_internet(
    paula: TestClient, client: TestClient, way: str
) -> None:
    announced(paula, way)
    (address,) = set(links(paula.get(f"{way}/bekanntmachungsakte"), "amtsblatt.txt"))
    number = address.split("/")[-2]
    assert paula.get(address).status_code == 200
    assert client.get(f"/beteiligungen/am-anger/bekanntmachung/{number}").status_code == 404
    assert not links(client.get("/beteiligungen/am-anger"), "/bekanntmachung/")


def test_a_start_that_passed_without_a_release_is_not_shown_as_one(
    client: TestClient, engine: Engine, town: Town, way: str, clock: Clock
) -> None:
    assert "1. März 2027" in words(client.get("/beteiligungen/am-anger"))
    clock.advance(days=30)
    late = client.get("/beteiligungen/am-anger")
    assert "1. März 2027" not in words(late)
    assert "Stellungnahme schreiben" not in words(late)
    with unit_of_work(engine, write=True) as session:
        phase = session.get_one(Phase, int(way.rpartition("/")[2]))
        procedure = procedures.by_id(session, town.id, phase.procedure_id)
        assert procedure is not None
        assert releases.releases_of(session, phase.id or 0) == []


def test_other_access_is_asked_for_and_given_at_once_and_paper_is_never_refused(
    paula: TestClient, engine: Engine, town: Town, clock: Clock
) -> None:
    """PF-1 to PF-4: a request on day 20 is due at once, one after the display is not; objections on paper are kept."""
    with unit_of_work(engine, write=True) as session:
        display = PhaseInput(
            PhaseKind.DISPLAY, starts_on=date(2027, 3, 1), ends_on=date(2027, 4, 12), opens=(Opens.STATEMENT,), is_formal=True
        )  # fmt: skip
        entered = cast.consultation(key="PF-1", title="Neue Bahn", phases=(display,))
        procedure = procedures.create(
            session, entered, municipality_id=town.id, template_key="plan_approval", by=town.planner, now=NOW
        )
        publishing.publish(session, procedure, by=town.planner, now=NOW)
        cast.adopt(session, procedure)
        phase = phases_of(session, procedure.id or 0)[0]
        phase.facts = {**phase.facts, "display_end": "2027-03-31"}
        town.hand_in(
            session, "Auf Papier", procedure=procedure, by=town.clerk, channel="letter", now=datetime(2027, 3, 20, 9, tzinfo=UTC),
            received_at=datetime(2027, 3, 19, 9, tzinfo=UTC),
        )  # fmt: skip
        desk, address = (
            f"/verwaltung/planung/{procedure.id}",
            f"/verwaltung/planung/{procedure.id}/phasen/{phase.id}/zugang",
        )

    def wait_until(moment: datetime) -> None:
        clock.now = moment
        with unit_of_work(engine, write=True) as session:
            paula.cookies.set(COOKIE, identity.sign_in(session, town.planner.person_id or 0, now=moment))

    wait_until(datetime(2027, 3, 20, 9, tzinfo=UTC))
    assert address in paula.get(desk).text
    empty = paula.post(address, data={"do": "ask", "asked_on": "2027-03-20", "wish": " "})
    assert empty.status_code == 422
    asked = {"do": "ask", "asked_on": "2027-03-20", "wish": "Ein Ausdruck per Post"}
    assert paula.post(address, data=asked).status_code == 303
    page = paula.get(address)
    assert "Sofort fällig" in words(page)
    assert "1 Wunsch wartet" in words(paula.get(desk))
    assert "Fristgerecht: Sie wird wie jede andere angenommen" in words(page)
    (button,) = html.fromstring(page.content).xpath("//button[starts-with(@value, 'answer-')]/@value")
    assert paula.post(address, data={"do": button, "answer": ""}).status_code == 422
    assert paula.post(address, data={"do": button, "answer": "Heute abgeschickt"}).status_code == 303
    assert "Zur Verfügung gestellt: Heute abgeschickt" in words(paula.get(address))
    wait_until(datetime(2027, 4, 2, 9, tzinfo=UTC))
    assert paula.post(address, data=asked | {"asked_on": "2027-04-01"}).status_code == 303
    assert "Ein Anspruch besteht nicht mehr" in words(paula.get(address))


def test_days_on_which_a_place_is_shut_are_entered_and_checked(paula: TestClient, way: str) -> None:
    address = way.partition("/phasen/")[0] + "/kontakt"
    form = html.fromstring(paula.get(address).content).forms[-1]
    sent = dict(form.form_values()) | {"note": "Umbau", "do": "save", "access-0-closed_from": "2027-03-08"}
    wrong = paula.post(address, data=sent | {"access-0-closed_until": "2027-03-01"})
    assert wrong.status_code == 422
    assert paula.post(address, data=sent | {"access-0-closed_until": "2027-03-19"}).status_code == 303
    assert html.fromstring(paula.get(address).content).xpath("//*[@id='access-0-closed_until']/@value") == [
        "2027-03-19"
    ]
    assert "An 10 Werktagen der Frist ist kein Ort geöffnet." in words(paula.get(f"{way}/freigabe"))
