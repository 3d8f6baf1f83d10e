"""The demo: two invented towns with everything in them, for looking around.

Filled once, into a database file that gets its name only when it is finished: an interrupted first fill is begun
anew. All goes through the verbs that the pages use, in the order in which it would have happened, with the moment set
back; so the journal is a true one and `digilog verify` finds nothing. Dates count from the day of the fill.

What happens in a town is told by `demo_story`, its land is made by `demo_town`, its papers by `demo_papers`; what the towns
plan and what people say stands in `demo_data/*.toml`.
"""

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import Engine

from consultations.deadlines import local_date
from consultations.files import FileStore
from consultations.permissions import Role
from participation.app import open_files
from participation.database import make_engine, migrate, unit_of_work
from participation.demo_agencies import Agencies, accounts
from participation.demo_proposals import Proposals
from participation.demo_story import PASSWORD, Story, appoint, told_of
from participation.demo_surveys import Surveys
from participation.demo_votes import Votes
from participation.house import link_key, read_clock
from participation.settings import Settings

TOWNS = ("auenfurt", "birkstein")
"""The towns of the demo; the first answers at localhost."""

STALE_DAYS = 7
OPERATOR = ("Olga Bertram", "betrieb@digilog.example")


# --- what the command calls ------------------------------------------------------------------------


def prepare(data: Path, *, port: int, fresh: bool, samples: bool) -> Settings:
    """Make sure that the demo stands in the folder `data`, and give the settings to serve it with.

    `fresh` deletes the demo that is there and begins anew; `samples` adds the real samples where they exist. Raises
    SystemExit with a sentence for a folder that holds something else than a demo.
    """
    data = data.absolute()
    data.mkdir(parents=True, exist_ok=True)
    database, mark = data / "digilog.sqlite", data / "demo"
    if database.exists() and not mark.exists():
        raise SystemExit(
            f"{data} holds a database that is not the demo's; choose another folder with --data."
        )
    mark.touch()
    if fresh:
        _remove(database)
        shutil.rmtree(data / "files", ignore_errors=True)
    settings = Settings(
        data_dir=data,
        database_url=f"sqlite:///{database}",
        secret=SecretStr(_secret(data / "secret")),
        default_municipality=TOWNS[0],
        public_url_scheme="http",
        public_port=port,
    )
    if database.exists():
        engine = make_engine(settings.database_url)
        migrate(engine)
        engine.dispose()
        _say_if_old(mark)
    else:
        print("Building the demo towns, this takes about half a minute ...", flush=True)
        (data / "samples-done").unlink(missing_ok=True)
        with finished_or_nothing(database) as engine:
            migrate(engine)
            fill(engine, open_files(settings), now=read_clock(), link_key=link_key(settings), port=port)
        mark.write_text(f"{local_date(read_clock())}")
    if samples:
        from participation import demo_samples

        demo_samples.add(settings, appoint)
    return settings


def welcome(port: int) -> str:
    """What to type into the browser, and as whom to sign in."""
    lines = [
        "",
        f"  Auenfurt   http://localhost:{port}/              the main town",
        f"  Birkstein  http://birkstein.localhost:{port}/    its neighbour on the same installation",
        "",
        f"  Staff sign in at http://localhost:{port}/anmelden with the password  {PASSWORD}",
        "",
    ]
    for town in TOWNS:
        told = told_of(town)
        lines += [f"    {each['email']:<34} {each['role']:<14} {told['name']}" for each in told["staff"]]
    lines += [f"    {OPERATOR[1]:<34} {'operator':<14} runs the installation"]
    lines += [f"    {email:<34} {'agency':<14} {what}" for email, what in accounts(told_of("agencies"))] + [
        ""
    ]
    return "\n".join(lines)


def _say_if_old(mark: Path) -> None:
    """The towns' dates count from the day of the fill: after a while nothing in them is running any more."""
    filled = mark.read_text()
    if filled and (local_date(read_clock()) - date.fromisoformat(filled)).days > STALE_DAYS:
        print(
            f"The demo was filled on {filled}; begun anew with --fresh, its dates count from today.",
            flush=True,
        )


def _secret(path: Path) -> str:
    """The secret of this demo, made once and readable by nobody else; whole, or made again."""
    if not path.exists():
        unfinished = path.with_name("secret.unfinished")
        unfinished.unlink(missing_ok=True)
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32))
        unfinished.replace(path)
    return path.read_text()


def _remove(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)


@contextlib.contextmanager
def finished_or_nothing(database: Path) -> Iterator[Engine]:
    """An engine on a file beside `database` that gets its name when the block ends well."""
    unfinished = database.with_name("unfinished.sqlite")
    _remove(unfinished)
    engine = make_engine(f"sqlite:///{unfinished}")
    yield engine
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    for suffix in ("-wal", "-shm"):
        Path(f"{unfinished}{suffix}").unlink(missing_ok=True)
    unfinished.replace(database)


# --- the fill --------------------------------------------------------------------------------------


def fill(
    engine: Engine,
    files: FileStore,
    *,
    now: datetime,
    towns: tuple[str, ...] = TOWNS,
    link_key: bytes = b"demo",
    port: int | None = None,
) -> None:
    """Fill an empty, migrated database with the demo towns, in one transaction.

    `link_key` makes the secrets of the agencies' links (`house.link_key` of whoever serves the demo). `port`: where they are served.
    """
    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        stories = [Story(told_of(name), files, now, Path(folder), port) for name in towns]
        for story in stories:
            story.gather()
            if story.told["key"] == TOWNS[0]:
                Agencies(story, told_of("agencies"), key=link_key, password=PASSWORD).gather()
                dialogue = next(each["key"] for each in story.told["procedure"] if "dialogue" in each)
                Proposals(story, dialogue, told_of("proposals"), key=link_key).gather()
                Surveys(story, dialogue, told_of("surveys")).gather()
                Votes(story, told_of("votes"), key=link_key).gather()
        events = [event for story in stories for event in story.events]
        with unit_of_work(engine, write=True) as session:
            for event in sorted(events, key=lambda each: (each.at, each.order)):
                event.happens(session)
            appoint(session, Role.OPERATOR, *OPERATOR, municipality_id=None, now=now)
