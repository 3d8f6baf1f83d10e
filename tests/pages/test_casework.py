"""The people at work: desk, counter, register and moderation, through the pages, on both databases."""

import re
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import httpx2
import pypdf
import pytest
from lxml import html
from sqlalchemy import Engine, event
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import drafts, evidence, moderation, procedures, publishing, received
from consultations.channels import CHANNELS, Entry
from consultations.contributions import Contribution, PublicationState
from consultations.notices import Notice, NoticeState
from consultations.people import PersonInput
from consultations.permissions import Actor, Role
from participation import database, identity
from participation.database import unit_of_work
from participation.identity import COOKIE
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Clock, NewClient

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
Enter = Callable[..., TestClient]


@pytest.fixture
def town(engine: Engine) -> Town:
    with unit_of_work(engine, write=True) as session:
        return cast.found(session)


@pytest.fixture
def enter(engine: Engine, new_client: NewClient) -> Enter:
    def make(actor: Actor) -> TestClient:
        client = new_client()
        assert actor.person_id is not None
        with unit_of_work(engine, write=True) as session:
            client.cookies.set(COOKIE, identity.sign_in(session, actor.person_id, now=NOW))
        client.headers.update(SAME_ORIGIN)
        return client

    return make


@pytest.fixture
def clerk(enter: Enter, town: Town) -> TestClient:
    return enter(town.clerk)


@pytest.fixture
def moderator(enter: Enter, town: Town) -> TestClient:
    return enter(town.moderator)


def offered(engine: Engine, town: Town, text: str = "Mehr Bäume!", **facts: object) -> int:
    with unit_of_work(engine, write=True) as session:
        town.procedure = session.merge(town.procedure)
        row = town.hand_in(session, text, wants_publication=True, **facts)
        assert row.id is not None
        return row.id


def get(engine: Engine, row_id: int) -> Contribution:
    with unit_of_work(engine) as session:
        row = session.get_one(Contribution, row_id)
        session.expunge(row)
        return row


def letter(**facts: object) -> dict[str, object]:
    """A letter as a clerk enters it."""
    return {
        "token": drafts.new_secret(),
        "channel": "letter",
        "received_on": "2027-02-15",
        "text": "Wir sind gegen die Höhe.",
        "name": "Rosa Beispiel",
        "street": "Färbergasse 12",
        "postcode": "89999",
        "city": "Auenfurt",
        "do": "send",
        **facts,
    }


# --- the counter -----------------------------------------------------------------------------------


def text_of(answer: httpx2.Response) -> str:
    read = "".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(answer.content)).pages)
    return " ".join(read.split())


def has_code(answer: httpx2.Response, row: Contribution) -> bool:
    return row.access_code in text_of(answer).replace(" ", "")


def test_a_letter_gets_the_same_receipt_as_everybody(
    engine: Engine, town: Town, clerk: TestClient, enter: Enter, clock: Clock
) -> None:
    form = f"/verwaltung/eingang/{town.procedure.id}"
    assert clerk.get("/verwaltung/eingang").status_code == 200
    assert clerk.get(form).status_code == 200
    scan = {"files": ("brief.txt", b"Sehr geehrte Damen und Herren", "text/plain")}
    answer = clerk.post(form, data=letter(written_on="2027-02-12"), files=scan)
    assert answer.status_code == 303, answer.text
    page = clerk.get(answer.headers["location"])
    row = get(engine, int(answer.headers["location"].rsplit("/", 1)[1]))
    assert row.channel == "letter"
    assert row.recorded_by == town.clerk.label
    assert row.reference in page.text
    assert row.access_code[:4] in page.text
    assert page.headers["cache-control"] == "no-store"
    # The code is for whoever has just made the entry, and for nobody else who may look at it.
    other = enter(town.planner).get(answer.headers["location"])
    assert (row.reference in other.text, row.access_code[:4] in other.text) == (True, False)
    location = answer.headers["location"]
    fresh_code = tuple(
        has_code(who.get(location + "/beleg.pdf"), row) for who in (clerk, enter(town.planner))
    )
    clerk = enter(town.clerk)
    clock.advance(minutes=16)
    assert row.access_code[:4] not in clerk.get(location).text
    fresh, late = (location + path for path in ("/beleg.pdf", "/beleg"))
    assert fresh_code == (True, False), "the letter has it for whoever typed it in, and for nobody else"
    again = clerk.get(fresh)
    assert again.headers["content-type"] == "application/pdf"
    assert not has_code(again, row)
    assert "enthält den Zugangscode nicht" in text_of(again)
    unsaid = clerk.post(late, data={"why": " "})
    assert (unsaid.status_code, "Bitte vermerken Sie" in unsaid.text) == (422, True), "the form again"
    printed = clerk.post(late, data={"why": "War mit Ausweis hier."})
    assert has_code(printed, row)
    assert printed.headers["cache-control"] == "no-store"
    file_page = " ".join(
        html.fromstring(clerk.get(f"/verwaltung/eingangsbuch/{row.id}").content).text_content().split()
    )
    assert "mit Zugangscode erneut gedruckt" in file_page
    assert "War mit Ausweis hier." in file_page
    with unit_of_work(engine) as session:
        (file,) = received.attachments_of(session, row.id or 0)
        assert (file.filename, file.is_original) == ("brief.txt", True)
        (notice,) = session.exec(select(Notice)).all()
    assert "Färbergasse 12" in notice.address
    desk = clerk.get("/verwaltung")
    assert f"Brief öffnen {row.reference}, {notice.to_name} (1)" in " ".join(
        html.fromstring(desk.content).text_content().split()
    )
    letter_pdf = clerk.get(f"/verwaltung/briefe/{notice.id}/brief.pdf")
    assert has_code(letter_pdf, row)
    assert clerk.post(f"/verwaltung/briefe/{notice.id}/erledigt").status_code == 303
    assert not has_code(clerk.get(f"/verwaltung/briefe/{notice.id}/brief.pdf"), row), (
        "posted: it is theirs alone"
    )
    with unit_of_work(engine) as session:
        assert session.exec(select(Notice.state)).one() == NoticeState.PRINTED.value


@pytest.mark.parametrize("channel", [channel.key for channel in CHANNELS if channel.entry is Entry.CLERK])
def test_every_channel_of_the_counter_leads_to_the_same_queue(
    engine: Engine, town: Town, clerk: TestClient, channel: str
) -> None:
    data = letter(channel=channel, wants_publication="y")
    answer = clerk.post(f"/verwaltung/eingang/{town.procedure.id}", data=data)
    assert answer.status_code == 303, answer.text
    with unit_of_work(engine) as session:
        (item,) = moderation.queue(session, town.id, now=NOW)
    assert item.contribution.channel == channel


@pytest.mark.parametrize(
    ("entered", "field", "words"),
    [
        ({"written_on": "2027-02-16"}, "written_on", "nicht später"),
        ({"received_on": "2027-02-17"}, "received_on", "Zukunft"),
        ({"received_on": "31.02.2027"}, "received_on", "Datum"),
        ({"received_on": ""}, "received_on", "02.03.2027"),
        ({"channel": ""}, "channel", "angekommen"),
        ({"text": "", "title": ""}, "text", "hängen Sie eine Datei an"),
    ],
)
def test_what_is_refused_is_named_and_nothing_is_lost(
    engine: Engine, town: Town, clerk: TestClient, entered: dict[str, str], field: str, words: str
) -> None:
    data = letter(**{"title": "Höhe der Häuser", "section": "§ 4 der Satzung", **entered})
    answer = clerk.post(f"/verwaltung/eingang/{town.procedure.id}", data=data)
    assert answer.status_code == 422
    summary = re.search(r'<ul class="d-error-list">.*?</ul>', answer.text, re.DOTALL)
    assert summary is not None
    assert f"#{field}" in summary.group()
    assert words in summary.group()
    assert "§ 4 der Satzung" in answer.text
    assert "Rosa Beispiel" in answer.text
    with unit_of_work(engine) as session:
        assert session.exec(select(Contribution)).all() == []


def test_a_scan_survives_a_refusal_and_can_be_removed(engine: Engine, town: Town, clerk: TestClient) -> None:
    form = f"/verwaltung/eingang/{town.procedure.id}"
    data = letter(channel="")
    refused = clerk.post(form, data=data, files={"files": ("scan.txt", b"Seite 1", "text/plain")})
    assert refused.status_code == 422
    assert "scan.txt" in refused.text
    lying = clerk.post(form, data=data, files={"files": ("foto.jpg", b"MZ\x90\x00" * 50, "image/jpeg")})
    assert "foto.jpg" in lying.text
    assert "scan.txt" in lying.text
    (remove,) = re.findall(r'value="(remove-\w+)"', lying.text)
    for _pressed in range(2):
        removed = clerk.post(form, data={**data, "do": remove})
        assert "scan.txt" not in removed.text
    clerk.post(form, data={**data, "do": "keep"}, files={"files": ("scan.txt", b"Seite 1", "text/plain")})
    answer = clerk.post(form, data={**data, "channel": "letter", "text": ""})
    assert answer.status_code == 303, answer.text


def test_what_no_draft_can_hold_stays_on_the_page_and_the_scan_with_it(
    engine: Engine, town: Town, clerk: TestClient, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = f"/verwaltung/eingang/{town.procedure.id}"
    scan = {"files": ("scan.txt", b"Seite 1", "text/plain")}
    data = letter(section="Ä" * drafts.FIELD_LIMIT + "Ende", email="rosa(at)example")
    refused = clerk.post(form, data=data, files=scan)
    assert refused.status_code == 422
    for said in ("mehr als 500 Zeichen", "Bitte prüfen Sie die E-Mail-Adresse", "ÄEnde", "scan.txt"):
        assert said in refused.text, said
    shorter = {**data, "text": "", "section": "", "email": ""}
    # Somebody else writes for too long: everything comes back, and the file that could not be kept is asked for.
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.2)
    app.state.house.engine.dispose()
    impatient = database.make_engine(app.state.house.settings.database_url)
    monkeypatch.setattr(app.state.house, "engine", impatient)
    other = {"files": ("anlage.txt", b"Seite 2", "text/plain")}
    with unit_of_work(engine, write=True) as session:
        assert drafts.find(session, str(data["token"]), municipality_id=town.id, lock=True)
        busy = clerk.post(form, data=shorter, files=other)
    assert busy.status_code == 503
    for said in ("sehr viel los", "wählen Sie Ihre Dateien", "scan.txt", "Rosa Beispiel"):
        assert said in busy.text, said
    answer = clerk.post(form, data=shorter)
    impatient.dispose()
    assert answer.status_code == 303, answer.text
    with unit_of_work(engine) as session:
        (file,) = received.attachments_of(session, int(answer.headers["location"].rsplit("/", 1)[1]))
    assert file.filename == "scan.txt"


def test_sent_twice_it_is_one(engine: Engine, town: Town, clerk: TestClient) -> None:
    data = letter()
    first = clerk.post(f"/verwaltung/eingang/{town.procedure.id}", data=data)
    again = clerk.post(f"/verwaltung/eingang/{town.procedure.id}", data=data)
    assert first.headers["location"] == again.headers["location"]
    with unit_of_work(engine) as session:
        assert len(session.exec(select(Contribution)).all()) == 1


def test_received_on_the_last_day_it_is_in_time_whenever_it_is_entered(
    engine: Engine, town: Town, clerk: TestClient, clock: Clock, app: Starlette
) -> None:
    clock.now = NOW + timedelta(days=20)
    with unit_of_work(engine, write=True) as session:
        assert town.clerk.person_id is not None
        clerk.cookies.set(
            COOKIE, identity.sign_in(session, town.clerk.person_id, now=NOW + timedelta(days=20))
        )
    for day, late in (("2027-03-02", False), ("2027-03-03", True)):
        answer = clerk.post(f"/verwaltung/eingang/{town.procedure.id}", data=letter(received_on=day))
        assert answer.status_code == 303, answer.text
        assert get(engine, int(answer.headers["location"].rsplit("/", 1)[1])).is_late is late
    with unit_of_work(engine) as session:
        assert list(evidence.examine(session, app.state.house.files)) == [], (
            "the day is sealed as it is read back"
        )


def test_everything_that_is_wrong_is_said_at_once(clerk: TestClient, town: Town) -> None:
    sent = letter(channel="", text="", received_on="2027-03-30", written_on="2027-04-02", section="x" * 600)
    answer = clerk.post(f"/verwaltung/eingang/{town.procedure.id}", data=sent)
    assert answer.status_code == 422
    for said in (
        "wie es bei uns angekommen ist",
        "schreiben Sie etwas oder hängen",
        "in der Zukunft",
        "nicht später verfasst",
        "500 Zeichen",
    ):
        assert said in answer.text
    page = html.fromstring(answer.content)
    for name in ("channel", "text", "received_on", "written_on", "section"):
        (field,) = page.xpath(f"//*[@name='{name}'][@aria-invalid='true']")
        assert f"{name}-error" in field.get("aria-describedby"), (
            "whoever comes to the field hears what is wrong"
        )


# --- the register ----------------------------------------------------------------------------------


def test_the_register_finds_by_reference_code_and_words(
    engine: Engine, town: Town, clerk: TestClient
) -> None:
    wanted = get(engine, offered(engine, town, "Die Straße ist zu laut"))
    offered(engine, town, "Mehr Bäume")
    for words in (wanted.reference, wanted.access_code, wanted.access_code.lower(), "laute strassen"):
        page = clerk.get("/verwaltung/eingangsbuch", params={"q": words})
        assert wanted.reference in page.text
        assert "Mehr Bäume" not in page.text
    assert "Nichts gefunden" in clerk.get("/verwaltung/eingangsbuch", params={"q": "quittung"}).text
    late = clerk.get("/verwaltung/eingangsbuch", params={"late": "yes"})
    assert "Nichts gefunden" in late.text
    entry = clerk.get(f"/verwaltung/eingangsbuch/{wanted.id}")
    assert "Die Straße ist zu laut" in entry.text


def test_the_register_pages_by_key_with_a_fixed_number_of_queries(
    engine: Engine, town: Town, clerk: TestClient
) -> None:
    counted: list[int] = []

    def count(url: str) -> str:
        statements: list[str] = []

        def listen(*args: object) -> None:
            statements.append(str(args[2]))

        event.listen(Engine, "before_cursor_execute", listen)
        try:
            text = clerk.get(url).text
        finally:
            event.remove(Engine, "before_cursor_execute", listen)
        counted.append(len(statements))
        return text

    offered(engine, town, "Nummer 0")
    clerk.get("/verwaltung/eingangsbuch")
    count("/verwaltung/eingangsbuch")
    for number in range(1, 60):
        offered(engine, town, f"Nummer {number}")
    first = count("/verwaltung/eingangsbuch")
    assert len(set(counted)) == 1
    older = re.search(r'href="(/verwaltung/eingangsbuch\?[^"]*before=\d+)"', first)
    assert older is not None
    second = count(older.group(1).replace("&amp;", "&"))
    assert len(set(counted)) == 1
    references = [set(re.findall(r"BP-12-\d{4}", page)) for page in (first, second)]
    assert [len(found) for found in references] == [25, 25]
    assert references[0].isdisjoint(references[1])


# --- moderation ------------------------------------------------------------------------------------


def test_take_the_next_decide_and_take_back(engine: Engine, town: Town, moderator: TestClient) -> None:
    first = offered(engine, town, "Erstens")
    second = offered(engine, town, "Zweitens")
    assert "Erstens" in moderator.get("/verwaltung/moderation").text
    taken = moderator.post("/verwaltung/moderation/naechster")
    assert taken.headers["location"] == f"/verwaltung/moderation/{first}"
    assert "Erstens" in moderator.get(taken.headers["location"]).text
    on = moderator.post(taken.headers["location"], data={"seen": "0", "action": "publish"})
    assert on.headers["location"] == f"/verwaltung/moderation/{second}?done={first}"
    assert get(engine, first).publication == PublicationState.PUBLISHED.value
    assert "Zurücknehmen" in moderator.get(on.headers["location"]).text
    assert "Erstens" in moderator.get("/verwaltung/moderation/entschieden").text
    moderator.post(f"/verwaltung/moderation/{first}/zuruecknehmen")
    assert get(engine, first).publication == PublicationState.PENDING.value


def test_blacking_out_starts_from_the_hints_and_leaves_the_original(
    engine: Engine, town: Town, moderator: TestClient
) -> None:
    row_id = offered(engine, town, "Frau Huber parkt falsch.")
    page = f"/verwaltung/moderation/{row_id}"
    assert "Frau Huber" in moderator.get(page).text
    suggested = moderator.post(page + "/vorschlag", data={"seen": "0"})
    assert "█████ parkt falsch." in suggested.text
    decision = {"seen": "0", "action": "redact", "reason": "third_party", "text": "█████ parkt falsch."}
    assert moderator.post(page, data=decision).status_code == 303
    row = get(engine, row_id)
    assert row.text == "Frau Huber parkt falsch."
    assert row.redaction_id is not None


def test_without_a_reason_nothing_is_kept_back_and_the_words_stay(
    engine: Engine, town: Town, moderator: TestClient
) -> None:
    row_id = offered(engine, town)
    refused = moderator.post(
        f"/verwaltung/moderation/{row_id}",
        data={"seen": "0", "action": "withhold", "explanation": "Bitte sachlich bleiben."},
    )
    assert refused.status_code == 422
    assert "Bitte geben Sie einen Grund an." in refused.text
    assert "Bitte sachlich bleiben." in refused.text
    assert get(engine, row_id).publication == PublicationState.PENDING.value


def test_two_moderators_do_not_decide_the_same(engine: Engine, town: Town, enter: Enter) -> None:
    with unit_of_work(engine, write=True) as session:
        other = cast.employ(session, town.municipality, Role.MODERATOR, "Malte")
    mona, malte = enter(town.moderator), enter(other)
    row_id = offered(engine, town)
    page = f"/verwaltung/moderation/{row_id}"
    mona.post(page + "/oeffnen")
    assert "Mona" in malte.get(page).text
    assert malte.post(page, data={"seen": "0", "action": "publish"}).status_code == 409
    mona.post(page + "/freigeben")
    assert malte.post(page, data={"seen": "0", "action": "publish"}).status_code == 303
    late = mona.post(page, data={"seen": "0", "action": "withhold", "reason": "insult"})
    assert late.status_code == 409
    assert "inzwischen" in late.text


def test_a_moderator_of_one_procedure_sees_and_decides_only_there(
    engine: Engine, town: Town, enter: Enter
) -> None:
    with unit_of_work(engine, write=True) as session:
        second = procedures.create(
            session,
            cast.consultation(key="BP-13", title="Zweiter Plan"),
            municipality_id=town.id,
            template_key="development_plan",
            by=town.planner,
            now=NOW,
        )
        publishing.publish(session, second, by=town.planner, now=NOW)
        cast.adopt(session, second)
        mara = cast.employ(session, town.municipality, Role.MODERATOR, "Mara", procedure_id=second.id)
        theirs = town.hand_in(session, "Für den zweiten", wants_publication=True, procedure=second).id
    other = offered(engine, town, "Für den ersten")
    client = enter(mara)
    page = client.get("/verwaltung/moderation").text
    assert "Für den zweiten" in page
    assert "Für den ersten" not in page
    assert client.get(f"/verwaltung/moderation/{theirs}").status_code == 200
    assert client.get(f"/verwaltung/moderation/{other}").status_code == 403
    assert (
        client.post(f"/verwaltung/moderation/{other}", data={"seen": "0", "action": "publish"}).status_code
        == 403
    )


def test_the_desk_says_what_waits_and_that_there_is_no_mail_server(
    engine: Engine, town: Town, moderator: TestClient
) -> None:
    offered(engine, town, person=PersonInput(email="rosa@beispiel.example"))
    page = moderator.get("/verwaltung").text
    assert "1 Beitrag wartet" in page
    assert "kein Mailserver" in page


def test_the_public_stays_outside(town: Town, client: TestClient) -> None:
    for path in ("/verwaltung", "/verwaltung/moderation", "/verwaltung/eingang", "/verwaltung/eingangsbuch"):
        answer = client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/anmelden")
