"""A fresh database for each test, made quickly: the schema is migrated once per worker and kind, then copied."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from participation.database import make_engine, migrate
from tests.servers import Server

KINDS = ("sqlite", "postgresql")


@dataclass
class Databases:
    """Makes databases for one worker of the test run; ``folder`` is the worker's own."""

    folder: Path
    worker: str
    _template: Path | None = field(default=None)
    _migrated: bool = field(default=False)
    _made: int = field(default=0)

    @contextmanager
    def sqlite(self, file: Path) -> Iterator[str]:
        """The address of a migrated, empty SQLite database in ``file``."""
        if self._template is None:
            template = self.folder / "template.sqlite"
            _migrate(f"sqlite:///{template}")
            self._template = template
        shutil.copyfile(self._template, file)
        yield f"sqlite:///{file}"

    @contextmanager
    def postgresql(self, server: Server) -> Iterator[str]:
        """The address of a migrated, empty PostgreSQL database, dropped afterwards."""
        template = f"template_{self.worker}"
        with psycopg.connect(_dsn(server), autocommit=True) as admin:
            if not self._migrated:
                admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(template)))
                _migrate(server.url.format(database=template))
                self._migrated = True
            self._made += 1
            name = f"test_{self.worker}_{self._made}"
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
            try:
                yield server.url.format(database=name)
            finally:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _dsn(server: Server) -> str:
    return server.url.format(database="postgres").replace("postgresql+psycopg://", "postgresql://")


def _migrate(url: str) -> None:
    engine = make_engine(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()
