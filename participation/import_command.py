"""`digilog import`: contributions from other systems, always looked at before anything is written."""

import json
from pathlib import Path
from typing import Annotated

import typer

from consultations import bulk, municipalities
from consultations.permissions import SYSTEM
from consultations.refusals import Refusal
from participation import imports, jobs
from participation.app import create_app
from participation.database import unit_of_work
from participation.house import House
from participation.messages import explain
from participation.settings import load

app = typer.Typer(no_args_is_help=True, help=__doc__)

MAX_LINES_SHOWN = 40


def _fail(refusal: Refusal, language: str) -> typer.Exit:
    typer.echo(explain(refusal, language), err=True)
    return typer.Exit(2)


@app.command()
def contributions(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, XLSX or GeoJSON.")],
    mapping: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="What the columns are (TOML).")],
    municipality: Annotated[str, typer.Option(help="Key of the municipality.")],
    procedure: Annotated[str, typer.Option(help="Key or address of the consultation.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Import the rest all the same.")
    ] = False,
    lang: Annotated[str, typer.Option(help="Language of the messages.")] = "de",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
) -> None:
    """Take contributions in through the one door: first a rehearsal, then one transaction, as a job."""
    house: House = create_app(load()).state.house
    now = house.clock()
    try:
        with unit_of_work(house.engine) as session:
            town = municipalities.by_key(session, municipality)
            if town is None or town.id is None:
                raise typer.BadParameter(f"there is no municipality {municipality!r}")
            row = imports.find_procedure(session, town.id, procedure)
            assert row.id is not None
            procedure_id = row.id
        table = bulk.read_table(file, file.name)
        fields = bulk.read_mapping(mapping)
        rehearsal = imports.rehearse(house, table, fields, procedure_id=procedure_id, by=SYSTEM, now=now)
    except Refusal as refusal:
        raise _fail(refusal, lang) from refusal
    found = {**imports.summary(rehearsal, lang), "understood_as": table.understood_as, "imported": False}
    if not dry_run and (skip_refused or not rehearsal.refused):
        with unit_of_work(house.engine, write=True) as session:
            row = imports.find_procedure(session, town.id, procedure)
            job = imports.leave_job(
                session,
                house.files,
                file,
                file.name,
                mapping.read_text(encoding="utf-8"),
                procedure=row,
                by=SYSTEM,
                now=now,
                skip_refused=skip_refused,
            )
        found = _wait(house, job.id or 0)
    _print(found, as_json)
    raise typer.Exit(0 if found["imported"] or (dry_run and not found["refused"]) else 1)


def _wait(house: House, job_id: int) -> dict[str, object]:
    """Do the job here and now, unless another worker has taken it already."""
    while True:
        busy = jobs.run_one(house, "console")
        with unit_of_work(house.engine) as session:
            row = session.get(jobs.Job, job_id)
            assert row is not None
            if row.state == jobs.JobState.DONE.value:
                return dict(row.result)
            if row.state == jobs.JobState.FAILED.value or (
                row.state == jobs.JobState.WAITING.value and row.note
            ):
                typer.echo(row.note, err=True)
                raise typer.Exit(1)
        if not busy:
            jobs.pause()


def _print(found: dict[str, object], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    counts, refused = found["counts"], found["refused"]
    assert isinstance(counts, dict)
    assert isinstance(refused, list)
    typer.echo(
        f"{found['understood_as']}: " + ", ".join(f"{number} {name}" for name, number in counts.items())
    )
    for each in refused[:MAX_LINES_SHOWN]:
        typer.echo(f"  line {each['line']}{', ' + each['field'] if each['field'] else ''}: {each['why']}")
    if len(refused) > MAX_LINES_SHOWN:
        typer.echo(f"  … and {len(refused) - MAX_LINES_SHOWN} more (--json names all)")
    typer.echo("imported" if found["imported"] else "nothing imported")
