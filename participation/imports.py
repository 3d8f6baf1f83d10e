"""Bulk imports as jobs: the file is kept and taken in at once, or in parts between which others write; progress can be seen."""

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session

from consultations import bulk, procedures
from consultations.bulk import FieldMap, Report, Table
from consultations.files import FileStore
from consultations.people import actor_of
from consultations.permissions import SYSTEM, Actor
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from participation import jobs
from participation.database import unit_of_work
from participation.house import House
from participation.jobs import Job
from participation.messages import explain

KIND = "import_contributions"


def rehearse(
    house: House, table: Table, mapping: FieldMap, *, procedure_id: int, by: Actor, now: datetime
) -> Report:
    """What a run would do, line by line; nobody who writes has to wait for it. Raises what `bulk.rehearse` raises."""
    with unit_of_work(house.engine) as session:
        return bulk.rehearse(
            session, table, mapping, procedure=_procedure(session, procedure_id), by=by, now=now
        )


def leave_job(
    session: Session,
    files: FileStore,
    path: Path,
    filename: str,
    mapping_text: str,
    *,
    procedure: Procedure,
    by: Actor,
    now: datetime,
    skip_refused: bool = False,
    in_parts: bool = False,
) -> Job:
    """Keep the file and leave the job that takes it in, in the caller's transaction."""
    with path.open("rb") as stream:
        kept = files.put(stream)
    return jobs.enqueue(
        session,
        KIND,
        {
            "procedure": procedure.id,
            "sha256": kept.sha256,
            "filename": filename,
            "mapping": mapping_text,
            "person": by.person_id,
            "skip_refused": skip_refused,
            "in_parts": in_parts,
        },
        now=now,
        municipality_id=procedure.municipality_id,
    )


@jobs.job(KIND)
def take_in(house: House, job: Job) -> dict[str, Any]:
    """Do an import: a rehearsal of the whole file, then one transaction. With refused lines nothing is imported, unless they
    were to be skipped.

    Nobody else can hand in to the town until its end, which with thousands of lines is longer than a citizen waits. Who
    asked for parts gets a transaction for each of them instead; if such an import is interrupted, the job is tried again
    and goes on where the last part ended.
    """
    payload = job.payload
    now = house.clock()
    with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        path, mapping_path = Path(folder) / "table", Path(folder) / "mapping.toml"
        path.write_bytes(b"".join(house.files.open(payload["sha256"])))
        mapping_path.write_text(payload["mapping"], encoding="utf-8")
        table = bulk.read_table(path, payload["filename"])
        mapping = bulk.read_mapping(mapping_path)
    assert job.id is not None
    job_id, total = job.id, max(1, len(table.lines))

    with unit_of_work(house.engine) as session:
        by = actor_of(session, payload["person"]) if payload["person"] else SYSTEM
    if by is None:
        raise Refusal(Code.NOT_ALLOWED)
    procedure_id = int(payload["procedure"])
    report = rehearse(house, table, mapping, procedure_id=procedure_id, by=by, now=now)
    skips = bool(payload["skip_refused"])
    imported = skips or not report.refused
    if imported:
        report = Report()
        size = bulk.PART if payload.get("in_parts") else total
        for part in bulk.parts(table, size):
            done = len(report.outcomes)

            def progress(more: int, done: int = done) -> None:
                # In memory: nobody else can write as long as the import's own transaction is open.
                house.progress[job_id] = 100 * (done + more) // total

            with unit_of_work(house.engine, write=True) as session:
                procedure = _procedure(session, procedure_id)
                taken = bulk.take_in(
                    session, part, mapping, procedure=procedure, by=by, now=now, progress=progress
                )
                # Something has changed since the rehearsal, such as the phase. What earlier parts brought stays in: it
                # has numbers and receipts. The file can be brought again when it fits.
                imported = skips or not taken.refused
                if not imported:
                    session.rollback()
            report.outcomes += taken.outcomes if imported else taken.refused
            if not imported:
                break
            progress(len(part.lines))
    house.progress.pop(job_id, None)
    return {**summary(report), "understood_as": table.understood_as, "imported": imported}


def summary(report: Report, language: str = "de") -> dict[str, Any]:
    """What came of a run as plain JSON: the counts, and each refused line with its sentence."""
    return {
        "counts": {result: report.count(result) for result in ("created", "known", "left_out", "refused")},
        "refused": [
            {"line": each.line, "field": each.refusal.field or "", "why": explain(each.refusal, language)}
            for each in report.refused
            if each.refusal
        ],
    }


def _procedure(session: Session, procedure_id: int) -> Procedure:
    procedure = session.get(Procedure, procedure_id)
    if procedure is None:
        raise Refusal(Code.NOT_FOUND)
    return procedure


def find_procedure(session: Session, municipality_id: int, name: str) -> Procedure:
    """A procedure by its key or its slug. Raises Refusal NOT_FOUND."""
    found = procedures.by_slug(session, municipality_id, name) or procedures.by_key(
        session, municipality_id, name
    )
    if found is None:
        raise Refusal(Code.NOT_FOUND)
    return found
