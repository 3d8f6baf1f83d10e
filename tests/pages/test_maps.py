"""Map, list, feeds and tiles through HTTP: what they show, how fast, and what they never show."""

import csv
import io
import json
import re
import struct
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import geopandas
import mapbox_vector_tile
import pytest
import shapely
from lxml import html
from PIL import Image
from sqlalchemy import Engine, event, insert
from sqlmodel import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import locations, moderation, places, procedures, publishing
from consultations.contributions import AttachedFile, Contribution, Kind
from consultations.files import accept_upload
from consultations.moderation import Action, Decision, Reason
from consultations.people import OrganisationKind, PersonInput
from consultations.places import Layer, PlaceInput, PlaceKind
from consultations.tables import metadata
from geo.geometry import CELL_ZOOM, cell, from_lonlat, from_metres, metres_of, tile_of
from geo.layers import write_normalised
from participation.app import create_app
from participation.database import unit_of_work
from participation.house import House
from participation.settings import Settings
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Clock, NewClient
from tests.databases import once
from tests.queries import rows_read

LON, LAT = 10.7, 48.3
HEARING = "/beteiligungen/wohnen-am-muehlbach"
MAP, LIST, FEED = f"{HEARING}/karte", f"{HEARING}/beitraege", f"{HEARING}/karte.json"
TOWN = "bbox=10.5,48.1,10.9,48.5&zoom=12"


@pytest.fixture
def house(app: Starlette) -> Iterator[House]:
    house: House = app.state.house
    yield house
    house.engine.dispose()


@pytest.fixture
def session(house: House) -> Iterator[Session]:
    """What is written here is there for the next request once it is committed."""
    with Session(house.engine.execution_options(writes=True), expire_on_commit=False) as session:
        yield session


@pytest.fixture
def town(session: Session) -> Town:
    town = cast.found(session)
    session.commit()
    return town


def say(session: Session, town: Town, decision: Decision | None = None, **facts: Any) -> Contribution:
    """A contribution that was decided on (published as it is, if nothing else is said)."""
    made = town.hand_in(session, **{"wants_publication": True, "located": from_lonlat(LON, LAT), **facts})
    moderation.decide(session, made, decision or Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    session.commit()
    return made


def add_layer(session: Session, town: Town, house: House, folder: Path) -> Layer:
    """A street as a layer in the file store and as a place."""
    x, y = metres_of(LON, LAT)
    line = shapely.LineString([(x - 500, y + 30), (x + 500, y + 30)])
    frame = geopandas.GeoDataFrame({"name": ["Färbergasse"]}, geometry=[line], crs=25832)
    write_normalised(frame, folder / "streets.fgb")
    with (folder / "streets.fgb").open("rb") as file:
        kept = house.files.put(file)
    layer = Layer(
        municipality_id=town.id,
        role="streets",
        title="Straßen",
        attribution="© Stadt Auenfurt",
        normalised_sha256=kept.sha256,
        imported_at=NOW,
    )
    places.add_layer(
        session,
        layer,
        [PlaceInput(PlaceKind.STREET, "Färbergasse", from_metres(line))],
        by=town.planner,
        now=NOW,
    )
    session.commit()
    return layer


# --- the feed --------------------------------------------------------------------------------------


def test_the_feed_gives_single_ones_and_clusters(client: TestClient, session: Session, town: Town) -> None:
    say(session, town, title="Radweg fehlt", text="Hier ist es eng.")
    for _ in range(3):
        say(session, town, located=from_lonlat(LON + 0.05, LAT))
    answer = client.get(f"{FEED}?{TOWN}")
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "gzip"
    feed = answer.json()
    assert (feed["total"], feed["exact"]) == (4, True)
    [entry] = feed["entries"]
    assert (entry["title"], entry["kind"], entry["text"]) == (
        "Radweg fehlt", "Stellungnahme", "Hier ist es eng.",
    )  # fmt: skip
    assert client.get(entry["url"]).status_code == 200
    assert feed["clusters"] == [[pytest.approx(LON + 0.05), pytest.approx(LAT), 3]]
    english = client.get(f"/en{FEED}?{TOWN}").json()
    assert english["entries"][0]["kind"] == "Statement"
    assert english["entries"][0]["url"].startswith("/en/")


def test_the_feeds_etag_is_the_state_of_the_journal(client: TestClient, session: Session, town: Town) -> None:
    say(session, town)
    first = client.get(f"{FEED}?{TOWN}")
    again = client.get(f"{FEED}?{TOWN}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"{FEED}?{TOWN}&art=comment").headers["etag"] != first.headers["etag"]
    say(session, town)
    later = client.get(f"{FEED}?{TOWN}", headers={"If-None-Match": first.headers["etag"]})
    assert (later.status_code, later.json()["total"]) == (200, 2)


@once
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "bbox"),
        ("bbox=1,2,3&zoom=3", "bbox"),
        ("bbox=a,b,c,d&zoom=3", "bbox"),
        ("bbox=nan,nan,nan,nan&zoom=3", "bbox"),
        ("bbox=11,48,10,49&zoom=3", "bbox"),
        ("bbox=10,48,11,91&zoom=3", "bbox"),
        ("bbox=-inf,48,inf,49&zoom=3", "bbox"),
        ("bbox=10,48,11,49", "zoom"),
        ("bbox=10,48,11,49&zoom=23", "zoom"),
        ("bbox=10,48,11,49&zoom=-1", "zoom"),
        ("bbox=10,48,11,49&zoom=1000000000000", "zoom"),
    ],
)
def test_a_view_that_is_none_is_explained(client: TestClient, town: Town, query: str, field: str) -> None:
    answer = client.get(f"{FEED}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field
    assert field in answer.json()["error"]["message"]


def crowd(engine: Engine, town: Town, number: int) -> None:
    """So many published contributions at once, past the one door, with the counts that the door keeps."""
    chance = Random(5)
    heaps = [
        (LON + chance.gauss(0, 0.05), LAT + chance.gauss(0, 0.03), chance.uniform(0.001, 0.01))
        for _ in range(60)
    ]
    words = [
        "Baum",
        "Radweg",
        "Kreuzung",
        "Spielplatz",
        "Lärm",
        "Tempo",
        "Bank",
        "Licht",
        "Schule",
        "Bus",
        "Park",
        "Garten",
    ]
    rows = []
    cells: dict[tuple[int, int], list[float]] = {}
    for index in range(number):
        heap = chance.choice(heaps)
        lon, lat = heap[0] + chance.gauss(0, heap[2]), heap[1] + chance.gauss(0, heap[2] * 0.7)
        here = cell(lon, lat)
        rows.append(
            {
                "municipality_id": town.id, "procedure_id": town.procedure.id, "channel": "web",
                "kind": chance.choice(list(Kind)).value, "reference": f"BP-12-{index + 1:04d}",
                "entry_number": index + 1, "access_code": f"N{index:07d}", "submission_key": f"many-{index}",
                "source_id": "", "received_at": NOW - timedelta(minutes=chance.randrange(50_000)),
                "recorded_at": NOW, "recorded_by": "test", "is_late": False, "language": "de",
                "title": " ".join(chance.choices(words, k=5)),
                "text": " ".join(chance.choices(words, k=chance.randrange(20, 120))),
                "category": "", "topic": chance.choice(["Verkehr", "Grün", ""]), "pseudonym": "", "on_behalf_of": "",
                "wants_publication": True, "section": "", "place_words": "",
                "geometry": struct.pack("<BIdd", 1, 1, *metres_of(lon, lat)), "geometry_kind": "point",
                "lon": lon, "lat": lat, "cell": here, "state": "received", "publication": "published",
                "decisions": 1,
            }
        )  # fmt: skip
        for level in locations.LEVELS:
            count = cells.setdefault((level, here >> 2 * (CELL_ZOOM - level)), [0, 0.0, 0.0])
            count[0], count[1], count[2] = count[0] + 1, count[1] + lon, count[2] + lat
    counts = [
        {"procedure_id": town.procedure.id, "level": level, "cell": key, "count": each[0],
         "sum_lon": each[1], "sum_lat": each[2]}
        for (level, key), each in cells.items()
    ]  # fmt: skip
    with engine.execution_options(writes=True).begin() as connection:
        for table, values in (("contribution", rows), ("map_cell", counts)):
            for start in range(0, len(values), 5000):
                connection.execute(insert(metadata.tables[table]), values[start : start + 5000])


def test_ten_thousand_contributions_are_no_more_work_than_a_few(
    client: TestClient, house: House, session: Session, town: Town
) -> None:
    """At every zoom a bounded number of rows is looked at and at most 60 kB are sent; the list's 900th page is no more
    work than its first. How long it takes is measured by `./run bench`.
    """
    crowd(house.engine, town, 10_000)
    if house.engine.dialect.name == "postgresql":
        with house.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")
    views = ["bbox=-180,-85,180,85&zoom=22"]
    for zoom in range(8, 20):
        half = 180 / 2**zoom * 3
        box = f"{LON - half * 1.5:.6f},{LAT - half * 0.7:.6f},{LON + half * 1.5:.6f},{LAT + half * 0.7:.6f}"
        views.append(f"bbox={box}&zoom={zoom}")
    for view in views:
        with rows_read(house.engine) as read:
            answer = client.get(f"{FEED}?{view}")
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) <= 60_000, view
        assert sum(read) <= 5_000, view
    key = f"{NOW - timedelta(minutes=25_000):%Y%m%dT%H%M%S.%f}-1"
    pages = []
    for url in (f"{LIST}?sortierung=oldest", f"{LIST}?sortierung=oldest&nach={key}"):
        with rows_read(house.engine) as read:
            assert client.get(url).status_code == 200
        pages.append(sum(read))
    assert pages[1] <= 1.5 * pages[0]


def test_pages_ask_a_fixed_number_of_questions(
    client: TestClient, house: House, session: Session, town: Town
) -> None:
    asked: list[str] = []
    event.listen(house.engine, "before_cursor_execute", lambda *told: asked.append(str(told[2])))
    urls = (f"{FEED}?{TOWN}", f"{LIST}?x=1", f"{MAP}?ansicht=plan", MAP, "/karte", f"{LIST}/BP-12-0001")
    counts = []
    for number in (2, 20):
        for _ in range(number):
            say(session, town, located=from_lonlat(LON + Random(number).uniform(0, 0.01), LAT))
        row = []
        for url in urls:
            asked.clear()
            assert client.get(url).status_code == 200
            row.append(len(asked))
        counts.append(row)
    assert counts[0] == counts[1]


# --- the list --------------------------------------------------------------------------------------


def test_the_list_shows_everything_public_page_by_page(
    client: TestClient, session: Session, town: Town
) -> None:
    for number in range(30):
        say(session, town, title=f"Beitrag {number}", located=None)
    first = client.get(LIST).text
    assert "Bisher sind 30 Beiträge veröffentlicht." in first
    [following] = re.findall(r'rel="next" href="([^"]+)"', first)
    second = client.get(following.replace("&amp;", "&")).text
    found = re.findall(r">Beitrag (\d+)</a>", first) + re.findall(r">Beitrag (\d+)</a>", second)
    assert [int(number) for number in found] == list(range(29, -1, -1))
    [back] = re.findall(r'rel="prev" href="([^"]+)"', second)
    assert re.findall(r">Beitrag (\d+)</a>", client.get(back.replace("&amp;", "&")).text) == found[:24]
    assert 'rel="next"' not in second
    assert ' lang="de">Beitrag 29</a>' in client.get(f"/en{LIST}").text, (
        "what is German on an English page says so"
    )
    assert ' lang="de">Beitrag 29</a>' not in first


def test_the_list_is_narrowed_to_a_place(
    client: TestClient, session: Session, town: Town, house: House, tmp_path: Path
) -> None:
    add_layer(session, town, house, tmp_path)
    say(session, town, title="Ganz nah")
    say(session, town, title="Weit weg", located=from_lonlat(LON, LAT + 0.03))
    x, y = metres_of(LON, LAT)
    at_it = from_metres(shapely.Point(x, y + 26))
    say(session, town, title="Auf der Straße", located=at_it)
    near = client.get(f"{LIST}?suche=färbergasse&sortierung=nearest").text
    assert "Ganz nah" in near
    assert "Weit weg" not in near
    assert "30 m bis Färbergasse" in near
    assert "4 m bis" not in near, "nobody measures the width of a street"
    assert re.search(r">\s*Färbergasse\s*<", near)
    wider = client.get(f"{LIST}?suche=färbergasse&umkreis=5000&sortierung=nearest").text
    assert wider.index("Ganz nah") < wider.index("Weit weg")
    unknown = client.get(f"{LIST}?suche=Nirgendwo").text
    assert "Einen Ort namens „Nirgendwo“ kennen wir nicht." in unknown
    without = client.get(f"{LIST}?mit_ort=nein").text
    assert "Nichts gefunden" in without


@pytest.mark.parametrize(
    "query", ["nach=x", "vor=20270101T000000.0-1-2", "sortierung=nearest", "umkreis=-1", "platz=9999999999", "ort=500,x",
              "ort=2,2", "stadtteil=abc", "art=unsinn", "thema=%00", "q=%22%27*%28"],
)  # fmt: skip
def test_no_address_breaks_the_list(client: TestClient, session: Session, town: Town, query: str) -> None:
    say(session, town)
    assert client.get(f"{LIST}?{query}").status_code == 200


def test_one_contribution_with_its_comments_and_files(
    client: TestClient, session: Session, town: Town, house: House
) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(picture, "JPEG")
    attached = []
    for name in ("baum.jpg", "verdeckt.jpg", "brief.jpg"):
        picture.seek(0)
        file = accept_upload(house.files, picture, name)
        attached.append(
            AttachedFile(
                file.sha256,
                name,
                file.media_type,
                file.size,
                public_sha256=file.public_sha256 or "",
                public_media_type=file.public_media_type or "",
                is_original=name == "brief.jpg",
            )
        )
    redaction = Decision(
        Action.REDACT,
        Reason.PERSONAL_DATA,
        title="Baum",
        text="Bei ▇ fehlt ein Baum.",
        hidden_attachments=(1,),
    )
    made = say(
        session,
        town,
        redaction,
        text="Bei Familie Huber fehlt ein Baum.",
        attachments=tuple(attached),
        person=PersonInput(
            name="Ute Huber", organisation="Bahnamt", organisation_kind=OrganisationKind.AUTHORITY
        ),
    )
    address = f"{LIST}/{made.reference}"
    page = client.get(address).text
    assert "Bei ▇ fehlt ein Baum." in page
    assert "Huber" not in page
    assert "Bahnamt" in page
    assert re.findall(r">([\w-]+\.jpg)</a>", page) == [f"{made.reference}-1.jpg"], "a name that tells nothing"
    assert "baum.jpg" not in page
    assert "2 Anlagen sind nicht veröffentlicht" in page
    answer = client.get(f"{address}/dateien/0")
    assert answer.headers["content-type"] == "image/jpeg"
    assert f"{made.reference}-1.jpg" in answer.headers["content-disposition"]
    assert answer.content[:2] == b"\xff\xd8"
    assert [client.get(f"{address}/dateien/{position}").status_code for position in (1, 2, 3)] == [404] * 3


def test_a_hidden_place_is_in_no_list_feed_or_open_data_and_comes_back_when_that_is_undone(
    client: TestClient, session: Session, town: Town
) -> None:
    made = say(session, town, text="Vor meinem Haus fehlt ein Baum.", located=from_lonlat(LON, LAT))
    other = say(session, town, text="Auch hier.", located=from_lonlat(LON + 0.0004, LAT))
    box = f"bbox={LON - 0.01},{LAT - 0.01},{LON + 0.01},{LAT + 0.01}"

    def seen() -> dict[str, object]:
        session.commit()
        near, far = (json.loads(client.get(f"{FEED}?{box}&zoom={zoom}").content) for zoom in (19, 12))
        filtered = json.loads(client.get(f"{FEED}?{box}&zoom=12&art=statement").content)
        features = json.loads(client.get(f"{LIST}.geojson").content)["features"]
        ours = next(each for each in features if each["properties"]["reference"] == made.reference)
        return {
            "pins": sorted(each["ref"] for each in near["entries"]),
            "far": far["total"],
            "filtered": filtered["total"],
            "place": ours["geometry"],
            "words": "Innenstadt am Rand" in client.get(f"{LIST}/{made.reference}").text,
        }

    hide = Decision(
        Action.REDACT,
        Reason.PERSONAL_DATA,
        title=made.title,
        text=made.text,
        hides_place=True,
        place_words="Innenstadt am Rand",
    )
    both = seen()
    assert both["pins"] == sorted([made.reference, other.reference])
    assert (both["far"], both["filtered"]) == (2, 2)
    assert both["place"]
    moderation.decide(session, made, hide, by=town.moderator, now=NOW)
    hidden = seen()
    assert hidden["pins"] == [other.reference]
    assert (hidden["far"], hidden["filtered"], hidden["place"]) == (1, 1, None)
    assert hidden["words"], "what the moderator says of the place instead"
    page = client.get(f"{LIST}/{made.reference}").text
    assert "data-lon" not in page
    assert "beitrag=" not in page, "nor does the page lead to it on the map"
    assert (made.lon, made.geometry_kind) == (pytest.approx(LON), "point"), "the evidence is untouched"
    moderation.undo(session, made, by=town.moderator, now=NOW)
    assert seen() == both
    moderation.undo(session, made, by=town.moderator, now=NOW)
    session.commit()
    assert json.loads(client.get(f"{FEED}?{box}&zoom=12").content)["total"] == 1


def test_layers_of_any_other_kind_are_drawn_named_and_told_in_words(
    client: TestClient, session: Session, town: Town, house: House, tmp_path: Path
) -> None:
    x, y = metres_of(LON, LAT)
    layers = []
    for number, (title, shape) in enumerate(
        [("Alte Bäume", shapely.Point(x, y)), ("Radnetz", shapely.LineString([(x - 400, y), (x + 400, y)]))]
    ):
        frame = geopandas.GeoDataFrame(
            {"art": ["Linde"], "pflanzjahr": [1921.0], "leer": [None]}, geometry=[shape], crs=25832
        )
        write_normalised(frame, tmp_path / f"{number}.fgb")
        with (tmp_path / f"{number}.fgb").open("rb") as file:
            kept = house.files.put(file)
        layer = Layer(
            municipality_id=town.id,
            procedure_id=town.procedure.id,
            role="other",
            title=title,
            attribution="© Grünamt",
            position=number,
            normalised_sha256=kept.sha256,
            imported_at=NOW,
        )
        places.add_layer(session, layer, [], by=town.planner, now=NOW)
        layers.append(layer)
    session.commit()
    page = client.get(f"{MAP}?ansicht=plan").text
    assert ("--map-other0" in page, "--map-other1" in page, "© Grünamt" in page) == (True, True, True)
    drawn = re.findall(
        r'stroke="var\(--map-(other\d)', page.partition("plan-picture")[2].partition("</svg>")[0]
    )
    assert set(drawn) == {"other0", "other1"}
    table = client.get(f"{MAP}/ebenen/{layers[0].id}")
    assert table.status_code == 200
    assert [words in table.text for words in ("Alte Bäume", "Linde", "1921", "leer")] == [
        True,
        True,
        True,
        False,
    ]
    assert "1 Objekt auf der Karte" in table.text
    assert client.get(f"{MAP}/ebenen/4711").status_code == 404


def test_what_is_kept_from_the_public_says_so_without_its_words(
    client: TestClient, session: Session, town: Town
) -> None:
    withheld = say(session, town, Decision(Action.WITHHOLD, Reason.INSULT), text="Böse Worte", title="Böses")
    waiting = town.hand_in(session, "Wartet", wants_publication=True)
    session.commit()
    page = client.get(f"{LIST}/{withheld.reference}")
    assert page.status_code == 200
    assert "Beleidigung" in page.text
    assert "Böse" not in page.text
    assert client.get(f"{LIST}/{waiting.reference}").status_code == 404
    assert "Böse" not in client.get(LIST).text


def test_a_draft_has_no_map_and_no_list(client: TestClient, session: Session, town: Town) -> None:
    procedures.create(
        session,
        cast.consultation(key="BP-13", slug="geheim"),
        municipality_id=town.id,
        template_key="development_plan",
        by=town.planner,
        now=NOW,
    )
    session.commit()
    for path in (
        "karte",
        "karte.json?" + TOWN,
        "beitraege",
        "beitraege.csv",
        "beitraege.geojson",
        "beitraege.atom",
    ):
        assert client.get(f"/beteiligungen/geheim/{path}").status_code == 404
    assert "geheim" not in client.get("/karte.json").text


# --- open data -------------------------------------------------------------------------------------


def test_open_data_has_everything_public_and_runs_no_formula(
    client: TestClient, session: Session, town: Town
) -> None:
    say(session, town, title='=HYPERLINK("http://böse")', text="Zeile 1\nZeile 2; mit Zeichen")
    line = {"type": "LineString", "coordinates": [[LON, LAT], [LON + 0.001, LAT]]}
    located = places.chosen(session, town.id, geometry=json.dumps(line))
    say(session, town, located=located)
    say(session, town, located=None, person=PersonInput(name="Ute Huber"))
    table = client.get(f"{LIST}.csv")
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig")), delimiter=";"))
    assert len(rows) == 3
    assert rows[0]["title"].startswith("'=HYPERLINK")
    assert rows[0]["text"] == "Zeile 1\nZeile 2; mit Zeichen"
    collection = client.get(f"{LIST}.geojson").json()
    assert [each["geometry"] and each["geometry"]["type"] for each in collection["features"]] == [
        "Point",
        "LineString",
        None,
    ]
    assert collection["features"][0]["properties"]["title"].startswith("=HYPERLINK")
    assert "Huber" not in table.text + json.dumps(collection)
    feed = client.get(f"{LIST}.atom")
    assert feed.text.count("<entry>") == 3


# --- the map ---------------------------------------------------------------------------------------


def test_the_maps_files_are_kept_for_ever_and_change_their_address(
    client: TestClient, session: Session, town: Town, house: House, tmp_path: Path
) -> None:
    plain = client.get(MAP).text
    [script] = re.findall(r'src="(/maps/[^"]+)"', plain)
    answer = client.get(script.replace("&amp;", "&"))
    assert answer.headers["cache-control"].endswith("immutable")
    assert client.get("/maps/0123.js").headers["cache-control"] == "no-cache"
    [tile] = re.findall(r'"(/kacheln/[^"]+/light/)', answer.text)
    x, y = tile_of(LON, LAT, 16)
    at = f"16/{x}/{y}.svg"
    empty = client.get(tile + at)
    assert empty.headers["content-type"] == "image/svg+xml"
    assert empty.headers["cache-control"].endswith("immutable")
    again = client.get(tile + at, headers={"If-None-Match": empty.headers["etag"]})
    assert again.status_code == 304
    add_layer(session, town, house, tmp_path)
    assert client.get(tile + at).headers["cache-control"] == "no-cache"
    [script] = re.findall(r'src="(/maps/[^"]+)"', client.get(MAP).text)
    answer = client.get(script.replace("&amp;", "&"))
    assert "Stadt Auenfurt" in answer.text
    [fresh] = re.findall(r'"(/kacheln/[^"]+/light/)', answer.text)
    assert fresh != tile
    assert "<path" in client.get(fresh + at).text
    assert client.get(fresh.replace("light", "dark") + at).text != client.get(fresh + at).text


def test_what_a_plan_lays_down_is_drawn_on_its_own_map_only(
    client: TestClient, session: Session, town: Town, house: House, tmp_path: Path
) -> None:
    add_layer(session, town, house, tmp_path)
    x, y = metres_of(LON, LAT)
    frame = geopandas.GeoDataFrame(
        {"sign": ["residential"]}, geometry=[shapely.box(x, y, x + 90, y + 90)], crs=25832
    )
    write_normalised(frame, tmp_path / "plan.fgb")
    with (tmp_path / "plan.fgb").open("rb") as file:
        kept = house.files.put(file)
    layer = Layer(
        municipality_id=town.id,
        procedure_id=town.procedure.id,
        role="plan",
        title="Festsetzungen",
        attribution="Planungsstelle West",
        normalised_sha256=kept.sha256,
        imported_at=NOW,
    )
    places.add_layer(session, layer, [], by=town.planner, now=NOW)
    session.commit()
    tile_x, tile_y = tile_of(LON, LAT, 16)
    [overlays] = html.fromstring(client.get(MAP).content).xpath("//@data-overlays")
    [overlay] = json.loads(overlays)
    assert (overlay["title"], overlay["attribution"], overlay["on"]) == (
        "Festsetzungen", "Planungsstelle West", True,
    )  # fmt: skip
    drawn = client.get(overlay["url"].format(z=16, x=tile_x, y=tile_y))
    assert drawn.status_code == 200
    assert "<path" in drawn.text
    plan = client.get(f"{MAP}?ansicht=plan").text
    assert ("Planungsstelle West" in plan, "Wohngebiet" in plan) == (True, True), "drawn, and in the legend"
    town_page = client.get("/karte").text
    [script] = re.findall(r'src="(/maps/[^"]+)"', town_page)
    assert "Planungsstelle West" not in town_page + client.get(script.replace("&amp;", "&")).text


@pytest.mark.parametrize("at", ["light/16/99999/1", "light/25/0/0", "pink/16/1/1"])
def test_a_tile_that_does_not_exist_is_not_found(client: TestClient, town: Town, at: str) -> None:
    assert client.get(f"/kacheln/x/{at}.svg").status_code == 404


def test_a_town_whose_layer_is_lost_still_has_a_map(
    client: TestClient, session: Session, town: Town, house: House, tmp_path: Path
) -> None:
    layer = add_layer(session, town, house, tmp_path)
    house.files.delete(layer.normalised_sha256)
    assert client.get(f"{MAP}?ansicht=plan").status_code == 200
    assert "30 m" in client.get(f"{MAP}?ort={LON},{LAT}").text


def test_a_chosen_place_leads_to_the_form(
    client: TestClient, session: Session, town: Town, house: House, tmp_path: Path
) -> None:
    add_layer(session, town, house, tmp_path)
    found = client.get(f"{MAP}?suche=färb").text
    [place] = re.findall(r'href="([^"]*platz=\d+)"', found)
    chosen = client.get(place.replace("&amp;", "&")).text
    [way] = re.findall(r'href="([^"]*place_id=\d+)"', chosen)
    assert "Färbergasse" in client.get(way.replace("&amp;", "&")).text
    clicked = client.get(f"{MAP}?ansicht=plan&mitte={LON},{LAT}&zoom=16&ort.x=480&ort.y=300")
    assert clicked.status_code == 303
    panel = client.get(clicked.headers["location"]).text
    assert "30 m bis Färbergasse" in panel
    assert f"lon={LON:.6f}&amp;lat={LAT:.6f}" in panel
    empty = client.get(f"{MAP}?ansicht=plan&mitte={LON},{LAT}&zoom=16&ort.x=0&ort.y=0")
    assert "waehlen=1" in empty.headers["location"]
    assert "außerhalb Deutschlands" in client.get(f"{MAP}?ort=2.3,48.8").text


def test_when_nothing_is_open_nothing_can_be_said(
    new_client: NewClient, session: Session, town: Town, house: House
) -> None:
    publishing.conclude(session, town.procedure, by=town.planner, now=NOW, note="Beschlossen.")
    session.commit()
    page = new_client().get(f"{MAP}?ort={LON},{LAT}").text
    assert "Zurzeit kann hier nichts eingereicht werden." in page
    assert "Fläche zeichnen" not in page


@pytest.mark.parametrize(
    "query", ["mitte=x", "mitte=1e400,1&zoom=nan", "mitte=10,48&zoom=inf", "platz=0", "platz=abc", "ort=,", "beitrag=X-1",
              "waehlen=1", "ort.x=5", "suche=%25_", "ansicht=plan&mitte=179,84&zoom=1"],
)  # fmt: skip
def test_no_address_breaks_the_map(client: TestClient, session: Session, town: Town, query: str) -> None:
    say(session, town)
    assert client.get(f"{MAP}?{query}").status_code in (200, 303)
    assert client.get(f"{HEARING}/karte.svg?{query}").status_code == 200


def test_the_plan_without_javascript_links_what_it_lists(
    client: TestClient, session: Session, town: Town
) -> None:
    x, y = metres_of(LON, LAT)
    area = from_metres(shapely.box(x - 300, y - 300, x + 300, y + 300))
    procedures.set_plan_area(session, town.procedure, area, by=town.planner, now=NOW)
    first = say(session, town, title='<b>"Radweg"</b> & mehr')
    page = client.get(f"{MAP}?ansicht=plan").text
    assert page.count(f'href="{LIST}/{first.reference}"') == 2  # the pin, and its line in the list
    assert "<b>" not in page
    assert "1 Beitrag in diesem Ausschnitt." in page
    assert "d-plan__area" in page


def test_the_towns_map_lists_what_it_shows(client: TestClient, session: Session, town: Town) -> None:
    x, y = metres_of(LON, LAT)
    area = from_metres(shapely.box(x - 300, y - 300, x + 300, y + 300))
    procedures.set_plan_area(session, town.procedure, area, by=town.planner, now=NOW)
    session.commit()
    [feature] = client.get("/karte.json").json()["features"]
    assert feature["properties"]["title"] == "Wohnen am Mühlbach"
    assert feature["geometry"]["type"] == "Polygon"
    assert f'href="{feature["properties"]["url"]}"' in client.get("/karte").text
    assert f'href="{feature["properties"]["url"]}"' in client.get("/karte?ansicht=plan").text
    shape = client.get(f"{HEARING}/gebiet.json").json()["geometry"]
    assert shapely.from_geojson(json.dumps(shape)).contains(shapely.Point(LON, LAT))


def test_configured_services_come_with_their_attribution(
    settings: Settings, clock: Clock, town: Town
) -> None:
    source = {
        "kind": "wms", "url": "https://karten.example/wms", "title": "Luftbild", "attribution": "© Land",
        "layers": "dop",
    }  # fmt: skip
    changed = settings.model_copy(update={"map_sources": [source]})
    app = create_app(changed, clock=clock)
    with TestClient(app, base_url="http://auenfurt.localhost") as client:
        page = client.get(MAP)
        assert "https://karten.example" in page.headers["content-security-policy"]
        [script] = re.findall(r'src="(/maps/[^"]+)"', page.text)
        text = client.get(script.replace("&amp;", "&")).text
        framed = client.get(f"{MAP}/einbetten")
        [own] = re.findall(r'src="(/maps/[^"]+)"', framed.text)
        in_frame = framed.text + framed.headers["content-security-policy"]
        in_frame += client.get(own.replace("&amp;", "&")).text
    assert "https://karten.example/wms" in text
    assert r"\u00a9 Land" in text  # Folium writes ASCII
    assert "karten.example" not in in_frame, "what other sites frame asks nobody but this server"


def test_another_towns_consultation_is_not_found_here(
    new_client: NewClient, session: Session, town: Town, house: House
) -> None:
    with unit_of_work(house.engine, write=True) as other:
        cast.found(other, "bergdorf", "Bergdorf")
    say(session, town, title="Nur in Auenfurt")
    stranger = new_client("bergdorf.localhost")
    assert "Nur in Auenfurt" not in stranger.get(LIST).text
    assert stranger.get(f"{LIST}/BP-12-0001").status_code == 404


def test_vector_tiles_of_a_layer_are_made_kept_and_shown_to_those_who_may_see_it(
    client: TestClient, session: Session, town: Town, house: House, tmp_path: Path
) -> None:
    layer = add_layer(session, town, house, tmp_path)
    x, y = tile_of(LON, LAT, 15)
    address = f"/kacheln/ebene/{layer.id}/15/{x}/{y}.mvt"
    answer = client.get(f"{address}?v={layer.normalised_sha256[:16]}")
    assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert "immutable" in answer.headers["cache-control"]
    assert mapbox_vector_tile.decode(answer.content)["layer"]["features"]
    assert client.get(address).headers["cache-control"] == "no-cache"
    again = client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for wrong in (f"/kacheln/ebene/999/15/{x}/{y}.mvt", f"/kacheln/ebene/{layer.id}/15/99999/1.mvt"):
        assert client.get(wrong).status_code == 404
    layer.replaced_at = NOW
    session.add(layer)
    session.commit()
    assert client.get(address).status_code == 404
