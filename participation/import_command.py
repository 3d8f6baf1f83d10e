"""`digilog import` and `digilog layers`: contributions from other systems, map layers, plans, documents.

Everything is looked at before anything is written.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from consultations import bulk, filing, municipalities
from consultations.documents import DocumentKind, documents_of, published_facts
from consultations.files import MB, STAFF_TYPES, Limits, accept_upload
from consultations.inspection import PLAN_SIDE
from consultations.permissions import SYSTEM
from consultations.places import LayerRole
from consultations.procedures import Procedure
from consultations.refusals import Refusal
from geo.layers import LAYER_CODES, LayerProblem, LayerReport
from participation import imports, jobs, layers_import, plan_import
from participation.app import create_app
from participation.database import unit_of_work
from participation.house import House
from participation.messages import explain
from participation.settings import load

app = typer.Typer(no_args_is_help=True, help="Take in contributions, map layers, plans and documents.")
layers = typer.Typer(no_args_is_help=True, help="Look at files of map data.")

MAX_LINES_SHOWN = 40


def _fail(refusal: Refusal, language: str) -> typer.Exit:
    typer.echo(explain(refusal, language), err=True)
    return typer.Exit(2)


@app.command()
def contributions(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, XLSX or GeoJSON.")],
    mapping: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="What the columns are (TOML).")],
    municipality: Annotated[str, typer.Option(help="Key of the municipality.")],
    procedure: Annotated[str, typer.Option(help="Key or address of the consultation.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Import the rest all the same.")
    ] = False,
    in_parts: Annotated[
        bool, typer.Option("--in-parts", help="Let others hand in between every 25 lines.")
    ] = False,
    lang: Annotated[str, typer.Option(help="Language of the messages.")] = "de",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")] = False,
) -> None:
    """Take contributions in through the one door: first a rehearsal, then in one transaction or in parts, as a job."""
    house = _house(context)
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
    found["rehearsed"] = True
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
                in_parts=in_parts,
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
    if not found["imported"] and not found.get("rehearsed") and counts["created"]:
        typer.echo("imported in part: the refused lines were fine before. Import the file again to go on.")
    else:
        typer.echo("imported" if found["imported"] else "nothing imported")


# --- layers, plans, documents ----------------------------------------------------------------------

Municipality = Annotated[str, typer.Option(help="Key of the municipality.")]
Language = Annotated[str, typer.Option("--lang", help="Language of the messages.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of words.")]
Crs = Annotated[int | None, typer.Option(help="EPSG code, for a file that does not say its own.")]
Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Files of map data.")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False)]


@layers.command("check")
def check(files: Files, crs: Crs = None, lang: Language = "de", as_json: AsJson = False) -> None:
    """Say what is in files of map data, what would be repaired and left out; nothing is kept."""
    found: list[dict[str, object]] = []
    for file in files:
        try:
            found.append({"file": file.name, **_told(layers_import.check_layer(file, file.name, crs), lang)})
        except LayerProblem as problem:
            found.append({"file": file.name, "refused": layers_import.explain(problem, file.name, lang)})
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        for each in found:
            _print_report(each)
    raise typer.Exit(2 if any("refused" in each for each in found) else 0)


@app.command()
def layer(
    context: typer.Context,
    files: Files,
    municipality: Municipality,
    role: Annotated[LayerRole, typer.Option(help="What the layer is used for.")] = LayerRole.OTHER,
    title: Annotated[str, typer.Option(help="Name on the map; the file's name where it is not given.")] = "",
    source: Annotated[str, typer.Option(help="Where the data come from.")] = "",
    licence: Annotated[str, typer.Option(help="Licence of the data.")] = "",
    attribution: Annotated[str, typer.Option(help="What maps have to say about the origin.")] = "",
    procedure: Annotated[str, typer.Option(help="Key or address of the consultation it belongs to.")] = "",
    crs: Crs = None,
    lang: Language = "de",
    as_json: AsJson = False,
) -> None:
    """Take map layers in; one of the same title, role and owner is replaced. A refused file leaves no trace."""
    house, municipality_id = _open(context, municipality)
    procedure_id = _procedure_id(house, municipality_id, procedure, lang) if procedure else None
    found: list[dict[str, object]] = []
    for file in files:
        try:
            wish = layers_import.LayerWish(
                title=title or file.stem,
                role=role,
                procedure_id=procedure_id,
                source=source or file.name,
                licence=licence,
                attribution=attribution,
                crs=crs,
            )
            with unit_of_work(house.engine, write=True) as session:
                job = layers_import.leave_job(
                    session,
                    house.files,
                    file,
                    file.name,
                    wish,
                    municipality_id=municipality_id,
                    by=SYSTEM,
                    now=house.clock(),
                )
            done = _wait(house, job.id or 0)
            if str(done.get("refused", "")) in LAYER_CODES:
                raise LayerProblem(str(done["refused"]), **dict(done["facts"]))  # type: ignore[call-overload]
            if "refused" in done:
                found.append({"file": file.name, "refused": str(done["refused"])})
                continue
            found.append({"file": file.name, "layer": done["layer"], **_told_dict(done["report"], lang)})  # type: ignore[arg-type]
        except LayerProblem as problem:
            found.append({"file": file.name, "refused": layers_import.explain(problem, file.name, lang)})
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        for each in found:
            _print_report(each)
    raise typer.Exit(2 if any("refused" in each for each in found) else 0)


@app.command()
def plan(
    context: typer.Context,
    file: File,
    municipality: Municipality,
    template: Annotated[str, typer.Option(help="What the consultation starts from.")],
    key: Annotated[str, typer.Option(help="Short name of the consultation, as in reference numbers.")],
    title: Annotated[str, typer.Option(help="Title; the plan's own name where it is not given.")] = "",
    attribution: Annotated[str, typer.Option(help="What maps have to say about the origin.")] = "",
    crs: Crs = None,
    lang: Language = "de",
    as_json: AsJson = False,
) -> None:
    """Make a draft of a plan's file (XPlanGML, plain or as archive): area, signs on the map, documents."""
    house, municipality_id = _open(context, municipality)
    try:
        taken = plan_import.take_plan(
            house,
            file,
            file.name,
            municipality_id=municipality_id,
            template_key=template,
            key=key,
            title=title,
            crs=crs,
            attribution=attribution,
            by=SYSTEM,
            now=house.clock(),
        )
    except LayerProblem as problem:
        typer.echo(layers_import.explain(problem, file.name, lang), err=True)
        raise typer.Exit(2) from problem
    except Refusal as refusal:
        raise _fail(refusal, lang) from refusal
    found = {
        "file": file.name,
        "procedure": taken.key,
        "title": taken.title,
        "square_metres": round(taken.square_metres),
        "documents": list(taken.documents),
        "missing": list(taken.missing),
        **_told(taken.read.report, lang),
    }
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    _print_report(found)
    typer.echo(f"  draft {taken.key}: {taken.title}, {round(taken.square_metres)} square metres")
    for name in taken.documents:
        typer.echo(f"  document {name}")
    for name in taken.missing:
        typer.echo(f"  named by the plan, but not in the file: {name}")


@app.command()
def document(
    context: typer.Context,
    file: File,
    municipality: Municipality,
    procedure: Annotated[str, typer.Option(help="Key or address of the consultation.")],
    title: Annotated[str, typer.Option(help="Title; the same title again is the next version.")],
    kind: Annotated[DocumentKind, typer.Option(help="What it is in the procedure.")] = DocumentKind.OTHER,
    note: Annotated[str, typer.Option(help="What is new in this version; shown to everybody.")] = "",
    lang: Language = "de",
) -> None:
    """Attach a document to a consultation: a new one, or the next version of the one with the same title."""
    house, municipality_id = _open(context, municipality)
    limits = Limits(
        max_bytes=house.settings.import_limit_mb * MB,
        types=STAFF_TYPES,
        text_length=plan_import.TEXT_LENGTH,
        public_side=PLAN_SIDE,
    )
    try:
        with file.open("rb") as stream:
            kept = accept_upload(house.files, stream, file.name, limits=limits)
        with unit_of_work(house.engine, write=True) as session:
            row = imports.find_procedure(session, municipality_id, procedure)
            assert row.id is not None
            known = [each for each, _ in documents_of(session, row.id) if each.title == title]
            version = filing.add_document(
                session,
                row,
                published_facts(kept),
                title=title,
                kind=kind,
                by=SYSTEM,
                now=house.clock(),
                document=known[0] if known else None,
                note=note,
            )
            number = version.number
    except Refusal as refusal:
        raise _fail(refusal, lang) from refusal
    typer.echo(
        f"{kept.filename}: version {number} of {title}, {kept.pages or 1} pages, SHA-256 {kept.sha256}"
    )


def _house(context: typer.Context) -> House:
    """The house, until the command ends."""
    house: House = create_app(load()).state.house
    context.call_on_close(house.close)
    return house


def _open(context: typer.Context, municipality: str) -> tuple[House, int]:
    """The house and the municipality's id. Raises typer.BadParameter for one that does not exist."""
    house = _house(context)
    with unit_of_work(house.engine) as session:
        town = municipalities.by_key(session, municipality)
        if town is None or town.id is None:
            raise typer.BadParameter(f"there is no municipality {municipality!r}")
        return house, town.id


def _procedure_id(house: House, municipality_id: int, name: str, language: str) -> int:
    try:
        with unit_of_work(house.engine) as session:
            row: Procedure = imports.find_procedure(session, municipality_id, name)
            assert row.id is not None
            return row.id
    except Refusal as refusal:
        raise _fail(refusal, language) from refusal


def _told(report: LayerReport, language: str) -> dict[str, object]:
    return _told_dict(report.as_dict(), language)


def _told_dict(report: dict[str, object], language: str) -> dict[str, object]:
    """A report with its sentences."""
    return {
        **report,
        "sentences": [
            *layers_import.repairs(report, language),
            *layers_import.left_out(report, language),
            *layers_import.notes(report, language),
        ],
    }


def _more_of(found: dict[str, object]) -> Iterator[str]:
    """The layers of a file, and of a city model its heights, levels of detail and faces."""

    def counts(name: str) -> str:
        values = found.get(name)
        return (
            ", ".join(f"{count} {key}" for key, count in values.items()) if isinstance(values, dict) else ""
        )

    names = found["layers"]
    assert isinstance(names, list | tuple)
    if len(names) > 1:
        yield "layers: " + ", ".join(f"{each['features']} {each['name']}" for each in names)
    if lods := counts("lods"):
        heights = found["heights"]
        assert isinstance(heights, list | tuple)
        yield f"parts: {found['parts']}; buildings and parts by level of detail: {lods}"
        thematic = counts("thematic")
        yield f"faces: {counts('surfaces')}" + (f"; as the file counts them: {thematic}" if thematic else "")
        yield f"heights: {heights[0]:.3f} to {heights[1]:.3f} m, {found['vertical'] or 'system not said'}"


def _print_report(found: dict[str, object]) -> None:
    if "refused" in found:
        typer.echo(f"{found['file']}: {found['refused']}", err=True)
        return
    bounds, sentences, kinds = found["bounds_degrees"], found["sentences"], found["geometry_types"]
    assert isinstance(bounds, list | tuple)
    assert isinstance(kinds, dict)
    assert isinstance(sentences, list)
    version = f" {found['version']}" if found["version"] else ""
    typer.echo(
        f"{found['file']}: {found['format']}{version}, {found['crs']}, {found['features']} features "
        f"({', '.join(f'{count} {kind}' for kind, count in kinds.items())}), "
        f"{found['repaired']} repaired, within {', '.join(f'{value:.5f}' for value in bounds)}"
    )
    for words in _more_of(found):
        typer.echo(f"  {words}")
    for sentence in sentences[:MAX_LINES_SHOWN]:
        typer.echo(f"  {sentence}")
    if len(sentences) > MAX_LINES_SHOWN:
        typer.echo(f"  … and {len(sentences) - MAX_LINES_SHOWN} more (--json names all)")
