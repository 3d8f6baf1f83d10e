"""Co-creation as data: the states of a proposal on its three axes, who may do what in which, and what a phase opens.

Three axes instead of one status: *authoring* (what its authors may still do), *moderation* (what the public sees:
`contributions.PublicationState`) and *evaluation* (what the offices have answered). For each state, act and part in a
proposal there is exactly one answer (`answer`); docs/co-creation.md shows the same table. Pure.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

# --- authoring -------------------------------------------------------------------------------------


class Authoring(StrEnum):
    """What the authors of a proposal may still do with it."""

    DRAFT = "draft"  # a row of `drafts`, seen by nobody else
    OPEN = "open"  # handed in; every change is a version of its own
    LOCKED = "locked"  # the text stands still while it is evaluated or voted on
    WITHDRAWN = "withdrawn"  # the owner no longer stands by it; it stays readable for those who supported it
    MERGED = "merged"  # went into another proposal with the consent of all owners
    ARCHIVED = "archived"  # still readable, no input any more


class Part(StrEnum):
    """What somebody is to a proposal."""

    OWNER = "owner"
    COAUTHOR = "coauthor"
    ANYBODY = "anybody"
    FACILITATOR = "facilitator"  # who plans or moderates the consultation
    SYSTEM = "system"  # the end of a phase, the rules of retention


class Act(StrEnum):
    """Everything that can be done to a proposal."""

    HAND_IN = "hand_in"
    REVISE = "revise"
    TRANSLATE = "translate"
    INVITE = "invite"
    LEAVE = "leave"
    HAND_OVER = "hand_over"
    AMEND = "amend"
    DECIDE_AMENDMENT = "decide_amendment"
    COMMENT = "comment"
    MARK_ARGUMENT = "mark_argument"
    UNMARK_ARGUMENT = "unmark_argument"
    SUPPORT = "support"
    WITHDRAW_SUPPORT = "withdraw_support"
    MERGE = "merge"
    SPLIT = "split"
    WITHDRAW = "withdraw"
    LOCK = "lock"
    UNLOCK = "unlock"
    ARCHIVE = "archive"


class Opening(StrEnum):
    """What a phase may open."""

    PROPOSE = "propose"
    REVISE = "revise"
    AMEND = "amend"
    COMMENT = "comment"
    SUPPORT = "support"
    SURVEY = "survey"
    VOTE = "vote"


@dataclass(frozen=True)
class Move:
    """Who may do something, in which states, what follows, and what has to be so besides.

    `opening`: what a phase that runs has to open, for everybody but the facilitator. `is_public`: whether the public
    has to be able to read the proposal.
    """

    parts: frozenset[Part]
    steps: Mapping[Authoring, Authoring]
    opening: Opening | None = None
    is_public: bool = False


def _stays(*states: Authoring) -> dict[Authoring, Authoring]:
    return {state: state for state in states}


_OWNER, _AUTHORS = frozenset({Part.OWNER}), frozenset({Part.OWNER, Part.COAUTHOR})
_STAFF = frozenset({Part.FACILITATOR})
_ALL = frozenset({Part.OWNER, Part.COAUTHOR, Part.ANYBODY, Part.FACILITATOR})

#: The one table: whatever is not in it is not possible.
MOVES: Mapping[Act, Move] = {
    Act.HAND_IN: Move(_AUTHORS | _STAFF, {Authoring.DRAFT: Authoring.OPEN}, Opening.PROPOSE),
    Act.REVISE: Move(_AUTHORS, _stays(Authoring.OPEN), Opening.REVISE),
    Act.TRANSLATE: Move(_AUTHORS | _STAFF, _stays(Authoring.OPEN, Authoring.LOCKED)),
    Act.INVITE: Move(_AUTHORS, _stays(Authoring.OPEN)),
    # Nobody is kept: whoever wrote along may go at any time, even while the text is voted on.
    Act.LEAVE: Move(
        frozenset({Part.COAUTHOR}),
        _stays(Authoring.OPEN, Authoring.LOCKED, Authoring.WITHDRAWN, Authoring.MERGED, Authoring.ARCHIVED),
    ),
    Act.HAND_OVER: Move(_OWNER, _stays(Authoring.OPEN, Authoring.LOCKED)),
    Act.AMEND: Move(_ALL, _stays(Authoring.OPEN), Opening.AMEND, is_public=True),
    Act.DECIDE_AMENDMENT: Move(_OWNER | _STAFF, _stays(Authoring.OPEN), is_public=True),
    Act.COMMENT: Move(_ALL, _stays(Authoring.OPEN, Authoring.LOCKED), Opening.COMMENT, is_public=True),
    # To say that an argument is good is a part of the talk, and as long as it is opened.
    Act.MARK_ARGUMENT: Move(_ALL, _stays(Authoring.OPEN, Authoring.LOCKED), Opening.COMMENT, is_public=True),
    Act.UNMARK_ARGUMENT: Move(
        _ALL,
        _stays(Authoring.OPEN, Authoring.LOCKED, Authoring.WITHDRAWN, Authoring.MERGED),
        is_public=True,
    ),
    Act.SUPPORT: Move(_ALL, _stays(Authoring.OPEN, Authoring.LOCKED), Opening.SUPPORT, is_public=True),
    # Who no longer stands by it can say so as long as there is something to take back.
    Act.WITHDRAW_SUPPORT: Move(
        _ALL,
        _stays(Authoring.OPEN, Authoring.LOCKED, Authoring.WITHDRAWN, Authoring.MERGED),
        is_public=True,
    ),
    Act.MERGE: Move(_OWNER | _STAFF, {Authoring.OPEN: Authoring.MERGED}, is_public=True),
    Act.SPLIT: Move(_OWNER | _STAFF, _stays(Authoring.OPEN), is_public=True),
    Act.WITHDRAW: Move(
        _OWNER,
        {Authoring.OPEN: Authoring.WITHDRAWN, Authoring.LOCKED: Authoring.WITHDRAWN},
    ),
    Act.LOCK: Move(_STAFF | {Part.SYSTEM}, {Authoring.OPEN: Authoring.LOCKED}),
    Act.UNLOCK: Move(_STAFF | {Part.SYSTEM}, {Authoring.LOCKED: Authoring.OPEN}),
    Act.ARCHIVE: Move(
        _STAFF | {Part.SYSTEM},
        dict.fromkeys(
            (Authoring.OPEN, Authoring.LOCKED, Authoring.WITHDRAWN, Authoring.MERGED), Authoring.ARCHIVED
        ),
    ),
}


@dataclass(frozen=True)
class Answer:
    """Whether an act is possible: the state that follows, or a word for why not (`not_your_part`, `wrong_state`)."""

    state: Authoring | None
    why_not: str = ""

    def __bool__(self) -> bool:
        return self.state is not None


def answer(state: Authoring, act: Act, part: Part) -> Answer:
    """The one answer for a state, an act and a part. What a phase has to open is asked beside it."""
    move = MOVES[act]
    if part not in move.parts:
        return Answer(None, "not_your_part")
    if state not in move.steps:
        return Answer(None, "wrong_state")
    return Answer(move.steps[state])


# --- amendments ------------------------------------------------------------------------------------


class AmendmentState(StrEnum):
    """What became of an amendment."""

    PROPOSED = "proposed"
    OUTDATED = "outdated"  # the text moved on at the same place: its author is asked to renew it
    ACCEPTED = "accepted"
    ACCEPTED_CHANGED = "accepted_changed"  # taken over in other words
    REJECTED = "rejected"  # with a reason
    PROMOTED = "promoted"  # became a proposal of its own
    WITHDRAWN = "withdrawn"


class AmendmentAct(StrEnum):
    """What can be done to an amendment."""

    ACCEPT = "accept"
    ACCEPT_CHANGED = "accept_changed"
    REJECT = "reject"
    RENEW = "renew"
    CLASH = "clash"
    WITHDRAW = "withdraw"
    PROMOTE = "promote"


class AmendmentPart(StrEnum):
    """What somebody is to an amendment."""

    OWNER = "owner"  # of the proposal
    AMENDER = "amender"
    FACILITATOR = "facilitator"  # once the owner was silent for the days of the phase
    SYSTEM = "system"


@dataclass(frozen=True)
class AmendmentMove:
    """Who may do something to an amendment, in which states, and what follows."""

    parts: frozenset[AmendmentPart]
    steps: Mapping[AmendmentState, AmendmentState]


_WAITING = (AmendmentState.PROPOSED, AmendmentState.OUTDATED)
_DECIDERS = frozenset({AmendmentPart.OWNER, AmendmentPart.FACILITATOR})
_AMENDER = frozenset({AmendmentPart.AMENDER})

AMENDMENT_MOVES: Mapping[AmendmentAct, AmendmentMove] = {
    AmendmentAct.ACCEPT: AmendmentMove(_DECIDERS, {AmendmentState.PROPOSED: AmendmentState.ACCEPTED}),
    AmendmentAct.ACCEPT_CHANGED: AmendmentMove(
        _DECIDERS, dict.fromkeys(_WAITING, AmendmentState.ACCEPTED_CHANGED)
    ),
    AmendmentAct.REJECT: AmendmentMove(_DECIDERS, dict.fromkeys(_WAITING, AmendmentState.REJECTED)),
    AmendmentAct.CLASH: AmendmentMove(
        frozenset({AmendmentPart.SYSTEM}), {AmendmentState.PROPOSED: AmendmentState.OUTDATED}
    ),
    AmendmentAct.RENEW: AmendmentMove(_AMENDER, dict.fromkeys(_WAITING, AmendmentState.PROPOSED)),
    AmendmentAct.WITHDRAW: AmendmentMove(_AMENDER, dict.fromkeys(_WAITING, AmendmentState.WITHDRAWN)),
    AmendmentAct.PROMOTE: AmendmentMove(_AMENDER, {AmendmentState.REJECTED: AmendmentState.PROMOTED}),
}


def amendment_answer(state: AmendmentState, act: AmendmentAct, part: AmendmentPart) -> AmendmentState | None:
    """The state that follows; None if this part may not do that in this state."""
    move = AMENDMENT_MOVES[act]
    return move.steps.get(state) if part in move.parts else None


# --- evaluation ------------------------------------------------------------------------------------


class Evaluation(StrEnum):
    """How far the offices are with their answer; nothing of it is shown before PUBLISHED."""

    NONE = "none"
    ASSIGNED = "assigned"
    DRAFTED = "drafted"
    SECOND_READER = "second_reader"
    APPROVED = "approved"
    PUBLISHED = "published"


#: Which step may follow which; back to DRAFTED when the second reader wants a change.
EVALUATION_MOVES: Mapping[Evaluation, frozenset[Evaluation]] = {
    Evaluation.NONE: frozenset({Evaluation.ASSIGNED}),
    Evaluation.ASSIGNED: frozenset({Evaluation.NONE, Evaluation.DRAFTED}),
    Evaluation.DRAFTED: frozenset({Evaluation.ASSIGNED, Evaluation.SECOND_READER}),
    Evaluation.SECOND_READER: frozenset({Evaluation.DRAFTED, Evaluation.APPROVED}),
    Evaluation.APPROVED: frozenset({Evaluation.DRAFTED, Evaluation.PUBLISHED}),
    # A published answer stays; a correction is a further answer that is drafted anew.
    Evaluation.PUBLISHED: frozenset({Evaluation.DRAFTED}),
}


class Outcome(StrEnum):
    """What the official answer comes to."""

    ADOPTED = "adopted"
    ADOPTED_IN_PART = "adopted_in_part"
    ALREADY_COVERED = "already_covered"
    NOT_FEASIBLE_LEGAL = "not_feasible_legal"
    NOT_FEASIBLE_TECHNICAL = "not_feasible_technical"
    OUTSIDE_SCOPE = "outside_scope"
    DEFERRED = "deferred"
    NOTED = "noted"


class RelationKind(StrEnum):
    """How one proposal belongs to another: `from` is a duplicate of `to`, went into `to`, …"""

    DUPLICATE_OF = "duplicate_of"
    MERGED_INTO = "merged_into"
    SPLIT_FROM = "split_from"
    RESPONDS_TO = "responds_to"
    PROMOTED_FROM = "promoted_from"
    IMPLEMENTS = "implements"


# --- what a phase opens ----------------------------------------------------------------------------


class Audience(StrEnum):
    """To whom a phase opens what it opens."""

    EVERYBODY = "everybody"
    SIGNED_IN = "signed_in"
    RESIDENTS = "residents"


class Naming(StrEnum):
    """Which name somebody gives who proposes or comments. Nothing of it publishes a name: others read the one that was
    written for them (`Contribution.pseudonym`), the own one stays with the town hall (`Person.name`)."""

    FREE = "free"  # without a name, under a chosen one, or one's own
    CHOSEN = "chosen"  # some name, be it invented; one's own for the town hall is one, too
    OWN = "own"  # one's own name, for the town hall

    def lacks(self, *, own: str, chosen: str) -> str:
        """Which name is still to be given, by its field: "name", "pseudonym", or nothing. `own`: who it is (or the body that
        they write for), as the town hall reads it; `chosen`: the name that others may see."""
        if self is Naming.OWN:
            return "" if own.strip() else "name"
        return "pseudonym" if self is Naming.CHOSEN and not (own.strip() or chosen.strip()) else ""


class Counts(StrEnum):
    """When the number of supports is shown; never in a list while the phase runs."""

    OPENED = "opened"  # on the proposal's own page
    CLOSED = "closed"  # once the phase is over


@dataclass(frozen=True)
class Limits:
    """Who may support how often, vote, and, where the phase says so, propose and comment. Each limit needs a ground in law, in
    plain words, and somebody who answers for it."""

    per_person: int | None = None
    minimum_age: int | None = None
    residents_only: bool = False
    ground: str = ""
    contact: str = ""

    @property
    def is_any(self) -> bool:
        return bool(self.per_person or self.minimum_age or self.residents_only)

    @property
    def missing(self) -> tuple[str, ...]:
        """What has to be said before a limit may apply: `ground`, `contact`."""
        return self.unsaid if self.is_any else ()

    @property
    def asked(self) -> tuple[str, ...]:
        """What people have to say of themselves: "age", "resident". Nothing without ground and contact."""
        if self.missing:
            return ()
        asked = (("age", self.minimum_age), ("resident", self.residents_only))
        return tuple(name for name, is_asked in asked if is_asked)

    @property
    def unsaid(self) -> tuple[str, ...]:
        """What of ground and contact nobody has said."""
        return tuple(name for name in ("ground", "contact") if not getattr(self, name).strip())


@dataclass(frozen=True)
class Writers:
    """Who may propose, suggest other words and comment in a phase."""

    needs_account: bool = False
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Section:
    """A named section of a proposal as a municipality asks for it; words by language, empty: as built in."""

    key: str
    labels: Mapping[str, str] = field(default_factory=dict)
    hints: Mapping[str, str] = field(default_factory=dict)
    is_required: bool = False
    rows: int = 5

    @property
    def is_own(self) -> bool:
        """Whether a municipality thought of it, and named it."""
        return is_own_section(self.key)

    def label_in(self, language: str) -> str:
        """What it is called in a language, or in the first one that it is named in; empty: as built in."""
        return self.labels.get(language) or next((each for each in self.labels.values() if each), "")

    def hint_in(self, language: str) -> str:
        """What is said beside its field, likewise."""
        return self.hints.get(language) or next((each for each in self.hints.values() if each), "")


#: Sections of its own that a phase can ask for.
OWN_SECTIONS = 12
_OWN_SECTION = re.compile(r"own_[0-9a-f]{6}")


def new_section_key() -> str:
    """A key that no section has had: what somebody has begun to write under a former one never gets another question."""
    return f"own_{secrets.token_hex(3)}"


def is_own_section(key: str) -> bool:
    """Whether this is the key of a section that a municipality thought of."""
    return _OWN_SECTION.fullmatch(key) is not None


#: What a proposal is asked for unless a phase says otherwise. Where it is, is asked with the map.
SECTIONS: tuple[Section, ...] = (
    Section("what", is_required=True, rows=7),
    Section("why"),
    Section("whom", rows=3),
    Section("cost", rows=2),
)

#: Under this key stands the whole text of a proposal that came without sections: a letter, an import.
WHOLE = "what"
TITLE = "title"

#: Days after which the facilitator may decide on an amendment in the owner's place.
OWNER_DAYS = 14


@dataclass(frozen=True)
class Arrangement:
    """What a phase opens for co-creation, to whom and how; kept under "co_creation" among its facts."""

    opens: frozenset[Opening] = frozenset()
    audience: Audience = Audience.EVERYBODY
    naming: Naming = Naming.FREE
    counts: Counts = Counts.OPENED
    sections: tuple[Section, ...] = SECTIONS
    owner_days: int = OWNER_DAYS
    may_promote: bool = True
    limits: Limits = field(default_factory=Limits)
    #: Whether audience and limits (but for the number of supports) hold for proposing and commenting, too.
    for_writing: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """What has to be said before all of this may apply: who asks only those who live here, asks for a limit as well."""
        return self.limits.unsaid if self.audience is Audience.RESIDENTS else self.limits.missing

    def as_facts(self) -> dict[str, Any]:
        """As it is kept among the facts of a phase."""
        kept = asdict(self)
        kept["opens"] = sorted(opening.value for opening in self.opens)
        kept["sections"] = [asdict(section) for section in self.sections]
        return kept


#: What follows from the kinds that a phase takes in, where its facts say nothing.
_USUAL = {
    "proposal": frozenset({Opening.PROPOSE, Opening.REVISE, Opening.AMEND, Opening.SUPPORT}),
    "comment": frozenset({Opening.COMMENT}),
}


def arrangement(opens: Sequence[str], facts: Mapping[str, Any]) -> Arrangement:
    """What a phase opens: `opens` are the kinds that it takes in (`Phase.opens`), `facts` its facts.

    Proposing and commenting follow the kinds; the rest stands in the facts, or is usual where they are silent.
    """
    kept = dict(facts.get("co_creation") or {})
    by_kind: frozenset[Opening] = frozenset().union(*(_USUAL.get(kind, frozenset()) for kind in opens))
    opened = frozenset(Opening(each) for each in kept.pop("opens", ())) if "opens" in kept else by_kind
    kinds = {Opening.PROPOSE: "proposal", Opening.COMMENT: "comment"}
    opened = frozenset(
        each for each in opened | (by_kind & kinds.keys()) if each not in kinds or kinds[each] in opens
    )
    sections = tuple(Section(**each) for each in kept.pop("sections", ())) or SECTIONS
    limits = Limits(**kept.pop("limits", {}))
    return Arrangement(
        opens=opened,
        audience=Audience(kept.get("audience", Audience.EVERYBODY)),
        naming=naming_of(facts),
        counts=Counts(kept.get("counts", Counts.OPENED)),
        sections=sections,
        owner_days=int(kept.get("owner_days", OWNER_DAYS)),
        may_promote=bool(kept.get("may_promote", True)),
        limits=limits,
        for_writing=bool(kept.get("for_writing", False)),
    )


def naming_of(facts: Mapping[str, Any]) -> Naming:
    """Which name a phase with these facts asks for; the same as `arrangement`, without reading all of it."""
    return Naming((facts.get("co_creation") or {}).get("naming", Naming.FREE))


def writers_of(facts: Mapping[str, Any]) -> Writers:
    """Who may propose and comment in a phase with these facts: everybody, unless audience and limits hold for that, too."""
    kept = facts.get("co_creation") or {}
    if not kept.get("for_writing"):
        return Writers()
    limits, audience = Limits(**kept.get("limits", {})), Audience(kept.get("audience", Audience.EVERYBODY))
    is_local = limits.residents_only or audience is Audience.RESIDENTS
    return Writers(audience is Audience.SIGNED_IN, replace(limits, residents_only=is_local))


# --- the handbook ----------------------------------------------------------------------------------


def handbook() -> Iterable[str]:
    """The table of `answer` as lines of Markdown: an act per row, a state per column, in each the parts that may."""
    states = tuple(Authoring)
    yield "| act | " + " | ".join(state.value for state in states) + " | opened by the phase |"
    yield "|---|" + "---|" * (len(states) + 1)
    for act, move in MOVES.items():
        cells = []
        for state in states:
            parts = [part for part in Part if answer(state, act, part)]
            after = move.steps.get(state)
            arrow = f" → {after.value}" if parts and after is not state and after else ""
            cells.append((", ".join(part.value for part in parts) or "–") + arrow)
        yield f"| {act.value} | " + " | ".join(cells) + f" | {move.opening.value if move.opening else ''} |"


def amendment_handbook() -> Iterable[str]:
    """The same for amendments."""
    states = tuple(AmendmentState)
    yield "| act | " + " | ".join(state.value for state in states) + " |"
    yield "|---|" + "---|" * len(states)
    for act in AmendmentAct:
        cells = []
        for state in states:
            parts = [part for part in AmendmentPart if amendment_answer(state, act, part)]
            after = AMENDMENT_MOVES[act].steps.get(state)
            cells.append(
                f"{', '.join(part.value for part in parts)} → {after.value}" if parts and after else "–"
            )
        yield f"| {act.value} | " + " | ".join(cells) + " |"
