"""The application behind a real socket: in a thread for browsers, in processes of its own for accidents.

Both are Digilog as it is, served by uvicorn, with a recorder around it that keeps every page that is sent, so that
these pages too are read for their HTML. The thread starts at once, because everything is loaded already; processes
take two seconds, and can be killed.
"""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import httpx2
import uvicorn
from sqlalchemy import Engine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from participation.app import create_app
from participation.database import make_engine
from participation.settings import Settings, load
from tests import servers
from tests.html import Seen
from tests.servers import Server

NOW, PAGES = "TESTS_NOW", "TESTS_PAGES"

# ------------------------------------------------------------------------------------------------- in the server


def application() -> ASGIApp:
    """What uvicorn serves: settings from the environment, the clock from ``TESTS_NOW``, pages to ``TESTS_PAGES``."""
    folder = Path(os.environ[PAGES])

    def keep(page: Seen) -> None:
        file = folder / f"{page.fingerprint}.json"
        if not file.exists():
            fresh = file.with_suffix(f".{os.getpid()}")
            fresh.write_text(json.dumps([page.url, page.status, page.body.decode()]), encoding="utf-8")
            fresh.replace(file)

    return Recorder(create_app(load(), clock=_clock(os.environ[NOW])), keep)


def _clock(begins_at: str) -> Callable[[], datetime]:
    """A clock that showed ``begins_at`` when the server started, and goes on from there."""
    ahead = datetime.fromisoformat(begins_at) - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead


@dataclass
class Recorder:
    """Calls ``keep`` with each HTML page that ``app`` sends, whole and not compressed."""

    app: ASGIApp
    keep: Callable[[Seen], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def record(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            headers = {name.lower(): value for name, value in start["headers"]}
            if headers.get(b"content-type", b"").startswith(b"text/html") and scope["method"] != "HEAD":
                body.extend(message.get("body", b""))
                if message["type"] == "http.response.body" and not message.get("more_body") and body:
                    compressed = headers.get(b"content-encoding") == b"gzip"
                    whole = gzip.decompress(body) if compressed else bytes(body)
                    self.keep(Seen(scope["path"], start["status"], whole))
            await send(message)

        await self.app(scope, receive, record)


# -------------------------------------------------------------------------------------------------- in the test


@dataclass
class Served:
    """Where a served Digilog is found: by a browser, by a client, and by way of its database."""

    settings: Settings
    host: str
    port: int = field(default_factory=servers.free_port)
    _clients: list[httpx2.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address for a browser, without a slash at the end."""
        return self.url_of(self.host)

    def url_of(self, host: str) -> str:
        """The address of another municipality on this server, by its host name (below ``localhost``)."""
        return f"http://{host}:{self.port}"

    def client(self, host: str | None = None) -> httpx2.Client:
        """A client without a browser. It asks for ``host`` but needs no name service to find it."""
        name = host or self.host
        client = httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Host": f"{name}:{self.port}"}
        )
        self._clients.append(client)
        return client

    @cached_property
    def engine(self) -> Engine:
        """The server's database, seen from the test."""
        return make_engine(self.settings.database_url)

    def let_go(self) -> None:
        """Close what the test holds of the server."""
        self.engine.dispose()
        for client in self._clients:
            client.close()


@contextmanager
def in_thread(
    settings: Settings, *, host: str, clock: Callable[[], datetime], keep: Callable[[Seen], None]
) -> Iterator[Served]:
    """Digilog behind a socket, in a thread of the test process, with the test's clock."""
    place = Served(settings, host)
    config = uvicorn.Config(
        Recorder(create_app(settings, clock=clock), keep),
        host="127.0.0.1",
        port=place.port,
        log_level="warning",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="digilog")
    thread.start()
    try:
        give_up = time.monotonic() + 20
        while not server.started:
            if not thread.is_alive() or time.monotonic() > give_up:
                raise RuntimeError("the server does not start")
            time.sleep(0.01)
        yield place
    finally:
        server.should_exit = True
        thread.join(20)
        place.let_go()


@dataclass
class LiveServer(Served):
    """Digilog in a process of its own. It can be stopped, killed like a cut cable, and started again.

    ``folder`` is for its own use; ``now`` is what its clock shows when it starts; ``workers`` are its processes.
    """

    folder: Path = field(kw_only=True)
    now: datetime = field(kw_only=True)
    workers: int = field(default=1, kw_only=True)
    _running: "tuple[Server, subprocess.Popen[bytes]] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start the server and wait until it is healthy. Raises RuntimeError with its log if it does not become so."""
        pages = self.folder / "pages"
        pages.mkdir(parents=True, exist_ok=True)
        environment = {NOW: self.now.isoformat(), PAGES: str(pages), **_environment(self.settings)}
        command = [sys.executable, "-m", "uvicorn", "--factory", "tests.live:application", "--no-access-log"]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--workers", str(self.workers)]
        healthy = f"http://127.0.0.1:{self.port}/healthz"
        self._running = servers.start(
            command,
            url=f"http://127.0.0.1:{self.port}",
            ready=lambda: servers.answers(healthy),
            env=environment,
        )

    def close(self) -> None:
        """Stop the server and let go of all that the test held of it."""
        self.stop()
        self.let_go()

    def stop(self) -> None:
        """Stop the server as its operator would; nothing happens if it does not run."""
        if self._running is not None:
            _, process = self._running
            process.terminate()
            process.wait(timeout=20)
            self._running = None

    def kill(self) -> None:
        """End the server and all its processes at once, whatever they are doing (SIGKILL)."""
        assert self._running is not None, "it does not run"
        server, process = self._running
        os.killpg(server.pid, signal.SIGKILL)
        process.wait(timeout=20)
        shutil.rmtree(server.folder)
        self._running = None

    @property
    def pid(self) -> int:
        """The process whose child the server is."""
        assert self._running is not None, "it does not run"
        return self._running[0].pid

    @property
    def log(self) -> str:
        """What the server has written so far."""
        assert self._running is not None, "it does not run"
        return self._running[0].log

    def pages(self) -> list[Seen]:
        """Every different page that it has sent."""
        found = [json.loads(file.read_text(encoding="utf-8")) for file in self.folder.glob("pages/*.json")]
        return [Seen(path, status, body.encode()) for path, status, body in found]


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as an operator would set them."""
    told = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.model_dump(mode="json", exclude_defaults=True).items()
    }
    secrets = {
        name: getattr(settings, name).get_secret_value()
        for name in ("secret", "smtp_password", "s3_secret_key")
    }
    return {f"DIGILOG_{name.upper()}": value for name, value in {**told, **secrets}.items() if value}
