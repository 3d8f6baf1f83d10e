"""What stands around every page: who may send, what a browser may load, how much, how often."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import time_machine
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from consultations.refusals import Code, Refusal
from participation import security, tries
from participation.database import unit_of_work
from participation.messages import MESSAGES, STATUS
from participation.security import Action, Limiter, SecurityMiddleware
from participation.settings import Settings
from tests import cast
from tests.live import LiveServer

HOST = "auenfurt.localhost"
NOW = datetime(2027, 3, 2, 9, 0, tzinfo=UTC)


def settings(**changes: Any) -> Settings:
    return Settings(data_dir=Path("unused"), **changes)


# --- a small application behind the middleware -----------------------------------------------------


async def read_all(request: Request) -> Response:
    request.scope["body_limit"] = int(request.query_params.get("limit", 1000))
    return PlainTextResponse(f"{len(await request.body())} octets")


async def read_nothing(request: Request) -> Response:
    return PlainTextResponse("unread")


async def own_headers(request: Request) -> Response:
    return PlainTextResponse(
        "file", headers={"Content-Security-Policy": "sandbox", "Referrer-Policy": "no-referrer"}
    )


async def refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refusal)
    return PlainTextResponse(
        f"{problem.code.value} {problem.facts}", 413 if "limit" in problem.facts else 403
    )


def application(**changes: Any) -> Starlette:
    return Starlette(
        routes=[
            Route("/", read_all, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
            Route("/unread", read_nothing, methods=["POST"]),
            Route("/file", own_headers),
            Route("/contributions/{code}", read_nothing),
        ],
        middleware=[Middleware(SecurityMiddleware, settings=settings(**changes))],
        exception_handlers={Refusal: refused},
    )


@dataclass
class Answer:
    status: int = 0
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    #: How many parts of the request's body had been taken in when the answer began.
    parts_taken: int = 0


def ask(
    method: str = "GET",
    path: str = "/",
    headers: dict[str, str] | None = None,
    *,
    parts: Iterator[bytes] | list[bytes] = (),  # type: ignore[assignment]
    scheme: str = "http",
    query: str = "",
    gone_after: int | None = None,
    **changes: Any,
) -> Answer:
    """One request, with its body in parts as a server hands them over; the client may go away after some."""
    answer, taken = Answer(), 0
    waiting = iter(parts)
    ahead = next(waiting, None)

    async def receive() -> Message:
        nonlocal taken, ahead
        if gone_after is not None and taken >= gone_after:
            return {"type": "http.disconnect"}
        body, ahead = ahead or b"", next(waiting, None)
        taken += 1
        return {"type": "http.request", "body": body, "more_body": ahead is not None}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.parts_taken = message["status"], taken
            answer.headers = Headers(raw=message["headers"])
        else:
            answer.body += message.get("body", b"")

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": scheme,
        "query_string": query.encode(),
        "headers": [
            (k.lower().encode(), v.encode()) for k, v in ({"host": "town.test"} | (headers or {})).items()
        ],
        "client": ("192.0.2.1", 1),
        "server": ("town.test", 80),
    }
    asyncio.run(application(**changes)(scope, receive, send))
    return answer


# --- who may send ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "scheme", "passes"),
    [
        ({"sec-fetch-site": "same-origin"}, "https", True),
        ({"sec-fetch-site": "none"}, "https", True),
        ({"sec-fetch-site": "same-site"}, "https", False),
        ({"sec-fetch-site": "cross-site"}, "https", False),
        ({"sec-fetch-site": "cross-site", "origin": "https://town.test"}, "https", False),
        ({"sec-fetch-site": ""}, "https", False),
        ({"origin": "https://town.test"}, "https", True),
        ({"origin": "http://town.test"}, "https", False),
        ({"origin": "http://town.test"}, "http", True),
        ({"origin": "https://TOWN.test"}, "http", True),
        ({"origin": "https://evil.test"}, "https", False),
        ({"origin": "https://town.test.evil.test"}, "https", False),
        ({"origin": "https://town.test@evil.test"}, "https", False),
        ({"origin": "https://town.test:8443"}, "https", False),
        ({"origin": "https://town.test:8443", "host": "town.test:8443"}, "https", True),
        ({"origin": "null"}, "https", False),
        ({"origin": ""}, "https", False),
        ({"origin": "https://[half"}, "https", False),
        ({"origin": "file://town.test"}, "http", False),
        ({"referer": "https://town.test/form"}, "https", True),
        ({"referer": "https://evil.test/?town.test"}, "https", False),
        ({"origin": "https://evil.test", "referer": "https://town.test/"}, "https", False),
        ({}, "https", True),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_our_own_pages_may_change_something(
    headers: dict[str, str], scheme: str, passes: bool, method: str
) -> None:
    answer = ask(method, headers=headers, scheme=scheme)
    assert (answer.status, answer.body[:14]) == ((200, b"0 octets") if passes else (403, b"from_elsewhere"))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_open_to_links_from_anywhere(method: str) -> None:
    assert (
        ask(method, headers={"sec-fetch-site": "cross-site", "referer": "https://evil.test/"}).status == 200
    )


# --- headers ---------------------------------------------------------------------------------------


def test_every_answer_carries_the_headers_refusals_too() -> None:
    for answer in (ask(), ask("POST", headers={"sec-fetch-site": "cross-site"}), ask(path="/nothing")):
        policy = answer.headers["content-security-policy"].split("; ")
        assert policy[0] == "default-src 'none'"
        assert {"script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'"} <= set(
            policy
        )
        assert {"font-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(
            policy
        )
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["permissions-policy"].startswith("geolocation=(self), camera=()")
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "strict-transport-security" not in answer.headers


def test_https_is_remembered_by_the_browser() -> None:
    assert ask(scheme="https").headers["strict-transport-security"] == "max-age=31536000"


def test_an_address_that_is_a_secret_is_told_to_nobody() -> None:
    assert ask(path="/contributions/ABCD2345").headers["referrer-policy"] == "strict-origin"


def test_a_file_keeps_its_own_stricter_policy() -> None:
    headers = ask(path="/file").headers
    assert (headers["content-security-policy"], headers["referrer-policy"]) == ("sandbox", "no-referrer")
    assert headers["x-content-type-options"] == "nosniff"


def test_pictures_may_come_from_the_configured_map_services_and_nothing_else() -> None:
    sources = [
        {"url": "https://maps.example/wms?x=1;y", "attribution": "a"},
        {"url": "https://{s}.tiles.example:8080/{z}/{x}/{y}.png", "attribution": "b"},
        {"url": "https://user:secret@maps.example/other", "attribution": "c"},
    ]
    policy = ask(map_sources=sources).headers["content-security-policy"]
    assert "img-src 'self' data: https://*.tiles.example:8080 https://maps.example;" in policy
    assert policy.count("example") == 2
    assert "secret" not in policy


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "//maps.example/", "https://a b/", "https://a;script-src *"]
)
def test_a_map_address_that_would_bend_the_policy_is_refused_at_start(url: str) -> None:
    with pytest.raises(ValueError, match="DIGILOG_MAP_SOURCES"):
        SecurityMiddleware(application(), settings(map_sources=[{"url": url, "attribution": "a"}]))


# --- how much --------------------------------------------------------------------------------------


def test_a_body_up_to_the_pages_limit_is_read() -> None:
    assert (
        ask("POST", headers={"content-length": "1000"}, parts=[b"x" * 600, b"x" * 400]).body == b"1000 octets"
    )


@pytest.mark.parametrize("headers", [{"content-length": "3000"}, {"transfer-encoding": "chunked"}])
def test_a_larger_one_is_refused_after_all_of_it_was_taken_in(headers: dict[str, str]) -> None:
    answer = ask("POST", headers=headers, parts=[b"x" * 500] * 6)
    assert (answer.status, answer.body) == (413, b"upload_too_large {'limit': 1}")
    assert answer.parts_taken == 6
    assert "connection" not in answer.headers


def test_who_lies_about_the_length_is_counted_anyway() -> None:
    assert ask("POST", headers={"content-length": "10"}, parts=[b"x" * 500] * 6).status == 413


def test_what_a_page_leaves_unread_is_taken_in_before_the_answer() -> None:
    answer = ask("POST", "/unread", headers={"content-length": "1500"}, parts=[b"x" * 500] * 3)
    assert (answer.status, answer.parts_taken) == (200, 3)
    foreign = {"content-length": "1500", "sec-fetch-site": "cross-site"}
    answer = ask("POST", headers=foreign, parts=[b"x" * 500] * 3)
    assert (answer.status, answer.parts_taken) == (403, 3)


def test_a_client_that_asks_first_need_not_send_at_all() -> None:
    answer = ask("POST", headers={"content-length": "3000", "expect": "100-continue"}, parts=[b"x" * 500] * 6)
    assert (answer.status, answer.parts_taken, answer.headers["connection"]) == (413, 0, "close")


def test_taking_in_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "DRAIN_OCTETS", 2000)
    answer = ask("POST", headers={"content-length": "5000"}, parts=[b"x" * 500] * 10)
    assert (answer.status, answer.parts_taken, answer.headers["connection"]) == (413, 4, "close")


def test_a_visitor_who_goes_away_in_the_middle_is_not_waited_for() -> None:
    answer = ask("POST", headers={"content-length": "5000"}, parts=[b"x" * 500] * 10, gone_after=3)
    assert (answer.status, answer.parts_taken) == (413, 3)


# --- how often: in memory, and in the table that all processes share -------------------------------


@dataclass
class Clock:
    """The application's clock, and with it the machine's."""

    traveller: time_machine.Traveller

    def __call__(self) -> datetime:
        return datetime.now(UTC)

    def passes(self, **time: float) -> None:
        self.traveller.shift(timedelta(**time))


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield Clock(traveller)


@pytest.fixture(params=["in memory", "in the table"])
def limits(request: pytest.FixtureRequest, engine: Engine, clock: Clock) -> Limiter:
    shared = request.param == "in the table"
    return tries.limiter(settings(shared_limits=shared, submissions_per_minute=60), engine, clock)


HOME, LIBRARY = "192.0.2.1", "198.51.100.7"


def test_a_library_hands_in_one_a_second_and_is_then_slowed_for_a_minute_at_most(
    limits: Limiter, clock: Clock
) -> None:
    for _ in range(60):
        security.check_rate(limits, Action.SUBMIT, LIBRARY)
    with pytest.raises(Refusal, match="too_many_tries") as refusal:
        security.check_rate(limits, Action.SUBMIT, LIBRARY)
    assert refusal.value.facts == {"retry_after": 60}
    security.check_rate(limits, Action.SUBMIT, HOME)
    clock.passes(seconds=61)
    security.check_rate(limits, Action.SUBMIT, LIBRARY)


def test_wrong_passwords_are_counted_per_account_and_address(limits: Limiter, clock: Clock) -> None:
    for _ in range(8):
        security.check_sign_in(limits, "petra@example.org", HOME)
        security.sign_in_failed(limits, "petra@example.org", HOME)
    with pytest.raises(Refusal, match="too_many_tries") as refusal:
        security.check_sign_in(limits, "petra@example.org", HOME)
    assert refusal.value.facts == {"retry_after": 600}
    security.check_sign_in(limits, "petra@example.org", LIBRARY)
    security.check_sign_in(limits, "klara@example.org", HOME)
    clock.passes(minutes=11)
    security.check_sign_in(limits, "petra@example.org", HOME)


def test_one_address_cannot_go_through_many_accounts(limits: Limiter) -> None:
    for number in range(60):
        security.check_sign_in(limits, f"{number}@example.org", HOME)
        security.sign_in_failed(limits, f"{number}@example.org", HOME)
    with pytest.raises(Refusal, match="too_many_tries"):
        security.check_sign_in(limits, "another@example.org", HOME)


def test_knowing_the_password_in_the_end_forgets_the_wrong_tries(limits: Limiter) -> None:
    for _ in range(3):
        for _ in range(7):
            security.sign_in_failed(limits, "petra@example.org", HOME)
        security.check_sign_in(limits, "petra@example.org", HOME)
        security.sign_in_succeeded(limits, "petra@example.org", HOME)


def test_files_of_an_address_are_counted_in_octets_whatever_their_drafts(
    limits: Limiter, clock: Clock
) -> None:
    """A thousand new drafts from one address were a thousand times the largest file."""
    for number in range(40):
        security.check_upload(limits, f"draft {number}", LIBRARY, "plan.pdf", 50_000_000)
    with pytest.raises(Refusal, match="uploads_used_up") as refusal:
        security.check_upload(limits, "another draft", LIBRARY, "photo.jpg", 1)
    assert refusal.value.facts == {"filename": "photo.jpg"}
    security.check_upload(limits, "another draft", HOME, "photo.jpg", 50_000_000)
    clock.passes(minutes=61)
    security.check_upload(limits, "another draft", LIBRARY, "photo.jpg", 1)


def test_what_was_too_large_for_the_rest_of_the_hour_leaves_the_rest_to_smaller_files(
    limits: Limiter,
) -> None:
    for number in range(3):
        security.check_upload(limits, f"draft {number}", LIBRARY, "scan.tif", 650_000_000)
    for _ in range(2):
        with pytest.raises(Refusal, match="uploads_used_up"):
            security.check_upload(limits, "draft", LIBRARY, "scan.tif", 50_000_001)
    security.check_upload(limits, "draft", LIBRARY, "scan.tif", 50_000_000)


def test_an_hour_takes_at_least_the_largest_file() -> None:
    with pytest.raises(ValueError, match="DIGILOG_UPLOAD_MB_PER_HOUR"):
        settings(upload_limit_mb=50, upload_mb_per_hour=49)


def guess(limits: Limiter, address: str, times: int, reference: str = "") -> None:
    for _ in range(times):
        security.code_was_wrong(limits, address, reference)


def test_after_ten_wrong_codes_the_reference_is_asked_for_in_addition(limits: Limiter, clock: Clock) -> None:
    guess(limits, LIBRARY, 9)
    security.check_code(limits, LIBRARY)
    guess(limits, LIBRARY, 1)
    with pytest.raises(Refusal, match="reference_required") as refusal:
        security.check_code(limits, LIBRARY)
    assert refusal.value.field == "reference"
    security.check_code(limits, LIBRARY, "2027-0001")
    security.check_code(limits, HOME)
    clock.passes(minutes=11)
    security.check_code(limits, LIBRARY)


def test_guessing_from_many_addresses_makes_everybody_give_the_reference_but_locks_nobody_out(
    limits: Limiter,
) -> None:
    for number in range(60):
        guess(limits, f"192.0.2.{number}", 5)
    with pytest.raises(Refusal, match="reference_required"):
        security.check_code(limits, "203.0.113.99")
    security.check_code(limits, "203.0.113.99", "2027-0001")


def test_the_holder_gets_in_while_somebody_else_guesses_the_code_of_the_same_reference(
    limits: Limiter,
) -> None:
    guess(limits, LIBRARY, 10, "2027-0001")
    with pytest.raises(Refusal, match="too_many_tries"):
        security.check_code(limits, LIBRARY, "2027-0001")
    security.check_code(limits, HOME, "2027-0001")
    security.check_code(limits, LIBRARY, "2027-0002")


def test_several_processes_share_their_counts_in_the_table(engine: Engine, clock: Clock) -> None:
    one, other = (tries.limiter(settings(shared_limits=True), engine, clock) for _ in range(2))
    guess(one, LIBRARY, 5)
    guess(other, LIBRARY, 5)
    for limits in (one, other):
        with pytest.raises(Refusal, match="reference_required"):
            security.check_code(limits, LIBRARY)


def test_a_count_survives_the_rollback_of_the_page_and_never_waits_for_it(
    engine: Engine, clock: Clock
) -> None:
    limits = tries.limiter(settings(shared_limits=True, submissions_per_minute=1), engine, clock)

    def page() -> None:
        with unit_of_work(engine, write=True):
            security.check_rate(limits, Action.SUBMIT, HOME)
            raise Refusal(Code.FORM_INCOMPLETE)

    with pytest.raises(Refusal, match="form_incomplete"):
        page()
    assert limits.is_used_up(Action.SUBMIT, HOME)


def test_the_table_forgets_what_is_over_and_holds_nobodys_address(engine: Engine, clock: Clock) -> None:
    counting = tries._counting_engine(settings(), engine)
    storage = tries.TableStorage(counting, lambda: clock().timestamp())
    limits = tries.limiter(settings(shared_limits=True), engine, clock)
    security.sign_in_failed(limits, "petra@example.org", HOME)
    with counting.connect() as connection:
        rows = repr(connection.execute(tries._TRIES.select()).all())
    assert rows.count("LIMITER") == 2
    assert "petra" not in rows
    assert HOME not in rows
    clock.passes(minutes=11)
    storage.incr("new", 60)
    with counting.connect() as connection:
        assert len(connection.execute(tries._TRIES.select()).all()) == 1
    assert storage.check()
    assert storage.reset() == 1
    assert storage.get("new") == 0


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.1", 1), "192.0.2.1"),
        (("::ffff:192.0.2.1", 1), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("2001:db8:1:2:aaaa::", 1), "2001:db8:1:2::/64"),
        (("testclient", 1), "testclient"),
        (None, ""),
    ],
)
def test_a_household_has_one_address(client: Any, address: str) -> None:
    assert security.address_of({"type": "http", "client": client}) == address


def test_the_refusals_have_their_sentences_and_status() -> None:
    assert {
        Code.FROM_ELSEWHERE,
        Code.REFERENCE_REQUIRED,
        Code.TOO_MANY_TRIES,
        Code.UPLOAD_TOO_LARGE,
    } <= MESSAGES.keys()
    assert (STATUS[Code.FROM_ELSEWHERE], STATUS[Code.TOO_MANY_TRIES], STATUS[Code.UPLOAD_TOO_LARGE]) == (
        403,
        429,
        413,
    )


def test_a_browser_that_sends_far_too_much_is_shown_the_page_and_the_server_goes_on(
    live_server: LiveServer,
) -> None:
    with unit_of_work(live_server.engine, write=True) as session:
        cast.found(session)
    address = f"http://127.0.0.1:{urlsplit(live_server.url).port}/anmelden"
    for length in ({"content-length": str(60_000_000)}, {}):
        answer = httpx2.post(
            address,
            content=(b"x" * 1_000_000 for _ in range(60)),
            headers={"host": HOST, "content-type": "application/x-www-form-urlencoded", **length},
            timeout=60,
        )
        assert answer.status_code == 413
        assert "Das war zu groß" in answer.text
    assert httpx2.get(address, headers={"host": HOST}).status_code == 200
