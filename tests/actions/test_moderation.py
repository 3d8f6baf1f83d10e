"""Decisions on publication: fair, with reasons, undoable; the original is never touched."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from consultations import contributions, locations, moderation, search
from consultations.contributions import Contribution, PublicationState, payload_sha256
from consultations.moderation import Action, Decision, Reason, Redaction
from consultations.permissions import PUBLIC, Actor, Role
from consultations.refusals import Code, Refusal
from consultations.search import Scope
from geo.geometry import from_lonlat
from tests import cast

NOW = cast.NOW
HERE = from_lonlat(10.7, 48.3)


@pytest.fixture
def town(session: Session) -> cast.Town:
    return cast.found(session)


@pytest.fixture
def second(session: Session, town: cast.Town) -> Actor:
    return cast.employ(session, town.municipality, Role.MODERATOR, "Malte")


def offered(session: Session, town: cast.Town, text: str = "Mehr Bäume am Mühlbach!") -> Contribution:
    return town.hand_in(session, text, wants_publication=True, located=HERE)


def found_by_public(session: Session, words: str) -> list[int | None]:
    condition = search.matching(session, words, Scope.PUBLIC)
    assert condition is not None
    return [row.id for row in session.exec(select(Contribution).where(condition)).all()]


def on_map(session: Session, town: cast.Town) -> int:
    assert town.procedure.id is not None
    return sum(
        cluster.count for cluster in locations.clusters(session, [town.procedure.id or 0], 10, [(0, 1 << 48)])
    )


def test_published_it_is_on_the_map_and_found_and_out_of_the_queue(session: Session, town: cast.Town) -> None:
    row = offered(session, town)
    assert [item.contribution.id for item in moderation.queue(session, town.id, now=NOW)] == [row.id]
    moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    assert row.publication == PublicationState.PUBLISHED.value
    assert on_map(session, town) == 1
    assert found_by_public(session, "baum") == [row.id]
    assert moderation.queue(session, town.id, now=NOW) == []
    assert moderation.waiting_count(session, town.id) == 0


def test_a_redaction_hides_words_from_the_public_and_leaves_the_original(
    session: Session, town: cast.Town
) -> None:
    row = offered(session, town, "Frau Huber aus Nummer 7 parkt immer falsch. Mehr Bäume!")
    before = payload_sha256(row, None, [])
    decision = moderation.decide(
        session,
        row,
        Decision(
            Action.REDACT,
            Reason.THIRD_PARTY,
            "Name einer Nachbarin",
            text="█ parkt immer falsch. Mehr Bäume!",
        ),
        by=town.moderator,
        now=NOW,
    )
    redaction = session.get(Redaction, decision.redaction_id)
    assert redaction is not None
    assert redaction.made_by == town.moderator.label
    assert "Huber" in row.text
    assert payload_sha256(row, None, []) == before
    assert found_by_public(session, "huber") == []
    assert found_by_public(session, "bäume") == [row.id]


def test_keeping_back_needs_a_reason(session: Session, town: cast.Town) -> None:
    row = offered(session, town)
    for action in (Action.WITHHOLD, Action.REDACT):
        with pytest.raises(Refusal) as refused:
            moderation.decide(session, row, Decision(action), by=town.moderator, now=NOW)
        assert (refused.value.code, refused.value.field) == (Code.REASON_REQUIRED, "reason")
    assert row.publication == PublicationState.PENDING.value


def test_a_redaction_has_to_black_something_out(session: Session, town: cast.Town) -> None:
    row = offered(session, town, "Frau Huber parkt falsch")
    same = Decision(Action.REDACT, Reason.THIRD_PARTY, title=row.title, text=row.text)
    with pytest.raises(Refusal) as refused:
        moderation.decide(session, row, same, by=town.moderator, now=NOW)
    assert (refused.value.code, refused.value.field) == (Code.NOTHING_REDACTED, "text")


def test_taking_back_twice_by_a_double_click_takes_back_one_decision(
    session: Session, town: cast.Town
) -> None:
    row = offered(session, town)
    moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    moderation.decide(session, row, Decision(Action.WITHHOLD, Reason.INSULT), by=town.moderator, now=NOW)
    hidden = Decision(Action.REDACT, Reason.THIRD_PARTY, text="█")
    moderation.decide(session, row, hidden, by=town.moderator, now=NOW)
    seen = row.decisions
    moderation.undo(session, row, by=town.moderator, now=NOW, expected_decisions=seen)
    with pytest.raises(Refusal) as refused:
        moderation.undo(session, row, by=town.moderator, now=NOW, expected_decisions=seen)
    assert refused.value.code is Code.DECIDED_MEANWHILE
    assert row.publication == PublicationState.WITHHELD.value


def test_two_moderators_never_decide_the_same(session: Session, town: cast.Town, second: Actor) -> None:
    row = offered(session, town)
    moderation.claim(session, row, by=town.moderator, now=NOW)
    for verb in (
        lambda: moderation.claim(session, row, by=second, now=NOW),
        lambda: moderation.decide(session, row, Decision(Action.PUBLISH), by=second, now=NOW),
    ):
        with pytest.raises(Refusal) as refused:
            verb()
        assert refused.value.code is Code.CLAIMED_BY_OTHER
        assert refused.value.facts["name"] == "Mona"
    later = NOW + moderation.CLAIM
    moderation.decide(session, row, Decision(Action.PUBLISH), by=second, now=later, expected_decisions=0)
    with pytest.raises(Refusal) as refused:
        moderation.decide(
            session,
            row,
            Decision(Action.WITHHOLD, Reason.INSULT),
            by=town.moderator,
            now=later,
            expected_decisions=0,
        )
    assert refused.value.code is Code.DECIDED_MEANWHILE


def test_the_next_item_is_one_that_nobody_else_has_open(
    session: Session, town: cast.Town, second: Actor
) -> None:
    first, other = offered(session, town, "Erstens"), offered(session, town, "Zweitens")
    moderation.claim(session, first, by=town.moderator, now=NOW)
    found = moderation.next_free(session, town.id, by=second, now=NOW)
    assert found is not None
    assert found.id == other.id
    own = moderation.next_free(session, town.id, by=town.moderator, now=NOW)
    assert own is not None
    assert own.id == first.id
    moderation.release(session, first, by=town.moderator)
    again = moderation.next_free(session, town.id, by=second, now=NOW)
    assert again is not None
    assert again.id == first.id


def test_who_does_not_want_to_be_published_never_is(session: Session, town: cast.Town) -> None:
    row = town.hand_in(session, "Nur für Sie")
    assert moderation.queue(session, town.id, now=NOW) == []
    with pytest.raises(Refusal) as refused:
        moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    assert refused.value.code is Code.WRONG_STATE


def test_taken_back_by_its_author_it_stays_away_from_the_public(session: Session, town: cast.Town) -> None:
    row = offered(session, town)
    moderation.decide(session, row, Decision(Action.PUBLISH), by=town.moderator, now=NOW)
    contributions.retract(session, row, by=PUBLIC, now=NOW)
    assert on_map(session, town) == 0
    assert found_by_public(session, "bäume") == []
    with pytest.raises(Refusal) as refused:
        moderation.undo(session, row, by=town.moderator, now=NOW)
    assert refused.value.code is Code.WRONG_STATE


def test_the_queue_pages_by_key_and_shows_who_has_what_open(
    session: Session, town: cast.Town, second: Actor
) -> None:
    rows = [offered(session, town, f"Nummer {number}") for number in range(5)]
    moderation.claim(session, rows[3], by=second, now=NOW)
    first = moderation.queue(session, town.id, now=NOW, limit=2)
    rest = moderation.queue(session, town.id, now=NOW, after_id=first[-1].contribution.id or 0)
    assert [item.contribution.id for item in [*first, *rest]] == [row.id for row in rows]
    assert [item.claimed_by for item in rest] == ["", "Malte", ""]
    late = NOW + timedelta(hours=1)
    assert {item.claimed_by for item in moderation.queue(session, town.id, now=late)} == {""}


steps = st.lists(st.sampled_from(["publish", "redact", "withhold", "undo"]), min_size=1, max_size=9)


@given(steps=steps)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_undo_leads_back_step_by_step(session: Session, steps: list[str]) -> None:
    """Whatever moderators do, undo is the exact way back, and map and search always agree with the state."""
    session.rollback()
    session.expunge_all()  # rows of the example before have the same numbers
    town = cast.found(session)
    row = offered(session, town)
    trail: list[tuple[str, int | None]] = []
    for number, step in enumerate(steps):
        if step == "undo":
            if not trail:
                with pytest.raises(Refusal):
                    moderation.undo(session, row, by=town.moderator, now=NOW)
                continue
            expected = trail.pop()
            moderation.undo(session, row, by=town.moderator, now=NOW)
            assert (row.publication, row.redaction_id) == expected
        else:
            trail.append((row.publication, row.redaction_id))
            reason = None if step == "publish" else Reason.INSULT
            decision = Decision(Action(step), reason, text=f"Fassung {number}")
            moderation.decide(session, row, decision, by=town.moderator, now=NOW)
        shown = row.publication == PublicationState.PUBLISHED.value
        assert on_map(session, town) == (1 if shown else 0)
        visible = found_by_public(session, "fassung") + found_by_public(session, "bäume")
        assert visible == ([row.id] if shown else [])


@pytest.mark.parametrize("role", [Role.CLERK, Role.PLANNER, Role.ADMINISTRATOR])
def test_nobody_else_decides(session: Session, town: cast.Town, role: Role) -> None:
    row = offered(session, town)
    stranger = cast.found(session, "birkstein", "Birkstein").moderator
    for actor in (PUBLIC, town.staff[role], stranger):
        for verb in (
            lambda actor=actor: moderation.decide(session, row, Decision(Action.PUBLISH), by=actor, now=NOW),
            lambda actor=actor: moderation.undo(session, row, by=actor, now=NOW),
            lambda actor=actor: moderation.claim(session, row, by=actor, now=NOW),
        ):
            with pytest.raises(Refusal) as refused:
                verb()
            assert refused.value.code is Code.NOT_ALLOWED
