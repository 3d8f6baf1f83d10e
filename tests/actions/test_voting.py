"""Votes on proposals: set up, cast once in secret online and on paper, counted at the end; on both databases."""

import hashlib
import importlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, inspect, text
from sqlmodel import Session, select

from consultations import (
    ballots,
    changes,
    evidence,
    following,
    happenings,
    journal,
    paper_ballots,
    procedure_news,
    proposals,
    proposing,
    survey_answers,
    surveys,
    voting,
    voting_codes,
)
from consultations.ballots import (
    Ballot,
    BatchState,
    LetterOutcome,
    PaperEntry,
    Vote,
    VoteRoll,
    VoteState,
    Way,
)
from consultations.cocreation import Arrangement, Authoring, Limits, Opening
from consultations.counting import VoteKind
from consultations.files import FolderStore
from consultations.paper_ballots import Typed
from consultations.permissions import PUBLIC, SYSTEM
from consultations.phases import Phase, phases_of
from consultations.procedures import ProcedureState
from consultations.proposing import Why
from consultations.questions import Question, QuestionKind
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from consultations.survey_answers import Sheet
from consultations.surveys import SurveyInput
from consultations.voting import VoteInput, Voter
from participation import delivery, news_messages
from participation.database import unit_of_work
from tests.actions.test_seeing_through import dialogue, propose, refused
from tests.cast import ENDS, NOW, STARTS, Town

KEY = b"the installation's key"
AFTER = NOW.replace(year=ENDS.year, month=ENDS.month, day=ENDS.day) + timedelta(days=2)


@pytest.fixture
def town(session: Session) -> Town:
    return dialogue(session)


def phase_of(session: Session, town: Town) -> Phase:
    (phase,) = phases_of(session, town.procedure.id or 0)
    return session.get_one(Phase, phase.id)


def put_up(
    session: Session, town: Town, *, proposals_: int = 3, limits: Limits | None = None, **facts: Any
) -> Vote:
    """A vote on three benches that stands, with codes."""
    phase = phase_of(session, town)
    opened = frozenset({Opening.PROPOSE, Opening.COMMENT, Opening.VOTE})
    arranged = Arrangement(opens=opened, limits=limits or Limits())
    proposing.arrange(session, town.procedure, phase, arranged, note="Wahl", by=town.planner, now=NOW)
    stand = [propose(session, town).contribution_id for _ in range(proposals_)]
    entered = VoteInput(
        **{
            "question": "Welche Bänke zuerst?",
            "proposal_ids": stand,
            "most": 2,
            "wins": 1,
            "ways": (Way.CODE,),
            "on_paper": True,
            **facts,
        }
    )
    vote = voting.plan(session, town.procedure, phase, entered, by=town.planner, now=NOW)
    return voting.put_up(session, vote, by=town.planner, now=NOW)


def codes(session: Session, town: Town, vote: Vote, number: int) -> list[str]:
    once = f"form-{number}-{len(voting_codes.prints_of(session, vote.id or 0))}"
    made = voting_codes.print_codes(session, vote, number, once=once, key=KEY, by=town.planner, now=NOW)[1]
    return list(made.values())


def vote_with(session: Session, vote: Vote, code: str, *numbers: int, once: str = "") -> str:
    voter = voting.voter_by_code(session, vote, code, key=KEY)
    marks = dict.fromkeys(numbers, 1)
    return voting.cast(session, vote, voter, marks, once=once or code, now=NOW)


def in_urn(session: Session) -> list[Ballot]:
    return list(session.exec(select(Ballot)).all())


def test_a_vote_is_set_up_stands_still_and_is_changed_by_nobody(session: Session, town: Town) -> None:
    phase = phase_of(session, town)
    first, second = propose(session, town), propose(session, town)
    stand = [first.contribution_id, second.contribution_id]
    plan: dict[str, Any] = {"by": town.planner, "now": NOW}

    def planned(**facts: Any) -> Vote:
        facts = {"question": "Welche?", "proposal_ids": stand, **facts}
        return voting.plan(session, town.procedure, phase, VoteInput(**facts), **plan)

    refused(
        Code.NOT_ALLOWED,
        lambda: voting.plan(session, town.procedure, phase, VoteInput("?", stand), by=town.clerk, now=NOW),
    )
    refused(Code.REASON_REQUIRED, lambda: planned(question="  "))
    refused(Code.NOTHING_CHOSEN, lambda: planned(ways=()))
    refused(Code.VOTE_ONE_WAY, lambda: planned(ways=(Way.CODE, Way.ACCOUNT)))
    refused(Code.NUMBER_OUT_OF_RANGE, lambda: planned(most=0))
    refused(Code.NUMBER_OUT_OF_RANGE, lambda: planned(kind=VoteKind.POINTS, most=3, most_each=4))
    refused(Code.NOT_FOUND, lambda: planned(proposal_ids=[*stand, 999_999]))
    vote = planned(proposal_ids=stand[:1])
    up = {"by": town.planner, "now": NOW}
    refused(Code.NOT_OPENED, lambda: voting.put_up(session, vote, **up))
    opened = Arrangement(opens=frozenset({Opening.PROPOSE, Opening.COMMENT, Opening.VOTE}))
    proposing.arrange(session, town.procedure, phase, opened, note="Wahl", by=town.planner, now=NOW)
    refused(Code.VOTE_TOO_FEW, lambda: voting.put_up(session, vote, **up))
    planned()
    owner = proposals.authors_of(session, second.contribution_id)[0]
    proposing.withdraw(session, second.contribution_id, Why.DONE, by=PUBLIC, author=owner, now=NOW)
    refused(Code.VOTE_UNFIT, lambda: voting.put_up(session, vote, **up))
    refused(Code.NOT_FOUND, planned)
    assert [each.number for each in ballots.options_of(session, vote.id or 0)] == [1, 2]


def test_text_and_owner_while_it_stands_and_afterwards(session: Session, town: Town) -> None:
    vote = put_up(session, town)
    first, second, third = (
        proposals.by_contribution(session, each.proposal_id)
        for each in ballots.options_of(session, vote.id or 0)
    )
    assert first is not None
    assert second is not None
    assert third is not None
    assert {each.authoring for each in (first, second, third)} == {Authoring.LOCKED.value}
    refused(
        Code.VOTE_HOLDS, lambda: proposing.unlock(session, first.contribution_id, by=town.planner, now=NOW)
    )
    assert ballots.stand(session, [first.contribution_id])[first.contribution_id].outcome is None
    # A co-author goes, an owner withdraws: the ballot stays, and so does every vote for it.
    owner = proposals.authors_of(session, second.contribution_id)[0]
    proposing.withdraw(session, second.contribution_id, Why.CHANGED_MIND, by=PUBLIC, author=owner, now=NOW)
    (code,) = codes(session, town, vote, 1)
    vote_with(session, vote, code, 2)
    voting.close(session, vote, by=town.planner, now=AFTER)
    assert vote.result["marks"] == {"1": 0, "2": 1, "3": 0}
    assert vote.result["outcomes"]["2"] == "chosen"
    session.refresh(first)
    session.refresh(second)
    assert (first.authoring, second.authoring) == (Authoring.OPEN.value, Authoring.WITHDRAWN.value)
    told = session.exec(select(happenings.Happening).where(happenings.Happening.kind == "voted")).all()
    assert [each.facts["outcome"] for each in told] == ["not_chosen", "chosen", "not_chosen"]


def close_due(session: Session, now: datetime) -> int:
    due = voting.due(session, now)
    for number in due:
        voting.close(session, session.get_one(Vote, number), by=SYSTEM, now=now)
    return len(due)


def test_one_code_votes_once_whether_online_or_on_paper(session: Session, town: Town) -> None:
    vote = put_up(session, town)
    drawn = codes(session, town, vote, 8)
    number = vote_with(session, vote, drawn[0], 1, 3, once="my form")
    # Double click and reload: the same ballot. Another ballot with the same code: refused.
    again = Voter(voting_codes.code_hash(KEY, vote, drawn[0]), Way.CODE)
    assert voting.cast(session, vote, again, {1: 1, 3: 1}, once="my form", now=NOW) == number
    refused(Code.VOTE_CODE_USED, lambda: voting.cast(session, vote, again, {2: 1}, once="my form", now=NOW))
    refused(Code.VOTE_CODE_USED, lambda: vote_with(session, vote, drawn[0].lower(), 2))
    assert [each.check_number for each in in_urn(session)] == [number]
    for wrong in ("", "ABC", "OOOOO-11111", "3" * 10, "x" * 500):
        refused(
            Code.VOTE_CODE_UNKNOWN, lambda wrong=wrong: voting.voter_by_code(session, vote, wrong, key=KEY)
        )
    refused(Code.VOTE_CODE_UNKNOWN, lambda: voting.voter_by_code(session, vote, drawn[1], key=b"another"))

    # On paper: the used one stays closed and on file; the others vote and can do so nowhere else.
    letters = [
        voting_codes.spelled(drawn[0]),
        *(voting_codes.spelled(each) for each in drawn[1:6]),
        drawn[1],
        "99999-99999",
    ]
    batch = paper_ballots.open_batch(
        session, vote, letters, received_on=NOW.date(), filed="Urne 1", key=KEY, by=town.clerk, now=NOW
    )
    said = [each.outcome for each in paper_ballots.letters_of(session, batch.id or 0)]
    assert said == ["used", *["admitted"] * 5, "used", "unknown"]
    refused(Code.VOTE_CODE_USED, lambda: vote_with(session, vote, drawn[1], 1))
    voter = voting.voter_by_code(session, vote, drawn[6], key=KEY)
    assert voting_codes.looked_up(session, vote, voter.party) is LetterOutcome.ADMITTED

    # Typed in by two; where they differ nothing counts until they agree.
    first = [
        Typed({1: 1}),
        Typed({2: 1, 3: 1}),
        Typed({1: 1, 2: 1, 3: 1}),
        Typed({}),
        Typed({2: 1}, spoiled=True),
    ]
    second = [first[0], Typed({2: 1}), *first[2:]]
    # No envelope is opened while the vote runs: nobody sees how it stands.
    refused(
        Code.VOTE_NOT_OVER,
        lambda: paper_ballots.enter(session, vote, batch, first, by=town.clerk, now=NOW),
    )
    refused(
        Code.BATCH_INCOMPLETE,
        lambda: paper_ballots.enter(session, vote, batch, first[:4], by=town.clerk, now=AFTER),
    )
    refused(
        Code.BALLOT_UNKNOWN,
        lambda: paper_ballots.enter(
            session, vote, batch, [Typed({9: 1}), *first[1:]], by=town.clerk, now=AFTER
        ),
    )
    refused(
        Code.BALLOT_NUMBER,
        lambda: paper_ballots.enter(
            session, vote, batch, [Typed({1: -1}), *first[1:]], by=town.clerk, now=AFTER
        ),
    )
    paper_ballots.enter(session, vote, batch, first, by=town.clerk, now=AFTER)
    refused(
        Code.FOUR_EYES, lambda: paper_ballots.enter(session, vote, batch, first, by=town.clerk, now=AFTER)
    )
    paper_ballots.enter(session, vote, batch, second, by=town.planner, now=AFTER)
    assert batch.state == BatchState.DIFFERS.value
    assert [each.number for each in paper_ballots.differences(session, batch)] == [2]
    assert len(in_urn(session)) == 1
    refused(Code.VOTE_PAPER_WAITS, lambda: voting.close(session, vote, by=town.planner, now=AFTER))
    paper_ballots.enter(session, vote, batch, first, by=town.planner, now=AFTER)
    assert batch.state == BatchState.AGREED.value
    refused(
        Code.WRONG_STATE, lambda: paper_ballots.enter(session, vote, batch, first, by=town.clerk, now=AFTER)
    )

    # Lost paper, and paper that came too late.
    late = codes(session, town, vote, 2)
    voting_codes.cancel_print(
        session, vote, voting_codes.prints_of(session, vote.id or 0)[0].id or 0, by=town.planner, now=NOW
    )
    refused(Code.VOTE_CODE_UNKNOWN, lambda: vote_with(session, vote, drawn[7], 1))
    behind = paper_ballots.open_batch(
        session, vote, [late[0], drawn[7]], received_on=AFTER.date(), key=KEY, by=town.clerk, now=AFTER
    )
    assert [each.outcome for each in paper_ballots.letters_of(session, behind.id or 0)] == [
        "late",
        "cancelled",
    ]
    assert behind.state == BatchState.EMPTY.value

    voting.close(session, vote, by=town.planner, now=AFTER)
    assert vote.result["valid"] == 3
    assert vote.result["invalid"] == {"nothing": 1, "spoiled": 1, "too_much": 1}
    assert vote.result["channels"] == {"letter": 5, "web": 1}
    assert vote.result["marks"] == {"1": 2, "2": 1, "3": 2}
    assert vote.result["outcomes"] == {"1": "tied", "2": "not_chosen", "3": "tied"}
    assert vote.result["roll"] == len(in_urn(session)) == 6
    assert vote.result["letters"] == {"admitted": 5, "cancelled": 1, "late": 1, "unknown": 1, "used": 2}
    refused(Code.WRONG_STATE, lambda: voting.close(session, vote, by=town.planner, now=AFTER))


def test_one_lost_letter_is_cancelled_by_its_number_and_nobody_learns_what_was_voted(
    session: Session, town: Town
) -> None:
    vote = put_up(session, town)
    _, letters = voting_codes.print_codes(session, vote, 3, once="a", key=KEY, by=town.planner, now=NOW)
    assert list(letters) == [1, 2, 3]
    vote_with(session, vote, letters[2], 1)
    by: dict[str, Any] = {"by": town.planner, "now": NOW}
    refused(Code.NOT_ALLOWED, lambda: voting_codes.cancel_letter(session, vote, 1, by=town.clerk, now=NOW))
    refused(Code.VOTE_LETTER_USED, lambda: voting_codes.cancel_letter(session, vote, 2, **by))
    refused(Code.VOTE_LETTER_UNKNOWN, lambda: voting_codes.cancel_letter(session, vote, 4, **by))
    # Somebody has the ballot of a letter before them while it is cancelled.
    open_form = voting.voter_by_code(session, vote, letters[1], key=KEY)
    voting_codes.cancel_letter(session, vote, 1, **by)
    refused(Code.VOTE_LETTER_UNKNOWN, lambda: voting_codes.cancel_letter(session, vote, 1, **by))
    refused(Code.VOTE_CODE_UNKNOWN, lambda: voting.cast(session, vote, open_form, {1: 1}, once="x", now=NOW))
    refused(Code.VOTE_CODE_UNKNOWN, lambda: vote_with(session, vote, letters[1], 1))
    _, anew = voting_codes.print_codes(session, vote, 1, once="b", key=KEY, **by)
    assert list(anew) == [4]
    vote_with(session, vote, anew[4], 2)
    vote_with(session, vote, letters[3], 2)
    assert voting_codes.cancelled_letters(session, vote.id or 0) == [1]
    told = [
        each for each in journal.about(session, f"vote:{vote.id}") if each.verb == "vote_letter_cancelled"
    ]
    assert [each.facts for each in told] == [{"letter": 1}]
    batch = paper_ballots.open_batch(
        session, vote, [letters[1]], received_on=NOW.date(), key=KEY, by=town.clerk, now=NOW
    )
    assert [each.outcome for each in paper_ballots.letters_of(session, batch.id or 0)] == ["cancelled"]
    # Nothing in the town's tables joins a letter to a ballot: its number stands beside the hash of its code alone.
    columns = {each["name"] for each in inspect(session.connection()).get_columns("ballot")}
    assert columns == {"vote_id", "check_number", "channel", "marks", "spoiled"}


def test_nobody_chooses_the_number_of_a_ballot(session: Session, town: Town) -> None:
    vote = put_up(session, town, on_paper=False)
    one, other = codes(session, town, vote, 2)
    said = voting.check_number(vote, "mine")
    drawn_before, vote.check_key = vote.check_key, "another"
    assert voting.check_number(vote, "mine") != said, "what a browser sends alone says nothing"
    vote.check_key = drawn_before
    assert vote_with(session, vote, one, 1, once="mine") == said
    voter = Voter(voting_codes.code_hash(KEY, vote, one), Way.CODE)
    assert voting.cast(session, vote, voter, {1: 1}, once="mine", now=NOW) == said, "sent twice: one ballot"
    assert vote_with(session, vote, other, 1, once="other") != said
    assert len(in_urn(session)) == 2
    voting.close(session, vote, by=town.planner, now=AFTER)
    assert not vote.check_key, "no form leads to its ballot any more"
    with pytest.raises(ValueError, match="does not stand"):
        voting.check_number(vote, "mine")


def test_a_ranking_online_and_on_paper(session: Session, town: Town) -> None:
    facts: dict[str, Any] = {
        "kind": VoteKind.RANKING,
        "translations": {"en": {"question": " Which  first? "}},
    }
    refused(Code.NUMBER_OUT_OF_RANGE, lambda: put_up(session, town, proposals_=3, most=4, **facts))
    vote = session.exec(select(Vote)).one()
    stand = [option.proposal_id for option in ballots.options_of(session, vote.id or 0)]
    entered = VoteInput("Was zuerst?", stand, most=2, on_paper=True, **facts)
    voting.plan(session, town.procedure, phase_of(session, town), entered, by=town.planner, now=NOW)
    voting.put_up(session, vote, by=town.planner, now=NOW)
    assert (vote.said("en"), vote.said("de"), vote.is_said("en")) == ("Which first?", "Was zuerst?", True)
    one, two, *letters = codes(session, town, vote, 5)
    for marks, code in (
        ({1: 1, 2: 1}, Code.BALLOT_SAME_PLACE), ({1: 3}, Code.BALLOT_NUMBER), ({}, Code.BALLOT_NOTHING),
        ({1: -1}, Code.BALLOT_NUMBER), ({9: 1}, Code.BALLOT_UNKNOWN),
    ):  # fmt: skip
        voter = voting.voter_by_code(session, vote, one, key=KEY)
        refused(code, lambda m=marks, v=voter: voting.cast(session, vote, v, m, once="r", now=NOW))
    for code_, ranked in ((one, {1: 1, 2: 2}), (two, {2: 1, 3: 2})):
        voter = voting.voter_by_code(session, vote, code_, key=KEY)
        voting.cast(session, vote, voter, ranked, once=code_, now=NOW)
    batch = paper_ballots.open_batch(
        session, vote, letters, received_on=NOW.date(), key=KEY, by=town.clerk, now=NOW
    )
    paper = [Typed({3: 1}), Typed({1: 1, 2: 1}), Typed({2: 5})]
    for by in (town.clerk, town.planner):
        paper_ballots.enter(session, vote, batch, paper, by=by, now=AFTER)
    voting.close(session, vote, by=town.planner, now=AFTER)
    # Two points for the first place, one for the second: 1 has 2; 2 has 1 + 2; 3 has 1 + 2.
    assert vote.result["marks"] == {"1": 2, "2": 3, "3": 3}
    assert vote.result["outcomes"] == {"1": "not_chosen", "2": "tied", "3": "tied"}
    assert vote.result["invalid"] == {"no_place": 1, "same_place": 1}
    lines = sorted(
        line.split(",", 1)[1] for line in voting.published_list(session, vote).decode().split("\r\n")[1:-1]
    )
    assert lines == ["no_place,0,5,0", "same_place,1,1,0", "yes,0,0,1", "yes,0,1,2", "yes,1,2,0"]


def test_nobody_sees_a_ballot_before_the_end_and_everybody_can_count_them_afterwards(
    session: Session, town: Town, tmp_path: Any
) -> None:
    vote = put_up(session, town, on_paper=False)
    drawn = codes(session, town, vote, 2)
    numbers = {vote_with(session, vote, code, 1) for code in drawn}
    for asked in (
        lambda: list(ballots.cast_ballots(session, vote)),
        lambda: voting.published_list(session, vote),
    ):
        with pytest.raises(ValueError, match="nobody sees"):
            asked()
    refused(Code.VOTE_NOT_OVER, lambda: voting.close(session, vote, by=town.planner, now=NOW))
    assert voting.due(session, NOW) == []
    # Nothing that could tell who voted what: no moment, no account, no order; and casting leaves no journal entry.
    for table in (Ballot.__tablename__, VoteRoll.__tablename__):
        columns = {each["name"] for each in inspect(session.connection()).get_columns(table)}
        assert not {name for name in columns if name == "id" or name.endswith(("_at", "person_id"))}
    assert {each.verb for each in journal.about(session, f"vote:{vote.id}")} == {
        "vote_planned", "vote_put_up", "vote_codes_printed",
    }  # fmt: skip
    if session.get_bind().dialect.name == "sqlite":
        with pytest.raises(Exception, match="rowid"):
            session.connection().execute(text("SELECT rowid FROM ballot"))

    assert close_due(session, AFTER) == 1
    refused(
        Code.NOT_OPENED,
        lambda: voting.cast(session, vote, Voter("late", Way.CODE), {1: 1}, once="x", now=AFTER),
    )
    table = voting.published_list(session, vote)
    lines = table.decode().splitlines()
    assert lines[0].startswith("check_number,counts,ID-1-")
    assert {line.split(",")[0].replace("-", "") for line in lines[1:]} == numbers
    assert [line.split(",")[1:] for line in lines[1:]] == [["yes", "1", "0", "0"]] * 2
    assert hashlib.sha256(table).hexdigest() == vote.list_sha256
    store = FolderStore(tmp_path)
    assert not [each for each in evidence.examine(session, store) if "vote" in each.subject]
    vote = session.exec(select(Vote)).one()
    # Who has voted is forgotten after a year; what was voted, and its seal, stays.
    assert not voting.are_rolls_due(session, AFTER + timedelta(days=300))
    assert voting.forget_rolls(session, by=SYSTEM, now=AFTER + timedelta(days=400)) == 1
    assert not voting.are_rolls_due(session, AFTER + timedelta(days=400))
    assert not session.exec(select(VoteRoll)).all()
    assert voting.published_list(session, vote) == table
    session.connection().execute(text("DELETE FROM ballot WHERE check_number = :one"), {"one": min(numbers)})
    assert [
        (each.subject, each.problem) for each in evidence.examine(session, store) if "vote" in each.subject
    ] == [(f"vote:{vote.id}", "ballots_altered")]
    session.connection().execute(text("UPDATE vote SET state = 'ready'"))
    session.expire_all()
    assert [
        (each.subject, each.problem) for each in evidence.examine(session, store) if "vote" in each.subject
    ] == [(f"vote:{vote.id}", "vote_reopened")]


def test_accounts_vote_once_and_say_what_a_limit_asks(session: Session, town: Town) -> None:
    limits = Limits(minimum_age=14, ground="Satzung §2", contact="Frau Kern")
    facts: dict[str, Any] = {"kind": VoteKind.POINTS, "most": 5, "most_each": 3, "ways": (Way.ACCOUNT,)}
    vote = put_up(session, town, limits=limits, **facts)
    party = voting.account_party(KEY, vote, town.clerk.person_id or 0)
    bare = Voter(party, Way.ACCOUNT)
    refused(Code.SUPPORT_DECLARE, lambda: voting.cast(session, vote, bare, {1: 1}, once="a", now=NOW))
    voter = Voter(party, Way.ACCOUNT, declares=frozenset({"age"}))
    for marks, code in (
        ({}, Code.BALLOT_NOTHING), ({1: 4}, Code.BALLOT_NUMBER), ({1: -3, 2: 3}, Code.BALLOT_NUMBER),
        ({1: 3, 2: 3}, Code.BALLOT_POINTS), ({99: 1}, Code.BALLOT_UNKNOWN),
    ):  # fmt: skip
        refused(code, lambda marks=marks: voting.cast(session, vote, voter, marks, once="a", now=NOW))
    assert not in_urn(session)
    voting.cast(session, vote, voter, {1: 3, 2: 2}, once="a", now=NOW)
    assert ballots.has_voted(session, vote, party)
    refused(Code.VOTED_ALREADY, lambda: voting.cast(session, vote, voter, {3: 1}, once="b", now=NOW))
    # Somebody else's form: their ballot stays as it is, and nobody is written into the roll for it.
    other = Voter("other", Way.ACCOUNT, declares=frozenset({"age"}))
    with session.begin_nested() as nested:
        refused(Code.CHANGED_MEANWHILE, lambda: voting.cast(session, vote, other, {3: 1}, once="a", now=NOW))
        nested.rollback()
    assert not ballots.has_voted(session, vote, "other")


def test_money_needs_costs_and_a_vote_is_given_up_with_words(session: Session, town: Town) -> None:
    facts: dict[str, Any] = {"kind": VoteKind.BUDGET, "most": 50_000, "ways": (Way.CODE,)}
    missing = refused(Code.VOTE_COST_MISSING, lambda: put_up(session, town, **facts))
    assert str(missing.facts["reference"]).startswith("ID-1-")
    vote = session.exec(select(Vote)).one()
    stand = [option.proposal_id for option in ballots.options_of(session, vote.id or 0)]
    entered = VoteInput("Wofür das Geld?", stand, costs=dict.fromkeys(stand, 30_000), **facts)
    phase = phase_of(session, town)
    stale: dict[str, Any] = {"by": town.planner, "now": NOW, "expected_version": 0}
    refused(Code.CHANGED_MEANWHILE, lambda: voting.plan(session, town.procedure, phase, entered, **stale))
    voting.plan(session, town.procedure, phase, entered, by=town.planner, now=NOW)
    voting.put_up(session, vote, by=town.planner, now=NOW)
    refused(
        Code.WRONG_STATE,
        lambda: voting.plan(session, town.procedure, phase, entered, by=town.planner, now=NOW),
    )
    shut: dict[str, Any] = {"by": town.planner, "now": NOW, "note": "Keine Wahl"}
    refused(
        Code.VOTE_PUT_UP, lambda: proposing.arrange(session, town.procedure, phase, Arrangement(), **shut)
    )
    refused(Code.WRONG_STATE, lambda: voting.take_back(session, vote, by=town.planner, now=NOW))
    one, _two = codes(session, town, vote, 2)
    refused(Code.BALLOT_MONEY, lambda: vote_with(session, vote, one, 1, 2))
    vote_with(session, vote, one, 1)
    same: dict[str, Any] = {"once": "once", "key": KEY, "by": town.planner, "now": NOW}
    voting_codes.print_codes(session, vote, 1, **same)
    refused(Code.VOTE_PRINTED_BEFORE, lambda: voting_codes.print_codes(session, vote, 1, **same))
    refused(Code.REASON_REQUIRED, lambda: voting.cancel(session, vote, why=" ", by=town.planner, now=NOW))
    voting.cancel(session, vote, why="Die Briefe kamen nicht an.", by=town.planner, now=NOW)
    assert vote.state == VoteState.CANCELLED.value
    assert not in_urn(session)
    assert not vote.result
    told = following.about(session, town.id, following.of_procedure(town.procedure.id or 0))[0]
    assert (told.kind, news_messages.in_words(told, "en")) == (
        "vote_given_up",
        f"A vote was given up: {vote.question}",
    )


def test_of_a_vote_given_up_in_a_draft_nobody_hears(session: Session, town: Town) -> None:
    vote = put_up(session, town)
    town.procedure.state = ProcedureState.DRAFT.value
    session.add(town.procedure)
    before = happenings.newest(session, town.id)
    voting.cancel(session, vote, why="Doch anders.", by=town.planner, now=NOW)
    assert happenings.newest(session, town.id) == before, (
        "its news would begin with that once it is published"
    )


def test_a_vote_is_taken_back_only_while_no_ballot_of_it_is_out(session: Session, town: Town) -> None:
    vote = put_up(session, town)
    before = datetime(STARTS.year, STARTS.month, STARTS.day, tzinfo=UTC) - timedelta(days=9)
    drawn = codes(session, town, vote, 2)
    refused(Code.VOTE_CODES_OUT, lambda: voting.take_back(session, vote, by=town.planner, now=before))
    voting_codes.cancel_print(
        session, vote, voting_codes.prints_of(session, vote.id or 0)[0].id or 0, by=town.planner, now=before
    )
    voting.take_back(session, vote, by=town.planner, now=before)
    voting.put_up(session, vote, by=town.planner, now=before)
    drawn = codes(session, town, vote, 1)
    paper_ballots.open_batch(
        session, vote, drawn, received_on=before.date(), key=KEY, by=town.clerk, now=before
    )
    for each in voting_codes.prints_of(session, vote.id or 0)[1:]:
        voting_codes.cancel_print(session, vote, each.id or 0, by=town.planner, now=before)
    refused(Code.WRONG_STATE, lambda: voting.take_back(session, vote, by=town.planner, now=before))


def test_of_two_votes_on_one_proposal_the_first_is_counted_and_the_text_stands_still_until_the_second(
    session: Session, town: Town
) -> None:
    first = put_up(session, town, on_paper=False)
    stand = [option.proposal_id for option in ballots.options_of(session, first.id or 0)]
    later = Phase(
        procedure_id=town.procedure.id or 0, kind="co_creation", position=9,
        starts_on=AFTER.date(), ends_on=AFTER.date() + timedelta(days=9), facts=phase_of(session, town).facts,
    )  # fmt: skip
    session.add(later)
    session.flush()
    entered = VoteInput("Und dann?", stand)
    second = voting.plan(session, town.procedure, later, entered, by=town.planner, now=NOW)
    voting.put_up(session, second, by=town.planner, now=NOW)

    assert close_due(session, AFTER) == 1
    texts = [proposals.by_contribution(session, each) for each in stand]
    assert {each.authoring for each in texts if each} == {Authoring.LOCKED.value}
    assert close_due(session, AFTER + timedelta(days=19)) == 1
    for each in texts:
        session.refresh(each)
    assert {each.authoring for each in texts if each} == {Authoring.OPEN.value}


def test_nothing_of_what_paper_said_is_left_beside_its_codes(session: Session, town: Town) -> None:
    vote = put_up(session, town)
    drawn = codes(session, town, vote, 2)
    # Half past midnight here is still yesterday in Greenwich.
    night = datetime(2027, 2, 16, 23, 30, tzinfo=UTC)
    batches = [
        paper_ballots.open_batch(
            session, vote, [code], received_on=date(2027, 2, 17), key=KEY, by=town.clerk, now=night
        )
        for code in drawn
    ]
    for batch in batches:
        paper_ballots.enter(session, vote, batch, [Typed({1: 1})], by=town.clerk, now=AFTER)
    paper_ballots.enter(session, vote, batches[0], [Typed({1: 1})], by=town.planner, now=AFTER)
    assert len(in_urn(session)) == 1
    assert not paper_ballots.entries_of(session, batches[0].id or 0, 1), "a batch of one tells whose ballot"
    assert paper_ballots.entries_of(session, batches[1].id or 0, 1)
    voting.cancel(session, vote, why="Zu wenige.", by=town.planner, now=night)
    for table in (Ballot, PaperEntry, VoteRoll):
        assert not session.exec(select(table)).all(), "nobody ever learns who voted what"


def test_two_windows_at_the_same_moment_cast_one_ballot(engine: Engine) -> None:
    with unit_of_work(engine, write=True) as session:
        town = dialogue(session)
        vote = put_up(session, town)
        (code,) = codes(session, town, vote, 1)
        vote_id = vote.id

    def click(once: str) -> Code | str:
        with unit_of_work(engine, write=True) as session:
            vote = session.get_one(Vote, vote_id)
            party = voting_codes.code_hash(KEY, vote, code)
            try:
                return voting.cast(session, vote, Voter(party, Way.CODE), {1: 1}, once=once, now=NOW)
            except Refusal as refusal:
                return refusal.code

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(click, ["a", "b", "a", "b"]))
    with unit_of_work(engine) as session:
        assert len(in_urn(session)) == len(session.exec(select(VoteRoll)).all()) == 1
        (ballot,) = in_urn(session)
        assert said.count(ballot.check_number) == 2
        assert said.count(Code.VOTE_CODE_USED) == 2


def test_a_vote_that_cannot_be_counted_holds_up_no_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unit_of_work(engine, write=True) as session:
        town = dialogue(session)
        first = put_up(session, town, on_paper=False)
        stand = [option.proposal_id for option in ballots.options_of(session, first.id or 0)]
        here = phase_of(session, town)
        facts = {"starts_on": here.starts_on, "ends_on": here.ends_on, "facts": here.facts}
        beside = Phase(procedure_id=town.procedure.id or 0, kind="co_creation", position=9, **facts)
        session.add(beside)
        session.flush()
        second = voting.plan(
            session, town.procedure, beside, VoteInput("Und dann?", stand), by=town.planner, now=NOW
        )
        voting.put_up(session, second, by=town.planner, now=NOW)
        ids = [first.id, second.id]
    counted = voting.close

    def close(session: Session, vote: Vote, **how: Any) -> Vote:
        done = counted(session, vote, **how)
        if vote.id == ids[0]:
            raise RuntimeError("broken")
        return done

    monkeypatch.setattr(voting, "close", close)
    house = SimpleNamespace(engine=engine, clock=lambda: AFTER)
    assert delivery.count_votes(cast(Any, house)) is True
    with unit_of_work(engine) as session:
        assert [session.get_one(Vote, each).state for each in ids] == ["ready", "closed"]


def test_a_vote_from_before_that_had_two_ways_is_one_with_codes(session: Session, town: Town) -> None:
    vote = put_up(session, town)
    vote.ways = [Way.CODE.value, Way.ACCOUNT.value]
    session.add(vote)
    session.flush()
    step = importlib.import_module("participation.migrations.versions.0031_one_way_to_vote")

    def migrated() -> list[str]:
        with Operations.context(MigrationContext.configure(session.connection())):
            step.upgrade()
        session.refresh(vote)
        return vote.ways

    has_voted = VoteRoll(vote_id=vote.id or 0, party="somebody")
    session.add(has_voted)
    session.flush()
    assert migrated() == [Way.CODE.value, Way.ACCOUNT.value], "what was promised to whoever votes already"
    session.delete(has_voted)
    session.flush()
    assert migrated() == [Way.CODE.value]
    refused(
        Code.NOT_OPENED,
        lambda: voting.cast(session, vote, Voter("account", Way.ACCOUNT), {1: 1}, once="a", now=NOW),
    )


def test_followers_hear_of_surveys_votes_interruptions_and_early_ends(session: Session, town: Town) -> None:
    for room in ("hearings", "survey_results", "voting"):
        importlib.import_module(f"participation.pages.{room}")  # news lead to them
    vote = put_up(session, town, on_paper=False)
    procedure, phase, by = town.procedure, phase_of(session, town), town.planner
    asks = (Question("1", QuestionKind.LINE, "Wo?"),)
    entered = SurveyInput(
        "Der Bach", phase.id or 0, questions=asks, translations={"en": {"title": "The brook"}}
    )
    survey = surveys.save(session, procedure, entered, by=by, now=NOW)
    surveys.publish(session, survey, note="Neu", by=by, now=NOW)
    sheet = Sheet("key", {"q1": ["Am Wehr"]}, survey.version)
    survey_answers.answer(session, survey, sheet, by=PUBLIC, now=NOW)

    def look(days: int) -> set[str]:
        now = NOW + timedelta(days=days)
        before = happenings.newest(session, town.id)
        procedure_news.note_waiting(session, by=SYSTEM, now=now)
        target = following.of_procedure(procedure.id or 0)
        found = [each for each in following.about(session, town.id, target) if each.id > before]
        assert procedure_news.waiting(session, now) == [], "each is told once"
        for each in found:
            item = news_messages.item_of(each, "http://x", "en")
            assert (
                "The brook" in item.words
                or "Welche Bänke" in item.words
                or item.url == "http://x/en/beteiligungen/ideen"
            )
            urls[each.kind] = item.url.removeprefix("http://x/en/beteiligungen/ideen")
        return {each.kind for each in found}

    def change(verb: Any, days: int, *dates: Any, **facts: Any) -> None:
        now = NOW + timedelta(days=days)
        verb(
            session,
            procedure,
            phase,
            *dates,
            by=by,
            now=now,
            note="Hochwasser",
            expected_version=procedure.version,
            **facts,
        )

    urls: dict[str, str] = {}
    assert look(0) == {"survey_begins", "vote_begins"}
    assert look(6) == set()
    assert look(7) == {"survey_ends_soon", "vote_ends_soon", "ends_soon"}, "each as the consultation itself"
    change(changes.interrupt, 8)
    assert look(8) == {"interrupted"}
    phase.course = replace(phase.course, extended_from=phase.ends_on)  # as if it had been extended before
    days = changes.Dates(date(2027, 3, 10), date(2027, 4, 30))
    change(changes.resume, 10, days, seat=Seat("BY", ("public",)))
    assert look(10) == {"resumed"}
    assert look(23) == set(), "what went on is not told to begin"
    change(changes.end_early, 24)
    assert look(24) == {"ended"}
    voting.close(session, vote, by=SYSTEM, now=NOW + timedelta(days=25))
    assert look(25) == {"survey_result", "vote_result"}
    assert look(40) == set()
    where = {"survey_begins": "/umfragen/1", "survey_result": "/umfragen/1/ergebnis", "ended": ""}
    assert where.items() <= urls.items()
    # Whoever follows one of them alone hears of it, and of nothing else.
    for target, kind in (
        (following.of_survey(procedure.id or 0, survey.id or 0), "survey"),
        (following.of_vote(procedure.id or 0, vote.id or 0), "vote"),
    ):
        told = [each.kind for each in following.about(session, town.id, target, limit=20)]
        assert told == [f"{kind}_{each}" for each in ("result", "ends_soon", "begins")]
    other = following.of_survey(procedure.id or 0, (survey.id or 0) + 10)
    assert following.about(session, town.id, other, limit=20) == []
    assert urls["vote_result"] == urls["vote_begins"] == f"/abstimmung/{phase.id}"
