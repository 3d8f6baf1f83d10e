"""Counting votes: whatever the ballots say, sums are right, order is nothing, money is never overspent, ties are told."""

import random
from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consultations.counting import (
    Count,
    FaultKind,
    Outcome,
    Paper,
    Rules,
    VoteKind,
    count,
    faults,
    result,
    spent,
)

NUMBERS = st.integers(1, 6)


@st.composite
def votes(draw: st.DrawFn) -> tuple[Rules, list[Paper]]:
    """Any rules with any ballots, sensible ones and tampered ones."""
    kind = draw(st.sampled_from(VoteKind))
    options = draw(st.integers(2, 6))
    costs = {number: draw(st.integers(0, 9)) for number in range(1, options + 1)}
    rules = Rules(
        kind,
        draw(st.integers(1, 12)),
        costs,
        most_each=draw(st.integers(1, 5)),
        wins=draw(st.integers(1, options)),
    )
    marks = st.dictionaries(st.integers(0, 7), st.integers(-1, 6), max_size=6)
    fair = st.dictionaries(st.sampled_from(sorted(costs)), st.just(1), min_size=1, max_size=3)
    papers = draw(
        st.lists(
            st.builds(
                Paper, marks | fair, st.sampled_from(["web", "letter"]), st.booleans() | st.just(False)
            ),
            max_size=12,
        )
    )
    return rules, papers


#: A busy machine is no fault of what is drawn.
_CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_CALM
@given(votes(), st.randoms())
def test_sums_are_right_order_is_nothing_and_nobody_wins_twice(
    vote: tuple[Rules, list[Paper]], chance: random.Random
) -> None:
    rules, papers = vote
    counted = count(rules, papers)
    good = [paper for paper in papers if not paper.spoiled and not faults(rules, paper.marks)]
    assert counted.valid == len(good)
    assert counted.valid + sum(counted.invalid.values()) == len(papers) == sum(counted.channels.values())
    for number in rules.costs:
        assert counted.marks[number] == sum(rules.worth(paper.marks.get(number, 0)) for paper in good)
        assert counted.ballots[number] == sum(bool(paper.marks.get(number)) for paper in good)
    # A valid ballot never has more than the rules give it, so neither do all of them together.
    assert all(sum(paper.marks.values()) > 0 for paper in good)
    assert all(spent(rules, paper.marks) <= rules.most for paper in good)
    if rules.kind is VoteKind.RANKING:
        for paper in good:
            places = [place for place in paper.marks.values() if place]
            assert len(set(places)) == len(places)
            assert max(places) <= rules.most
        assert sum(counted.marks.values()) <= rules.most * (rules.most + 1) // 2 * counted.valid
    elif rules.kind is not VoteKind.BUDGET:
        assert sum(counted.marks.values()) <= rules.most * counted.valid

    shuffled = list(papers)
    chance.shuffle(shuffled)
    assert count(rules, shuffled) == counted
    outcome = result(rules, counted)
    assert result(rules, count(rules, shuffled)) == outcome
    assert sorted(each.number for each in outcome.standings) == sorted(rules.costs)

    chosen = [each for each in outcome.standings if each.outcome is Outcome.CHOSEN]
    assert all(each.marks > 0 for each in chosen)
    if rules.kind is VoteKind.BUDGET:
        paid = sum(rules.costs[each.number] for each in chosen)
        assert paid + outcome.left == rules.most
        assert outcome.left >= 0
    else:
        assert len(chosen) <= rules.wins
        lowest = min((each.marks for each in chosen), default=0)
        assert all(each.marks < lowest for each in outcome.standings if each not in chosen and chosen)


@_CALM
@given(votes())
def test_whoever_ties_is_told_so_and_no_number_on_the_ballot_helps(vote: tuple[Rules, list[Paper]]) -> None:
    """Two with the same marks (and cost) get the same outcome, whichever stands first on the ballot."""
    rules, papers = vote
    outcome = result(rules, count(rules, papers))
    for one, other in combinations(outcome.standings, 2):
        if one.marks == other.marks:
            assert one.place == other.place
            assert one.shares_place
            assert other.shares_place
            if rules.kind is not VoteKind.BUDGET or rules.costs[one.number] == rules.costs[other.number]:
                assert one.outcome is other.outcome
    tied = [each for each in outcome.standings if each.outcome is Outcome.TIED]
    assert len(tied) != 1
    if rules.kind is not VoteKind.BUDGET and tied:
        places = rules.wins - len(outcome.chosen)
        assert 0 < places < len(tied)


def test_every_fault_of_a_ballot_is_named() -> None:
    points = Rules(VoteKind.POINTS, 5, {1: 0, 2: 0, 3: 0}, most_each=3)
    assert not faults(points, {1: 3, 2: 2})
    assert [each.kind for each in faults(points, {})] == [FaultKind.NOTHING]
    assert [each.kind for each in faults(points, {1: 0})] == [FaultKind.NOTHING]
    assert [(each.kind, each.number) for each in faults(points, {1: 4, 2: -1, 9: 1})] == [
        (FaultKind.UNKNOWN, 9), (FaultKind.NEGATIVE, 2), (FaultKind.TOO_MUCH_ON_ONE, 1),
    ]  # fmt: skip
    (too_much,) = faults(points, {1: 3, 2: 3})
    assert (too_much.kind, too_much.found, too_much.most) == (FaultKind.TOO_MUCH, 6, 5)
    money = Rules(VoteKind.BUDGET, 100, {1: 60, 2: 50, 3: 40})
    assert not faults(money, {1: 1, 3: 1})
    (over,) = faults(money, {1: 1, 2: 1})
    assert (over.found, over.most) == (110, 100)
    # Points taken from one to pay for another: no sum hides them.
    assert FaultKind.NEGATIVE in {each.kind for each in faults(points, {1: 9, 2: -6})}


def outcomes(rules: Rules, *marks: int) -> list[str]:
    numbers = dict(enumerate(marks, start=1))
    found = result(rules, Count(sum(marks), {}, numbers, numbers, {}))
    said = {each.number: each.outcome.value for each in found.standings}
    return [said[number] for number in sorted(said)]


def test_money_goes_to_the_most_wanted_that_it_is_enough_for() -> None:
    money = Rules(VoteKind.BUDGET, 100, {1: 80, 2: 50, 3: 20, 4: 20})
    # The second costs more than is left; the third still fits.
    assert outcomes(money, 9, 8, 7, 0) == ["chosen", "not_chosen", "chosen", "not_chosen"]
    # Two tie for the last 20: whoever decides, it is not chance; below them nothing is settled.
    assert outcomes(money, 9, 1, 5, 5) == ["chosen", "not_chosen", "tied", "tied"]
    assert outcomes(Rules(VoteKind.BUDGET, 60, {1: 40, 2: 40, 3: 20, 4: 70}), 5, 5, 4, 3) == [
        "tied", "tied", "depends", "not_chosen",
    ]  # fmt: skip
    # A tie that decides nothing is no tie.
    assert outcomes(Rules(VoteKind.CHOICES, 1, {1: 0, 2: 0, 3: 0}, wins=2), 4, 4, 1) == [
        "chosen", "chosen", "not_chosen",
    ]  # fmt: skip


# --- rankings --------------------------------------------------------------------------------------


@st.composite
def rankings(draw: st.DrawFn) -> tuple[Rules, list[Paper]]:
    """Ballots that put up to so many proposals in order, without a fault."""
    options = draw(st.integers(2, 5))
    most = draw(st.integers(1, options))
    rules = Rules(VoteKind.RANKING, most, dict.fromkeys(range(1, options + 1), 0))
    orders = st.permutations(range(1, options + 1)).flatmap(
        lambda order: st.integers(1, most).map(lambda length: order[:length])
    )
    return rules, [
        Paper({number: place for place, number in enumerate(order, start=1)})
        for order in draw(st.lists(orders, min_size=1, max_size=10))
    ]


@_CALM
@given(rankings(), st.data())
def test_a_ranking_never_punishes_who_is_put_higher_and_knows_no_names(
    vote: tuple[Rules, list[Paper]], data: st.DataObject
) -> None:
    rules, papers = vote
    counted = count(rules, papers)
    assert counted.valid == len(papers)
    # Monotone: whoever changes places with the one before them falls behind nobody.
    at = data.draw(st.integers(0, len(papers) - 1))
    places = {place: number for number, place in papers[at].marks.items()}
    if len(places) > 1:
        place = data.draw(st.integers(2, len(places)))
        raised = {**papers[at].marks, places[place]: place - 1, places[place - 1]: place}
        after = count(rules, [*papers[:at], Paper(raised), *papers[at + 1 :]])
        before = {each.number: each.place for each in result(rules, counted).standings}
        then = {each.number: each.place for each in result(rules, after).standings}
        assert then[places[place]] <= before[places[place]]
    # Consistent: two halves of a town add up.
    half = len(papers) // 2
    parts = [count(rules, part).marks for part in (papers[:half], papers[half:])]
    assert all(counted.marks[number] == sum(part[number] for part in parts) for number in rules.costs)
    # Neutral: other names, the same points.
    names = dict(zip(rules.costs, data.draw(st.permutations(list(rules.costs))), strict=True))
    renamed = count(
        rules, [Paper({names[number]: place for number, place in paper.marks.items()}) for paper in papers]
    )
    assert all(renamed.marks[names[number]] == counted.marks[number] for number in rules.costs)


def test_bordas_method_by_known_examples() -> None:
    # The capital of Tennessee, as textbooks count it (by n - 1 … 0): Memphis 126, Nashville 194, Chattanooga 173,
    # Knoxville 107. Here the last place counts 1: one more for each of the hundred ballots.
    rules = Rules(VoteKind.RANKING, 4, dict.fromkeys((1, 2, 3, 4), 0))
    town = [(42, (1, 2, 3, 4)), (26, (2, 3, 4, 1)), (15, (3, 4, 2, 1)), (17, (4, 3, 2, 1))]
    papers = [
        Paper({number: place for place, number in enumerate(order, start=1)})
        for voters, order in town
        for _ in range(voters)
    ]
    counted = count(rules, papers)
    assert counted.marks == {1: 226, 2: 294, 3: 273, 4: 207}
    assert result(rules, counted).chosen == (2,)
    # Borda's own example of 1781: 21 electors; most first votes for 1, which most would have last.
    rules = Rules(VoteKind.RANKING, 3, dict.fromkeys((1, 2, 3), 0))
    electors = [(1, (1, 2, 3)), (7, (1, 3, 2)), (7, (2, 3, 1)), (6, (3, 2, 1))]
    papers = [
        Paper({number: place for place, number in enumerate(order, start=1)})
        for voters, order in electors
        for _ in range(voters)
    ]
    assert count(rules, papers).marks == {1: 37, 2: 42, 3: 47}
    # Two places only, and a place left out: nobody gets its points.
    short = Rules(VoteKind.RANKING, 2, dict.fromkeys((1, 2, 3), 0))
    assert count(short, [Paper({1: 1, 2: 2}), Paper({3: 2}), Paper({2: 1})]).marks == {1: 2, 2: 3, 3: 1}
    assert [(each.kind, each.number, each.found) for each in faults(short, {1: 1, 2: 1, 3: 3})] == [
        (FaultKind.NO_PLACE, 3, 3), (FaultKind.SAME_PLACE, 2, 1), (FaultKind.TOO_MUCH, None, 3),
    ]  # fmt: skip
