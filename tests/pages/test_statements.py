"""Handing in through the front door: without an account, without JavaScript, and without losing a word."""

import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx2
import pytest
from lxml import html
from PIL import Image
from sqlalchemy import Engine, event
from sqlmodel import Session, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import drafts, filing, journal, moderation, places, procedures, publishing, received
from consultations.contributions import Attachment, Contribution, Kind
from consultations.documents import DocumentKind, FileFacts
from consultations.drafts import Draft
from consultations.files import FolderStore, Readable, StoredFile
from consultations.moderation import Action, Decision
from consultations.permissions import SYSTEM
from consultations.phases import Opens, PhaseInput, PhaseKind
from consultations.places import Layer, LayerRole, PlaceInput, PlaceKind
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from geo.geometry import from_lonlat
from participation import database, security
from participation.app import create_app
from participation.database import make_engine, unit_of_work
from participation.settings import Settings
from tests import cast
from tests.cast import ENDS, NOW, STARTS, Town
from tests.conftest import Clock, NewClient
from tests.databases import once

FORMAL = "/beteiligungen/wohnen-am-muehlbach/stellungnahme"
DIALOGUE = "/beteiligungen/dialog-radverkehr/stellungnahme"
WORDS = "Die Linden am Tor sollen bleiben.\n\nSie geben der Haltestelle Schatten."


@pytest.fixture
def town(engine: Engine) -> Town:
    """The cast's first town, with documents, streets and an informal dialogue beside the formal consultation."""
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
        cast.found(session, "seebach", "Seebach")
        dialogue = procedures.create(
            session,
            cast.consultation(
                key="D-1",
                title="Dialog Radverkehr",
                phases=(
                    PhaseInput(
                        PhaseKind.CO_CREATION,
                        starts_on=STARTS,
                        ends_on=ENDS,
                        opens=(Opens.PROPOSAL, Opens.COMMENT),
                    ),
                ),
            ),
            municipality_id=town.id,
            template_key="informal_dialogue",
            by=town.planner,
            now=NOW,
        )
        publishing.publish(session, dialogue, by=town.planner, now=NOW)
        filing.add_document(
            session,
            town.procedure,
            FileFacts("b" * 64, "Begründung.pdf", "application/pdf", 99),
            title="Begründung",
            kind=DocumentKind.EXPLANATORY_REPORT,
            by=town.planner,
            now=NOW,
        )
        layer = Layer(municipality_id=town.id, role=LayerRole.STREETS.value, title="Straßen", imported_at=NOW)
        streets = [
            PlaceInput(PlaceKind.STREET, name, from_lonlat(10.7, 48.3), "Innenstadt")
            for name in ("Mühlgasse", "Mühlbachweg", "Färbergasse")
        ]
        places.add_layer(session, layer, streets, by=SYSTEM, now=NOW)
        return town


# --- a visitor who fills in forms ------------------------------------------------------------------


@dataclass
class Visitor:
    """Somebody with a browser that knows no JavaScript: it sends the fields of the page's form, and follows links."""

    client: TestClient
    answer: httpx2.Response = field(init=False)

    def visit(self, address: str) -> "Visitor":
        self.answer = self.client.get(address)
        return self

    @property
    def page(self) -> Any:
        return html.fromstring(self.answer.content)

    @property
    def words(self) -> str:
        return " ".join(self.page.find(".//main").text_content().split())

    @property
    def form(self) -> Any:
        return next(form for form in self.page.forms if "stellungnahme" in (form.get("action") or ""))

    def fields(self) -> dict[str, str]:
        """What the form would send as it stands, without files."""
        # As browsers do, without the line end that HTML allows after <textarea>.
        return {
            name: value.removeprefix("\n") for name, value in self.form.form_values() if name != "attachments"
        }

    def send(self, do: str = "next", files: Any = None, **typed: str) -> "Visitor":
        """Fill in and press a button; a redirect is followed."""
        assert self.form.xpath(f".//button[@value='{do}']"), f"there is no button for {do}"
        sent = {**self.fields(), **typed, "do": do}
        self.answer = self.client.post(self.form.get("action"), data=sent, files=files)
        while self.answer.status_code == 303:
            self.visit(self.answer.headers["location"])
        return self

    def errors(self) -> list[str]:
        return [item.text_content().strip() for item in self.page.xpath("//*[@id='error-summary']//li")]


@pytest.fixture
def visitor(client: TestClient, town: Town) -> Visitor:
    return Visitor(client)


def everything(engine: Engine) -> list[Contribution]:
    with Session(engine) as session:
        return list(session.exec(select(Contribution)).all())


def sheet(name: str, content: bytes, kind: str = "text/plain") -> tuple[str, tuple[str, bytes, str]]:
    return ("attachments", (name, content, kind))


# --- the way through -------------------------------------------------------------------------------


def test_three_steps_and_nothing_but_the_text_is_needed(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(FORMAL)
    assert visitor.answer.status_code == 200
    assert "2. März 2027" in visitor.words
    visitor.send(text=WORDS)
    assert visitor.answer.url.path.endswith("/angaben")
    assert visitor.fields()["publish"] == "no", "what nobody asked for is not published"
    visitor.send()
    assert visitor.answer.url.path.endswith("/pruefen")
    assert "Die Linden am Tor sollen bleiben." in visitor.words
    assert "ohne Namen" in visitor.words
    visitor.send("send")
    assert visitor.answer.url.path.startswith("/beleg/")
    (made,) = everything(engine)
    assert (made.text, made.kind, made.channel, made.submitter_id) == (WORDS, "statement", "web", None)
    assert (made.received_at, made.is_late, made.wants_publication) == (NOW, False, False)
    assert made.reference in visitor.words
    assert "11:30:15 Uhr (MEZ)" in visitor.words
    assert made.access_code[:4] in visitor.words


def test_all_of_it_arrives_on_one_page(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(f"{FORMAL}?ansicht=eine-seite").send("search", text=WORDS, place_search="mühl")
    assert "Mühlbachweg (Innenstadt)" in visitor.words
    place = visitor.page.xpath("//input[@name='place_id']/@value")[0]
    document = visitor.page.xpath("//select[@name='document_id']/option/@value")[-1]
    visitor.send(
        "send",
        files=[sheet("Skizze Süd.txt", b"eine Skizze")],
        place_id=place,
        document_id=document,
        section="4.2",
        place_words="beim Bäcker",
        name="Rosa Muster",
        street="Wehrgasse 3",
        postcode="89999",
        city="Auenfurt",
        email="rosa@example.org",
        on_behalf_of="Familie Muster",
        publish="yes",
    )
    assert visitor.answer.url.path.startswith("/beleg/")
    (made,) = everything(engine)
    assert (made.section, made.place_words, made.on_behalf_of) == ("4.2", "beim Bäcker", "Familie Muster")
    assert (made.wants_publication, made.publication) == (True, "pending")
    assert (made.place_id, made.geometry_kind, made.lon) == (int(place), "point", 10.7)
    assert made.document_id == int(document)
    with Session(engine) as session:
        record = received.record_of(session, made)
        assert record.person is not None
        assert (record.person.name, record.person.postcode) == ("Rosa Muster", "89999")
        assert [file.filename for file in record.attachments] == ["Skizze Süd.txt"]
    for shown in ("Begründung, 4.2", "Mühlbachweg", "Wehrgasse 3", "Familie Muster", "Skizze Süd.txt"):
        assert shown in visitor.words
    with Session(engine) as session:
        (draft,) = session.exec(select(Draft)).all()
        assert (draft.data, draft.files) == ({}, []), "personal data are not kept twice"


def test_a_file_alone_is_enough(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(FORMAL).send(files=[sheet("Brief.txt", b"Lieber Rat")]).send().send("send")
    (made,) = everything(engine)
    assert made.text == ""
    assert "Brief.txt" in visitor.words


def test_going_back_and_changing_loses_nothing(visitor: Visitor) -> None:
    visitor.visit(FORMAL).send(text=WORDS, section="4.2").send("back", name="Rosa")
    assert visitor.fields()["text"] == WORDS
    assert visitor.fields()["section"] == "4.2"
    visitor.send("one-page", text="Nur die Linden.")
    assert visitor.answer.url.path.endswith("/alles")
    assert (visitor.fields()["text"], visitor.fields()["name"]) == ("Nur die Linden.", "Rosa")
    visitor.send("steps").send().send("next", email="rosa@example.org")
    assert "Nur die Linden." in visitor.words
    assert "rosa@example.org" in visitor.words
    again = visitor.answer.url.path.replace("pruefen", "text")
    assert visitor.visit(again).fields()["section"] == "4.2", "the address leads back"


def test_the_flow_speaks_english(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(f"/en{FORMAL}").send(text="Keep the trees.")
    assert visitor.answer.url.path.startswith("/en/")
    visitor.send().send("send")
    assert "We have received your statement" in visitor.words
    assert everything(engine)[0].language == "en"


# --- one contribution ------------------------------------------------------------------------------


def test_double_click_reload_and_two_tabs_make_one_contribution(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(FORMAL)
    first_step, first_fields = visitor.form.get("action"), visitor.fields()
    visitor.send(text=WORDS).send()
    address, sent = visitor.form.get("action"), {**visitor.fields(), "do": "send"}
    answers = [visitor.client.post(address, data=sent) for _click in range(3)]
    assert {answer.headers["location"] for answer in answers} == {answers[0].headers["location"]}
    resent = visitor.client.post(first_step, data={**first_fields, "text": WORDS, "do": "next"})
    assert resent.headers["location"] == answers[0].headers["location"], (
        "an old page sent again leads to the receipt"
    )
    for step in ("text", "angaben", "pruefen", "alles"):
        looked = visitor.client.get(address.replace("pruefen", step))
        assert looked.headers["location"] == answers[0].headers["location"]
    assert len(everything(engine)) == 1


def test_clicks_at_the_same_moment_make_one_contribution(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(f"{FORMAL}?ansicht=eine-seite")
    address, sent = visitor.form.get("action"), {**visitor.fields(), "text": WORDS, "do": "send"}
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(visitor.client.post(address, data=sent).status_code))
        for _click in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [303] * 4
    assert len(everything(engine)) == 1


def test_new_words_from_another_tab_become_an_addition(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(f"{FORMAL}?ansicht=eine-seite")
    other_tab = Visitor(visitor.client)
    other_tab.answer = visitor.answer
    visitor.send("send", text=WORDS)
    other_tab.send("send", text="Und eine Bank.")
    assert "Sie haben das schon abgegeben" in other_tab.words
    assert other_tab.fields()["text"] == "Und eine Bank."
    other_tab.send().send().send("send")
    first, second = everything(engine)
    assert (second.supplements_id, second.text) == (first.id, "Und eine Bank.")
    assert f"Ergänzung zu {first.reference}" in other_tab.words


def test_a_foreign_address_opens_nobodys_draft(visitor: Visitor, new_client: NewClient) -> None:
    visitor.visit(FORMAL).send(text=WORDS)
    address = visitor.answer.url.path
    assert new_client("seebach.localhost").get(address).status_code in (404, 410)
    elsewhere = address.replace("wohnen-am-muehlbach", "dialog-radverkehr")
    assert visitor.client.get(elsewhere).status_code == 404
    assert visitor.client.post(elsewhere, data={"do": "next"}).status_code == 404
    assert visitor.client.get(f"{FORMAL}/geraten/text").status_code == 404
    assert visitor.client.post(f"{FORMAL}/geraten/text", data={"text": "x"}).status_code == 404


def test_what_a_form_sends_cannot_make_an_addition_to_somebody_elses(
    visitor: Visitor, engine: Engine
) -> None:
    visitor.visit(f"{FORMAL}?ansicht=eine-seite").send("send", text=WORDS)
    visitor.visit(f"{FORMAL}?ansicht=eine-seite")
    visitor.client.post(
        visitor.form.get("action"),
        data={**visitor.fields(), "text": "x", "supplements_id": "1", "do": "send"},
    )
    assert [each.supplements_id for each in everything(engine)] == [None, None]


# --- what is wrong is said, and nothing is lost -----------------------------------------------------


def test_an_empty_statement_is_asked_for_words(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(FORMAL).send(text=" \n ", section="4.2")
    assert visitor.answer.status_code == 422
    assert visitor.errors() == ["Bitte schreiben Sie etwas oder hängen Sie eine Datei an."]
    assert visitor.page.xpath("//textarea[@name='text']/@aria-invalid") == ["true"]
    assert visitor.fields()["section"] == "4.2"
    assert visitor.page.findtext(".//title").startswith("Fehler:")
    check = visitor.form.get("action").replace("/text", "/pruefen")
    visitor.visit(check).send("send")
    assert visitor.answer.status_code == 422
    assert everything(engine) == []


def test_a_wrong_mail_address_is_named_and_stays(visitor: Visitor) -> None:
    visitor.visit(FORMAL).send(text=WORDS).send(email="rosa(at)example", name="Rosa")
    assert visitor.answer.status_code == 422
    assert "E-Mail-Adresse" in visitor.errors()[0]
    assert (visitor.fields()["email"], visitor.fields()["name"]) == ("rosa(at)example", "Rosa")
    check = visitor.form.get("action").replace("/angaben", "/pruefen")
    visitor.visit(check).send("send")
    assert visitor.answer.status_code == 422, "nor does it slip through by the address of the last step"


def test_short_fields_have_their_limits(visitor: Visitor) -> None:
    visitor.visit(FORMAL).send(text=WORDS, section="x" * 501)
    assert visitor.errors() == ["Das sind mehr als 500 Zeichen. Bitte hängen Sie lange Texte als Datei an."]
    assert visitor.fields()["section"] == "x" * 501


@once
def test_five_megabytes_of_text_are_kept_as_a_file(visitor: Visitor, engine: Engine, app: Starlette) -> None:
    text = "Ä" * 2_500_000 + "Ende"
    visitor.visit(FORMAL).send(text=text)
    assert visitor.answer.status_code == 200
    assert "vollständig als Datei „Meine Stellungnahme.txt“" in visitor.words
    assert visitor.fields()["text"] == ""
    visitor.send().send().send("send")
    with Session(engine) as session:
        file = session.exec(select(Attachment)).one()
    assert b"".join(app.state.house.files.open(file.sha256)).decode() == text


def test_more_text_than_anybody_writes_is_refused_as_too_large(visitor: Visitor) -> None:
    visitor.visit(FORMAL)
    answer = visitor.client.post(
        visitor.form.get("action"), data={"text": "x" * 21_000_000}, files=[sheet("a.txt", b"a")]
    )
    assert answer.status_code == 413
    assert "20 MB" in html.fromstring(answer.content).text_content()


def bomb() -> bytes:
    """A small file that unpacks to a gigabyte."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w") as entry:
            for _ in range(1_000):
                entry.write(b"\0" * 1_000_000)
    return packed.getvalue()


def picture() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (20, 10), "green").save(made, "JPEG")
    return made.getvalue()


@once
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("lüge.pdf", b"MZ\x90\x00 this program cannot be run", "ist nicht, was ihre Endung sagt"),
        ("leer.pdf", b"", "ist leer"),
        ("kaputt.pdf", b"%PDF-1.7\n1 0 obj <<", "beschädigt"),
        ("tabelle.exe", b"MZ\x90\x00", "können wir nicht annehmen"),
        ("bild.png", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "bild.png"),
    ],
)
def test_a_refused_file_is_named_and_the_others_are_kept(
    visitor: Visitor, engine: Engine, name: str, content: bytes, said: str
) -> None:
    good = sheet("Bild.jpg", picture(), "image/jpeg")
    visitor.visit(FORMAL).send(text=WORDS, files=[sheet(name, content, "application/pdf"), good])
    assert visitor.answer.status_code == 422
    (error,) = visitor.errors()
    assert name in error
    assert said in error
    assert "Bild.jpg" in visitor.words, "what was good is kept"
    assert visitor.fields()["text"] == WORDS
    visitor.send().send().send("send")
    with Session(engine) as session:
        (kept,) = session.exec(select(Attachment)).all()
    assert kept.filename == "Bild.jpg"
    assert kept.public_sha256 not in ("", kept.sha256), "the public gets a copy without hidden data"


@once
def test_a_bomb_is_refused_in_words(visitor: Visitor) -> None:
    visitor.visit(FORMAL).send("attach", text=WORDS, files=[sheet("Plan.docx", bomb())])
    assert visitor.answer.status_code == 422
    assert "Plan.docx" in visitor.errors()[0]


def test_files_are_added_and_removed_one_by_one(visitor: Visitor) -> None:
    visitor.visit(FORMAL).send("attach", files=[sheet("a.txt", b"a"), sheet("b.txt", b"b")])
    visitor.send("attach", files=[sheet("a.txt", b"a")])
    buttons = visitor.form.xpath(".//button[starts-with(@value, 'remove-')]")
    assert len(buttons) == 2, "the same file sent twice is kept once"
    remove = buttons[0].get("value")
    visitor.send(remove, text=WORDS)
    assert "a.txt" not in visitor.words
    assert "b.txt" in visitor.words
    assert visitor.fields()["text"] == WORDS
    first_button = visitor.form.xpath(".//button")[0]
    assert first_button.get("value") == "enter-next", "the Enter key must never remove a file"


@once
def test_the_eleventh_file_is_refused_and_ten_are_kept(visitor: Visitor) -> None:
    files = [sheet(f"{number}.txt", str(number).encode()) for number in range(11)]
    visitor.visit(FORMAL).send("attach", files=files)
    assert visitor.errors() == ["Bitte hängen Sie höchstens 10 Dateien an."]
    assert len(visitor.form.xpath(".//button[starts-with(@value, 'remove-')]")) == 10


def test_a_hundred_files_at_once_are_refused_in_words(visitor: Visitor) -> None:
    files = [sheet(f"{number}.txt", b"x") for number in range(100)]
    answer = visitor.client.post(visitor.visit(FORMAL).form.get("action"), files=files)
    assert answer.status_code == 422
    assert "höchstens 40 Dateien" in html.fromstring(answer.content).text_content()


def test_a_file_above_the_limit_is_refused_by_name(settings: Settings, clock: Clock, town: Town) -> None:
    app = create_app(settings.model_copy(update={"upload_limit_mb": 1}), clock=clock)
    with TestClient(app, base_url="http://auenfurt.localhost", follow_redirects=False) as client:
        visitor = Visitor(client).visit(FORMAL)
        visitor.send("attach", text=WORDS, files=[sheet("groß.txt", b"x" * 1_000_001)])
        assert visitor.answer.status_code == 413
        assert "„groß.txt“ ist größer als 1 MB" in visitor.errors()[0]
        assert visitor.fields()["text"] == WORDS


@once
@pytest.mark.parametrize("announced", [True, False])
def test_words_around_files_that_are_far_too_large_are_kept(
    settings: Settings, clock: Clock, town: Town, announced: bool
) -> None:
    app = create_app(settings.model_copy(update={"upload_limit_mb": 1}), clock=clock)
    with TestClient(app, base_url="http://auenfurt.localhost", follow_redirects=False) as client:
        visitor = Visitor(client).visit(f"{FORMAL}?ansicht=eine-seite")
        parts = [
            *((name, None, value) for name, value in {**visitor.fields(), "text": WORDS}.items()),
            ("attachments", "klein.txt", "passt"),
            ("attachments", "riesig.txt", "x" * 30_000_000),
            ("name", None, "Rosa Muster"),
            ("do", None, "send"),
        ]
        body = "".join(
            f'--edge\r\nContent-Disposition: form-data; name="{name}"'
            + (f'; filename="{file}"\r\nContent-Type: text/plain' if file else "")
            + f"\r\n\r\n{value}\r\n"
            for name, file, value in parts
        )
        sent = f"{body}--edge--\r\n".encode()
        visitor.answer = client.post(
            visitor.form.get("action"),
            content=sent if announced else iter([sent[:500_000], sent[500_000:]]),
            headers={"content-type": "Multipart/Form-Data; boundary=edge"},
        )
        assert visitor.answer.status_code == 413
        assert ["29 MB" in error for error in visitor.errors()] == [True]
        assert (visitor.fields()["text"], visitor.fields()["name"]) == (WORDS, "Rosa Muster")
        assert "klein.txt" not in visitor.words
        assert list(app.state.house.files.hashes()) == []
        # Of any other form nothing is read beyond the limit: it would be kept in memory.
        fields = "&".join(f"f{number}={'a' * 15_000_000}" for number in range(2)).encode()
        answer = client.post(
            visitor.form.get("action"),
            content=fields if announced else iter([fields[:500_000], fields[500_000:]]),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        assert (answer.status_code, "Das war zu groß" in answer.text) == (413, True)


@once
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"lon": "48.3", "lat": "10.7"}, "vertauscht"),
        ({"lon": "-70", "lat": "40"}, "außerhalb Deutschlands"),
        ({"lon": "NaN", "lat": "inf"}, "ließ sich nicht verwenden"),
        ({"lon": "abc", "lat": "1e999"}, "ließ sich nicht verwenden"),
        ({"geometry": "{not json"}, "ließ sich nicht verwenden"),
        ({"place_id": "999999"}, "ließ sich nicht verwenden"),
        ({"place_id": "Mühlgasse"}, "ließ sich nicht verwenden"),
        (
            {
                "geometry": '{"type":"Polygon","coordinates":[[[10.70,48.30],[10.71,48.31],[10.71,48.30],'
                "[10.70,48.31],[10.70,48.30]]]}"
            },
            "überschneidet sich",
        ),
    ],
)
def test_an_impossible_place_is_explained_and_the_rest_stays(
    visitor: Visitor, engine: Engine, sent: dict[str, str], said: str
) -> None:
    visitor.visit(FORMAL).send(text=WORDS, **sent)
    assert visitor.answer.status_code == 422
    (error,) = visitor.errors()
    assert said in error
    assert visitor.fields()["text"] == WORDS
    visitor.send().send().send("send")
    (made,) = everything(engine)
    assert (made.geometry, made.place_id) == (None, None)


def test_an_unknown_document_is_refused_and_the_text_stays(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(FORMAL).send(text=WORDS, document_id="4711").send().send("send")
    assert visitor.answer.status_code == 422
    assert "gehört nicht zu dieser Beteiligung" in visitor.errors()[0]
    assert WORDS.splitlines()[0] in visitor.words
    assert everything(engine) == []


def test_what_is_far_too_long_for_its_field_is_kept_whole_as_a_file(visitor: Visitor, engine: Engine) -> None:
    everything_typed = "Zeile\n" * 50_000
    visitor.visit(FORMAL).send("attach", text=WORDS, section=everything_typed)
    assert "Abschnitt oder Seite.txt" in visitor.words
    assert visitor.fields()["section"] == ""
    with Session(engine) as session:
        (draft,) = session.exec(select(Draft)).all()
        assert draft.files[0]["size"] >= len(everything_typed)
    visitor.send(geometry='{"type":"LineString","coordinates":[' + "[1.0,2.0]," * 30_000 + "[1,2]]}")
    assert visitor.answer.status_code == 422
    assert "Karte" in " ".join(visitor.errors())
    assert visitor.fields()["geometry"] == ""


def test_a_file_sent_after_handing_in_in_another_tab_becomes_an_addition(
    visitor: Visitor, engine: Engine
) -> None:
    visitor.visit(f"{FORMAL}?ansicht=eine-seite")
    address, sent = visitor.form.get("action"), {**visitor.fields(), "text": WORDS, "do": "send"}
    first = sheet("Brief.txt", b"Lieber Rat")
    assert visitor.client.post(address, data=sent, files=[first]).status_code == 303
    # The same words and the same file, sent twice: nothing new.
    again = visitor.client.post(address, data=sent, files=[first])
    assert again.headers["location"].startswith("/beleg/")
    # The same words with a file that was forgotten the first time.
    more = visitor.client.post(address, data=sent, files=[first, sheet("Skizze.txt", b"eine Skizze")])
    visitor.visit(more.headers["location"])
    assert "schon abgegeben" in visitor.words
    assert "Skizze.txt" in visitor.words
    assert "Brief.txt" not in visitor.words
    visitor.send().send().send("send")
    original, addition = sorted(everything(engine), key=lambda row: row.id or 0)
    assert addition.supplements_id == original.id
    with Session(engine) as session:
        assert [each.filename for each in received.attachments_of(session, addition.id or 0)] == [
            "Skizze.txt"
        ]


def test_a_file_that_cannot_be_taken_after_handing_in_is_named(visitor: Visitor) -> None:
    visitor.visit(f"{FORMAL}?ansicht=eine-seite")
    address, sent = visitor.form.get("action"), {**visitor.fields(), "text": WORDS, "do": "send"}
    visitor.client.post(address, data=sent)
    more = visitor.client.post(address, data=sent, files=[sheet("leer.txt", b"")])
    visitor.visit(more.headers["location"])
    assert "konnten wir nicht annehmen" in visitor.words


def test_an_expired_form_keeps_what_was_typed_in_it(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(FORMAL).send(text=WORDS)
    address, sent = visitor.form.get("action"), {**visitor.fields(), "name": "Rosa", "do": "next"}
    with unit_of_work(engine, write=True) as session:
        assert drafts.are_old(session, NOW + timedelta(days=61))
        assert drafts.forget_old(session, NOW + timedelta(days=61)) == 1
    gone = visitor.client.get(address)
    assert gone.status_code == 410
    assert "60 Tage" in html.fromstring(gone.content).text_content()
    visitor.answer = visitor.client.post(address, data=sent)
    assert visitor.answer.status_code == 303
    visitor.visit(visitor.answer.headers["location"])
    assert "Rosa" in visitor.words
    visitor.send("send")
    assert visitor.errors() == ["Bitte schreiben Sie etwas oder hängen Sie eine Datei an."]


# --- when the house itself is in trouble -----------------------------------------------------------


class FullStore(FolderStore):
    """A file store on a disk that is full."""

    def put(self, stream: Readable) -> StoredFile:
        raise Refusal(Code.DISK_FULL)


def test_a_full_disk_loses_no_word(visitor: Visitor, app: Starlette, settings: Settings) -> None:
    app.state.house.files = FullStore(settings.data_dir / "full")
    visitor.visit(FORMAL).send(text=WORDS, files=[sheet("Brief.txt", b"Lieber Rat")])
    assert visitor.answer.status_code == 507
    assert "kein Platz" in visitor.errors()[0]
    assert visitor.fields()["text"] == WORDS
    visitor.send()
    assert visitor.answer.url.path.endswith("/angaben"), "without the file it goes on"


@pytest.fixture
def on_sqlite(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL says this of its own server, which all tests share")


@contextmanager
def full(engine: Engine) -> Iterator[None]:
    """The database has no room for another draft, and says so itself."""
    if engine.dialect.name == "sqlite":

        def fill(connection: Any, _record: Any, _proxy: Any) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")

        event.listen(engine, "checkout", fill)
        yield
        event.remove(engine, "checkout", fill)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
        engine.dispose()
        return
    # What the server of all tests cannot be made to find on its disk, it raises with the same code (SQLSTATE).
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE"
            " 'could not extend file \"base/5/1259\": No space left on device' USING ERRCODE = 'disk_full'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER full_disk BEFORE INSERT ON draft FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )
    yield
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER full_disk ON draft")


def test_a_full_database_shows_the_page_again_with_everything_typed(visitor: Visitor, app: Starlette) -> None:
    visitor.visit(FORMAL)
    with full(app.state.house.engine):
        visitor.send(text=WORDS + "x" * 100_000, section="4.2", files=[sheet("a.txt", b"a")])
        assert visitor.answer.status_code == 507
        assert "kein Platz" in visitor.errors()[0]
        assert visitor.fields()["text"] == WORDS + "x" * 100_000
        assert "wählen Sie Ihre Dateien" in visitor.errors()[1]
    visitor.send()
    assert visitor.answer.url.path.endswith("/angaben"), "the same page, sent again, goes on"


@pytest.mark.usefixtures("on_sqlite")
def test_a_busy_database_shows_the_page_again_with_everything_typed(
    visitor: Visitor, app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.1)
    visitor.visit(FORMAL)
    with unit_of_work(app.state.house.engine, write=True):
        visitor.send(text=WORDS, section="4.2")
        assert visitor.answer.status_code == 503
        assert "sehr viel los" in visitor.errors()[0]
        assert (visitor.fields()["text"], visitor.fields()["section"]) == (WORDS, "4.2")
    visitor.send().send()
    with unit_of_work(app.state.house.engine, write=True):
        visitor.send("send")
        assert visitor.answer.status_code == 503
        assert WORDS.splitlines()[0] in visitor.words
    visitor.send("send")
    assert visitor.answer.url.path.startswith("/beleg/")


def test_somebody_elses_lock_shows_the_page_again_with_everything_typed(
    visitor: Visitor, app: Starlette, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real lock on the town's file, as a long import holds it, on PostgreSQL too."""
    monkeypatch.setattr(database, "PATIENCE_SECONDS", 0.2)
    visitor.visit(f"{FORMAL}?ansicht=eine-seite")
    app.state.house.engine.dispose()
    impatient = make_engine(app.state.house.settings.database_url)
    monkeypatch.setattr(app.state.house, "engine", impatient)
    try:
        with unit_of_work(engine, write=True) as session:
            for each in session.exec(select(Procedure.municipality_id).distinct()).all():
                journal.hold(session, each)
            visitor.send("send", text=WORDS)
            assert visitor.answer.status_code == 503
            assert "sehr viel los" in visitor.errors()[0]
            assert visitor.fields()["text"] == WORDS
        visitor.send("send")
        assert visitor.answer.url.path.startswith("/beleg/")
    finally:
        impatient.dispose()


def test_too_many_from_one_address_are_asked_to_wait_with_their_words_kept(
    settings: Settings, clock: Clock, town: Town
) -> None:
    app = create_app(settings.model_copy(update={"submissions_per_minute": 1}), clock=clock)
    with TestClient(app, base_url="http://auenfurt.localhost", follow_redirects=False) as client:
        first = Visitor(client).visit(f"{FORMAL}?ansicht=eine-seite").send("send", text="Eins")
        assert first.answer.status_code == 200
        second = Visitor(client).visit(f"{FORMAL}?ansicht=eine-seite").send("send", text="Zwei")
        assert second.answer.status_code == 429
        assert second.fields()["text"] == "Zwei"


def test_files_are_counted_for_each_draft_and_a_library_is_not_locked_out(visitor: Visitor) -> None:
    visitor.visit(FORMAL).send("attach", text=WORDS, files=[sheet("a.txt", b"a")])
    draft = visitor.form.get("action").split("/")[-2]
    limiter = visitor.client.app.state.house.limiter  # type: ignore[attr-defined]
    while limiter.count(security.Action.UPLOAD, draft):
        pass
    visitor.send("attach", section="4.2", files=[sheet("b.txt", b"b")])
    assert visitor.answer.status_code == 429
    assert "„b.txt“ haben wir deshalb nicht angenommen" in visitor.errors()[0]
    assert visitor.fields()["section"] == "4.2", "what was typed is kept"
    assert "a.txt" in visitor.words, "and so are the files before it"
    neighbour = Visitor(visitor.client).visit(FORMAL).send("attach", files=[sheet("c.txt", b"c")])
    assert "c.txt" in neighbour.words, "somebody else at the same address goes on"


def test_an_address_whose_hour_is_used_up_keeps_its_words_and_hears_of_the_other_ways(
    settings: Settings, clock: Clock, town: Town
) -> None:
    app = create_app(settings.model_copy(update={"upload_mb_per_hour": 1}), clock=clock)
    with TestClient(app, base_url="http://auenfurt.localhost", follow_redirects=False) as client:
        Visitor(client).visit(FORMAL).send("attach", files=[sheet("a.txt", b"a" * 600_000)])
        neighbour = Visitor(client).visit(FORMAL)
        neighbour.send("attach", text=WORDS, files=[sheet("b.txt", b"b" * 600_000), sheet("c.txt", b"c")])
        assert neighbour.answer.status_code == 429
        (error,) = neighbour.errors()
        assert "„b.txt“ nicht angenommen" in error
        assert "per E-Mail oder Brief, oder bringen Sie sie bei uns vorbei" in error
        assert neighbour.fields()["text"] == WORDS
        assert "c.txt" in neighbour.words, "what fits is taken"
        kept = [each.stat().st_size for each in (settings.data_dir / "files").rglob("*") if each.is_file()]
        assert sorted(kept) == [1, 600_000], "nothing of the refused file is in the store"


# --- before, after, and other kinds ----------------------------------------------------------------


def test_before_the_start_the_page_says_when_it_opens(visitor: Visitor, clock: Clock) -> None:
    clock.now = datetime(2027, 1, 20, 9, tzinfo=UTC)
    visitor.visit(FORMAL)
    assert visitor.answer.status_code == 200
    assert "Das hat noch nicht begonnen" in visitor.words
    assert "Ab Montag, 1. Februar 2027" in visitor.words
    assert "08999 1234-0" in visitor.words


def test_after_the_end_a_statement_is_taken_and_marked(
    visitor: Visitor, clock: Clock, engine: Engine
) -> None:
    clock.now = datetime(2027, 3, 2, 23, 0, tzinfo=UTC)
    visitor.visit(FORMAL)
    assert "Die Frist ist vorbei Sie endete gestern, Dienstag, 2. März 2027, um 24 Uhr." in visitor.words
    assert "§ 4a Abs. 5 BauGB" in visitor.words
    visitor.send(text=WORDS).send().send("send")
    (made,) = everything(engine)
    assert made.is_late
    assert "als verspätet vermerkt" in visitor.words


def test_what_ends_while_somebody_writes_is_kept_and_marked(
    visitor: Visitor, clock: Clock, engine: Engine
) -> None:
    clock.now = datetime(2027, 3, 2, 22, 59, tzinfo=UTC)
    visitor.visit(FORMAL).send(text=WORDS).send()
    clock.advance(minutes=2)
    visitor.send("send")
    assert everything(engine)[0].is_late
    assert "als verspätet vermerkt" in visitor.words


def test_a_dialogue_that_has_ended_says_what_is_still_possible(
    visitor: Visitor, clock: Clock, engine: Engine
) -> None:
    visitor.visit(f"{DIALOGUE}?kind=proposal").send(title="Radweg", text="Breiter, bitte.").send()
    clock.now = datetime(2027, 3, 2, 23, 0, tzinfo=UTC)
    visitor.send("send")
    assert visitor.answer.status_code == 422
    assert "Dienstag, 2. März 2027" in visitor.errors()[0]
    assert "Breiter, bitte." in visitor.words
    assert "per Brief oder E-Mail" in visitor.words
    assert everything(engine) == []
    visitor.visit(DIALOGUE)
    assert "Das ist beendet" in visitor.words
    assert visitor.page.xpath("//main//a[@href='/beteiligungen/dialog-radverkehr']")
    assert visitor.page.xpath("//main//a[@href='/beitrag']")


def test_what_is_not_planned_here_leads_to_what_is(visitor: Visitor) -> None:
    visitor.visit(f"{FORMAL}?kind=proposal")
    assert "Das ist hier nicht vorgesehen" in visitor.words
    (link,) = visitor.page.xpath("//main//a[contains(@href, 'kind=statement')]/@href")
    assert visitor.visit(link).form is not None


@pytest.mark.parametrize("kind", ["proposal", "comment"])
def test_a_dialogue_asks_for_a_title_and_publishes_unless_told_not_to(
    visitor: Visitor, engine: Engine, kind: str
) -> None:
    visitor.visit(f"{DIALOGUE}?kind={kind}&lon=10.7&lat=48.3").send(text="Breiter, bitte.")
    assert visitor.errors() == ["Bitte geben Sie einen Titel an, damit andere den Beitrag finden."]
    assert "48,30000° Nord" in visitor.words
    visitor.send(title="Radweg", category="Radverkehr")
    assert visitor.fields()["publish"] == "yes"
    visitor.send(pseudonym="Rosa").send("send")
    (made,) = everything(engine)
    assert (made.kind, made.title, made.category, made.pseudonym) == (kind, "Radweg", "Radverkehr", "Rosa")
    assert (made.publication, made.lon, made.lat) == ("pending", 10.7, 48.3)


def test_a_comment_on_a_contribution_needs_no_title(visitor: Visitor, town: Town, engine: Engine) -> None:
    with unit_of_work(engine, write=True) as session:
        dialogue = procedures.by_slug(session, town.id, "dialog-radverkehr")
        facts: dict[str, Any] = {"procedure": dialogue, "kind": Kind.PROPOSAL, "wants_publication": True}
        shown = town.hand_in(session, title="Radweg", **facts)
        moderation.decide(session, shown, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
        hidden = town.hand_in(session, title="Geheim", **facts)
    visitor.visit(f"{DIALOGUE}?kind=comment&parent={hidden.id}")
    assert "Geheim" not in visitor.words, "nobody comments on what the public cannot see"
    visitor.visit(f"{DIALOGUE}?kind=comment&parent={shown.id}")
    assert "Ihr Kommentar zu: Radweg" in visitor.words
    visitor.send(text="Genau.").send().send("send")
    assert everything(engine)[-1].parent_id == shown.id


def test_a_place_is_searched_chosen_and_changed_without_javascript(visitor: Visitor) -> None:
    visitor.visit(FORMAL).send("search", text=WORDS, place_search="Nirgendwo")
    assert "keinen Ort mit diesem Namen" in visitor.words
    visitor.send("enter-next", place_search="färber")  # as the Enter key does, in its field
    (place,) = [value for value in visitor.page.xpath("//input[@name='place_id']/@value") if value]
    visitor.send("attach", place_id=place)
    assert "Färbergasse (Innenstadt)" in visitor.words
    visitor.send("forget-place")
    assert "Färbergasse" not in visitor.words
    assert visitor.fields()["text"] == WORDS
    (first,) = visitor.form.xpath("(.//button[@type='submit'])[1]/@value")
    assert first == "enter-next", "what a browser presses for the Enter key"
    assert visitor.send("enter-next").answer.url.path.endswith("/angaben"), (
        "nothing is looked for: it goes on"
    )


def test_the_place_chosen_last_counts(visitor: Visitor, engine: Engine) -> None:
    with Session(engine) as session:
        street = session.exec(select(places.Place).where(places.Place.name == "Mühlgasse")).one()
    visitor.visit(f"{FORMAL}?lon=10.65&lat=48.25")
    visitor.send(text=WORDS, place_id=str(street.id)).send().send("send")
    (made,) = everything(engine)
    assert (made.place_id, made.lon) == (street.id, 10.7)


def test_a_line_from_the_map_is_kept_as_a_line(visitor: Visitor, engine: Engine) -> None:
    line = '{"type":"LineString","coordinates":[[10.70,48.30],[10.71,48.31]]}'
    visitor.visit(FORMAL).send(text=WORDS, geometry=line).send().send("send")
    assert everything(engine)[0].geometry_kind == "line"
    assert "Linie auf der Karte" in visitor.words


@pytest.mark.parametrize("state", ["draft", "withdrawn"])
def test_what_is_not_or_no_longer_public_takes_nothing(
    visitor: Visitor, town: Town, engine: Engine, state: str
) -> None:
    with unit_of_work(engine, write=True) as session:
        procedure = procedures.by_id(session, town.id, town.procedure.id or 0)
        assert procedure is not None
        procedure.state = state
        session.add(procedure)
    answer = visitor.client.get(FORMAL)
    assert answer.status_code == (404 if state == "draft" else 200)
    if state == "withdrawn":
        assert "Dieses Verfahren wurde eingestellt" in html.fromstring(answer.content).text_content()
    sent = visitor.client.post(
        f"{FORMAL}/{drafts.new_secret()}/alles", data={"text": "x", "do": "send", "kind": "statement"}
    )
    assert sent.status_code == (404 if state == "draft" else 422)
    assert everything(engine) == []


def test_pages_with_words_in_them_are_kept_by_nobody_but_the_browser(visitor: Visitor) -> None:
    visitor.visit(FORMAL)
    assert visitor.answer.headers["cache-control"] == "private, no-cache"
    visitor.send(text=WORDS).send()
    assert visitor.answer.headers["cache-control"] == "private, no-cache"
    assert visitor.answer.headers["referrer-policy"] == "strict-origin", (
        "the secret stays out of other sites' logs"
    )
    assert visitor.send("send").answer.headers["cache-control"] == "no-store"


def test_another_site_cannot_hand_in_for_somebody(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(f"{FORMAL}?ansicht=eine-seite")
    sent = {**visitor.fields(), "text": "x", "do": "send"}
    answer = visitor.client.post(
        visitor.form.get("action"), data=sent, headers={"Origin": "https://elsewhere.example"}
    )
    assert answer.status_code == 403
    assert everything(engine) == []


def test_the_last_day_is_written_out(visitor: Visitor) -> None:
    assert date(2027, 3, 2) == ENDS
    assert "bis Dienstag, 2. März 2027, 24 Uhr, noch" in visitor.visit(FORMAL).words


def test_the_way_over_the_map_leads_back_to_what_was_written(visitor: Visitor, engine: Engine) -> None:
    visitor.visit(FORMAL)
    sent = {**visitor.fields(), "text": WORDS, "do": "map"}
    to_the_map = visitor.client.post(visitor.form.get("action"), data=sent)
    assert to_the_map.headers["location"] == "/beteiligungen/wohnen-am-muehlbach/karte"
    answer = visitor.client.get(f"{FORMAL}?kind=statement&lon=10.701&lat=48.301")
    assert answer.status_code == 303
    visitor.visit(answer.headers["location"])
    assert visitor.fields()["text"] == WORDS
    assert "48,30100° Nord" in visitor.words
    visitor.send().send().send("send")
    (made,) = everything(engine)
    assert (made.text, made.lon, made.lat) == (WORDS, 10.701, 48.301)
    fresh = visitor.client.get(f"{FORMAL}?kind=statement&lon=10.701&lat=48.301")
    assert fresh.status_code == 200, "what has been handed in is not gone on with"
