"""Topics: what a consultation offers to choose from, and a topic that staff put right.

There is one topic for a contribution, whoever names it: what was handed in stays with it for ever (`category`), what
lists and maps show is `topic`. Where a planner offers topics, whoever takes part chooses one of them; where none are
offered, it is a line of one's own.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import case, select, update
from sqlmodel import Session, col

from consultations import drafts, journal, procedures, published, saved_searches, search
from consultations.contributions import Contribution
from consultations.permissions import Actor, Permission, may
from consultations.procedures import Procedure, subject_names
from consultations.proposals import Proposal
from consultations.refusals import Code, Refusal
from consultations.search import Among, Scope

#: Characters of a name.
NAME_LIMIT = 80
#: How many contributions are read at once when a topic is renamed.
TOGETHER = 500


@dataclass(frozen=True)
class TopicInput:
    """A topic as entered: its name in the first language of the municipality, in others, and what it was called before."""

    name: str
    translations: Mapping[str, str] = field(default_factory=dict)
    former: str = ""


def offer(
    session: Session,
    procedure: Procedure,
    entered: Sequence[TopicInput],
    *,
    by: Actor,
    now: datetime,
    note: str = "",
    expected_version: int | None = None,
) -> None:
    """Set the topics to choose from, in this order. One that gets another name takes with it what stands under it; what
    stands under one that is left out stays there, in lists too.

    Raises Refusal TOPIC_NAMELESS, NAME_TAKEN (twice the same; both "topics-N-name"), and those of `procedures.change`.
    """
    known: set[str] = set()
    for at, each in enumerate(entered):
        if not each.name.strip():
            raise Refusal(Code.TOPIC_NAMELESS, f"topics-{at}-name")
        if each.name.casefold() in known:
            raise Refusal(Code.NAME_TAKEN, f"topics-{at}-name", name=each.name)
        known.add(each.name.casefold())
    before = subject_names(procedure)
    subjects = tuple(
        {"name": each.name, "translations": {key: name for key, name in each.translations.items() if name}}
        for each in entered
    )
    changed = replace(procedures.as_it_stands(procedure), subjects=subjects)
    procedures.change(
        session, procedure, changed, by=by, now=now, note=note, expected_version=expected_version
    )
    renamed = {
        each.former: each.name for each in entered if each.former in before and each.former != each.name
    }
    if not renamed:
        return
    for table in (Contribution, Proposal):
        # All at once: two may have changed names with each other.
        values: dict[str, Any] = {"topic": case(renamed, value=col(table.topic), else_=col(table.topic))}
        if table is Contribution:
            values["topic_is_set"] = True
        session.execute(
            update(table)
            .where(col(table.procedure_id) == procedure.id, col(table.topic).in_(renamed))
            .values(**values)
            .execution_options(synchronize_session="fetch")
        )
    _make_findable(session, procedure, set(renamed.values()))
    drafts.rename_topics(session, procedure.id or 0, renamed)
    saved_searches.rename(session, procedure.id or 0, "topic", renamed)
    procedures.note_in_journal(session, procedure, "topics_renamed", by=by, now=now, facts={"names": renamed})


def _make_findable(session: Session, procedure: Procedure, names: Set[str]) -> None:
    """Let what everybody reads under these topics be found by them; under a former name it is found no more."""
    assert procedure.id is not None
    under = select(col(Contribution.id)).where(
        col(Contribution.procedure_id) == procedure.id, col(Contribution.topic).in_(names)
    )
    after = 0
    while keys := session.scalars(
        under.where(col(Contribution.id) > after).order_by(col(Contribution.id)).limit(TOGETHER)
    ).all():
        after = keys[-1] or 0
        entries = published.by_ids(session, procedure.id, [key for key in keys if key])
        search.remove_all(session, [entry.id for entry in entries], Scope.PUBLIC)
        for entry in entries:
            among = Among(procedure.id, entry.kind)
            search.index(session, entry.id, Scope.PUBLIC, entry.title, entry.text, entry.topic, among=among)


def put_right(session: Session, contribution: Contribution, topic: str, *, by: Actor, now: datetime) -> None:
    """Put a contribution under another topic of its consultation, or under none (""); what was handed in stays as it is.

    Raises Refusal NOT_ALLOWED, TOPIC_UNKNOWN ("topic").
    """
    if not may(
        by,
        Permission.MODERATE,
        municipality_id=contribution.municipality_id,
        procedure_id=contribution.procedure_id,
    ):
        raise Refusal(Code.NOT_ALLOWED)
    procedure = session.get_one(Procedure, contribution.procedure_id)
    session.refresh(contribution, with_for_update=True)
    if topic == contribution.topic:
        return
    if topic and topic not in subject_names(procedure):
        raise Refusal(Code.TOPIC_UNKNOWN, "topic")
    assert contribution.id is not None
    before = contribution.topic
    contribution.topic, contribution.topic_is_set = topic, True
    session.add(contribution)
    proposal = session.get(Proposal, contribution.id)
    if proposal is not None:
        proposal.topic = topic
        session.add(proposal)
    session.flush()
    for entry in published.by_ids(session, contribution.procedure_id, [contribution.id]):
        search.remove(session, entry.id, Scope.PUBLIC)
        among = Among(contribution.procedure_id, contribution.kind)
        search.index(session, entry.id, Scope.PUBLIC, entry.title, entry.text, topic, among=among)
    journal.append(
        session,
        municipality_id=contribution.municipality_id,
        verb="topic_put_right",
        by=by,
        at=now,
        procedure_id=contribution.procedure_id,
        subject=f"contribution:{contribution.id}",
        facts={"reference": contribution.reference, "before": before, "after": topic},
    )
