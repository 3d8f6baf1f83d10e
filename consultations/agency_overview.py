"""What is known of the asking: who was asked, opened, answered, how, when, in time or late; and what a notice says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, case, func, or_
from sqlalchemy import select as select_several
from sqlmodel import Session, col, select

from consultations import agencies, invitations, people
from consultations.agencies import Agency, AgencyClerk, ClerkRole
from consultations.agency_answers import AgencyReply, Decision, ExtensionRequest, extensions_of, replies_of
from consultations.contributions import Contribution
from consultations.invitations import ASKED, PENDING, Invitation, InvitationLink, InvitationState, shown_state
from consultations.notices import Notice, NoticeWay
from consultations.people import Organisation, Person
from consultations.phases import Phase
from consultations.places import fold
from consultations.procedures import Procedure

S = InvitationState


def asked_in(session: Session, procedure_id: int) -> list[tuple[Invitation, Organisation]]:
    """Everybody who was asked in a consultation, by name: whose answer something at the counter may be."""
    rows = session.exec(
        select(Invitation, Organisation)
        .join(Organisation, col(Organisation.id) == Invitation.organisation_id)
        .where(Invitation.procedure_id == procedure_id, col(Invitation.state).in_(ASKED))
        .order_by(col(Organisation.name), col(Invitation.id))
    ).all()
    return [(row, organisation) for row, organisation in rows]


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
        row = self.invitation
        if row.answered_on is None or row.due_on is None:
            return None
        return row.answered_on > row.due_on


class Order(StrEnum):
    """In which order the overview is read."""

    NAME = "name"
    DUE = "due"
    ANSWERED = "answered"  # newest first, whoever has not answered last


#: What the overview can be narrowed to beyond the states.
LATE, IN_TIME, UNOPENED, EXTENSION, BY_LETTER = "late", "in_time", "unopened", "extension", "by_letter"


@dataclass(frozen=True)
class Wanted:
    """Which lines of the overview: a state, one of the words above, or (empty) everybody who was asked or taken off;
    `words` stand in the name."""

    which: str = ""
    words: str = ""
    order: Order = Order.NAME


def _which(which: str, today: date) -> Any:
    """The condition for the lines that are wanted, with the states as they are today."""
    state, due = col(Invitation.state), col(Invitation.due_on)
    over = and_(state.in_(PENDING), due < today)
    conditions = {
        "": state != S.LISTED.value,
        S.NO_REPLY.value: or_(state == S.NO_REPLY.value, over),
        **{each: and_(state == each, or_(due.is_(None), due >= today)) for each in PENDING},
        LATE: col(Invitation.answered_on) > due,
        IN_TIME: col(Invitation.answered_on) <= due,
        UNOPENED: and_(state.in_(ASKED), col(Invitation.opened_at).is_(None)),
        EXTENSION: _waits_for_us(),
        BY_LETTER: and_(state.in_(ASKED), col(Invitation.way) == NoticeWay.LETTER.value),
    }
    return conditions.get(which, state == which)


def _waits_for_us() -> Any:
    return col(Invitation.id).in_(
        select(ExtensionRequest.invitation_id).where(ExtensionRequest.decision == Decision.OPEN.value)
    )


def overview(
    session: Session,
    phase: Phase,
    *,
    today: date,
    wanted: Wanted | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> list[Line]:
    """Who is or was on the list of a phase, `limit` lines after the invitation with the id `after`; without `wanted`
    everybody by name. As many queries for a hundred as for one."""
    order = wanted.order if wanted else Order.NAME
    keys: list[Any] = [col(Agency.sort)]
    if order is Order.DUE:
        keys = [func.coalesce(Invitation.due_on, date.max), col(Agency.sort)]
    if order is Order.ANSWERED:
        # Days since an answer: the newest first, whoever has not answered last.
        keys = [func.coalesce(Invitation.answered_on, date.min), col(Agency.sort)]
    question = (
        select(Invitation, Organisation)
        .join(Organisation, col(Organisation.id) == Invitation.organisation_id)
        .join(Agency, col(Agency.organisation_id) == Invitation.organisation_id)
        .where(Invitation.phase_id == phase.id)
        .order_by(keys[0].desc() if order is Order.ANSWERED else keys[0], *keys[1:], col(Invitation.id))
    )
    if wanted is not None:
        question = question.where(_which(wanted.which, today))
        words = fold(wanted.words).replace("%", "").replace("_", "")
        if words:
            question = question.where(col(Agency.sort).contains(words))
    if after is not None:
        question = question.where(_behind(session, keys, after, order))
    rows = session.exec(question.limit(limit) if limit else question).all()
    return _lines(session, rows, today)


def _behind(session: Session, keys: Sequence[Any], after: int, order: Order) -> Any:
    """The condition for lines that come after the one of an invitation, in the order of the keys and the id."""
    known = session.exec(
        select(*keys, Invitation.id)  # type: ignore[call-overload]
        .join(Agency, col(Agency.organisation_id) == Invitation.organisation_id)
        .where(Invitation.id == after)
    ).first()
    if known is None:
        return col(Invitation.id).is_(None)
    condition: Any = col(Invitation.id) > known[-1]
    for number, (key, value) in reversed(list(enumerate(zip(keys, known[:-1], strict=True)))):
        further = key < value if order is Order.ANSWERED and number == 0 else key > value
        condition = or_(further, and_(key == value, condition))
    return condition


def line_of(session: Session, row: Invitation, *, today: date) -> Line:
    """The overview's line of one invitation."""
    return _lines(session, [(row, session.get_one(Organisation, row.organisation_id))], today)[0]


def _lines(session: Session, rows: Sequence[tuple[Invitation, Organisation]], today: date) -> list[Line]:
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


@dataclass(frozen=True)
class Counts:
    """How many agencies of a phase: on the list and not asked, asked, of these opened, answered and so on."""

    listed: int
    asked: int
    opened: int
    answered: int
    no_concerns: int
    late: int
    no_reply: int
    #: Ask for more time and wait for us.
    requests: int


def counts(session: Session, phase: Phase, *, today: date) -> Counts:
    """How the asking stands, in one query."""
    state = col(Invitation.state)
    asked = state.in_(ASKED)
    conditions = (
        state == S.LISTED.value,
        asked,
        and_(asked, col(Invitation.opened_at).is_not(None)),
        state.in_((S.ANSWERED.value, S.NO_CONCERNS.value)),
        state == S.NO_CONCERNS.value,
        _which(LATE, today),
        _which(S.NO_REPLY.value, today),
        and_(asked, _waits_for_us()),
    )
    found = session.exec(
        select(*(func.sum(case((each, 1), else_=0)) for each in conditions)).where(
            Invitation.phase_id == phase.id
        )
    ).one()
    return Counts(*(int(number or 0) for number in found))


def on_list(session: Session, phase: Phase) -> dict[int, InvitationState]:
    """The agencies that are or were on the list of a phase, with their state; merged ones by what they are now."""
    rows = session.exec(
        select(Invitation.organisation_id, Organisation.merged_into_id, Invitation.state)
        .join(Organisation, col(Organisation.id) == Invitation.organisation_id)
        .where(Invitation.phase_id == phase.id)
    ).all()
    return {
        key: InvitationState(state)
        for organisation_id, merged_into, state in rows
        for key in (organisation_id, merged_into)
        if key is not None
    }


@dataclass(frozen=True)
class Past:
    """One request to an agency: of which consultation and phase, and what became of it. The rows are not to be changed."""

    invitation: Invitation
    procedure: Procedure
    phase: Phase
    state: InvitationState
    #: Of whoever asks here: their link, and the agency.
    link: InvitationLink | None = None
    organisation: Organisation | None = None


def asked_of(session: Session, organisation_id: int, *, today: date, limit: int = 50) -> list[Past]:
    """What an agency was asked in all consultations, also as what was merged into it since; newest first."""
    merged = select(Organisation.id).where(Organisation.merged_into_id == organisation_id)
    rows = session.exec(
        select(Invitation, Procedure, Phase)
        .join(Procedure, col(Procedure.id) == Invitation.procedure_id)
        .join(Phase, col(Phase.id) == Invitation.phase_id)
        .where(
            or_(
                col(Invitation.organisation_id) == organisation_id,
                col(Invitation.organisation_id).in_(merged),
            ),
            col(Invitation.state).in_(ASKED),
        )
        .order_by(col(Invitation.id).desc())
        .limit(limit)
    ).all()
    return [Past(row, procedure, phase, shown_state(row, today)) for row, procedure, phase in rows]


def requests_of(
    session: Session,
    municipality_id: int,
    person_id: int,
    *,
    today: date,
    after: int | None = None,
    limit: int = 20,
) -> list[Past]:
    """The requests of all consultations that somebody can open who works for agencies and signs in, newest first,
    `limit` of them before the link with the id `after`."""
    question = (
        select_several(InvitationLink, Invitation, Procedure, Phase, Organisation)
        .join(AgencyClerk, col(AgencyClerk.id) == InvitationLink.clerk_id)
        .join(Invitation, col(Invitation.id) == InvitationLink.invitation_id)
        .join(Procedure, col(Procedure.id) == Invitation.procedure_id)
        .join(Phase, col(Phase.id) == Invitation.phase_id)
        .join(Organisation, col(Organisation.id) == Invitation.organisation_id)
        .where(
            or_(col(AgencyClerk.person_id) == person_id, col(AgencyClerk.account_id) == person_id),
            col(AgencyClerk.is_active),
            col(Invitation.municipality_id) == municipality_id,
            col(Invitation.state).in_(ASKED),
            col(InvitationLink.revoked_at).is_(None),
        )
        .order_by(col(InvitationLink.id).desc())
        .limit(limit)
    )
    if after is not None:
        question = question.where(col(InvitationLink.id) < after)
    return [
        Past(row, procedure, phase, shown_state(row, today), link, organisation)
        for link, row, procedure, phase, organisation in session.execute(question).all()
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
    procedure, phase = invitations.matter_of(session, row)
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
        words=invitations.round_of(session, phase).words,
        facts=dict(notice.facts),
    )
