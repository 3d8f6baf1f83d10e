"""Asking the agencies: whom, until when, by which way, what they answer, and what is known of it afterwards.

An `Invitation` is one agency that is asked in one phase. Its `state` is one column with a table of moves; who moved
it, when and why are rows that are only ever added. What an agency writes is authored apart (`AgencyReply`: drafted,
released or given back) and becomes a contribution through the one door. Silence is silence: no consent is made of it.

Links are secrets of which only hashes are stored: `token_of` derives them from a nonce and the installation's key,
so that a letter can be printed again.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint, and_, or_, update
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import agencies, channels, contributions, journal, notices, people, procedures
from consultations.agencies import ClerkRole, Entry
from consultations.computation import Impossible
from consultations.contributions import CODE_ALPHABET, AttachedFile, Contribution, Kind, Submission
from consultations.deadlines import is_in_time, local_date
from consultations.legal_periods import ask
from consultations.notices import Notice, NoticeWay
from consultations.people import Organisation, OrganisationKind, Person, PersonInput
from consultations.permissions import Actor, Permission, may
from consultations.procedures import Phase, PhaseKind, PlanKind, Procedure, ProcedureState, Track
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from consultations.tables import BigKey, Json, UtcDateTime
from consultations.text import normalise

#: Days after which a letter counts as received where nobody noted the day: those of VwVfG §41(2), which since 2025
#: are four. It is no law for a request to an authority, but the careful assumption: a period is never counted short.
LETTER_TRAVELS = timedelta(days=4)
#: The proposal where the law sets no period (BauGB §4(1)).
FREE_PERIOD = timedelta(days=27)
REMIND_BEFORE = 7
CODE_LENGTH = 12


class InvitationState(StrEnum):
    """Where asking one agency stands."""

    LISTED = "listed"  # on the list, not asked yet
    INVITED = "invited"
    OPENED = "opened"  # its page was opened; no proof that anybody read it
    ANSWERED = "answered"
    NO_CONCERNS = "no_concerns"  # an answer, not an absence
    NO_REPLY = "no_reply"  # its period is over; nothing follows from silence
    REMOVED = "removed"


S = InvitationState

#: Which state may follow which.
MOVES: dict[InvitationState, frozenset[InvitationState]] = {
    S.LISTED: frozenset({S.INVITED, S.REMOVED, S.ANSWERED}),
    S.INVITED: frozenset({S.OPENED, S.ANSWERED, S.NO_CONCERNS, S.NO_REPLY, S.REMOVED}),
    S.OPENED: frozenset({S.ANSWERED, S.NO_CONCERNS, S.NO_REPLY, S.REMOVED}),
    S.NO_REPLY: frozenset({S.INVITED, S.OPENED, S.ANSWERED, S.NO_CONCERNS, S.REMOVED}),
    S.NO_CONCERNS: frozenset({S.ANSWERED}),
    S.ANSWERED: frozenset(),
    S.REMOVED: frozenset({S.LISTED}),
}

#: Notices that bring a link.
_WITH_LINKS = (
    "agency_invitation",
    "agency_reminder",
    "agency_extension",
    "agency_returned",
    "agency_waiting",
)

#: Asked, and nothing has come yet.
PENDING = (S.INVITED.value, S.OPENED.value)
#: Asked at some time, so that there is a request that can be answered.
ASKED = (*PENDING, S.NO_REPLY.value, S.NO_CONCERNS.value, S.ANSWERED.value)


class ReplyState(StrEnum):
    """Where an agency's own work on a statement stands."""

    DRAFT = "draft"
    WAITING = "waiting"  # for somebody who releases
    RETURNED = "returned"
    RELEASED = "released"


REPLY_MOVES: dict[ReplyState, frozenset[ReplyState]] = {
    ReplyState.DRAFT: frozenset({ReplyState.WAITING, ReplyState.RELEASED}),
    ReplyState.WAITING: frozenset({ReplyState.RETURNED, ReplyState.RELEASED}),
    ReplyState.RETURNED: frozenset({ReplyState.WAITING, ReplyState.RELEASED}),
    ReplyState.RELEASED: frozenset(),
}


class AgencyRound(SQLModel, table=True):
    """What all agencies of a phase are asked: the plan's subject areas, the planner's words, when to remind."""

    __tablename__ = "agency_round"

    phase_id: int = Field(foreign_key="phase.id", primary_key=True)
    subjects: list[str] = Field(default_factory=list, sa_type=Json)
    words: str = ""
    #: Days before the last day; 0: nobody is reminded.
    remind_before: int = REMIND_BEFORE


class Invitation(SQLModel, table=True):
    """One agency that is asked in one phase."""

    __tablename__ = "invitation"
    __table_args__ = (
        UniqueConstraint("phase_id", "organisation_id"),
        Index("ix_invitation_state_remind_on", "state", "remind_on"),
        Index("ix_invitation_state_due_on", "state", "due_on"),
    )

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id", index=True)
    phase_id: int = Field(foreign_key="phase.id")
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    state: str = InvitationState.LISTED.value
    way: str = ""
    sent_on: date | None = None
    #: The day from which its period counts: noted by somebody, or assumed from the way.
    received_on: date | None = None
    is_receipt_noted: bool = False
    #: The last day of its own period, inclusive.
    due_on: date | None = None
    #: Why: the computation as `Answer.explanation` gives it; empty where no law sets a period.
    proof: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    remind_on: date | None = None
    reminded_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    opened_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    #: Receipt of the first answer.
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class InvitationEvent(SQLModel, table=True):
    """Something that happened to an invitation. Never changed, never deleted."""

    __tablename__ = "invitation_event"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    invitation_id: int = Field(foreign_key="invitation.id", index=True)
    at: datetime = Field(sa_type=UtcDateTime)
    by: str
    verb: str
    #: The state afterwards.
    state: str
    note: str = ""
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=Json)


class InvitationLink(SQLModel, table=True):
    """A way in without an account, for one agency and one request. The secret itself is not stored."""

    __tablename__ = "invitation_link"

    id: int | None = Field(default=None, primary_key=True)
    invitation_id: int = Field(foreign_key="invitation.id", index=True)
    clerk_id: int | None = Field(default=None, foreign_key="agency_clerk.id")
    role: str
    nonce: str
    #: SHA-256 of the secret in the address, and of the code in a letter.
    key: str = Field(unique=True)
    code_key: str | None = Field(default=None, unique=True)
    sent_to: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AgencyReply(SQLModel, table=True):
    """What an agency writes, until it is a contribution; or a contribution that came another way and is its answer."""

    __tablename__ = "agency_reply"

    id: int | None = Field(default=None, primary_key=True)
    invitation_id: int = Field(foreign_key="invitation.id", index=True)
    state: str = ReplyState.DRAFT.value
    #: Counts changes, so that two who write at the same time do not undo each other.
    version: int = 0
    #: [{"subject": key, "label": its name, "text"}]
    parts: list[dict[str, str]] = Field(default_factory=list, sa_type=Json)
    files: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    is_no_concerns: bool = False
    wants_publication: bool = True
    #: Why it was given back.
    note: str = ""
    written_by: str = ""
    contribution_id: int | None = Field(default=None, foreign_key="contribution.id", unique=True)
    created_at: datetime = Field(sa_type=UtcDateTime)
    updated_at: datetime = Field(sa_type=UtcDateTime)


class Decision(StrEnum):
    """What became of a request for more time."""

    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"


class ExtensionRequest(SQLModel, table=True):
    """An agency asks for more time (BauGB §4(2) S.3: to be given for an important reason), and the planner answers."""

    __tablename__ = "extension_request"

    id: int | None = Field(default=None, primary_key=True)
    invitation_id: int = Field(foreign_key="invitation.id", index=True)
    asked_at: datetime = Field(sa_type=UtcDateTime)
    asked_by: str
    reason: str
    wished_until: date | None = None
    decision: str = Decision.OPEN.value
    granted_until: date | None = None
    answer: str = ""
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    decided_by: str = ""


# --- secrets ---------------------------------------------------------------------------------------


def token_of(key: bytes, link: InvitationLink) -> str:
    """The secret in a link's address: 192 bits that nobody can guess without the installation's key."""
    made = hmac.digest(key, b"agency link\0" + link.nonce.encode(), "sha256")
    return base64.urlsafe_b64encode(made[:24]).decode()


def code_of(key: bytes, link: InvitationLink) -> str:
    """The code that a letter bears, of letters that are not mixed up on paper: 23^12 are some 54 bits."""
    number = int.from_bytes(hmac.digest(key, b"agency code\0" + link.nonce.encode(), "sha256"))
    code = ""
    for _ in range(CODE_LENGTH):
        number, digit = divmod(number, len(CODE_ALPHABET))
        code += CODE_ALPHABET[digit]
    return code


def read_code(typed: str) -> str | None:
    """A code as somebody typed it (spaces, hyphens, lower case); None if it cannot be one."""
    code = "".join(character for character in typed.upper() if character.isalnum())
    if len(code) != CODE_LENGTH or any(character not in CODE_ALPHABET for character in code):
        return None
    return code


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


# --- the law ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Period:
    """What the law says of one agency's period. `why` in German and English; `minimum` None: no statutory period."""

    minimum: date | None
    proposed: date
    why: dict[str, str]
    source: str
    proof: dict[str, Any]
    #: The last day until which it is in time, for the end that was asked about; later than it on a holiday.
    effective: date | None = None

    def allows(self, due_on: date) -> bool:
        """Whether an end is no shorter than the law."""
        return self.minimum is None or due_on >= self.minimum


def asks_agencies(phase: Phase) -> bool:
    """Whether a phase asks agencies."""
    kinds = (PhaseKind.AGENCIES.value, PhaseKind.AGENCIES_EARLY.value)
    return phase.track == Track.AGENCIES.value or phase.kind in kinds


def period_of(
    phase: Phase, procedure: Procedure, received_on: date, *, seat: Seat, due_on: date | None = None
) -> Period:
    """The period of an agency whose request is received on a day; `due_on` is held against it.

    Source: BauGB §4(2) S.3 for the formal step; no law sets one for the early step (§4(1)), nor does this software
    know one for other steps. Proposed is the recommended end, or that of the phase where it is later.
    """
    urban = procedure.plan_kind in (PlanKind.DEVELOPMENT_PLAN.value, PlanKind.LAND_USE_PLAN.value)
    phase_end = phase.effective_end or phase.ends_on
    if phase.kind == PhaseKind.AGENCIES.value and urban:
        facts = {"request_received": received_on} | ({"announced_end": due_on} if due_on else {})
        try:
            answer = ask("toeb_participation", facts, seat=seat)
        except Impossible:  # a year for which no calendar is known
            answer = None
        if answer is not None and answer.minimum_end and answer.recommended_end:
            recommended = answer.recommended_end
            ends = [recommended.day, *([phase_end] if phase_end else [])]
            same = recommended.day == answer.minimum_end.day
            why = (answer.minimum_end if same else recommended).why
            return Period(
                minimum=answer.minimum_end.day,
                proposed=max(ends),
                why={language: why.text(language) for language in ("de", "en")},
                source=answer.minimum_end.source,
                proof=answer.explanation(),
                effective=answer.effective_end.day if answer.effective_end else None,
            )
    free = seat.working_day_from(received_on + FREE_PERIOD)
    proposed = max(phase_end, received_on) if phase_end else free
    return Period(minimum=None, proposed=proposed, why={}, source="BauGB §4(1)" if urban else "", proof={})


# --- moving ----------------------------------------------------------------------------------------


def _require(by: Actor, row: Invitation | Procedure, permission: Permission = Permission.PLAN) -> None:
    procedure_id = row.procedure_id if isinstance(row, Invitation) else row.id
    if not may(by, permission, municipality_id=row.municipality_id, procedure_id=procedure_id):
        raise Refusal(Code.NOT_ALLOWED)


def _move(row: Invitation, state: InvitationState) -> None:
    if state.value == row.state:
        return
    if state not in MOVES[InvitationState(row.state)]:
        raise Refusal(Code.WRONG_STATE, state=row.state)
    row.state = state.value


def _happened(
    session: Session, row: Invitation, verb: str, *, by: Actor, now: datetime, note: str = "", **facts: Any
) -> None:
    """Write down what happened: a row with the words, and a line in the journal without them (they may be personal)."""
    session.add(row)
    session.flush()
    assert row.id is not None
    session.add(
        InvitationEvent(
            invitation_id=row.id, at=now, by=by.label, verb=verb, state=row.state, note=note, facts=facts
        )
    )
    journal.append(
        session,
        municipality_id=row.municipality_id,
        verb=f"agency_{verb}",
        by=by,
        at=now,
        procedure_id=row.procedure_id,
        subject=f"invitation:{row.id}",
        facts={"agency": row.organisation_id, "state": row.state, **facts},
    )


def shown_state(row: Invitation, today: date) -> InvitationState:
    """The state as it is today: the end of a period needs nobody to write it down."""
    if row.state in PENDING and row.due_on is not None and row.due_on < today:
        return S.NO_REPLY
    return InvitationState(row.state)


# --- the list --------------------------------------------------------------------------------------


def round_of(session: Session, phase: Phase) -> AgencyRound:
    """What the agencies of a phase are asked; not stored until it is set."""
    assert phase.id is not None
    return session.get(AgencyRound, phase.id) or AgencyRound(phase_id=phase.id)


def set_round(
    session: Session,
    phase: Phase,
    procedure: Procedure,
    *,
    subjects: Sequence[str],
    words: str,
    remind_before: int,
    by: Actor,
    now: datetime,
) -> AgencyRound:
    """Say what the plan is about, in own words what to look at, and when to remind.

    Raises Refusal NOT_ALLOWED, SUBJECT_UNKNOWN, TEXT_TOO_LONG.
    """
    _require(by, procedure)
    known = agencies.SUBJECTS.keys() | agencies.own_subjects(session, procedure.municipality_id).keys()
    if unknown := [subject for subject in subjects if subject not in known]:
        raise Refusal(Code.SUBJECT_UNKNOWN, "subjects", name=unknown[0])
    row = round_of(session, phase)
    row.subjects = list(dict.fromkeys(subjects))
    row.words = normalise(words, field="words", limit=5000).strip()
    row.remind_before = max(0, min(60, remind_before))
    session.add(row)
    session.flush()
    for invitation in session.exec(
        select(Invitation).where(
            Invitation.phase_id == phase.id,
            col(Invitation.state).in_(PENDING),
            col(Invitation.reminded_at).is_(None),
        )
    ).all():
        _set_reminder(invitation, row.remind_before)
        session.add(invitation)
    journal.append(
        session,
        municipality_id=procedure.municipality_id,
        verb="agency_round_set",
        by=by,
        at=now,
        procedure_id=procedure.id,
        subject=f"phase:{phase.id}",
        facts={"subjects": row.subjects, "remind_before": row.remind_before},
    )
    return row


def _set_reminder(row: Invitation, before: int) -> None:
    row.remind_on = None
    if before and row.due_on and row.sent_on:
        day = row.due_on - timedelta(days=before)
        row.remind_on = day if day > row.sent_on else None


def put_on_list(
    session: Session,
    phase: Phase,
    procedure: Procedure,
    entry: Entry,
    *,
    why: str,
    is_proposed: bool,
    by: Actor,
    now: datetime,
) -> Invitation:
    """An agency shall be asked. Whom the register does not propose needs a reason in the planner's words.

    Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("reason"), WRONG_STATE (no phase of agencies, another town's agency, one
    that is no longer asked or was merged).
    """
    _require(by, procedure)
    assert phase.id is not None
    assert procedure.id is not None
    if not asks_agencies(phase) or phase.procedure_id != procedure.id:
        raise Refusal(Code.WRONG_STATE, state=phase.kind)
    agency = entry.agency
    if (
        agency.municipality_id != procedure.municipality_id
        or not agency.is_active
        or entry.organisation.merged_into_id
    ):
        raise Refusal(Code.WRONG_STATE, state="inactive")
    if not is_proposed and not why.strip():
        raise Refusal(Code.REASON_REQUIRED, "reason")
    row = session.exec(
        select(Invitation).where(Invitation.phase_id == phase.id, Invitation.organisation_id == entry.id)
    ).first()
    if row is None:
        row = Invitation(
            municipality_id=procedure.municipality_id,
            procedure_id=procedure.id,
            phase_id=phase.id,
            organisation_id=entry.id,
        )
    elif row.state != S.REMOVED.value:
        return row
    else:
        _move(row, S.LISTED)
        row.way, row.sent_on, row.received_on, row.due_on, row.remind_on = "", None, None, None, None
        row.reminded_at = row.opened_at = None
        row.proof, row.is_receipt_noted = {}, False
    _happened(session, row, "listed", by=by, now=now, note=why.strip(), proposed=is_proposed)
    return row


def remove(session: Session, row: Invitation, *, note: str, by: Actor, now: datetime) -> None:
    """Take an agency off the list, for a reason; its links stop working. What it has answered cannot be taken off.

    Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("reason"), WRONG_STATE.
    """
    _require(by, row)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "reason")
    _move(row, S.REMOVED)
    _revoke_links(session, row, now)
    _happened(session, row, "removed", by=by, now=now, note=note.strip())


def set_due(
    session: Session,
    row: Invitation,
    due_on: date,
    *,
    note: str,
    seat: Seat,
    today: date,
    by: Actor,
    now: datetime,
) -> None:
    """Give one agency its own last day, before or after it was asked. Shorter than the law is refused.

    Raises Refusal NOT_ALLOWED, OWN_PERIOD_TOO_SHORT ("due_on", with `agency`, `minimum`), REASON_REQUIRED ("reason", once
    asked), DATES_REVERSED (shorter than what it was told), WRONG_STATE.
    """
    _require(by, row)
    if row.state not in (S.LISTED.value, *PENDING, S.NO_REPLY.value):
        raise Refusal(Code.WRONG_STATE, state=row.state)
    if row.state != S.LISTED.value:
        if not note.strip():
            raise Refusal(Code.REASON_REQUIRED, "reason")
        if row.due_on and due_on < row.due_on:
            raise Refusal(Code.DATES_REVERSED, "due_on")
    procedure, phase = _of(session, row)
    way_days = LETTER_TRAVELS if _way(session, _entry(session, row))[0] is NoticeWay.LETTER else timedelta()
    received_on = row.received_on or today + way_days
    _check_due(session, row, due_on, phase, procedure, received_on, seat)
    _reopen(row, due_on, today)
    _set_reminder(row, round_of(session, phase).remind_before)
    _happened(session, row, "due_set", by=by, now=now, note=note.strip(), due_on=due_on.isoformat())


def _check_due(
    session: Session,
    row: Invitation,
    due_on: date,
    phase: Phase,
    procedure: Procedure,
    received_on: date,
    seat: Seat,
) -> None:
    """Set the end of an invitation's period with its proof. Raises Refusal OWN_PERIOD_TOO_SHORT ("due_on")."""
    period = period_of(phase, procedure, received_on, seat=seat, due_on=due_on)
    if not period.allows(due_on):
        name = session.get_one(Organisation, row.organisation_id).name
        raise Refusal(Code.OWN_PERIOD_TOO_SHORT, "due_on", agency=name, minimum=period.minimum)
    # Announced for a holiday it ends on the next working day (BGB §193).
    row.due_on, row.proof = period.effective or due_on, period.proof


def _reopen(row: Invitation, due_on: date, today: date) -> None:
    if row.state == S.NO_REPLY.value and due_on >= today:
        _move(row, S.OPENED if row.opened_at else S.INVITED)


def _of(session: Session, row: Invitation) -> tuple[Procedure, Phase]:
    return session.get_one(Procedure, row.procedure_id), session.get_one(Phase, row.phase_id)


def _entry(session: Session, row: Invitation) -> Entry:
    """The agency that was asked; where it was merged since, the one that it is."""
    organisation = session.get_one(Organisation, row.organisation_id)
    wanted = organisation.merged_into_id or row.organisation_id
    found = agencies.by_id(session, row.municipality_id, wanted)
    assert found is not None
    return found


# --- asking ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipient:
    """Somebody who gets a link of their own; without a clerk it is the agency itself."""

    clerk_id: int | None
    name: str
    email: str
    role: ClerkRole


def recipients_of(entry: Entry, clerks: Sequence[agencies.Clerk]) -> list[Recipient]:
    """Who gets a link by mail: every clerk, and the agency's own address where no clerk releases. Empty: by letter."""
    mine = [each for each in clerks if each.organisation_id == entry.id and each.is_active and each.email]
    found = [Recipient(each.id, each.name, each.email, each.role) for each in mine]
    if not any(each.role is ClerkRole.RELEASES for each in found):
        if entry.agency.email:
            found.append(Recipient(None, entry.name, entry.agency.email, ClerkRole.RELEASES))
        elif found:
            # Nobody else is there to release: who drafts, releases.
            found = [Recipient(each.clerk_id, each.name, each.email, ClerkRole.RELEASES) for each in found]
    return found


def _way(session: Session, entry: Entry) -> tuple[NoticeWay, list[Recipient]]:
    found = recipients_of(entry, agencies.clerks_of(session, [entry.id], active=True))
    return (NoticeWay.MAIL if found else NoticeWay.LETTER), found


def send(
    session: Session,
    phase: Phase,
    procedure: Procedure,
    *,
    due_on: date | None,
    seat: Seat,
    key: bytes,
    by: Actor,
    now: datetime,
) -> list[Invitation]:
    """Ask everybody on the list: by mail with a personal link, by letter with a code where there is no mail address.

    `due_on` is the end for all that have none of their own; without it each gets the one proposed. Counted from each
    one's own request: whoever is added later gets the whole period. All or nobody. Raises Refusal NOT_ALLOWED,
    NOBODY_TO_ASK, WRONG_STATE (not public), OWN_PERIOD_TOO_SHORT ("due_on"), ADDRESS_MISSING.
    """
    _require(by, procedure)
    if procedure.state != ProcedureState.PUBLISHED.value:
        raise Refusal(Code.WRONG_STATE, state=procedure.state)
    waiting = list(
        session.exec(
            select(Invitation)
            .where(Invitation.phase_id == phase.id, Invitation.state == S.LISTED.value)
            .order_by(col(Invitation.id))
            .with_for_update()
        ).all()
    )
    if not waiting:
        raise Refusal(Code.NOBODY_TO_ASK)
    today, before = local_date(now), round_of(session, phase).remind_before
    for row in waiting:
        entry = _entry(session, row)
        way, recipients = _way(session, entry)
        row.way, row.sent_on = way.value, today
        row.received_on = today + (LETTER_TRAVELS if way is NoticeWay.LETTER else timedelta())
        wanted = row.due_on or due_on
        if wanted is None:
            wanted = period_of(phase, procedure, row.received_on, seat=seat).proposed
        _check_due(session, row, wanted, phase, procedure, row.received_on, seat)
        _set_reminder(row, before)
        _move(row, S.INVITED)
        session.add(row)
        session.flush()
        _hand_out(session, row, entry, way, recipients, key=key, now=now)
        _happened(
            session, row, "invited", by=by, now=now,
            way=way.value, due_on=row.due_on.isoformat() if row.due_on else "", law=row.proof.get("law_versions", []),
        )  # fmt: skip
    return waiting


def _hand_out(
    session: Session,
    row: Invitation,
    entry: Entry,
    way: NoticeWay,
    recipients: Sequence[Recipient],
    *,
    key: bytes,
    now: datetime,
) -> None:
    """New links, and the notices that bring them. Raises Refusal ADDRESS_MISSING."""
    if way is NoticeWay.LETTER:
        if not entry.postal_lines:
            raise Refusal(Code.ADDRESS_MISSING, agency=entry.name)
        recipients = [Recipient(None, entry.name, "", ClerkRole.RELEASES)]
    for recipient in recipients:
        link = InvitationLink(
            invitation_id=row.id or 0,
            clerk_id=recipient.clerk_id,
            role=recipient.role.value,
            nonce=secrets.token_hex(24),
            key="",
            sent_to=recipient.email,
            created_at=now,
        )
        link.key = _hashed(token_of(key, link))
        if way is NoticeWay.LETTER:
            link.code_key = _hashed(code_of(key, link))
        session.add(link)
        session.flush()
        _leave(session, row, link, "agency_invitation", name=recipient.name, entry=entry, now=now)


def _leave(
    session: Session, row: Invitation, link: InvitationLink, kind: str, *, name: str, entry: Entry, now: datetime,
    **facts: Any,
) -> None:  # fmt: skip
    by_mail = bool(link.sent_to)
    notices.leave(
        session,
        municipality_id=row.municipality_id,
        kind=kind,
        way=NoticeWay.MAIL if by_mail else NoticeWay.LETTER,
        address=link.sent_to if by_mail else "\n".join(entry.postal_lines),
        to_name=name,
        now=now,
        facts={
            "invitation": row.id,
            "link": link.id,
            "reference": session.get_one(Procedure, row.procedure_id).key,
            **facts,
        },
    )


def _tell(session: Session, row: Invitation, kind: str, *, now: datetime, roles: Sequence[ClerkRole] = (), **facts: Any) -> None:  # fmt: skip
    """Write to everybody who holds a link that works, or only to those of some roles."""
    entry = _entry(session, row)
    clerks = {each.id: each for each in agencies.clerks_of(session, [entry.id], active=True)}
    for link in _live_links(session, row):
        if roles and ClerkRole(link.role) not in roles:
            continue
        if link.clerk_id is not None and link.clerk_id not in clerks:
            continue
        name = clerks[link.clerk_id].name if link.clerk_id else entry.name
        _leave(session, row, link, kind, name=name, entry=entry, now=now, **facts)


def _live_links(session: Session, row: Invitation) -> list[InvitationLink]:
    return list(
        session.exec(
            select(InvitationLink)
            .where(InvitationLink.invitation_id == row.id, col(InvitationLink.revoked_at).is_(None))
            .order_by(col(InvitationLink.id))
        ).all()
    )


def _revoke_links(session: Session, row: Invitation, now: datetime) -> None:
    session.execute(
        update(InvitationLink)
        .where(col(InvitationLink.invitation_id) == row.id, col(InvitationLink.revoked_at).is_(None))
        .values(revoked_at=now)
    )
    session.expire_all()
    for notice in notices.waiting_of_kinds(session, row.municipality_id, _WITH_LINKS):
        if notice.facts.get("invitation") == row.id and notice.id is not None:
            notices.failed(session, notice.id, "the link was revoked", again_at=None, now=now)


def revoke(session: Session, row: Invitation, *, note: str, by: Actor, now: datetime) -> None:
    """None of an invitation's links works any more. Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("reason")."""
    _require(by, row)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "reason")
    _revoke_links(session, row, now)
    _happened(session, row, "links_revoked", by=by, now=now, note=note.strip())


def rotate(
    session: Session, row: Invitation, *, by_letter: bool, key: bytes, by: Actor, now: datetime
) -> None:
    """New links to everybody, by mail or (where mail does not arrive) by letter; earlier ones stop working.

    The period does not move: it counts from the first request. Raises Refusal NOT_ALLOWED, WRONG_STATE,
    ADDRESS_MISSING.
    """
    _require(by, row)
    if row.state not in ASKED:
        raise Refusal(Code.WRONG_STATE, state=row.state)
    _revoke_links(session, row, now)
    entry = _entry(session, row)
    way, recipients = _way(session, entry)
    if by_letter:
        way = NoticeWay.LETTER
    _hand_out(session, row, entry, way, recipients, key=key, now=now)
    _happened(session, row, "links_renewed", by=by, now=now, way=way.value)


def posted(session: Session, row: Invitation, *, seat: Seat, by: Actor, now: datetime) -> None:
    """The letter went into the post today. Later than assumed, the period moves with it: it is never cut short."""
    today = local_date(now)
    assumed = today + LETTER_TRAVELS
    facts: dict[str, Any] = {"posted_on": today.isoformat()}
    if not row.is_receipt_noted and (row.received_on is None or assumed > row.received_on):
        row.received_on = assumed
        facts |= _never_short(session, row, seat, today)
    _happened(session, row, "posted", by=by, now=now, **facts)


def note_receipt(
    session: Session, row: Invitation, received_on: date, *, seat: Seat, by: Actor, now: datetime
) -> None:
    """On which day the request really reached the agency. Its period counts from there and is never cut short.

    Raises Refusal NOT_ALLOWED, WRONG_STATE, RECEIVED_IN_FUTURE, DATES_REVERSED (before it was sent).
    """
    _require(by, row)
    if row.state not in ASKED or row.sent_on is None:
        raise Refusal(Code.WRONG_STATE, state=row.state)
    today = local_date(now)
    if received_on > today:
        raise Refusal(Code.RECEIVED_IN_FUTURE, "received_on")
    if received_on < row.sent_on:
        raise Refusal(Code.DATES_REVERSED, "received_on")
    row.received_on, row.is_receipt_noted = received_on, True
    facts = _never_short(session, row, seat, today)
    _happened(session, row, "receipt_noted", by=by, now=now, received_on=received_on.isoformat(), **facts)


def _never_short(session: Session, row: Invitation, seat: Seat, today: date) -> dict[str, Any]:
    """Move the end to where the law has it now, if that is later than what was told; never to an earlier day."""
    assert row.received_on is not None
    procedure, phase = _of(session, row)
    period = period_of(phase, procedure, row.received_on, seat=seat, due_on=row.due_on)
    row.proof = period.proof
    if row.due_on is not None and period.allows(row.due_on):
        return {}
    row.due_on = period.proposed
    _reopen(row, row.due_on, today)
    if row.reminded_at is None:
        _set_reminder(row, round_of(session, phase).remind_before)
    return {"due_on": row.due_on.isoformat()}


# --- the agency's side -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Holder:
    """Whoever holds a link that works: for this request of this agency, and nothing else."""

    link: InvitationLink
    invitation: Invitation
    organisation: Organisation
    procedure: Procedure
    phase: Phase
    #: The agency's own subject areas.
    subjects: tuple[str, ...]
    name: str
    role: ClerkRole

    @property
    def actor(self) -> Actor:
        """Who acts, for the journal: the clerk, or the agency. No member of the town's staff, and not signed in."""
        return Actor(self.label, None, self.name)

    @property
    def label(self) -> str:
        return f"clerk:{self.link.clerk_id}" if self.link.clerk_id else f"agency:{self.organisation.id}"

    @property
    def releases(self) -> bool:
        return self.role is ClerkRole.RELEASES


def holder_of(session: Session, municipality_id: int, token: str) -> Holder | None:
    """Who comes with this link, or None: unknown, revoked, of another town, of somebody who no longer works there."""
    return _holder(session, municipality_id, InvitationLink.key == _hashed(token))


def holder_of_code(session: Session, municipality_id: int, typed: str) -> Holder | None:
    """Who comes with the code of a letter, or None."""
    code = read_code(typed)
    if code is None:
        return None
    return _holder(session, municipality_id, InvitationLink.code_key == _hashed(code))


def _holder(session: Session, municipality_id: int, wanted: Any) -> Holder | None:
    found = session.exec(
        select(InvitationLink, Invitation, Organisation)
        .join(Invitation, col(Invitation.id) == InvitationLink.invitation_id)
        .join(Organisation, col(Organisation.id) == Invitation.organisation_id)
        .where(
            wanted,
            Invitation.municipality_id == municipality_id,
            col(InvitationLink.revoked_at).is_(None),
            col(Invitation.state).in_(ASKED),
        )
    ).first()
    if found is None:
        return None
    link, invitation, organisation = found
    name = organisation.name
    if link.clerk_id is not None:
        clerk = session.get(agencies.AgencyClerk, link.clerk_id)
        if clerk is None or not clerk.is_active:
            return None
        name = session.get_one(Person, clerk.person_id).name
    procedure, phase = _of(session, invitation)
    agency = session.get(agencies.Agency, organisation.id)
    subjects = tuple(agency.subjects) if agency else ()
    return Holder(link, invitation, organisation, procedure, phase, subjects, name, ClerkRole(link.role))


def of_clerk(session: Session, municipality_id: int, person_id: int) -> list[Holder]:
    """The requests that a person can open who is a clerk and signs in with an account, newest first."""
    links = session.exec(
        select(InvitationLink)
        .join(agencies.AgencyClerk, col(agencies.AgencyClerk.id) == InvitationLink.clerk_id)
        .join(Invitation, col(Invitation.id) == InvitationLink.invitation_id)
        .where(
            agencies.AgencyClerk.person_id == person_id,
            Invitation.municipality_id == municipality_id,
            col(InvitationLink.revoked_at).is_(None),
        )
        .order_by(col(InvitationLink.id).desc())
        .limit(50)
    ).all()
    found = [_holder(session, municipality_id, InvitationLink.key == link.key) for link in links]
    return [holder for holder in found if holder]


def holders_of(session: Session, row: Invitation) -> list[Holder]:
    """Everybody who holds a link to an invitation that works."""
    found = [
        _holder(session, row.municipality_id, InvitationLink.key == link.key)
        for link in _live_links(session, row)
    ]
    return [holder for holder in found if holder]


def opened(session: Session, holder: Holder, *, now: datetime) -> None:
    """The page behind the link was opened by a browser; the first time is noted."""
    row, link = holder.invitation, holder.link
    link.used_at = now
    session.add(link)
    if row.opened_at is not None:
        session.flush()
        return
    row.opened_at = now
    if row.state == S.INVITED.value:
        _move(row, S.OPENED)
    _happened(session, row, "opened", by=holder.actor, now=now)


@dataclass(frozen=True)
class Part:
    """A paragraph of a statement: the subject area it is about (its key and name, may be empty) and the words."""

    subject: str
    label: str
    text: str


def open_reply(session: Session, invitation_id: int, *, lock: bool = False) -> AgencyReply | None:
    """What the agency is writing on at the moment, if anything."""
    question = select(AgencyReply).where(
        AgencyReply.invitation_id == invitation_id, AgencyReply.state != ReplyState.RELEASED.value
    )
    if lock:
        question = question.with_for_update()
    return session.exec(question.order_by(col(AgencyReply.id))).first()


def write(
    session: Session,
    holder: Holder,
    parts: Sequence[Part],
    *,
    version: int,
    files: Sequence[dict[str, Any]] | None = None,
    wants_publication: bool = True,
    now: datetime,
) -> AgencyReply:
    """Keep what is being written; the first words begin a draft. Without `files` those kept stay.

    Raises Refusal CHANGED_MEANWHILE when somebody else saved since `version` was read, TEXT_TOO_LONG ("parts-N-text").
    """
    row = open_reply(session, holder.invitation.id or 0, lock=True)
    if (row.version if row else 0) != version:
        raise Refusal(Code.CHANGED_MEANWHILE)
    if row is not None and row.state == ReplyState.WAITING.value and not holder.releases:
        raise Refusal(Code.MAY_NOT_RELEASE)
    if row is None:
        row = AgencyReply(invitation_id=holder.invitation.id or 0, created_at=now, updated_at=now)
    row.parts = [
        {
            "subject": each.subject,
            "label": each.label,
            "text": normalise(each.text, field=f"parts-{number}-text").strip(),
        }
        for number, each in enumerate(parts)
    ]
    if files is not None:
        row.files = [dict(each) for each in files]
    row.wants_publication = wants_publication
    row.is_no_concerns = False
    row.version += 1
    row.written_by, row.updated_at = holder.label, now
    session.add(row)
    session.flush()
    return row


def _advance(row: AgencyReply, state: ReplyState) -> None:
    if state not in REPLY_MOVES[ReplyState(row.state)]:
        raise Refusal(Code.WRONG_STATE, state=row.state)
    row.state = state.value
    row.version += 1


def hand_on(session: Session, holder: Holder, row: AgencyReply, *, now: datetime) -> None:
    """Ask those who release to look at it. Raises Refusal EMPTY_CONTRIBUTION ("parts-0-text"), WRONG_STATE."""
    _check_reply(row)
    _advance(row, ReplyState.WAITING)
    row.updated_at = now
    session.add(row)
    _happened(session, holder.invitation, "handed_on", by=holder.actor, now=now)
    _tell(session, holder.invitation, "agency_waiting", now=now, roles=(ClerkRole.RELEASES,), by=holder.name)


def give_back(session: Session, holder: Holder, row: AgencyReply, *, note: str, now: datetime) -> None:
    """Something is to be changed before it is released. Raises MAY_NOT_RELEASE, REASON_REQUIRED ("note"), WRONG_STATE."""
    if not holder.releases:
        raise Refusal(Code.MAY_NOT_RELEASE)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    _advance(row, ReplyState.RETURNED)
    row.note, row.updated_at = normalise(note, field="note", limit=5000).strip(), now
    session.add(row)
    _happened(session, holder.invitation, "given_back", by=holder.actor, now=now, note=row.note)
    _tell(
        session, holder.invitation, "agency_returned", now=now, roles=(ClerkRole.DRAFTS,), by=holder.name, note=row.note
    )  # fmt: skip


def _check_reply(row: AgencyReply) -> None:
    if not row.is_no_concerns and not row.files and not any(part["text"] for part in row.parts):
        raise Refusal(Code.EMPTY_CONTRIBUTION, "parts-0-text")


def release(
    session: Session, holder: Holder, row: AgencyReply, *, title: str, language: str, now: datetime
) -> Contribution:
    """The agency's statement: from now on a contribution like any other, with its receipt; late if its own period is
    over. Raises Refusal MAY_NOT_RELEASE, EMPTY_CONTRIBUTION, WRONG_STATE, and what `contributions.submit` raises."""
    if not holder.releases:
        raise Refusal(Code.MAY_NOT_RELEASE)
    _check_reply(row)
    _advance(row, ReplyState.RELEASED)
    invitation = holder.invitation
    procedure, phase = _of(session, invitation)
    organisation = _entry(session, invitation).organisation
    earlier = replies_of(session, [invitation.id or 0])
    contribution = contributions.submit(
        session,
        Submission(
            kind=Kind.STATEMENT,
            channel=channels.AGENCY_LINK.key,
            key=f"agency-reply-{row.id}",
            title=title,
            text="\n\n".join(
                f"{part['label']}\n\n{part['text']}" if part["label"] else part["text"]
                for part in row.parts
                if part["text"]
            ),
            person=PersonInput(
                name=holder.name if holder.link.clerk_id else "",
                email=holder.link.sent_to,
                organisation=organisation.name,
                organisation_kind=OrganisationKind(organisation.kind),
                organisation_id=organisation.id,
            ),
            language=language,
            wants_publication=row.wants_publication,
            attachments=tuple(AttachedFile(**each) for each in row.files),
            supplements=earlier[0][1] if earlier else None,
            phase=phase,
            due_on=invitation.due_on,
        ),
        procedure=procedure,
        by=holder.actor,
        now=now,
    )
    row.contribution_id, row.updated_at = contribution.id, now
    session.add(row)
    _answered(session, invitation, contribution, is_no_concerns=row.is_no_concerns, by=holder.actor, now=now)
    return contribution


def _answered(
    session: Session, row: Invitation, contribution: Contribution, *, is_no_concerns: bool, by: Actor, now: datetime
) -> None:  # fmt: skip
    state = S.NO_CONCERNS if is_no_concerns else S.ANSWERED
    if not (row.state == S.ANSWERED.value and is_no_concerns):
        _move(row, state)
    row.answered_at = min(row.answered_at or contribution.received_at, contribution.received_at)
    row.remind_on = None
    _happened(
        session, row, "answered", by=by, now=now,
        contribution=contribution.id, channel=contribution.channel, late=contribution.is_late,
        no_concerns=is_no_concerns,
    )  # fmt: skip


def no_concerns(
    session: Session, holder: Holder, *, title: str, text: str, language: str, now: datetime
) -> Contribution | None:
    """“No concerns” in one step: a statement with its receipt for who releases (returned), for others a draft that waits
    for them (None). What was drafted before is kept aside in its own row only if nothing was written yet.

    Raises Refusal CHANGED_MEANWHILE when a draft with words or files is open.
    """
    row = open_reply(session, holder.invitation.id or 0, lock=True)
    if row is not None and not row.is_no_concerns and (row.files or any(part["text"] for part in row.parts)):
        raise Refusal(Code.CHANGED_MEANWHILE)
    if row is None:
        row = AgencyReply(invitation_id=holder.invitation.id or 0, created_at=now, updated_at=now)
    row.parts = [{"subject": "", "label": "", "text": text}]
    row.is_no_concerns, row.written_by, row.updated_at = True, holder.label, now
    session.add(row)
    session.flush()
    if holder.releases:
        return release(session, holder, row, title=title, language=language, now=now)
    if row.state != ReplyState.WAITING.value:
        hand_on(session, holder, row, now=now)
    return None


def ask_extension(
    session: Session, holder: Holder, *, reason: str, wished_until: date | None, now: datetime
) -> ExtensionRequest:
    """Ask for more time. Raises Refusal REASON_REQUIRED ("reason"), DATES_REVERSED ("wished_until"), WRONG_STATE (has
    answered, or a request waits already)."""
    row = holder.invitation
    reason = normalise(reason, field="reason", limit=5000).strip()
    if not reason:
        raise Refusal(Code.REASON_REQUIRED, "reason")
    if wished_until and row.due_on and wished_until <= row.due_on:
        raise Refusal(Code.DATES_REVERSED, "wished_until")
    if row.state not in (*PENDING, S.NO_REPLY.value) or open_extension(session, row) is not None:
        raise Refusal(Code.WRONG_STATE, state=row.state)
    request = ExtensionRequest(
        invitation_id=row.id or 0,
        asked_at=now,
        asked_by=holder.label,
        reason=reason,
        wished_until=wished_until,
    )
    session.add(request)
    _happened(
        session, row, "extension_asked", by=holder.actor, now=now, note=reason,
        wished_until=wished_until.isoformat() if wished_until else "",
    )  # fmt: skip
    return request


def open_extension(session: Session, row: Invitation) -> ExtensionRequest | None:
    """The request for more time that waits for an answer, if there is one."""
    return session.exec(
        select(ExtensionRequest)
        .where(ExtensionRequest.invitation_id == row.id, ExtensionRequest.decision == Decision.OPEN.value)
        .order_by(col(ExtensionRequest.id))
    ).first()


def decide_extension(
    session: Session, row: Invitation, *, granted_until: date | None, answer: str, by: Actor, now: datetime
) -> ExtensionRequest:
    """Grant more time until a day, or (None) refuse with a reason; the agency is told.

    Raises Refusal NOT_ALLOWED, WRONG_STATE (none waits), REASON_REQUIRED ("answer"), DATES_REVERSED ("granted_until").
    """
    _require(by, row)
    request = open_extension(session, row)
    if request is None:
        raise Refusal(Code.WRONG_STATE, state="")
    answer = normalise(answer, field="answer", limit=5000).strip()
    if granted_until is None and not answer:
        raise Refusal(Code.REASON_REQUIRED, "answer")
    if granted_until is not None and row.due_on and granted_until <= row.due_on:
        raise Refusal(Code.DATES_REVERSED, "granted_until")
    request.decision = (Decision.GRANTED if granted_until else Decision.REFUSED).value
    request.granted_until, request.answer = granted_until, answer
    request.decided_at, request.decided_by = now, by.label
    session.add(request)
    if granted_until is not None and row.state in (*PENDING, S.NO_REPLY.value):
        row.due_on = granted_until
        _reopen(row, granted_until, local_date(now))
        if row.reminded_at is None:
            _set_reminder(row, round_of(session, session.get_one(Phase, row.phase_id)).remind_before)
    _happened(
        session, row, f"extension_{request.decision}", by=by, now=now, note=answer,
        granted_until=granted_until.isoformat() if granted_until else "",
    )  # fmt: skip
    _tell(
        session, row, "agency_extension", now=now,
        granted_until=granted_until.isoformat() if granted_until else "", answer=answer,
    )  # fmt: skip
    return request


# --- the counter -----------------------------------------------------------------------------------


def assign(
    session: Session, row: Invitation, contribution: Contribution, *, by: Actor, now: datetime
) -> None:
    """What came in another way (letter, e-mail, telephone) is this agency's answer.

    Raises Refusal NOT_ALLOWED, UNKNOWN_REFERENCE ("reference": of another consultation), NAME_TAKEN ("reference": it is
    somebody's answer already), WRONG_STATE (removed).
    """
    _require(by, row, Permission.RECORD_INTAKE)
    if contribution.procedure_id != row.procedure_id:
        raise Refusal(Code.UNKNOWN_REFERENCE, "reference")
    if session.exec(select(AgencyReply.id).where(AgencyReply.contribution_id == contribution.id)).first():
        raise Refusal(Code.NAME_TAKEN, "reference", name=contribution.reference)
    session.add(
        AgencyReply(
            invitation_id=row.id or 0,
            state=ReplyState.RELEASED.value,
            written_by=by.label,
            contribution_id=contribution.id,
            wants_publication=contribution.wants_publication,
            created_at=now,
            updated_at=now,
        )
    )
    person = session.get(Person, contribution.submitter_id) if contribution.submitter_id else None
    if person is not None and person.organisation_id is None:
        person.organisation_id = _entry(session, row).id
        session.add(person)
    _answered(session, row, contribution, is_no_concerns=False, by=by, now=now)


def asked_in(session: Session, procedure_id: int) -> list[tuple[Invitation, Organisation]]:
    """Everybody who was asked in a consultation, by name: whose answer something at the counter may be."""
    rows = session.exec(
        select(Invitation, Organisation)
        .join(Organisation, col(Organisation.id) == Invitation.organisation_id)
        .where(Invitation.procedure_id == procedure_id, col(Invitation.state).in_(ASKED))
        .order_by(col(Organisation.name), col(Invitation.id))
    ).all()
    return [(row, organisation) for row, organisation in rows]


# --- time ------------------------------------------------------------------------------------------


def is_anything_due(session: Session, now: datetime) -> bool:
    """Whether somebody is to be reminded, or a period is over: a cheap look."""
    return session.exec(select(Invitation.id).where(_due(local_date(now))).limit(1)).first() is not None


def _due(today: date) -> Any:
    reminder = and_(col(Invitation.remind_on) <= today, col(Invitation.reminded_at).is_(None))
    return and_(
        col(Invitation.state).in_(PENDING),
        or_(and_(reminder, col(Invitation.due_on) >= today), col(Invitation.due_on) < today),
    )


def keep_time(session: Session, *, by: Actor, now: datetime, limit: int = 50) -> int:
    """Remind once, some days before the end, whoever has not answered; note silence when a period is over.

    Returns how many invitations it touched. Two workers never do the same one.
    """
    today = local_date(now)
    rows = session.exec(
        select(Invitation)
        .where(_due(today))
        .order_by(col(Invitation.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        if row.due_on is not None and row.due_on < today:
            _move(row, S.NO_REPLY)
            row.remind_on = None
            _happened(session, row, "period_over", by=by, now=now)
        else:
            row.reminded_at = now
            _happened(session, row, "reminded", by=by, now=now)
            _tell(session, row, "agency_reminder", now=now)
    return len(rows)


# --- questions -------------------------------------------------------------------------------------


def by_id(session: Session, procedure: Procedure, invitation_id: int) -> Invitation | None:
    """The invitation with this id, if it belongs to the procedure."""
    row = session.get(Invitation, invitation_id)
    return row if row and row.procedure_id == procedure.id else None


def phases_of(session: Session, procedure: Procedure) -> list[Phase]:
    """The phases of a procedure that ask agencies, in order."""
    assert procedure.id is not None
    return [phase for phase in procedures.phases_of(session, procedure.id) if asks_agencies(phase)]


def replies_of(session: Session, invitation_ids: Sequence[int]) -> list[tuple[AgencyReply, Contribution]]:
    """The answers of several invitations in the order of receipt, in one query."""
    rows = session.exec(
        select(AgencyReply, Contribution)
        .join(Contribution, col(Contribution.id) == AgencyReply.contribution_id)
        .where(col(AgencyReply.invitation_id).in_(invitation_ids))
        .order_by(col(Contribution.received_at), col(Contribution.id))
    ).all()
    return [(reply, contribution) for reply, contribution in rows]


def extensions_of(session: Session, invitation_ids: Sequence[int]) -> list[ExtensionRequest]:
    """The requests for more time of several invitations, oldest first, in one query."""
    return list(
        session.exec(
            select(ExtensionRequest)
            .where(col(ExtensionRequest.invitation_id).in_(invitation_ids))
            .order_by(col(ExtensionRequest.id))
        ).all()
    )


def events_of(session: Session, row: Invitation) -> list[InvitationEvent]:
    """Everything that happened to an invitation, oldest first."""
    return list(
        session.exec(
            select(InvitationEvent)
            .where(InvitationEvent.invitation_id == row.id)
            .order_by(col(InvitationEvent.id))
        ).all()
    )


def names(session: Session, labels: Sequence[str]) -> dict[str, str]:
    """Names by actor label, clerks of agencies included; at most three queries."""
    known = people.names(session, labels)
    ids = [int(label.partition(":")[2]) for label in labels if label.startswith("clerk:")]
    if ids:
        rows = session.exec(
            select(agencies.AgencyClerk.id, Person.name)
            .join(Person, col(Person.id) == agencies.AgencyClerk.person_id)
            .where(col(agencies.AgencyClerk.id).in_(ids))
        )
        known |= {f"clerk:{clerk_id}": name for clerk_id, name in rows}
    return known


@dataclass(frozen=True)
class LinkUse:
    """A link that works: whose it is, and when it was used last."""

    id: int
    name: str
    role: ClerkRole
    sent_to: str
    used_at: datetime | None


def links_of(session: Session, row: Invitation) -> list[LinkUse]:
    """The links of an invitation that work."""
    rows = session.exec(
        select(InvitationLink, Person)
        .join(agencies.AgencyClerk, col(agencies.AgencyClerk.id) == InvitationLink.clerk_id, isouter=True)
        .join(Person, col(Person.id) == agencies.AgencyClerk.person_id, isouter=True)
        .where(
            InvitationLink.invitation_id == row.id,
            col(InvitationLink.revoked_at).is_(None),
            or_(col(InvitationLink.clerk_id).is_(None), col(agencies.AgencyClerk.is_active)),
        )
        .order_by(col(InvitationLink.id))
    ).all()
    return [
        LinkUse(link.id or 0, person.name if person else "", ClerkRole(link.role), link.sent_to, link.used_at)
        for link, person in rows
    ]


@dataclass(frozen=True)
class Line:
    """One agency in the overview. The rows are not to be changed."""

    invitation: Invitation
    organisation: Organisation
    #: What it is called since it was merged, if it was.
    merged_into: str
    state: InvitationState
    answers: tuple[Contribution, ...]
    is_no_concerns: bool
    extensions: tuple[ExtensionRequest, ...]

    @property
    def is_late(self) -> bool | None:
        """Whether the first answer came after its own last day; None without an answer or an end."""
        if not self.answers or self.invitation.due_on is None:
            return None
        return not is_in_time(self.answers[0].received_at, self.invitation.due_on)


def overview(session: Session, phase: Phase, *, today: date) -> list[Line]:
    """Everybody who is or was on the list of a phase, by name; as many queries for a hundred as for one."""
    rows = session.exec(
        select(Invitation, Organisation)
        .join(Organisation, col(Organisation.id) == Invitation.organisation_id)
        .where(Invitation.phase_id == phase.id)
        .order_by(col(Organisation.name), col(Invitation.id))
    ).all()
    ids = [row.id or 0 for row, _ in rows]
    answers: dict[int, list[tuple[AgencyReply, Contribution]]] = {}
    for reply, contribution in replies_of(session, ids):
        answers.setdefault(reply.invitation_id, []).append((reply, contribution))
    extensions: dict[int, list[ExtensionRequest]] = {}
    for request in extensions_of(session, ids):
        extensions.setdefault(request.invitation_id, []).append(request)
    merged = {organisation.merged_into_id for _, organisation in rows if organisation.merged_into_id}
    survivors = dict(
        session.exec(select(Organisation.id, Organisation.name).where(col(Organisation.id).in_(merged))).all()
    )
    return [
        Line(
            row,
            organisation,
            survivors.get(organisation.merged_into_id, ""),
            shown_state(row, today),
            tuple(contribution for _, contribution in answers.get(row.id or 0, ())),
            row.state == S.NO_CONCERNS.value,
            tuple(extensions.get(row.id or 0, ())),
        )
        for row, organisation in rows
    ]


# --- what a mail or letter says --------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """Everything that a notice to an agency says. The rows are not to be changed."""

    kind: str
    invitation: Invitation
    procedure: Procedure
    phase: Phase
    link: InvitationLink
    agency: str
    name: str
    releases: bool
    address: tuple[str, ...]
    words: str
    facts: dict[str, Any]


def told(session: Session, notice: Notice) -> Told | None:
    """What a notice to an agency says; None if its link works no more, so that nothing is sent that leads nowhere."""
    row = session.get(Invitation, notice.facts.get("invitation") or 0)
    link = session.get(InvitationLink, notice.facts.get("link") or 0)
    if row is None or link is None or link.invitation_id != row.id or link.revoked_at is not None:
        return None
    procedure, phase = _of(session, row)
    return Told(
        kind=notice.kind,
        invitation=row,
        procedure=procedure,
        phase=phase,
        link=link,
        agency=session.get_one(Organisation, row.organisation_id).name,
        name=notice.to_name,
        releases=link.role == ClerkRole.RELEASES.value,
        address=tuple(notice.address.split("\n")) if notice.way == NoticeWay.LETTER.value else (),
        words=round_of(session, phase).words,
        facts=dict(notice.facts),
    )
