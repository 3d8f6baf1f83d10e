"""What is known of the asking: who was asked, opened, answered, how, when, in time or late; and what a notice says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session, col, or_, select

from consultations import agencies, invitations, people
from consultations.agencies import ClerkRole
from consultations.agency_answers import AgencyReply, ExtensionRequest, extensions_of, replies_of
from consultations.contributions import Contribution
from consultations.deadlines import is_in_time
from consultations.invitations import ASKED, Invitation, InvitationLink, InvitationState, shown_state
from consultations.notices import Notice, NoticeWay
from consultations.people import Organisation, Person
from consultations.procedures import Phase, Procedure

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
