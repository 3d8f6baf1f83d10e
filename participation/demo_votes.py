"""The votes of the demo town: one on a citizens' budget that was counted, with ballots on paper, and one that runs.

What stands for election, and how many voted by which way, stands in `demo_data/votes.toml`; who voted what is drawn.
"""

from datetime import datetime
from random import Random
from typing import Any

from sqlmodel import Session

from consultations import (
    ballots,
    contributions,
    counting,
    moderation,
    paper_ballots,
    proposing,
    voting,
    voting_codes,
)
from consultations.ballots import PaperBatch, Vote, Way
from consultations.cocreation import Arrangement, Opening
from consultations.contributions import Contribution, Kind, Submission
from consultations.counting import VoteKind
from consultations.deadlines import local_date
from consultations.moderation import Action, Decision
from consultations.paper_ballots import Typed
from consultations.permissions import PUBLIC, Role
from consultations.phases import Phase, phases_of
from consultations.voting import VoteInput, Voter


class Votes:
    """What happens to the told votes in one consultation of a story."""

    def __init__(self, story: Any, told: dict[str, Any], *, key: bytes) -> None:
        """`key` makes the hashes of voting codes, as the server that shows the demo makes them."""
        self.story, self.told, self.link_key = story, told, key
        self.rows: list[Contribution] = []
        self.votes: dict[int, Vote] = {}
        self.batches: dict[int, PaperBatch] = {}
        self.codes: list[str] = []
        self.chance = Random(7)

    def gather(self) -> None:
        """Note all that happens, with its day."""
        for number, each in enumerate(self.told["proposal"]):
            self._at(each["day"], 9, lambda session, at, n=number, e=each: self._hand_in(session, n, e, at))
        for number, each in enumerate(self.told["vote"]):
            self._at(
                each["put_up"], 10, lambda session, at, n=number, e=each: self._put_up(session, n, e, at)
            )
            if "counted" in each:
                self._at(
                    each["cast"], 18, lambda session, at, n=number, e=each: self._cast(session, n, e, at)
                )
                self._at(
                    each["counted"], 9, lambda session, at, n=number, e=each: self._count(session, n, e, at)
                )

    def _at(self, day: int, hour: int, what: Any) -> None:
        at = self.story.moment(day, hour)
        self.story.happens(at, lambda session: what(session, at))

    def _hand_in(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        row = contributions.submit(
            session,
            Submission(
                kind=Kind.PROPOSAL,
                channel="web",
                key=f"demo-vote-{number}",
                title=told["title"],
                text=told["text"],
                wants_publication=True,
            ),
            procedure=self.story.rows[self.told["procedure"]],
            by=PUBLIC,
            now=at,
        )
        by = self.story.staff[Role.MODERATOR]
        moderation.decide(session, row, Decision(Action.PUBLISH), by=by, now=at)
        self.rows.append(row)

    def _phase(self, session: Session, number: int) -> Phase:
        """The phases after the first hold the votes, one each."""
        procedure = self.story.rows[self.told["procedure"]]
        return session.get_one(Phase, phases_of(session, procedure.id or 0)[number + 1].id)

    def _put_up(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        by, procedure = self.story.staff[Role.PLANNER], self.story.rows[self.told["procedure"]]
        phase = self._phase(session, number)
        arranged = Arrangement(opens=frozenset({Opening.VOTE}))
        proposing.arrange(session, procedure, phase, arranged, by=by, now=at, note=told["note"])
        stands = [self.rows[at_].id or 0 for at_ in told["stands"]]
        entered = VoteInput(
            question=told["question"],
            intro=told["intro"],
            proposal_ids=stands,
            kind=VoteKind(told["kind"]),
            most=told["most"],
            wins=told.get("wins", 1),
            ways=[Way(way) for way in told["ways"]],
            on_paper="paper" in told,
            costs={
                key: self.told["proposal"][at_]["cost"]
                for at_, key in zip(told["stands"], stands, strict=True)
            },
        )
        vote = voting.plan(session, procedure, phase, entered, by=by, now=at)
        self.votes[number] = voting.put_up(session, vote, by=by, now=at)
        if Way.CODE in entered.ways:
            _, letters = voting_codes.print_codes(
                session, vote, told["codes"], once=f"demo-{number}", key=self.link_key, by=by, now=at
            )
            self.codes = list(letters.values())

    def _drawn(self, session: Session, vote: Vote) -> dict[int, int]:
        """A ballot by chance that counts."""
        rules = ballots.rules_of(vote, ballots.options_of(session, vote.id or 0))
        marks: dict[int, int] = {}
        for number in self.chance.sample(sorted(rules.costs), len(rules.costs)):
            if (not counting.faults(rules, {**marks, number: 1}) and self.chance.random() < 0.8) or not marks:
                marks[number] = 1
        return marks

    def _cast(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        vote, waiting = self.votes[number], iter(self.codes)
        for each in range(told["online"]):
            voter = Voter(voting_codes.code_hash(self.link_key, vote, next(waiting)), Way.CODE)
            voting.cast(
                session, vote, voter, self._drawn(session, vote), once=f"demo {number} {each}", now=at
            )
        clerk = self.story.staff[Role.CLERK]
        # Two of the letters come from people who have voted online already.
        letters = [next(waiting) for _ in range(told["paper"])] + self.codes[:2]
        self.batches[number] = paper_ballots.open_batch(
            session,
            vote,
            letters,
            received_on=local_date(at),
            filed="Urne 1",
            key=self.link_key,
            by=clerk,
            now=at,
        )

    def _count(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        vote = self.votes[number]
        clerk, planner = self.story.staff[Role.CLERK], self.story.staff[Role.PLANNER]
        typed = [Typed(self._drawn(session, vote)) for _ in range(told["paper"] - 1)] + [
            Typed({}, spoiled=True)
        ]
        for by in (clerk, planner):
            paper_ballots.enter(session, vote, self.batches[number], typed, by=by, now=at)
        voting.close(session, vote, by=planner, now=at)
