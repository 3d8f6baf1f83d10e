"""The proposals of the demo town: handed in by several ways, improved, supported, merged, answered, built; as time went.

What happens to each stands in `demo_data/proposals.toml`, with its days.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from consultations import (
    amendments,
    channels,
    contributions,
    discussion,
    evaluation,
    implementation,
    moderation,
    proposals,
    proposing,
    rewording,
    side_words,
    support,
    support_lists,
    unions,
)
from consultations.amendments import AmendmentInput, Rejection
from consultations.cocreation import Outcome
from consultations.contributions import Contribution, Kind, Submission
from consultations.deadlines import local_date
from consultations.discussion import Stance
from consultations.evaluation import AnswerInput, Criterion, Grade
from consultations.implementation import EntryInput, EntryKind, MilestoneState
from consultations.moderation import Action, Decision
from consultations.permissions import PUBLIC, Role
from consultations.proposals import Proposal
from consultations.side_words import Beside
from consultations.support import Supporter
from consultations.support_lists import LineInput, SupportList
from consultations.unions import UnionInput
from consultations.wording import Passage

HEADINGS = {
    "what": "Was schlagen Sie vor?",
    "why": "Warum?",
    "whom": "Für wen?",
    "cost": "Was könnte es kosten?",
}


class Proposals:
    """What happens to the told proposals in one consultation of a story."""

    def __init__(self, story: Any, name: str, told: dict[str, Any], *, key: bytes) -> None:
        """`name` of the consultation in the story; `key` makes the hashes of those who sign on paper."""
        self.story, self.key, self.told = story, name, told["proposal"]
        self.link_key = key
        self.rows: dict[int, Contribution] = {}
        self.said: dict[tuple[int, int], Contribution] = {}
        self.milestones: dict[tuple[int, str], int] = {}
        self.sheets: dict[tuple[int, int], SupportList] = {}

    def gather(self) -> None:
        """Note all that happens, with its day."""
        for number, each in enumerate(self.told):
            self._at(each["day"], 9, lambda session, at, n=number, e=each: self._hand_in(session, n, e, at))
            for which, said in enumerate(each.get("comments", [])):
                self._at(
                    said["day"],
                    12,
                    lambda session, at, n=number, w=which, e=said: self._say(session, n, w, e, at),
                )
                if "anew" in said:
                    self._at(
                        said["day"] + 1,
                        12,
                        lambda session, at, n=number, w=which, e=said: self._write_anew(
                            session, n, w, e["anew"], at
                        ),
                    )
            if "revise" in each:
                self._at(
                    each["revise"]["day"],
                    18,
                    lambda session, at, n=number, e=each["revise"]: self._revise(session, n, e, at),
                )
            for which, wish in enumerate(each.get("amend", [])):
                self._at(
                    wish["day"],
                    15,
                    lambda session, at, n=number, w=which, e=wish: self._amend(session, n, w, e, at),
                )

            self._through(number, each)

    def _through(self, number: int, told: dict[str, Any]) -> None:
        """Supports, sheets, the merge, the answer, what is built."""
        for each in told.get("supports", []):
            self._later(each["day"], 14, self._support, number, each)
        for each in told.get("sheets", []):
            self._later(each["day"], 10, self._sheet, number, each)
            if "struck" in each:
                self._later(each["day"], 17, self._check, number, each)
        if "joins" in told:
            self._later(told["joins"]["day"], 16, self._join, number, told["joins"])
        if "asked" in told:
            self._later(told["asked"]["day"], 9, self._ask_offices, number, told["asked"])
        if "answer" in told:
            self._later(told["answer"]["day"], 11, self._answer, number, told["answer"])
        for each in told.get("built", []):
            self._later(each["day"], 13, self._tell, number, each)

    def _later(
        self, day: int, hour: int, what: Callable[..., None], number: int, told: dict[str, Any]
    ) -> None:
        self._at(day, hour, lambda session, at: what(session, number, told, at))

    def _at(self, day: int, hour: int, what: Any) -> None:
        at = self.story.moment(day, hour)
        self.story.happens(at, lambda session: what(session, at))

    def _show(self, session: Session, row: Contribution, at: datetime) -> None:
        moderation.decide(session, row, Decision(Action.PUBLISH), by=self.story.staff[Role.MODERATOR], now=at)

    def _hand_in(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        channel = channels.by_key(told.get("channel", "web"))
        from_counter = channel.entry is channels.Entry.CLERK
        row = contributions.submit(
            session,
            Submission(
                kind=Kind.PROPOSAL,
                channel=channel.key,
                key=f"demo-proposal-{number}",
                title=told["title"],
                passages=tuple(Passage(key, heading, told[key]) for key, heading in HEADINGS.items()),
                pseudonym=told["name"],
                wants_publication=True,
            ),
            procedure=self.story.rows[self.key],
            by=self.story.staff[Role.CLERK] if from_counter else PUBLIC,
            now=at,
        )
        self.rows[number] = row
        self._show(session, row, at)

    def _say(self, session: Session, number: int, which: int, told: dict[str, Any], at: datetime) -> None:
        def say(stance: Stance, words: str, name: str, key: str, answers: int | None = None) -> Contribution:
            form = Submission(Kind.COMMENT, "web", key, text=words, pseudonym=name, wants_publication=True)
            made = discussion.comment(
                session,
                self.rows[number].id or 0,
                stance,
                form,
                answers_id=answers,
                procedure=self.story.rows[self.key],
                by=PUBLIC,
                now=at,
            )
            self._show(session, made, at)
            return made

        key = f"demo-proposal-{number}-said-{which}"
        first = say(Stance(told["stance"]), told["text"], told["name"], key)
        for each in range(told.get("good", 0)):
            reader = Supporter(f"browser:{key}-{each}")
            support.mark(session, self.rows[number].id or 0, first.id or 0, reader, by=PUBLIC, now=at)
        self.said[number, which] = first
        if "answer" in told:
            say(Stance.REMARK, told["answer"], "Rosa", f"{key}-answer", first.id)

    def _write_anew(self, session: Session, number: int, which: int, words: str, at: datetime) -> None:
        """The author of a comment says it in other words, which a moderator lets everybody read."""
        comment = self.said[number, which]
        anew = rewording.reword(session, comment.id or 0, words, base_number=1, by=PUBLIC, now=at)
        rewording.show(session, comment, anew, by=self.story.staff[Role.MODERATOR], now=at)

    def _revise(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        row = self.rows[number]
        version = proposing.revise(
            session,
            row.id or 0,
            told["words"],
            base_number=proposals.newest(session, row.id or 0).number,
            language="de",
            note=told["note"],
            by=PUBLIC,
            author=proposing.owner_with_code(session, row),
            now=at,
        )
        proposing.show(session, row, version, by=self.story.staff[Role.MODERATOR], now=at)

    def _amend(self, session: Session, number: int, which: int, told: dict[str, Any], at: datetime) -> None:
        row = self.rows[number]
        made = amendments.propose(
            session,
            row.id or 0,
            AmendmentInput(
                told["words"], proposing.shown(session, row).number or 1, "de", reason=told["reason"]
            ),
            Submission(
                Kind.COMMENT,
                "web",
                f"demo-proposal-{number}-amend-{which}",
                pseudonym=told["name"],
                wants_publication=True,
            ),
            procedure=self.story.rows[self.key],
            by=PUBLIC,
            now=at,
        )
        self._show(session, session.get_one(Contribution, made.contribution_id), at)
        owner = proposing.owner_with_code(session, row)
        if "accept" in told:
            amendments.accept(session, made, words=told["accept"], by=PUBLIC, author=owner, now=at)
            # What is not taken in waits at the moderator's desk, with the words that say why.
            proposal, moderator = (
                session.get_one(Proposal, made.proposal_id),
                self.story.staff[Role.MODERATOR],
            )
            side_words.decide(
                session, proposal, Beside.ANSWER, made.id or 0,
                shows=True, seen=made.decision_words, by=moderator, now=at,
            )  # fmt: skip
        elif "reject" in told:
            amendments.reject(
                session, made, Rejection.OTHER_AIM, told["reject"], by=PUBLIC, author=owner, now=at
            )

    # -- seen through

    def _support(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        for each in range(told["number"]):
            who = Supporter(f"browser:demo-{number}-{told['day']}-{each}")
            support.give(session, self.rows[number].id or 0, who, by=PUBLIC, now=at)

    def _sheet(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        staff = self.story.staff
        proposal = proposals.by_contribution(session, self.rows[number].id or 0)
        assert proposal is not None
        lines = [
            LineInput(name, street, "89999", "Auenfurt", wants_news=wants)
            for name, street, wants in told["lines"]
        ]
        sheet = support_lists.enter(
            session,
            proposal,
            lines,
            received_on=local_date(at),
            filed=told["filed"],
            by=staff[Role.CLERK],
            now=at,
        )
        self.sheets[number, told["day"]] = sheet

    def _check(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        struck = {int(line): why for line, why in told["struck"].items()}
        sheet = self.sheets[number, told["day"]]
        support_lists.check(
            session, sheet, struck, key=self.link_key, by=self.story.staff[Role.PLANNER], now=at
        )

    def _join(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        """It goes into another, both owners agree; some of those who support it come along."""
        goes, stays = self.rows[number], self.rows[told["into"]]
        goes_id, stays_id = goes.id or 0, stays.id or 0
        base = proposals.newest(session, stays_id).number
        union = unions.ask(
            session,
            UnionInput(goes_id, stays_id, told["reason"], told["words"], base),
            by=PUBLIC,
            author=proposing.owner_with_code(session, goes),
            now=at,
        )
        side_words.decide(
            session, session.get_one(Proposal, stays_id), Beside.WISH, union.id or 0,
            shows=True, seen=side_words.wish(union), by=self.story.staff[Role.MODERATOR], now=at,
        )  # fmt: skip
        owner = proposing.owner_with_code(session, stays)
        unions.decide(session, union, stays_id, agrees=True, by=PUBLIC, author=owner, now=at)
        newest = proposals.newest(session, stays_id)
        proposing.show(session, stays, newest, by=self.story.staff[Role.MODERATOR], now=at)
        for each in range(told["along"]):
            who = Supporter(f"browser:demo-{number}-{told['supported']}-{each}")
            support.move(session, goes_id, stays_id, who, by=PUBLIC, now=at)

    def _ask_offices(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        key, staff = self.rows[number].id or 0, self.story.staff
        due = local_date(at) + timedelta(days=told["due"])
        evaluation.assign(session, [key], told["offices"], due_on=due, by=staff[Role.PLANNER], now=at)
        for criterion, (grade, words) in told.get("judged", {}).items():
            cost_from, cost_to = told.get("cost", (None, None))
            evaluation.assess(
                session,
                key,
                told["offices"][0],
                Criterion(criterion),
                Grade(grade),
                words=words,
                cost_from=cost_from,
                cost_to=cost_to,
                by=staff[Role.EVALUATOR],
                now=at,
            )

    def _answer(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        """Written by the office, read by the planner, published."""
        key, staff = self.rows[number].id or 0, self.story.staff
        cost_from, cost_to = told.get("cost", (None, None))
        answer = AnswerInput(
            Outcome(told["outcome"]),
            told["reason"],
            legal_ground=told.get("legal_ground", ""),
            cost_from=cost_from,
            cost_to=cost_to,
            period=told.get("period", ""),
        )
        row = evaluation.draft(session, key, answer, by=staff[Role.EVALUATOR], now=at)
        evaluation.hand_on(session, key, by=staff[Role.EVALUATOR], now=at)
        if told.get("waits"):
            return  # with the second reader
        evaluation.approve(session, key, seen=row.revision, by=staff[Role.PLANNER], now=at)
        evaluation.publish(session, [key], by=staff[Role.PLANNER], now=at)

    def _picture(self, words: str) -> implementation.Picture | None:
        from participation import demo_papers

        if not words:
            return None
        kept = self.story.kept("Treppe.jpg", demo_papers.stairs())
        return implementation.Picture(
            kept.public_sha256 or "", kept.public_media_type or "", words, kept.filename
        )

    def _tell(self, session: Session, number: int, told: dict[str, Any], at: datetime) -> None:
        kind, title = EntryKind(told["kind"]), told["title"]
        entry = EntryInput(
            kind=kind,
            title=title,
            words=told.get("words", ""),
            day=local_date(at) + timedelta(days=told.get("on", 0)),
            state=MilestoneState(told.get("state", "planned")),
            milestone_id=self.milestones.get((number, title)),
            amount=told.get("amount"),
            address=told.get("address", ""),
            picture=self._picture(told.get("picture", "")),
        )
        key = self.rows[number].id or 0
        row = implementation.tell(session, key, entry, by=self.story.staff[Role.PLANNER], now=at)
        if kind is EntryKind.MILESTONE:
            self.milestones.setdefault((number, title), row.id or 0)
