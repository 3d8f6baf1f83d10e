"""Consultations as the public reads them: the list, one of them, its documents, its versions, its dates."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import httpx2
import icalendar
import pytest
from lxml import etree, html
from lxml.html import HtmlElement
from sqlalchemy import Engine
from sqlmodel import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import contributions, filing, nesting, procedures, publishing
from consultations.contributions import PublicationState
from consultations.documents import DocumentKind, FileFacts, documents_of
from consultations.files import FileStore
from consultations.people import Person
from consultations.permissions import SYSTEM, Role
from consultations.phases import Opens, Phase, PhaseInput, PhaseKind, phases_of
from consultations.procedures import Procedure, ProcedureInput
from geo.geometry import read_geojson_geometry
from participation import identity, overview
from participation.database import unit_of_work
from participation.pages import hearings
from tests import cast
from tests.cast import ENDS, NOW, STARTS, Town
from tests.conftest import Clock, NewClient
from tests.databases import once
from tests.queries import counted

HERE = "/beteiligungen/wohnen-am-muehlbach"
AREA = {
    "type": "Polygon",
    "coordinates": [[[10.70, 48.30], [10.703, 48.30], [10.703, 48.302], [10.70, 48.302], [10.70, 48.30]]],
}
PUBLICATION = PhaseInput(
    PhaseKind.PUBLICATION, starts_on=STARTS, ends_on=ENDS, opens=(Opens.STATEMENT,), is_formal=True
)


@pytest.fixture
def town(engine: Engine) -> Town:
    with unit_of_work(engine, write=True) as session:
        return cast.found(session)


@pytest.fixture
def planner(client: TestClient, engine: Engine, town: Town) -> TestClient:
    """The town's planner, signed in."""
    with unit_of_work(engine, write=True) as session:
        person = session.get(Person, town.staff[Role.PLANNER].person_id)
        assert person is not None
        identity.create_password_identity(
            session, person, "paula@auenfurt.example", "correct horse battery", by=SYSTEM, now=NOW
        )
    answer = client.post(
        "/anmelden", data={"email": "paula@auenfurt.example", "password": "correct horse battery"}
    )
    assert answer.status_code == 303
    return client


@pytest.fixture
def files(app: Starlette) -> FileStore:
    store: FileStore = app.state.house.files
    return store


def text(page: httpx2.Response | HtmlElement) -> str:
    tree = html.fromstring(page.content) if isinstance(page, httpx2.Response) else page
    return " ".join(tree.text_content().split())


def tree(page: httpx2.Response) -> HtmlElement:
    assert page.status_code == 200, page.text
    return html.fromstring(page.content)


def section(page: httpx2.Response, name: str) -> HtmlElement:
    (found,) = tree(page).xpath(f"//section[@aria-labelledby='{name}']")
    return found


def mine(session: Session, town: Town) -> Procedure:
    """The town's consultation, in this session."""
    procedure = procedures.by_id(session, town.id, town.procedure.id or 0)
    assert procedure is not None
    return procedure


def change(
    engine: Engine, town: Town, *, note: str = "Geändert", now: datetime = NOW, **facts: object
) -> None:
    """Save the cast's consultation again with other facts; its first phase keeps its identity."""
    with unit_of_work(engine, write=True) as session:
        procedure = mine(session, town)
        known = phases_of(session, procedure.id or 0)
        entered: ProcedureInput = cast.consultation(**facts)
        phases = tuple(
            PhaseInput(**{**each.__dict__, "id": known[at].id if at < len(known) else None})
            for at, each in enumerate(entered.phases)
        )
        entered = ProcedureInput(**{**entered.__dict__, "phases": phases})
        # What a released phase has promised could not be changed any more: it is set up anew and adopted again.
        for phase in known:
            phase.released_at = None
            session.add(phase)
        procedures.change(session, procedure, entered, by=town.planner, now=now, note=note)
        cast.adopt(session, procedure)


def attach(
    engine: Engine,
    town: Town,
    files: FileStore,
    content: bytes,
    *,
    title: str = "Planzeichnung",
    kind: DocumentKind = DocumentKind.PLAN_DRAWING,
    filename: str = "Plan Übersicht.pdf",
    media_type: str = "application/pdf",
    words: str = "",
    note: str = "",
    again: bool = False,
    now: datetime = NOW,
) -> tuple[int, int]:
    """A document, or (`again`) the next version of the first one: its id and number."""
    kept = files.put(BytesIO(content))
    with unit_of_work(engine, write=True) as session:
        procedure = mine(session, town)
        document = documents_of(session, procedure.id or 0)[0][0] if again else None
        version = filing.add_document(
            session,
            procedure,
            FileFacts(kept.sha256, filename, media_type, kept.size, 3, words),
            title=title,
            kind=kind,
            by=town.planner,
            now=now,
            document=document,
            note=note,
        )
        return version.document_id, version.number


def add_draft(engine: Engine, town: Town) -> Procedure:
    with unit_of_work(engine, write=True) as session:
        return procedures.create(
            session,
            cast.consultation(key="BP-99", title="Geheimer Entwurf"),
            municipality_id=town.id,
            template_key="development_plan",
            by=town.planner,
            now=NOW,
        )


# --- one consultation --------------------------------------------------------------------------------


def test_the_page_says_what_where_when_how_and_whom_to_ask(
    client: TestClient, engine: Engine, town: Town, files: FileStore
) -> None:
    attach(engine, town, files, b"%PDF-1", words="Zwei Geschosse.")
    change(
        engine,
        town,
        access_options=(
            {
                "place": "Rathaus",
                "address": "Marktplatz 1\n89999 Auenfurt",
                "hours": "Mo 8–12",
                "step_free": True,
            },
            {"place": "Bücherei", "note": "mit Lesehilfe", "step_free": "Rampe am Hof"},
        ),
    )
    page = client.get(HERE)
    said = text(page)
    assert tree(page).findtext(".//h1") == "Wohnen am Mühlbach"
    for words in ("Läuft gerade", "Aktenzeichen BP-12", "120 Wohnungen", "bis Dienstag, 2. März 2027", "noch 14 Tage",
                  "Zwischen Mühlbach, Bahnlinie und Färbergasse", "Frau Kern", "Stadtplanungsamt", "08999 1234-10"):  # fmt: skip
        assert words in said
    ways = text(section(page, "ways"))
    for words in ("Online schreiben", "Per Brief", "Marktplatz 1", "Am Telefon", "Per E-Mail", "Rathaus", "Mo 8–12",
                  "Stufenloser Zugang", "Bücherei", "Rampe am Hof", "mit Lesehilfe"):  # fmt: skip
        assert words in ways
    documents = section(page, "documents")
    assert "PDF · 3 Seiten · 6 B" in text(documents)
    links = [link.get("href") for link in documents.xpath(".//li//a")]
    assert links[0].endswith("/1/Plan%20%C3%9Cbersicht.pdf")
    assert links[1].endswith("/1")
    assert links[2] == "/barriere-melden?where=Planzeichnung"
    assert tree(page).xpath(f"//a[@href='{HERE}/stellungnahme?kind=statement']")
    assert tree(page).xpath("//h3[.='Online schreiben']")


@once
@pytest.mark.parametrize(
    ("moment", "said", "may_write"),
    [
        (datetime(2027, 1, 31, 12, tzinfo=UTC), "Sie können bald mitmachen", False),
        (datetime(2027, 2, 1, 12, tzinfo=UTC), "Sie können jetzt mitmachen", True),
        (datetime(2027, 3, 2, 22, 59, tzinfo=UTC), "Heute ist der letzte Tag", True),
        (datetime(2027, 3, 2, 23, 0, tzinfo=UTC), "verspätet", True),
    ],
)
def test_the_banner_says_what_is_possible_now(
    client: TestClient, town: Town, clock: Clock, moment: datetime, said: str, may_write: bool
) -> None:
    clock.now = moment
    page = client.get(HERE)
    (banner,) = tree(page).xpath("//div[contains(@class, 'd-deadline ')]")
    assert said in text(banner)
    assert bool(banner.xpath(".//a")) is may_write
    assert bool(tree(page).xpath("//a[contains(@href, 'formular.pdf')]")) is may_write


def test_once_the_council_decides_nothing_late_is_invited(
    client: TestClient, engine: Engine, town: Town
) -> None:
    past = PhaseInput(
        PhaseKind.PUBLICATION, starts_on=date(2027, 1, 1), ends_on=date(2027, 2, 1), opens=(Opens.STATEMENT,)
    )
    change(engine, town, phases=(past, PhaseInput(PhaseKind.RESOLUTION, starts_on=date(2027, 2, 10))))
    page = client.get(HERE)
    assert "Diese Beteiligung ist beendet" in text(page)
    assert not tree(page).xpath("//a[contains(@href, 'stellungnahme')]")
    with unit_of_work(engine, write=True) as session:
        publishing.conclude(
            session, mine(session, town), by=town.planner, now=NOW, note="Beschlossen <b>mit</b> 30:2."
        )
    assert "Was daraus geworden ist Beschlossen <b>mit</b> 30:2." in text(client.get(HERE))


def test_the_timeline_shows_each_phase_with_its_state(client: TestClient, engine: Engine, town: Town) -> None:
    early = PhaseInput(
        PhaseKind.EARLY, starts_on=date(2026, 9, 1), ends_on=date(2026, 9, 30), note="64 Beiträge, 50 % dafür"
    )
    change(engine, town, phases=(early, PUBLICATION, PhaseInput(PhaseKind.WEIGHING, title="Abwägung 100 %")))
    steps = [text(step) for step in section(client.get(HERE), "steps").xpath(".//ol/li")]
    assert steps == [
        "Frühzeitige Beteiligung abgeschlossen 1. September 2026 bis 30. September 2026 64 Beiträge, 50 % dafür",
        "Veröffentlichung des Entwurfs läuft gerade förmlich (gesetzlich geregelt) 1. Februar 2027 bis 2. März 2027",
        "Abwägung 100 % kommt noch Jeder Beitrag wird gelesen und geprüft: Was kommt in den Plan, was nicht, und warum?",
    ]


def test_once_it_is_over_the_page_answers_questions_and_leads_to_the_results(
    client: TestClient, engine: Engine, town: Town, files: FileStore
) -> None:
    assert "So können Sie mitmachen" in text(client.get(HERE))
    attach(
        engine,
        town,
        files,
        b"%PDF-1",
        title="Beschluss",
        kind=DocumentKind.RESULT,
        words="Das Café ist kleiner.",
    )
    past = PhaseInput(PhaseKind.PUBLICATION, starts_on=date(2027, 1, 1), ends_on=date(2027, 2, 1))
    change(engine, town, phases=(past, PhaseInput(PhaseKind.IN_FORCE, starts_on=date(2027, 2, 10))))
    with unit_of_work(engine, write=True) as session:
        publishing.conclude(
            session, mine(session, town), by=town.planner, now=NOW, note="Das Café ist kleiner."
        )
    page = client.get(HERE)
    ways = text(section(page, "ways"))
    assert ways.startswith("Fragen und Kontakt")
    assert "08999 1234-10" in ways
    assert "Wir schreiben auf" not in ways, "nothing is taken down any more"
    assert "So können Sie mitmachen" not in text(page)
    (link,) = tree(page).xpath("//div[contains(@class, 'd-notice')]//a")
    assert text(link) == "Beschluss"
    assert "Das Café ist kleiner." in text(client.get(link.get("href")))
    assert text(section(page, "steps").xpath(".//ol/li")[-1]) == (
        "Plan in Kraft gilt jetzt ab 10. Februar 2027 Von diesem Tag an gilt der Plan."
    )


def test_published_contributions_are_counted_and_private_ones_are_not(
    client: TestClient, engine: Engine, town: Town
) -> None:
    assert "Noch ist keiner veröffentlicht." in text(client.get(HERE))
    with unit_of_work(engine, write=True) as session:
        for number in range(3):
            row = town.hand_in(
                session, f"Beitrag {number}", procedure=mine(session, town), wants_publication=number < 2
            )
            if number < 2:
                contributions.set_publication(session, row, PublicationState.PUBLISHED)
    page = client.get(HERE)
    assert "2 veröffentlichte Beiträge" in text(page)
    (heading,) = tree(page).xpath("//nav[@class='d-onpage']//a[@href='#contributions']")
    assert (text(heading), len(tree(page).xpath("//h2[@id='contributions']"))) == ("Beiträge", 1)


def test_a_reader_of_english_is_told_which_texts_are_german(
    client: TestClient, engine: Engine, town: Town
) -> None:
    page = tree(client.get(f"/en{HERE}"))
    assert page.xpath("//h1/@lang") == ["de"]
    assert "The texts of this consultation are in German" in text(page)
    change(engine, town, translations={"en": {"title": "Living at the mill brook", "summary": "120 homes"}})
    page = tree(client.get(f"/en{HERE}"))
    assert (page.findtext(".//h1"), page.xpath("//h1/@lang")) == ("Living at the mill brook", [])
    assert page.xpath("//div[@class='d-prose']/@lang") == ["de"]
    (card,) = tree(client.get("/en/beteiligungen")).xpath("//article")
    assert "Living at the mill brook" in text(card)
    assert not card.xpath(".//h3//@lang")


def test_the_plan_is_a_picture_with_words(client: TestClient, engine: Engine, town: Town) -> None:
    assert client.get(f"{HERE}/plan.svg").status_code == 404
    assert not tree(client.get(HERE)).xpath("//figure//img")
    with unit_of_work(engine, write=True) as session:
        procedures.set_plan_area(
            session, mine(session, town), read_geojson_geometry(AREA), by=town.planner, now=NOW, note="Fläche"
        )
    (image,) = tree(client.get(HERE)).xpath("//figure//img")
    assert "Zwischen Mühlbach, Bahnlinie und Färbergasse" in image.get("alt")
    for address in (
        image.get("src"),
        f"{HERE}/plan.svg?size=small&look=dark",
        f"{HERE}/plan.svg?size=%00&look=x",
    ):
        picture = client.get(address)
        drawn = etree.fromstring(picture.content)
        assert picture.headers["content-type"] == "image/svg+xml"
        assert "script-src" not in picture.headers["content-security-policy"]
        assert len(drawn.xpath("//*[@class='d-plan__area']")) == 1
        says = drawn.xpath("//*[local-name()='text']/text()")
        assert says == ([] if "small" in address else ["100 m", "N"])
        assert bool(drawn.xpath("//*[local-name()='style']")) is ("dark" not in address)
        assert not drawn.xpath("//*[local-name()='script']")


def test_texts_of_planners_are_shown_never_run(client: TestClient, engine: Engine, town: Town) -> None:
    hostile = "<img src=x onerror=alert(1)> %(a)s 100 % {{ 7*7 }}"
    contact = {
        "name": hostile,
        "office": hostile,
        "phone": hostile,
        "email": "a@b.example?cc=x",
        "hours": hostile,
    }
    access = (
        {"place": hostile, "address": hostile, "hours": hostile, "step_free": hostile, "note": hostile},
    )
    phases = (PhaseInput(**{**PUBLICATION.__dict__, "title": hostile, "note": hostile}),)
    change(
        engine, town, note=hostile, title="X " + hostile, summary=hostile, description=hostile, location_words=hostile,
        district=hostile, contact=contact, access_options=access, phases=phases, slug="wohnen-am-muehlbach",
    )  # fmt: skip
    for address in (
        HERE,
        f"{HERE}/aenderungen",
        "/beteiligungen",
        "/",
        "/en/",
        "/beteiligungen.atom",
        "/ohne-internet",
    ):
        page = client.get(address)
        assert page.status_code == 200, address
        assert "<img src=x" not in page.text
        assert "{{ 7*7 }}" in page.text or "{{" not in page.text


@pytest.mark.parametrize("slug", ["gibt-es-nicht", "%00", "%F0%9F%8C%B3", "a" * 3000, "..%2F..%2Fetc"])
def test_what_does_not_exist_is_not_found(client: TestClient, town: Town, slug: str) -> None:
    assert client.get(f"/beteiligungen/{slug}").status_code == 404


def test_an_address_that_only_takes_in_is_answered_in_words(client: TestClient, town: Town) -> None:
    """A reload after the session ended, an old bookmark: whoever opens it by hand is told so, in the town's look."""
    answer = client.get("/en/abmelden")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    page = html.fromstring(answer.content)
    assert page.findtext(".//h1") == "Nothing is to be seen at this address"
    assert "It only takes in what a form sends." in page.text_content()
    assert "Method Not Allowed" not in page.text_content()


def test_who_loses_the_way_is_still_signed_in(planner: TestClient, new_client: NewClient, town: Town) -> None:
    stranger = new_client()
    for address, status in (("/gibt-es-nicht", 404), ("/verwaltung/neue-kommune", 403), ("/abmelden", 405)):
        lost = planner.get(address)
        assert lost.status_code == status
        bar = html.fromstring(lost.content).find(".//aside[@class='d-staffbar']")
        assert bar is not None, address
        assert "d-staffbar" not in stranger.get(address).text


# --- drafts ------------------------------------------------------------------------------------------


def test_a_draft_is_for_staff_until_it_is_published(
    new_client: NewClient, planner: TestClient, engine: Engine, town: Town, files: FileStore
) -> None:
    procedure = add_draft(engine, town)
    address = f"/beteiligungen/{procedure.slug}"
    kept = files.put(BytesIO(b"geheim"))
    with unit_of_work(engine, write=True) as session:
        draft = procedures.by_id(session, town.id, procedure.id or 0)
        assert draft is not None
        procedures.set_plan_area(session, draft, read_geojson_geometry(AREA), by=town.planner, now=NOW)
        version = filing.add_document(
            session, draft, FileFacts(kept.sha256, "plan.pdf", "application/pdf", kept.size), title="Plan",
            kind=DocumentKind.PLAN_DRAWING, by=town.planner, now=NOW,
        )  # fmt: skip
        file = f"/dokumente/{version.document_id}/1"
    pages = [
        address,
        f"{address}/aenderungen",
        f"{address}/termine.ics",
        f"{address}/plan.svg",
        file,
        f"{file}/plan.pdf",
    ]
    seen = planner.get(address)
    assert "Diesen Entwurf sieht nur die Verwaltung" in text(seen)
    assert [planner.get(each).headers["cache-control"] for each in pages] == ["no-store"] * len(pages)
    public = new_client()
    assert [public.get(each).status_code for each in pages] == [404] * len(pages)
    for each in ("/beteiligungen", "/", "/suche?q=Geheimer", "/beteiligungen.atom"):
        assert "Geheimer Entwurf" not in public.get(each).text
    with unit_of_work(engine, write=True) as session:
        draft = procedures.by_id(session, town.id, procedure.id or 0)
        assert draft is not None
        publishing.publish(session, draft, by=town.planner, now=NOW)
        cast.adopt(session, draft)
    assert [public.get(each).status_code for each in pages] == [200] * len(pages)


# --- the list ----------------------------------------------------------------------------------------


@pytest.fixture
def many(engine: Engine, town: Town) -> Iterator[list[str]]:
    """Thirty more consultations; their titles in the order of their end."""
    titles = [f"Beteiligung {number:02}" for number in range(30)]
    with unit_of_work(engine, write=True) as session:
        for number, title in enumerate(titles):
            phase = PhaseInput(
                PhaseKind.PUBLICATION, starts_on=STARTS, ends_on=ENDS + timedelta(days=1 + number),
                opens=(Opens.STATEMENT,),
            )  # fmt: skip
            procedure = procedures.create(
                session,
                cast.consultation(
                    key=f"K-{number}", title=title, phases=(phase,), district="Nord" if number % 2 else "Süd"
                ),
                municipality_id=town.id,
                template_key="development_plan",
                by=town.planner,
                now=NOW,
            )
            publishing.publish(session, procedure, by=town.planner, now=NOW)
            cast.adopt(session, procedure)
            if number >= 28:
                publishing.withdraw(session, procedure, by=town.planner, now=NOW, note="Eingestellt")
    return titles


def shown(page: httpx2.Response) -> list[str]:
    return [text(link) for link in tree(page).xpath("//article//h3/a")]


def test_the_list_has_pages_and_can_be_narrowed(client: TestClient, many: list[str]) -> None:
    first = client.get("/beteiligungen")
    assert shown(first) == ["Wohnen am Mühlbach", *many[:23]]
    (older,) = tree(first).xpath("//a[@rel='next']/@href")
    second = client.get(older)
    assert shown(second) == [*many[23:28], many[29], many[28]]
    assert tree(second).xpath("//a[@rel='prev']/@href") == ["/beteiligungen"]
    assert not tree(second).xpath("//a[@rel='next']")
    assert shown(client.get("/beteiligungen?state=past")) == [many[29], many[28]]
    assert shown(client.get("/beteiligungen?state=soon")) == []
    south = client.get("/beteiligungen?district=S%C3%BCd&state=open")
    assert shown(south) == many[0:28:2]
    assert text(tree(south).xpath("//select[@name='district']/option[@selected]")[0]) == "Süd"
    assert shown(client.get("/beteiligungen?q=beteiligung+07")) == ["Beteiligung 07"]
    nothing = client.get("/beteiligungen?q=xyz")
    assert "Nichts gefunden" in text(nothing)
    assert shown(client.get("/beteiligungen?seite=99")) == shown(second)


def test_a_town_without_consultations_says_so(client: TestClient, engine: Engine) -> None:
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
        town.procedure.state = "draft"
        session.add(town.procedure)
    assert "Noch keine Beteiligungen" in text(client.get("/beteiligungen"))


# --- versions ----------------------------------------------------------------------------------------


def test_each_change_is_shown_with_its_reason_and_what_it_changed(
    client: TestClient, engine: Engine, town: Town, files: FileStore
) -> None:
    assert not tree(client.get(HERE)).xpath("//section[@aria-labelledby='changes']")
    attach(engine, town, files, b"eins", note="Plan ergänzt", now=NOW + timedelta(hours=1))
    attach(
        engine, town, files, b"zwei", note="Baugrenze verschoben", again=True, now=NOW + timedelta(hours=2)
    )
    longer = PhaseInput(**{**PUBLICATION.__dict__, "ends_on": date(2027, 3, 16)})
    change(
        engine, town, note="Frist verlängert", now=NOW + timedelta(hours=3), summary="Neu: 90 Wohnungen.",
        phases=(longer, PhaseInput(PhaseKind.WEIGHING), PhaseInput(PhaseKind.RESOLUTION, title="50 % Mehrheit")),
    )  # fmt: skip
    with unit_of_work(engine, write=True) as session:
        procedure = mine(session, town)
        ((document, _),) = documents_of(session, procedure.id or 0)
        filing.withdraw_document(
            session, procedure, document, by=town.planner, now=NOW + timedelta(hours=4), note="Überholt"
        )
    shown_here = [text(item) for item in section(client.get(HERE), "changes").xpath(".//li")]
    assert shown_here == [
        "16. Februar 2027, 15:30 Uhr Überholt",
        "16. Februar 2027, 14:30 Uhr Frist verlängert",
        "16. Februar 2027, 13:30 Uhr Baugrenze verschoben",
    ]
    page = client.get(f"{HERE}/aenderungen")
    withdrawn, extended, second, first, published = (
        text(item) for item in tree(page).xpath("//li[contains(@class, 'd-version')]")
    )
    assert "Erstmals veröffentlicht" in published
    assert "Neue Unterlage: Planzeichnung" in first
    assert "Neue Fassung einer Unterlage: Planzeichnung" in second
    assert "Unterlage aus der Liste genommen: Planzeichnung" in withdrawn
    assert "Ende: Veröffentlichung des Entwurfs Dienstag, 2. März 2027 Dienstag, 16. März 2027" in extended
    assert "Neuer Schritt: 50 % Mehrheit" in extended
    assert "Kurzfassung Vorher und nachher" in extended
    assert text(tree(page).xpath("//del[contains(., '120')]")[0]).startswith("Am Mühlbach")


def test_nothing_that_stayed_is_called_a_change() -> None:
    snapshot = {
        "title": "A",
        "contact": {"name": "B"},
        "phases": [
            {"kind": "early", "title": "", "note": "", "starts_on": None, "ends_on": None, "opens": []}
        ],
        "documents": [{"title": "Plan", "kind": "other", "number": 1, "sha256": "a"}],
    }
    assert overview.differences(snapshot, dict(snapshot), "de") == ()
    assert [each.what for each in overview.differences({}, snapshot, "en")] == [
        "Title",
        "New phase",
        "New document",
        "Contact",
    ]


def test_a_change_without_a_reason_says_in_words_what_it_was() -> None:
    early = {"kind": "early", "waits_for_release": True}
    before = {"phases": [{"kind": "publication", "ends_on": "2027-03-02"}, early], "documents": []}
    after = {
        "title": "Neu",
        "summary": "Neu",
        "phases": [
            {"kind": "publication", "ends_on": "2027-03-16", "course": {"extended_from": "2027-03-02"}},
            {**early, "waits_for_release": False},
        ],
        "documents": [{"title": "Plan", "number": 1, "sha256": "a"}],
    }
    found = overview.differences(before, after, "de")
    assert overview.in_words(found[2:], "de") == (
        "Ende: Veröffentlichung des Entwurfs, jetzt Dienstag, 16. März 2027; "
        "Verlängert: Veröffentlichung des Entwurfs; Bekannt gemacht und freigegeben: Frühzeitige Beteiligung; "
        "1 weitere Änderung"
    )
    assert overview.in_words(found, "en").endswith("; 3 more changes")
    assert overview.in_words((), "de") == ""


# --- documents ---------------------------------------------------------------------------------------


@once
@pytest.mark.parametrize(
    ("filename", "media_type", "disposition"),
    [
        ("Plan Übersicht.pdf", "application/pdf", "attachment"),
        ("bild.png", "image/png", "inline"),
        ("böse.xhtml", "application/xhtml+xml", "attachment"),
        ("böse.svg", "image/svg+xml", "attachment"),
    ],
)
def test_a_file_is_sent_as_it_is_and_never_run(
    client: TestClient,
    engine: Engine,
    town: Town,
    files: FileStore,
    filename: str,
    media_type: str,
    disposition: str,
) -> None:
    content = b"<script>alert(1)</script>" * 100_000
    attach(engine, town, files, content, filename=filename, media_type=media_type)
    (address,) = section(client.get(HERE), "documents").xpath(
        ".//a[span[@class='kern-icon kern-icon--download']]/@href"
    )
    answer = client.get(address)
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["content-disposition"].startswith(f"{disposition};")
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in answer.headers["cache-control"]
    again = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = client.head(address)
    assert (head.status_code, head.content) == (200, b"")


def test_earlier_and_withdrawn_versions_stay_readable_and_say_so(
    client: TestClient, engine: Engine, town: Town, files: FileStore
) -> None:
    document, _ = attach(engine, town, files, b"alt", words="Drei Geschosse.\n\nGrün <b>.")
    attach(engine, town, files, b"neu", words="Zwei Geschosse.", again=True, note="Niedriger")
    listed = text(section(client.get(HERE), "documents"))
    assert "Fassung 2" in listed
    assert "1 frühere Fassung" in listed
    assert client.get(f"/dokumente/{document}/1/plan.pdf").content == b"alt"
    old, new = (client.get(f"/dokumente/{document}/{number}") for number in (1, 2))
    assert [text(each) for each in tree(old).xpath("//p[@class='d-usertext']")] == [
        "Drei Geschosse.",
        "Grün <b>.",
    ]
    assert "Es gibt eine neuere Fassung" in text(old)
    assert tree(old).xpath(f"//main//a[@href='/dokumente/{document}/2']")
    assert "Es gibt eine neuere Fassung" not in text(new)
    with unit_of_work(engine, write=True) as session:
        procedure = mine(session, town)
        ((row, _),) = documents_of(session, procedure.id or 0)
        filing.withdraw_document(session, procedure, row, by=town.planner, now=NOW, note="Überholt")
    page = client.get(HERE)
    assert "1 Unterlage, die nicht mehr gilt" in text(page)
    assert "Diese Unterlage gilt nicht mehr" in text(client.get(f"/dokumente/{document}/2"))
    assert client.get(f"/dokumente/{document}/2/plan.pdf").content == b"neu"


def test_a_file_without_words_offers_help(
    client: TestClient, engine: Engine, town: Town, files: FileStore
) -> None:
    document, _ = attach(engine, town, files, b"x")
    page = client.get(f"/dokumente/{document}/1")
    assert "Keine Textfassung" in text(page)
    assert tree(page).xpath("//main//a[@href='/barriere-melden?where=Planzeichnung']")


def test_documents_that_are_not_there_are_not_found(
    new_client: NewClient, engine: Engine, town: Town, files: FileStore
) -> None:
    with unit_of_work(engine, write=True) as session:
        cast.found(session, "seebach", "Seebach")
    document, _ = attach(engine, town, files, b"x")
    addresses = [
        f"/dokumente/{document}/2/x",
        f"/dokumente/{10**30}/1/x",
        f"/dokumente/{document}/{10**30}",
        "/dokumente/0/0",
    ]
    assert [new_client().get(each).status_code for each in addresses] == [404] * len(addresses)
    assert new_client(host="seebach.localhost").get(f"/dokumente/{document}/1/x").status_code == 404
    files.delete(files.put(BytesIO(b"x")).sha256)
    assert new_client().get(f"/dokumente/{document}/1/plan.pdf").status_code == 404


# --- dates and paper ---------------------------------------------------------------------------------


def test_the_dates_go_into_any_calendar(client: TestClient, engine: Engine, town: Town) -> None:
    meeting = PhaseInput(
        PhaseKind.DISCUSSION_MEETING, title="Treffen; mit, Komma", starts_on=date(2027, 3, 20)
    )
    change(engine, town, phases=(PUBLICATION, meeting, PhaseInput(PhaseKind.WEIGHING)))
    answer = client.get(f"{HERE}/termine.ics")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    first, second = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    assert (first.decoded("dtstart"), first.decoded("dtend")) == (STARTS, ENDS + timedelta(days=1))
    assert first["summary"] == "Veröffentlichung des Entwurfs: Wohnen am Mühlbach"
    assert first["url"] == "http://auenfurt.localhost/beteiligungen/wohnen-am-muehlbach"
    assert first["uid"].endswith("@auenfurt.localhost")
    assert (first["sequence"], first.decoded("dtstamp")) == (2, NOW)
    assert len(first.walk("VALARM")) == 1
    assert second["summary"] == "Treffen; mit, Komma: Wohnen am Mühlbach"
    assert (second.decoded("dtstart"), second.decoded("dtend")) == (date(2027, 3, 20), date(2027, 3, 21))
    assert second.walk("VALARM") == []
    assert client.get(f"{HERE}/termine.ics").content == answer.content


def test_the_form_on_paper_is_a_file_to_print(client: TestClient, town: Town) -> None:
    (address,) = section(client.get(HERE), "ways").xpath(".//a[contains(@href, 'formular.pdf')]/@href")
    answer = client.get(address)
    assert answer.content.startswith(b"%PDF-")
    assert answer.headers["content-disposition"].startswith('attachment; filename="wohnen-am-muehlbach.pdf"')


# --- area, project, part -----------------------------------------------------------------------------


def test_an_area_shows_its_parts_and_all_dates_on_one_line_and_a_part_the_way_up(
    client: TestClient, app: Starlette, engine: Engine, town: Town
) -> None:
    ideas = PhaseInput(
        PhaseKind.CO_CREATION, starts_on=date(2027, 2, 10), ends_on=date(2027, 4, 1), opens=(Opens.PROPOSAL,)
    )
    with unit_of_work(engine, write=True) as session:
        area, project, secret = (
            procedures.create(
                session,
                cast.consultation(key=key, title=title, phases=(ideas,), part_of_id=None),
                municipality_id=town.id,
                template_key="informal_dialogue",
                by=town.planner,
                now=NOW,
            )
            for key, title in (("G-1", "Bachquartier"), ("G-2", "Bachweg"), ("G-3", "Noch geheim"))
        )
        publishing.publish(session, area, by=town.planner, now=NOW)
    with counted(app.state.house.engine) as alone:
        assert "Teile" not in text(client.get("/beteiligungen/bachquartier"))
    with unit_of_work(engine, write=True) as session:
        for part, whole in ((mine(session, town), project), (project, area), (secret, area)):
            row = session.get_one(Procedure, part.id)
            entered = replace(procedures.as_it_stands(row), part_of_id=whole.id)
            procedures.change(session, row, entered, by=town.planner, now=NOW, note="Gehört dazu")
        publishing.publish(session, session.get_one(Procedure, project.id), by=town.planner, now=NOW)

    page = client.get("/beteiligungen/bachquartier")
    lines = [text(line) for line in section(page, "parts").xpath(".//li[contains(@class, 'd-parts__part')]")]
    assert [line.split(" bis ")[0] for line in lines] == [
        "Bachweg Läuft gerade", "Teil von „Bachweg“: Wohnen am Mühlbach Läuft gerade",
    ]  # fmt: skip
    assert ["förmlich" in line for line in lines] == [False, True], "which part is formal"
    assert "Noch geheim" not in page.text
    steps = [text(step) for step in section(page, "steps").xpath(".//ol[@class='d-timeline']/li")]
    assert [("Mühlbach" in step, "Bachweg" in step) for step in steps] == [
        (True, False), (False, False), (False, True),
    ], "in the order of days, undated ones of parts left to them"  # fmt: skip
    assert "förmlich (gesetzlich geregelt)" in steps[0]
    assert "informell" in steps[1]
    assert "unberücksichtigt bleiben oder ausgeschlossen sein" in text(section(page, "steps"))
    dates = client.get("/beteiligungen/bachquartier/termine.ics").text.replace("\r\n ", "")
    assert ("Veröffentlichung des Entwurfs: Wohnen am Mühlbach" in dates, "geheim" in dates) == (True, False)
    trail = tree(client.get(HERE)).xpath("//nav[@class='d-breadcrumbs']//a/text()")
    assert trail == ["Startseite", "Alle Beteiligungen", "Bachquartier", "Bachweg"]
    (follow,) = section(page, "ways").xpath(".//a[contains(@href, 'teile=1')]/@href")
    chosen = tree(client.get(follow)).xpath("//select[@name='target']/option[@selected]")
    assert text(chosen[0]) == "Das Projekt „Bachquartier“ und seine Teile"

    cards = [text(card) for card in tree(client.get("/beteiligungen")).xpath("//article")]
    assert sorted(card.partition("Teil von: ")[2].split(" ")[0] for card in cards) == [
        "",
        "Bachquartier",
        "Bachweg",
    ]

    def more(session: Session, number: int) -> None:
        entered = cast.consultation(key=f"M-{number}", title=f"Teil {number}", part_of_id=area.id)
        row = procedures.create(session, entered, municipality_id=town.id, template_key="development_plan",
                                by=town.planner, now=NOW)  # fmt: skip
        publishing.publish(session, row, by=town.planner, now=NOW)

    def cost() -> list[str]:
        with counted(app.state.house.engine) as asked:
            client.get("/beteiligungen/bachquartier?seite=x")
        return asked

    few = cost()
    with unit_of_work(engine, write=True) as session:
        for number in range(12):
            more(session, number)
    many = cost()
    assert (len(few), len(many)) == (len(alone) + 2, len(alone) + 2), "\n".join(many)


def test_parts_stand_in_the_order_of_what_ends_first_each_with_its_own_behind_it() -> None:
    def part(key: int, of: int) -> nesting.Part:
        return nesting.Part(Procedure(id=key, part_of_id=of, municipality_id=1, key="", slug="", title=""), 1)

    def until(day: date) -> list[Phase]:
        return [Phase(kind="publication", procedure_id=1, starts_on=day, ends_on=day, opens=["statement"])]

    phases = {1: until(NOW.date()), 2: [], 3: until(NOW.date()), 4: []}
    phases[1][0].ends_on = date(2027, 4, 1)
    found = hearings._soonest_first([part(1, 9), part(2, 9), part(3, 2), part(4, 9)], phases, NOW)
    assert [each.procedure.id for each in found] == [2, 3, 1, 4]


# --- what it costs -----------------------------------------------------------------------------------


def test_many_documents_and_phases_cost_as_many_queries_as_few(
    client: TestClient, app: Starlette, engine: Engine, town: Town, files: FileStore
) -> None:
    attach(engine, town, files, b"0")
    with counted(app.state.house.engine) as few:
        client.get(HERE)
    for number in range(1, 20):
        attach(engine, town, files, b"%d" % number, title=f"Gutachten {number}")
    change(engine, town, phases=(PUBLICATION, *(PhaseInput(PhaseKind.WEIGHING),) * 20))
    with counted(app.state.house.engine) as many:
        assert text(client.get(HERE)).count("Gutachten") >= 19
    assert len(few) == len(many) <= 12, "\n".join(many)
