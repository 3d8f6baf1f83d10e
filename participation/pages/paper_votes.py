"""Ballots on paper at the counter: admit letters by their codes, type the ballots in twice, see where the two differ."""

import re
from dataclasses import dataclass
from datetime import date

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import Form, StringField, TextAreaField
from wtforms.validators import Length

from consultations import ballots, paper_ballots, people, procedures
from consultations.ballots import BatchState, LetterOutcome, PaperBatch, Vote, VoteState
from consultations.paper_ballots import Typed
from consultations.permissions import Permission, reach
from consultations.procedures import Procedure, localised
from consultations.refusals import Code, Refusal
from participation.messages import STATUS
from participation.pages.fields import day_of_receipt
from participation.pages.voting import Line, lines_of
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

STATES = {
    BatchState.OPENED: N_("Waits to be typed in"),
    BatchState.ENTERED: N_("Waits for the second person"),
    BatchState.DIFFERS: N_("The two differ: please look at the paper"),
    BatchState.AGREED: N_("Counts"),
    BatchState.EMPTY: N_("No letter may be counted"),
}
OUTCOMES = {
    LetterOutcome.ADMITTED: N_("admitted"),
    LetterOutcome.USED: N_("the code has voted already: leave the envelope closed and keep it"),
    LetterOutcome.UNKNOWN: N_("we do not know this code: please compare it, otherwise keep it closed"),
    LetterOutcome.CANCELLED: N_("the code was cancelled: keep it closed"),
    LetterOutcome.LATE: N_("came after the end: keep it closed"),
}


class BatchForm(Form):
    """Letters that are opened together."""

    received_on = day_of_receipt()
    filed = StringField(N_("Where the paper lies"), [Length(max=200)])
    codes = TextAreaField(N_("Codes of the letters"), [Length(max=4000)])


@dataclass(frozen=True)
class VoteLine:
    """A vote for which paper is taken."""

    url: str
    question: str
    procedure: str
    is_closed: bool


@dataclass(frozen=True)
class PaperVotesPage:
    """The votes with paper."""

    votes: tuple[VoteLine, ...]


@dataclass(frozen=True)
class BatchLine:
    """A batch in a list."""

    url: str
    number: int
    received_on: date
    filed: str
    state: str


@dataclass(frozen=True)
class PaperVotePage:
    """One vote: its batches, and letters to admit."""

    question: str
    procedure: str
    is_open: bool
    batches: tuple[BatchLine, ...]
    small: int
    limit: int


@dataclass(frozen=True)
class Row:
    """A ballot as it is typed in."""

    number: int
    marks: str
    check_number: str
    spoiled: bool


@dataclass(frozen=True)
class Differs:
    """A ballot in which the two differ, in words."""

    number: int
    first: str
    second: str


@dataclass(frozen=True)
class BatchPage:
    """One batch: what became of its letters, and the ballots to type in."""

    vote_url: str
    question: str
    number: int
    state: str
    received_on: date
    filed: str
    letters: tuple[tuple[int, str, bool], ...]
    is_small: bool
    #: Whether the vote still runs, so that no envelope is opened.
    is_closed_up: bool
    turn: int | None
    first_by: str
    second_by: str
    is_mine: bool
    lines: tuple[Line, ...]
    rows: tuple[Row, ...]
    differs: tuple[Differs, ...]
    may_begin_anew: bool
    kind: str
    errors: tuple[tuple[str, str | None], ...]
    done: str


@page("/verwaltung/auszaehlung", name="paper_votes", may=Permission.RECORD_INTAKE)
def votes(visit: Visit) -> Response:
    """The votes for which paper is taken."""
    allowed = reach(visit.by, Permission.RECORD_INTAKE, visit.municipality_id)
    found = paper_ballots.on_paper(visit.session, visit.municipality_id, allowed)
    rows = {row.id: row for row in procedures.by_ids(visit.session, {vote.procedure_id for vote in found})}
    return visit.render(
        "voting/paper_votes.html",
        PaperVotesPage(
            tuple(
                VoteLine(
                    visit.url("paper_vote", id=vote.id),
                    vote.said(visit.language),
                    localised(rows[vote.procedure_id], visit.language, "title"),
                    vote.state == VoteState.CLOSED.value,
                )
                for vote in found
            )
        ),
    )


def _at_work(visit: Visit, vote: Vote | None) -> tuple[Vote, Procedure]:
    """A vote with paper before somebody of the counter. Raises Refusal NOT_FOUND, NOT_ALLOWED."""
    procedure = procedures.by_id(visit.session, visit.municipality_id, vote.procedure_id) if vote else None
    if vote is None or procedure is None or not vote.on_paper or vote.state == VoteState.DRAFT.value:
        visit.not_found()
    visit.require(Permission.RECORD_INTAKE, procedure)
    return vote, procedure


@page(
    "/verwaltung/auszaehlung/{id:int}",
    name="paper_vote",
    may=Permission.RECORD_INTAKE,
    methods=("GET", "POST"),
)
def vote_page(visit: Visit) -> Response:
    """Admit letters by their codes, before they are opened."""
    wanted = int(visit.request.path_params["id"])
    vote, procedure = _at_work(visit, ballots.by_id(visit.session, visit.municipality_id, wanted))
    if not visit.is_post:
        form = visit.form(BatchForm, sent=FormData(), received_on=visit.today)
        return _vote(visit, vote, procedure, form)
    form = visit.form(BatchForm)
    if not form.validate():
        return _vote(visit, vote, procedure, form, status=422)
    try:
        made = paper_ballots.open_batch(
            visit.session,
            vote,
            re.split(r"[\s,;]+", form.codes.data or ""),
            received_on=form.received_on.data,
            filed=form.filed.data or "",
            key=visit.house.link_key,
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        vote, procedure = _at_work(visit, ballots.by_id(visit.session, visit.municipality_id, wanted))
        return _vote(visit, vote, procedure, form, status=STATUS.get(refusal.code, 422))
    return visit.redirect("paper_batch", id=made.id)


def _vote(visit: Visit, vote: Vote, procedure: Procedure, form: BatchForm, *, status: int = 200) -> Response:
    return visit.render(
        "voting/paper_vote.html",
        PaperVotePage(
            vote.said(visit.language),
            localised(procedure, visit.language, "title"),
            vote.state == VoteState.READY.value,
            tuple(
                BatchLine(
                    visit.url("paper_batch", id=row.id),
                    row.number,
                    row.received_on,
                    row.filed,
                    visit.gettext(STATES[BatchState(row.state)]),
                )
                for row in paper_ballots.batches_of(visit.session, vote.id or 0)
            ),
            paper_ballots.BATCH_SMALL,
            paper_ballots.BATCH_LIMIT,
        ),
        status=status,
        form=form,
    )


@page(
    "/verwaltung/auszaehlung/stapel/{id:int}",
    name="paper_batch",
    may=Permission.RECORD_INTAKE,
    methods=("GET", "POST"),
)
def batch(visit: Visit) -> Response:
    """Type a batch in (`do=enter`), as the first or as the second person; begin anew where the two cannot go on."""
    vote, procedure, row = _batch_at_work(visit)
    if not visit.is_post:
        return _batch(visit, vote, procedure, row)
    typed = _typed(visit, paper_ballots.expected(visit.session, row))
    try:
        if visit.form_data.get("do") == "anew":
            paper_ballots.begin_anew(visit.session, vote, row, by=visit.by, now=visit.now)
        else:
            paper_ballots.enter(
                visit.session, vote, row, [_read(each) for each in typed], by=visit.by, now=visit.now
            )
    except Refusal as refusal:
        message = visit.explain(refusal)
        visit.session.rollback()
        field = refusal.field
        if field and field.startswith("mark-"):
            field = f"marks-{field.split('-')[1]}"
        return _batch(
            visit,
            *_batch_at_work(visit),
            typed=typed,
            errors=((message, field),),
            status=STATUS.get(refusal.code, 422),
        )
    return visit.redirect("paper_batch", id=row.id, getan=1)


def _batch_at_work(visit: Visit) -> tuple[Vote, Procedure, PaperBatch]:
    found = paper_ballots.batch_by_id(
        visit.session, visit.municipality_id, int(visit.request.path_params["id"])
    )
    vote, procedure = _at_work(visit, found[0] if found else None)
    assert found is not None
    return vote, procedure, found[1]


def _typed(visit: Visit, number: int) -> list[Row]:
    """The ballots as they were typed, so that errors come back with everything at its place."""

    def text(name: str) -> str:
        value = visit.form_data.get(name, "")
        return value.strip()[:500] if isinstance(value, str) else ""

    return [
        Row(at, text(f"marks-{at}"), text(f"check-{at}"), bool(text(f"spoiled-{at}")))
        for at in range(1, number + 1)
    ]


def _read(row: Row) -> Typed:
    """ "2 5" as crosses, "2=3 5=1" as points. Raises Refusal BALLOT_UNREADABLE ("marks-<number>")."""
    marks: dict[int, int] = {}
    for word in re.split(r"[\s,;]+", row.marks):
        match = re.fullmatch(r"(\d{1,4})(?:[=:](\d{1,4}))?", word, re.ASCII)
        if not word:
            continue
        if match is None or int(match[1]) in marks:
            raise Refusal(Code.BALLOT_UNREADABLE, f"marks-{row.number}", number=row.number)
        marks[int(match[1])] = int(match[2] or 1)
    return Typed(marks, row.spoiled, row.check_number)


def _in_words(visit: Visit, typed: Typed) -> str:
    words = [f"{number}={mark}" if mark != 1 else str(number) for number, mark in sorted(typed.marks.items())]
    said = " ".join(words) or visit.gettext("nothing")
    if typed.spoiled:
        said += ", " + visit.gettext("does not count")
    return f"{said} ({typed.check_number})" if typed.check_number else said


def _batch(
    visit: Visit,
    vote: Vote,
    procedure: Procedure,
    row: PaperBatch,
    *,
    typed: list[Row] | None = None,
    errors: tuple[tuple[str, str | None], ...] = (),
    status: int = 200,
) -> Response:
    is_closed_up = not paper_ballots.may_be_opened(visit.session, vote, visit.now)
    turn = None
    if vote.state == VoteState.READY.value and not is_closed_up:
        turn = paper_ballots.turn_of(row, visit.by)
    state = BatchState(row.state)
    number = paper_ballots.expected(visit.session, row)
    if typed is None and turn is not None and state is BatchState.DIFFERS:
        # Whoever looks at the paper once more begins from what they typed themselves, never from the other's.
        typed = [
            Row(
                each.number,
                " ".join(
                    f"{at}={mark}" if mark != 1 else str(at)
                    for at, mark in ballots.read_marks(each.marks).items()
                ),
                each.check_number,
                each.spoiled,
            )
            for each in paper_ballots.entries_of(visit.session, row.id or 0, turn)
        ]
    names = people.names(visit.session, {row.entered_by, row.compared_by} - {""})
    letters = paper_ballots.letters_of(visit.session, row.id or 0)
    found = paper_ballots.differences(visit.session, row) if state is BatchState.DIFFERS else []
    return visit.render(
        "voting/paper_batch.html",
        BatchPage(
            vote_url=visit.url("paper_vote", id=vote.id),
            question=vote.said(visit.language),
            number=row.number,
            state=visit.gettext(STATES[state]),
            received_on=row.received_on,
            filed=row.filed,
            letters=tuple(
                (
                    each.number,
                    visit.gettext(OUTCOMES[LetterOutcome(each.outcome)]),
                    each.outcome == LetterOutcome.ADMITTED.value,
                )
                for each in letters
            ),
            is_small=0 < number < paper_ballots.BATCH_SMALL,
            turn=turn,
            is_closed_up=is_closed_up and number > 0,
            first_by=names.get(row.entered_by, row.entered_by),
            second_by=names.get(row.compared_by, row.compared_by),
            is_mine=state is BatchState.ENTERED and row.entered_by == visit.by.label,
            lines=tuple(lines_of(visit, procedure, ballots.options_of(visit.session, vote.id or 0))),
            rows=tuple(typed or [Row(at, "", "", False) for at in range(1, number + 1)]),
            differs=tuple(
                Differs(each.number, _in_words(visit, each.first), _in_words(visit, each.second))
                for each in found
            ),
            may_begin_anew=vote.state == VoteState.READY.value
            and state in (BatchState.ENTERED, BatchState.DIFFERS),
            kind=vote.kind,
            errors=errors,
            done=visit.gettext(STATES[state]) if visit.request.query_params.get("getan") else "",
        ),
        status=status,
    )
