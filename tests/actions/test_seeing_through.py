"""What follows a proposal: support on paper, evaluation and answer, building, following; on both databases."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from consultations import (
    changes,
    digests,
    evaluation,
    evidence,
    filing,
    following,
    happenings,
    implementation,
    moderation,
    notices,
    procedure_news,
    procedures,
    proposals,
    publishing,
    support,
    support_lists,
)
from consultations.cocreation import Evaluation, Outcome
from consultations.contributions import Contribution, Kind
from consultations.documents import DocumentKind, FileFacts
from consultations.evaluation import AnswerInput, Criterion, Grade
from consultations.files import FolderStore
from consultations.following import ConsentAct, Rhythm, State, Subscription
from consultations.implementation import EntryInput, EntryKind, MilestoneState, Picture
from consultations.moderation import Action, Decision, Reason
from consultations.notices import Notice
from consultations.people import PersonInput
from consultations.permissions import PUBLIC, SYSTEM, Role
from consultations.phases import Opens, Phase, PhaseInput, PhaseKind, phases_of
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.seats import Seat
from consultations.support import Supporter
from consultations.support_lists import LineInput, SupportList
from participation.database import unit_of_work
from tests import cast
from tests.cast import ENDS, NOW, STARTS, Town

KEY = b"the installation's key"
ANNA = LineInput("Anna Ärmel", "Hauptstr. 3", "89999", "Auenfurt", wants_news=True)


@pytest.fixture
def town(session: Session) -> Town:
    return dialogue(session)


def dialogue(session: Session) -> Town:
    """The cast's town with a dialogue that takes proposals and comments."""
    town = cast.found(session)
    phase = PhaseInput(
        PhaseKind.CO_CREATION, starts_on=STARTS, ends_on=ENDS, opens=(Opens.PROPOSAL, Opens.COMMENT)
    )
    created = procedures.create(
        session,
        cast.consultation(key="ID-1", slug="ideen", phases=(phase,)),
        municipality_id=town.id,
        template_key="informal_dialogue",
        by=town.planner,
        now=NOW,
    )
    town.procedure = publishing.publish(session, created, by=town.planner, now=NOW)
    return town


def propose(session: Session, town: Town, **facts: Any) -> Proposal:
    row = town.hand_in(
        session, "Bänke am Mühlbach.", kind=Kind.PROPOSAL, title="Bänke", wants_publication=True, **facts
    )
    moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    found = proposals.by_contribution(session, row.id or 0)
    assert found is not None
    return found


def refused(code: Code, what: Callable[[], Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        what()
    assert caught.value.code is code
    return caught.value


def arrange(session: Session, town: Town, **said: Any) -> None:
    (phase,) = phases_of(session, town.procedure.id or 0)
    row = session.get_one(Phase, phase.id)
    row.facts = {**row.facts, "co_creation": said}
    session.add(row)
    session.flush()


def sheet(session: Session, town: Town, proposal: Proposal, *lines: LineInput) -> SupportList:
    return support_lists.enter(session, proposal, lines, received_on=NOW.date(), by=town.clerk, now=NOW)


def check(session: Session, town: Town, row: SupportList, struck: dict[int, str] | None = None) -> list[str]:
    support_lists.check(session, row, struck or {}, key=KEY, by=town.planner, now=NOW)
    return [line.outcome for line in support_lists.lines_of(session, row.id or 0)]


def count(session: Session, proposal: Proposal) -> int:
    session.refresh(proposal)
    assert proposal.supports == support.counted(session, proposal.contribution_id)
    return proposal.supports


def answered(session: Session, town: Town, proposal: Proposal, **facts: Any) -> None:
    """Through all steps: assigned, drafted, read by a second person, published."""
    entered = AnswerInput(**{"outcome": Outcome.ADOPTED, "reason": "Gute Idee.", "cost_from": 5_000, **facts})
    key, moment = proposal.contribution_id, {"now": NOW}
    if proposal.evaluation == Evaluation.NONE.value:
        evaluation.assign(session, [key], ["Tiefbauamt"], due_on=NOW.date(), by=town.planner, **moment)
    evaluation.draft(session, key, entered, by=town.planner, **moment)
    evaluation.hand_on(session, key, by=town.planner, **moment)
    second = cast.employ(session, town.municipality, Role.EVALUATOR, f"Zweite{town.keys}{key}")
    open_answer = evaluation.open_answer(session, key)
    assert open_answer is not None
    evaluation.approve(session, key, seen=open_answer.revision, by=second, **moment)
    evaluation.publish(session, [key], by=town.planner, **moment)


# --- support on paper ------------------------------------------------------------------------------


def test_a_paper_list_counts_once_a_second_person_has_compared_it(session: Session, town: Town) -> None:
    proposal = propose(session, town)
    row = sheet(session, town, proposal, ANNA, LineInput("Bert"), LineInput("Unleserlich"))
    assert count(session, proposal) == 0
    refused(Code.FOUR_EYES, lambda: support_lists.check(session, row, {}, key=KEY, by=town.clerk, now=NOW))
    refused(
        Code.NOT_ALLOWED, lambda: support_lists.check(session, row, {}, key=KEY, by=town.moderator, now=NOW)
    )
    refused(Code.REASON_REQUIRED, lambda: check(session, town, row, {3: " "}))
    assert check(session, town, row, {3: "Nicht zu lesen"}) == ["counted", "counted", "struck"]
    assert count(session, proposal) == 2
    assert support.by_channel(session, proposal.contribution_id) == {"signature_list": 2}
    refused(Code.WRONG_STATE, lambda: check(session, town, row))
    # The same person on a second sheet, spelled a little differently; Bert without an address may be another Bert.
    again = replace(ANNA, name="anna ärmel", street="Hauptstraße 3")
    second = sheet(session, town, proposal, again, LineInput("Bert"))
    assert check(session, town, second) == ["double", "counted"]
    lines = support_lists.lines_of(session, second.id or 0)
    assert lines[0].support_id == support_lists.lines_of(session, row.id or 0)[0].support_id
    assert count(session, proposal) == 3
    assert [line.name for line in support_lists.to_be_told(session, proposal.contribution_id)] == [
        "Anna Ärmel"
    ]


def test_a_support_on_paper_and_online_is_linked_and_counts_once(session: Session, town: Town) -> None:
    proposal = propose(session, town)
    anna = cast.employ(session, town.municipality, Role.EVALUATOR, "Anna Ärmel")
    online = Supporter(f"account:{anna.person_id}", "web", anna.person_id)
    support.give(session, proposal.contribution_id, online, by=anna, now=NOW)
    row = sheet(session, town, proposal, ANNA, LineInput("Emil Amsel"))
    assert check(session, town, row) == ["counted", "counted"]
    assert count(session, proposal) == 3
    (found,) = support_lists.candidates(session, row)
    assert (found.number, found.party, found.why) == (1, online.party, "name")
    line = support_lists.lines_of(session, row.id or 0)[0]
    support_lists.link(session, row, line, found.party, by=town.clerk, now=NOW)
    assert (count(session, proposal), line.outcome) == (2, "double")
    assert support_lists.candidates(session, row) == []
    assert len(support_lists.lines_of(session, row.id or 0)) == 2
    refused(
        Code.NOT_FOUND,
        lambda: support_lists.link(session, row, line, found.party, by=town.clerk, now=NOW),
    )


def test_with_and_without_an_account_in_one_browser_is_linked_and_counts_once(
    session: Session, town: Town
) -> None:
    first, second = propose(session, town), propose(session, town)
    arrange(session, town, limits={"per_person": 1, "ground": "Satzung §2", "contact": "Frau Kern"})
    anna = Supporter(f"account:{town.clerk.person_id}", "web", town.clerk.person_id)

    def give(who: Supporter, proposal: Proposal, *also: str) -> str:
        key = proposal.contribution_id
        return support.give(session, key, who, also=also, by=PUBLIC, now=NOW).act

    # Signed in, signed out, and clicked again: the second click is kept as what it is, and counts no second time.
    assert give(anna, first, "browser:1") == "given"
    assert (give(Supporter("browser:1"), first), count(session, first)) == ("linked", 1)
    assert support.is_linked(session, first.contribution_id, "browser:1")
    refused(Code.SUPPORT_LIMIT, lambda: give(Supporter("browser:1"), second))
    # The other way round: what the browser gave before is linked, and the limit knows both.
    support.withdraw(session, first.contribution_id, anna, by=PUBLIC, now=NOW)
    assert not support.is_linked(session, first.contribution_id, "browser:1")
    assert give(Supporter("browser:1"), first) == "given", "what was taken back stands in nobody's way"
    refused(Code.SUPPORT_LIMIT, lambda: give(anna, second, "browser:1"))
    assert (give(anna, first, "browser:1"), count(session, first)) == ("given", 1)
    assert (give(anna, first, "browser:2"), count(session, first)) == ("given", 1)
    assert (give(Supporter("browser:2"), first), count(session, first)) == ("linked", 1)


def test_many_clicks_at_once_never_pass_the_limit(engine: Engine) -> None:
    with unit_of_work(engine, write=True) as session:
        town = dialogue(session)
        keys = [propose(session, town).contribution_id for _ in range(6)]
        arrange(session, town, limits={"per_person": 2, "ground": "Satzung §2", "contact": "Frau Kern"})
    start = threading.Barrier(len(keys))

    def click(key: int) -> str:
        start.wait()
        try:
            with unit_of_work(engine, write=True) as own:
                return support.give(own, key, Supporter("browser:1"), by=PUBLIC, now=NOW).act
        except Refusal as refusal:
            return refusal.code.value

    with ThreadPoolExecutor(len(keys)) as pool:
        assert sorted(pool.map(click, keys)) == 2 * ["given"] + 4 * [Code.SUPPORT_LIMIT.value]
    with unit_of_work(engine) as session:
        assert sum(support.counted(session, key) for key in keys) == 2


def test_a_support_given_and_taken_back_pushes_no_proposal_down_the_list(
    session: Session, town: Town
) -> None:
    proposal = propose(session, town)
    arrange(session, town)
    key = proposal.contribution_id
    before = session.get_one(Proposal, key, populate_existing=True).attention
    for _ in range(3):
        support.give(session, key, Supporter("browser:1"), by=PUBLIC, now=NOW)
        support.withdraw(session, key, Supporter("browser:1"), by=PUBLIC, now=NOW)
    support.give(session, key, Supporter("browser:1"), by=PUBLIC, now=NOW)
    assert session.get_one(Proposal, key, populate_existing=True).attention == before + 1
    arrange(session, town, limits={"per_person": 1, "ground": "Satzung §2", "contact": "Frau Kern"})
    other = propose(session, town).contribution_id
    once_more = lambda: support.give(session, other, Supporter("browser:1"), by=PUBLIC, now=NOW)  # noqa: E731
    refused(Code.SUPPORT_LIMIT, once_more)


def test_limits_bind_only_with_ground_and_contact_and_counts_follow_the_phase(
    session: Session, town: Town
) -> None:
    proposal = propose(session, town)
    limits = {"minimum_age": 16, "residents_only": True}
    arrange(session, town, limits=limits)
    support.give(session, proposal.contribution_id, Supporter("browser:1"), by=PUBLIC, now=NOW)
    arrange(session, town, limits={**limits, "ground": "Satzung §2", "contact": "Frau Kern"}, counts="closed")
    give = lambda said: support.give(  # noqa: E731
        session,
        proposal.contribution_id,
        Supporter("browser:2", declares=frozenset(said)),
        by=PUBLIC,
        now=NOW,
    )
    assert refused(Code.SUPPORT_DECLARE, lambda: give({"age"})).field == "resident"
    give({"age", "resident"})
    row = sheet(session, town, proposal, ANNA, replace(ANNA, name="Bert", is_of_age=True, is_resident=True))
    assert check(session, town, row) == ["limited", "counted"]
    assert count(session, proposal) == 3
    (phase,) = phases_of(session, town.procedure.id or 0)
    late = NOW + timedelta(days=60)
    shown = [support.shown_count(proposal, phase, now=now, is_opened=True) for now in (NOW, late)]
    arrange(session, town, counts="opened")
    (phase,) = phases_of(session, town.procedure.id or 0)
    shown += [support.shown_count(proposal, phase, now=NOW, is_opened=opened) for opened in (True, False)]
    assert shown == [None, 3, 3, None]


# --- evaluation and answer --------------------------------------------------------------------------


def test_an_answer_needs_a_second_reader_and_comes_out_with_its_batch(session: Session, town: Town) -> None:
    first, second = propose(session, town), propose(session, town)
    keys = [first.contribution_id, second.contribution_id]
    expert = cast.employ(session, town.municipality, Role.EVALUATOR, "Erika")
    due = NOW.date() + timedelta(days=30)
    offices = ["Tiefbauamt", "Grünamt"]
    refused(
        Code.NOT_ALLOWED, lambda: evaluation.assign(session, keys, offices, due_on=due, by=expert, now=NOW)
    )
    assert evaluation.assign(session, keys, offices, due_on=due, by=town.planner, now=NOW) == 2
    moved = due + timedelta(days=9)
    evaluation.assign(session, keys[:1], ["Grünamt"], due_on=moved, by=town.planner, now=NOW)
    task = evaluation.tasks_of(session, keys)[keys[0]]
    assert (task.due_on, task.first_due_on) == (moved, due)
    assert [row.office for row in evaluation.offices_of(session, keys[0])] == ["Grünamt", "Tiefbauamt"]

    assess = lambda office, criterion, grade, **more: evaluation.assess(  # noqa: E731
        session, keys[0], office, criterion, grade, by=expert, now=NOW, **more
    )
    assess("Grünamt", Criterion.GOALS, Grade.LOW)
    assess("Grünamt", Criterion.GOALS, Grade.HIGH, words="Passt zum Klimaplan.")
    assess("Tiefbauamt", Criterion.FEASIBILITY, Grade.MEDIUM, cost_from=4_000, cost_to=9_000)
    refused(Code.NOT_FOUND, lambda: assess("Standesamt", Criterion.GOALS, Grade.LOW))
    refused(
        Code.COSTS_TURNED,
        lambda: assess("Tiefbauamt", Criterion.FEASIBILITY, Grade.LOW, cost_from=9, cost_to=4),
    )
    grid = evaluation.latest(session, keys[0])
    assert grid["Grünamt", Criterion.GOALS].grade == "high"
    assert grid["Tiefbauamt", Criterion.FEASIBILITY].cost_to == 9_000
    assert len(grid) == 2

    entered = AnswerInput(Outcome.ADOPTED, "Die Bänke kommen.")
    answer = evaluation.draft(session, keys[0], entered, by=expert, now=NOW)
    assert refused(
        Code.ANSWER_INCOMPLETE, lambda: evaluation.hand_on(session, keys[0], by=expert, now=NOW)
    ).field == "cost_from"  # fmt: skip
    full = replace(entered, cost_from=4_000, cost_to=9_000, period="2028")
    refused(Code.CHANGED_MEANWHILE, lambda: evaluation.draft(session, keys[0], full, by=expert, now=NOW))
    evaluation.draft(session, keys[0], full, seen=1, by=expert, now=NOW)
    evaluation.hand_on(session, keys[0], by=expert, now=NOW)
    refused(Code.FOUR_EYES, lambda: evaluation.approve(session, keys[0], seen=2, by=expert, now=NOW))
    refused(
        Code.REASON_REQUIRED, lambda: evaluation.send_back(session, keys[0], "", by=town.planner, now=NOW)
    )
    evaluation.send_back(session, keys[0], "Bitte sagen, wo.", by=town.planner, now=NOW)
    assert (answer.second_words, first.evaluation) == ("Bitte sagen, wo.", "drafted")
    evaluation.draft(session, keys[0], replace(full, reason="Am Steg."), seen=2, by=expert, now=NOW)
    evaluation.hand_on(session, keys[0], by=expert, now=NOW)
    evaluation.approve(session, keys[0], seen=3, by=town.planner, now=NOW)
    assert evaluation.answers_of(session, keys[0]) == []

    # All or none: the second one is not ready.
    refused(Code.WRONG_STATE, lambda: evaluation.publish(session, keys, by=town.planner, now=NOW))
    assert (first.evaluation, evaluation.answers_of(session, keys[0])) == ("approved", [])


def test_a_batch_appears_in_one_moment_and_a_correction_is_a_further_answer(
    session: Session, town: Town
) -> None:
    rows = [propose(session, town) for _ in range(2)]
    keys = [row.contribution_id for row in rows]
    second = cast.employ(session, town.municipality, Role.EVALUATOR, "Erika")
    due = NOW.date() + timedelta(days=3)
    evaluation.assign(session, keys, ["Grünamt"], due_on=due, by=town.planner, now=NOW)
    for key in keys:
        no = AnswerInput(Outcome.NOT_FEASIBLE_LEGAL, "Das Ufer ist geschützt.", legal_ground="§30 BNatSchG")
        evaluation.draft(session, key, no, by=town.planner, now=NOW)
        evaluation.hand_on(session, key, by=town.planner, now=NOW)
        evaluation.approve(session, key, seen=1, by=second, now=NOW)
    overdue = lambda today: evaluation.overdue_count(session, town.id, today)  # noqa: E731
    assert (overdue(due), overdue(due + timedelta(days=1))) == (0, 2)
    refused(Code.NOT_ALLOWED, lambda: evaluation.publish(session, keys, by=second, now=NOW))
    assert evaluation.publish(session, keys, by=town.planner, now=NOW) == 2
    assert overdue(due + timedelta(days=1)) == 0
    published = evaluation.outcomes_of(session, keys)
    assert {published[key].published_at for key in keys} == {NOW}
    assert evaluation.counts(session, town.procedure.id or 0)[Evaluation.PUBLISHED] == 2
    answered(session, town, rows[0], outcome=Outcome.ADOPTED_IN_PART, reason="Doch: am anderen Ufer.")
    both = evaluation.answers_of(session, keys[0])
    assert [(each.number, each.outcome) for each in both] == [
        (2, "adopted_in_part"),
        (1, "not_feasible_legal"),
    ]
    (listed,) = evaluation.for_offices(session, town.procedure.id or 0, office="Tiefbauamt") or [None]
    assert listed is None
    assert len(evaluation.for_offices(session, town.procedure.id or 0, office="Grünamt")) == 2


# --- implementation --------------------------------------------------------------------------------


def test_from_the_answer_to_the_built_thing(session: Session, town: Town) -> None:
    proposal = propose(session, town)
    key, today = proposal.contribution_id, NOW.date()

    def tell(kind: EntryKind, **facts: Any) -> implementation.ImplementationEntry:
        entered = EntryInput(**{"kind": kind, "title": "Baubeginn", "day": today, **facts})
        return implementation.tell(session, key, entered, by=town.planner, now=NOW)

    council = "https://rat.example/vorlage/12"
    tell(EntryKind.DECISION, title="Beschluss des Rates", address=council)
    refused(Code.WRONG_STATE, lambda: tell(EntryKind.NEWS))
    answered(session, town, proposal)
    refused(Code.ADDRESS_INVALID, lambda: tell(EntryKind.DECISION, address="javascript:alert(1)"))
    late = tell(EntryKind.MILESTONE, day=today - timedelta(days=3))
    tell(EntryKind.MILESTONE, title="Fertig", day=date(2028, 5, 1))
    (first, second) = implementation.story(session, key, today).milestones
    assert (first.entry.title, first.is_late, second.is_late) == ("Baubeginn", True, False)
    moved = tell(EntryKind.MILESTONE, title="", day=today + timedelta(days=9), milestone_id=late.id)
    assert moved.title == "Baubeginn"
    refused(
        Code.DATE_IMPOSSIBLE,
        lambda: tell(
            EntryKind.MILESTONE,
            day=today + timedelta(days=1),
            state=MilestoneState.REACHED,
            milestone_id=late.id,
        ),
    )
    tell(EntryKind.MILESTONE, title="", state=MilestoneState.REACHED, milestone_id=moved.id)
    picture = Picture("a" * 64, "image/png", "", "bagger.png")
    refused(Code.DESCRIPTION_REQUIRED, lambda: tell(EntryKind.NEWS, picture=picture))
    shown = tell(
        EntryKind.NEWS, title="Der Bagger ist da", picture=replace(picture, words="Ein Bagger am Ufer")
    )
    paid = tell(EntryKind.MONEY, title="Fundamente", amount=3_000)
    tell(EntryKind.MONEY, title="Bänke", amount=4_500)
    refused(Code.NOT_FOUND, lambda: tell(EntryKind.PLAN, plan_id=10_000))
    tell(EntryKind.PLAN, title="", plan_id=town.procedure.id)
    assert implementation.picture_of(session, key, shown.id or 0) is not None

    implementation.take_back(session, key, paid.id or 0, why="Doppelt gebucht", by=town.planner, now=NOW)
    refused(
        Code.NOT_FOUND,
        lambda: implementation.take_back(session, key, paid.id or 0, why="x", by=town.planner, now=NOW),
    )
    story = implementation.story(session, key, today)
    (begun, done) = story.milestones
    assert (begun.entry.state, begun.first_day, begun.is_late, begun.id) == (
        "reached",
        today - timedelta(days=3),
        False,
        late.id,
    )
    assert (done.entry.title, story.spent, len(story.decisions), len(story.plans)) == ("Fertig", 4_500, 1, 1)
    assert implementation.implementing(session, town.procedure.id or 0) == [key]
    told = following.about(session, town.id, following.of_proposal(key))
    assert "Fundamente" not in {news.facts.get("title") for news in told}
    entry = EntryInput(EntryKind.NEWS, title="x")
    refused(Code.NOT_ALLOWED, lambda: implementation.tell(session, key, entry, by=town.clerk, now=NOW))


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("UPDATE proposal_answer SET reason = 'Nein.'", "official_answer_altered"),
        ("UPDATE proposal_answer SET published_at = NULL", "official_answer_missing"),
        ("UPDATE proposal_answer SET number = 7", "official_answer_altered"),
        ("UPDATE implementation_entry SET amount = 30", "implementation_altered"),
        ("UPDATE implementation_entry SET day = '2028-01-01'", "implementation_altered"),
        ("UPDATE implementation_entry SET title = 'Nichts'", "implementation_altered"),
        ("DELETE FROM implementation_entry", "implementation_missing"),
    ],
)
def test_verify_finds_what_the_town_made_of_its_answer_by_hand(
    session: Session, town: Town, tmp_path: Path, tampering: str, found: str
) -> None:
    proposal = propose(session, town)
    answered(session, town, proposal)
    entry = EntryInput(EntryKind.MONEY, title="Fundamente", amount=3_000, day=NOW.date())
    implementation.tell(session, proposal.contribution_id, entry, by=town.planner, now=NOW)
    session.commit()
    store = FolderStore(tmp_path)
    assert list(evidence.examine(session, store)) == []
    session.connection().execute(text(tampering))
    session.expire_all()
    assert found in {each.problem for each in evidence.examine(session, store)}


def test_who_waits_for_it_is_told_by_the_way_they_came(session: Session, town: Town) -> None:
    writer = PersonInput(name="Rosa Reh", street="Am Bach 1", postcode="89999", city="Auenfurt")
    by_letter = propose(session, town, channel="letter", by=town.clerk, person=writer)
    by_mail = propose(session, town, person=PersonInput(name="Emil", email="emil@post.example"))
    row = sheet(session, town, by_letter, ANNA, replace(ANNA, name="Bert", wants_news=False))
    check(session, town, row)
    session.execute(Notice.__table__.delete())  # type: ignore[attr-defined]
    answered(session, town, by_letter)
    answered(session, town, by_mail)
    told = session.exec(select(Notice).order_by(Notice.id)).all()  # type: ignore[arg-type]
    assert [(each.kind, each.way, each.to_name) for each in told] == [
        ("proposal_news", "letter", "Rosa Reh"),
        ("proposal_news", "letter", "Anna Ärmel"),
        ("proposal_news", "mail", "Emil"),
    ]
    assert told[1].address == "Anna Ärmel\nHauptstr. 3\n89999 Auenfurt"


# --- following --------------------------------------------------------------------------------------


def follow(
    session: Session, town: Town, address: str, target: following.Target, rhythm: Rhythm = Rhythm.WEEKLY
) -> Subscription:
    facts: dict[str, Any] = {"words": "Ja, schreiben Sie mir.", "now": NOW}
    row = following.ask(session, town.id, address, target, rhythm=rhythm, **facts)
    return following.confirm(session, row, rhythm, now=NOW)


def mails(session: Session, kind: str) -> list[Notice]:
    return list(session.exec(select(Notice).where(Notice.kind == kind).order_by(Notice.id)).all())  # type: ignore[arg-type]


def test_nobody_is_written_to_before_they_confirmed_and_consent_is_only_added(
    session: Session, town: Town
) -> None:
    target = following.of_procedure(town.procedure.id or 0)
    ask = lambda address, now=NOW: following.ask(  # noqa: E731
        session, town.id, address, target, words="Ja, schreiben Sie mir.", now=now
    )
    refused(Code.EMAIL_INVALID, lambda: ask("keine Adresse"))
    row = ask("Anna@Post.example")
    assert ask("anna@post.example").id == row.id
    assert len(mails(session, "follow_confirm")) == 1, "asked twice within minutes, one mail"
    propose(session, town)
    assert digests.tell_due(session, NOW + timedelta(days=30)) == 0
    token = following.token_of(KEY, row)
    assert following.by_token(session, town.id, token, key=KEY) is row
    for wrong in ("", "x", f"{row.id}.x", token + "x", token.replace(".", ".A", 1)):
        assert following.by_token(session, town.id, wrong, key=KEY) is None
    assert following.by_token(session, town.id, token, key=b"another") is None
    refused(
        Code.LINK_EXPIRED,
        lambda: following.confirm(session, row, Rhythm.DAILY, now=NOW + timedelta(days=8)),
    )
    following.confirm(session, row, Rhythm.DAILY, now=NOW)
    following.confirm(session, row, Rhythm.DAILY, now=NOW)
    following.end(session, row, way="one_click", now=NOW)
    following.end(session, row, way="one_click", now=NOW)
    assert [(each.act, each.way, each.rhythm) for each in following.consents_of(session, row.id or 0)] == [
        (ConsentAct.ASKED.value, "page", "weekly"),
        (ConsentAct.CONFIRMED.value, "mail", "daily"),
        (ConsentAct.ENDED.value, "one_click", "daily"),
    ]
    refused(Code.LINK_EXPIRED, lambda: following.confirm(session, row, Rhythm.DAILY, now=NOW))
    # Asked anew, the links of old mails lead nowhere any more.
    ask("anna@post.example", NOW + timedelta(days=1))
    assert (row.state, following.by_token(session, town.id, token, key=KEY)) == (State.ASKED.value, None)
    ask("nie@post.example")
    assert following.forget_unconfirmed(session, NOW + timedelta(days=7, hours=1)) == 1


def test_nobody_fills_a_mailbox_with_mails_that_ask_to_confirm(session: Session, town: Town) -> None:
    ask = lambda number, address="ziel@post.example": following.ask(  # noqa: E731
        session, town.id, address, following.of_district(f"Nord {number}"), words="Ja.", now=NOW
    )
    rows = [ask(number) for number in range(20)]
    assert len(mails(session, "follow_confirm")) == following.UNANSWERED_A_DAY
    ask(0, "andere@post.example")
    assert len(mails(session, "follow_confirm")) == following.UNANSWERED_A_DAY + 1
    # Whoever has the mailbox and confirms may go on.
    following.confirm(session, rows[0], Rhythm.DAILY, now=NOW)
    ask(20)
    ask(21)
    assert len(mails(session, "follow_confirm")) == following.UNANSWERED_A_DAY + 2
    refused(Code.LINK_EXPIRED, lambda: following.confirm(session, rows[19], Rhythm.DAILY, now=NOW))
    assert following.forget_unconfirmed(session, NOW + timedelta(days=8)) == 22


def test_followers_hear_in_their_rhythm_and_of_what_they_follow_only(session: Session, town: Town) -> None:
    assert following.next_time(Rhythm.WEEKLY, NOW).isoformat() == "2027-02-22T07:00:00+00:00"
    assert following.next_time(Rhythm.DAILY, NOW).isoformat() == "2027-02-17T07:00:00+00:00"
    here, other = propose(session, town), propose(session, town)
    other.district, here.district = "Nord", "Süd"
    session.add_all([here, other])
    session.flush()
    at_once = follow(
        session, town, "a@post.example", following.of_proposal(here.contribution_id), Rhythm.IMMEDIATE
    )
    weekly = follow(session, town, "w@post.example", following.of_procedure(town.procedure.id or 0))
    north = follow(session, town, "n@post.example", following.of_district("Nord"))
    area = procedures.create(
        session,
        cast.consultation(key="G-1", title="Gebiet"),
        municipality_id=town.id,
        template_key="informal_dialogue",
        by=town.planner,
        now=NOW,
    )
    part = replace(procedures.as_it_stands(town.procedure), part_of_id=area.id)
    procedures.change(session, town.procedure, part, by=town.planner, now=NOW, note="Ein Teil")
    alone = following.of_procedure(area.id or 0)
    follow(session, town, "nichts@post.example", alone)
    whole = follow(session, town, "g@post.example", following.of_parts(area.id or 0))
    assert not digests.is_anything_due(session, NOW + timedelta(hours=1)), "nothing has happened yet"
    answered(session, town, here)
    soon = NOW + timedelta(minutes=3)
    assert digests.is_anything_due(session, soon)
    assert digests.tell_due(session, soon) == 1
    (mail,) = mails(session, "follow_news")
    assert (mail.address, mail.facts["subscription"]) == ("a@post.example", at_once.id)
    (news,) = following.read(session, mail.facts["happenings"])
    assert (news.kind, news.reference, news.facts["outcome"]) == (
        "answered",
        session.get_one(Contribution, here.contribution_id).reference,
        "adopted",
    )
    assert not digests.is_anything_due(session, soon + timedelta(hours=1))
    monday = NOW + timedelta(days=7)
    answered(session, town, other, reason="Auch hier.")
    digests.tell_due(session, monday)
    after = {mail.address: len(mail.facts["happenings"]) for mail in mails(session, "follow_news")[1:]}
    assert after == {weekly.address: 2, north.address: 1, whole.address: 2}
    assert following.about(session, town.id, alone) == []
    digests.tell_due(session, monday + timedelta(days=7))
    assert len(mails(session, "follow_news")) == 4, "no news, no mail"
    # Withheld meanwhile: nobody reads of it, neither in the mail that waits nor in the feed.
    row = session.get_one(Contribution, here.contribution_id)
    moderation.undo(session, row, by=town.moderator, now=NOW)
    moderation.decide(
        session, row, Decision(Action.WITHHOLD, Reason.PERSONAL_DATA), by=town.moderator, now=NOW
    )
    assert following.read(session, mail.facts["happenings"]) == []
    assert {
        each.proposal_id
        for each in following.about(session, town.id, following.of_procedure(town.procedure.id or 0))
    } == {other.contribution_id}
    assert happenings.newest(session, town.id) > 0
    assert notices.is_mail_waiting(session, NOW)
    # What was taken over into a draft is told by nobody, whoever follows the whole of it or a district.
    everything = following.of_parts(area.id or 0)
    assert following.about(session, town.id, everything)
    town.procedure.state = "draft"
    session.add(town.procedure)
    session.flush()
    for target in (everything, following.of_district("Nord")):
        assert following.about(session, town.id, target) == []


def test_names_on_sheets_and_ended_subscriptions_are_forgotten_in_time(session: Session, town: Town) -> None:
    proposal = propose(session, town)
    row = sheet(session, town, proposal, LineInput("Ida Kern", "Gasse 3", "89999", email="ida@post.example"))
    check(session, town, row)
    later = NOW + timedelta(days=2 * 365)
    assert not support_lists.are_names_due(session, NOW)
    assert support_lists.are_names_due(session, later)
    assert support_lists.forget_names(session, by=SYSTEM, now=later) == 1
    assert support_lists.forget_names(session, by=SYSTEM, now=later) == 0
    (line,) = support_lists.lines_of(session, row.id or 0)
    assert (line.name, line.street, line.email, line.outcome) == ("", "", "", "counted")
    assert count(session, proposal) == 1, "the number stays"
    target = following.of_procedure(town.procedure.id or 0)
    facts: dict[str, Any] = {"words": "Ja", "now": NOW}
    first, second = (
        following.ask(session, town.id, "nora@post.example", each, **facts)
        for each in (target, following.of_proposal(proposal.contribution_id))
    )
    for each in (first, second):
        following.confirm(session, each, Rhythm.WEEKLY, now=NOW)
    assert [each.id for each in following.of_address(session, first)] == [first.id, second.id]
    following.end(session, first, way="mail", now=NOW)
    assert following.forget_ended(session, later) == 0
    assert following.forget_ended(session, NOW + timedelta(days=4 * 365)) == 1
    assert [each.id for each in following.of_address(session, second)] == [second.id]


def test_what_happens_to_a_consultation_itself_is_noted_and_told_once(session: Session, town: Town) -> None:
    procedure, phase = town.procedure, phases_of(session, town.procedure.id or 0)[0]
    row = follow(session, town, "lea@post.example", following.of_procedure(procedure.id or 0), Rhythm.DAILY)

    def look(now: datetime) -> list[str]:
        noted = procedure_news.note_waiting(session, by=SYSTEM, now=now)
        found = following.about(session, town.id, following.of_procedure(procedure.id or 0), limit=10)
        return [each.kind for each in found[:noted]]

    soon = NOW + timedelta(minutes=1)
    assert look(soon) == [], "neither begun just now, nor ending soon, and no paper came since"
    plan = FileFacts("0" * 64, "plan.pdf", "application/pdf", 5)
    facts = {"by": town.planner, "now": soon}
    filing.add_document(session, procedure, plan, title="Plan", kind=DocumentKind.PLAN_DRAWING, **facts)
    changes.extend(
        session, procedure, phase, ENDS + timedelta(days=8), seat=Seat("BY", ("public",)),
        note="Zu wenig Zeit", expected_version=procedure.version, **facts,
    )  # fmt: skip
    assert set(look(soon)) == {"extended", "document"}
    assert look(soon) == [], "once"
    assert digests.tell_due(session, NOW + timedelta(days=1)) == 1
    (mail,) = mails(session, "follow_news")
    assert len(mail.facts["happenings"]) == 2
    assert look(NOW + timedelta(days=18)) == ["ends_soon"]
    assert look(NOW + timedelta(days=19)) == []
    publishing.conclude(
        session, procedure, by=town.planner, now=NOW + timedelta(days=30), note="Bänke stehen."
    )
    assert look(NOW + timedelta(days=30)) == ["finished"]
    assert row.told_id < happenings.newest(session, town.id)
