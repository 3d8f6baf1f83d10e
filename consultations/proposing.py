"""What people do with proposals: revise, translate, write along, hand over, lock, withdraw; and who may, when.

Every verb asks `cocreation.answer` once, locks the proposal, writes a version where words change, and leaves its entry
in the journal in the same transaction. What the public reads follows by moderation (`moderation.decide_on_version`).
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import String, case, cast, func
from sqlmodel import Session, col, select

from consultations import (
    ballots,
    channels,
    contributions,
    following,
    moderation,
    notices,
    procedures,
    proposals,
    wording,
)
from consultations.cocreation import MOVES as ACTS
from consultations.cocreation import (
    OWN_SECTIONS,
    SECTIONS,
    TITLE,
    Act,
    Arrangement,
    Authoring,
    Opening,
    Part,
    answer,
    arrangement,
)
from consultations.contributions import Contribution, PublicationState
from consultations.deadlines import PhaseState
from consultations.moderation import Action, Decision, LaterVersion, ModerationDecision, Redaction
from consultations.notices import Notice, NoticeWay
from consultations.permissions import SYSTEM, Actor, Permission, may
from consultations.phases import Phase, Track, phases_of
from consultations.procedures import Procedure, ProcedureState
from consultations.proposals import (
    AuthorRole,
    AuthorState,
    NewVersion,
    Proposal,
    ProposalAuthor,
    ProposalVersion,
    VersionReason,
    WordsState,
)
from consultations.refusals import Code, Refusal
from consultations.text import normalise
from consultations.wording import Patch

NAME_LIMIT = 200
#: Invitations to write along that a proposal may send by mail in 24 hours.
INVITATIONS_A_DAY = 5
_BY_MAIL = "author_invitation"
NOTE_LIMIT = 2_000


class Why(StrEnum):
    """Why somebody no longer stands by a proposal."""

    DUPLICATE = "duplicate"
    DONE = "done"
    STARTED = "started"
    CHANGED_MIND = "changed_mind"
    OTHER = "other"


# --- who, when -------------------------------------------------------------------------------------


def arrangement_of(phase: Phase | None) -> Arrangement:
    """What a phase opens for co-creation; nothing without a phase."""
    return arrangement(phase.opens, phase.facts) if phase else Arrangement()


def arrange(
    session: Session,
    procedure: Procedure,
    phase: Phase,
    arranged: Arrangement,
    *,
    by: Actor,
    now: datetime,
    note: str = "",
    expected_version: int | None = None,
) -> None:
    """Say what a phase opens, to whom and how; once published, the change is a new public version and `note` says why.

    Raises Refusal NOT_ALLOWED, CHANGED_MEANWHILE, REASON_REQUIRED ("note"; "ground" or "contact" where a limit, or that only
    those who live here are asked, lacks it),
    VOTE_PUT_UP ("opens": the phase holds a vote, and goes on to); of its own sections SECTION_NAMELESS, NAME_TAKEN
    ("own-N-label"), SECTIONS_TOO_MANY, and SECTIONS_WRITTEN where a proposal was written in them.
    """
    procedures.require_planner(by, procedure)
    if expected_version is not None and expected_version != procedure.version:
        raise Refusal(Code.CHANGED_MEANWHILE)
    if arranged.missing:
        raise Refusal(Code.REASON_REQUIRED, arranged.missing[0])
    if procedure.state != ProcedureState.DRAFT.value and not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    if Opening.VOTE in arrangement_of(phase).opens - arranged.opens and ballots.is_put_up(
        session, phase.id or 0
    ):
        raise Refusal(Code.VOTE_PUT_UP, "opens")
    _check_sections(session, phase, arranged)
    phase.facts = {**phase.facts, "co_creation": arranged.as_facts()}
    session.add(phase)
    procedures.record_change(session, procedure, by=by, now=now, note=note)


def _check_sections(session: Session, phase: Phase, arranged: Arrangement) -> None:
    """Hold a phase to the rules of its own sections; see `arrange`."""
    own = [each for each in arranged.sections if each.is_own]
    if len(own) > OWN_SECTIONS:
        raise Refusal(Code.SECTIONS_TOO_MANY, limit=OWN_SECTIONS)
    known: set[str] = set()
    for at, each in enumerate(own):
        name = next(iter(each.labels.values()), "").strip()
        if not name:
            raise Refusal(Code.SECTION_NAMELESS, f"own-{at}-label")
        if name.casefold() in known:
            raise Refusal(Code.NAME_TAKEN, f"own-{at}-label", name=name)
        known.add(name.casefold())
    before = [each.key for each in arrangement_of(phase).sections if each.is_own]
    if before != [each.key for each in own] and is_written_in(session, phase):
        raise Refusal(Code.SECTIONS_WRITTEN)


def is_written_in(session: Session, phase: Phase) -> bool:
    """Whether somebody has handed in a proposal in sections that this phase thought of. One query."""
    if not any(each.is_own for each in arrangement_of(phase).sections):
        return False
    written = (
        select(ProposalVersion.id)
        .join(Proposal, col(Proposal.contribution_id) == ProposalVersion.proposal_id)
        .where(
            Proposal.phase_id == phase.id,
            ProposalVersion.number == 1,
            cast(col(ProposalVersion.headings), String).contains('"own_', autoescape=True),
        )
    )
    return session.exec(written.limit(1)).first() is not None


def is_arranged(phases: Sequence[Phase]) -> bool:
    """Whether the planners said of any of these phases what it opens: only there can a survey or a vote be, whether it is still
    to come, runs, or was ended."""
    return any("co_creation" in phase.facts for phase in phases)


def phase_that_opens(phases: Sequence[Phase], opening: Opening, now: datetime) -> Phase | None:
    """The running phase that opens this to the public, or None."""
    return next(
        (
            phase
            for phase in phases
            if phase.track != Track.AGENCIES.value
            and phase.state(now) is PhaseState.OPEN
            and opening in arrangement_of(phase).opens
        ),
        None,
    )


def part_of(proposal: Proposal, *, by: Actor, author: ProposalAuthor | None = None) -> Part:
    """What somebody is to a proposal: `author` is the row that their link, code or account leads to, if any."""
    if by.label == SYSTEM.label and by.person_id is None and author is None:
        return Part.SYSTEM
    if author is not None and author.proposal_id == proposal.contribution_id:
        if author.state == AuthorState.ACTIVE.value:
            return Part.OWNER if author.role == AuthorRole.OWNER.value else Part.COAUTHOR
        return Part.ANYBODY
    return Part.FACILITATOR if facilitates(by, proposal) else Part.ANYBODY


def facilitates(by: Actor, proposal: Proposal) -> bool:
    """Whether somebody plans or moderates the consultation of a proposal."""
    town, procedure = proposal.municipality_id, proposal.procedure_id
    return any(
        may(by, permission, municipality_id=town, procedure_id=procedure)
        for permission in (Permission.PLAN, Permission.MODERATE)
    )


def require(
    session: Session,
    proposal: Proposal,
    act: Act,
    *,
    by: Actor,
    author: ProposalAuthor | None = None,
    channel: str = "web",
    now: datetime,
) -> tuple[Authoring, Phase | None]:
    """The state that follows an act, and the phase that opens it.

    Whoever hands in for somebody else (a channel of the counter) needs to be allowed to; then what lies there is taken
    in whether or not the phase still runs. Raises Refusal NOT_ALLOWED, PROPOSAL_CLOSED (state), NOT_OPENED (opening),
    NOT_FOUND where the public cannot read it.
    """
    from_counter = channels.by_key(channel).entry is channels.Entry.CLERK
    if from_counter and not may(
        by,
        Permission.RECORD_INTAKE,
        municipality_id=proposal.municipality_id,
        procedure_id=proposal.procedure_id,
    ):
        raise Refusal(Code.NOT_ALLOWED)
    # At the counter somebody else speaks: the author whose row is given, or anybody.
    part = part_of(proposal, by=SYSTEM if from_counter and author else by, author=author)
    if from_counter and author is None:
        part = Part.ANYBODY
    said = answer(Authoring(proposal.authoring), act, part)
    if said.state is None:
        if said.why_not == "not_your_part":
            raise Refusal(Code.NOT_ALLOWED)
        raise Refusal(Code.PROPOSAL_CLOSED, state=proposal.authoring)
    move = ACTS[act]
    if move.is_public and not proposal.is_listed:
        raise Refusal(Code.NOT_FOUND)
    if move.opening is None:
        return said.state, None
    phases = phases_of(session, proposal.procedure_id)
    phase = phase_that_opens(phases, move.opening, now)
    if phase is None and part is not Part.FACILITATOR and not from_counter:
        raise Refusal(Code.NOT_OPENED, opening=move.opening.value)
    return said.state, phase


# --- words -----------------------------------------------------------------------------------------


def revise(
    session: Session,
    proposal_id: int,
    words: Mapping[str, str],
    *,
    base_number: int,
    language: str,
    note: str = "",
    channel: str = "web",
    by: Actor,
    author: ProposalAuthor | None = None,
    now: datetime,
) -> ProposalVersion:
    """Change sections (words by section) that were read in version `base_number`: a new version, never an overwritten one.

    What somebody else changed meanwhile at other places stays; at the same place nothing is written. Words in other
    languages become stale. Raises what `require` raises, and SECTION_UNKNOWN, TEXT_MOVED_ON (field: the section),
    NOTHING_CHANGED, REASON_REQUIRED ("note": others support it already), TEXT_TOO_LONG.
    """
    proposal = proposals.lock(session, proposal_id)
    require(session, proposal, Act.REVISE, by=by, author=author, channel=channel, now=now)
    if proposal.supports and not note.strip():
        raise Refusal(Code.REASON_REQUIRED, "note")
    return _change(
        session, proposal, words, VersionReason.EDIT, base_number=base_number, language=language, note=note,
        channel=channel, by=by, author=author, now=now,
    )  # fmt: skip


def translate(
    session: Session,
    proposal_id: int,
    words: Mapping[str, str],
    *,
    base_number: int,
    language: str,
    origin: str = "human",
    by: Actor,
    author: ProposalAuthor | None = None,
    now: datetime,
) -> ProposalVersion:
    """Say sections in another language; they are fresh then, and no other language becomes stale. Raises like `revise`."""
    proposal = proposals.lock(session, proposal_id)
    require(session, proposal, Act.TRANSLATE, by=by, author=author, now=now)
    return _change(
        session, proposal, words, VersionReason.TRANSLATION, base_number=base_number, language=language, note="",
        channel="web", by=by, author=author, now=now, origin=origin,
    )  # fmt: skip


def _change(
    session: Session,
    proposal: Proposal,
    words: Mapping[str, str],
    reason: VersionReason,
    *,
    base_number: int,
    language: str,
    note: str,
    channel: str,
    by: Actor,
    author: ProposalAuthor | None,
    now: datetime,
    origin: str = "",
) -> ProposalVersion:
    base = proposals.version(session, proposal.contribution_id, base_number)
    if base is None:
        raise Refusal(Code.NOT_FOUND)
    current = proposals.newest(session, proposal.contribution_id)
    patches = patches_of(words, base, language)
    applied = wording.apply(
        patches,
        base=base.texts,
        current=current.texts,
        stale=current.stale,
        is_translation=reason is VersionReason.TRANSLATION,
    )
    if applied.clashes:
        section = next(iter(applied.clashes)).partition("/")[2]
        raise Refusal(Code.TEXT_MOVED_ON, section, number=current.number)
    touched = wording.changed(current.texts, applied.texts)
    if not touched and applied.stale == tuple(current.stale):
        raise Refusal(Code.NOTHING_CHANGED)
    origins = {**current.origins, **{place: origin for place in touched if origin}}
    version = proposals.add_version(
        session,
        proposal,
        NewVersion(
            reason=reason,
            texts=applied.texts,
            base_number=base_number,
            channel=channel,
            language=language,
            note=normalise(note, field="note", limit=NOTE_LIMIT).strip(),
            author_id=author.id if author else None,
            stale=applied.stale,
            origins=origins,
        ),
        by=by.label,
        now=now,
    )
    note_version(session, proposal, version, touched, by=by, now=now)
    return version


def patches_of(words: Mapping[str, str], base: ProposalVersion, language: str) -> list[Patch]:
    """What was typed as patches against a version. Raises Refusal SECTION_UNKNOWN, SECTION_REQUIRED, TEXT_TOO_LONG."""
    known = {key for sections in base.texts.values() for key in sections} | {key for key, _ in base.headings}
    if not base.headings:
        # It came without sections (a letter, an import, the map): it may get those that are usual.
        known |= {each.key for each in SECTIONS}
    patches = []
    for key, typed in words.items():
        if key not in known:
            raise Refusal(Code.SECTION_UNKNOWN, key)
        before = base.texts.get(language, {}).get(key, "")
        if key == TITLE:
            typed = normalise(typed, field=key, limit=contributions.TITLE_LIMIT).strip()
            if before and not typed:
                raise Refusal(Code.SECTION_REQUIRED, key)
        else:
            typed = normalise(typed, field=key).strip()
        if typed != before.strip():
            patches.append(Patch(language, key, typed, wording.fingerprint(before)))
    return patches


def note_version(
    session: Session,
    proposal: Proposal,
    version: ProposalVersion,
    touched: Sequence[str],
    *,
    by: Actor,
    now: datetime,
) -> None:
    """Write into the journal that there is a new version, with its receipt."""
    proposals.note(
        session, proposal, "proposal_revised", by=by, now=now, number=version.number, reason=version.reason,
        channel=version.channel, sections=list(touched), receipt=version.receipt,
    )  # fmt: skip


def composed(version: ProposalVersion) -> tuple[str, str]:
    """Title and text of a version in its own language, as lists, search and open data show it."""
    language = version.language if version.language in version.texts else next(iter(version.texts), "de")
    words = version.texts.get(language, {})
    return str(words.get(TITLE, "")), wording.compose(
        wording.passages_of(version.texts, language, version.headings)
    )


# --- what the public reads -------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """What everybody may read: the number of the version that stands (None: something is blacked out in it), and all
    numbers whose words may be read and compared, oldest first."""

    number: int | None
    readable: tuple[int, ...]


def shown(session: Session, contribution: Contribution) -> Shown:
    """What the public reads of a proposal; nothing while it is not published."""
    if contribution.publication != PublicationState.PUBLISHED.value or contribution.id is None:
        return Shown(None, ())
    readable = tuple(moderation.readable_versions(moderation.history(session, contribution.id)))
    if contribution.redaction_id is None:
        return Shown(1, readable)
    redaction = session.get_one(Redaction, contribution.redaction_id)
    return Shown(redaction.shows_version, readable)


def public_words(session: Session, contribution: Contribution) -> tuple[str, str]:
    """Title and text that the public reads where it reads no version in full (`Shown.number` is None): what was left when
    words were blacked out; nothing of what is not published."""
    if contribution.publication != PublicationState.PUBLISHED.value or contribution.redaction_id is None:
        return "", ""
    redaction = session.get_one(Redaction, contribution.redaction_id)
    return redaction.title, redaction.text


def show(
    session: Session,
    contribution: Contribution,
    version: ProposalVersion,
    *,
    by: Actor,
    now: datetime,
    expected_decisions: int | None = None,
    explanation: str = "",
) -> ModerationDecision:
    """Let the public read a later version. Raises what `moderation.decide_on_version` raises."""
    title, text = composed(version)
    return moderation.decide_on_version(
        session,
        contribution,
        LaterVersion(version.number, title, text),
        Decision(Action.PUBLISH, explanation=explanation),
        by=by,
        now=now,
        expected_decisions=expected_decisions,
    )


def return_version(
    session: Session,
    contribution: Contribution,
    version: ProposalVersion,
    decision: Decision,
    *,
    by: Actor,
    now: datetime,
    expected_decisions: int | None = None,
) -> ModerationDecision:
    """Give a later version back to its authors, with a reason; what the public reads stays as it is."""
    title, text = composed(version)
    return moderation.decide_on_version(
        session,
        contribution,
        LaterVersion(version.number, title, text),
        decision,
        by=by,
        now=now,
        expected_decisions=expected_decisions,
    )


def returned(session: Session, contribution: Contribution, number: int) -> ModerationDecision | None:
    """The decision by which this version was given back to its authors, if it stands."""
    assert contribution.id is not None
    last = moderation.last_to_undo(moderation.history(session, contribution.id))
    if last is None or last.version != number or last.action != Action.RETURN.value:
        return None
    return last


def waiting_versions(
    session: Session,
    municipality_id: int,
    *,
    procedure_ids: Sequence[int] | None = None,
    after_id: int = 0,
    limit: int = 25,
) -> list[tuple[Contribution, ProposalVersion]]:
    """The newest versions that nobody has decided on yet, oldest first, `limit` after the version `after_id`."""
    decided = (
        select(func.sum(case((col(ModerationDecision.action) == Action.UNDO.value, -1), else_=1)))
        .where(
            ModerationDecision.contribution_id == Proposal.contribution_id,
            ModerationDecision.version == Proposal.newest_number,
        )
        .correlate(Proposal)
        .scalar_subquery()
    )
    question = (
        select(Contribution, ProposalVersion)
        .join(Proposal, col(Proposal.contribution_id) == Contribution.id)
        .join(
            ProposalVersion,
            (col(ProposalVersion.proposal_id) == Proposal.contribution_id)
            & (col(ProposalVersion.number) == Proposal.newest_number),
        )
        .where(
            Proposal.municipality_id == municipality_id,
            Proposal.newest_number > 1,
            col(Contribution.publication).in_(
                (PublicationState.PUBLISHED.value, PublicationState.WITHHELD.value)
            ),
            col(ProposalVersion.id) > after_id,
            func.coalesce(decided, 0) <= 0,
        )
        .order_by(col(ProposalVersion.id))
        .limit(limit)
    )
    if procedure_ids is not None:
        question = question.where(col(Proposal.procedure_id).in_(procedure_ids))
    return [(contribution, version) for contribution, version in session.exec(question).all()]


# --- authors ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """Somebody was asked to write along: the row, and what leads them in; neither secret is stored."""

    author: ProposalAuthor
    secret: str
    code: str


def invite(
    session: Session,
    proposal_id: int,
    *,
    name: str = "",
    way: str = "link",
    email: str = "",
    by: Actor,
    author: ProposalAuthor | None = None,
    channel: str = "web",
    now: datetime,
) -> Asked:
    """Ask somebody to write along: by a link to hand on, by mail (with an `email`), or by a code on paper (`way`).

    Nobody is written to twice for the same proposal, and few a day: otherwise anybody could let the town write to
    anybody. Raises what `require` raises, and EMAIL_INVALID, INVITED_BEFORE, INVITATIONS_TOO_MANY ("email").
    """
    address = following.clean_address(email) if email.strip() else ""
    proposal = proposals.lock(session, proposal_id)
    require(session, proposal, Act.INVITE, by=by, author=author, channel=channel, now=now)
    if address:
        _may_be_written_to(session, proposal_id, address, now)
    secret, code = secrets.token_urlsafe(24), contributions.new_access_code()
    asked = ProposalAuthor(
        proposal_id=proposal_id,
        role=AuthorRole.COAUTHOR.value,
        state=AuthorState.INVITED.value,
        name=normalise(name, field="name", limit=NAME_LIMIT).strip(),
        invited_at=now,
        invited_by=author.name if author else by.label,
        way="mail" if address else way,
        key_sha256=hashed(secret),
        code_sha256=hashed(code),
    )
    session.add(asked)
    session.flush()
    proposals.note(session, proposal, "coauthor_invited", by=by, now=now, author=asked.id, way=asked.way)
    if address:
        # The address is kept with the mail alone: whoever is asked has agreed to nothing yet.
        notices.leave(
            session,
            municipality_id=proposal.municipality_id,
            contribution_id=proposal_id,
            kind=_BY_MAIL,
            way=NoticeWay.MAIL,
            address=address,
            to_name=asked.name,
            language=asked.language,
            facts={"author": asked.id},
            now=now,
        )
    return Asked(asked, secret, code)


def _may_be_written_to(session: Session, proposal_id: int, address: str, now: datetime) -> None:
    mails = (Notice.contribution_id == proposal_id, Notice.kind == _BY_MAIL)
    if session.exec(select(Notice.id).where(*mails, Notice.address == address).limit(1)).first() is not None:
        raise Refusal(Code.INVITED_BEFORE, "email")
    recent = select(func.count()).where(*mails, col(Notice.created_at) > now - timedelta(days=1))
    if session.exec(recent).one() >= INVITATIONS_A_DAY:
        raise Refusal(Code.INVITATIONS_TOO_MANY, "email", limit=INVITATIONS_A_DAY)


def hashed(secret: str) -> str:
    """How a secret or a code is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def author_by_secret(session: Session, municipality_id: int, secret: str) -> ProposalAuthor | None:
    """Whose personal link this is, in this municipality, or None."""
    return _author_by(session, municipality_id, key_sha256=hashed(secret)) if secret else None


def mailed_secret(key: bytes, author: ProposalAuthor) -> str:
    """The secret in the link of a mailed invitation: made anew when the mail leaves, from the installation's `key`."""
    made = hmac.digest(key, b"writing along\0" + author.key_sha256.encode(), "sha256")
    return f"{author.id}.{base64.urlsafe_b64encode(made[:18]).decode()}"


def author_by_mail(
    session: Session, municipality_id: int, secret: str, *, key: bytes
) -> ProposalAuthor | None:
    """Whose mailed link this is, in this municipality, or None."""
    number, _, rest = secret.partition(".")
    if not (rest and number.isascii() and number.isdigit() and len(number) < 10):
        return None
    author = session.get(ProposalAuthor, int(number))
    proposal = proposals.by_contribution(session, author.proposal_id) if author else None
    if author is None or proposal is None or proposal.municipality_id != municipality_id:
        return None
    return author if hmac.compare_digest(mailed_secret(key, author).encode(), secret.encode()) else None


def author_by_code(session: Session, municipality_id: int, typed: str) -> ProposalAuthor | None:
    """Whose printed code this is, however it was typed, or None."""
    code = contributions.read_access_code(typed)
    return _author_by(session, municipality_id, code_sha256=hashed(code)) if code else None


def _author_by(session: Session, municipality_id: int, **named: str) -> ProposalAuthor | None:
    ((name, value),) = named.items()
    return session.exec(
        select(ProposalAuthor)
        .join(Proposal, col(Proposal.contribution_id) == ProposalAuthor.proposal_id)
        .where(getattr(ProposalAuthor, name) == value, Proposal.municipality_id == municipality_id)
    ).first()


def owner_with_code(session: Session, contribution: Contribution) -> ProposalAuthor | None:
    """The owner of a proposal whose access code somebody has typed in: that of the receipt is the first owner's.

    None once somebody else owns it: the code still shows the receipt, but no longer changes the text.
    """
    assert contribution.id is not None
    authors = proposals.authors_of(session, contribution.id)
    first = authors[0] if authors else None
    return first if first is not None and first.state == AuthorState.ACTIVE.value else None


def author_of_person(session: Session, proposal_id: int, by: Actor) -> ProposalAuthor | None:
    """The author that a signed-in person is, if they are one."""
    if by.person_id is None:
        return None
    return next(
        (each for each in proposals.authors_of(session, proposal_id) if each.person_id == by.person_id), None
    )


def reply(
    session: Session, asked: ProposalAuthor, *, accepts: bool, name: str = "", by: Actor, now: datetime
) -> ProposalAuthor:
    """Accept or decline to write along. Answered twice the same way it is one answer.

    Raises Refusal WRONG_STATE once it was answered otherwise, PROPOSAL_CLOSED.
    """
    proposal = proposals.lock(session, asked.proposal_id)
    session.refresh(asked)
    wanted = AuthorState.ACTIVE if accepts else AuthorState.DECLINED
    if asked.state == wanted.value:
        return asked
    if asked.state != AuthorState.INVITED.value:
        raise Refusal(Code.WRONG_STATE, state=asked.state)
    if accepts and proposal.authoring not in (Authoring.OPEN.value, Authoring.LOCKED.value):
        raise Refusal(Code.PROPOSAL_CLOSED, state=proposal.authoring)
    asked.state = wanted.value
    asked.name = normalise(name, field="name", limit=NAME_LIMIT).strip() or asked.name
    # A moderator reads a name before everybody does, whoever typed it.
    asked.name_state = (WordsState.WAITING if asked.name else WordsState.SHOWN).value
    asked.person_id = by.person_id
    asked.since = now if accepts else None
    session.add(asked)
    verb = "coauthor_joined" if accepts else "coauthor_declined"
    proposals.note(session, proposal, verb, by=by, now=now, author=asked.id)
    return asked


def leave(
    session: Session, author: ProposalAuthor, *, keeps_credit: bool = True, by: Actor, now: datetime
) -> ProposalAuthor:
    """Write along no longer; the name stays at the versions of that time unless it is to go.

    Raises Refusal LAST_OWNER: who owns it hands it over first, or withdraws it.
    """
    proposal = proposals.lock(session, author.proposal_id)
    session.refresh(author)
    if part_of(proposal, by=by, author=author) is Part.OWNER:
        raise Refusal(Code.LAST_OWNER)
    require(session, proposal, Act.LEAVE, by=by, author=author, now=now)
    author.state, author.until, author.keeps_credit = AuthorState.LEFT.value, now, keeps_credit
    session.add(author)
    proposals.note(
        session, proposal, "coauthor_left", by=by, now=now, author=author.id, keeps_credit=keeps_credit
    )
    return author


def hand_over(
    session: Session, owner: ProposalAuthor, to: ProposalAuthor, *, by: Actor, now: datetime
) -> ProposalAuthor:
    """Make a co-author the owner; who owned it writes along from now on.

    Raises what `require` raises, and WRONG_STATE if the other does not write along.
    """
    proposal = proposals.lock(session, owner.proposal_id)
    session.refresh(owner)
    session.refresh(to)
    require(session, proposal, Act.HAND_OVER, by=by, author=owner, now=now)
    if to.proposal_id != owner.proposal_id or to.state != AuthorState.ACTIVE.value:
        raise Refusal(Code.WRONG_STATE, state=to.state)
    owner.role, to.role = AuthorRole.COAUTHOR.value, AuthorRole.OWNER.value
    session.add(owner)
    session.add(to)
    moved: dict[str, Any] = {"from": owner.id, "to": to.id}
    proposals.note(session, proposal, "proposal_handed_over", by=by, now=now, **moved)
    return to


def public_names(session: Session, authors: Sequence[ProposalAuthor]) -> tuple[str, ...]:
    """The names of those whose work it is, as far as everybody may read them. One query.

    A name that was typed with a contribution (an amendment that was taken in) goes when that is blacked out, kept from the
    public or taken back from it, and returns with it.
    """
    named = [
        author
        for author in proposals.credited(authors)
        if author.name and author.name_state == WordsState.SHOWN.value
    ]
    typed_with = {author.contribution_id for author in named if author.contribution_id is not None}
    rows = session.exec(
        select(Contribution, Redaction)
        .outerjoin(Redaction, col(Redaction.id) == Contribution.redaction_id)
        .where(col(Contribution.id).in_(typed_with))
    ).all()
    readable = {
        row.id
        for row, redaction in rows
        if row.publication == PublicationState.PUBLISHED.value
        and (redaction is None or not redaction.blacks_out)
    }
    return tuple(
        author.name
        for author in named
        if author.contribution_id is None or author.contribution_id in readable
    )


# --- states ----------------------------------------------------------------------------------------


def withdraw(
    session: Session,
    proposal_id: int,
    why: Why,
    *,
    note: str = "",
    channel: str = "web",
    by: Actor,
    author: ProposalAuthor | None,
    now: datetime,
) -> Proposal:
    """Its owner no longer stands by it: it stays readable for those who supported it, and takes nothing more in.

    Raises what `require` raises.
    """
    return _move(
        session, proposal_id, Act.WITHDRAW, by=by, author=author, channel=channel, now=now,
        facts={"why": why.value, "note": normalise(note, field="note", limit=NOTE_LIMIT).strip()},
    )  # fmt: skip


def lock(session: Session, proposal_id: int, *, by: Actor, now: datetime) -> Proposal:
    """Let the text stand still, for evaluation or a vote. Raises what `require` raises."""
    return _move(session, proposal_id, Act.LOCK, by=by, author=None, now=now, facts={})


def unlock(session: Session, proposal_id: int, *, by: Actor, now: datetime) -> Proposal:
    """Let its authors go on. Raises what `require` raises, and VOTE_HOLDS while it stands in a vote."""
    if ballots.holding(session, proposal_id) is not None:
        raise Refusal(Code.VOTE_HOLDS)
    return _move(session, proposal_id, Act.UNLOCK, by=by, author=None, now=now, facts={})


def _move(
    session: Session,
    proposal_id: int,
    act: Act,
    *,
    by: Actor,
    author: ProposalAuthor | None,
    channel: str = "web",
    now: datetime,
    facts: dict[str, Any],
) -> Proposal:
    proposal = proposals.lock(session, proposal_id)
    after, _phase = require(session, proposal, act, by=by, author=author, channel=channel, now=now)
    proposal.authoring = after.value
    session.add(proposal)
    proposals.note(session, proposal, _VERBS[act], by=by, now=now, **facts, state=after.value)
    session.flush()
    return proposal


_VERBS = {
    Act.WITHDRAW: "proposal_withdrawn",
    Act.LOCK: "proposal_locked",
    Act.UNLOCK: "proposal_unlocked",
    Act.ARCHIVE: "proposal_archived",
}
