"""Does what was published still stand? Frozen documents, certificates, announcements, official answers and what became of
them, decisions about late statements, layers."""

import hashlib
from collections.abc import Iterator

from sqlmodel import Session, col, select

from consultations import certificates, evaluation, implementation
from consultations.announcements import Announcement, PublicationAct
from consultations.certificates import Certificate
from consultations.documents import DocumentVersion
from consultations.evaluation import Answer
from consultations.frozen import FrozenDocument
from consultations.implementation import ImplementationEntry
from consultations.journal import JournalEntry
from consultations.lateness import LateDecision, decision_sha256
from consultations.places import Layer
from consultations.variants import Variant

BATCH = 500

Problem = tuple[str, str]
"""What it concerns, and what is wrong with it."""


def frozen_documents(session: Session) -> Iterator[Problem]:
    """Frozen rows against the versions they froze and against the journal.

    `frozen_altered`: another hash than the journal sealed, or than its version has; `unsealed`: the journal knows no
    freezing of it; `vanished`: the journal knows it, the table does not.
    """
    sealed: dict[int, str] = {}
    for entry in _entries(session, "documents_frozen"):
        for each in entry.facts.get("documents", ()):
            sealed[int(each["frozen"])] = str(each["sha256"])
    found: set[int] = set()
    last = 0
    while True:
        rows = session.exec(
            select(FrozenDocument, DocumentVersion.sha256)
            .join(DocumentVersion, col(DocumentVersion.id) == FrozenDocument.version_id)
            .where(col(FrozenDocument.id) > last)
            .order_by(col(FrozenDocument.id))
            .limit(BATCH)
        ).all()
        if not rows:
            break
        for row, version_sha256 in rows:
            assert row.id is not None
            last = row.id
            found.add(row.id)
            if row.id not in sealed:
                yield f"frozen:{row.id}", "unsealed"
            elif len({row.sha256, version_sha256, sealed[row.id]}) > 1:
                yield f"frozen:{row.id}", "frozen_altered"
        session.expunge_all()
    for frozen_id in sorted(set(sealed) - found):
        yield f"frozen:{frozen_id}", "vanished"


def all_certificates(session: Session) -> Iterator[Problem]:
    """Certificates against their seals and the record: the words of `certificates.Verification`, and `vanished`.

    That a period was changed afterwards is lawful (a restart) and no finding here.
    """
    known: set[str] = set()
    last = 0
    while True:
        rows = session.exec(
            select(Certificate).where(col(Certificate.id) > last).order_by(col(Certificate.id)).limit(BATCH)
        ).all()
        if not rows:
            break
        for row in rows:
            last = row.id or 0
            subject = f"certificate:{row.id}"
            known.add(subject)
            for problem in certificates.verify(session, row).problems:
                if problem != "period_changed":
                    yield subject, problem
        session.expunge_all()
    for entry in _entries(session, "certificate_issued"):
        if entry.subject not in known:
            yield entry.subject, "vanished"


def late_decisions(session: Session) -> Iterator[Problem]:
    """Decisions about late statements against what the journal sealed: `late_decision_altered`, `late_decision_missing`."""
    made: dict[tuple[str, int], str] = {}
    for row in session.exec(select(LateDecision).order_by(col(LateDecision.id))).yield_per(BATCH):
        made[(f"contribution:{row.contribution_id}", row.number)] = decision_sha256(row)
    sealed: set[tuple[str, int]] = set()
    for entry in _entries(session, "lateness_decided"):
        key = (entry.subject, int(entry.facts.get("number", 0)))
        sealed.add(key)
        if key not in made:
            yield entry.subject, "late_decision_missing"
        elif made[key] != entry.facts.get("sha256"):
            yield entry.subject, "late_decision_altered"
    for subject, _number in sorted(set(made) - sealed):
        yield subject, "late_decision_altered"


def announcements(session: Session) -> Iterator[Problem]:
    """Acts of publication against the journal, and with those of this website the text that it showed.

    `publication_act_altered`, `publication_act_missing`, `announcement_altered`.
    """
    for entry in _entries(session, "publication_act_recorded"):
        sealed, subject = entry.facts, f"publication_act:{entry.facts['act']}"
        act = session.get(PublicationAct, int(sealed["act"]))
        if act is None:
            yield subject, "publication_act_missing"
            continue
        told = (act.announcement_id, act.medium, act.day.isoformat(), act.issue, act.sha256)
        if told != tuple(sealed[name] for name in ("announcement", "medium", "day", "issue", "sha256")):
            yield subject, "publication_act_altered"
        elif act.sha256 and not act.filename:
            version = session.get_one(Announcement, act.announcement_id)
            if hashlib.sha256(version.text.encode()).hexdigest() != act.sha256:
                yield f"announcement:{version.id}", "announcement_altered"


def official_answers(session: Session) -> Iterator[Problem]:
    """Published answers to proposals, and what was told of their way to being built, against what the journal sealed.

    `official_answer_altered` (also: published without an entry), `official_answer_missing`, `implementation_altered`,
    `implementation_missing`.
    """
    sealed: set[tuple[int, int]] = set()
    for entry in _entries(session, "answer_published"):
        proposal_id, number = int(entry.subject.partition(":")[2]), int(entry.facts["number"])
        sealed.add((proposal_id, number))
        answer = session.exec(
            select(Answer).where(Answer.proposal_id == proposal_id, Answer.number == number)
        ).first()
        if answer is None or answer.published_at is None:
            yield entry.subject, "official_answer_missing"
        elif evaluation.seal(answer) != entry.facts["sha256"]:
            yield entry.subject, "official_answer_altered"
    for proposal_id, number in session.exec(
        select(Answer.proposal_id, Answer.number).where(col(Answer.published_at).is_not(None))
    ):
        if (proposal_id, number) not in sealed:
            yield f"proposal:{proposal_id}", "official_answer_altered"
    for verb in ("implementation_told", "implementation_taken_back"):
        for entry in _entries(session, verb):
            told = session.get(ImplementationEntry, int(entry.facts["entry"]))
            if told is None:
                yield f"implementation:{entry.facts['entry']}", "implementation_missing"
            elif any(
                entry.facts.get(name, value) != value for name, value in implementation.sealed(told).items()
            ):
                yield f"implementation:{told.id}", "implementation_altered"


def files(session: Session) -> Iterator[tuple[str, str]]:
    """The files that proofs and maps rest on, as (SHA-256, subject)."""
    for frozen_id, sha256 in session.exec(select(FrozenDocument.id, FrozenDocument.sha256)).all():
        yield sha256, f"frozen:{frozen_id}"
    for layer_id, original, normalised in session.exec(
        select(Layer.id, Layer.original_sha256, Layer.normalised_sha256)
    ).all():
        for sha256, part in ((original, "original"), (normalised, "normalised")):
            if sha256:
                yield sha256, f"layer:{layer_id}/{part}"
    for variant_id, sha256 in session.exec(select(Variant.id, Variant.model_sha256)).all():
        yield sha256, f"variant:{variant_id}"
    for entry_id, sha256 in session.exec(
        select(ImplementationEntry.id, ImplementationEntry.picture_sha256).where(
            ImplementationEntry.picture_sha256 != ""
        )
    ).all():
        yield sha256, f"implementation:{entry_id}"


def _entries(session: Session, verb: str) -> Iterator[JournalEntry]:
    last = 0
    while True:
        rows = session.exec(
            select(JournalEntry)
            .where(JournalEntry.verb == verb, col(JournalEntry.id) > last)
            .order_by(col(JournalEntry.id))
            .limit(BATCH)
        ).all()
        if not rows:
            return
        last = rows[-1].id or 0
        yield from rows
