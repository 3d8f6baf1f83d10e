"""Following: who wants to hear of a project, a district, a proposal or a search, how often, and that they said so.

Nobody is written to before they have confirmed by a link that only their mailbox received (double opt-in), and every
mail bears a link that ends it without signing in (RFC 8058). What somebody agreed to, changed and ended stands in
rows that are only ever added. Whoever supported on paper with an address is told by letter. Who is signed in may hear in
their account instead, and nothing is mailed. What goes out to them, and when, is in `digests`.
"""

import base64
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Column,
    Index,
    Select,
    String,
    UniqueConstraint,
    and_,
    cast,
    delete,
    exists,
    false,
    func,
    or_,
)
from sqlalchemy import select as select_columns
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import (
    happenings,
    journal,
    nesting,
    notices,
    proposal_lists,
    proposals,
    received,
    saved_searches,
)
from consultations.contributions import Contribution, PublicationState
from consultations.deadlines import LEGAL_TIME
from consultations.happenings import Happening, Kind
from consultations.moderation import Redaction
from consultations.notices import NoticeWay
from consultations.permissions import Actor
from consultations.procedures import PUBLIC_STATES, Procedure, localised
from consultations.proposal_lists import Wanted
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.saved_searches import SavedSearch, Understood
from consultations.tables import BigKey, UtcDateTime

#: Characters of the address.
ADDRESS_LIMIT = 254
#: After a mail that asks for confirmation no other goes to the same address for the same thing for so long.
ASK_AGAIN = timedelta(minutes=10)
#: So many mails that nobody followed by confirming go to one address in a day, whatever they ask about: who types in
#: somebody else's address, from however many computers, fills no mailbox.
UNANSWERED_A_DAY = 6
#: A link to confirm counts for so long; what was never confirmed is forgotten then.
CONFIRM_WITHIN = timedelta(days=7)
#: What was ended is kept for so long, to show that nobody was written to without consent (three years, as claims lapse).
KEPT = timedelta(days=3 * 365)
#: When daily and weekly mails go out, in legal time; the weekly one on Mondays.
HOUR = 8
#: How long those who want to hear at once wait at most for the next look.
AT_ONCE = timedelta(minutes=2)
#: Things that one account follows, at most.
IN_ACCOUNT = 60


class Rhythm(StrEnum):
    """How often somebody wants to hear."""

    IMMEDIATE = "immediate"
    DAILY = "daily"
    WEEKLY = "weekly"


class State(StrEnum):
    """Where a subscription stands."""

    ASKED = "asked"
    ACTIVE = "active"
    ENDED = "ended"


class ConsentAct(StrEnum):
    """What somebody said."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class Subscription(SQLModel, table=True):
    """One address that follows one thing. What was said about it stands in `consent`.

    `address` is a mailbox, or "account:" with the key of a person who hears of it in their account only.
    """

    __tablename__ = "subscription"
    __table_args__ = (
        UniqueConstraint("municipality_id", "address", "target"),
        Index("ix_subscription_state_next_at", "state", "next_at"),
        Index("ix_subscription_target", "target"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    address: str
    #: "procedure:3", "parts:3", "proposal:17", "survey:3:4", "vote:3:2", "district:Nord", "search:5": see `Target`.
    target: str
    rhythm: str = Rhythm.WEEKLY.value
    language: str = "de"
    state: str = State.ASKED.value
    #: From which, with the installation's key, the secrets of its links are made.
    nonce: str
    #: The newest happening that was looked at for it.
    told_id: int = Field(default=0, sa_column=Column(BigKey, nullable=False))
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


class Consent(SQLModel, table=True):
    """One thing that somebody said about being written to. Never changed; erased only with the subscription."""

    __tablename__ = "consent"

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    subscription_id: int = Field(foreign_key="subscription.id", index=True)
    act: str
    rhythm: str
    #: page | mail | one_click | account
    way: str
    #: The sentence that they read when they agreed, in their language.
    words: str = ""
    at: datetime = Field(sa_type=UtcDateTime)


@dataclass(frozen=True)
class Target:
    """What can be followed. `name` is a district's name, or the key of a consultation, a proposal or a saved search;
    a survey and a vote are named with their consultation."""

    #: procedure | parts (a procedure and all that belongs to it) | proposal | survey | vote | district | search
    kind: str
    name: str

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.name}"

    @property
    def numbers(self) -> tuple[int, int]:
        """Of a survey or a vote: the keys of its consultation and its own."""
        procedure_id, _, key = self.name.partition(":")
        return int(procedure_id), int(key)

    @classmethod
    def read(cls, key: str) -> "Target":
        """From how it is stored."""
        kind, _, name = key.partition(":")
        return cls(kind, name)


def of_procedure(procedure_id: int) -> Target:
    """A consultation with all its proposals."""
    return Target("procedure", str(procedure_id))


def of_parts(procedure_id: int) -> Target:
    """A consultation and all that belongs to it, with their proposals."""
    return Target("parts", str(procedure_id))


def of_proposal(proposal_id: int) -> Target:
    """One proposal."""
    return Target("proposal", str(proposal_id))


def of_survey(procedure_id: int, survey_id: int) -> Target:
    """One survey: that it begins, ends soon, and what came of it."""
    return Target("survey", f"{procedure_id}:{survey_id}")


def of_vote(procedure_id: int, vote_id: int) -> Target:
    """One vote: that it begins, ends soon, what came of it, or that it was given up."""
    return Target("vote", f"{procedure_id}:{vote_id}")


def of_district(name: str) -> Target:
    """A district, across all consultations."""
    return Target("district", name)


def of_search(search: SavedSearch) -> Target:
    """Whatever new proposal fits a search."""
    return Target("search", str(search.id))


# --- asking, confirming, ending --------------------------------------------------------------------


def ask(
    session: Session,
    municipality_id: int,
    address: str,
    target: Target,
    *,
    rhythm: Rhythm = Rhythm.WEEKLY,
    language: str = "de",
    words: str,
    now: datetime,
) -> Subscription:
    """Note that somebody wants to follow, and leave the mail by which they confirm it.

    `words`: the sentence that they agreed to. Whether the address follows already is told to nobody but its owner: the
    same happens, at most once in ten minutes, and no mail once too many lie there unanswered. Raises Refusal
    EMAIL_INVALID ("email").
    """
    clean = clean_address(address)
    journal.hold(session, municipality_id)  # two first requests at the same moment are the same request
    row = session.exec(
        select(Subscription).where(
            Subscription.municipality_id == municipality_id,
            Subscription.address == clean,
            Subscription.target == target.key,
        )
    ).first()
    if row is None:
        row = Subscription(
            municipality_id=municipality_id,
            address=clean,
            target=target.key,
            rhythm=rhythm.value,
            language=language,
            nonce=secrets.token_urlsafe(18),
            created_at=now,
        )
        session.add(row)
        session.flush()
    assert row.id is not None
    asked = session.exec(
        select(Consent.at)
        .where(Consent.subscription_id == row.id, Consent.act == ConsentAct.ASKED.value)
        .order_by(col(Consent.id).desc())
        .limit(1)
    ).first()
    if asked is not None and now - asked < ASK_AGAIN:
        return row
    if _unanswered(session, municipality_id, clean, now - timedelta(days=1)) >= UNANSWERED_A_DAY:
        return row
    if row.state == State.ENDED.value:
        row.state, row.nonce = State.ASKED.value, secrets.token_urlsafe(18)
    row.language = language
    session.add(row)
    _say(session, row, ConsentAct.ASKED, "page", now=now, rhythm=rhythm, words=words)
    notices.leave(
        session,
        municipality_id=municipality_id,
        kind="follow_confirm",
        way=NoticeWay.MAIL,
        address=clean,
        language=language,
        facts={"subscription": row.id, "rhythm": rhythm.value},
        now=now,
    )
    return row


def _unanswered(session: Session, municipality_id: int, address: str, since: datetime) -> int:
    """How many mails that asked an address to confirm something were not followed by a confirmation."""
    acts = session.exec(
        select(Consent.act)
        .join(Subscription, col(Subscription.id) == Consent.subscription_id)
        .where(
            Subscription.municipality_id == municipality_id,
            Subscription.address == address,
            col(Consent.act).in_((ConsentAct.ASKED.value, ConsentAct.CONFIRMED.value)),
            col(Consent.at) > since,
        )
    ).all()
    confirmed = acts.count(ConsentAct.CONFIRMED.value)
    return len(acts) - 2 * confirmed


def account_address(person_id: int) -> str:
    """The address of somebody who hears in their account."""
    return f"account:{person_id}"


def follow_in_account(
    session: Session,
    municipality_id: int,
    person_id: int,
    target: Target,
    *,
    language: str = "de",
    words: str,
    now: datetime,
) -> Subscription:
    """Somebody who is signed in hears of it in their account from now on; nothing is mailed. Done twice it is one.

    Raises Refusal TOO_MANY_FOLLOWED once the account follows as much as it may.
    """
    address = account_address(person_id)
    journal.hold(session, municipality_id)
    known = session.exec(
        select(Subscription).where(
            Subscription.municipality_id == municipality_id, Subscription.address == address
        )
    ).all()
    row = next((each for each in known if each.target == target.key), None)
    if row is not None and row.state == State.ACTIVE.value:
        return row
    if sum(each.state == State.ACTIVE.value for each in known) >= IN_ACCOUNT:
        raise Refusal(Code.TOO_MANY_FOLLOWED, limit=IN_ACCOUNT)
    if row is None:
        row = Subscription(
            municipality_id=municipality_id,
            address=address,
            target=target.key,
            nonce=secrets.token_urlsafe(18),
            created_at=now,
        )
    row.state, row.rhythm, row.language = State.ACTIVE.value, Rhythm.IMMEDIATE.value, language
    row.told_id = happenings.newest(session, municipality_id)
    session.add(row)
    session.flush()
    _say(session, row, ConsentAct.CONFIRMED, "account", now=now, rhythm=Rhythm.IMMEDIATE, words=words)
    return row


def of_account(session: Session, municipality_id: int, person_id: int) -> list[Subscription]:
    """What somebody follows in their account, oldest first."""
    return list(
        session.exec(
            select(Subscription)
            .where(
                Subscription.municipality_id == municipality_id,
                Subscription.address == account_address(person_id),
                Subscription.state == State.ACTIVE.value,
            )
            .order_by(col(Subscription.id))
        ).all()
    )


def clean_address(address: str) -> str:
    """An e-mail address as it is kept. Raises Refusal EMAIL_INVALID ("email")."""
    # With it come the tables of all scripts that a host name can be written in.
    from email_validator import EmailNotValidError, validate_email

    try:
        valid = validate_email(
            address.strip()[: ADDRESS_LIMIT + 1], check_deliverability=False, test_environment=True
        )
    except EmailNotValidError as error:
        raise Refusal(Code.EMAIL_INVALID, "email", address=address.strip()[:ADDRESS_LIMIT]) from error
    return valid.normalized.lower()


def confirm(session: Session, row: Subscription, rhythm: Rhythm, *, now: datetime) -> Subscription:
    """The owner of the mailbox agrees: from now on they are told. Done twice it is one consent.

    Raises Refusal LINK_EXPIRED once the link is older than a week, or the subscription was ended meanwhile.
    """
    session.refresh(row, with_for_update=True)
    if row.state == State.ACTIVE.value and row.rhythm == rhythm.value:
        return row
    asked = _last(session, row)
    if row.state == State.ENDED.value or (
        row.state == State.ASKED.value and (asked is None or now - asked.at > CONFIRM_WITHIN)
    ):
        raise Refusal(Code.LINK_EXPIRED)
    if row.state != State.ACTIVE.value:
        row.told_id = happenings.newest(session, row.municipality_id)
    row.state, row.rhythm = State.ACTIVE.value, rhythm.value
    row.next_at = next_time(rhythm, now)
    session.add(row)
    _say(
        session, row, ConsentAct.CONFIRMED, "mail", now=now, rhythm=rhythm, words=asked.words if asked else ""
    )
    return row


def end(session: Session, row: Subscription, *, way: str, now: datetime) -> Subscription:
    """They no longer want to hear of it. Done twice it is ended once."""
    session.refresh(row, with_for_update=True)
    if row.state != State.ENDED.value:
        row.state, row.next_at = State.ENDED.value, None
        session.add(row)
        _say(session, row, ConsentAct.ENDED, way, now=now, rhythm=Rhythm(row.rhythm))
    return row


def _last(session: Session, row: Subscription) -> Consent | None:
    return session.exec(
        select(Consent).where(Consent.subscription_id == row.id).order_by(col(Consent.id).desc()).limit(1)
    ).first()


def _say(
    session: Session,
    row: Subscription,
    act: ConsentAct,
    way: str,
    *,
    now: datetime,
    rhythm: Rhythm,
    words: str = "",
) -> None:
    assert row.id is not None
    session.add(
        Consent(subscription_id=row.id, act=act.value, rhythm=rhythm.value, way=way, words=words, at=now)
    )
    session.flush()


def consents_of(session: Session, subscription_id: int) -> list[Consent]:
    """Everything that was said about a subscription, oldest first."""
    return list(
        session.exec(
            select(Consent).where(Consent.subscription_id == subscription_id).order_by(col(Consent.id))
        ).all()
    )


def token_of(key: bytes, row: Subscription) -> str:
    """The secret in the links of a subscription's mails: 144 bits that nobody guesses without the installation's key."""
    made = hmac.digest(key, b"following\0" + row.nonce.encode(), "sha256")
    return f"{row.id}.{base64.urlsafe_b64encode(made[:18]).decode()}"


def by_token(session: Session, municipality_id: int, token: str, *, key: bytes) -> Subscription | None:
    """Whose link this is, in this municipality, or None."""
    number, _, _secret = token.partition(".")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    row = session.get(Subscription, int(number))
    if row is None or row.municipality_id != municipality_id:
        return None
    return row if hmac.compare_digest(token_of(key, row).encode(), token.encode()) else None


def next_time(rhythm: Rhythm, now: datetime) -> datetime:
    """When the next look is due: soon, tomorrow at eight, or on Monday at eight, in legal time."""
    if rhythm is Rhythm.IMMEDIATE:
        return now + AT_ONCE
    here = now.astimezone(LEGAL_TIME)
    days = 1 if rhythm is Rhythm.DAILY else 7 - here.weekday()
    day = here.date() + timedelta(days=days)
    return datetime.combine(day, time(HOUR), tzinfo=LEGAL_TIME).astimezone(now.tzinfo)


def forget_unconfirmed(session: Session, now: datetime) -> int:
    """Delete what was never confirmed within the week: nobody agreed to anything. Returns how many."""
    rows = session.exec(
        select(Subscription)
        .where(Subscription.state == State.ASKED.value, Subscription.created_at < now - CONFIRM_WITHIN)
        .limit(500)
    ).all()
    gone = 0
    for row in rows:
        asked = _last(session, row)
        if asked is not None and now - asked.at <= CONFIRM_WITHIN:
            continue
        for said in consents_of(session, row.id or 0):
            session.delete(said)
        session.flush()
        session.delete(row)
        gone += 1
    session.flush()
    return gone


def forget_ended(session: Session, now: datetime, *, limit: int = 500) -> int:
    """Delete what was ended long ago, with its consents: nothing is to be shown with it any more. Returns how many."""
    last = (
        select(func.max(Consent.at))
        .where(Consent.subscription_id == Subscription.id)
        .correlate(Subscription)
        .scalar_subquery()
    )
    rows = session.exec(
        select(Subscription).where(Subscription.state == State.ENDED.value, last < now - KEPT).limit(limit)
    ).all()
    for row in rows:
        for said in consents_of(session, row.id or 0):
            session.delete(said)
        session.flush()
        session.delete(row)
    session.flush()
    return len(rows)


def forget_searches(session: Session) -> int:
    """Delete the searches to which no subscription is kept any more, 500 at most: somebody's words stand in them."""
    followed = exists().where(col(Subscription.target) == "search:" + cast(col(SavedSearch.id), String))
    # Whoever is about to follow one holds it (`saved_searches.keep`), or followed it before it was held here: asked twice.
    ids = session.exec(
        select(SavedSearch.id).where(~followed).limit(500).with_for_update(skip_locked=True)
    ).all()
    gone = delete(SavedSearch).where(col(SavedSearch.id).in_(ids), ~followed)
    return int(session.execute(gone).rowcount) if ids else 0  # type: ignore[attr-defined]


def of_address(session: Session, row: Subscription) -> list[Subscription]:
    """Everything that the owner of a subscription follows in this municipality and has not ended, oldest first."""
    return list(
        session.exec(
            select(Subscription)
            .where(
                Subscription.municipality_id == row.municipality_id,
                Subscription.address == row.address,
                Subscription.state == State.ACTIVE.value,
            )
            .order_by(col(Subscription.id))
        ).all()
    )


# --- what is followed --------------------------------------------------------------------------


#: Searches by their keys, with what they mean by now.
Asked = Mapping[int, tuple[SavedSearch, Understood]]


def searches_among(session: Session, municipality_id: int, targets: Iterable[Target]) -> Asked:
    """The searches among what is followed; five queries at most, however many they are."""
    rows = saved_searches.by_ids(session, [int(each.name) for each in targets if each.kind == "search"])
    understood = saved_searches.understand(session, municipality_id, list(rows.values()))
    return {key: (row, understood[key]) for key, row in rows.items()}


def belongs_to(session: Session, target: Target, municipality_id: int, asked: Asked) -> list[Any]:
    """The conditions under which a happening belongs to what is followed; `asked`: its searches, as `searches_among` has them."""
    own = Happening.municipality_id == municipality_id
    if target.kind == "district":
        return [own, Happening.district == target.name]
    if target.kind == "parts":
        # What becomes a part later is told of from then on; what no longer is one, no longer.
        return [own, col(Happening.procedure_id).in_(nesting.with_parts(int(target.name)))]
    if target.kind == "search":
        row, understood = asked.get(int(target.name), (None, None))
        if row is None or understood is None or understood.missing:
            return [false()]  # also of a search that is gone: what others follow goes on
        return [own, *_fits(session, row.procedure_id, understood.wanted)]
    if target.kind in ("survey", "vote"):
        procedure_id, key = target.numbers
        return [own, Happening.procedure_id == procedure_id, happenings.is_about(target.kind, key)]
    column = Happening.procedure_id if target.kind == "procedure" else Happening.proposal_id
    return [column == int(target.name), own]


def _fits(session: Session, procedure_id: int, wanted: Wanted) -> list[Any]:
    """That a proposal can be read for the first time, and fits what is wanted by now."""
    return [
        Happening.procedure_id == procedure_id,
        Happening.kind == Kind.PROPOSED.value,
        col(Happening.proposal_id).in_(proposal_lists.keys(session, procedure_id, wanted)),
    ]


# --- reading ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class News:
    """One thing that happened, as everybody may read it."""

    id: int
    kind: str
    at: datetime
    facts: dict[str, Any]
    #: None, and no reference: it happened to the consultation itself.
    proposal_id: int | None
    reference: str
    title: str
    slug: str
    procedure_title: str
    #: The consultation's title in other languages.
    procedure_titles: Mapping[str, str] = field(default_factory=dict)


def _readable() -> Select[Any]:
    """Of consultations, and only of proposals that the public can read: what was withheld meanwhile is told to nobody."""
    columns: tuple[Any, ...] = (
        Happening,
        Contribution.reference,
        Contribution.title,
        Redaction.title,
        Procedure.slug,
        Procedure.title,
        Procedure.translations,
    )
    return (
        select_columns(*columns)
        .select_from(Happening)
        .outerjoin(Contribution, col(Contribution.id) == Happening.proposal_id)
        .join(Procedure, col(Procedure.id) == Happening.procedure_id)
        .outerjoin(Redaction, col(Redaction.id) == Contribution.redaction_id)
        .where(
            col(Happening.is_void).is_(False),
            or_(
                col(Happening.proposal_id).is_(None),
                col(Contribution.publication) == PublicationState.PUBLISHED.value,
            ),
            # What was taken over into a draft is told by nobody, whoever follows the whole or a district.
            col(Procedure.state).in_(PUBLIC_STATES),
        )
    )


def _news(rows: Sequence[Any]) -> list[News]:
    return [
        News(
            id=row.id or 0,
            kind=row.kind,
            at=row.at,
            facts=dict(row.facts),
            proposal_id=row.proposal_id,
            reference=reference or "",
            title=(title if redacted is None else redacted) or reference or procedure,
            slug=slug,
            procedure_title=procedure,
            procedure_titles={
                language: str(texts["title"])
                for language, texts in (translations or {}).items()
                if texts.get("title")
            },
        )
        for row, reference, title, redacted, slug, procedure, translations in rows
    ]


def read(session: Session, ids: Sequence[int]) -> list[News]:
    """These happenings as far as everybody may read them now, newest first; one query."""
    if not ids:
        return []
    return _news(
        session.execute(
            _readable().where(col(Happening.id).in_(list(ids))).order_by(col(Happening.id).desc())
        ).all()
    )


def about(
    session: Session, municipality_id: int, target: Target, *, before: int | None = None, limit: int = 50
) -> list[News]:
    """What happened to what can be followed, newest first, `limit` before the happening `before`; one query, five more for a
    search."""
    asked = searches_among(session, municipality_id, [target])
    question = _readable().where(*belongs_to(session, target, municipality_id, asked))
    if before is not None:
        question = question.where(col(Happening.id) < before)
    return _news(session.execute(question.order_by(col(Happening.id).desc()).limit(limit)).all())


def unread(
    session: Session, municipality_id: int, rows: Sequence[Subscription], *, limit: int = 100
) -> list[News]:
    """What happened to all that somebody follows since they last looked, each thing once, newest first.

    Of more than `limit` the oldest, so that nothing older is left behind by `mark_read`. One query, and five for searches.
    """
    if not rows:
        return []
    targets = {row.target: Target.read(row.target) for row in rows}
    asked = searches_among(session, municipality_id, targets.values())
    any_of = [
        and_(
            *belongs_to(session, targets[row.target], municipality_id, asked), col(Happening.id) > row.told_id
        )
        for row in rows
    ]
    question = _readable().where(or_(*any_of)).order_by(col(Happening.id)).limit(limit)
    return _news(session.execute(question).all())[::-1]


def lost_of(
    session: Session, municipality_id: int, rows: Sequence[Subscription]
) -> dict[str, tuple[SavedSearch, tuple[str, ...]]]:
    """Of what somebody follows, the searches that mean nothing any more, with what is missing; five queries at most."""
    asked = searches_among(session, municipality_id, [Target.read(row.target) for row in rows])
    return {
        of_search(row).key: (row, understood.missing)
        for row, understood in asked.values()
        if understood.missing
    }


def mark_read(session: Session, municipality_id: int, rows: Sequence[Subscription], newest: int) -> None:
    """They have seen what happened up to `newest`."""
    head = min(newest, happenings.newest(session, municipality_id))
    for row in rows:
        row.told_id = max(row.told_id, head)
        session.add(row)
    session.flush()


def fitting(session: Session, procedure_id: int, wanted: Wanted, *, limit: int = 50) -> list[News]:
    """The proposals that fit what is wanted, each when it could be read first, newest first; one query."""
    question = _readable().where(*_fits(session, procedure_id, wanted))
    return _news(session.execute(question.order_by(col(Happening.id).desc()).limit(limit)).all())


def names_of(session: Session, rows: Sequence[Subscription], language: str) -> dict[str, str]:
    """What subscriptions follow, as everybody may call it, by target: title of a proposal or consultation, name of a
    district. What a search asks, surveys and votes are for the storey above to say. Three queries at most."""
    targets = {row.target: Target.read(row.target) for row in rows}
    keys: dict[str, list[int]] = {
        kind: [int(each.name) for each in targets.values() if each.kind == kind]
        for kind in ("procedure", "parts", "proposal")
    }
    found = {key: target.name for key, target in targets.items() if target.kind == "district"}
    if keys["procedure"] or keys["parts"]:
        wanted = {*keys["procedure"], *keys["parts"]}
        for each in session.exec(select(Procedure).where(col(Procedure.id).in_(wanted))).all():
            for target in (of_procedure(each.id or 0), of_parts(each.id or 0)):
                found[target.key] = localised(each, language, "title")
    if keys["proposal"]:
        pairs = session.exec(
            select(Contribution, Redaction)
            .outerjoin(Redaction, col(Redaction.id) == Contribution.redaction_id)
            .where(col(Contribution.id).in_(keys["proposal"]))
        ).all()
        for contribution, redaction in pairs:
            is_shown = contribution.publication == PublicationState.PUBLISHED.value
            title = (redaction.title if redaction else contribution.title) if is_shown else ""
            found[of_proposal(contribution.id or 0).key] = title or contribution.reference
    return found


# --- those who are told whether or not they follow --------------------------------------------------


def tell_author(session: Session, proposal: Proposal, happening: Happening, *, now: datetime) -> None:
    """Tell who handed a proposal in: by mail, or by letter if that is how they can be reached."""
    contribution = session.get_one(Contribution, proposal.contribution_id)
    if contribution.source_id:
        return  # taken over from another system; who wrote it there gave us no address for this
    person, _ = received.submitter_of(session, contribution)
    if person is None:
        return
    if person.email:
        _tell(
            session,
            proposal,
            happening,
            NoticeWay.MAIL,
            person.email,
            person.name,
            contribution.language,
            now,
        )
    elif person.street:
        lines = (person.name, person.street, f"{person.postcode} {person.city}".strip())
        tell_by_letter(session, proposal, happening, lines, language=contribution.language, now=now)


def tell_by_letter(
    session: Session,
    proposal: Proposal,
    happening: Happening,
    lines: Sequence[str],
    *,
    language: str = "de",
    now: datetime,
) -> None:
    """Leave a letter for somebody at a postal address (lines, the name first)."""
    address = "\n".join(line for line in lines if line)
    _tell(session, proposal, happening, NoticeWay.LETTER, address, lines[0], language, now)


def _tell(
    session: Session,
    proposal: Proposal,
    happening: Happening,
    way: NoticeWay,
    address: str,
    name: str,
    language: str,
    now: datetime,
) -> None:
    contribution = session.get_one(Contribution, proposal.contribution_id)
    notices.leave(
        session,
        municipality_id=proposal.municipality_id,
        contribution_id=proposal.contribution_id,
        kind="proposal_news",
        way=way,
        address=address,
        to_name=name,
        language=language,
        facts={"happening": happening.id, "reference": contribution.reference},
        now=now,
    )


def note_telling(
    session: Session, proposal: Proposal, happening: Happening, *, by: Actor, now: datetime
) -> None:
    """Write into the journal that people are told, without saying whom."""
    proposals.note(
        session, proposal, "proposal_told", by=by, now=now, happening=happening.id, kind=happening.kind
    )
