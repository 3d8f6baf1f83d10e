"""The front door: what is open, what concerns me, how it looks, and what the law wants on every website."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx2
import pytest
from lxml import etree, html
from lxml.html import HtmlElement
from sqlalchemy import Engine
from sqlmodel import Session, select
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.testclient import TestClient

from consultations import journal, municipalities, places, procedures, publishing
from consultations.journal import JournalEntry
from consultations.notices import Notice
from consultations.permissions import PUBLIC
from consultations.phases import Opens, PhaseInput, PhaseKind
from consultations.places import Layer, PlaceInput, PlaceKind
from consultations.procedures import Procedure
from geo.geometry import Located, degrees_of, metres_of, read_geojson_geometry
from participation import web
from participation.app import create_app
from participation.database import unit_of_work
from participation.pages.home import is_local, spoken_metres
from participation.settings import LANGUAGES, ROOT, Settings
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import HOST, Clock, NewClient, Pages
from tests.queries import counted

TODAY = date(2027, 2, 16)
X, Y = metres_of(10.70, 48.30)


@pytest.fixture
def town(engine: Engine) -> Town:
    """The cast's first town, with its consultation by the mill brook until 2 March 2027."""
    with unit_of_work(engine, write=True) as session:
        return cast.found(session)


def text(page: httpx2.Response | HtmlElement) -> str:
    tree = html.fromstring(page.content) if isinstance(page, httpx2.Response) else page
    return " ".join(tree.text_content().split())


def tree(page: httpx2.Response) -> HtmlElement:
    assert page.status_code == 200, page.text
    return html.fromstring(page.content)


def titles(page: httpx2.Response, within: str) -> list[str]:
    """The consultations in the section with this heading id."""
    section = tree(page).xpath(f"//section[@aria-labelledby='{within}']")
    return [
        " ".join(link.text_content().split())
        for each in section
        for link in each.xpath(".//li//h3/a|.//h3/a")
    ]


def area(x: float, y: float, size: float = 100) -> Located:
    """A square, in metres from a corner in the middle of the town."""
    ring = [
        degrees_of(X + x + dx, Y + y + dy) for dx, dy in ((0, 0), (size, 0), (size, size), (0, size), (0, 0))
    ]
    return read_geojson_geometry({"type": "Polygon", "coordinates": [ring]})


def street(*points: tuple[float, float]) -> Located:
    coordinates = [degrees_of(X + x, Y + y) for x, y in points]
    return read_geojson_geometry({"type": "LineString", "coordinates": coordinates})


def consult(
    session: Session,
    town: Town,
    title: str,
    *,
    begins: int | None = -5,
    ends: int | None = 5,
    where: Located | None = None,
    opens: tuple[Opens, ...] = (Opens.STATEMENT,),
    then: tuple[PhaseInput, ...] = (),
    **facts: object,
) -> Procedure:
    """A published consultation whose phase lies so many days from today."""

    def day(offset: int | None) -> date | None:
        return None if offset is None else TODAY + timedelta(days=offset)

    phase = PhaseInput(PhaseKind.PUBLICATION, starts_on=day(begins), ends_on=day(ends), opens=opens)
    entered = cast.consultation(key=title[:20], title=title, phases=(phase, *then), **facts)
    procedure = procedures.create(
        session, entered, municipality_id=town.id, template_key="development_plan", by=town.planner, now=NOW
    )
    publishing.publish(session, procedure, by=town.planner, now=NOW)
    cast.adopt(session, procedure)
    if where:
        procedures.set_plan_area(session, procedure, where, by=town.planner, now=NOW)
    return procedure


def put_places(session: Session, town: Town, kind: PlaceKind, *named: tuple[str, Located]) -> None:
    places.add_layer(
        session,
        Layer(municipality_id=town.id, role=kind.value, title=kind.value, imported_at=NOW),
        [PlaceInput(kind, name, located) for name, located in named],
        by=town.planner,
        now=NOW,
    )


# --- start page --------------------------------------------------------------------------------------


def test_the_start_page_says_what_is_open_until_when_and_what_one_can_do(
    client: TestClient, town: Town
) -> None:
    page = client.get("/")
    (card,) = tree(page).xpath("//article")
    said = text(card)
    for words in ("Wohnen am Mühlbach", "Läuft gerade", "Innenstadt", "Stellungnahme abgeben", "120 Wohnungen",
                  "bis Dienstag, 2. März 2027", "noch 14 Tage"):  # fmt: skip
        assert words in said
    assert card.xpath(".//h3/a/@href") == ["/beteiligungen/wohnen-am-muehlbach"]
    assert "Eine Beteiligung läuft gerade" in text(page)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (datetime(2027, 3, 1, 12, tzinfo=UTC), "noch 1 Tag"),
        (datetime(2027, 3, 1, 23, 30, tzinfo=UTC), "nur noch heute, Dienstag, 2. März 2027, bis 24 Uhr"),
        (datetime(2027, 3, 2, 22, 59, tzinfo=UTC), "nur noch heute, Dienstag, 2. März 2027, bis 24 Uhr"),
        (datetime(2027, 3, 2, 23, 0, tzinfo=UTC), "Zurzeit läuft keine Beteiligung"),
    ],
)
def test_the_last_day_ends_at_midnight_in_the_town(
    client: TestClient, town: Town, clock: Clock, moment: datetime, words: str
) -> None:
    clock.now = moment
    assert words in text(client.get("/"))


def test_what_ends_soonest_stands_first_and_what_has_ended_says_what_became_of_it(
    client: TestClient, engine: Engine, town: Town
) -> None:
    weighing = PhaseInput(PhaseKind.WEIGHING, title="100 % sorgfältige Abwägung", starts_on=TODAY)
    with unit_of_work(engine, write=True) as session:
        consult(session, town, "Endet morgen", ends=1)
        consult(session, town, "Ohne Ende", ends=400, opens=(Opens.PROPOSAL, Opens.COMMENT))
        consult(session, town, "Beginnt später", begins=20, ends=40)
        consult(session, town, "Beginnt bald", begins=2, ends=40)
        consult(session, town, "Wird abgewogen", begins=-30, ends=-2, then=(weighing,))
        done = consult(session, town, "Ist beschlossen", begins=-90, ends=-60)
        publishing.conclude(session, done, by=town.planner, now=NOW, note="Der Rat hat Ja gesagt.")
        given_up = consult(session, town, "Ist eingestellt", begins=-190, ends=-160)
        publishing.withdraw(session, given_up, by=town.planner, now=NOW, note="Das Geld fehlt.")
        procedures.create(
            session, cast.consultation(key="E", title="Entwurf"), municipality_id=town.id,
            template_key="development_plan", by=town.planner, now=NOW,
        )  # fmt: skip
    page = client.get("/")
    assert titles(page, "running") == ["Endet morgen", "Wohnen am Mühlbach", "Ohne Ende"]
    assert titles(page, "coming") == ["Beginnt bald", "Beginnt später"]
    assert titles(page, "past") == ["Wird abgewogen", "Ist beschlossen", "Ist eingestellt"]
    said = text(page)
    assert "Jetzt: 100 % sorgfältige Abwägung" in said
    assert "Der Rat hat Ja gesagt." in said
    assert "Das Geld fehlt." in said
    assert "Entwurf" not in said


@pytest.mark.parametrize("path", ["//evil.example/x", "/en//evil.example/x", "///evil.example/x"])
def test_no_link_of_ours_leads_to_a_site_that_the_address_names(
    client: TestClient, engine: Engine, path: str
) -> None:
    """The links to the other language did: the town's own page sent people wherever somebody wanted."""
    with unit_of_work(engine, write=True) as session:
        cast.found(session)
    page = html.fromstring(client.get(f"http://auenfurt.localhost{path}").content)
    addresses = [
        str(each) for each in page.xpath("//@href | //@src | //@action | //input[@name='back']/@value")
    ]
    assert "/en/evil.example/x" in addresses
    assert not [each for each in addresses if each.startswith("//")]


def test_an_empty_town_is_still_a_friendly_place(client: TestClient, engine: Engine) -> None:
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
        publishing.withdraw(session, town.procedure, by=town.planner, now=NOW, note="Vorbei")
    for language, words in (
        ("", "Zurzeit läuft keine Beteiligung"),
        ("/en", "Nothing is open at the moment"),
    ):
        assert words in text(client.get(f"{language}/"))
    assert "Zurzeit läuft keine Beteiligung" in text(client.get("/ohne-internet"))


def test_the_overview_has_a_numbered_pin_for_each_place(
    client: TestClient, engine: Engine, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        put_places(session, town, PlaceKind.DISTRICT, ("Mitte", area(-2000, -2000, 4000)))
        consult(session, town, "Hier", ends=1, where=area(0, 0))
        consult(session, town, "Gleich daneben", ends=2, where=area(10, 0))
        consult(session, town, "In Rom", ends=3, where=area(90_000, 0))
    page = tree(client.get("/"))
    pins = page.xpath("//svg//a")
    assert [pin.get("aria-label") for pin in pins] == ["1: Hier", "2: Gleich daneben"]
    centres = [tuple(float(pin.xpath(".//circle/@*[name()=$name]", name=name)[0]) for name in ("cx", "cy"))
               for pin in pins]  # fmt: skip
    distance = ((centres[0][0] - centres[1][0]) ** 2 + (centres[0][1] - centres[1][1]) ** 2) ** 0.5
    assert distance >= 32, "pins of neighbours cover each other"
    (address,) = page.xpath("//svg//image/@href")
    picture = client.get(address)
    assert picture.headers["content-type"] == "image/svg+xml"
    drawn = etree.fromstring(picture.content)
    assert drawn.get("viewBox") == "0 0 520 480"
    assert not drawn.xpath("//*[local-name()='script']")


def test_a_town_without_districts_shows_its_extent(client: TestClient, town: Town) -> None:
    assert client.get("/stadtplan.svg").status_code == 200


def test_a_page_is_made_once_and_again_when_something_changes(
    client: TestClient, engine: Engine, town: Town, clock: Clock
) -> None:
    first = client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    with unit_of_work(engine, write=True) as session:
        consult(session, town, "Neu")
    assert "Neu" in titles(client.get("/", headers={"If-None-Match": first.headers["etag"]}), "running")
    clock.advance(days=1)
    assert "noch 13 Tage" in text(client.get("/"))


def test_twenty_consultations_cost_as_many_queries_as_two(
    client: TestClient, app: Starlette, engine: Engine, town: Town
) -> None:
    def fill(numbers: range) -> None:
        with unit_of_work(engine, write=True) as session:
            for number in numbers:
                done = consult(session, town, f"Beteiligung {number}", ends=number, where=area(number, 0))
                if number % 3 == 0:
                    publishing.conclude(session, done, by=town.planner, now=NOW, note="Fertig")

    def asked() -> dict[str, int]:
        numbers = {}
        for address in [
            "/",
            "/en/",
            "/suche?q=Beteiligung",
            "/suche?lon=10.70&lat=48.30",
            "/beteiligungen",
            "/beteiligungen.atom",
            "/ohne-internet",
        ]:
            with counted(app.state.house.engine) as statements:
                assert client.get(address).status_code == 200
            numbers[address] = len(statements)
        return numbers

    fill(range(2))
    few = asked()
    fill(range(2, 20))
    assert asked() == few
    assert all(few.values())


# --- search ------------------------------------------------------------------------------------------


@pytest.fixture
def streets(engine: Engine, town: Town) -> Town:
    with unit_of_work(engine, write=True) as session:
        consult(session, town, "Am Anger", where=area(0, 0), summary="Ein neuer Übergang")
        consult(session, town, "Am Berg", where=area(400, 0), district="Nord")
        consult(session, town, "Am Rand", where=area(9000, 0))
        put_places(
            session, town, PlaceKind.STREET,
            ("Angerstraße", street((-50, 50), (50, 50))), ("Waldweg", street((-5000, 0), (-5000, 90))),
            ("Bergweg", street((380, 0), (380, 50))), ("Bergweg Nord", street((380, 900), (380, 950))),
        )  # fmt: skip
        put_places(session, town, PlaceKind.DISTRICT, ("Nordstadt", area(300, -100, 500)))
        put_places(session, town, PlaceKind.PARCEL, ("1234/5", area(-30, 0, 20)))
    return town


@pytest.mark.parametrize(
    "typed", ["Angerstraße", "angerstr. 12", "ANGERSTRASSE 12a", "Angerstraße 12, 89999 Auenfurt"]
)
def test_an_address_finds_the_plans_around_it_with_their_distance(
    client: TestClient, streets: Town, typed: str
) -> None:
    page = client.get("/suche", params={"q": typed})
    assert titles(page, "near") == ["Am Anger", "Am Berg"]
    near = text(tree(page).xpath("//section[@aria-labelledby='near']")[0])
    assert "Angerstraße (Straße)" in near
    assert "im Plangebiet · Innenstadt" in near
    assert "etwa 350 m entfernt · Nord" in near
    assert tree(page).xpath("//input[@name='q']/@value")[-1] == typed


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("Nordstadt", ["Am Berg", "Am Anger"]), ("1234/5", ["Am Anger", "Am Berg"]), ("Waldweg", [])],
)
def test_districts_and_parcels_are_places_too(
    client: TestClient, streets: Town, typed: str, expected: list[str]
) -> None:
    page = client.get("/suche", params={"q": typed})
    assert titles(page, "near") == expected
    assert ("In der Nähe ist nichts geplant" in text(page)) is (not expected)


def test_when_several_places_are_meant_one_can_choose(client: TestClient, streets: Town) -> None:
    page = client.get("/suche", params={"q": "weg"})
    assert titles(page, "near") == []
    links = {text(link): link.get("href") for link in tree(page).xpath("//ul[@class='d-places']//a")}
    assert list(links) == ["Bergweg", "Bergweg Nord", "Waldweg"]
    chosen = client.get(links["Bergweg"])
    assert titles(chosen, "near")[0] == "Am Berg"
    assert "etwa 20 m entfernt" in text(chosen)
    exact = client.get("/suche", params={"q": "bergweg"})
    assert titles(exact, "near")[0] == "Am Berg"
    assert "Bergweg Nord" in text(tree(exact).xpath("//section[@aria-labelledby='places']")[0])


@pytest.mark.parametrize("typed", ["Nirgendwostraße", "Nirgendwostr. 12", "Am Nirgendwo 7 b"])
def test_an_unknown_street_is_called_unknown(client: TestClient, streets: Town, typed: str) -> None:
    page = text(tree(client.get("/suche", params={"q": typed})))
    assert f"„{typed}“ kennen wir nicht" in page
    assert "Zur Karte" in page


def test_how_far_near_is_is_said(client: TestClient, streets: Town) -> None:
    assert "bis 2 Kilometer Luftlinie" in text(tree(client.get("/suche", params={"q": "Angerstraße"})))
    assert "kennen wir nicht" not in client.get("/suche", params={"q": "Klimaschutz 2030 überall"}).text


def test_near_me_needs_no_name(client: TestClient, streets: Town) -> None:
    lon, lat = degrees_of(X + 50, Y + 50)
    page = client.get("/suche", params={"lon": f"{lon:.3f}", "lat": f"{lat:.3f}"})
    assert titles(page, "near")[:2] == ["Am Anger", "Am Berg"]
    assert "Wir bewahren ihn nicht auf" in text(page)
    assert page.headers["cache-control"] == "no-store"


def test_words_and_districts_find_consultations(client: TestClient, streets: Town) -> None:
    assert titles(client.get("/suche", params={"q": "übergänge"}), "words") == ["Am Anger"]
    assert titles(client.get("/suche", params={"district": "Nord"}), "words") == ["Am Berg"]
    page = client.get("/suche")
    assert "Nordstadt" in text(tree(page).xpath("//select")[0])
    assert "Geben Sie ein, was Sie bewegt" in text(page)


NONSENSE = [
    "q=%00", "q=%25", "q=" + "a" * 5000, "q=%F0%9F%8C%B3", "lon=abc&lat=48.3", "lon=nan&lat=nan", "lon=48.3&lat=10.7",
    "lon=1e999&lat=1", "place=99999999999999999999", "place=-1", "place=1;DROP", "district=%00", "q=%FF%FE", "lat=48",
]  # fmt: skip


def test_nonsense_finds_nothing_and_breaks_nothing(client: TestClient, streets: Town) -> None:
    for query in NONSENSE:
        assert client.get(f"/suche?{query}").status_code == 200, query
        assert client.get(f"/beteiligungen?{query}&seite=-9&state=%00").status_code == 200, query


def test_what_was_searched_is_shown_as_words_never_as_markup(client: TestClient, town: Town) -> None:
    page = client.get("/suche", params={"q": "<script>alert(1)</script> %(a)s 100 %"})
    assert b"<script>alert" not in page.content
    assert "Nichts gefunden" in text(page)
    assert tree(page).xpath("//meta[@name='robots']/@content") == ["noindex"]


@pytest.mark.parametrize(
    ("metres", "spoken"), [(0, None), (0.9, None), (4, 10), (74, 70), (126, 150), (974, 950), (1240, 1200)]
)
def test_distances_are_spoken_in_steps(metres: float, spoken: int | None) -> None:
    assert spoken_metres(metres) == spoken


# --- display -----------------------------------------------------------------------------------------


def test_colours_and_text_size_are_remembered_and_the_way_back_is_kept(
    client: TestClient, town: Town
) -> None:
    choice = {"theme": "dark", "text_size": "large", "back": "/en/beteiligungen?q=a&state=open"}
    answer = client.post("/darstellung", data=choice)
    assert (answer.status_code, answer.headers["location"]) == (303, "/en/beteiligungen?q=a&state=open")
    assert "digilog_display=dark.large" in answer.headers["set-cookie"]
    (root,) = tree(client.get("/")).xpath("/html")
    assert (root.get("data-theme"), root.get("data-text-size")) == ("dark", "large")
    (plan,) = tree(client.get("/")).xpath("//svg//image/@href")
    assert plan == "/stadtplan.svg?look=dark"


ELSEWHERE = [
    "//elsewhere.example", "https://elsewhere.example/", "/\\elsewhere.example", "javascript:alert(1)", "", "/ /x",
    "/a\r\nSet-Cookie: x=y", "/\t/elsewhere.example", "elsewhere",
]  # fmt: skip


def test_the_way_back_never_leads_elsewhere(client: TestClient, town: Town) -> None:
    for back in ELSEWHERE:
        assert not is_local(back), back
        answer = client.post("/en/darstellung", data={"theme": "<b>", "text_size": "9", "back": back})
        assert (answer.status_code, answer.headers["location"]) == (303, "/en/")
        assert "digilog_display=system.normal" in answer.headers["set-cookie"]


def test_the_colours_of_the_town_are_a_style_sheet(client: TestClient, engine: Engine, town: Town) -> None:
    with unit_of_work(engine, write=True) as session:
        row = municipalities.by_key(session, "auenfurt")
        assert row is not None
        row.theme = {"brand": "#7a1f3d"}
        session.add(row)
    sheet = client.get("/theme.css")
    assert sheet.headers["content-type"].startswith("text/css")
    assert "max-age" in sheet.headers["cache-control"]
    assert "--brand:#7a1f3d" in sheet.text


# --- what every website has to say -------------------------------------------------------------------

LEGAL = {
    "/impressum": ("imprint", "Impressum", "Imprint"),
    "/datenschutz": ("privacy", "Datenschutz", "Privacy"),
    "/barrierefreiheit": ("accessibility", "Erklärung zur Barrierefreiheit", "Accessibility statement"),
}


@pytest.mark.parametrize("address", LEGAL)
def test_a_missing_text_of_the_town_is_said_to_be_missing(
    client: TestClient, town: Town, address: str
) -> None:
    _, german, english = LEGAL[address]
    page, translated = client.get(address), client.get(f"/en{address}")
    assert tree(page).findtext(".//h1") == german
    assert tree(translated).findtext(".//h1") == english
    assert "Stadt Auenfurt hat hier noch keinen eigenen Text hinterlegt" in text(page)
    assert "beteiligung@auenfurt.example" in text(tree(page).xpath("//main")[0])


@pytest.mark.parametrize("address", LEGAL)
def test_the_towns_own_words_stand_alone(
    client: TestClient, engine: Engine, town: Town, address: str
) -> None:
    name, *_ = LEGAL[address]
    with unit_of_work(engine, write=True) as session:
        row = municipalities.by_key(session, "auenfurt")
        assert row is not None
        row.legal_texts = {name: {"de": "### Eigenes\n\n<script>x</script> **Worte**"}}
        session.add(row)
    for language in ("", "/en"):
        (main,) = tree(client.get(f"{language}{address}")).xpath("//main")
        assert [heading.text for heading in main.xpath(".//h2")] == ["Eigenes"]
        assert main.xpath(".//strong")[0].text == "Worte"
        assert not main.xpath(".//script")


def test_each_built_in_text_exists_in_each_language() -> None:
    folder = ROOT / "templates" / "home" / "legal"
    for name, *_ in LEGAL.values():
        for language in LANGUAGES:
            assert (folder / f"{name}.{language}.html").read_text(encoding="utf-8").count("<h2>") >= 2


def test_easy_language_is_marked_as_such_in_every_language(client: TestClient, town: Town) -> None:
    for language in ("", "/en"):
        page = tree(client.get(f"{language}/leichte-sprache"))
        (body,) = page.xpath("//div[@lang='de-simple']")
        assert "08999 1234-0" in text(body)


def test_the_software_says_its_licence_and_where_its_source_is(
    new_client: NewClient, app: Starlette, town: Town
) -> None:
    assert "EUPL-1.2" in text(new_client().get("/software"))
    app.state.house.settings.source_url = "https://code.example/digilog"
    app.state.house.kept.clear()
    assert tree(new_client().get("/software")).xpath("//a[@href='https://code.example/digilog']")


def test_without_the_internet_each_way_has_its_day_that_counts(client: TestClient, town: Town) -> None:
    page = client.get("/ohne-internet")
    said = text(page)
    for words in ("Marktplatz 1", "08999 1234-0", "Mo bis Fr 8 bis 12 Uhr", "Stufenlos über den Hof", "Aktenzeichen BP-12",
                  "noch 14 Tage", "der Tag, an dem der Brief im Briefkasten lag",
                  "Erklärung zur Niederschrift (Sie sagen es uns im Amt, wir schreiben es auf)"):  # fmt: skip
        assert words in said
    assert tree(page).xpath("//main//a[@href='/beteiligungen/wohnen-am-muehlbach/formular.pdf']")


# --- feedback on barriers ----------------------------------------------------------------------------


def notices_of(engine: Engine) -> list[Notice]:
    with Session(engine) as session:
        return list(session.exec(select(Notice)).all())


def test_a_barrier_reaches_the_town_and_the_record(client: TestClient, engine: Engine, town: Town) -> None:
    form = {"text": "Der Plan ist\r\nnicht lesbar.", "where": "Planzeichnung", "email": "rosa@example.org"}
    answer = client.post("/barriere-melden", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/barriere-melden?sent=1")
    # What was done is the first that is heard: in the title, and on top of the page, where reading begins.
    page = html.fromstring(client.get("/barriere-melden?sent=1").content)
    assert page.findtext("head/title").startswith("Erledigt: ")
    (told,) = page.xpath("//main/*[1][@id='done-summary'][@role='status'][@tabindex='-1'][@autofocus]")
    assert "Danke, es ist angekommen" in told.text_content()
    page = html.fromstring(client.get("/barriere-melden?gespeichert=1").content)
    assert "Gespeichert." in page.xpath("//*[@id='done-summary']")[0].text_content()
    page = html.fromstring(client.post("/barriere-melden?gespeichert=1", data={"text": ""}).content)
    assert page.findtext("head/title").startswith("Fehler: ")
    (notice,) = notices_of(engine)
    assert (notice.kind, notice.way, notice.address) == (
        "barrier_report",
        "mail",
        "beteiligung@auenfurt.example",
    )
    assert notice.facts == {
        "text": "Der Plan ist\nnicht lesbar.",
        "where": "Planzeichnung",
        "email": "rosa@example.org",
    }
    with Session(engine) as session:
        entry = session.exec(select(JournalEntry).where(JournalEntry.verb == "barrier_reported")).one()
        assert (entry.actor, entry.facts, entry.subject) == (PUBLIC.label, {}, f"notice:{notice.id}")
        assert list(journal.verify(session)) == []


def test_a_town_without_mail_gets_a_letter_to_print(client: TestClient, engine: Engine, town: Town) -> None:
    with unit_of_work(engine, write=True) as session:
        row = municipalities.by_key(session, "auenfurt")
        assert row is not None
        row.contact = {"office": "Bürgeramt"}
        session.add(row)
    client.post("/barriere-melden", data={"text": "Zu klein."})
    (notice,) = notices_of(engine)
    assert (notice.way, notice.address) == ("letter", "Bürgeramt")


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("text", "", "Bitte beschreiben Sie, was Sie hindert."),
        ("text", " \x00\n ", "Bitte"),
        ("email", "rosa", "Bitte prüfen Sie die E-Mail-Adresse"),
        ("email", "rosa@example.org\nBcc: all@example.org", "Bitte prüfen Sie die E-Mail-Adresse"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(
    client: TestClient, engine: Engine, town: Town, field: str, typed: str, message: str
) -> None:
    sent = {"text": "Zu klein.", "where": "<Karte>", "email": "rosa@example.org", field: typed}
    page = client.post("/barriere-melden", data=sent)
    assert page.status_code == 422
    assert message in text(page)
    assert "Fehler:" in (html.fromstring(page.content).findtext(".//title") or "")
    assert html.fromstring(page.content).xpath("//input[@name='where']/@value") == ["<Karte>"]
    assert notices_of(engine) == []


def test_a_document_in_another_form_is_asked_for_by_name(client: TestClient, town: Town) -> None:
    page = tree(client.get("/barriere-melden", params={"where": "Umweltbericht"}))
    assert page.xpath("//input[@name='where']/@value") == ["Umweltbericht"]
    assert not page.xpath("//*[@id='error-summary']")


# --- for machines ------------------------------------------------------------------------------------


def test_the_feed_tells_what_is_new_and_what_was_changed(
    client: TestClient, engine: Engine, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        consult(session, town, "Später <b>&</b>", begins=3, ends=9)
        changed = session.merge(town.procedure)
        located = area(0, 0)
        procedures.set_plan_area(
            session, changed, located, by=town.planner, now=NOW + timedelta(hours=1), note="Neu vermessen"
        )
    answer = client.get("/beteiligungen.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = etree.fromstring(answer.content)
    names = {"a": "http://www.w3.org/2005/Atom"}
    assert feed.xpath("a:entry/a:title/text()", namespaces=names) == ["Wohnen am Mühlbach", "Später <b>&</b>"]
    assert feed.xpath("a:entry/a:updated/text()", namespaces=names) == [
        "2027-02-16T11:30:15+00:00",
        "2027-02-16T10:30:15+00:00",
    ]
    assert feed.xpath("a:entry/a:id/text()", namespaces=names)[0] == (
        "http://auenfurt.localhost/beteiligungen/wohnen-am-muehlbach"
    )
    summaries = feed.xpath("a:entry/a:summary/text()", namespaces=names)
    assert summaries[0].startswith("Offen bis Dienstag, 2. März 2027.")
    assert summaries[1].startswith("Beginnt am Freitag, 19. Februar 2027.")
    english = etree.fromstring(client.get("/en/beteiligungen.atom").content)
    assert english.xpath("a:entry/a:link/@href", namespaces=names)[0].endswith(
        "/en/beteiligungen/wohnen-am-muehlbach"
    )


def test_robots_are_kept_from_staff_accounts_and_searches(client: TestClient, town: Town) -> None:
    lines = client.get("/robots.txt").text.splitlines()
    assert lines[0] == "User-agent: *"
    assert {"Disallow: /verwaltung", "Disallow: /en/verwaltung", "Disallow: /suche"} <= set(lines)
    assert "Disallow: /" not in lines


@pytest.mark.parametrize("contact", [{"email": "it@auenfurt.example"}, {}])
def test_security_txt_says_whom_to_tell(
    client: TestClient, engine: Engine, town: Town, contact: dict[str, str]
) -> None:
    with unit_of_work(engine, write=True) as session:
        row = municipalities.by_key(session, "auenfurt")
        assert row is not None
        row.contact = contact
        session.add(row)
    answer = client.get("/.well-known/security.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    form = "http://auenfurt.localhost/barriere-melden"
    assert fields["Contact"] == ("mailto:it@auenfurt.example" if contact else form)
    expires = datetime.fromisoformat(fields["Expires"])
    assert timedelta(days=90) < expires - NOW < timedelta(days=365)
    assert fields["Canonical"].endswith("/.well-known/security.txt")


# --- other towns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["/", "/suche?q=brook", "/beteiligungen", "/ohne-internet", "/beteiligungen.atom"]
)
def test_one_town_shows_nothing_of_another(
    new_client: NewClient, engine: Engine, town: Town, address: str
) -> None:
    with unit_of_work(engine, write=True) as session:
        other = cast.found(session, "seebach", "Seebach")
        consult(session, other, "Nur in Seebach")
    shown: Callable[[str], str] = lambda host: new_client(host=host).get(address).text  # noqa: E731
    assert "Nur in Seebach" not in shown("auenfurt.localhost")
    if "suche" not in address:
        assert "Nur in Seebach" in shown("seebach.localhost")


def test_a_mistake_of_ours_is_a_page_of_the_town_too(
    settings: Settings, clock: Clock, engine: Engine, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unit_of_work(engine, write=True) as session:
        cast.found(session)

    def mistaken(*told: object, **more: object) -> Response:
        raise ZeroDivisionError

    create_app(settings, clock=clock).state.house.close()
    for name in ("imprint", "home"):
        monkeypatch.setitem(web.PAGES, name, replace(web.PAGES[name], handler=mistaken))
    app = create_app(settings, clock=clock)
    with TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False) as client:
        for address, language in (("/impressum", "de"), ("/en/impressum", "en"), ("/", "de")):
            answer = client.get(address)
            pages.add(str(answer.request.url), 500, answer.headers["content-type"], answer.content)
            assert answer.status_code == 500
            assert f'lang="{language}"' in answer.text
            assert ("Bei uns ist etwas schiefgegangen" in answer.text) == (language == "de")
            assert answer.headers["cache-control"] == "no-store"
            assert "script-src 'self'" in answer.headers["content-security-policy"]
        monkeypatch.setattr(web, "_visit", mistaken)
        answer = client.get("/impressum")
        assert (answer.status_code, answer.text) == (500, "Diese Seite konnte nicht angezeigt werden.\n")
    with TestClient(app, base_url=f"http://{HOST}") as client, pytest.raises(ZeroDivisionError):
        client.get("/impressum")
