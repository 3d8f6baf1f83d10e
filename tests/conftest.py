"""What the tests share: fresh databases, real servers, a real browser, and the reader of every page.

A test that needs something this machine does not have is skipped with the words NOT TESTED, and all such words are
said again at the end; with ``CI=true`` it fails instead.
"""

import email
import email.policy
import json
import os
import re
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
import hypothesis
import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    sync_playwright,
)
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlmodel import Session
from starlette.applications import Starlette
from starlette.testclient import TestClient

from participation.app import create_app, keep_what_is_loaded
from participation.database import make_engine
from participation.settings import Settings
from tests import cast, servers
from tests.databases import KINDS, Databases, share_compiled_statements
from tests.html import PageReader, Seen
from tests.live import LiveServer, Served, in_thread
from tests.passwords import hash_lightly
from tests.servers import Missing, Server

HOST = "auenfurt.localhost"
"""The host name of the cast's first town."""

NOT_TESTED = "NOT TESTED: "
# Property tests are the same on every run, and a busy machine does not make them fail.
hypothesis.settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("steady")

# The settings of whoever starts the tests are not the tests' settings; only where the samples lie is worth knowing.
for name in [name for name in os.environ if name.startswith("DIGILOG_") and name != "DIGILOG_SAMPLES"]:
    del os.environ[name]

share_compiled_statements()
hash_lightly()


def pytest_collection_finish() -> None:
    keep_what_is_loaded()


IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


# ------------------------------------------------------------------------------------------- what cannot be tested


def not_tested(missing: Missing) -> None:
    """End the running test because of what is missing: skipped loudly, failed in continuous integration."""
    message = f"{NOT_TESTED}{missing} is not on this machine"
    if IN_CI:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if NOT_TESTED in reason:
            reasons.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)
    for reason, tests in reasons.items():
        terminalreporter.section(f"{len(tests)} tests did not run", red=True, bold=True)
        terminalreporter.line(reason)
        for test in tests:
            terminalreporter.line(f"  {test}")


# --------------------------------------------------------------------------------------------------------- servers


@dataclass(frozen=True)
class Run:
    """This test run: the folder that its workers share, the process that it is, and which worker we are."""

    folder: Path
    owner: int
    worker: str

    def server(self, name: str, launch: Callable[[int], Server]) -> Server:
        try:
            return servers.shared(name, self.folder, launch, self.owner)
        except Missing as missing:
            not_tested(missing)
            raise


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    base = tmp_path_factory.getbasetemp()
    if worker is None:
        return Run(base, os.getpid(), "main")
    return Run(base.parent, os.getppid(), worker)


@pytest.fixture(scope="session")
def databases(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    return Databases(tmp_path_factory.mktemp("databases"), run.worker)


@pytest.fixture(params=KINDS)
def database_url(
    request: pytest.FixtureRequest, run: Run, databases: Databases, tmp_path: Path
) -> Iterator[str]:
    """The address of a fresh, migrated database; a test that uses it runs on SQLite and on PostgreSQL."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield stack.enter_context(databases.sqlite(tmp_path / "digilog.sqlite"))
        else:
            yield stack.enter_context(databases.postgresql(run.server("postgresql", servers.postgres)))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a fresh, migrated database, as the application makes it."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on a fresh database. What a test commits, it alone sees."""
    with Session(engine) as session:
        yield session


@dataclass
class MailServer:
    """A real SMTP server and what has arrived there. It can be stopped and brought back at the same address."""

    server: Server
    _stack: ExitStack
    _earlier: list[EmailMessage] = field(default_factory=list)

    @property
    def host(self) -> str:
        return "127.0.0.1"

    @property
    def port(self) -> int:
        return self.server.port

    def messages(self) -> list[EmailMessage]:
        """All messages so far, in the order in which they came."""
        return self._earlier + self._arrived()

    def _arrived(self) -> list[EmailMessage]:
        files = sorted(
            Path(self.server.folder, "mail", "new").glob("*"), key=lambda file: file.stat().st_mtime_ns
        )
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]

    def stop(self) -> None:
        """The mail server is down: nobody listens any more."""
        self._earlier += self._arrived()
        self._stack.close()

    def restart(self) -> None:
        """The mail server is back, at the same address."""
        self.server = self._stack.enter_context(servers.smtp(self.port))


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with ExitStack() as stack:
        yield MailServer(stack.enter_context(servers.smtp()), stack)


@dataclass(frozen=True)
class Bucket:
    """A fresh bucket of a real S3 server; it takes any key and secret."""

    endpoint: str
    name: str


@pytest.fixture
def bucket(run: Run) -> Bucket:
    endpoint = run.server("s3", servers.s3).url
    name = f"test-{uuid.uuid4().hex}"
    _send("PUT", f"{endpoint}/{name}")
    return Bucket(endpoint, name)


@dataclass(frozen=True)
class OpenIdProvider:
    """A real OpenID Connect provider; ``url`` is its issuer. It takes any client id and secret."""

    url: str

    def add_user(self, subject: str, **claims: Any) -> None:
        """Someone who can sign in there (type ``subject`` into its form) with these claims."""
        _send("PUT", f"{self.url}/users/{subject}", claims)


@pytest.fixture
def openid_provider(run: Run) -> OpenIdProvider:
    return OpenIdProvider(run.server("openid", servers.openid_provider).url)


def _send(method: str, url: str, body: object = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data=data, method=method, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20):
        pass


# ----------------------------------------------------------------------------------------------- the reader of pages


@pytest.fixture(scope="session")
def page_reader(run: Run) -> PageReader:
    def find_validator() -> str | None:
        try:
            return servers.shared("html", run.folder, servers.html_validator, run.owner).url
        except Missing:
            if IN_CI:
                raise
            return None  # tests/test_setup.py says it loudly; the pages are still read for their structure.

    said = run.folder / "html"
    said.mkdir(exist_ok=True)
    return PageReader(find_validator, said)


@dataclass
class Pages:
    """The pages that the running test has been sent; read when it ends."""

    seen: list[Seen] = field(default_factory=list)

    def add(self, url: str, status: int, content_type: str, body: bytes) -> None:
        if content_type.startswith("text/html") and body:
            self.seen.append(Seen(url, status, body))


@pytest.fixture
def pages(page_reader: PageReader) -> Iterator[Pages]:
    """Collects what a test is sent; afterwards every page must be valid HTML with a name for everything."""
    pages = Pages()
    yield pages
    faults = {f"{page.status} {page.url}": page_reader.faults(page) for page in pages.seen}
    wrong = [f"{page}\n    " + "\n    ".join(found) for page, found in faults.items() if found]
    assert not wrong, "HTML that needs mending:\n" + "\n".join(wrong)


# --------------------------------------------------------------------------------------------------- the application


@dataclass
class Clock:
    """The application's clock: it shows the cast's moment until a test moves it."""

    now: datetime = cast.NOW

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **delta: float) -> None:
        """Let time pass: ``clock.advance(days=3)``; the keywords are those of ``timedelta``."""
        self.now += timedelta(**delta)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _settings(database_url: str, folder: Path) -> Settings:
    return Settings(
        database_url=database_url,
        data_dir=folder,
        secret=SecretStr("a secret that only the tests know, and long"),
        in_process_worker=False,
        public_url_scheme="http",
    )


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """The application's settings on a fresh database; change a copy (``settings.model_copy(update=…)``) for others."""
    return _settings(database_url, tmp_path / "data")


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Starlette]:
    """The application on a fresh database, with the test's clock."""
    app = create_app(settings, clock=clock)
    yield app
    app.state.house.close()


NewClient = Callable[..., TestClient]


@pytest.fixture
def new_client(app: Starlette, pages: Pages) -> Iterator[NewClient]:
    """Makes clients, each a visitor with cookies of their own: ``new_client(host="auenfurt.localhost")``.

    They do not follow redirects, and every page they are sent is read for its HTML when the test ends.
    """

    def read(response: httpx2.Response) -> None:
        response.read()
        pages.add(
            str(response.request.url),
            response.status_code,
            response.headers.get("content-type", ""),
            response.content,
        )

    with ExitStack() as stack:

        def make(host: str = HOST, **options: Any) -> TestClient:
            client = TestClient(app, base_url=f"http://{host}", follow_redirects=False, **options)
            client.event_hooks = {"response": [read]}
            return stack.enter_context(client)

        yield make


@pytest.fixture
def client(new_client: NewClient) -> TestClient:
    """A visitor of the cast's first town."""
    return new_client()


NewServer = Callable[..., LiveServer]


@pytest.fixture
def new_server(tmp_path: Path, pages: Pages) -> Iterator[NewServer]:
    """Starts the application as a real server process: ``new_server(settings, workers=2, now=…)``."""
    with ExitStack() as stack:

        def start(
            settings: Settings, *, now: datetime = cast.NOW, host: str = HOST, workers: int = 1
        ) -> LiveServer:
            server = LiveServer(settings, host, folder=tmp_path / "live", now=now, workers=workers)
            server.start()
            stack.callback(lambda: pages.seen.extend(server.pages()))
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def live_server(databases: Databases, tmp_path: Path, clock: Clock, pages: Pages) -> Iterator[Served]:
    """The application behind a real socket, on a fresh SQLite database and with the test's clock, for browsers.

    Fill it through ``live_server.engine``.
    """
    with databases.sqlite(tmp_path / "live.sqlite") as url:
        settings = _settings(url, tmp_path / "live-data")
        with in_thread(settings, host=HOST, clock=clock, keep=pages.seen.append) as served:
            yield served


# ---------------------------------------------------------------------------------------------------- the browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium, one for each file of tests: while Playwright runs, nobody else could use ``asyncio.run``."""
    try:
        program = servers.chromium()
    except Missing as missing:
        not_tested(missing)
        raise
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(servers.CHROMIUM_FLAGS))
        yield browser
        browser.close()


NewPage = Callable[..., Page]


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """A visitor of the live server at 1280 × 800."""
    return new_page(viewport={"width": 1280, "height": 800})


@pytest.fixture
def new_page(browser: Browser, live_server: Served) -> Iterator[NewPage]:
    """Opens pages, each as a visitor of its own; the keywords are those of Playwright's ``new_context``.

    ``new_page(java_script_enabled=False, viewport={"width": 360, "height": 740}, color_scheme="dark")``; addresses
    without a host (``page.goto("/")``) are the live server's.
    When the test ends, no page may have complained: no script error, no policy violation, nothing missing, and not
    one request to another host.
    """
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        options = {"base_url": live_server.url, "locale": "de-DE", "timezone_id": "Europe/Berlin", **options}
        context = browser.new_context(**options)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda message: complaints.extend(_complaint(message)))
        page.on("request", lambda request: complaints.extend(_stranger(request)))
        page.on("response", lambda response: complaints.extend(_failure(response)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, "the browser complained:\n" + "\n".join(complaints)


def _complaint(message: ConsoleMessage) -> list[str]:
    # A page of status 404 or 422 is also "a resource that failed to load"; what failed, _failure says better.
    if message.type != "error" or message.text.startswith("Failed to load resource"):
        return []
    return [f"{message.location.get('url', '')}: {message.text}"]


def _stranger(request: Request) -> list[str]:
    address = urlsplit(request.url)
    here = address.hostname in {"localhost", "127.0.0.1"} or (address.hostname or "").endswith(".localhost")
    if here or address.scheme in {"data", "blob", "about"}:
        return []
    return [f"a request to a foreign host: {request.url}"]


def _failure(response: Response) -> list[str]:
    if response.status < 400 or response.request.resource_type in {"document", "fetch", "xhr"}:
        return []
    return [f"{response.status} for {response.url}"]


Axe = Callable[..., None]


@pytest.fixture(scope="session")
def axe() -> Axe:
    """``axe(page)``: fails with every barrier that axe-core finds (WCAG 2.2 A and AA, and best practice).

    ``axe(page, within="#map")`` looks at a part only. The script goes in as a debugger's, past the page's policy. A
    page of a visitor without JavaScript is looked at as it stands there, in a window of its own.
    """
    program = servers.ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not program.is_file():
        not_tested(Missing("axe (npm package axe-core; ./run test installs it)"))
    source = program.read_text(encoding="utf-8")
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

    windows: dict[tuple[object, ...], Page] = {}

    def check(page: Page, within: str | None = None) -> None:
        looked_at = _scriptable(page, windows)
        if not looked_at.evaluate("'axe' in window"):
            looked_at.evaluate(source)
            # The way of half a megabyte to the browser takes longer than a look: what comes next in this window has it.
            looked_at.add_init_script(source)
        # What it did not find is not worth the way through the debugger: that takes longer than looking.
        violations = looked_at.evaluate(
            """async ([within, rules]) => {
                const wanted = {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']};
                const {violations} = await axe.run(within || document, wanted);
                return violations.map(({id, impact, help, nodes}) => ({
                    id, impact, help, nodes: nodes.map(({html, failureSummary}) => ({html, failureSummary})),
                }));
            }""",
            [within, rules],
        )
        barriers = [
            f"{violation['id']} ({violation['impact']}): {violation['help']}\n"
            + "\n".join(
                f"      {node['html'][:200]}\n        {node['failureSummary']}" for node in violation["nodes"]
            )
            for violation in violations
        ]
        assert not barriers, f"barriers on {page.url}:\n  " + "\n  ".join(barriers)

    return check


def _scriptable(page: Page, windows: dict[tuple[object, ...], Page]) -> Page:
    """The page itself, or where its visitor runs no scripts, a copy of what it shows in which a script can run.

    Copies are shown in the same window, one for each way of looking.
    """
    told = "[matchMedia('(scripting: none)').matches, matchMedia('(prefers-color-scheme: dark)').matches, %s]"
    styles = "[...document.styleSheets].map(sheet => sheet.cssRules.length).join()"
    runs_none, dark, styled = page.evaluate(told % styles)
    if not runs_none:
        return page
    shown = re.sub(r"<script\b.*?</script>|</?noscript>", "", page.content(), flags=re.DOTALL)
    browser, size = page.context.browser, page.viewport_size
    assert browser is not None
    look = (browser, dark, *(size or {}).values())
    if look not in windows:
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        windows[look] = browser.new_context(viewport=size, locale="de-DE", color_scheme=scheme).new_page()
    window = windows[look]
    # Written into a page of the same server: its files come out of the window's memory, and what runs there stays.
    origin = "/".join(page.url.split("/", 3)[:3])
    if not window.url.startswith(f"{origin}/"):
        window.goto(f"{origin}/healthz")
    window.set_content(shown)
    assert window.evaluate(styles) == styled, "the copy does not look like the page"
    return window
