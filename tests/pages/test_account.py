"""Signing in and out through the front door: password, invitation, OpenID Connect, and one's list of sessions."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from lxml import html
from sqlalchemy import Engine
from sqlmodel import Session, select
from starlette.testclient import TestClient

from consultations import people
from consultations.people import Person
from consultations.permissions import SYSTEM, Role
from participation import identity
from participation.app import create_app
from participation.database import unit_of_work
from participation.identity import COOKIE, Identity, SignIn
from participation.settings import Settings
from tests import cast
from tests.cast import NOW, Town
from tests.conftest import Clock, NewClient, OpenIdProvider
from tests.databases import once

PASSWORD = "correct horse battery"
EMAIL = "paula@auenfurt.example"


@pytest.fixture
def town(engine: Engine) -> Town:
    """The cast's first town; its planner has a password."""
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session)
        cast.found(session, "seebach", "Seebach")
        identity.create_password_identity(
            session, person_of(session, town, Role.PLANNER), EMAIL, PASSWORD, by=SYSTEM, now=NOW
        )
        return town


def person_of(session: Session, town: Town, role: Role) -> Person:
    person = session.get(Person, town.staff[role].person_id)
    assert person is not None
    return person


def sign_in(
    client: TestClient, email: str = EMAIL, password: str = PASSWORD, **fields: str
) -> httpx2.Response:
    return client.post("/anmelden", data={"email": email, "password": password, **fields})


def text(response: httpx2.Response) -> str:
    return " ".join(html.fromstring(response.content).text_content().split())


def test_a_planner_signs_in_is_known_by_name_and_signs_out(client: TestClient, town: Town) -> None:
    assert client.get("/konto").headers["location"] == "/anmelden?next=%2Fkonto"
    answer = sign_in(client)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=604800"} <= set(cookie.split("; "))
    page = client.get("/konto")
    assert "Paula" in text(page)
    assert "Planung, Auenfurt" in text(page)
    assert page.headers["cache-control"] == "no-store"
    out = client.post("/abmelden")
    assert out.status_code == 303
    assert client.get("/konto").status_code == 303


def test_the_session_of_an_earlier_cookie_is_over_after_signing_out(client: TestClient, town: Town) -> None:
    sign_in(client)
    token = client.cookies[COOKIE]
    client.post("/abmelden")
    client.cookies.set(COOKIE, token)
    assert client.get("/konto").status_code == 303


@pytest.mark.parametrize(
    ("email", "password"),
    [(EMAIL, "wrong password"), ("nobody@auenfurt.example", PASSWORD), ("x", "y" * 600)],
)
def test_a_failed_sign_in_says_no_more_than_that_and_keeps_the_address(
    client: TestClient, town: Town, email: str, password: str
) -> None:
    answer = sign_in(client, email, password)
    assert answer.status_code == 422
    assert "Bitte prüfen Sie E-Mail-Adresse und Passwort." in text(answer)
    assert password not in answer.text
    assert html.fromstring(answer.content).xpath("//input[@id='email']/@value") == [email]
    assert COOKIE not in client.cookies


def test_empty_fields_are_named(client: TestClient, town: Town) -> None:
    answer = client.post("/anmelden", data={"email": "", "password": ""})
    assert answer.status_code == 422
    links = html.fromstring(answer.content).xpath("//*[@id='error-summary']//a/@href")
    assert links == ["#email", "#password"]


def test_guessing_is_stopped_and_a_right_password_does_not_help_then(client: TestClient, town: Town) -> None:
    for _ in range(8):
        assert sign_in(client, password="wrong password").status_code == 422
    answer = sign_in(client)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 600
    assert "zu viele Versuche" in text(answer)
    assert client.get("/anmelden").status_code == 200


@once
def test_a_crowd_that_tries_passwords_waits_in_a_line_of_its_own(client: TestClient, town: Town) -> None:
    """A password costs 64 MB on purpose: hundreds of tries at once took two gigabytes and every thread of the pages."""
    house = client.app.state.house  # type: ignore[attr-defined]
    are_there, are_done = threading.Event(), threading.Event()

    async def crowd() -> None:
        tries = [asyncio.ensure_future(house.passwords.run(are_done.wait)) for _ in range(24)]
        await asyncio.sleep(0)  # each takes its place before it waits
        are_there.set()
        await asyncio.gather(*tries)

    try:
        others = threading.Thread(target=asyncio.run, args=(crowd(),))
        others.start()
        assert are_there.wait(30)
        answer = sign_in(client)
        assert answer.status_code == 503
        assert "Gerade ist sehr viel los" in text(answer)
        assert client.get("/impressum").status_code == 200
    finally:
        are_done.set()
        others.join()
    assert sign_in(client).status_code == 303


@once
@pytest.mark.parametrize(
    ("wanted", "goes_to"),
    [
        ("/konto/passwort?a=1", "/konto/passwort?a=1"),
        ("/en/konto", "/en/konto"),
        ("https://evil.test/", "/verwaltung"),
        ("//evil.test/", "/verwaltung"),
        ("/\\evil.test/", "/verwaltung"),
        ("/\t/evil.test/", "/verwaltung"),
        ("javascript:alert(1)", "/verwaltung"),
        ("", "/verwaltung"),
    ],
)
def test_after_signing_in_one_stays_on_this_site(
    client: TestClient, town: Town, wanted: str, goes_to: str
) -> None:
    assert sign_in(client, next=wanted).headers["location"] == goes_to


def test_sessions_are_listed_and_ended(new_client: NewClient, town: Town, clock: Clock) -> None:
    desk = new_client(headers={"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Firefox/150.0"})
    phone = new_client(
        headers={"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 20_0 like Mac OS X) Safari/604.1"}
    )
    for client in (desk, phone):
        sign_in(client)
    page = desk.get("/konto")
    assert "Firefox, Linux" in text(page)
    assert "Safari, iPhone" in text(page)
    (end,) = html.fromstring(page.content).xpath("//form[contains(@action,'/konto/sitzungen/')]/@action")[:1]
    assert desk.post(end).headers["location"] == "/konto?done=session"
    assert "Diese Sitzung ist beendet." in text(desk.get("/konto?done=session"))
    assert phone.get("/konto").status_code == 303
    sign_in(phone)
    assert desk.post("/konto/sitzungen/beenden").status_code == 303
    assert phone.get("/konto").status_code == 303
    assert desk.get("/konto").status_code == 200
    clock.advance(hours=13)
    assert desk.get("/konto").status_code == 303


def test_nobody_ends_the_session_of_another(new_client: NewClient, engine: Engine, town: Town) -> None:
    paula, mona = new_client(), new_client()
    sign_in(paula)
    with unit_of_work(engine, write=True) as session:
        token = identity.sign_in(session, town.moderator.person_id or 0, now=NOW)
    mona.cookies.set(COOKIE, token)
    assert paula.post(f"/konto/sitzungen/{identity.id_of_token(token)}/beenden").status_code == 404
    assert mona.get("/konto").status_code == 200


def test_changing_the_password_signs_out_everywhere_else(new_client: NewClient, town: Town) -> None:
    desk, phone = new_client(), new_client()
    for client in (desk, phone):
        sign_in(client)
    wrong = desk.post("/konto/passwort", data={"old": "not it at all", "password": "a new long password"})
    assert wrong.status_code == 422
    short = desk.post("/konto/passwort", data={"old": PASSWORD, "password": "short"})
    assert "mindestens 12 Zeichen" in text(short)
    assert "not it at all" not in wrong.text
    assert PASSWORD not in short.text
    done = desk.post("/konto/passwort", data={"old": PASSWORD, "password": "a new long password"})
    assert done.headers["location"] == "/konto?done=password"
    assert desk.get("/konto").status_code == 200
    assert phone.get("/konto").status_code == 303
    assert sign_in(phone, password=PASSWORD).status_code == 422
    assert sign_in(phone, password="a new long password").status_code == 303


def test_an_invited_clerk_chooses_a_password_and_is_in(
    client: TestClient, engine: Engine, town: Town
) -> None:
    with unit_of_work(engine, write=True) as session:
        person, token = identity.invite(
            session,
            name="Klara",
            email="klara@auenfurt.example",
            municipality_id=town.id,
            by=town.administrator,
            now=NOW,
        )
        people.grant(session, person, Role.CLERK, municipality_id=town.id, by=town.administrator, now=NOW)
    page = client.get(f"/einladung/{token}")
    assert page.headers["referrer-policy"] == "strict-origin"
    assert "klara@auenfurt.example" in page.text
    assert client.post(f"/einladung/{token}", data={"password": "short"}).status_code == 422
    assert client.post(f"/einladung/{token}", data={"password": PASSWORD}).status_code == 303
    assert "Klara" in text(client.get("/konto"))
    assert client.get(f"/einladung/{token}").status_code == 410
    assert client.get("/einladung/made-up").status_code == 410
    client.post("/abmelden")
    assert sign_in(client, "klara@auenfurt.example").status_code == 303


def test_another_site_signs_nobody_in_or_out(client: TestClient, town: Town) -> None:
    sign_in(client)
    elsewhere = {"sec-fetch-site": "cross-site"}
    answer = client.post("/abmelden", headers=elsewhere)
    assert answer.status_code == 403
    assert "es kam nicht von dieser Website" in text(answer)
    assert client.get("/konto").status_code == 200


def test_whoever_comes_to_take_part_is_not_sent_to_the_administration(client: TestClient, town: Town) -> None:
    citizens = text(client.get("/anmelden?next=/beteiligungen/am-anger/abstimmung/1"))
    assert "Anmelden und mitmachen" in citizens
    assert "ohne Anmeldung" not in citizens
    for elsewhere in (
        "/anmelden",
        "/anmelden?next=/verwaltung",
        "/anmelden?next=https://evil.example/beteiligungen/x",
    ):
        assert "Anmelden und mitmachen" not in text(client.get(elsewhere)), elsewhere


def test_english_pages_lead_to_english_pages(client: TestClient, town: Town) -> None:
    assert "Staff sign-in" in text(client.get("/en/anmelden"))
    answer = client.post("/en/anmelden", data={"email": EMAIL, "password": PASSWORD})
    assert answer.headers["location"] == "/en/verwaltung"


# --- OpenID Connect --------------------------------------------------------------------------------


@pytest.fixture
def provider_client(
    settings: Settings, clock: Clock, openid_provider: OpenIdProvider, town: Town, pages: Any
) -> Iterator[TestClient]:
    """A visitor of the town whose staff may also sign in at the provider."""
    entry = {
        "key": "town",
        "label": "Stadtkonto",
        "issuer": openid_provider.url,
        "client_id": "d",
        "client_secret": "s",
    }
    other = entry | {"key": "other", "label": "Seebach-Konto", "municipalities": ["seebach"]}
    with TestClient(
        create_app(settings.model_copy(update={"oidc": [entry, other]}), clock=clock),
        base_url="http://auenfurt.localhost",
        follow_redirects=False,
    ) as client:
        yield client


def at_the_provider(url: str, subject: str) -> str:
    """Sign in there, and the path and query that the browser is sent back to."""
    back = urlsplit(httpx2.post(url, data={"sub": subject}).headers["location"])
    assert back.netloc == "auenfurt.localhost"
    return f"{back.path}?{back.query}"


def test_staff_sign_in_at_the_provider_and_come_back_to_where_they_wanted(
    provider_client: TestClient, openid_provider: OpenIdProvider, town: Town
) -> None:
    openid_provider.add_user("paula-page", email=EMAIL.upper(), email_verified=True)
    page = html.fromstring(provider_client.get("/anmelden?next=/en/konto").content)
    (button,) = page.xpath("//a[contains(@class,'kern-btn')][contains(.,'Stadtkonto')]/@href")
    assert not page.xpath("//a[contains(.,'Seebach-Konto')]")
    away = provider_client.get(button)
    assert away.status_code == 303
    assert parse_qs(urlsplit(away.headers["location"]).query)["redirect_uri"] == [
        "http://auenfurt.localhost/anmelden/openid/town/zurueck"
    ]
    back = provider_client.get(at_the_provider(away.headers["location"], "paula-page"))
    assert (back.status_code, back.headers["location"]) == (303, "/en/konto")
    assert "Stadtkonto" in text(provider_client.get("/konto"))


def test_an_account_that_nobody_has_invited_is_told_so_kindly(
    provider_client: TestClient, openid_provider: OpenIdProvider, pages: Any
) -> None:
    openid_provider.add_user("stranger-page", email="stranger@example.org", email_verified=True)
    away = provider_client.get("/anmelden/openid/town")
    back = provider_client.get(at_the_provider(away.headers["location"], "stranger-page"))
    pages.add("no role", 403, back.headers["content-type"], back.content)
    assert back.status_code == 403
    assert "Ihr Konto hat hier noch keine Rolle" in text(back)
    assert COOKIE not in provider_client.cookies


def test_the_way_back_works_once_and_in_the_same_browser_only(
    provider_client: TestClient, openid_provider: OpenIdProvider, clock: Clock, pages: Any
) -> None:
    openid_provider.add_user("paula-once", email=EMAIL, email_verified=True)
    away = provider_client.get("/anmelden/openid/town")
    way_back = at_the_provider(away.headers["location"], "paula-once")
    token = provider_client.cookies.pop(identity.OPENID_COOKIE)
    foreign = provider_client.get(way_back)
    pages.add("interrupted", 422, foreign.headers["content-type"], foreign.content)
    assert foreign.status_code == 422
    assert "Die Anmeldung wurde unterbrochen" in text(foreign)
    provider_client.cookies.set(identity.OPENID_COOKIE, token)
    assert provider_client.get(way_back).status_code == 303
    provider_client.cookies.set(identity.OPENID_COOKIE, token)
    assert provider_client.get(way_back).status_code == 422


def test_a_provider_of_another_town_is_not_here(provider_client: TestClient) -> None:
    for path in ("/anmelden/openid/other", "/anmelden/openid/other/zurueck", "/anmelden/openid/nothing"):
        assert provider_client.get(path).status_code == 404


def test_a_provider_that_is_away_is_said_to_be(settings: Settings, clock: Clock, town: Town) -> None:
    entry = {"key": "away", "label": "Away", "issuer": "http://127.0.0.1:9", "client_id": "d"}
    app = create_app(settings.model_copy(update={"oidc": [entry]}), clock=clock)
    with TestClient(app, base_url="http://auenfurt.localhost", follow_redirects=False) as client:
        answer = client.get("/anmelden/openid/away")
    assert answer.status_code == 503
    assert "Der Anmeldedienst antwortet nicht." in text(answer)


def test_a_log_out_message_that_is_not_the_providers_is_refused_and_ends_nothing(
    provider_client: TestClient, openid_provider: OpenIdProvider
) -> None:
    sign_in(provider_client)
    for token in ("", "rubbish", "eyJhbGciOiJub25lIn0.e30."):
        answer = provider_client.post("/anmelden/openid/town/abmelden", data={"logout_token": token})
        assert answer.status_code == 400
    assert provider_client.get("/konto").status_code == 200


# --- what is never kept ----------------------------------------------------------------------------


def test_no_password_and_no_token_is_in_the_database(client: TestClient, engine: Engine, town: Town) -> None:
    sign_in(client)
    with unit_of_work(engine) as session:
        kept = repr([row.model_dump() for row in session.exec(select(SignIn)).all()])
        kept += repr([row.model_dump() for row in session.exec(select(Identity)).all()])
    assert client.cookies[COOKIE] not in kept
    assert PASSWORD not in kept


# --- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nonsense",
    [
        {"oidc": [{"key": "town", "label": "Town", "issuer": "https://id.example"}]},
        {"map_sources": [{"url": "javascript:alert(1)", "attribution": "a"}]},
    ],
)
def test_settings_that_could_not_work_are_refused_at_start(
    settings: Settings, nonsense: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="DIGILOG_"):
        create_app(settings.model_copy(update=nonsense))
