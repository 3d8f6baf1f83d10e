"""Does everything on file still stand as it was received? The journal's chain, files, receipts, certificates."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from sqlalchemy import func
from sqlmodel import Session, col, select

from consultations import evidence_of_publication as publication
from consultations import journal, proposals, rewording, survey_answers, voting
from consultations.announcements import PublicationAct
from consultations.contributions import Attachment, Contribution, PublicationState, Receipt, payload_sha256
from consultations.deadlines import LEGAL_TIME
from consultations.documents import Document, DocumentVersion
from consultations.files import FileStore
from consultations.journal import JournalEntry
from consultations.moderation import ModerationDecision, Redaction, decision_sha256, public_copies
from consultations.people import Person

BATCH = 500


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was: what it concerns, and what is wrong with it."""

    subject: str
    problem: str


def examine(session: Session, files: FileStore) -> Iterator[Finding]:
    """Walk through all evidence and name everything that was tampered with or lost.

    Problems: moderation `decision_altered`, `decision_missing`, `publication_altered`, `version_shown_altered`, `public_copy_altered`, `lateness_altered`; journal `altered`, `missing`, `unlinked`; receipt `receipt_missing`, `content_altered`,
    `receipt_altered` (differs from what the journal sealed), `unsealed` (no journal entry), `vanished`
    (sealed in the journal, no longer there); versions of proposals `version_altered`, `version_unlinked`,
    `version_missing`; votes `ballots_altered`, `vote_reopened`; answers to surveys `answer_altered`, `answer_unlinked`, `answer_missing`;
    those of `evidence_of_publication`; files `file_missing`, `file_altered`.
    Memory is bounded by `BATCH` rows; every file is read once.
    """
    for gap in journal.verify(session):
        yield Finding(f"journal:{gap.municipality_id}/{gap.sequence}", gap.problem)
    yield from _receipts(session)
    for subject, problem in (
        *proposals.examine(session),
        *rewording.examine(session),
        *voting.examine(session),
        *survey_answers.examine(session),
        *publication.frozen_documents(session),
        *publication.all_certificates(session),
        *publication.announcements(session),
        *publication.official_answers(session),
        *publication.late_decisions(session),
    ):
        yield Finding(subject, problem)
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
        yield from _check_decisions(session, rows)
        session.expunge_all()
    yield from _vanished(session)


def _check_receipts(session: Session, rows: Sequence[Contribution]) -> Iterator[Finding]:
    ids = [row.id for row in rows]
    subjects = [f"contribution:{row.id}" for row in rows]
    receipts = {
        receipt.contribution_id: receipt
        for receipt in session.exec(select(Receipt).where(col(Receipt.contribution_id).in_(ids))).all()
    }
    attachments = _attachments_of(session, ids)
    people = {
        person.id: person
        for person in session.exec(
            select(Person).where(col(Person.id).in_([row.submitter_id for row in rows if row.submitter_id]))
        ).all()
    }
    sealed = {
        entry.subject: entry.facts
        for entry in session.exec(
            select(JournalEntry).where(
                col(JournalEntry.subject).in_(subjects),
                JournalEntry.verb == "contribution_received",
            )
        ).all()
    }
    #: Whether it is late, as last noted: at its receipt, or when it turned out to belong to another phase.
    late = {subject: facts.get("late") for subject, facts in sealed.items()} | {
        entry.subject: entry.facts.get("late")
        for entry in session.exec(
            select(JournalEntry)
            .where(col(JournalEntry.subject).in_(subjects), JournalEntry.verb == "contribution_moved")
            .order_by(col(JournalEntry.id))
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
        else:
            if receipt.payload_sha256 != sealed[subject].get("payload_sha256"):
                yield Finding(subject, "receipt_altered")
            if row.is_late != late[subject]:
                yield Finding(subject, "lateness_altered")
        # What was entered with a day of its own was first sealed with that day as the clock on the wall spells it: the
        # same moment, so nothing that was altered passes by it.
        spelled = (
            payload_sha256(row, people.get(row.submitter_id), attachments.get(row.id, []), zone=zone)
            for zone in (UTC, LEGAL_TIME)
        )
        if receipt.payload_sha256 not in spelled:
            yield Finding(subject, "content_altered")


def _attachments_of(session: Session, ids: Sequence[int | None]) -> dict[int, list[Attachment]]:
    found: dict[int, list[Attachment]] = {}
    for file in session.exec(
        select(Attachment).where(col(Attachment.contribution_id).in_(ids)).order_by(col(Attachment.position))
    ).all():
        found.setdefault(file.contribution_id, []).append(file)
    return found


def _check_decisions(session: Session, rows: Sequence[Contribution]) -> Iterator[Finding]:
    """Decisions on publication and the public versions they made, against what the journal sealed."""
    ids = [row.id for row in rows]
    decisions: dict[int, list[ModerationDecision]] = {}
    for decision in session.exec(
        select(ModerationDecision)
        .where(col(ModerationDecision.contribution_id).in_(ids))
        .order_by(col(ModerationDecision.id))
    ).all():
        decisions.setdefault(decision.contribution_id, []).append(decision)
    files = _attachments_of(session, ids)
    redactions = {
        redaction.id: redaction
        for redaction in session.exec(select(Redaction).where(col(Redaction.contribution_id).in_(ids))).all()
    }
    entries: dict[str, list[JournalEntry]] = {}
    for entry in session.exec(
        select(JournalEntry)
        .where(
            col(JournalEntry.subject).in_([f"contribution:{row_id}" for row_id in ids]),
            col(JournalEntry.verb) != "contribution_received",
        )
        .order_by(col(JournalEntry.id))
    ).all():
        entries.setdefault(entry.subject, []).append(entry)
    for row in rows:
        subject = f"contribution:{row.id}"
        past = entries.get(subject, [])
        made = decisions.get(row.id or 0, [])
        sealed = [entry.facts.get("sha256") for entry in past if entry.verb.startswith("moderation_")]
        if len(made) != len(sealed):
            yield Finding(subject, "decision_missing")
        elif sealed != [decision_sha256(each, redactions.get(each.redaction_id)) for each in made]:
            yield Finding(subject, "decision_altered")
        # What the public reads is what the last decision left: no earlier version, and not what was handed in.
        elif (
            made
            and row.publication == PublicationState.PUBLISHED
            and row.redaction_id != made[-1].redaction_id
        ):
            yield Finding(subject, "version_shown_altered")
        copies = [entry.facts["copies"] for entry in past if "copies" in entry.facts]
        if copies and public_copies(files.get(row.id or 0, [])) != copies[-1]:
            yield Finding(subject, "public_copy_altered")
        shown = redactions.get(row.redaction_id) if row.redaction_id else None
        if row.publication != _publication_by(past, row) or row.place_hidden != bool(
            shown and shown.hides_place
        ):
            yield Finding(subject, "publication_altered")


def _publication_by(past: Sequence[JournalEntry], row: Contribution) -> str:
    """What the journal says the public sees of it."""
    state = PublicationState.PENDING if row.wants_publication else PublicationState.PRIVATE
    for entry in past:
        if entry.verb.startswith("moderation_"):
            state = PublicationState(entry.facts["state"])
        elif entry.verb in _TAKEN_BACK and state is not PublicationState.PRIVATE:
            state = PublicationState.RETRACTED
    return state.value


_TAKEN_BACK = ("contribution_retracted", "contribution_withdrawn")


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
    for document_id, number, sha256, original in session.exec(
        select(
            DocumentVersion.document_id,
            DocumentVersion.number,
            DocumentVersion.sha256,
            DocumentVersion.original_sha256,
        )
    ).all():
        hashes.setdefault(sha256, f"document:{document_id}/{number}")
        if original:
            hashes.setdefault(original, f"document:{document_id}/{number}")
    for sha256, subject in publication.files(session):
        hashes.setdefault(sha256, subject)
    for act_id, sha256 in session.exec(
        select(PublicationAct.id, PublicationAct.sha256).where(PublicationAct.filename != "")
    ).all():
        hashes.setdefault(sha256, f"publication_act:{act_id}")
    for sha256, subject in hashes.items():
        problem = _problem_of(files, sha256)
        if problem:
            yield Finding(subject, problem)


def _problem_of(files: FileStore, sha256: str) -> str:
    try:
        if not files.exists(sha256):
            return "file_missing"
        return "" if files.verify(sha256) else "file_altered"
    except ValueError:
        # Somebody wrote something else than a hash into the row: all others are still looked at.
        return "file_missing"


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
