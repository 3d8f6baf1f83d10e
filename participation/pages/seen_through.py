"""What stands beside a proposal's words: support, the promised day, the official answer, what was built; for its page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from starlette.responses import Response, StreamingResponse

from consultations import (
    ballots,
    evaluation,
    implementation,
    procedures,
    proposals,
    proposing,
    received,
    support,
)
from consultations.cocreation import Act, Authoring, Opening, Part, answer
from consultations.contributions import Contribution
from consultations.counting import Outcome as VoteOutcome
from consultations.deadlines import local_date
from consultations.files import MissingFile, serving_headers
from consultations.implementation import EntryKind
from consultations.permissions import Permission
from consultations.phases import phases_of
from consultations.procedures import Procedure, localised
from consultations.proposals import Proposal
from participation.news_messages import MILESTONES, OUTCOMES, costs_in_words
from participation.pages.contributions_list import open_procedure
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

VOTED: Mapping[VoteOutcome | None, str] = {
    None: N_("It stands for election"),
    VoteOutcome.CHOSEN: N_("It was chosen in a vote"),
    VoteOutcome.NOT_CHOSEN: N_("It stood for election and was not chosen"),
    VoteOutcome.TIED: N_("It stood for election: tied, people have to decide"),
    VoteOutcome.DEPENDS: N_("It stood for election: whether it is chosen depends on a tie above it"),
}


def shown_proposal(visit: Visit) -> tuple[Procedure, Proposal, Contribution]:
    """The proposal in the address, as far as everybody may read it. Raises Refusal NOT_FOUND."""
    procedure = open_procedure(visit)
    row = received.by_reference(visit.session, procedure, str(visit.request.path_params["reference"]))
    proposal = proposals.by_contribution(visit.session, row.id or 0) if row else None
    if row is None or proposal is None or not proposal.is_listed:
        visit.not_found()
    return procedure, proposal, row


def proposal_at_work(
    visit: Visit, permission: Permission, contribution_id: int | None = None
) -> tuple[Procedure, Proposal, Contribution]:
    """The proposal with the number in the address (or another) before somebody at work who may do this with it.

    Raises Refusal NOT_FOUND, also for one that nobody can read, and NOT_ALLOWED.
    """
    wanted = contribution_id or int(visit.request.path_params["id"])
    row = received.by_id(visit.session, visit.municipality_id, wanted)
    procedure = procedures.by_id(visit.session, visit.municipality_id, row.procedure_id) if row else None
    if row is None or procedure is None:
        visit.not_found()
    visit.require(permission, procedure)
    proposal = proposals.by_contribution(visit.session, row.id or 0)
    if proposal is None or not proposal.is_listed:
        visit.not_found()
    return procedure, proposal, row


@dataclass(frozen=True)
class AnswerShown:
    """An official answer as everybody reads it."""

    outcome: str
    reason: str
    language: str
    costs: str
    period: str
    legal_ground: str
    on: date
    is_current: bool


@dataclass(frozen=True)
class MilestoneShown:
    """A milestone: its state in words, and whether its day has passed."""

    title: str
    state: str
    kind: str
    day: date | None
    moved_from: date | None
    is_late: bool


@dataclass(frozen=True)
class EntryShown:
    """A piece of news, a decision, a plan or money spent."""

    heading: str
    words: str
    language: str
    day: date | None
    url: str
    picture_url: str
    picture_words: str


@dataclass(frozen=True)
class Through:
    """Everything that stands beside a proposal's words. `count`: None while the phase hides it."""

    count: int | None
    support_url: str
    due_on: date | None
    first_due_on: date | None
    is_overdue: bool
    answers: tuple[AnswerShown, ...]
    milestones: tuple[MilestoneShown, ...]
    entries: tuple[EntryShown, ...]
    spent: int
    follow_url: str
    feed_url: str
    #: Where it stands for election or stood; empty if nowhere. `vote_words`: what of it.
    vote_url: str
    vote_words: str


def through_of(visit: Visit, procedure: Procedure, proposal: Proposal, reference: str) -> Through:
    """What stands beside a proposal's words; a constant number of queries."""
    phases = phases_of(visit.session, procedure.id or 0)
    running = proposing.phase_that_opens(phases, Opening.SUPPORT, visit.now)
    handed_in = next((phase for phase in phases if phase.id == proposal.phase_id), None)
    here = {"slug": procedure.slug, "reference": reference}
    may_support = running is not None and bool(
        answer(Authoring(proposal.authoring), Act.SUPPORT, Part.ANYBODY)
    )
    key = proposal.contribution_id
    task = evaluation.tasks_of(visit.session, [key]).get(key)
    owed = task if task is not None and task.answered_at is None else None
    answers = evaluation.answers_of(visit.session, key)
    can_vote = proposing.is_arranged(phases)
    stands = ballots.stand(visit.session, [key]).get(key) if can_vote else None
    story = implementation.story(visit.session, key, visit.today)
    return Through(
        count=support.shown_count(proposal, running or handed_in, now=visit.now, is_opened=True),
        support_url=visit.url("support", **here) if may_support else "",
        due_on=owed.due_on if owed else None,
        first_due_on=owed.first_due_on if owed and owed.first_due_on != owed.due_on else None,
        is_overdue=owed is not None and owed.due_on < visit.today,
        answers=tuple(answer_shown(visit, row, is_current=row is answers[0]) for row in answers),
        milestones=tuple(
            MilestoneShown(
                each.entry.title,
                visit.gettext(MILESTONES[each.entry.state]),
                {"planned": "waiting", "reached": "done", "given_up": "closed"}[each.entry.state],
                each.entry.day,
                each.first_day if each.first_day != each.entry.day else None,
                each.is_late,
            )
            for each in story.milestones
        ),
        entries=tuple(
            _entry(visit, procedure, reference, row)
            for row in story.entries
            if row.kind != EntryKind.MILESTONE.value
        ),
        spent=story.spent,
        follow_url=visit.url("follow", slug=procedure.slug, vorschlag=reference),
        feed_url=visit.url("news_feed", slug=procedure.slug, vorschlag=reference),
        vote_url=visit.url("vote", slug=procedure.slug, phase=stands.phase_id) if stands else "",
        vote_words=visit.gettext(VOTED[stands.outcome]) if stands else "",
    )


def answer_shown(visit: Visit, row: evaluation.Answer, *, is_current: bool = True) -> AnswerShown:
    """An answer in the visitor's words."""

    return AnswerShown(
        visit.gettext(OUTCOMES[row.outcome]),
        row.reason,
        row.language,
        costs_in_words(row.cost_from, row.cost_to, visit.language),
        row.period,
        row.legal_ground,
        local_date(row.published_at or row.drafted_at),
        is_current,
    )


def _entry(
    visit: Visit, procedure: Procedure, reference: str, row: implementation.ImplementationEntry
) -> EntryShown:
    heading = {
        EntryKind.MONEY.value: visit.gettext(
            "Spent: %(amount)s €, %(title)s",
            amount=costs_in_words(row.amount, row.amount, visit.language).removesuffix(" €"),
            title=row.title,
        ),
        EntryKind.DECISION.value: visit.gettext("Decision: %(title)s", title=row.title),
        EntryKind.PLAN.value: visit.gettext("Part of a plan: %(title)s", title=row.title),
    }.get(row.kind, row.title)
    url = row.address
    if row.plan_id is not None:
        plan = procedures.by_id(visit.session, visit.municipality_id, row.plan_id)
        url = visit.url("hearing", slug=plan.slug) if plan else ""
    return EntryShown(
        heading,
        row.words,
        row.language,
        row.day,
        url,
        visit.url("implementation_picture", slug=procedure.slug, reference=reference, entry=row.id)
        if row.picture_sha256
        else "",
        row.picture_words,
    )


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/bilder/{entry:int}",
    name="implementation_picture",
    may=Permission.READ_PUBLIC,
)
def picture(visit: Visit) -> Response:
    """A picture of what is being built: the copy without hidden data."""
    _procedure, proposal, _row = shown_proposal(visit)
    entry = implementation.picture_of(
        visit.session, proposal.contribution_id, int(visit.request.path_params["entry"])
    )
    if entry is None:
        visit.not_found()
    try:
        content = visit.house.files.open(entry.picture_sha256)
    except MissingFile:
        visit.not_found()
    extension = "png" if entry.picture_type == "image/png" else "jpg"
    return StreamingResponse(
        content, headers=serving_headers(f"{entry.id}.{extension}", entry.picture_type, inline=True)
    )


def title_of(visit: Visit, procedure: Procedure) -> str:
    """The consultation's title in the visitor's language."""
    return localised(procedure, visit.language, "title")
