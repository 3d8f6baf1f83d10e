"""The first day of a town: founded at the console, signed in to, and every page of it in order while nothing is there."""

import re

import pytest
from lxml import html
from sqlalchemy import Engine
from sqlmodel import Session, select
from starlette.testclient import TestClient
from typer.testing import CliRunner

from consultations import people
from consultations.municipalities import Municipality
from consultations.people import Person
from consultations.permissions import SYSTEM, Role
from participation import web
from participation.__main__ import app as program
from participation.settings import Settings
from tests import cast
from tests.conftest import HOST


def say(*words: str) -> tuple[int, str]:
    """What a command answers, without the frame around it."""
    answer = CliRunner().invoke(program, list(words))
    return answer.exit_code, re.sub(r"[\s│]+", " ", answer.output)


@pytest.fixture(autouse=True)
def console(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings as a console would have them."""
    monkeypatch.setenv("DIGILOG_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("DIGILOG_DATA_DIR", str(settings.data_dir))


def test_a_town_is_founded_and_everything_in_it_opens(client: TestClient, engine: Engine) -> None:
    assert client.get("/anmelden").status_code == 404
    code, said = say("municipality", "auenfurt", "--name", "Auenfurt", "--host", HOST)
    assert (code, f"Auenfurt answers at {HOST}" in said) == (0, True), said
    code, said = say("staff", "op@auenfurt.example", "--role", "operator", "--name", "Olga Op")
    password = said.split()[-1]
    with Session(engine) as session:
        town, person = session.exec(select(Municipality)).one(), session.exec(select(Person)).one()
        for role in set(Role) - {Role.OPERATOR}:
            people.grant(session, person, role, municipality_id=town.id, by=SYSTEM, now=cast.NOW)
        session.commit()
    plain = [page.path for page in web.PAGES.values() if "GET" in page.methods and "{" not in page.path]
    before = {address: client.get(address) for address in plain}
    entry = html.fromstring(before["/anmelden"].content).forms[-1]
    signed_in = client.post(
        "/anmelden", data={**dict(entry.form_values()), "email": "op@auenfurt.example", "password": password}
    )
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/verwaltung")
    after = {address: client.get(address) for address in plain}
    assert len(plain) > 50
    # There is no plan of a town of which nothing was read in yet; everything else opens, or leads to where one may enter.
    assert before.pop("/stadtplan.svg").status_code == after.pop("/stadtplan.svg").status_code == 404
    assert {answer.status_code for answer in before.values()} == {200, 303}
    leads_on = {address for address, answer in after.items() if answer.status_code == 303}
    assert {answer.status_code for answer in after.values()} == {200, 303}
    assert leads_on - {"/anmelden", "/verwaltung/vorschlaege/teilen"} <= {
        address
        for address in plain
        if address.startswith(("/beitrag/", "/mitschreiben/", "/umfrage/antwort"))
    }


def test_what_the_console_refuses_is_said_in_a_sentence(engine: Engine) -> None:
    assert say("municipality", "auenfurt", "--name", "Auenfurt", "--host", HOST)[0] == 0
    assert say("staff", "op@auenfurt.example", "--role", "operator")[0] == 0
    for words, told in (
        (("municipality", "auenfurt", "--name", "Noch eins", "--host", "b.localhost"), "auenfurt"),
        (("municipality", "birkstein", "--name", "Birkstein", "--host", HOST), HOST),
        (("municipality", "Bad Ort", "--name", "Bad Ort", "--host", "c.localhost"), "small letters"),
        (("staff", "a@b.example", "--role", "mayor"), "there is no role 'mayor'; there are clerk"),
        (("staff", "a@b.example", "--role", "clerk", "--municipality", "anderswo"), "'anderswo'"),
        (("staff", "op@auenfurt.example", "--role", "operator"), "op@auenfurt.example"),
    ):
        code, said = say(*words)
        assert (code, told in said) == (2, True), said
