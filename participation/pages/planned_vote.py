"""The planner sets up a vote: what stands for election, how one votes, a preview; puts it up, prints codes, has it counted."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from random import Random

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import (
    BooleanField,
    Form,
    HiddenField,
    IntegerField,
    RadioField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from consultations import (
    ballots,
    evaluation,
    people,
    phases,
    proposing,
    published,
    received,
    voting,
    voting_codes,
)
from consultations.ballots import Vote, VoteState, Way
from consultations.cocreation import Opening
from consultations.counting import VoteKind
from consultations.deadlines import PhaseState
from consultations.files import serving_headers
from consultations.permissions import Permission
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from consultations.voting import Standing, VoteInput
from participation import ballot_letters, i18n, overview
from participation.ballot_letters import BallotLine, PaperBallot, VotingLetters
from participation.letters import Letterhead
from participation.messages import STATUS
from participation.pages.planning_forms import Errors, Head, head_of, planned
from participation.pages.voting import Line, Matter, lines_of, matter_of
from participation.settings import LANGUAGES
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

KINDS: Mapping[VoteKind, str] = {
    VoteKind.CHOICES: N_("Crosses: so many votes, at most one for each proposal"),
    VoteKind.POINTS: N_("Points: so many points, some of them on one proposal"),
    VoteKind.BUDGET: N_("Money: as many proposals as the money is enough for"),
    VoteKind.RANKING: N_("Ranking: the first, the second, the third …, counted by Borda’s method"),
}
WAYS: Mapping[Way, str] = {
    Way.CODE: N_("With a voting code from a letter"),
    Way.ACCOUNT: N_("With an account"),
}
DRAFT: tuple[str, str] = ("draft", N_("Draft"))
STANDINGS: Mapping[Standing, tuple[str, str]] = {
    Standing.UNSEEN: ("soon", N_("Put up")),
    Standing.COMING: ("soon", N_("Put up")),
    Standing.RUNNING: ("open", N_("Running")),
    Standing.COUNTING: ("evaluating", N_("Being counted")),
    Standing.CLOSED: ("done", N_("Counted")),
    Standing.CANCELLED: ("hidden", N_("Given up")),
    Standing.STOPPED: ("closed", N_("Nobody can vote any more")),
}
#: What is told in every language of the town.
TRANSLATED = ("question", "intro", "binding")
#: Letters in one PDF: 200 with ballots are set in four seconds; a thousand took a gigabyte.
AS_PDF = 200
#: Letters that are printed together at least, so that their ballots carry check numbers: fewer cannot be mixed, and whoever
#: prints one alone would read in the public list what was voted with it.
MIXED = 5
#: Proposals that the page offers to tick; further ones are named by their reference number.
OFFERED = 100


class VoteForm(Form):
    """A vote as it is set up; the proposals are read beside it."""

    version = HiddenField()
    question = StringField(
        N_("What is the question?"),
        [InputRequired(N_("Please ask a question that one proposal answers.")), Length(max=300)],
    )
    intro = TextAreaField(N_("What should people know before they vote?"), [Length(max=5000)])
    kind = RadioField(
        N_("How does one vote?"), choices=[SelectChoice(kind.value, name) for kind, name in KINDS.items()]
    )
    most = IntegerField(
        N_("How many crosses, points, euros or places?"), [InputRequired(N_("Please enter a number."))]
    )
    most_each = IntegerField(N_("Points on one proposal, at most"), [Optional()])
    wins = IntegerField(N_("How many proposals are chosen?"), [Optional()])
    ways = RadioField(
        N_("By what does somebody show that they may vote?"),
        choices=[SelectChoice(way.value, name) for way, name in WAYS.items()],
        validate_choice=False,
    )
    on_paper = BooleanField(N_("Ballots on paper count too"))
    binding = TextAreaField(N_("What binds the council to the result?"), [Length(max=5000)])
    more = StringField(N_("Further proposals, by reference number"), [Length(max=2000)])


@cache
def _form_of(languages: tuple[str, ...]) -> type[VoteForm]:
    """The form with the words in the other languages of the town."""
    fields: dict[str, object] = {}
    for each in languages[1:]:
        fields |= {
            f"question_{each}": StringField(N_("What is the question?"), [Length(max=300)]),
            f"intro_{each}": TextAreaField(
                N_("What should people know before they vote?"), [Length(max=5000)]
            ),
            f"binding_{each}": TextAreaField(N_("What binds the council to the result?"), [Length(max=5000)]),
        }
    return type("VoteFormOfTown", (VoteForm,), fields)


class LetterForm(Form):
    """One letter that was lost; the form's own key, for the one that is made in its place."""

    once = HiddenField()
    letter = IntegerField(N_("Number of the letter"), [InputRequired(N_("Please enter a number."))])


class CodesForm(Form):
    """How many codes; the form's own key."""

    once = HiddenField()
    codes = IntegerField(N_("How many voting codes?"), [InputRequired(N_("Please enter a number."))])


class WhyForm(Form):
    """Why a vote is given up."""

    why = TextAreaField(N_("Why is it given up?"), [Length(max=5000)])


@dataclass(frozen=True)
class Offer:
    """A proposal that may stand. `usual`: what the official answer says that it costs."""

    id: int
    title: str
    reference: str
    url: str
    stands: bool
    cost: str
    usual: int | None


@dataclass(frozen=True)
class PrintLine:
    """Codes that were printed together."""

    id: int
    number: int
    codes: int
    at: datetime
    by: str
    is_cancelled: bool


@dataclass(frozen=True)
class PlannedVote:
    """One vote before the planner."""

    head: Head
    phase: str
    when: str
    state: str
    state_tag: tuple[str, str]
    is_opened: bool
    opening_url: str
    offers: tuple[Offer, ...]
    has_more: bool
    matter: Matter | None
    lines: tuple[Line, ...]
    prints: tuple[PrintLine, ...]
    #: Letters that were cancelled one by one.
    cancelled: tuple[int, ...]
    #: The languages of the town: key and name.
    languages: tuple[tuple[str, str], ...]
    prints_codes: bool
    may_take_back: bool
    may_close: bool
    counter_url: str
    errors: Errors
    done: str


@dataclass(frozen=True)
class BallotSheet:
    """A ballot on paper; `check_number` is drawn for it alone and kept nowhere."""

    check_number: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class LettersPage:
    """Letters to print, and where paper counts as many ballots. A ballot is a sheet of its own: on one with the code, its check
    number would tell whoever has seen the letter what was voted, once the list is public."""

    matter: Matter
    number: int
    when: str
    #: Number of the letter and its code.
    codes: tuple[tuple[int, str], ...]
    ballots: tuple[BallotSheet, ...]
    back_url: str
    vote_url: str


@page(
    "/verwaltung/planung/{id:int}/abstimmung/{phase:int}",
    name="planning_vote",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def plan(visit: Visit) -> Response:
    """Set a vote up (`do=save`), put it up, take it back, print codes, cancel them, count, give up."""
    procedure, phase = _planned_phase(visit)
    vote = ballots.of_phase(visit.session, phase.id or 0)
    do = str(visit.form_data.get("do", ""))
    if not visit.is_post:
        return _show(visit, procedure, phase, vote)
    if do == "save":
        return _save(visit, procedure, phase, vote)
    if vote is None:
        visit.not_found()
    codes, why, lost = visit.form(CodesForm), visit.form(WhyForm), visit.form(LetterForm)
    try:
        if do == "put_up":
            voting.put_up(visit.session, vote, by=visit.by, now=visit.now)
        elif do == "take_back":
            voting.take_back(visit.session, vote, by=visit.by, now=visit.now)
        elif do == "close":
            voting.close(visit.session, vote, by=visit.by, now=visit.now)
        elif do == "cancel":
            voting.cancel(visit.session, vote, why=why.why.data or "", by=visit.by, now=visit.now)
        elif do.startswith("lost-"):
            number = do.removeprefix("lost-")
            at = int(number) if number.isdecimal() and len(number) < 10 else 0
            voting_codes.cancel_print(visit.session, vote, at, by=visit.by, now=visit.now)
        elif do in ("print", "print_pdf"):
            if not codes.validate():
                return _show(visit, procedure, phase, vote, codes=codes, status=422)
            how_many, once = codes.codes.data or 0, codes.once.data or ""
            return _print(visit, procedure, phase, vote, how_many, once, as_pdf=do == "print_pdf")
        elif do in ("letter_lost", "letter_anew", "letter_anew_pdf"):
            if not lost.validate():
                return _show(visit, procedure, phase, vote, lost=lost, status=422)
            voting_codes.cancel_letter(visit.session, vote, lost.letter.data or 0, by=visit.by, now=visit.now)
            if do != "letter_lost":
                as_pdf = do == "letter_anew_pdf"
                return _print(visit, procedure, phase, vote, 1, lost.once.data or "", as_pdf=as_pdf)
    except Refusal as refusal:
        message, field = visit.explain(refusal), refusal.field
        visit.session.rollback()
        forms = (codes, why, lost)
        target = next((form._fields[field] for form in forms if field and field in form._fields), None)
        if target is not None:
            target.errors = [message]
        procedure, phase = _planned_phase(visit)
        vote = ballots.of_phase(visit.session, phase.id or 0)
        return _show(
            visit,
            procedure,
            phase,
            vote,
            codes=codes,
            why=why,
            lost=lost,
            errors=((message, field if target is not None else None),),
            status=STATUS.get(refusal.code, 422),
        )
    return visit.redirect("planning_vote", id=procedure.id, phase=phase.id, getan=1)


def _planned_phase(visit: Visit) -> tuple[Procedure, Phase]:
    procedure = planned(visit)
    phase = phases.phase_of(visit.session, visit.request.path_params["phase"])
    if phase is None or phase.procedure_id != procedure.id:
        visit.not_found()
    return procedure, phase


def _save(visit: Visit, procedure: Procedure, phase: Phase, vote: Vote | None) -> Response:
    form = visit.form(_form_of(visit.languages))
    if not form.validate():
        return _show(visit, procedure, phase, vote, form=form, status=422)
    version = str(form.version.data or "")
    try:
        chosen, costs = _sent(visit, procedure, form)
        voting.plan(
            visit.session,
            procedure,
            phase,
            VoteInput(
                question=form.question.data or "",
                proposal_ids=chosen,
                kind=VoteKind(form.kind.data),
                intro=form.intro.data or "",
                translations={
                    each: {name: form[f"{name}_{each}"].data or "" for name in TRANSLATED}
                    for each in visit.languages[1:]
                },
                most=form.most.data or 0,
                most_each=form.most_each.data or 1,
                wins=form.wins.data or 1,
                binding=form.binding.data or "",
                ways=[way for way in Way if way.value == form.ways.data],
                on_paper=bool(form.on_paper.data),
                costs=costs,
            ),
            by=visit.by,
            now=visit.now,
            expected_version=int(version) if version.isdecimal() and len(version) < 10 else -1,
        )
    except Refusal as refusal:
        message = visit.explain(refusal)
        visit.session.rollback()
        procedure, phase = _planned_phase(visit)
        vote = ballots.of_phase(visit.session, phase.id or 0)
        if refusal.code is Code.CHANGED_MEANWHILE:
            form.version.data = str(vote.version if vote else 0)
        target = form._fields.get(refusal.field or "")
        errors: Errors = ()
        if target is not None:
            target.errors = [message]
        else:
            errors = ((message, refusal.field),)
        return _show(
            visit, procedure, phase, vote, form=form, errors=errors, status=STATUS.get(refusal.code, 422)
        )
    return visit.redirect("planning_vote", id=procedure.id, phase=phase.id, getan=1)


def _sent(visit: Visit, procedure: Procedure, form: VoteForm) -> tuple[list[int], dict[int, int]]:
    """The proposals that were ticked or named, and their costs. Raises Refusal NOT_FOUND ("more"), NUMBER_OUT_OF_RANGE."""
    chosen, costs = [], {}
    for name, value in visit.form_data.multi_items():
        verb, _, number = name.partition("-")
        if verb not in ("stands", "cost") or not (number.isdecimal() and len(number) < 10):
            continue
        if verb == "stands":
            chosen.append(int(number))
        elif isinstance(value, str) and value.strip():
            typed = value.strip().replace(".", "").removesuffix("€").strip()
            if not (typed.isdecimal() and typed.isascii() and len(typed) < 11):
                raise Refusal(Code.NUMBER_OUT_OF_RANGE, name, least=0, most=voting.MOST_EUROS)
            costs[int(number)] = int(typed)
    for reference in (form.more.data or "").replace(",", " ").split():
        row = received.by_reference(visit.session, procedure, reference.upper())
        if row is None or row.id is None:
            raise Refusal(Code.NOT_FOUND, "more")
        chosen.append(row.id)
    return chosen, costs


def _print(
    visit: Visit, procedure: Procedure, phase: Phase, vote: Vote, how_many: int, once: str, *, as_pdf: bool
) -> Response:
    """New letters, as a page to print or as PDF. What is answered here is the only place where their codes ever stand.
    Raises Refusal as `voting_codes.print_codes`, and NUMBER_OUT_OF_RANGE ("codes") for more than one PDF may have."""
    if as_pdf and how_many > AS_PDF:
        raise Refusal(Code.NUMBER_OUT_OF_RANGE, "codes", least=1, most=AS_PDF)
    made, codes = voting_codes.print_codes(
        visit.session, vote, how_many, once=once, key=visit.house.link_key, by=visit.by, now=visit.now
    )
    lines = lines_of(visit, procedure, ballots.options_of(visit.session, vote.id or 0))
    chance, last = Random(secrets.randbits(64)), overview.last_day(phase)
    shown = LettersPage(
        matter_of(visit, procedure, vote),
        made.number,
        overview.midnight(last, visit.language) if last else "",
        tuple((number, voting_codes.spelled(code)) for number, code in codes.items()),
        tuple(
            BallotSheet(
                voting_codes.spelled(voting_codes.drawn(voting_codes.CHECK_LENGTH))
                if len(codes) >= MIXED
                else "",
                tuple(chance.sample(lines, len(lines))),
            )
            for _ in (codes if vote.on_paper else ())
        ),
        visit.url("planning_vote", id=procedure.id, phase=phase.id),
        visit.absolute("vote", slug=procedure.slug, phase=phase.id),
    )
    if not as_pdf:
        return visit.render("voting/letters.html", shown)
    body = ballot_letters.voting_pdf(_as_letters(visit, shown))
    name = f"abstimmung-{phase.id}-druck-{made.number}.pdf"
    return Response(body, headers=serving_headers(name, "application/pdf"))


def _as_letters(visit: Visit, shown: LettersPage) -> VotingLetters:
    matter = shown.matter
    return VotingLetters(
        Letterhead.of(visit.municipality_row),
        visit.language,
        matter.hearing_title,
        matter.question,
        matter.rules,
        not matter.binding,
        shown.when,
        shown.codes,
        [
            PaperBallot(
                each.check_number,
                [
                    BallotLine(
                        line.number,
                        line.title,
                        f"{i18n.number(line.cost, visit.language)}\N{NO-BREAK SPACE}€"
                        if line.cost is not None
                        else "",
                    )
                    for line in each.lines
                ],
            )
            for each in shown.ballots
        ],
        shown.vote_url,
        visit.now,
    )


def _show(
    visit: Visit,
    procedure: Procedure,
    phase: Phase,
    vote: Vote | None,
    *,
    form: VoteForm | None = None,
    codes: CodesForm | None = None,
    why: WhyForm | None = None,
    lost: LetterForm | None = None,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    state = VoteState(vote.state) if vote else VoteState.DRAFT
    options = ballots.options_of(visit.session, vote.id or 0) if vote else []
    costs = {option.proposal_id: str(option.cost) for option in options if option.cost is not None}
    stands = {option.proposal_id for option in options}
    if form is not None:
        stands = {
            int(name.removeprefix("stands-"))
            for name in visit.form_data
            if name.startswith("stands-") and name.removeprefix("stands-").isdecimal() and len(name) < 17
        }
        costs = {
            int(name.removeprefix("cost-")): str(value)
            for name, value in visit.form_data.multi_items()
            if name.startswith("cost-") and name.removeprefix("cost-").isdecimal() and len(name) < 15
        }
    offers, has_more = _offers(visit, procedure, stands, costs) if state is VoteState.DRAFT else ((), False)
    is_over = phase.state(visit.now) is PhaseState.OVER
    kind, words = (
        STANDINGS[voting.standing(vote, procedure, phase, visit.now)]
        if vote and state is not VoteState.DRAFT
        else DRAFT
    )
    return visit.render(
        "planning/vote.html",
        PlannedVote(
            head=head_of(visit, procedure),
            phase=overview.phase_name(phase, visit.language),
            when=overview.words_of(phase, visit.now, visit.language).when,
            state=state.value,
            state_tag=(kind, visit.gettext(words)),
            is_opened=Opening.VOTE in proposing.arrangement_of(phase).opens,
            opening_url=visit.url("planning_cocreation", id=procedure.id, phase=phase.id),
            offers=offers,
            has_more=has_more,
            matter=matter_of(visit, procedure, vote) if vote else None,
            lines=tuple(lines_of(visit, procedure, options)),
            prints=_prints(visit, vote) if vote else (),
            cancelled=tuple(voting_codes.cancelled_letters(visit.session, vote.id or 0)) if vote else (),
            languages=tuple((each, LANGUAGES[each]) for each in visit.languages),
            prints_codes=vote is not None and Way.CODE.value in vote.ways,
            may_take_back=state is VoteState.READY and phase.state(visit.now) is PhaseState.COMING,
            may_close=state is VoteState.READY and is_over,
            counter_url=visit.url("paper_vote", id=vote.id) if vote and vote.on_paper else "",
            errors=errors,
            done=visit.gettext("Done. It is on file with your name.")
            if visit.request.query_params.get("getan")
            else "",
        ),
        status=status,
        form=form or _form(visit, vote),
        codes=codes or visit.form(CodesForm, sent=FormData(), once=secrets.token_urlsafe(24)),
        why=why or visit.form(WhyForm, sent=FormData()),
        lost=lost or visit.form(LetterForm, sent=FormData(), once=secrets.token_urlsafe(24)),
    )


def _form(visit: Visit, vote: Vote | None) -> VoteForm:
    """The form of a vote as it stands; usual values for a new one."""
    if vote is None:
        return visit.form(
            _form_of(visit.languages),
            sent=FormData(),
            version="0",
            kind=VoteKind.CHOICES.value,
            most=3,
            most_each=3,
            wins=3,
            ways=Way.CODE.value,
            on_paper=True,
        )
    return visit.form(
        _form_of(visit.languages),
        sent=FormData(),
        version=str(vote.version),
        question=vote.question,
        intro=vote.intro,
        kind=vote.kind,
        most=vote.most,
        most_each=vote.most_each,
        wins=vote.wins,
        ways=next(iter(vote.ways)),
        on_paper=vote.on_paper,
        binding=vote.binding,
        **{
            f"{name}_{each}": vote.translations.get(each, {}).get(name, "")
            for each in visit.languages[1:]
            for name in TRANSLATED
        },
    )


def _offers(
    visit: Visit, procedure: Procedure, stands: set[int], costs: Mapping[int, str]
) -> tuple[tuple[Offer, ...], bool]:
    """The proposals that may stand: those that do, and as many others as a page holds; a constant number of queries."""
    may_stand = voting.proposals_that_may_stand(visit.session, procedure.id or 0)
    others = [number for number in may_stand if number not in stands]
    ids = sorted({*(stands & set(may_stand)), *others[:OFFERED]})
    entries = published.by_ids(visit.session, procedure.id or 0, ids)
    answers = evaluation.outcomes_of(visit.session, ids)
    offers = tuple(
        Offer(
            entry.id,
            entry.heading,
            entry.reference,
            visit.url("proposal", slug=procedure.slug, reference=entry.reference),
            entry.id in stands,
            costs.get(entry.id, ""),
            answers[entry.id].cost_to if entry.id in answers else None,
        )
        for entry in entries
    )
    return offers, len(others) > OFFERED


def _prints(visit: Visit, vote: Vote) -> tuple[PrintLine, ...]:
    rows = voting_codes.prints_of(visit.session, vote.id or 0)
    names = people.names(visit.session, {row.printed_by for row in rows})
    return tuple(
        PrintLine(
            row.id or 0,
            row.number,
            row.codes,
            row.printed_at,
            names.get(row.printed_by, row.printed_by),
            row.cancelled_at is not None,
        )
        for row in rows
    )
