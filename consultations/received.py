"""Looking up what was handed in: by access code, reference or key, with its files and its receipt; and the register."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, func, or_, text
from sqlmodel import Session, col, select

from consultations import journal, places, procedures, search
from consultations.contributions import (
    Attachment,
    Contribution,
    PublicationState,
    Receipt,
    read_access_code,
)
from consultations.documents import Document
from consultations.people import Organisation, Person
from consultations.permissions import Actor
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from consultations.search import Scope
from consultations.tables import one_of
from consultations.text import normalise


def by_access_code(session: Session, municipality_id: int, typed: str) -> Contribution | None:
    """The contribution that this code belongs to, in this municipality, or None."""
    code = read_access_code(typed)
    if code is None:
        return None
    return session.exec(
        select(Contribution).where(
            Contribution.access_code == code, Contribution.municipality_id == municipality_id
        )
    ).first()


def by_id(session: Session, municipality_id: int, contribution_id: int) -> Contribution | None:
    """The contribution with this id, if it belongs to the municipality."""
    contribution = session.get(Contribution, contribution_id)
    return contribution if contribution and contribution.municipality_id == municipality_id else None


def by_reference(session: Session, procedure: Procedure, typed: str) -> Contribution | None:
    """The contribution of a procedure with this reference ("BP-12-0031"), in whatever case, or None."""
    return session.exec(
        select(Contribution).where(
            Contribution.procedure_id == procedure.id,
            Contribution.entry_number == _entry_number(procedure, typed),
        )
    ).first()


def by_number(session: Session, municipality_id: int, typed: str) -> Contribution | None:
    """The contribution with this reference, of whatever consultation of the municipality, however it was typed."""
    key = typed.strip().upper().rpartition("-")[0]
    procedure = procedures.by_key(session, municipality_id, key) if key else None
    return by_reference(session, procedure, typed) if procedure else None


def _entry_number(procedure: Procedure, typed: str) -> int:
    """The number at the end of a reference of this procedure; 0, which none has, for anything else."""
    key, _, number = typed.strip().rpartition("-")
    fits = key.casefold() == procedure.key.casefold() and number.isascii() and number.isdigit()
    return int(number) if fits and len(number) < 10 else 0


def references(session: Session, contribution_ids: Sequence[int]) -> dict[int, str]:
    """Reference numbers by id, in one query."""
    rows = session.exec(
        select(Contribution.id, Contribution.reference).where(col(Contribution.id).in_(contribution_ids))
    ).all()
    return {number: reference for number, reference in rows if number is not None}


def attachments_of(session: Session, contribution_id: int) -> list[Attachment]:
    """The files of a contribution in their order."""
    return list(
        session.exec(
            select(Attachment)
            .where(Attachment.contribution_id == contribution_id)
            .order_by(col(Attachment.position))
        ).all()
    )


def receipt_of(session: Session, contribution_id: int) -> Receipt:
    """The receipt of a contribution; there always is one. Raises Refusal NOT_FOUND otherwise."""
    receipt = session.get(Receipt, contribution_id)
    if receipt is None:
        raise Refusal(Code.NOT_FOUND)
    return receipt


def submitter_of(session: Session, contribution: Contribution) -> tuple[Person | None, Organisation | None]:
    """Who handed it in, as far as they said."""
    person = session.get(Person, contribution.submitter_id) if contribution.submitter_id else None
    organisation = (
        session.get(Organisation, person.organisation_id) if person and person.organisation_id else None
    )
    return person, organisation


def published_count(session: Session, *procedure_ids: int) -> int:
    """How many contributions of procedures the public can read."""
    return session.exec(
        select(func.count()).where(
            one_of(col(Contribution.procedure_id), procedure_ids),
            Contribution.publication == PublicationState.PUBLISHED.value,
        )
    ).one()


def topics_of(session: Session, *procedure_ids: int) -> tuple[str, ...]:
    """The topics that published contributions of procedures name, in alphabetical order; one query."""
    found = session.connection().execute(_TOPICS, {"procedures": procedure_ids}).scalars()
    return tuple(sorted(found, key=str.casefold))


# From one topic to the next in the index: as many steps as there are topics, however many contributions.
_TOPICS = text(
    "WITH RECURSIVE known (procedure_id, name) AS ("
    " SELECT procedure.id, (SELECT min(topic) FROM contribution"
    " WHERE procedure_id = procedure.id AND publication = 'published' AND topic != '')"
    " FROM procedure WHERE procedure.id IN :procedures"
    " UNION ALL SELECT known.procedure_id, ("
    " SELECT min(contribution.topic) FROM contribution"
    " WHERE contribution.procedure_id = known.procedure_id AND publication = 'published' AND contribution.topic != ''"
    " AND contribution.topic > known.name)"
    " FROM known WHERE known.name IS NOT NULL"
    ") SELECT DISTINCT name FROM known WHERE name IS NOT NULL"
).bindparams(bindparam("procedures", expanding=True))


@dataclass(frozen=True)
class Record:
    """A contribution with everything that its receipt tells, read once. The rows are not to be changed."""

    contribution: Contribution
    procedure: Procedure
    phase: Phase | None
    receipt: Receipt
    person: Person | None
    organisation: Organisation | None
    attachments: tuple[Attachment, ...]
    document: Document | None
    #: The chosen place of the list, if there was one.
    place_name: str
    supplements: Contribution | None


def record_of(session: Session, contribution: Contribution) -> Record:
    """Everything about a contribution in a fixed number of reads. Raises Refusal NOT_FOUND without a receipt."""
    assert contribution.id is not None
    person, organisation = submitter_of(session, contribution)
    place = (
        places.by_id(session, contribution.municipality_id, contribution.place_id)
        if contribution.place_id
        else None
    )
    return Record(
        contribution=contribution,
        procedure=session.get_one(Procedure, contribution.procedure_id),
        phase=session.get(Phase, contribution.phase_id) if contribution.phase_id else None,
        receipt=receipt_of(session, contribution.id),
        person=person,
        organisation=organisation,
        attachments=tuple(attachments_of(session, contribution.id)),
        document=session.get(Document, contribution.document_id) if contribution.document_id else None,
        place_name=place.name if place else "",
        supplements=(
            session.get(Contribution, contribution.supplements_id) if contribution.supplements_id else None
        ),
    )


def register(
    session: Session,
    municipality_id: int,
    *,
    words: str = "",
    procedure_id: int | None = None,
    procedure_ids: Sequence[int] | None = None,
    channel: str = "",
    is_late: bool | None = None,
    condition: ColumnElement[bool] | None = None,
    before_id: int | None = None,
    limit: int = 25,
) -> list[Contribution]:
    """Everything received by a municipality, newest first, `limit` rows before `before_id`; for staff.

    `words` may be a reference, an access code, or words of the original. `procedure_ids` are those that somebody
    may read; None means all. `condition`: what a room above asks for in addition (`lateness.standing`).
    """
    question = (
        select(Contribution)
        .where(Contribution.municipality_id == municipality_id)
        .order_by(col(Contribution.id).desc())
        .limit(limit)
    )
    if words.strip():
        code, reference = read_access_code(words), words.strip()
        exact = or_(col(Contribution.reference) == reference.upper(), col(Contribution.access_code) == code)
        found = search.matching(session, words, Scope.ORIGINAL)
        question = question.where(exact if found is None else or_(exact, found))
    if procedure_id is not None:
        question = question.where(Contribution.procedure_id == procedure_id)
    if procedure_ids is not None:
        question = question.where(col(Contribution.procedure_id).in_(procedure_ids))
    if channel:
        question = question.where(Contribution.channel == channel)
    if condition is not None:
        question = question.where(condition)
    if is_late is not None:
        question = question.where(Contribution.is_late == is_late)
    if before_id is not None:
        question = question.where(col(Contribution.id) < before_id)
    return list(session.exec(question).all())


#: Characters of why a receipt was printed again.
WHY_LIMIT = 300


def note_code_printed(session: Session, row: Contribution, *, why: str, by: Actor, now: datetime) -> None:
    """Somebody prints a receipt with its access code again: whoever has the code can read, add and withdraw in the person's
    place, so the journal keeps by whom and why. Raises Refusal REASON_REQUIRED and TEXT_TOO_LONG ("why")."""
    words = normalise(why, field="why", limit=WHY_LIMIT).strip()
    if not words:
        raise Refusal(Code.REASON_REQUIRED, "why")
    journal.append(
        session,
        municipality_id=row.municipality_id,
        verb="receipt_printed_with_code",
        by=by,
        at=now,
        procedure_id=row.procedure_id,
        subject=f"contribution:{row.id}",
        facts={"why": words},
    )
