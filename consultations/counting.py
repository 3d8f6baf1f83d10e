"""How votes are counted: what a ballot may say, what all of them come to, what is chosen; pure, and the same for paper.

A ranking is counted by Borda's method (J.-C. de Borda, Mémoire sur les élections au scrutin, 1781): of N places the first is
worth N points, the second N - 1, the last 1; whoever is not ranked gets none, and a place that is left out gives its points to
nobody. It was chosen because everybody can count it again with a sum; it never punishes whoever is put higher (monotone), and
two halves of a town that agree agree together (consistent; it is the only ranking by sums that is so and neutral, H. P. Young,
An axiomatization of Borda's rule, 1974). What it does not do: whoever would win against each other alone need not win, and
many like proposals can help each other.

Counting knows neither order nor chance: the same ballots in any order give the same result, and a tie that decides is
told as a tie (`Outcome.TIED`), for people to settle. In a vote on a budget what is chosen never costs more than there is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby

#: What a ballot says: number of a proposal on the ballot → marks (a cross is 1).
Marks = Mapping[int, int]


class VoteKind(StrEnum):
    """How one votes."""

    CHOICES = "choices"  # up to so many crosses, one for each proposal
    POINTS = "points"  # up to so many points, some of them on one proposal
    BUDGET = "budget"  # as many crosses as the money is enough for
    RANKING = "ranking"  # the first, the second, … of up to so many places


class Outcome(StrEnum):
    """What the count says of a proposal."""

    CHOSEN = "chosen"
    NOT_CHOSEN = "not_chosen"
    #: As many as others, and not all of them fit: nobody but people can settle that.
    TIED = "tied"
    #: It fits or not, depending on how a tie above it is settled.
    DEPENDS = "depends"


class FaultKind(StrEnum):
    """Why a ballot does not count."""

    NOTHING = "nothing"
    UNKNOWN = "unknown"  # marks for something that is not on the ballot
    NEGATIVE = "negative"
    TOO_MUCH_ON_ONE = "too_much_on_one"
    TOO_MUCH = "too_much"
    SAME_PLACE = "same_place"  # two proposals at one place of a ranking
    NO_PLACE = "no_place"  # a place that the ranking does not have


@dataclass(frozen=True)
class Rules:
    """A vote. `most`: crosses, points, euros, or places of one ballot; `most_each`: points on one proposal; `wins`: how many
    proposals are chosen (of a budget as many as the money is enough for). `costs`: number on the ballot → euros."""

    kind: VoteKind
    most: int
    costs: Mapping[int, int]
    most_each: int = 1
    wins: int = 1

    @property
    def each(self) -> int:
        """The most marks for one proposal; of a ranking the last place."""
        if self.kind is VoteKind.RANKING:
            return self.most
        return self.most_each if self.kind is VoteKind.POINTS else 1

    def worth(self, mark: int) -> int:
        """What a mark of a ballot that counts is worth in the sum."""
        return self.most + 1 - mark if self.kind is VoteKind.RANKING and mark else mark


@dataclass(frozen=True)
class Fault:
    """Why a ballot does not count. `number`: at which proposal; `found`: how much there was; `most`: how much may be."""

    kind: FaultKind
    number: int | None = None
    found: int = 0
    most: int = 0


def spent(rules: Rules, marks: Marks) -> int:
    """What a ballot uses of what it has: crosses, points, euros, places; what is not on the ballot costs nothing."""
    if rules.kind is VoteKind.RANKING:
        return sum(mark > 0 for mark in marks.values())
    if rules.kind is VoteKind.BUDGET:
        return sum(rules.costs.get(number, 0) for number, mark in marks.items() if mark > 0)
    return sum(mark for mark in marks.values() if mark > 0)


def faults(rules: Rules, marks: Marks) -> tuple[Fault, ...]:
    """Everything for which a ballot does not count, in the order of the ballot; nothing if it counts."""
    found = [
        Fault(FaultKind.UNKNOWN, number)
        for number, mark in sorted(marks.items())
        if number not in rules.costs
    ]
    found += [Fault(FaultKind.NEGATIVE, number, mark) for number, mark in sorted(marks.items()) if mark < 0]
    found += [
        Fault(
            FaultKind.NO_PLACE if rules.kind is VoteKind.RANKING else FaultKind.TOO_MUCH_ON_ONE,
            number,
            mark,
            rules.each,
        )
        for number, mark in sorted(marks.items())
        if mark > rules.each
    ]
    if rules.kind is VoteKind.RANKING:
        taken: set[int] = set()
        for number, mark in sorted(marks.items()):
            if mark in taken:
                found.append(Fault(FaultKind.SAME_PLACE, number, mark))
            if mark > 0:
                taken.add(mark)
    used = spent(rules, marks)
    if used > rules.most:
        found.append(Fault(FaultKind.TOO_MUCH, None, used, rules.most))
    if not any(marks.values()):
        found.append(Fault(FaultKind.NOTHING))
    return tuple(found)


@dataclass(frozen=True)
class Paper:
    """A ballot as it was cast. `spoiled`: why a person says that it does not count (a name on it, a picture): the same two
    people who compare it with the paper."""

    marks: Marks
    channel: str = "web"
    spoiled: bool = False


#: The reason of a ballot that people say does not count, beside those of `FaultKind`.
SPOILED = "spoiled"


@dataclass(frozen=True)
class Count:
    """What all ballots come to. `invalid`: reason → how many; `marks` and `ballots`: number → crosses or points (of a
    ranking those that its places are worth), and on how many ballots; `channels`: how many came by which way, those that do not count among them."""

    valid: int
    invalid: Mapping[str, int]
    marks: Mapping[int, int]
    ballots: Mapping[int, int]
    channels: Mapping[str, int]


def count(rules: Rules, papers: Iterable[Paper]) -> Count:
    """Count all ballots, in whatever order they come."""
    valid, invalid, marks, ballots, channels = (
        0,
        Counter[str](),
        Counter[int](),
        Counter[int](),
        Counter[str](),
    )
    for paper in papers:
        channels[paper.channel] += 1
        found = faults(rules, paper.marks)
        if paper.spoiled or found:
            invalid[SPOILED if paper.spoiled else found[0].kind.value] += 1
            continue
        valid += 1
        for number, mark in paper.marks.items():
            if mark:
                marks[number] += rules.worth(mark)
                ballots[number] += 1
    return Count(
        valid,
        dict(sorted(invalid.items())),
        {number: marks[number] for number in sorted(rules.costs)},
        {number: ballots[number] for number in sorted(rules.costs)},
        dict(sorted(channels.items())),
    )


@dataclass(frozen=True)
class Standing:
    """Where a proposal stands. `place`: 1 for the most; equal ones share it and are `shares_place`."""

    number: int
    marks: int
    ballots: int
    place: int
    outcome: Outcome
    shares_place: bool = False


@dataclass(frozen=True)
class Result:
    """Who stands where, the most first; `left`: what is left of the money once everything chosen is paid."""

    standings: tuple[Standing, ...]
    left: int = 0
    chosen: tuple[int, ...] = field(default=())


def result(rules: Rules, counted: Count) -> Result:
    """What follows from a count. Nobody is chosen without a single mark."""
    order = sorted(rules.costs, key=lambda number: (-counted.marks[number], number))
    groups = [list(group) for _, group in groupby(order, key=lambda number: counted.marks[number])]
    standings: list[Standing] = []
    left = rules.most if rules.kind is VoteKind.BUDGET else rules.wins
    is_settled = True
    for group in groups:
        outcomes, left, is_settled = _settle(
            rules, group, counted.marks[group[0]], left, is_settled=is_settled
        )
        place = len(standings) + 1
        standings += [
            Standing(
                number,
                counted.marks[number],
                counted.ballots[number],
                place,
                outcomes[number],
                len(group) > 1,
            )
            for number in group
        ]
    chosen = tuple(each.number for each in standings if each.outcome is Outcome.CHOSEN)
    paid = sum(rules.costs[number] for number in chosen)
    return Result(tuple(standings), rules.most - paid if rules.kind is VoteKind.BUDGET else 0, chosen)


def _settle(
    rules: Rules, group: list[int], marks: int, left: int, *, is_settled: bool
) -> tuple[dict[int, Outcome], int, bool]:
    """What becomes of those who have the same number of marks, what is left after them, and whether all is settled so far."""
    needs = {number: rules.costs[number] if rules.kind is VoteKind.BUDGET else 1 for number in group}
    fitting = [number for number in group if marks > 0 and needs[number] <= left]
    outcomes = dict.fromkeys(group, Outcome.NOT_CHOSEN)
    if not is_settled:
        # Crosses and points: those who tie take all that is left. Money: whoever is cheap may still fit.
        if rules.kind is VoteKind.BUDGET:
            outcomes |= dict.fromkeys(fitting, Outcome.DEPENDS)
        return outcomes, left, False
    needed = sum(needs[number] for number in fitting)
    if needed <= left:
        return outcomes | dict.fromkeys(fitting, Outcome.CHOSEN), left - needed, True
    return outcomes | dict.fromkeys(fitting, Outcome.TIED), left, False
