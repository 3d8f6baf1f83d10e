"""The command `digilog serve` as operators start it: its process becomes one that has loaded what serves."""

import sys
import urllib.request
from pathlib import Path

import psutil

from tests import servers
from tests.databases import Databases


def test_the_command_becomes_a_server(databases: Databases, tmp_path: Path) -> None:
    port = servers.free_port()
    health = f"http://127.0.0.1:{port}/healthz"
    with (
        databases.sqlite(tmp_path / "served.sqlite") as database,
        servers.running(
            [sys.executable, "-m", "participation", "serve", "--port", str(port)],
            url=health,
            ready=lambda: servers.answers(health),
            env={
                "DIGILOG_DATABASE_URL": database,
                "DIGILOG_DATA_DIR": str(tmp_path / "data"),
                "DIGILOG_SECRET": "a secret that only the tests know, and long",
                "DIGILOG_IN_PROCESS_WORKER": "false",
            },
            seconds=300,
        ) as server,
    ):
        with urllib.request.urlopen(health) as answer:
            assert answer.read() == b"ok\n"
        (process,) = psutil.Process(server.pid).children()
        assert process.cmdline()[1:] == ["-m", "participation.process", "127.0.0.1", str(port), "1"]
