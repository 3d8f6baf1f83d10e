"""Voting on proposals: read, fill the ballot in, check it, cast it; and afterwards the result with every ballot."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from random import Random

from starlette.responses import Response
from wtforms import Form, StringField

from consultations import (
    ballots,
    channels,
    counting,
    phases,
    proposing,
    published,
    received,
    voting,
    voting_codes,
)
from consultations.ballots import Vote, VoteOption, VoteState, Way
from consultations.cocreation import Limits
from consultations.counting import Outcome, VoteKind
from consultations.permissions import Permission
from consultations.phases import Phase
from consultations.procedures import Procedure, ProcedureState, localised
from consultations.refusals import Code, Refusal
from consultations.voting import Voter
from participation import i18n, overview, security
from participation.messages import STATUS
from participation.pages.contributions_list import open_procedure
from participation.pages.who_may import DeclareFields, declared
from participation.security import Action
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.CHOSEN: N_("chosen"),
    Outcome.NOT_CHOSEN: N_("not chosen"),
    Outcome.TIED: N_("tied: people have to decide"),
    Outcome.DEPENDS: N_("depends on how the tie is settled"),
}
INVALID: Mapping[str, str] = {
    counting.FaultKind.NOTHING.value: N_("nothing was chosen"),
    counting.FaultKind.TOO_MUCH.value: N_("more was chosen than is possible"),
    counting.FaultKind.TOO_MUCH_ON_ONE.value: N_("too many points on one proposal"),
    counting.FaultKind.SAME_PLACE.value: N_("a place was given twice"),
    counting.FaultKind.NO_PLACE.value: N_("a place that there is not"),
    counting.FaultKind.UNKNOWN.value: N_("something that was not up for election"),
    counting.FaultKind.NEGATIVE.value: N_("less than nothing was entered"),
    counting.SPOILED: N_("a name or other words on it, or an empty envelope"),
}
LETTERS: Mapping[str, str] = {
    "used": N_("the code had voted already; the envelope stayed closed"),
    "unknown": N_("no valid code"),
    "cancelled": N_("the code had been cancelled"),
    "late": N_("came after the end"),
}


#: As long as a vote stands so, there is something to wait for.
FOLLOWED = (voting.Standing.COMING, voting.Standing.RUNNING, voting.Standing.COUNTING)


class CodeForm(Form):
    """The code of a letter."""

    code = StringField(N_("Voting code"))


class BallotForm(DeclareFields):
    """What goes along with a ballot; its marks are read beside it."""


class FindForm(Form):
    """The number of a ballot, to find it in the list."""

    number = StringField(N_("Check number of your ballot"))


@dataclass(frozen=True)
class Line:
    """A proposal on the ballot. `typed`: what stands in its field; `url`: where one reads it, if everybody may."""

    number: int
    title: str
    language: str
    reference: str
    url: str
    cost: int | None = None
    typed: str = ""
    is_withdrawn: bool = False
    error: str = ""

    @property
    def is_marked(self) -> bool:
        return self.typed not in ("", "0")


@dataclass(frozen=True)
class Matter:
    """What every page of a vote says of it. `rules`: how one votes, in sentences."""

    hearing_title: str
    slug: str
    #: In which language the question is, and what else is said of it.
    language: str
    question: str
    intro: str
    intro_language: str
    kind: str
    most: int
    most_each: int
    rules: tuple[str, ...]
    binding: str
    binding_language: str
    url: str
    hearing_url: str


@dataclass(frozen=True)
class Bar:
    """A proposal in the result. `share`: of the most marks, in per cent."""

    line: Line
    place: int
    marks: int
    ballots: int
    share: int
    outcome: str
    words: str
    shares_place: bool


@dataclass(frozen=True)
class Counted:
    """The result, in words and numbers. `roll`: how many have voted by the roll; `paid`, `left`: of the money."""

    bars: tuple[Bar, ...]
    valid: int
    invalid: tuple[tuple[str, int], ...]
    channels: tuple[tuple[str, int], ...]
    letters: tuple[tuple[str, int], ...]
    roll: int
    cast: int
    codes: int
    is_tied: bool
    paid: int
    left: int
    list_url: str
    seal: str
    closed_at: object
    #: What was found for a check number: "" nothing was asked, else words.
    found: str = ""


@dataclass(frozen=True)
class VotePage:
    """A vote for everybody: `state` is one of `voting.Standing`. `interrupted_on`: since when its phase is interrupted;
    `is_given_up`: whether the consultation was."""

    matter: Matter
    state: str
    when: str
    lines: tuple[Line, ...]
    by_code: bool
    by_account: bool
    on_paper: bool
    is_signed_in: bool
    has_voted: bool
    interrupted_on: date | None
    is_given_up: bool
    sign_in_url: str
    ground: str
    contact: str
    cancelled_why: str
    #: Where one asks to be told of it; empty once there is nothing to wait for.
    follow_url: str
    result: Counted | None


@dataclass(frozen=True)
class BallotPage:
    """The ballot, to be filled in or to be checked. `code`: as it was typed; empty with an account."""

    matter: Matter
    lines: tuple[Line, ...]
    code: str
    once: str
    asked: tuple[str, ...]
    minimum_age: int | None
    ground: str
    contact: str
    spent: int
    errors: tuple[tuple[str, str | None], ...] = field(default=())


@dataclass(frozen=True)
class ReceiptPage:
    """The vote is counted."""

    matter: Matter
    number: str
    ends: str


@page(
    "/beteiligungen/{slug}/abstimmung/{phase:int}",
    name="vote",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
    dealt=True,
)
def vote_page(visit: Visit) -> Response:
    """A vote: read it; begin with a code or an account (`do=start`), check (`do=check`), go back, cast (`do=cast`).

    After the end: the result, and whether a check number stands in the list (`do=find`).
    """
    procedure, phase, vote = vote_of(visit)
    if not visit.is_post:
        return _show(visit, procedure, phase, vote)
    do = str(visit.form_data.get("do", ""))
    if do == "find":
        return _show(visit, procedure, phase, vote, find=visit.form(FindForm))
    try:
        voter, code = _voter(visit, procedure, vote, phase)
        typed = typed_marks(visit, ballots.options_of(visit.session, vote.id or 0))
    except Refusal as refusal:
        again = _as_before(visit, vote, phase) if do == "cast" and _is_used(refusal) else None
        if again is not None:
            return _receipt(visit, procedure, phase, vote, again)
        form = visit.form(CodeForm)
        visit.reject(form, refusal)
        procedure, phase, vote = vote_of(visit)
        response = _show(visit, procedure, phase, vote, form=form, status=STATUS.get(refusal.code, 422))
        if "retry_after" in refusal.facts:
            response.headers["Retry-After"] = str(refusal.facts["retry_after"])
        return response
    once = str(visit.form_data.get("once", ""))[:64] or secrets.token_urlsafe(24)
    if do not in ("check", "cast"):
        return _ballot(visit, procedure, phase, vote, voter, code, typed, once)
    options = ballots.options_of(visit.session, vote.id or 0)
    try:
        marks = read_marks(typed)
        if do == "check":
            voting.refuse_faults(vote, ballots.rules_of(vote, options), marks)
            for name in voting.asked_of(phase, voter.way):
                if name not in voter.declares:
                    raise Refusal(Code.SUPPORT_DECLARE, name)
            return _ballot(visit, procedure, phase, vote, voter, code, typed, once, is_checked=True)
        number = voting.cast(visit.session, vote, voter, marks, once=once, now=visit.now)
    except Refusal as refusal:
        visit.session.rollback()
        procedure, phase, vote = vote_of(visit)
        return _ballot(visit, procedure, phase, vote, voter, code, typed, once, refusal=refusal)
    return _receipt(visit, procedure, phase, vote, number)


def vote_of(visit: Visit) -> tuple[Procedure, Phase, Vote]:
    """The vote in the address, as far as everybody may know of it. Raises Refusal NOT_FOUND."""
    procedure = open_procedure(visit)
    phase = phases.phase_of(visit.session, int(visit.request.path_params["phase"]))
    vote = ballots.of_phase(visit.session, phase.id or 0) if phase else None
    if (
        phase is None
        or vote is None
        or phase.procedure_id != procedure.id
        or vote.state == VoteState.DRAFT.value
    ):
        visit.not_found()
    return procedure, phase, vote


# --- who -------------------------------------------------------------------------------------------


def _voter(visit: Visit, procedure: Procedure, vote: Vote, phase: Phase) -> tuple[Voter, str]:
    """Who votes here, and the code as typed. Raises Refusal NOT_OPENED, NOT_ALLOWED, TOO_MANY_TRIES, VOTED_ALREADY and what
    `voting.voter_by_code` raises."""
    if voting.standing(vote, procedure, phase, visit.now) is not voting.Standing.RUNNING:
        raise Refusal(Code.NOT_OPENED)
    typed = str(visit.form_data.get("code", ""))[:100]
    key = visit.house.link_key
    if visit.form_data.get("way") == Way.ACCOUNT.value:
        if visit.by.person_id is None or Way.ACCOUNT.value not in vote.ways:
            raise Refusal(Code.NOT_ALLOWED)
        party = voting.account_party(key, vote, visit.by.person_id)
        if ballots.has_voted(visit.session, vote, party):
            raise Refusal(Code.VOTED_ALREADY)
        declares = declared(visit.form_data)
        return Voter(party, Way.ACCOUNT, declares=declares), ""
    address = security.address_of(visit.request.scope)
    limiter = visit.house.limiter
    if limiter.is_used_up(Action.VOTING_CODE, address):
        raise limiter.refusal(Action.VOTING_CODE, address)
    try:
        return voting.voter_by_code(visit.session, vote, typed, key=key), typed
    except Refusal as refusal:
        if refusal.code is Code.VOTE_CODE_UNKNOWN:
            limiter.count(Action.VOTING_CODE, address)
        raise


def _is_used(refusal: Refusal) -> bool:
    return refusal.code in (Code.VOTE_CODE_USED, Code.VOTED_ALREADY)


def _as_before(visit: Visit, vote: Vote, phase: Phase) -> str | None:
    """The check number of the ballot that this very form has cast before (a double click, a reload), or None."""
    options = ballots.options_of(visit.session, vote.id or 0)
    try:
        marks = read_marks(typed_marks(visit, options))
    except Refusal:
        return None
    number = voting.check_number(vote, str(visit.form_data.get("once", ""))[:64])
    return number if voting.is_cast(visit.session, vote, number, marks) else None


# --- what is typed ---------------------------------------------------------------------------------


def typed_marks(visit: Visit, options: Sequence[VoteOption]) -> dict[int, str]:
    """What stands in the fields of a ballot, by number; what is not on the ballot too, if somebody sends it."""
    found = {option.number: "" for option in options}
    for name, value in visit.form_data.multi_items():
        match = re.fullmatch(r"mark-(\d{1,6})", name)
        if match and isinstance(value, str):
            found[int(match[1])] = value.strip()[:20]
    return found


def read_marks(typed: Mapping[int, str]) -> dict[int, int]:
    """The numbers that were typed. Raises Refusal BALLOT_NUMBER at the field of what is none."""
    marks = {}
    for number, value in typed.items():
        if not re.fullmatch(r"-?\d{1,6}", value or "0", re.ASCII):
            raise Refusal(Code.BALLOT_NUMBER, f"mark-{number}", most=voting.MOST_MARKS)
        marks[number] = int(value or "0")
    return marks


# --- what is shown ---------------------------------------------------------------------------------


def lines_of(
    visit: Visit, procedure: Procedure, options: Sequence[VoteOption], typed: Mapping[int, str] | None = None
) -> list[Line]:
    """What stands on the ballot, by number: as everybody may read it today. Three queries."""
    ids = [option.proposal_id for option in options]
    shown = {entry.id: entry for entry in published.by_ids(visit.session, procedure.id or 0, ids)}
    references = received.references(visit.session, ids)
    withdrawn = ballots.withdrawn(visit.session, options[0].vote_id) if options else set()
    lines = []
    for option in options:
        entry, reference = shown.get(option.proposal_id), references[option.proposal_id]
        lines.append(
            Line(
                option.number,
                entry.heading if entry else reference,
                entry.language if entry else visit.language,
                reference,
                visit.url("proposal", slug=procedure.slug, reference=reference) if entry else "",
                option.cost,
                (typed or {}).get(option.number, ""),
                option.proposal_id in withdrawn,
            )
        )
    return lines


def shuffled(visit: Visit, lines: Sequence[Line]) -> tuple[Line, ...]:
    """In the visitor's own order, the same the whole day: nobody is put first for all."""
    found = list(lines)
    Random(visit.deal).shuffle(found)
    return tuple(found)


def rules_in_words(visit: Visit, vote: Vote) -> tuple[str, ...]:
    """How one votes, in sentences."""
    most = i18n.number(vote.most, visit.language)
    if vote.kind == VoteKind.BUDGET.value:
        return (
            visit.gettext(
                "There are %(most)s €. Choose as many proposals as the money is enough for.", most=most
            ),
            visit.gettext("Chosen is what most want, one after the other, as long as the money lasts."),
        )
    if vote.kind == VoteKind.RANKING.value:
        return (
            visit.ngettext(
                "Give your favourite place 1.",
                "Put up to %(num)s proposals in order: 1 for your favourite, 2 for the next one, and so on. Each place only once.",
                vote.most,
            ),
            visit.ngettext(
                "The first place is worth one point.",
                "The first place is worth %(num)s points, each further one a point less.",
                vote.most,
            ),
            visit.ngettext(
                "The one proposal with the most points is chosen.",
                "The %(num)s proposals with the most points are chosen.",
                vote.wins,
            ),
        )
    wins = visit.ngettext(
        "The one proposal with the most votes is chosen.",
        "The %(num)s proposals with the most votes are chosen.",
        vote.wins,
    )
    if vote.kind == VoteKind.POINTS.value:
        return (
            visit.gettext(
                "You have %(most)s points, and may give one proposal at most %(each)s of them.",
                most=most,
                each=vote.most_each,
            ),
            wins,
        )
    one = visit.ngettext(
        "You have one vote.", "You have %(num)s votes, at most one for each proposal.", vote.most
    )
    return (one, wins)


def matter_of(visit: Visit, procedure: Procedure, vote: Vote) -> Matter:
    """What every page of it says."""
    language = visit.language

    def told(name: str) -> str:
        return language if vote.translations.get(language, {}).get(name) else overview.ENTERED_IN

    return Matter(
        localised(procedure, visit.language, "title"),
        procedure.slug,
        told("question"),
        vote.said(language),
        vote.said(language, "intro"),
        told("intro"),
        vote.kind,
        vote.most,
        vote.most_each if vote.kind == VoteKind.POINTS.value else 1,
        rules_in_words(visit, vote),
        vote.said(language, "binding"),
        told("binding"),
        visit.url("vote", slug=procedure.slug, phase=vote.phase_id),
        visit.url("hearing", slug=procedure.slug),
    )


def _show(
    visit: Visit,
    procedure: Procedure,
    phase: Phase,
    vote: Vote,
    *,
    form: CodeForm | None = None,
    find: FindForm | None = None,
    status: int = 200,
) -> Response:
    options = ballots.options_of(visit.session, vote.id or 0)
    lines = lines_of(visit, procedure, options)
    limits = proposing.arrangement_of(phase).limits
    limits = Limits() if limits.missing else limits
    party = (
        voting.account_party(visit.house.link_key, vote, visit.by.person_id)
        if visit.by.person_id is not None and Way.ACCOUNT.value in vote.ways
        else ""
    )
    stands = voting.standing(vote, procedure, phase, visit.now)
    course = phase.course
    is_closed = vote.state == VoteState.CLOSED.value
    return visit.render(
        "voting/vote.html",
        VotePage(
            matter_of(visit, procedure, vote),
            stands.value,
            overview.words_of(phase, visit.now, visit.language).when,
            shuffled(visit, lines),
            by_code=Way.CODE.value in vote.ways,
            by_account=Way.ACCOUNT.value in vote.ways,
            on_paper=vote.on_paper,
            is_signed_in=visit.by.person_id is not None,
            has_voted=bool(party) and ballots.has_voted(visit.session, vote, party),
            interrupted_on=course.interrupted_on
            if course.is_interrupted and stands is voting.Standing.RUNNING
            else None,
            is_given_up=procedure.state == ProcedureState.WITHDRAWN.value,
            sign_in_url=visit.url(
                "sign_in", next=visit.url("vote", slug=procedure.slug, phase=vote.phase_id)
            ),
            ground=limits.ground,
            contact=limits.contact,
            cancelled_why=vote.cancelled_why,
            follow_url=visit.url("follow", slug=procedure.slug, abstimmung=vote.phase_id)
            if stands in FOLLOWED
            else "",
            result=_counted(visit, procedure, vote, lines, find) if is_closed else None,
        ),
        status=status,
        form=form or visit.form(CodeForm, sent=None),
        find=find or visit.form(FindForm),
    )


def _counted(
    visit: Visit, procedure: Procedure, vote: Vote, lines: Sequence[Line], find: FindForm | None
) -> Counted:
    said = vote.result
    top = max([*said["marks"].values(), 1])
    places = list(said["places"].values())
    bars = [
        Bar(
            line,
            said["places"][key],
            said["marks"][key],
            said["ballots"][key],
            round(100 * said["marks"][key] / top),
            said["outcomes"][key],
            visit.gettext(OUTCOMES[Outcome(said["outcomes"][key])]),
            places.count(said["places"][key]) > 1,
        )
        for line in lines
        for key in (str(line.number),)
    ]
    bars.sort(key=lambda bar: (bar.place, bar.line.number))
    is_money = vote.kind == VoteKind.BUDGET.value
    return Counted(
        tuple(bars),
        said["valid"],
        tuple((visit.gettext(INVALID[why]), number) for why, number in said["invalid"].items()),
        tuple(
            (visit.gettext(channels.by_key(name).label), number) for name, number in said["channels"].items()
        ),
        tuple(
            (visit.gettext(LETTERS[why]), number) for why, number in said["letters"].items() if why in LETTERS
        ),
        said["roll"],
        sum(said["channels"].values()),
        said["codes"],
        any(bar.outcome == Outcome.TIED.value for bar in bars),
        vote.most - said["left"] if is_money else 0,
        said["left"] if is_money else 0,
        visit.url("vote_ballots", slug=procedure.slug, phase=vote.phase_id),
        vote.list_sha256,
        vote.closed_at,
        _found(visit, vote, lines, find),
    )


def _found(visit: Visit, vote: Vote, lines: Sequence[Line], find: FindForm | None) -> str:
    """What the list says of a check number."""
    typed = (find.number.data or "").strip() if find is not None else ""
    if not typed:
        return ""
    number = voting_codes.read_code(typed, voting_codes.CHECK_LENGTH)
    ballot = ballots.published_ballot(visit.session, vote, number) if number else None
    if ballot is None:
        return visit.gettext("This number does not stand in the list. Please compare it sign by sign.")
    paper = ballots.as_paper(ballot)
    rules = ballots.rules_of(vote, ballots.options_of(visit.session, vote.id or 0))
    if paper.spoiled or (found := counting.faults(rules, paper.marks)):
        why = counting.SPOILED if paper.spoiled else found[0].kind.value
        return visit.gettext(
            "Ballot %(number)s is in the list, but does not count: %(why)s",
            number=voting_codes.spelled(number),
            why=visit.gettext(INVALID[why]),
        )
    marks = paper.marks
    if vote.kind == VoteKind.RANKING.value:
        lines = sorted(lines, key=lambda line: marks.get(line.number, 0))
    said = [
        f"{marks[line.number]}. {line.title}"
        if vote.kind == VoteKind.RANKING.value
        else f"{line.title} ({marks[line.number]})"
        if vote.kind == VoteKind.POINTS.value
        else line.title
        for line in lines
        if line.number in marks
    ]
    return visit.gettext(
        "Ballot %(number)s is in the list: %(marks)s",
        number=voting_codes.spelled(number),
        marks=", ".join(said) or "–",
    )


def _ballot(
    visit: Visit,
    procedure: Procedure,
    phase: Phase,
    vote: Vote,
    voter: Voter,
    code: str,
    typed: Mapping[int, str],
    once: str,
    *,
    is_checked: bool = False,
    refusal: Refusal | None = None,
) -> Response:
    """The ballot to be filled in, or what was chosen before it is cast."""
    options = ballots.options_of(visit.session, vote.id or 0)
    lines = shuffled(visit, lines_of(visit, procedure, options, typed))
    if is_checked and vote.kind == VoteKind.RANKING.value:
        lines = tuple(sorted(lines, key=lambda line: int(line.typed or "0")))
    rules = ballots.rules_of(vote, options)
    limits = proposing.arrangement_of(phase).limits
    try:
        spent = counting.spent(rules, read_marks(typed))
    except Refusal:
        spent = 0
    form = visit.form(BallotForm)
    errors: tuple[tuple[str, str | None], ...] = ()
    if refusal is not None:
        message = visit.explain(refusal)
        if refusal.field in form._fields:
            form._fields[refusal.field].errors = [message]
        else:
            # What is said of the ballot as a whole, or of the code on a page before, leads to the ballot.
            is_here = any(refusal.field == f"mark-{line.number}" for line in lines)
            errors = ((message, refusal.field if is_here else "ballot"),)
            lines = tuple(
                _with_error(line, message) if refusal.field == f"mark-{line.number}" else line
                for line in lines
            )
    asked = voting.asked_of(phase, voter.way)
    return visit.render(
        "voting/check.html" if is_checked else "voting/ballot.html",
        BallotPage(
            matter_of(visit, procedure, vote),
            lines,
            code,
            once,
            asked,
            limits.minimum_age,
            limits.ground if asked else "",
            limits.contact if asked else "",
            spent,
            errors,
        ),
        status=200 if refusal is None else STATUS.get(refusal.code, 422),
        form=form,
    )


def _with_error(line: Line, message: str) -> Line:
    return Line(**{**{name: getattr(line, name) for name in Line.__dataclass_fields__}, "error": message})


def _receipt(visit: Visit, procedure: Procedure, phase: Phase, vote: Vote, number: str) -> Response:
    # No redirect: an address with the number in it would stand in logs beside a moment and a connection.
    return visit.render(
        "voting/receipt.html",
        ReceiptPage(
            matter_of(visit, procedure, vote),
            voting_codes.spelled(number),
            overview.words_of(phase, visit.now, visit.language).when,
        ),
    )


@page(
    "/beteiligungen/{slug}/abstimmung/{phase:int}/stimmzettel.csv",
    name="vote_ballots",
    may=Permission.READ_PUBLIC,
)
def ballot_list(visit: Visit) -> Response:
    """Every ballot of a vote that is over, so that everybody can count again."""
    _procedure, phase, vote = vote_of(visit)
    if vote.state != VoteState.CLOSED.value:
        visit.not_found()
    return Response(
        voting.published_list(visit.session, vote),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="stimmzettel-{phase.id}.csv"'},
    )
