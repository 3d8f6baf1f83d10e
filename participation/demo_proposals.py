"""The proposals of the demo town: handed in by several ways, revised, amended, talked about, in the order of time."""

from datetime import datetime
from typing import Any

from sqlmodel import Session

from consultations import amendments, channels, contributions, discussion, moderation, proposals, proposing
from consultations.amendments import AmendmentInput, Rejection
from consultations.contributions import Contribution, Kind, Submission
from consultations.discussion import Stance
from consultations.moderation import Action, Decision
from consultations.permissions import PUBLIC, Role
from consultations.wording import Passage

HEADINGS = {
    "what": "Was schlagen Sie vor?",
    "why": "Warum?",
    "whom": "Für wen?",
    "cost": "Was könnte es kosten?",
}


class Proposals:
    """What happens to the told proposals in one consultation of a story."""

    def __init__(self, story: Any, key: str, told: dict[str, Any]) -> None:
        self.story, self.key, self.told = story, key, told["proposal"]
        self.rows: dict[int, Contribution] = {}

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
        if "answer" in told:
            say(Stance.REMARK, told["answer"], "Rosa", f"{key}-answer", first.id)

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
        elif "reject" in told:
            amendments.reject(
                session, made, Rejection.OTHER_AIM, told["reject"], by=PUBLIC, author=owner, now=at
            )
