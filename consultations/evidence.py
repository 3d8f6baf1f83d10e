"""Does everything on file still stand as it was received? The journal's chain, every file, every receipt."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import func
from sqlmodel import Session, col, select

from consultations import journal
from consultations.contributions import Attachment, Contribution, Receipt, payload_sha256
from consultations.files import FileStore
from consultations.journal import JournalEntry
from consultations.moderation import Redaction
from consultations.people import Person
from consultations.procedures import Document, DocumentVersion

BATCH = 500


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was: what it concerns, and what is wrong with it."""

    subject: str
    problem: str


def examine(session: Session, files: FileStore) -> Iterator[Finding]:
    """Walk through all evidence and name everything that was tampered with or lost.

    Problems: journal `altered`, `missing`, `unlinked`; receipt `receipt_missing`, `content_altered`,
    `receipt_altered` (differs from what the journal sealed), `unsealed` (no journal entry), `vanished`
    (sealed in the journal, no longer there); files `file_missing`, `file_altered`.
    Memory is bounded by `BATCH` rows; every file is read once.
    """
    for gap in journal.verify(session):
        yield Finding(f"journal:{gap.municipality_id}/{gap.sequence}", gap.problem)
    yield from _receipts(session)
    yield from _files(session, files)


def _receipts(session: Session) -> Iterator[Finding]:
    last = 0
    while True:
        rows = session.exec(
            select(Contribution)
            .where(col(Contribution.id) > last)
            .order_by(col(Contribution.id))
            .limit(BATCH)
        ).all()
        if not rows:
            break
        last = rows[-1].id or 0
        yield from _check_receipts(session, rows)
        session.expunge_all()
    yield from _vanished(session)


def _check_receipts(session: Session, rows: Sequence[Contribution]) -> Iterator[Finding]:
    ids = [row.id for row in rows]
    subjects = [f"contribution:{row.id}" for row in rows]
    receipts = {
        receipt.contribution_id: receipt
        for receipt in session.exec(select(Receipt).where(col(Receipt.contribution_id).in_(ids))).all()
    }
    attachments: dict[int, list[Attachment]] = {}
    for file in session.exec(
        select(Attachment).where(col(Attachment.contribution_id).in_(ids)).order_by(col(Attachment.position))
    ).all():
        attachments.setdefault(file.contribution_id, []).append(file)
    people = {
        person.id: person
        for person in session.exec(
            select(Person).where(col(Person.id).in_([row.submitter_id for row in rows if row.submitter_id]))
        ).all()
    }
    sealed = {
        entry.subject: str(entry.facts.get("payload_sha256"))
        for entry in session.exec(
            select(JournalEntry).where(
                col(JournalEntry.subject).in_(subjects),
                JournalEntry.verb == "contribution_received",
            )
        ).all()
    }
    for row, subject in zip(rows, subjects, strict=True):
        assert row.id is not None
        receipt = receipts.get(row.id)
        if receipt is None:
            yield Finding(subject, "receipt_missing")
            continue
        if subject not in sealed:
            yield Finding(subject, "unsealed")
        elif receipt.payload_sha256 != sealed[subject]:
            yield Finding(subject, "receipt_altered")
        actual = payload_sha256(row, people.get(row.submitter_id), attachments.get(row.id, []))
        if actual != receipt.payload_sha256:
            yield Finding(subject, "content_altered")


def _vanished(session: Session) -> Iterator[Finding]:
    """Contributions that the journal knows and the table does not."""
    last = 0
    while True:
        entries = session.exec(
            select(JournalEntry)
            .where(JournalEntry.verb == "contribution_received", col(JournalEntry.id) > last)
            .order_by(col(JournalEntry.id))
            .limit(BATCH)
        ).all()
        if not entries:
            return
        last = entries[-1].id or 0
        wanted = {int(entry.subject.partition(":")[2]): entry.subject for entry in entries}
        found = set(session.exec(select(Contribution.id).where(col(Contribution.id).in_(list(wanted)))).all())
        for contribution_id, subject in wanted.items():
            if contribution_id not in found:
                yield Finding(subject, "vanished")
        session.expunge_all()


def _files(session: Session, files: FileStore) -> Iterator[Finding]:
    """Every file that a row refers to: there, and still of the hash it is filed under."""
    hashes: dict[str, str] = {}
    for attachment_id, sha256, public in session.exec(
        select(Attachment.id, Attachment.sha256, Attachment.public_sha256)
    ).all():
        hashes.setdefault(sha256, f"attachment:{attachment_id}")
        if public:
            hashes.setdefault(public, f"attachment:{attachment_id}/public")
    for document_id, number, sha256 in session.exec(
        select(DocumentVersion.document_id, DocumentVersion.number, DocumentVersion.sha256)
    ).all():
        hashes.setdefault(sha256, f"document:{document_id}/{number}")
    for sha256, subject in hashes.items():
        if not files.exists(sha256):
            yield Finding(subject, "file_missing")
        elif not files.verify(sha256):
            yield Finding(subject, "file_altered")


@dataclass(frozen=True)
class Extent:
    """How much was looked at."""

    journal_entries: int
    contributions: int
    redactions: int
    documents: int


def extent(session: Session) -> Extent:
    """How many rows of evidence there are, for the report of a clean examination."""

    def count(table: type) -> int:
        return int(session.exec(select(func.count()).select_from(table)).one())

    return Extent(count(JournalEntry), count(Contribution), count(Redaction), count(Document))
