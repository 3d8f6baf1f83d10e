"""Alembic's way in. `participation.database.migrate` hands over a connection; the command line makes its own."""

from typing import Literal

from alembic import context
from sqlalchemy import JSON, Connection
from sqlmodel.sql.sqltypes import AutoString

from consultations.tables import UtcDateTime
from participation.database import check_references, make_engine, metadata, tables_made_anew
from participation.identity import Identity  # noqa: F401  (tables)
from participation.jobs import Job  # noqa: F401  (tables)
from participation.settings import load


def _is_ours(name: str | None, kind: str) -> bool:
    """Full-text tables and indexes are made by hand in the migrations and differ between the databases."""
    return not (name or "").startswith(("search_index", "ix_search_entry_stems"))


def _spell(kind: str, item: object, context_of_autogenerate: object) -> str | Literal[False]:
    """Migrations import nothing of ours: our column types are spelled as what the database sees."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime()"
    if kind == "type" and isinstance(item, AutoString):
        return "sa.String()"
    if kind == "type" and isinstance(item, JSON):
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        # True on SQLite too, since we say BEGIN ourselves: an upgrade that fails half-way leaves nothing behind.
        transactional_ddl=True,
        render_item=_spell,
        include_name=lambda name, kind, parents: _is_ours(name, kind),
    )
    with context.begin_transaction():
        context.run_migrations()
        check_references(connection)


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with (
        make_engine(load().database_url).execution_options(writes=True).connect() as own,
        tables_made_anew(own),
    ):
        _run(own)
        own.commit()
