"""The agencies answer: behind a link they draft, release or give back, say “no concerns”, ask for more time.

What an agency writes is authored apart (`AgencyReply`) and becomes a contribution through the one door. What came
another way is assigned to whoever was asked. When the day of a request's receipt is corrected, its answers are judged anew.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Field, Session, SQLModel, col, select

from consultations import agencies, channels, contributions, invitations
from consultations.agencies import ClerkRole
from consultations.agency_periods import LETTER_TRAVELS
from consultations.contributions import AttachedFile, Contribution, Kind, Submission
from consultations.deadlines import local_date
from consultations.invitations import ASKED, PENDING, Invitation, InvitationLink, InvitationState
from consultations.municipalities import Municipality
from consultations.people import Organisation, OrganisationKind, Person, PersonInput
from consultations.permissions import Actor, Permission
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from consultations.tables import Json, UtcDateTime
from consultations.text import normalise

S = InvitationState


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
    #: Whose accounts show this clerk's requests.
    account_ids: tuple[int, ...] = ()

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
    return _holder(session, municipality_id, InvitationLink.key == invitations.hashed(token))


def holder_of_code(session: Session, municipality_id: int, typed: str) -> Holder | None:
    """Who comes with the code of a letter, or None."""
    code = invitations.read_code(typed)
    if code is None:
        return None
    return _holder(session, municipality_id, InvitationLink.code_key == invitations.hashed(code))


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
    name, accounts = organisation.name, tuple[int, ...]()
    if link.clerk_id is not None:
        clerk = session.get(agencies.AgencyClerk, link.clerk_id)
        if clerk is None or not clerk.is_active:
            return None
        name = session.get_one(Person, clerk.person_id).name
        accounts = tuple(each for each in (clerk.person_id, clerk.account_id) if each is not None)
    procedure, phase = invitations.matter_of(session, invitation)
    agency = session.get(agencies.Agency, organisation.id)
    subjects = tuple(agency.subjects) if agency else ()
    return Holder(
        link, invitation, organisation, procedure, phase, subjects, name, ClerkRole(link.role), accounts
    )


def offer_account(session: Session, holder: Holder, *, now: datetime) -> None:
    """Write to the clerk how to open an account, at most once a day. Raises Refusal NOT_FOUND (the agency itself has none)."""
    row, link = holder.invitation, holder.link
    if link.clerk_id is None:
        raise Refusal(Code.NOT_FOUND)
    today = local_date(now)
    earlier = [each for each in invitations.events_of(session, row) if each.verb == "account_offered"]
    if any(each.by == holder.label and local_date(each.at) == today for each in earlier):
        return
    invitations.happened(session, row, "account_offered", by=holder.actor, now=now)
    entry = invitations.entry_of(session, row)
    invitations.leave(session, row, link, "agency_account", name=holder.name, entry=entry, now=now)


def offer_of(key: bytes, link: InvitationLink) -> str:
    """The secret of the mail with which a clerk opens an account; no one knows it who only holds the link."""
    return hmac.digest(key, b"agency account\0" + link.nonce.encode(), "sha256").hex()[:48]


def is_offer(key: bytes, link: InvitationLink, secret: str) -> bool:
    """Whether this is the secret of that mail."""
    return hmac.compare_digest(offer_of(key, link).encode(), secret.encode())


def holders_of(session: Session, row: Invitation) -> list[Holder]:
    """Everybody who holds a link to an invitation that works."""
    found = [
        _holder(session, row.municipality_id, InvitationLink.key == link.key)
        for link in invitations.live_links(session, row)
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
        invitations.move(row, S.OPENED)
    invitations.happened(session, row, "opened", by=holder.actor, now=now)


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
    invitations.happened(session, holder.invitation, "handed_on", by=holder.actor, now=now)
    invitations.tell(
        session, holder.invitation, "agency_waiting", now=now, roles=(ClerkRole.RELEASES,), by=holder.name
    )


def give_back(session: Session, holder: Holder, row: AgencyReply, *, note: str, now: datetime) -> None:
    """Something is to be changed before it is released. Raises MAY_NOT_RELEASE, REASON_REQUIRED ("note"), WRONG_STATE."""
    if not holder.releases:
        raise Refusal(Code.MAY_NOT_RELEASE)
    if not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    _advance(row, ReplyState.RETURNED)
    row.note, row.updated_at = normalise(note, field="note", limit=5000).strip(), now
    session.add(row)
    invitations.happened(session, holder.invitation, "given_back", by=holder.actor, now=now, note=row.note)
    invitations.tell(
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
    procedure, phase = invitations.matter_of(session, invitation)
    organisation = invitations.entry_of(session, invitation).organisation
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
        invitations.move(row, state)
    row.answered_at = min(row.answered_at or contribution.received_at, contribution.received_at)
    row.answered_on = local_date(row.answered_at)
    row.remind_on = None
    invitations.happened(
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
    invitations.happened(
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

    Raises Refusal NOT_ALLOWED, WRONG_STATE (none waits), REASON_REQUIRED ("answer"), DATES_REVERSED or
    OWN_PERIOD_TOO_LONG ("granted_until").
    """
    invitations.require_planner(by, row)
    request = open_extension(session, row)
    if request is None:
        raise Refusal(Code.WRONG_STATE, state="")
    answer = normalise(answer, field="answer", limit=5000).strip()
    if granted_until is None and not answer:
        raise Refusal(Code.REASON_REQUIRED, "answer")
    if granted_until is not None and row.due_on and granted_until <= row.due_on:
        raise Refusal(Code.DATES_REVERSED, "granted_until")
    if granted_until is not None and row.state in (*PENDING, S.NO_REPLY.value):
        _give_time(session, row, granted_until, now)
    request.decision = (Decision.GRANTED if granted_until else Decision.REFUSED).value
    request.granted_until, request.answer = granted_until, answer
    request.decided_at, request.decided_by = now, by.label
    session.add(request)
    invitations.happened(
        session, row, f"extension_{request.decision}", by=by, now=now, note=answer,
        granted_until=granted_until.isoformat() if granted_until else "",
    )  # fmt: skip
    invitations.tell(
        session, row, "agency_extension", now=now,
        granted_until=granted_until.isoformat() if granted_until else "", answer=answer,
    )  # fmt: skip
    return request


def _give_time(session: Session, row: Invitation, until: date, now: datetime) -> None:
    """Move the last day, with its proof; granted for a holiday it ends on the next working day."""
    procedure, phase = invitations.matter_of(session, row)
    seat = Seat.from_data(session.get_one(Municipality, row.municipality_id).calendar)
    try:
        invitations.check_due(session, row, until, phase, procedure, row.received_on or until, seat)
    except Refusal as refusal:
        raise Refusal(refusal.code, "granted_until", **refusal.facts) from None
    assert row.due_on is not None
    invitations.reopen(row, row.due_on, local_date(now))
    if row.reminded_at is None:
        invitations.set_reminder(row, invitations.round_of(session, phase).remind_before)


# --- the counter -----------------------------------------------------------------------------------


def assign(
    session: Session, row: Invitation, contribution: Contribution, *, by: Actor, now: datetime
) -> None:
    """What came in another way (letter, e-mail, telephone) is this agency's answer: it belongs to the phase of the
    agencies from now on, and is in time or late by the agency's own last day.

    Raises Refusal NOT_ALLOWED, UNKNOWN_REFERENCE ("reference": of another consultation), NAME_TAKEN ("reference": it is
    somebody's answer already), WRONG_STATE (removed).
    """
    invitations.require_planner(by, row, Permission.RECORD_INTAKE)
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
        person.organisation_id = invitations.entry_of(session, row).id
        session.add(person)
    phase = session.get_one(Phase, row.phase_id)
    contributions.move_to(session, contribution, phase, due_on=row.due_on, by=by, now=now)
    _answered(session, row, contribution, is_no_concerns=False, by=by, now=now)


# --- when the request was received --------------------------------------------------------------------


def posted(session: Session, row: Invitation, *, seat: Seat, by: Actor, now: datetime) -> None:
    """The letter went into the post today. Later than assumed, the period moves with it: it is never cut short.

    Whether an answer that has come by then is late, is judged by the new last day.
    """
    today = local_date(now)
    assumed = today + LETTER_TRAVELS
    facts: dict[str, Any] = {"posted_on": today.isoformat()}
    if not row.is_receipt_noted and (row.received_on is None or assumed > row.received_on):
        row.received_on = assumed
        facts |= invitations.never_short(session, row, seat, today)
    invitations.happened(session, row, "posted", by=by, now=now, **facts)
    _follow_due(session, row, by=by, now=now)


def note_receipt(
    session: Session, row: Invitation, received_on: date, *, seat: Seat, by: Actor, now: datetime
) -> None:
    """On which day the request really reached the agency. Its period counts from there and is never cut short;
    whether an answer came late is judged by the new last day.

    Raises Refusal NOT_ALLOWED, WRONG_STATE, RECEIVED_IN_FUTURE, DATES_REVERSED (before it was sent).
    """
    invitations.require_planner(by, row)
    if row.state not in ASKED or row.sent_on is None:
        raise Refusal(Code.WRONG_STATE, state=row.state)
    today = local_date(now)
    if received_on > today:
        raise Refusal(Code.RECEIVED_IN_FUTURE, "received_on")
    if received_on < row.sent_on:
        raise Refusal(Code.DATES_REVERSED, "received_on")
    row.received_on, row.is_receipt_noted = received_on, True
    facts = invitations.never_short(session, row, seat, today)
    invitations.happened(
        session, row, "receipt_noted", by=by, now=now, received_on=received_on.isoformat(), **facts
    )
    _follow_due(session, row, by=by, now=now)


def _follow_due(session: Session, row: Invitation, *, by: Actor, now: datetime) -> None:
    """The last day has moved after an answer: whether that came late is judged by the new one."""
    phase = session.get_one(Phase, row.phase_id)
    for _reply, contribution in replies_of(session, [row.id or 0]):
        contributions.move_to(session, contribution, phase, due_on=row.due_on, by=by, now=now)


# --- questions -------------------------------------------------------------------------------------


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
