"""One door for every channel: `submit`. Web form, letter, telephone call or bulk import: the same function,
the same state, the same receipt, the same queue.

What was handed in is evidence and never changes. What the public sees of it is a separate question with its
own state (`PublicationState`) and, where words have to be blacked out, a redaction with a name on it.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, bindparam, func
from sqlalchemy import select as select_columns
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import (
    channels,
    cocreation,
    journal,
    locations,
    notices,
    people,
    proposals,
    search,
    wording,
)
from consultations.cocreation import Naming, Writers
from consultations.deadlines import PhaseState, is_in_time, local_date
from consultations.documents import Document
from consultations.notices import Notice
from consultations.people import Person, PersonInput
from consultations.permissions import Actor, Permission, may
from consultations.phases import Opens, Phase, Track, phase_for, phases_asked
from consultations.prepared import Prepared, at_once, together
from consultations.procedures import Procedure, ProcedureState, subject_names
from consultations.refusals import Code, Refusal
from consultations.search import Among, Scope
from consultations.tables import BigKey, Json, UtcDateTime, insert_object, insert_row, next_key, only
from consultations.text import normalise
from consultations.wording import Passage
from geo.geometry import Located

#: Without 0/O, 1/I/L, 2/Z, 5/S, 8/B and U/V, which look alike on paper.
CODE_ALPHABET = "34679ACDEFGHJKMNPQRTWXY"
CODE_LENGTH = 8
ATTACHMENTS_LIMIT = 10
TITLE_LIMIT = 300
SHORT_LIMIT = 500


class Kind(StrEnum):
    """What a contribution is; fixed by the phase it was handed in to, never silently converted."""

    STATEMENT = "statement"
    PROPOSAL = "proposal"
    COMMENT = "comment"


class ContributionState(StrEnum):
    """Whether the submitter stands by it. A withdrawn one stays on file."""

    RECEIVED = "received"
    WITHDRAWN = "withdrawn"


class PublicationState(StrEnum):
    """What the public sees of it."""

    PENDING = "pending"  # waits for a moderator
    PUBLISHED = "published"  # as it is, or through a redaction
    WITHHELD = "withheld"  # kept from the public, with a reason
    PRIVATE = "private"  # the submitter does not want it published
    RETRACTED = "retracted"  # the submitter took it back from the public


#: Which publication state may follow which, and nothing else.
PUBLICATION_MOVES: dict[PublicationState, frozenset[PublicationState]] = {
    PublicationState.PENDING: frozenset(
        {PublicationState.PUBLISHED, PublicationState.WITHHELD, PublicationState.RETRACTED}
    ),
    PublicationState.PUBLISHED: frozenset(
        {
            PublicationState.PENDING,
            PublicationState.PUBLISHED,
            PublicationState.WITHHELD,
            PublicationState.RETRACTED,
        }
    ),
    PublicationState.WITHHELD: frozenset(
        {
            PublicationState.PENDING,
            PublicationState.PUBLISHED,
            PublicationState.WITHHELD,
            PublicationState.RETRACTED,
        }
    ),
    PublicationState.PRIVATE: frozenset(),
    PublicationState.RETRACTED: frozenset(),
}


class Contribution(SQLModel, table=True):
    """Something somebody handed in, by whatever channel. Only the states below `# state` ever change."""

    __tablename__ = "contribution"
    __table_args__ = (
        UniqueConstraint("procedure_id", "submission_key"),
        UniqueConstraint("procedure_id", "entry_number"),
        Index("ix_contribution_procedure_id_publication_id", "procedure_id", "publication", "id"),
        # What maps and filters ask for stands in the index itself, so that counting never reads the texts.
        Index(
            "ix_contribution_procedure_id_publication_cell",
            *("procedure_id", "publication", "cell", "kind", "topic", "lon", "lat", "place_hidden"),
        ),
        Index(
            "ix_contribution_procedure_id_publication_received_at",
            *("procedure_id", "publication", "received_at", "id"),
        ),
        Index("ix_contribution_municipality_id_publication_id", "municipality_id", "publication", "id"),
        Index(
            "ix_contribution_procedure_id_publication_topic",
            *("procedure_id", "publication", "topic"),
            **only("topic != ''"),
        ),
        # Most contributions answer nothing; what is not in an index need not be written into it.
        Index("ix_contribution_parent_id", "parent_id", **only("parent_id IS NOT NULL")),
        Index("ix_contribution_supplements_id", "supplements_id", **only("supplements_id IS NOT NULL")),
        Index("ix_contribution_procedure_id_source_id", "procedure_id", "source_id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    phase_id: int | None = Field(default=None, foreign_key="phase.id", index=True)
    kind: str
    channel: str
    #: "BP-12-0031": procedure key and entry number.
    reference: str
    entry_number: int
    access_code: str = Field(unique=True)
    submission_key: str
    #: What an import calls it, so that importing twice changes nothing.
    source_id: str = ""
    #: The date that counts.
    received_at: datetime = Field(sa_type=UtcDateTime)
    written_on: date | None = None
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    recorded_by: str
    is_late: bool = False
    #: The last day of a period of its own: that of an agency that was asked (BauGB §4(2)); None: that of the phase.
    due_on: date | None = None
    #: The phase that its receipt was sealed with, where it turned out to belong to another one; 0: to none.
    sealed_phase: int | None = None
    language: str = "de"
    title: str = ""
    text: str = ""
    #: The topic as it was handed in; what everybody reads and filters by is `topic`.
    category: str = ""
    #: Name under which an informal contribution may appear; never the person's own name by default.
    pseudonym: str = ""
    on_behalf_of: str = ""
    submitter_id: int | None = Field(default=None, foreign_key="person.id", index=True)
    wants_publication: bool = False
    #: What it refers to, if not the whole plan.
    document_id: int | None = Field(default=None, foreign_key="document.id")
    section: str = ""
    place_words: str = ""
    place_id: int | None = Field(default=None)
    #: Where, as WKB in EPSG:25832 (metres); a point on it in degrees; its cell.
    geometry: bytes | None = None
    geometry_kind: str = ""
    lon: float | None = None
    lat: float | None = None
    cell: int | None = Field(default=None, sa_column=Column(BigKey, nullable=True))
    #: How high, in metres after DHHN2016, and what it is about: see `Thing`.
    elevation: float | None = None
    thing: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: A comment's contribution, or what this one adds something to.
    parent_id: int | None = Field(default=None, foreign_key="contribution.id")
    supplements_id: int | None = Field(default=None, foreign_key="contribution.id")
    # state
    state: str = ContributionState.RECEIVED.value
    publication: str = PublicationState.PENDING.value
    redaction_id: int | None = None
    #: Whether the redaction keeps the exact place to the town hall: then it is on no map and in no open data.
    place_hidden: bool = False
    #: Counts decisions on publication, so that nobody decides on what has been decided meanwhile.
    decisions: int = 0
    #: The topic under which it stands in lists: as handed in, or as staff have put it right (`topics`).
    topic: str = ""
    topic_is_set: bool = False


class Attachment(SQLModel, table=True):
    """A file that came with a contribution, by content hash; the public copy carries no place or camera data."""

    __tablename__ = "attachment"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    contribution_id: int = Field(sa_column_kwargs={"index": True}, foreign_key="contribution.id")
    position: int
    sha256: str = Field(index=True)
    public_sha256: str = ""
    public_media_type: str = ""
    filename: str
    media_type: str
    size: int
    pages: int | None = None
    #: The scan or original file of what came on paper or by mail, as opposed to what was enclosed.
    is_original: bool = False
    #: What a picture shows, in words, for those who cannot see it.
    description: str = ""


class Receipt(SQLModel, table=True):
    """That it was received, when, and what exactly: the hash is taken over all that was handed in."""

    __tablename__ = "receipt"

    contribution_id: int = Field(foreign_key="contribution.id", primary_key=True)
    issued_at: datetime = Field(sa_type=UtcDateTime)
    payload_sha256: str


@dataclass(frozen=True)
class AttachedFile:
    """A stored file to attach, as `files.accept_upload` describes it."""

    sha256: str
    filename: str
    media_type: str
    size: int
    pages: int | None = None
    public_sha256: str = ""
    public_media_type: str = ""
    is_original: bool = False
    #: What a picture shows, in words.
    description: str = ""


@dataclass(frozen=True)
class Thing:
    """What a contribution is about, as it was called when it was chosen: a building of the city model, or an object of a
    map layer. Either may be replaced: see `attached`.

    `id` in the city model (of a variant: `variant`, its id) or the object's own id, if it has one; `storey` counted from
    0, the ground floor; `side` a wind ("n", "ne", …) or empty; `above` metres over the ground at the building. `layer` is
    the series of the layer, `kind` its title, `delivery` the id of its row, `feature` the number of the object in it.
    """

    id: str
    name: str = ""
    variant: int | None = None
    storey: int | None = None
    side: str = ""
    above: float | None = None
    layer: int | None = None
    kind: str = ""
    delivery: int | None = None
    feature: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """As it is stored: without what is not known."""
        return {name: value for name, value in vars(self).items() if value not in (None, "")}


@dataclass(frozen=True)
class Submission:
    """What is handed in. Text or an attachment is the only thing required (BauGB §3(2), R-3.2)."""

    kind: Kind
    channel: str
    #: Any unguessable string made once per form: the same key twice is the same contribution.
    key: str
    title: str = ""
    text: str = ""
    #: The named sections of a proposal; the text is then put together from them.
    passages: tuple[Passage, ...] = ()
    person: PersonInput = field(default_factory=PersonInput)
    on_behalf_of: str = ""
    pseudonym: str = ""
    category: str = ""
    language: str = "de"
    wants_publication: bool = False
    document_id: int | None = None
    section: str = ""
    place_words: str = ""
    place_id: int | None = None
    located: Located | None = None
    #: Metres after DHHN2016, and what of the city it is about.
    elevation: float | None = None
    thing: Thing | None = None
    attachments: tuple[AttachedFile, ...] = ()
    written_on: date | None = None
    #: When it reached the city; None means now.
    received_at: datetime | None = None
    parent: Contribution | None = None
    supplements: Contribution | None = None
    source_id: str = ""
    wants_letter: bool = False
    #: It came out of what was handed in before (a rejected amendment, a part of a proposal): who wrote that said then who
    #: they are, and is not asked again.
    is_continued: bool = False
    #: What the person says of themselves, where the phase asks: "age", "resident".
    declares: frozenset[str] = frozenset()
    #: The phase whose request an agency answers, and the last day that the agency was given; None: found by the
    #: moment of receipt.
    phase: Phase | None = None
    due_on: date | None = None


def submit(
    session: Session, submission: Submission, *, procedure: Procedure, by: Actor, now: datetime
) -> Contribution:
    """Take in a contribution: the row, its files, its receipt, its journal entry and the notice, in one transaction.

    The same `key` again gives the contribution that is already there. A statement after the end of the
    period is kept and marked late (BauGB §4a(5)). Entries of a procedure are numbered without a gap.

    Raises Refusal NOT_ALLOWED (channel), WRONG_STATE (procedure not public), EMPTY_CONTRIBUTION ("text"),
    TEXT_TOO_LONG, ATTACHMENTS_TOO_MANY, WRITTEN_AFTER_RECEIVED ("written_on"), RECEIVED_IN_FUTURE
    ("received_at"), KIND_NOT_OPEN, PHASE_NOT_STARTED, PHASE_CLOSED, UNKNOWN_REFERENCE ("document_id"),
    SOME_NAME_REQUIRED ("pseudonym") and OWN_NAME_REQUIRED ("name") where the phase asks for one.
    """
    assert procedure.id is not None
    _check_channel(submission, procedure, by)
    received_at = submission.received_at or now
    with together(session):
        # From now on nobody else hands in; somebody may have sent the same form at the same moment.
        journal.hold(session, procedure.municipality_id)
        answer = _BEFORE.ask(
            session, procedure=procedure.id, submission=submission.key, wanted=procedure.municipality_id
        )
        phases = phases_asked(session, procedure.id)
    sent_before, last_number, *end, key, person_key, notice_key = answer.fetchone()
    if sent_before is not None:
        # What was taken in once stays taken in, whatever has been closed since.
        return session.get_one(Contribution, sent_before)
    submission, phase = _checked(session, submission, procedure, phases(), now, by)
    number = (last_number or 0) + 1
    organisation_id = people.organisation_of(
        session, submission.person, municipality_id=procedure.municipality_id, now=now
    )
    with at_once(session):
        person_id = people.add(
            session, submission.person, key=person_key, organisation_id=organisation_id, now=now
        )
        contribution = _write(
            session, submission, key, number, person_id, phase, procedure=procedure, by=by, now=now
        )
        sealed = payload_sha256(
            contribution, submission.person if person_id else None, submission.attachments
        )
        insert_row(session, Receipt, contribution_id=key, issued_at=now, payload_sha256=sealed)
        search.index(session, key, Scope.ORIGINAL, contribution.title, contribution.text)
        _leave_receipt_notice(session, contribution, submission, now, key=notice_key)
        journal.append(
            session,
            municipality_id=procedure.municipality_id,
            verb="contribution_received",
            by=by,
            at=now,
            procedure_id=procedure.id,
            subject=f"contribution:{key}",
            facts={
                "reference": contribution.reference,
                "kind": contribution.kind,
                "channel": contribution.channel,
                "received_at": received_at.isoformat(),
                "late": contribution.is_late,
                "payload_sha256": sealed,
            },
            end=(end[0] or 0, end[1] or journal.FIRST_HASH),
        )
    if submission.kind is Kind.PROPOSAL and submission.supplements is None and submission.parent is None:
        files = [(file.sha256, file.description) for file in submission.attachments]
        proposals.take_up(session, contribution, submission.passages, files, by=by.label)
    return contribution


def check(
    session: Session, submission: Submission, *, procedure: Procedure, by: Actor, now: datetime
) -> None:
    """Raise what `submit` would raise; nothing is written, so that nobody has to wait for it."""
    assert procedure.id is not None
    _check_channel(submission, procedure, by)
    _checked(session, submission, procedure, phases_asked(session, procedure.id)(), now, by)


def _checked(
    session: Session,
    submission: Submission,
    procedure: Procedure,
    phases: Sequence[Phase],
    now: datetime,
    by: Actor,
) -> tuple[Submission, Phase | None]:
    """As it is stored, and the phase it belongs to."""
    received_at = submission.received_at or now
    submission = _normalised(submission)
    _check_content(session, submission, procedure, received_at, now)
    phase = _phase(phases, submission, procedure, received_at)
    _check_person(submission, phase, by)
    return submission, phase


def _check_person(submission: Submission, phase: Phase | None, by: Actor) -> None:
    """Hold a proposal or comment to the name that its phase asks for, and to whom it is open. A statement is everybody's and
    never needs a name (R-3.2); an addition belongs to what has its name already, and what is taken over from elsewhere is
    as it is. Paper needs no account: the counter enters it, with what the person says of themselves."""
    is_asked = phase is not None and submission.kind is not Kind.STATEMENT and submission.supplements is None
    if not is_asked or submission.is_continued:
        return
    if channels.by_key(submission.channel).entry is channels.Entry.IMPORT or submission.source_id:
        return
    facts, person = phase.facts if phase else {}, submission.person
    writers = cocreation.writers_of(facts)
    is_by_themselves = channels.by_key(submission.channel).entry is channels.Entry.PUBLIC
    if writers.needs_account and is_by_themselves and by.person_id is None:
        raise Refusal(Code.ACCOUNT_REQUIRED)
    for name in writers.limits.asked:
        if name not in submission.declares:
            raise Refusal(Code.SUPPORT_DECLARE, name)
    field = cocreation.naming_of(facts).lacks(
        own=person.name or person.organisation, chosen=submission.pseudonym
    )
    if field:
        raise Refusal(Code.OWN_NAME_REQUIRED if field == "name" else Code.SOME_NAME_REQUIRED, field)


def _write(
    session: Session,
    submission: Submission,
    key: int,
    number: int,
    person_id: int | None,
    phase: Phase | None,
    *,
    procedure: Procedure,
    by: Actor,
    now: datetime,
) -> Contribution:
    """The row itself and its files, under the claimed key and the counted number."""
    located, received_at = submission.located, submission.received_at or now
    due_on = submission.due_on or (submission.supplements.due_on if submission.supplements else None)
    contribution = insert_object(
        session,
        Contribution,
        id=key,
        municipality_id=procedure.municipality_id,
        procedure_id=procedure.id,
        phase_id=phase.id if phase else None,
        kind=submission.kind.value,
        channel=submission.channel,
        reference=f"{procedure.key}-{number:04d}",
        entry_number=number,
        access_code=new_access_code(),
        submission_key=submission.key,
        source_id=submission.source_id,
        received_at=received_at,
        written_on=submission.written_on,
        recorded_at=now,
        recorded_by=by.label,
        is_late=(
            not is_in_time(received_at, due_on)
            if due_on
            else bool(phase and not phase.is_in_time(received_at))
        ),
        due_on=due_on,
        language=submission.language,
        title=submission.title,
        text=submission.text,
        category=submission.category,
        topic=submission.category,
        pseudonym=submission.pseudonym,
        on_behalf_of=submission.on_behalf_of,
        submitter_id=person_id,
        wants_publication=submission.wants_publication,
        document_id=submission.document_id,
        section=submission.section,
        place_words=submission.place_words,
        place_id=submission.place_id,
        geometry=located.wkb if located else None,
        geometry_kind=located.kind if located else "",
        lon=located.lon if located else None,
        lat=located.lat if located else None,
        cell=located.cell if located else None,
        elevation=submission.elevation,
        thing=submission.thing.as_dict() if submission.thing else {},
        parent_id=submission.parent.id if submission.parent else None,
        supplements_id=submission.supplements.id if submission.supplements else None,
        publication=(
            PublicationState.PENDING.value if submission.wants_publication else PublicationState.PRIVATE.value
        ),
    )
    for position, file in enumerate(submission.attachments):
        insert_row(session, Attachment, contribution_id=key, position=position, **vars(file))
    return contribution


_SHORT_FIELDS = ("on_behalf_of", "section", "place_words", "pseudonym", "category")


def _normalised(submission: Submission) -> Submission:
    """What was typed as it is stored. Raises Refusal TEXT_TOO_LONG with the field's name."""
    short: dict[str, Any] = {
        name: normalise(getattr(submission, name), field=name, limit=SHORT_LIMIT).strip()
        for name in _SHORT_FIELDS
    }
    passages = tuple(
        replace(each, text=normalise(each.text, field=each.key).strip()) for each in submission.passages
    )
    files = tuple(
        replace(each, description=normalise(each.description, limit=SHORT_LIMIT).strip())
        for each in submission.attachments
    )
    return replace(
        submission,
        title=normalise(submission.title, field="title", limit=TITLE_LIMIT).strip(),
        text=normalise(wording.compose(passages) if passages else submission.text, field="text"),
        passages=passages,
        attachments=files,
        person=people.normalised(submission.person),
        # In the zone that it is read back in: the seal is over how it is spelled.
        received_at=submission.received_at.astimezone(UTC) if submission.received_at else None,
        **short,
    )


def wrong_in(submission: Submission, *, now: datetime) -> list[Refusal]:
    """Everything that `submit` would refuse of what was typed, at once; whether it fits the consultation comes then."""
    try:
        too_long = []
        submission = _normalised(submission)
    except Refusal as refusal:
        too_long = [refusal]
    return [*too_long, *_wrong_facts(submission, submission.received_at or now, now)]


def _wrong_facts(submission: Submission, received_at: datetime, now: datetime) -> Iterator[Refusal]:
    if not submission.text.strip() and not submission.attachments and not submission.title.strip():
        yield Refusal(Code.EMPTY_CONTRIBUTION, "text")
    if len(submission.attachments) > ATTACHMENTS_LIMIT:
        yield Refusal(Code.ATTACHMENTS_TOO_MANY, "attachments", limit=ATTACHMENTS_LIMIT)
    if received_at > now:
        yield Refusal(Code.RECEIVED_IN_FUTURE, "received_at")
    if submission.written_on and submission.written_on > local_date(received_at):
        yield Refusal(Code.WRITTEN_AFTER_RECEIVED, "written_on")


#: What somebody must be allowed to do who uses a channel.
_NEEDED = {
    channels.Entry.PUBLIC: Permission.TAKE_PART,
    channels.Entry.CLERK: Permission.RECORD_INTAKE,
    channels.Entry.IMPORT: Permission.IMPORT,
}


def _check_channel(submission: Submission, procedure: Procedure, by: Actor) -> None:
    needed = _NEEDED[channels.by_key(submission.channel).entry]
    if not may(by, needed, municipality_id=procedure.municipality_id, procedure_id=procedure.id):
        raise Refusal(Code.NOT_ALLOWED)
    public = procedure.state in (ProcedureState.PUBLISHED.value, ProcedureState.CONCLUDED.value)
    if not public and needed is not Permission.IMPORT:
        raise Refusal(Code.WRONG_STATE, state=procedure.state)


def _check_content(
    session: Session, submission: Submission, procedure: Procedure, received_at: datetime, now: datetime
) -> None:
    for refusal in _wrong_facts(submission, received_at, now):
        raise refusal
    if submission.document_id is not None:
        document = session.get(Document, submission.document_id)
        if document is None or document.procedure_id != procedure.id:
            raise Refusal(Code.UNKNOWN_REFERENCE, "document_id")
    for other in (submission.parent, submission.supplements):
        if other is not None and other.procedure_id != procedure.id:
            raise Refusal(Code.UNKNOWN_REFERENCE)


def _phase(
    phases: Sequence[Phase], submission: Submission, procedure: Procedure, received_at: datetime
) -> Phase | None:
    """The phase it belongs to at the moment of its receipt; whatever channel it came by."""
    if submission.phase is not None:
        if submission.phase.procedure_id != procedure.id:
            raise Refusal(Code.UNKNOWN_REFERENCE)
        return submission.phase
    if submission.supplements is not None:
        return next((phase for phase in phases if phase.id == submission.supplements.phase_id), None)
    # Agencies answer their own request; nobody else hands in to their phases.
    phases = [phase for phase in phases if phase.track != Track.AGENCIES.value]
    opens = Opens(submission.kind.value)
    phase = phase_for(phases, opens, received_at)
    if phase is not None:
        return phase
    inviting = [each for each in phases if opens.value in each.opens]
    if not inviting:
        raise Refusal(Code.KIND_NOT_OPEN)
    if channels.by_key(submission.channel).entry is not channels.Entry.PUBLIC:
        return _nearest(inviting, received_at)
    if all(each.state(received_at) is PhaseState.OVER for each in inviting):
        raise Refusal(Code.PHASE_CLOSED, ended=inviting[-1].ends_on)
    raise Refusal(Code.PHASE_NOT_STARTED, starts=inviting[0].starts_on)


def _nearest(inviting: Sequence[Phase], received_at: datetime) -> Phase:
    """Where something belongs that lies on the counter already, before the start or after the end: it is kept, not sent
    away."""
    over = [each for each in inviting if each.state(received_at) is PhaseState.OVER]
    return over[-1] if over else inviting[0]


def naming_asked(phases: Sequence[Phase], kind: Kind, now: datetime) -> Naming:
    """Which name `submit` asks of whoever hands this kind in to a consultation with these phases now."""
    return cocreation.naming_of(_facts_for(phases, kind, now))


def writers_asked(phases: Sequence[Phase], kind: Kind, now: datetime) -> Writers:
    """To whom `submit` keeps this kind in a consultation with these phases now."""
    return cocreation.writers_of(_facts_for(phases, kind, now))


def phase_asking(phases: Sequence[Phase], kind: Kind, at: datetime) -> Phase | None:
    """The phase that this kind belongs to if it is received at a moment; None for a statement, which is everybody's."""
    opens = Opens(kind.value)
    inviting = [each for each in phases if each.track != Track.AGENCIES.value and opens.value in each.opens]
    if kind is Kind.STATEMENT or not inviting:
        return None
    return phase_for(inviting, opens, at) or _nearest(inviting, at)


def _facts_for(phases: Sequence[Phase], kind: Kind, now: datetime) -> Mapping[str, Any]:
    phase = phase_asking(phases, kind, now)
    return phase.facts if phase else {}


def _leave_receipt_notice(
    session: Session, contribution: Contribution, submission: Submission, now: datetime, *, key: int | None
) -> None:
    person = submission.person
    facts = {"reference": contribution.reference}
    common: dict[str, Any] = {
        "municipality_id": contribution.municipality_id,
        "contribution_id": contribution.id,
        "kind": "receipt",
        "to_name": person.name,
        "language": submission.language,
        "now": now,
        "facts": facts,
    }
    if submission.source_id:
        return  # taken over from another system, which has confirmed it in its own time
    if person.email:
        notices.leave(session, way=notices.NoticeWay.MAIL, address=person.email, key=key, **common)
        key = None
    if submission.wants_letter or (person.street and not person.email):
        lines = [person.name, person.street, f"{person.postcode} {person.city}".strip()]
        address = "\n".join(line for line in lines if line)
        notices.leave(session, way=notices.NoticeWay.LETTER, address=address, key=key, **common)


def new_access_code() -> str:
    """Eight characters that nobody can guess and nobody misreads: 23^8 are 78 thousand million codes."""
    drawn, code = secrets.randbelow(len(CODE_ALPHABET) ** CODE_LENGTH), ""
    for _ in range(CODE_LENGTH):
        drawn, place = divmod(drawn, len(CODE_ALPHABET))
        code += CODE_ALPHABET[place]
    return code


def read_access_code(typed: str) -> str | None:
    """A code as somebody typed it (spaces, hyphens, lower case) in its stored spelling; None if it cannot be one."""
    code = "".join(character for character in typed.upper() if character.isalnum())
    if len(code) != CODE_LENGTH or any(character not in CODE_ALPHABET for character in code):
        return None
    return code


def payload_sha256(
    contribution: Contribution,
    person: Person | PersonInput | None,
    attachments: Sequence[Attachment | AttachedFile],
    *,
    zone: tzinfo = UTC,
) -> str:
    """The seal of a receipt: SHA-256 over everything that was handed in, in one canonical spelling.

    `zone`: in which the moment of receipt is spelled; UTC, except in seals that say otherwise (`evidence`).
    """
    return journal.digest(
        {
            "reference": contribution.reference,
            "kind": contribution.kind,
            "channel": contribution.channel,
            "received_at": contribution.received_at.astimezone(zone).isoformat(),
            "written_on": contribution.written_on.isoformat() if contribution.written_on else None,
            "title": contribution.title,
            "text": contribution.text,
            "category": contribution.category,
            "on_behalf_of": contribution.on_behalf_of,
            "pseudonym": contribution.pseudonym,
            "document": contribution.document_id,
            "section": contribution.section,
            "place_words": contribution.place_words,
            "place": contribution.place_id,
            "phase": (
                contribution.phase_id
                if contribution.sealed_phase is None
                else contribution.sealed_phase or None
            ),
            "answers": contribution.parent_id,
            "supplements": contribution.supplements_id,
            "language": contribution.language,
            "wants_publication": contribution.wants_publication,
            "geometry": contribution.geometry.hex() if contribution.geometry else None,
            # Only where there is one: seals of before stay as they are.
            **({"elevation": contribution.elevation} if contribution.elevation is not None else {}),
            **({"thing": contribution.thing} if contribution.thing else {}),
            "person": (
                [person.name, person.street, person.postcode, person.city, person.email, person.phone]
                if person
                else None
            ),
            "attachments": [
                [file.sha256, file.filename, file.size, *([file.description] if file.description else [])]
                for file in attachments
            ],
        }
    )


# --- what becomes of it ----------------------------------------------------------------------------


def set_publication(
    session: Session,
    contribution: Contribution,
    state: PublicationState,
    *,
    redaction_id: int | None = None,
    public_title: str | None = None,
    public_text: str | None = None,
    place_hidden: bool = False,
    hides_typed: bool = False,
) -> None:
    """Move a contribution to a publication state and keep map counts and public search in step.

    `public_title` and `public_text` are what the public reads if that is not the original; `place_hidden` keeps the
    exact place from it, `hides_typed` a topic in somebody's own words.
    Raises Refusal WRONG_STATE if the table of moves does not know the step.
    """
    before = PublicationState(contribution.publication)
    if state not in PUBLICATION_MOVES[before]:
        raise Refusal(Code.WRONG_STATE, state=before.value)
    assert contribution.id is not None
    was_shown, is_shown = before is PublicationState.PUBLISHED, state is PublicationState.PUBLISHED
    was_counted, is_counted = was_shown and not contribution.place_hidden, is_shown and not place_hidden
    contribution.publication = state.value
    contribution.redaction_id = redaction_id if is_shown else None
    contribution.place_hidden = is_shown and place_hidden
    contribution.topic = _topic_shown(session, contribution, hides_typed and is_shown)
    contribution.decisions += 1
    session.add(contribution)
    if contribution.cell is not None and was_counted != is_counted:
        assert contribution.lon is not None
        assert contribution.lat is not None
        locations.count(
            session,
            procedure_id=contribution.procedure_id,
            cell=contribution.cell,
            lon=contribution.lon,
            lat=contribution.lat,
            step=1 if is_counted else -1,
        )
    if contribution.kind == Kind.PROPOSAL.value and (was_shown or is_shown):
        proposals.set_listed(
            session,
            contribution.id,
            is_shown,
            is_on_map=contribution.cell is not None and not contribution.place_hidden,
            topic=contribution.topic,
        )
    if was_shown:
        search.remove(session, contribution.id, Scope.PUBLIC)
    if is_shown:
        title = contribution.title if public_title is None else public_title
        words = contribution.text if public_text is None else public_text
        among = Among(contribution.procedure_id, contribution.kind)
        search.index(session, contribution.id, Scope.PUBLIC, title, words, contribution.topic, among=among)
    session.flush()


def _topic_shown(session: Session, contribution: Contribution, hides_typed: bool) -> str:
    """The topic that lists show. What the planner offers to choose from gives nobody away; own words may."""
    if contribution.topic_is_set:
        return contribution.topic
    if contribution.category and hides_typed:
        procedure = session.get_one(Procedure, contribution.procedure_id)
        return contribution.category if contribution.category in subject_names(procedure) else ""
    return contribution.category


def retract(session: Session, contribution: Contribution, *, by: Actor, now: datetime) -> None:
    """The submitter takes it back from the public; it stays on file and is weighed like any other.

    Raises Refusal ALREADY_WITHDRAWN if it is not, or no longer, meant for the public.
    """
    session.refresh(contribution, with_for_update=True)  # a moderator may be deciding at this moment
    if contribution.publication in (PublicationState.RETRACTED.value, PublicationState.PRIVATE.value):
        raise Refusal(Code.ALREADY_WITHDRAWN)
    set_publication(session, contribution, PublicationState.RETRACTED)
    _note(session, contribution, "contribution_retracted", by=by, now=now)


def withdraw(session: Session, contribution: Contribution, *, by: Actor, now: datetime) -> None:
    """The submitter no longer stands by it. It stays on file, marked (R-3.5). Raises ALREADY_WITHDRAWN."""
    session.refresh(contribution, with_for_update=True)
    if contribution.state == ContributionState.WITHDRAWN.value:
        raise Refusal(Code.ALREADY_WITHDRAWN)
    contribution.state = ContributionState.WITHDRAWN.value
    if contribution.publication not in (PublicationState.RETRACTED.value, PublicationState.PRIVATE.value):
        set_publication(session, contribution, PublicationState.RETRACTED)
    session.add(contribution)
    _note(session, contribution, "contribution_withdrawn", by=by, now=now)


def supplements_to(session: Session, contribution_id: int) -> list[Contribution]:
    """What was added later, oldest first."""
    return list(
        session.exec(
            select(Contribution)
            .where(Contribution.supplements_id == contribution_id)
            .order_by(col(Contribution.id))
        ).all()
    )


def move_to(
    session: Session,
    contribution: Contribution,
    phase: Phase,
    *,
    due_on: date | None,
    by: Actor,
    now: datetime,
) -> None:
    """It belongs to another phase than was thought at its receipt, and is in time or late by that one's last day.

    `due_on`: a last day of its own, as an agency has. What was handed in stays, and so does its seal. What was added to
    it moves along, each part judged by its own receipt; an addition that somebody moved elsewhere stays there.
    Raises Refusal UNKNOWN_REFERENCE (a phase of another consultation).
    """
    if phase.procedure_id != contribution.procedure_id:
        raise Refusal(Code.UNKNOWN_REFERENCE, "reference")
    was = (contribution.phase_id, contribution.due_on)
    if was == (phase.id, due_on):
        return
    for addition in supplements_to(session, contribution.id or 0):
        if (addition.phase_id, addition.due_on) == was:
            move_to(session, addition, phase, due_on=due_on, by=by, now=now)
    if contribution.sealed_phase is None and contribution.phase_id != phase.id:
        contribution.sealed_phase = contribution.phase_id or 0
    contribution.phase_id, contribution.due_on = phase.id, due_on
    last_day = due_on or phase.effective_end or phase.ends_on
    contribution.is_late = not is_in_time(contribution.received_at, last_day)
    session.add(contribution)
    session.flush()
    _note(
        session, contribution, "contribution_moved", by=by, now=now,
        phase=phase.id, late=contribution.is_late, due_on=due_on.isoformat() if due_on else "",
    )  # fmt: skip


def _note(
    session: Session, contribution: Contribution, verb: str, *, by: Actor, now: datetime, **facts: Any
) -> None:
    journal.append(
        session,
        municipality_id=contribution.municipality_id,
        verb=verb,
        by=by,
        at=now,
        procedure_id=contribution.procedure_id,
        subject=f"contribution:{contribution.id}",
        facts={"reference": contribution.reference, **facts},
    )


# --- what is asked before something is written ------------------------------------------------------


def by_key(session: Session, procedure_id: int, submission_key: str) -> Contribution | None:
    """The contribution that was handed in with this form, or None."""
    # Nearly always None: the index alone answers, and no object is prepared.
    found = _BY_KEY.ask(session, procedure=procedure_id, submission=submission_key).fetchone()
    return session.get(Contribution, found[0]) if found else None


_contributions = SQLModel.metadata.tables["contribution"]
_of_procedure = _contributions.c.procedure_id == bindparam("procedure")
_with_key = select_columns(_contributions.c.id).where(
    _of_procedure, _contributions.c.submission_key == bindparam("submission")
)
_BY_KEY = Prepared(_with_key)
#: What has to be known before something is written: whether it was handed in before, the procedure's last entry number
#: (entries are never deleted, and who asks holds the chain), the end of the chain, and the keys of the new rows.
_BEFORE = Prepared(
    select_columns(
        _with_key.scalar_subquery(),
        select_columns(func.max(_contributions.c.entry_number)).where(_of_procedure).scalar_subquery(),
        *journal.END,
        next_key(Contribution),
        next_key(Person),
        next_key(Notice),
    )
)
