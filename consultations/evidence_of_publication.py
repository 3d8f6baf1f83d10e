"""Does the proof of publications still stand? Frozen documents, certificates, decisions about late statements, layers."""

from collections.abc import Iterator

from sqlmodel import Session, col, select

from consultations import certificates
from consultations.certificates import Certificate
from consultations.documents import DocumentVersion
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
