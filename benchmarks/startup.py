"""What a worker costs before anybody draws a map: its memory, and the time until it answers."""

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
from pydantic import SecretStr

from benchmarks.figures import Figure
from participation.database import make_engine, migrate, unit_of_work
from participation.settings import Settings
from tests import cast
from tests.live import LiveServer


def measure() -> Iterator[Figure]:
    """Start one worker on a migrated SQLite file with a town in it, and look at its public pages."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(data_dir=folder, secret=SecretStr("only for this benchmark, and long enough"))
        engine = make_engine(settings.database_url)
        migrate(engine)
        with unit_of_work(engine, write=True) as session:
            town = cast.found(session)
            host = f"{town.municipality.key}.localhost"
        engine.dispose()
        server = LiveServer(settings, host, folder=folder / "live", now=datetime.now(UTC))
        begun = time.monotonic()
        server.start()
        yield Figure("time until a worker answers", time.monotonic() - begun, "s")
        try:
            (worker,) = psutil.Process(server.pid).children()
            yield Figure("memory of a worker at its start", worker.memory_info().rss / 1e6, "MB", at_most=130)
            client = server.client()
            for path in ("/", "/en", "/beteiligungen"):
                client.get(path).raise_for_status()
            yield Figure(
                "memory of a worker after three pages", worker.memory_info().rss / 1e6, "MB", at_most=130
            )
        finally:
            server.close()
