"""What happens to the documents of a procedure: filed, described, put in order, withdrawn.

A file is never replaced: what was published once stays readable, a new file is a new version.
"""

from datetime import datetime

from sqlmodel import Session, col, func, select

from consultations import frozen
from consultations.documents import (
    Document,
    DocumentKind,
    DocumentVersion,
    FileFacts,
    documents_of,
    newest_version,
)
from consultations.frozen import Exit
from consultations.permissions import Actor
from consultations.procedures import (
    Procedure,
    ProcedureState,
    note_in_journal,
    record_change,
    require_planner,
)
from consultations.refusals import Code, Refusal
from consultations.text import normalise


def add_document(
    session: Session,
    procedure: Procedure,
    file: FileFacts,
    *,
    title: str,
    kind: DocumentKind,
    by: Actor,
    now: datetime,
    document: Document | None = None,
    note: str = "",
) -> DocumentVersion:
    """Attach a file: a new document, or the next version of the one given; earlier versions stay readable.

    A document that comes while a formal phase runs is frozen from now on. Raises Refusal NOT_ALLOWED, and
    DOCUMENT_FROZEN ("file") for a new version of a document that lies open in a formal phase: see `corrections`.
    """
    require_planner(by, procedure)
    assert procedure.id is not None
    if document is not None:
        frozen.refuse_if_held(session, document, now, "file")
        frozen.leave(session, procedure, document, Exit.REPLACED, by=by, now=now)
        document.title, document.kind = title, kind.value
        return add_version(session, procedure, document, file, by=by, now=now, note=note)
    count = session.exec(select(func.count()).where(Document.procedure_id == procedure.id)).one()
    document = Document(procedure_id=procedure.id, kind=kind.value, title=title, position=count)
    version = add_version(session, procedure, document, file, by=by, now=now, note=note)
    frozen.add(session, procedure, version, by=by, now=now)
    return version


def add_version(
    session: Session,
    procedure: Procedure,
    document: Document,
    file: FileFacts,
    *,
    by: Actor,
    now: datetime,
    note: str = "",
) -> DocumentVersion:
    """The next version of a document, whatever lies open: for `corrections`, which says what becomes of the old one."""
    require_planner(by, procedure)
    session.add(document)
    session.flush()
    assert document.id is not None
    number = session.exec(
        select(func.max(DocumentVersion.number)).where(DocumentVersion.document_id == document.id)
    ).one()
    version = DocumentVersion(
        document_id=document.id,
        number=(number or 0) + 1,
        sha256=file.sha256,
        original_sha256=file.original_sha256,
        filename=file.filename,
        media_type=file.media_type,
        size=file.size,
        pages=file.pages,
        text=normalise(file.text),
        says={name: normalise(words) for name, words in file.says.items()},
        note=note,
        uploaded_at=now,
        uploaded_by=by.label,
    )
    session.add(version)
    session.flush()
    note_in_journal(
        session,
        procedure,
        "document_added",
        by=by,
        now=now,
        facts={
            "document": document.id,
            "number": version.number,
            "sha256": file.sha256,
            **({"original_sha256": file.original_sha256} if file.original_sha256 else {}),
            "title": document.title,
        },
    )
    record_change(session, procedure, by=by, now=now, note=note or document.title)
    return version


def change_document(
    session: Session,
    procedure: Procedure,
    document: Document,
    *,
    title: str,
    kind: DocumentKind,
    text: str,
    by: Actor,
    now: datetime,
    note: str = "",
) -> None:
    """Change what a document is called, what it is, and the text for those who cannot use its newest file.

    The file itself is never changed: see `add_document`. Raises Refusal NOT_ALLOWED, REASON_REQUIRED (published, no
    note).
    """
    require_planner(by, procedure)
    if procedure.state != ProcedureState.DRAFT.value and not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    newest = newest_version(session, document)
    document.title, document.kind, newest.text = title, kind.value, normalise(text, field="text")
    session.add(document)
    session.add(newest)
    note_in_journal(
        session,
        procedure,
        "document_changed",
        by=by,
        now=now,
        facts={"document": document.id, "title": title, "kind": kind.value},
    )
    record_change(session, procedure, by=by, now=now, note=note)


def move_document(
    session: Session, procedure: Procedure, document: Document, steps: int, *, by: Actor, now: datetime
) -> None:
    """Show a document so many places later in the list, or earlier. Nothing that can be read changes by it.

    Raises Refusal NOT_ALLOWED.
    """
    require_planner(by, procedure)
    assert procedure.id is not None
    rows = [each for each, _ in documents_of(session, procedure.id) if not each.is_withdrawn]
    at = rows.index(document)
    rows.insert(min(max(at + steps, 0), len(rows) - 1), rows.pop(at))
    for position, each in enumerate(rows):
        each.position = position
        session.add(each)
    session.flush()
    facts = {"document": document.id, "position": document.position}
    note_in_journal(session, procedure, "document_moved", by=by, now=now, facts=facts)


def withdraw_document(
    session: Session, procedure: Procedure, document: Document, *, by: Actor, now: datetime, note: str
) -> None:
    """Take a document off the list; it stays readable under its address and says so.

    Raises Refusal REASON_REQUIRED, and DOCUMENT_FROZEN while it lies open in a formal phase: see `corrections`.
    """
    require_planner(by, procedure)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    frozen.refuse_if_held(session, document, now, "note")
    frozen.leave(session, procedure, document, Exit.WITHDRAWN, by=by, now=now)
    document.is_withdrawn = True
    session.add(document)
    facts = {"document": document.id, "title": document.title, "note": note}
    note_in_journal(session, procedure, "document_withdrawn", by=by, now=now, facts=facts)
    record_change(session, procedure, by=by, now=now, note=note)


def document_version(
    session: Session, municipality_id: int, document_id: int, number: int
) -> tuple[Procedure, Document, DocumentVersion] | None:
    """A version of a document with what it belongs to, if that is the municipality's; withdrawn ones too."""
    return session.exec(
        select(Procedure, Document, DocumentVersion)
        .join(Document, col(Document.procedure_id) == Procedure.id)
        .join(DocumentVersion, col(DocumentVersion.document_id) == Document.id)
        .where(
            Procedure.municipality_id == municipality_id,
            Document.id == document_id,
            DocumentVersion.number == number,
        )
    ).first()
