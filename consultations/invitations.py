"""Asking the agencies: whom, until when, by which way, by which links, and what happened to each request.

An `Invitation` is one agency that is asked in one phase. Its `state` is one column with a table of moves; who moved
it, when and why are rows that are only ever added. What comes back is `agency_answers`; what is shown and told of it is
`agency_overview`. Silence is silence: no consent is made of it.

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

from consultations import agencies, journal, notices
from consultations.agencies import ClerkRole, Entry
from consultations.agency_periods import LETTER_TRAVELS, asks_agencies, period_of
from consultations.contributions import CODE_ALPHABET
from consultations.deadlines import local_date
from consultations.notices import NoticeWay
from consultations.people import Organisation
from consultations.permissions import Actor, Permission, may
from consultations.phases import Phase, phases_of
from consultations.procedures import Procedure, ProcedureState
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from consultations.tables import BigKey, Json, UtcDateTime
from consultations.text import normalise

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
    "agency_account",
)

#: Asked, and nothing has come yet.
PENDING = (S.INVITED.value, S.OPENED.value)

#: Asked at some time, so that there is a request that can be answered.
ASKED = (*PENDING, S.NO_REPLY.value, S.NO_CONCERNS.value, S.ANSWERED.value)


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
    #: Receipt of the first answer, and its day in legal time: what is in time is asked of rows.
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    answered_on: date | None = None


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


def hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


# --- moving ----------------------------------------------------------------------------------------


def require_planner(by: Actor, row: Invitation | Procedure, permission: Permission = Permission.PLAN) -> None:
    procedure_id = row.procedure_id if isinstance(row, Invitation) else row.id
    if not may(by, permission, municipality_id=row.municipality_id, procedure_id=procedure_id):
        raise Refusal(Code.NOT_ALLOWED)


def move(row: Invitation, state: InvitationState) -> None:
    if state.value == row.state:
        return
    if state not in MOVES[InvitationState(row.state)]:
        raise Refusal(Code.WRONG_STATE, state=row.state)
    row.state = state.value


def happened(
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
    require_planner(by, procedure)
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
        set_reminder(invitation, row.remind_before)
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


def set_reminder(row: Invitation, before: int) -> None:
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
    require_planner(by, procedure)
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
        move(row, S.LISTED)
        row.way, row.sent_on, row.received_on, row.due_on, row.remind_on = "", None, None, None, None
        row.reminded_at = row.opened_at = None
        row.proof, row.is_receipt_noted = {}, False
    happened(session, row, "listed", by=by, now=now, note=why.strip(), proposed=is_proposed)
    return row


def copy_list(
    session: Session,
    earlier: Phase,
    phase: Phase,
    procedure: Procedure,
    *,
    why: str,
    by: Actor,
    now: datetime,
) -> int:
    """Put everybody on the list who was asked in another phase of the procedure, and is not on this one; returns how many.

    Whoever was merged since is put on as what they are now; whoever is asked no more, is not. Raises Refusal NOT_ALLOWED,
    WRONG_STATE (the phase asks no agencies).
    """
    require_planner(by, procedure)
    known = set(session.exec(select(Invitation.organisation_id).where(Invitation.phase_id == phase.id)).all())
    rows = session.exec(
        select(Organisation)
        .join(Invitation, col(Invitation.organisation_id) == Organisation.id)
        .where(
            Invitation.phase_id == earlier.id,
            Invitation.procedure_id == procedure.id,
            Invitation.state != S.REMOVED.value,
        )
        .order_by(col(Organisation.name), col(Organisation.id))
    ).all()
    wanted = dict.fromkeys(row.merged_into_id or row.id or 0 for row in rows)
    entries = {entry.id: entry for entry in agencies.every(session, procedure.municipality_id)}
    added = 0
    for organisation_id in wanted:
        entry = entries.get(organisation_id)
        if entry is not None and entry.agency.is_active and organisation_id not in known:
            put_on_list(session, phase, procedure, entry, why=why, is_proposed=True, by=by, now=now)
            added += 1
    return added


def remove(session: Session, row: Invitation, *, note: str, by: Actor, now: datetime) -> None:
    """Take an agency off the list, for a reason; its links stop working. What it has answered cannot be taken off.

    Raises Refusal NOT_ALLOWED, REASON_REQUIRED ("reason"), WRONG_STATE.
    """
    require_planner(by, row)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "reason")
    move(row, S.REMOVED)
    _revoke_links(session, row, now)
    happened(session, row, "removed", by=by, now=now, note=note.strip())


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
    require_planner(by, row)
    if row.state not in (S.LISTED.value, *PENDING, S.NO_REPLY.value):
        raise Refusal(Code.WRONG_STATE, state=row.state)
    if row.state != S.LISTED.value:
        if not note.strip():
            raise Refusal(Code.REASON_REQUIRED, "reason")
        if row.due_on and due_on < row.due_on:
            raise Refusal(Code.DATES_REVERSED, "due_on")
    procedure, phase = matter_of(session, row)
    way_days = LETTER_TRAVELS if _way(session, entry_of(session, row))[0] is NoticeWay.LETTER else timedelta()
    received_on = row.received_on or today + way_days
    check_due(session, row, due_on, phase, procedure, received_on, seat)
    reopen(row, due_on, today)
    set_reminder(row, round_of(session, phase).remind_before)
    happened(session, row, "due_set", by=by, now=now, note=note.strip(), due_on=due_on.isoformat())


def check_due(
    session: Session,
    row: Invitation,
    due_on: date,
    phase: Phase,
    procedure: Procedure,
    received_on: date,
    seat: Seat,
) -> None:
    """Set the end of an invitation's period with its proof. Raises Refusal OWN_PERIOD_TOO_SHORT, _TOO_LONG ("due_on")."""
    period = period_of(phase, procedure, received_on, seat=seat, due_on=due_on)
    if due_on < period.earliest or (period.maximum and due_on > period.maximum):
        name = session.get_one(Organisation, row.organisation_id).name
        if due_on < period.earliest:
            raise Refusal(Code.OWN_PERIOD_TOO_SHORT, "due_on", agency=name, minimum=period.earliest)
        raise Refusal(Code.OWN_PERIOD_TOO_LONG, "due_on", agency=name, maximum=period.maximum)
    # Announced for a holiday it ends on the next working day (BGB §193).
    row.due_on, row.proof = period.effective or due_on, period.proof


def reopen(row: Invitation, due_on: date, today: date) -> None:
    if row.state == S.NO_REPLY.value and due_on >= today:
        move(row, S.OPENED if row.opened_at else S.INVITED)


def matter_of(session: Session, row: Invitation) -> tuple[Procedure, Phase]:
    return session.get_one(Procedure, row.procedure_id), session.get_one(Phase, row.phase_id)


def entry_of(session: Session, row: Invitation) -> Entry:
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
    require_planner(by, procedure)
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
        entry = entry_of(session, row)
        way, recipients = _way(session, entry)
        row.way, row.sent_on = way.value, today
        row.received_on = today + (LETTER_TRAVELS if way is NoticeWay.LETTER else timedelta())
        wanted = row.due_on or due_on
        if wanted is None:
            wanted = period_of(phase, procedure, row.received_on, seat=seat).proposed
        check_due(session, row, wanted, phase, procedure, row.received_on, seat)
        set_reminder(row, before)
        move(row, S.INVITED)
        session.add(row)
        session.flush()
        _hand_out(session, row, entry, way, recipients, key=key, now=now)
        happened(
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
        link.key = hashed(token_of(key, link))
        if way is NoticeWay.LETTER:
            link.code_key = hashed(code_of(key, link))
        session.add(link)
        session.flush()
        leave(session, row, link, "agency_invitation", name=recipient.name, entry=entry, now=now)


def leave(
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


def tell(session: Session, row: Invitation, kind: str, *, now: datetime, roles: Sequence[ClerkRole] = (), **facts: Any) -> None:  # fmt: skip
    """Write to everybody who holds a link that works, or only to those of some roles."""
    entry = entry_of(session, row)
    clerks = {each.id: each for each in agencies.clerks_of(session, [entry.id], active=True)}
    for link in live_links(session, row):
        if roles and ClerkRole(link.role) not in roles:
            continue
        if link.clerk_id is not None and link.clerk_id not in clerks:
            continue
        name = clerks[link.clerk_id].name if link.clerk_id else entry.name
        leave(session, row, link, kind, name=name, entry=entry, now=now, **facts)


def live_links(session: Session, row: Invitation) -> list[InvitationLink]:
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
    require_planner(by, row)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "reason")
    _revoke_links(session, row, now)
    happened(session, row, "links_revoked", by=by, now=now, note=note.strip())


def rotate(
    session: Session, row: Invitation, *, by_letter: bool, key: bytes, by: Actor, now: datetime
) -> None:
    """New links to everybody, by mail or (where mail does not arrive) by letter; earlier ones stop working.

    The period does not move: it counts from the first request. Raises Refusal NOT_ALLOWED, WRONG_STATE,
    ADDRESS_MISSING.
    """
    require_planner(by, row)
    if row.state not in ASKED:
        raise Refusal(Code.WRONG_STATE, state=row.state)
    _revoke_links(session, row, now)
    entry = entry_of(session, row)
    way, recipients = _way(session, entry)
    if by_letter:
        way = NoticeWay.LETTER
    _hand_out(session, row, entry, way, recipients, key=key, now=now)
    happened(session, row, "links_renewed", by=by, now=now, way=way.value)


def never_short(session: Session, row: Invitation, seat: Seat, today: date) -> dict[str, Any]:
    """Move the end to where the law has it now, if that is later than what was told; never to an earlier day."""
    assert row.received_on is not None
    procedure, phase = matter_of(session, row)
    period = period_of(phase, procedure, row.received_on, seat=seat, due_on=row.due_on)
    row.proof = period.proof
    if row.due_on is not None and row.due_on >= period.earliest:
        return {}
    row.due_on = period.proposed
    reopen(row, row.due_on, today)
    if row.reminded_at is None:
        set_reminder(row, round_of(session, phase).remind_before)
    return {"due_on": row.due_on.isoformat()}


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
            move(row, S.NO_REPLY)
            row.remind_on = None
            happened(session, row, "period_over", by=by, now=now)
        else:
            row.reminded_at = now
            happened(session, row, "reminded", by=by, now=now)
            tell(session, row, "agency_reminder", now=now)
    return len(rows)


def remind(
    session: Session,
    phase: Phase,
    procedure: Procedure,
    *,
    by: Actor,
    now: datetime,
    only: Invitation | None = None,
) -> int:
    """Remind now whoever has not answered and whose period runs, or `only` one of them; returns how many.

    Nobody is reminded on the day of the request, nor twice a day. Raises Refusal NOT_ALLOWED, NOBODY_TO_REMIND.
    """
    require_planner(by, procedure)
    today = local_date(now)
    question = select(Invitation).where(
        Invitation.phase_id == phase.id,
        col(Invitation.state).in_(PENDING),
        or_(col(Invitation.due_on).is_(None), col(Invitation.due_on) >= today),
        col(Invitation.sent_on) < today,
    )
    if only is not None:
        question = question.where(Invitation.id == only.id)
    rows = [
        row
        for row in session.exec(question.order_by(col(Invitation.id)).with_for_update()).all()
        if row.reminded_at is None or local_date(row.reminded_at) < today
    ]
    if not rows:
        raise Refusal(Code.NOBODY_TO_REMIND)
    for row in rows:
        row.reminded_at = now
        happened(session, row, "reminded", by=by, now=now)
        tell(session, row, "agency_reminder", now=now)
    return len(rows)


# --- questions -------------------------------------------------------------------------------------


def by_id(session: Session, procedure: Procedure, invitation_id: int) -> Invitation | None:
    """The invitation with this id, if it belongs to the procedure."""
    row = session.get(Invitation, invitation_id)
    return row if row and row.procedure_id == procedure.id else None


def asking_phases(session: Session, procedure: Procedure) -> list[Phase]:
    """The phases of a procedure that ask agencies, in order."""
    assert procedure.id is not None
    return [phase for phase in phases_of(session, procedure.id) if asks_agencies(phase)]


def events_of(session: Session, row: Invitation) -> list[InvitationEvent]:
    """Everything that happened to an invitation, oldest first."""
    return list(
        session.exec(
            select(InvitationEvent)
            .where(InvitationEvent.invitation_id == row.id)
            .order_by(col(InvitationEvent.id))
        ).all()
    )
