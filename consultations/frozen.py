"""Frozen documents: what lies open in a formal phase stays exactly what it is until the phase is over.

A document is frozen with its hash when its phase is released, or when a document is added while the phase runs. From
then until the effective end its file cannot be replaced and it cannot be taken off the list (law-and-standards R-1.3,
PU-4): the two lawful ways, a correction note or a restart of the period, are in `corrections`. Rows are never deleted;
they say since when a version was on the internet, until when, and how it left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index
from sqlmodel import Field, Session, SQLModel, col, select

from consultations.deadlines import PhaseState
from consultations.documents import Document, DocumentVersion
from consultations.permissions import Actor
from consultations.phases import Phase
from consultations.procedures import Procedure, ProcedureState, note_in_journal, require_planner
from consultations.refusals import Code, Refusal
from consultations.tables import UtcDateTime


class Exit(StrEnum):
    """How a frozen version left the list that everybody reads."""

    REPLACED = "replaced"  # after the phase was over
    WITHDRAWN = "withdrawn"  # after the phase was over
    RESTARTED = "restarted"  # the period began anew, with this version or another


class FrozenDocument(SQLModel, table=True):
    """A version of a document that lies open in a formal phase. Only `online_to` and `left_by` are ever filled in."""

    __tablename__ = "frozen_document"
    __table_args__ = (
        Index("ix_frozen_document_phase_id_document_id", "phase_id", "document_id"),
        Index("ix_frozen_document_document_id", "document_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    procedure_id: int = Field(foreign_key="procedure.id", index=True)
    phase_id: int = Field(foreign_key="phase.id")
    document_id: int = Field(foreign_key="document.id")
    version_id: int = Field(foreign_key="document_version.id")
    #: Of the file as it was frozen; `digilog verify` and the probes hold the file and the version against it.
    sha256: str
    #: The frozen version that this one corrects; that one stays first.
    corrects_id: int | None = Field(default=None, foreign_key="frozen_document.id")
    online_from: datetime = Field(sa_type=UtcDateTime)
    #: Empty while it is online.
    online_to: datetime | None = Field(default=None, sa_type=UtcDateTime)
    left_by: str = ""


@dataclass(frozen=True)
class Frozen:
    """A frozen version with what it belongs to."""

    row: FrozenDocument
    document: Document
    version: DocumentVersion
    phase: Phase


def freeze(
    session: Session, *, procedure: Procedure, phase: Phase, by: Actor, now: datetime
) -> list[FrozenDocument]:
    """Freeze the newest version of every document of the procedure for a formal phase; online from this moment.

    What is frozen for the phase already stays as it is, so that doing it again changes nothing. Returns what was
    frozen now. Raises Refusal NOT_ALLOWED, and WRONG_STATE for a phase that is not formal or is over.
    """
    require_planner(by, procedure)
    if not phase.is_formal or phase.state(now) is PhaseState.OVER:
        raise Refusal(Code.WRONG_STATE, state=phase.state(now).value)
    assert procedure.id is not None
    assert phase.id is not None
    known = {row.document_id for row in _rows(session, phase_id=phase.id)}
    made = [
        FrozenDocument(
            procedure_id=procedure.id,
            phase_id=phase.id,
            document_id=version.document_id,
            version_id=version.id or 0,
            sha256=version.sha256,
            online_from=now,
        )
        for version in newest_shown(session, procedure.id)
        if version.document_id not in known
    ]
    session.add_all(made)
    session.flush()
    if made:
        note_in_journal(
            session,
            procedure,
            "documents_frozen",
            by=by,
            now=now,
            facts={"phase": phase.id, "documents": [sealed(row) for row in made]},
        )
    return made


def add(
    session: Session,
    procedure: Procedure,
    version: DocumentVersion,
    *,
    by: Actor,
    now: datetime,
    corrects: FrozenDocument | None = None,
) -> list[FrozenDocument]:
    """Freeze a version that has come while formal phases run, for each of them: online from this moment, not before.

    `corrects` is the frozen version that it is set beside, by a correction note; then for that one's phase only.
    """
    phases = (
        [corrects.phase_id]
        if corrects
        else [
            phase.id
            for phase in session.exec(
                select(Phase)
                .where(
                    col(Phase.id).in_(
                        select(FrozenDocument.phase_id).where(
                            FrozenDocument.procedure_id == procedure.id,
                            col(FrozenDocument.online_to).is_(None),
                        )
                    )
                )
                .order_by(col(Phase.id))
            ).all()
            if phase.id is not None and phase.state(now) is not PhaseState.OVER
        ]
    )
    assert procedure.id is not None
    assert version.id is not None
    made = [
        FrozenDocument(
            procedure_id=procedure.id,
            phase_id=phase_id,
            document_id=version.document_id,
            version_id=version.id,
            sha256=version.sha256,
            corrects_id=corrects.id if corrects else None,
            online_from=now,
        )
        for phase_id in phases
    ]
    session.add_all(made)
    session.flush()
    for row in made:
        facts = {"phase": row.phase_id, "documents": [sealed(row)]}
        note_in_journal(session, procedure, "documents_frozen", by=by, now=now, facts=facts)
    return made


def sealed(row: FrozenDocument) -> dict[str, object]:
    """What the journal keeps of a freezing, and `evidence` holds the row against."""
    return {"frozen": row.id, "version": row.version_id, "sha256": row.sha256}


def newest_shown(session: Session, procedure_id: int) -> list[DocumentVersion]:
    """The newest version of every document that is on the list, in its order; two queries."""
    documents = session.exec(
        select(Document.id)
        .where(Document.procedure_id == procedure_id, col(Document.is_withdrawn).is_(False))
        .order_by(col(Document.position), col(Document.id))
    ).all()
    newest: dict[int, DocumentVersion] = {}
    for version in session.exec(
        select(DocumentVersion)
        .where(col(DocumentVersion.document_id).in_(documents))
        .order_by(col(DocumentVersion.number))
    ).all():
        newest[version.document_id] = version
    return [newest[document_id] for document_id in documents if document_id in newest]


def freeze_due(session: Session, *, by: Actor, now: datetime) -> int:
    """Freeze the documents of every formal phase that runs and has none frozen yet; how many versions.

    The net below the release: however a consultation became public, its documents are frozen while it runs. Phases
    that ask agencies only are frozen too, since agencies read the same files.
    """
    return sum(
        len(freeze(session, procedure=procedure, phase=phase, by=by, now=now))
        for phase, procedure in _due(session, now)
    )


def is_due(session: Session, *, now: datetime) -> bool:
    """Whether `freeze_due` would find anything: a cheap look that takes no writer's turn."""
    return bool(_due(session, now))


def _due(session: Session, now: datetime) -> list[tuple[Phase, Procedure]]:
    frozen_phases = select(FrozenDocument.phase_id)
    with_documents = select(Document.procedure_id).where(col(Document.is_withdrawn).is_(False))
    rows = session.exec(
        select(Phase, Procedure)
        .join(Procedure, col(Procedure.id) == Phase.procedure_id)
        .where(
            Procedure.state == ProcedureState.PUBLISHED.value,
            col(Procedure.id).in_(with_documents),
            col(Phase.is_formal).is_(True),
            col(Phase.starts_on).is_not(None),
            col(Phase.ends_on).is_not(None),
            col(Phase.id).not_in(frozen_phases),
        )
        .order_by(col(Phase.id))
    ).all()
    return [(phase, procedure) for phase, procedure in rows if phase.state(now) is PhaseState.OPEN]


def held(session: Session, document_id: int, now: datetime) -> Frozen | None:
    """The frozen version of a document whose phase is not over yet; None where its file may be replaced."""
    rows = session.exec(
        select(FrozenDocument, Document, DocumentVersion, Phase)
        .join(Document, col(Document.id) == FrozenDocument.document_id)
        .join(DocumentVersion, col(DocumentVersion.id) == FrozenDocument.version_id)
        .join(Phase, col(Phase.id) == FrozenDocument.phase_id)
        .where(
            FrozenDocument.document_id == document_id,
            col(FrozenDocument.online_to).is_(None),
            col(FrozenDocument.corrects_id).is_(None),
        )
        .order_by(col(FrozenDocument.id))
    ).all()
    running = [Frozen(*row) for row in rows if row[3].state(now) is not PhaseState.OVER]
    return running[-1] if running else None


def refuse_if_held(session: Session, document: Document, now: datetime, field: str) -> None:
    """Raises Refusal DOCUMENT_FROZEN while the document lies open in a formal phase, with the last day of it."""
    found = held(session, document.id or 0, now)
    if found:
        last = found.phase.effective_end or found.phase.ends_on
        raise Refusal(Code.DOCUMENT_FROZEN, field, title=document.title, until=last or "")


def leave(
    session: Session, procedure: Procedure, document: Document, way: Exit, *, by: Actor, now: datetime
) -> None:
    """Note that the frozen versions of a document are no longer what the list shows. The files stay readable."""
    _close(session, procedure, _rows(session, document_id=document.id), way, by=by, now=now)


def leave_phase(
    session: Session, procedure: Procedure, phase: Phase, way: Exit, *, by: Actor, now: datetime
) -> None:
    """The same for everything that is frozen for a phase."""
    _close(session, procedure, _rows(session, phase_id=phase.id), way, by=by, now=now)


def _rows(
    session: Session, *, document_id: int | None = None, phase_id: int | None = None
) -> Sequence[FrozenDocument]:
    question = select(FrozenDocument).where(col(FrozenDocument.online_to).is_(None))
    if document_id is not None:
        question = question.where(FrozenDocument.document_id == document_id)
    if phase_id is not None:
        question = question.where(FrozenDocument.phase_id == phase_id)
    return session.exec(question.order_by(col(FrozenDocument.id))).all()


def _close(
    session: Session,
    procedure: Procedure,
    rows: Sequence[FrozenDocument],
    way: Exit,
    *,
    by: Actor,
    now: datetime,
) -> None:
    for row in rows:
        row.online_to, row.left_by = now, way.value
        session.add(row)
    if rows:
        session.flush()
        facts = {"way": way.value, "frozen": [row.id for row in rows]}
        note_in_journal(session, procedure, "frozen_left", by=by, now=now, facts=facts)


def of_phase(session: Session, phase_id: int) -> list[Frozen]:
    """Everything that was ever frozen for a phase, in the order of the list, earlier ones first; one query."""
    rows = session.exec(
        select(FrozenDocument, Document, DocumentVersion, Phase)
        .join(Document, col(Document.id) == FrozenDocument.document_id)
        .join(DocumentVersion, col(DocumentVersion.id) == FrozenDocument.version_id)
        .join(Phase, col(Phase.id) == FrozenDocument.phase_id)
        .where(FrozenDocument.phase_id == phase_id)
        .order_by(col(Document.position), col(Document.id), col(FrozenDocument.id))
    ).all()
    return [Frozen(*row) for row in rows]


def held_versions(session: Session, procedure_id: int, now: datetime) -> dict[int, int]:
    """By document, the id of the version that lies open in a running formal phase; one query."""
    rows = session.exec(
        select(FrozenDocument, Phase)
        .join(Phase, col(Phase.id) == FrozenDocument.phase_id)
        .where(
            FrozenDocument.procedure_id == procedure_id,
            col(FrozenDocument.online_to).is_(None),
            col(FrozenDocument.corrects_id).is_(None),
        )
        .order_by(col(FrozenDocument.id))
    ).all()
    return {row.document_id: row.version_id for row, phase in rows if phase.state(now) is not PhaseState.OVER}


def watched(session: Session, now: datetime) -> list[tuple[Procedure, Frozen]]:
    """What the probes look after: everything frozen and online whose phase is running now; two queries."""
    rows = session.exec(
        select(FrozenDocument, Document, DocumentVersion, Phase)
        .join(Document, col(Document.id) == FrozenDocument.document_id)
        .join(DocumentVersion, col(DocumentVersion.id) == FrozenDocument.version_id)
        .join(Phase, col(Phase.id) == FrozenDocument.phase_id)
        .where(col(FrozenDocument.online_to).is_(None))
        .order_by(col(FrozenDocument.id))
    ).all()
    running = [Frozen(*row) for row in rows if row[3].state(now) is PhaseState.OPEN]
    published = {
        procedure.id: procedure
        for procedure in session.exec(
            select(Procedure).where(
                Procedure.state == ProcedureState.PUBLISHED.value,
                col(Procedure.id).in_({each.row.procedure_id for each in running}),
            )
        ).all()
    }
    return [
        (published[each.row.procedure_id], each) for each in running if each.row.procedure_id in published
    ]
