"""The command `digilog`: everything that the person who runs a server does from the console."""

import json
import re
import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from participation import process
from participation.settings import Settings, load

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from consultations.journal import Head

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
# These know the whole house, which takes a second to load: not for a server, which loads it for itself.
if sys.argv[1:2] != ["serve"]:
    from participation import deadline_command, import_command

    deadline_command.attach(app)
    app.add_typer(import_command.app, name="import")
    app.add_typer(import_command.layers, name="layers")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
) -> None:
    """Serve the town; settings come from the environment."""
    settings = load()
    if not settings.secret.get_secret_value():
        raise typer.BadParameter("DIGILOG_SECRET must be set (at least 32 characters)")
    if workers > 1:
        # The process that looks after the others need not keep what asks; one that serves alone asks for itself.
        with _ready_database(settings):
            pass
    process.become(host, port, workers)


@contextmanager
def _ready_database(settings: Settings) -> "Iterator[Engine]":
    """The database of the settings; the command ends with a sentence (exit code 2) if it is of another version."""
    from participation.database import opened, unready

    with opened(settings.database_url) as engine:
        if problem := unready(engine):
            raise typer.BadParameter(problem)
        yield engine


@app.command()
def work() -> None:
    """Do waiting work (mails, imports, exports) in a process of its own, until stopped."""
    from participation import jobs
    from participation.app import create_app

    house = create_app(load()).state.house
    stop = threading.Event()
    try:
        jobs.work(house, stop)
    except KeyboardInterrupt:
        stop.set()
    finally:
        house.close()


@app.command()
def migrate() -> None:
    """Bring the database to this version."""
    from participation.database import migrate as run
    from participation.database import opened

    with opened(load().database_url) as engine:
        run(engine)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    data: Annotated[Path, typer.Option(help="Folder for the demo's data.")] = Path(".cache/demo"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew.")] = False,
    samples: Annotated[
        bool, typer.Option("--samples", help="Add the real samples, where they exist.")
    ] = False,
) -> None:
    """A demo town with everything in it, for looking around."""
    from participation import demo as town

    settings = town.prepare(data, port=port, fresh=fresh, samples=samples)
    print(town.welcome(port), flush=True)
    _export(settings)
    # In this process, which has loaded nearly everything by now: to load it anew would take two seconds.
    process.main("127.0.0.1", port, workers=1)


def _export(settings: Settings) -> None:
    """Hand settings to the server process through the environment, as an operator would."""
    import os

    for name, value in settings.model_dump(exclude_defaults=True, mode="json").items():
        os.environ[f"DIGILOG_{name.upper()}"] = value if isinstance(value, str) else json.dumps(value)
    os.environ["DIGILOG_SECRET"] = settings.secret.get_secret_value()


@app.command()
def verify(
    anchor: Annotated[
        Path | None,
        typer.Option(
            help="File on another machine or medium: the chain's ends of earlier runs are compared, today's is added."
        ),
    ] = None,
) -> None:
    """Check the journal's chain, every file's hash, every receipt and certificate; name what was tampered with."""
    from consultations import evidence, journal
    from participation.app import open_files
    from participation.database import unit_of_work

    settings = load()
    found = 0
    with _ready_database(settings) as engine, unit_of_work(engine) as session:
        for finding in evidence.examine(session, open_files(settings)):
            found += 1
            print(f"{finding.subject}: {finding.problem}")
        for gap in journal.against(session, _anchored(anchor)):
            found += 1
            print(f"journal:{gap.municipality_id}/{gap.sequence}: {gap.problem}")
        heads = journal.heads(session)
        extent = evidence.extent(session)
    print(
        f"{extent.journal_entries} journal entries, {extent.contributions} contributions, "
        f"{extent.documents} documents: {found or 'no'} problem{'' if found == 1 else 's'}"
    )
    if anchor and not found:
        with anchor.open("a", encoding="utf-8") as file:
            moment = datetime.now(UTC).isoformat(timespec="seconds")
            file.writelines(
                f"{moment} {head.municipality_id} {head.sequence} {head.hash}\n" for head in heads
            )
        print(f"{len(heads)} ends of chains added to {anchor}")
    raise typer.Exit(1 if found else 0)


def _anchored(anchor: Path | None) -> list["Head"]:
    """The ends of chains in a file of earlier runs."""
    from consultations.journal import Head

    if anchor is None or not anchor.exists():
        return []
    found = []
    for number, line in enumerate(anchor.read_text(encoding="utf-8").splitlines(), start=1):
        parts = line.split()
        if len(parts) != 4 or not (parts[1].isdecimal() and parts[2].isdecimal()):
            raise typer.BadParameter(f"{anchor}, line {number}: not a line of `digilog verify --anchor`")
        found.append(Head(int(parts[1]), int(parts[2]), parts[3]))
    return found


@app.command()
def availability(
    procedure: Annotated[
        str, typer.Option(help="Key of one consultation, such as BP-12; all without it.")
    ] = "",
    language: Annotated[str, typer.Option("--lang", help="de or en.")] = "de",
) -> None:
    """Show what the probes found of the documents that lie or lay open: outages, and times that were not measured."""
    from participation import availability_command
    from participation.database import unit_of_work

    with _ready_database(load()) as engine, unit_of_work(engine) as session:
        for line in availability_command.lines(
            session, key=procedure, language=language, now=datetime.now(UTC)
        ):
            print(line)


@app.command()
def municipality(
    key: Annotated[
        str, typer.Argument(help="A short name for settings and commands: small letters, digits, hyphens.")
    ],
    name: Annotated[str, typer.Option(help="The town's name.")],
    host: Annotated[
        list[str], typer.Option(help="Host name that the town answers under; may be given again.")
    ],
) -> None:
    """Found a town, the first one above all: nobody can sign in where no town answers."""
    from consultations import municipalities
    from consultations.permissions import SYSTEM
    from participation.database import unit_of_work

    if not re.fullmatch(municipalities.KEY_PATTERN, key):
        raise typer.BadParameter(f"{key!r}: small letters, digits and hyphens, a letter first, at most 40")
    entered = municipalities.MunicipalityInput(key, name, tuple(host))
    with _ready_database(load()) as engine, _said_plainly(), unit_of_work(engine, write=True) as session:
        municipalities.save(session, entered, by=SYSTEM, now=datetime.now(UTC))
    print(
        f"{name} answers at {', '.join(host)}; everything else is set there under /verwaltung/kommunen/{key}"
    )


@contextmanager
def _said_plainly() -> Iterator[None]:
    """A refusal ends the command with its sentence (exit code 2)."""
    from consultations.refusals import Refusal
    from participation.messages import explain

    try:
        yield
    except Refusal as refusal:
        raise typer.BadParameter(explain(refusal, "en")) from refusal


@app.command()
def staff(
    email: str,
    role: Annotated[
        str, typer.Option(help="clerk, moderator, evaluator, planner, administrator or operator.")
    ],
    municipality: Annotated[str, typer.Option(help="Key of the municipality; not for an operator.")] = "",
    name: Annotated[str, typer.Option(help="The person's name.")] = "",
) -> None:
    """Give somebody a role, with a first password that is printed once."""
    from consultations import municipalities, people
    from consultations.permissions import SYSTEM, Role
    from participation import identity
    from participation.database import unit_of_work

    now = datetime.now(UTC)
    if role not in set(Role):
        raise typer.BadParameter(f"there is no role {role!r}; there are {', '.join(Role)}")
    with _ready_database(load()) as engine, _said_plainly(), unit_of_work(engine, write=True) as session:
        town = municipalities.by_key(session, municipality)
        if town is None and Role(role) is not Role.OPERATOR:
            raise typer.BadParameter(f"there is no municipality {municipality!r}")
        person = people.Person(name=name or email, email=email, created_at=now)
        session.add(person)
        session.flush()
        people.grant(
            session, person, Role(role), municipality_id=town.id if town else None, by=SYSTEM, now=now
        )
        password = secrets.token_urlsafe(12)
        identity.create_password_identity(session, person, email, password, by=SYSTEM, now=now)
    print(f"{email} signs in with the password {password}")


@app.command("check-translations")
def check_translations() -> None:
    """Name every message that a language lacks."""
    from participation.translations import gaps

    found = sorted(gaps(), key=lambda gap: (gap.language, gap.problem, gap.place))
    for gap in found:
        print(f"{gap.place}: {gap.language}: {gap.problem}: {gap.message!r}")
    print(f"{len(found) or 'no'} gap{'' if len(found) == 1 else 's'}")
    raise typer.Exit(1 if found else 0)


def main() -> None:
    """Entry point of the installed command."""
    sys.exit(app(prog_name="digilog"))


if __name__ == "__main__":
    main()
