"""The agencies of the demo: a register, a round that is running and one that is over, told in the order of time."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Protocol

from sqlmodel import Session

from consultations import agencies, agency_answers, contributions, invitations, moderation
from consultations.agencies import AgencyInput, ClerkInput, ClerkRole, Entry
from consultations.agency_answers import Holder, Part
from consultations.contributions import Kind, Submission
from consultations.invitations import Invitation
from consultations.moderation import Action, Decision
from consultations.people import OrganisationKind, Person, PersonInput
from consultations.permissions import SYSTEM, Actor, Role
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.seats import Seat
from participation import identity

#: Statements name their subject areas in German, as the agencies of the demo write.
LABELS = {
    "water": "Wasser", "soil": "Boden und Altlasten", "nature": "Naturschutz", "climate": "Klima",
    "fire": "Brandschutz", "roads": "Straßen",
}  # fmt: skip


class Story(Protocol):
    """What is needed of the town's story."""

    municipality_id: int
    staff: dict[Role, Actor]
    rows: dict[str, Procedure]

    @property
    def today(self) -> date: ...

    @property
    def seat(self) -> Seat: ...

    def moment(self, day: int, hour: int, minute: int = 0) -> datetime: ...

    def happens(self, at: datetime, what: Callable[[Session], None]) -> None: ...


class Agencies:
    """The agencies of one town's story, told into its events."""

    def __init__(self, story: Story, told: dict[str, Any], *, key: bytes, password: str) -> None:
        self.story, self.told, self.key, self.password = story, told, key, password
        self.entries: dict[str, Entry] = {}
        self.rows: dict[tuple[str, str], int] = {}

    # -- gathering

    def gather(self) -> None:
        """Note all that happens, with its day."""
        first = min(round_["sent"] for round_ in self.told["round"]) - 3
        self._then(first, 9, self._register)
        for round_ in self.told["round"]:
            self._round(round_)

    def _then(self, day: int, hour: int, what: Callable[[Session, datetime], None], minute: int = 0) -> None:
        at = self.story.moment(day, hour, minute)
        self.story.happens(at, lambda session: what(session, at))

    def _round(self, told: dict[str, Any]) -> None:
        key, sent = told["procedure"], told["sent"]
        requests = told["request"]
        first = [each for each in requests if "added" not in each]
        self._then(sent, 10, lambda session, at: self._list(session, at, key, first, told["words"]))
        for each in first:
            if "removed" in each:
                self._then(sent, 11, self._removed(key, each))
        self._then(sent, 12, lambda session, at: self._send(session, at, key))
        for minute, each in enumerate(requests):
            if "added" in each:
                self._then(each["added"], 10, partial(self._list, key=key, requests=[each]))
                self._then(each["added"], 11, lambda session, at: self._send(session, at, key))
            self._request(key, each, minute)
        # What the worker does: a reminder before the end, and silence noted after it.
        for day in range(sent + 20, 1):
            self._then(
                day, 6, lambda session, at: _discard(invitations.keep_time(session, by=SYSTEM, now=at))
            )

    def _request(self, key: str, each: dict[str, Any], minute: int) -> None:
        agency = each["agency"]
        if "posted" in each:
            self._then(each["posted"], 15, lambda session, at: self._posted(session, at, key, agency))
        if "opened" in each:
            self._then(
                each["opened"], 8,
                lambda session, at: agency_answers.opened(session, self._holder(session, key, agency), now=at), minute,
            )  # fmt: skip
        for name, what in (
            ("waiting", self._waits),
            ("answer", self._answers),
            ("asked", self._asks_time),
            ("decided", self._decided),
            ("by_letter", self._by_counter),
        ):
            if name in each:
                told = each[name]
                self._then(told["day"], 14, partial(what, key=key, agency=agency, told=told), minute)
        if "no_concerns" in each:
            self._then(
                each["no_concerns"], 9, lambda session, at: self._no_concerns(session, at, key, agency)
            )

        for name in ("answer", "no_concerns", "by_letter"):
            day = each[name]["day"] if isinstance(each.get(name), dict) else each.get(name)
            if day is not None and day <= -4:
                self._then(day + 1, 11, partial(self._published, key=key, agency=agency), minute)

    # -- happening

    @property
    def planner(self) -> Actor:
        return self.story.staff[Role.PLANNER]

    def _register(self, session: Session, at: datetime) -> None:
        for told in self.told["agency"]:
            plain = ("key", "email", "street", "postcode", "city", "notes")
            entered = AgencyInput(
                told["name"],
                OrganisationKind(told["kind"]),
                subjects=tuple(told["subjects"]),
                is_townwide="areas" not in told,
                areas=tuple(told.get("areas", ())),
                **{name: told.get(name, "") for name in plain},
            )
            entry, _ = agencies.save(
                session, entered, municipality_id=self.story.municipality_id, by=self.planner, now=at
            )
            self.entries[told["key"]] = entry
            for each in told.get("clerks", ()):
                role = ClerkRole.RELEASES if each.get("releases") else ClerkRole.DRAFTS
                clerk = agencies.add_clerk(
                    session, entry, ClerkInput(each["name"], each["email"], role), by=self.planner, now=at
                )
                if each.get("account"):
                    person = session.get_one(Person, clerk.person_id)
                    identity.create_password_identity(
                        session, person, each["email"], self.password, by=SYSTEM, now=at
                    )

    def _phase(self, session: Session, key: str) -> Phase:
        return invitations.asking_phases(session, self.story.rows[key])[-1]

    def _list(
        self, session: Session, at: datetime, key: str, requests: list[dict[str, Any]], words: str = ""
    ) -> None:
        procedure, phase = self.story.rows[key], self._phase(session, key)
        facts: dict[str, Any] = {"by": self.planner, "now": at}
        if words:
            invitations.set_round(
                session, phase, procedure, subjects=(), words=words, remind_before=7, **facts
            )
        for each in requests:
            row = invitations.put_on_list(
                session,
                phase,
                procedure,
                self.entries[each["agency"]],
                why=each.get("reason", "ganze Stadt"),
                is_proposed="reason" not in each,
                **facts,
            )
            self.rows[key, each["agency"]] = row.id or 0

    def _row(self, session: Session, key: str, agency: str) -> Invitation:
        return session.get_one(Invitation, self.rows[key, agency])

    def _removed(self, key: str, each: dict[str, Any]) -> Callable[[Session, datetime], None]:
        return lambda session, at: invitations.remove(
            session, self._row(session, key, each["agency"]), note=each["removed"]["reason"], by=self.planner, now=at
        )  # fmt: skip

    def _send(self, session: Session, at: datetime, key: str) -> None:
        invitations.send(
            session,
            self._phase(session, key),
            self.story.rows[key],
            due_on=None,
            seat=self.story.seat,
            key=self.key,
            by=self.planner,
            now=at,
        )

    def _posted(self, session: Session, at: datetime, key: str, agency: str) -> None:
        clerk = self.story.staff[Role.CLERK]
        agency_answers.posted(
            session, self._row(session, key, agency), seat=self.story.seat, by=clerk, now=at
        )

    def _holder(self, session: Session, key: str, agency: str, *, releases: bool = True) -> Holder:
        found = agency_answers.holders_of(session, self._row(session, key, agency))
        return next(each for each in found if each.releases is releases or len(found) == 1)

    def _write(
        self, session: Session, at: datetime, holder: Holder, told: dict[str, Any]
    ) -> agency_answers.AgencyReply:
        parts = [Part(each["subject"], LABELS[each["subject"]], each["text"]) for each in told["parts"]]
        return agency_answers.write(session, holder, parts, version=0, now=at)

    def _waits(self, session: Session, at: datetime, key: str, agency: str, told: dict[str, Any]) -> None:
        """A draft that the coordinator gave back once and that waits for release again."""
        drafting = self._holder(session, key, agency, releases=False)
        chief = self._holder(session, key, agency)
        reply = self._write(session, at, drafting, told)
        agency_answers.hand_on(session, drafting, reply, now=at)
        agency_answers.give_back(session, chief, reply, note="Bitte den Altlastenverdacht ergänzen.", now=at)
        agency_answers.hand_on(session, drafting, reply, now=at)

    def _published(self, session: Session, at: datetime, key: str, agency: str) -> None:
        for _reply, contribution in agency_answers.replies_of(session, [self.rows[key, agency]]):
            moderation.decide(
                session, contribution, Decision(Action.PUBLISH), by=self.story.staff[Role.MODERATOR], now=at
            )

    def _answers(self, session: Session, at: datetime, key: str, agency: str, told: dict[str, Any]) -> None:
        holder = self._holder(session, key, agency)
        reply = self._write(session, at, holder, told)
        title = f"Stellungnahme: {holder.organisation.name}"
        agency_answers.release(session, holder, reply, title=title, language="de", now=at)

    def _no_concerns(self, session: Session, at: datetime, key: str, agency: str) -> None:
        agency_answers.no_concerns(
            session,
            self._holder(session, key, agency),
            title="Keine Bedenken",
            text="Gegen die Planung bestehen keine Bedenken. Anregungen werden nicht vorgebracht.",
            language="de",
            now=at,
        )

    def _asks_time(self, session: Session, at: datetime, key: str, agency: str, told: dict[str, Any]) -> None:
        wished: date = self.story.today + timedelta(days=told["wished"])
        agency_answers.ask_extension(
            session, self._holder(session, key, agency), reason=told["reason"], wished_until=wished, now=at
        )

    def _decided(self, session: Session, at: datetime, key: str, agency: str, told: dict[str, Any]) -> None:
        until = self.story.today + timedelta(days=told["until"]) if "until" in told else None
        agency_answers.decide_extension(
            session,
            self._row(session, key, agency),
            granted_until=until and self.story.seat.working_day_from(until),
            answer=told["answer"],
            by=self.planner,
            now=at,
        )

    def _by_counter(
        self, session: Session, at: datetime, key: str, agency: str, told: dict[str, Any]
    ) -> None:
        row, entry, clerk = (
            self._row(session, key, agency),
            self.entries[agency],
            self.story.staff[Role.CLERK],
        )
        row_phase = session.get_one(Phase, row.phase_id)
        made = contributions.submit(
            session,
            Submission(
                kind=Kind.STATEMENT,
                channel=told["channel"],
                key=f"demo-{key}-{agency}",
                text=told["text"],
                person=PersonInput(organisation=entry.name, organisation_id=entry.id),
                wants_publication=True,
                phase=row_phase,
                due_on=row.due_on,
            ),
            procedure=self.story.rows[key],
            by=clerk,
            now=at,
        )
        agency_answers.assign(session, row, made, by=clerk, now=at)


def accounts(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Who of the agencies signs in with an account: address, and what they do where."""
    return [
        (each["email"], f"{'releases' if each.get('releases') else 'drafts'} for {agency['name']}")
        for agency in told["agency"]
        for each in agency.get("clerks", ())
        if each.get("account")
    ]


def _discard(touched: int) -> None:
    """An event returns nothing."""
