"""Documents of a procedure and their versions: what they are, and the questions about them.

What changes them is in `filing`, which counts each change as one of the procedure.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import PurePosixPath

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from consultations.files import EXTENSIONS, AcceptedFile
from consultations.tables import Json, UtcDateTime


class DocumentKind(StrEnum):
    """What a document is in the procedure."""

    PLAN_DRAWING = "plan_drawing"
    EXPLANATORY_REPORT = "explanatory_report"
    ENVIRONMENTAL_REPORT = "environmental_report"
    ENVIRONMENTAL_STATEMENT = "environmental_statement"
    EXPERT_REPORT = "expert_report"
    ANNOUNCEMENT = "announcement"
    RESULT = "result"
    OTHER = "other"


class Document(SQLModel, table=True):
    """A document of a procedure; its files are its versions."""

    __tablename__ = "document"
    __table_args__ = (Index("ix_document_procedure_id_position", "procedure_id", "position"),)

    id: int | None = Field(default=None, primary_key=True)
    procedure_id: int = Field(foreign_key="procedure.id")
    kind: str = DocumentKind.OTHER.value
    title: str
    position: int = 0
    is_withdrawn: bool = False


class DocumentVersion(SQLModel, table=True):
    """A file of a document, by content hash. Never replaced: a new file is a new version."""

    __tablename__ = "document_version"
    __table_args__ = (UniqueConstraint("document_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    document_id: int = Field(foreign_key="document.id")
    number: int
    #: The file that everybody may read, and the one that was delivered where that is another: of pictures a copy
    #: without place and camera data is published, the delivered one is evidence.
    sha256: str = Field(index=True)
    original_sha256: str = ""
    filename: str
    media_type: str
    size: int
    pages: int | None = None
    #: Text for readers who cannot use the file; extracted, or typed by the planner.
    text: str = ""
    #: What the file's own data tell of people: {"author", "last_modified_by", "company", "manager"}.
    says: dict[str, str] = Field(default_factory=dict, sa_type=Json)
    note: str = ""
    uploaded_at: datetime = Field(sa_type=UtcDateTime)
    uploaded_by: str


@dataclass(frozen=True)
class FileFacts:
    """A stored file as everybody may read it; `original_sha256` is the one that was delivered, where it is another."""

    sha256: str
    filename: str
    media_type: str
    size: int
    pages: int | None = None
    text: str = ""
    original_sha256: str = ""
    says: dict[str, str] = field(default_factory=dict)


def published_facts(file: AcceptedFile) -> FileFacts:
    """What is published of a file that was taken in: of a picture its copy without hidden data."""
    if file.public_sha256 is None or file.public_media_type is None or file.public_size is None:
        return FileFacts(
            file.sha256, file.filename, file.media_type, file.size, file.pages, file.text, says=file.says
        )
    suffix = EXTENSIONS[file.public_media_type]
    name = PurePosixPath(file.filename)
    return FileFacts(
        file.public_sha256,
        file.filename if file.public_media_type == file.media_type else f"{name.stem}{suffix}",
        file.public_media_type,
        file.public_size,
        file.pages,
        file.text,
        original_sha256=file.sha256,
    )


def documents_of(session: Session, procedure_id: int) -> list[tuple[Document, list[DocumentVersion]]]:
    """The documents in their order, each with its versions, newest first; two queries."""
    documents = session.exec(
        select(Document)
        .where(Document.procedure_id == procedure_id)
        .order_by(col(Document.position), col(Document.id))
    ).all()
    versions = session.exec(
        select(DocumentVersion)
        .join(Document, col(Document.id) == DocumentVersion.document_id)
        .where(Document.procedure_id == procedure_id)
        .order_by(col(DocumentVersion.number).desc())
    ).all()
    return [(each, [version for version in versions if version.document_id == each.id]) for each in documents]


def document_of(session: Session, procedure_id: int | None, document_id: int) -> Document | None:
    """The document with this id, if it belongs to the procedure."""
    document = session.get(Document, document_id)
    return document if document and document.procedure_id == procedure_id else None


def newest_version(session: Session, document: Document) -> DocumentVersion:
    """The newest version of a document; there always is one."""
    return session.exec(
        select(DocumentVersion)
        .where(DocumentVersion.document_id == document.id)
        .order_by(col(DocumentVersion.number).desc())
        .limit(1)
    ).one()
