"""Today and the variants of a plan against each other: in plans, and in words."""

from collections.abc import Iterator

import pytest
from lxml import html
from sqlmodel import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from consultations import procedures
from consultations.permissions import SYSTEM
from geo.geometry import read_geojson_geometry
from participation.database import unit_of_work
from participation.house import House
from tests import cast, scapes
from tests.cast import NOW

PAGE = "/beteiligungen/wohnen-am-muehlbach/vergleich"
AREA = {"type": "Polygon", "coordinates": [[[10.7, 48.3], [10.71, 48.3], [10.71, 48.31], [10.7, 48.3]]]}


@pytest.fixture
def variants(app: Starlette) -> Iterator[tuple[int, int]]:
    """The ids of the high and the low variant of the cast's consultation."""
    house: House = app.state.house
    with unit_of_work(house.engine, write=True) as session:
        town = cast.found(session)
        area = read_geojson_geometry(AREA)
        procedures.set_plan_area(session, town.procedure, area, by=SYSTEM, now=NOW, note="Gebiet")
        scape = scapes.build(session, house.files, town.procedure, seed=1, at=(10.707, 48.304))
        found = tuple(row.id or 0 for row in scape.variants)
    yield found[0], found[1]
    house.engine.dispose()


def rows(answer: object) -> dict[str, list[str]]:
    table = html.fromstring(answer.content).xpath("//table//tr")  # type: ignore[attr-defined]
    lines = [[cell.text_content().strip() for cell in row] for row in table]
    return {line[0]: line[1:] for line in lines}


def test_the_differences_of_two_sides_are_told_in_words(
    client: TestClient, app: Starlette, variants: tuple[int, int]
) -> None:
    high, low = variants
    today = client.get(PAGE)
    said = rows(today)
    assert said["Geschosse, höchstens"][2].endswith("Geschosse höher")
    assert said["Höhe, höchstens"][2].endswith("m höher")
    back = rows(client.get(f"{PAGE}?links={high}&rechts=heute"))
    assert back["Geschosse, höchstens"][2].endswith("Geschosse niedriger")
    assert back["Geschosse, höchstens"][:2] == said["Geschosse, höchstens"][1::-1]
    same = rows(client.get(f"{PAGE}?links={low}&rechts={low}"))
    assert {line[2] for name, line in same.items() if name != "Was"} == {"gleich"}
    page = html.fromstring(today.content)
    left, right = page.xpath("//figure//*[local-name()='svg']")
    drawn = [html.tostring(each).decode().count("var(--map-planned") for each in (left, right)]
    assert (drawn[0], drawn[1] > 0) == (0, True)
    assert client.get(f"{PAGE}?links=4711&rechts=x").status_code == 200
    with Session(app.state.house.engine) as session:
        assert procedures.by_slug(session, 1, "wohnen-am-muehlbach") is not None


def test_without_variants_there_is_nothing_to_compare(client: TestClient, app: Starlette) -> None:
    with unit_of_work(app.state.house.engine, write=True) as session:
        cast.found(session)
    assert client.get(PAGE).status_code == 404
    app.state.house.engine.dispose()
