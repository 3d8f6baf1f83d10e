"""Searches among proposals that somebody wants to hear of: what they ask, and whether it still means anything.

A search is kept once, however many people follow it, so that it is asked once for all of them. It holds words, names and
named places; where somebody's device says they are is never kept. What it is made of follows `proposal_lists.Wanted`: a
filter that is added there is kept, read and compared here by itself.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import channels, journal, places, procedures
from consultations.cocreation import Authoring
from consultations.places import Place, PlaceKind
from consultations.procedures import Procedure
from consultations.proposal_lists import Wanted
from consultations.proposals import Proposal
from consultations.tables import BigKey, Json, UtcDateTime

#: What a search may ask besides the fields of `Wanted` that are words: a place by its name.
NEAR = "near"


class SavedSearch(SQLModel, table=True):
    """One search, whoever follows it. Goes with the last subscription to it, and an ended one is kept for three years: to
    show what was agreed to."""

    __tablename__ = "saved_search"
    __table_args__ = (UniqueConstraint("procedure_id", "key"),)

    id: int | None = Field(default=None, sa_column=Column(BigKey, primary_key=True))
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    #: What is asked, by the names of `Wanted`: {"words": "Radweg", "district": "Nord", "near": "Mühlweg"}.
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: SHA-256 over `facts` in one spelling.
    key: str
    #: Since when it is known to mean nothing any more; its followers have been told.
    lost_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)


def facts_of(wanted: Wanted, near: str = "") -> dict[str, str]:
    """What a search asks, as it is kept. `near`: the name of the place that it is near to; a position is left out."""
    said = {each.name: getattr(wanted, each.name) for each in fields(Wanted)}
    facts = {name: " ".join(value.split()) for name, value in said.items() if isinstance(value, str)}
    return {name: value for name, value in {**facts, NEAR: near.strip()}.items() if value}


def keep(session: Session, procedure: Procedure, facts: Mapping[str, str], *, now: datetime) -> SavedSearch:
    """The search of a consultation that asks just this; kept now if it was not."""
    key = _key_of(facts)
    journal.hold(
        session, procedure.municipality_id
    )  # two who keep the same search at the same moment keep one
    # Held, so that nobody deletes it before somebody follows it; one that is just being deleted is kept anew.
    row = session.exec(
        select(SavedSearch)
        .where(SavedSearch.procedure_id == procedure.id, SavedSearch.key == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()
    if row is None:
        row = SavedSearch(
            municipality_id=procedure.municipality_id,
            procedure_id=procedure.id or 0,
            facts=dict(facts),
            key=key,
            created_at=now,
        )
        session.add(row)
        session.flush()
    return row


def _key_of(facts: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(facts), sort_keys=True).encode()).hexdigest()


def rename(session: Session, procedure_id: int, part: str, names: Mapping[str, str]) -> None:
    """What the searches of a consultation ask by this part has other names now (new by former); whoever follows them
    goes on hearing of the same. Where a search for the new name stands already, the former one stays and finds nothing."""
    rows = session.exec(select(SavedSearch).where(SavedSearch.procedure_id == procedure_id)).all()
    changed = [row for row in rows if str(row.facts.get(part, "")) in names]
    new = {row.id: {**row.facts, part: names[str(row.facts[part])]} for row in changed}
    stay = {row.key for row in rows if row not in changed}
    while taken := [row for row in changed if _key_of(new[row.id]) in stay]:
        stay |= {row.key for row in taken}
        changed = [row for row in changed if row not in taken]
    for row in changed:
        row.key = f"renamed:{row.id}"  # two may change names with each other
        session.add(row)
    session.flush()
    for row in changed:
        row.facts, row.key = new[row.id], _key_of(new[row.id])
        session.add(row)
    session.flush()


def by_ids(session: Session, ids: Collection[int]) -> dict[int, SavedSearch]:
    """Searches by their keys; one query."""
    if not ids:
        return {}
    rows = session.exec(select(SavedSearch).where(col(SavedSearch.id).in_(list(ids)))).all()
    return {row.id or 0: row for row in rows}


# --- what it means ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Understood:
    """What a search means by now. `missing`: the names of what it asks that there no longer is."""

    wanted: Wanted
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Town:
    """What there is by now of what some searches name."""

    #: Folded names of places, the first of each name first.
    named: Mapping[str, Sequence[Place]]
    #: What is said of proposals that everybody can read: consultation, filter, value. A district may have come with them
    #: from elsewhere; a topic may no longer be offered and still be theirs.
    said: frozenset[tuple[int, str, str]]
    #: The topics that consultations offer.
    offered: frozenset[tuple[int, str]]


def understand(session: Session, municipality_id: int, rows: Sequence[SavedSearch]) -> dict[int, Understood]:
    """Read searches of a town against what there is by now, by their keys; four queries at most, however many they are."""
    names = {str(row.facts[part]) for row in rows for part in ("district", NEAR) if part in row.facts}
    named: dict[str, list[Place]] = {}
    if names:
        for place in places.named(session, municipality_id, sorted({places.fold(name) for name in names})):
            named.setdefault(place.sort, []).append(place)
    said: set[tuple[int, str, str]] = set()
    for part in ("district", "topic"):
        asking = [row for row in rows if part in row.facts]
        if asking:
            column = col(getattr(Proposal, part))
            found = session.exec(
                select(col(Proposal.procedure_id), column)
                .where(
                    col(Proposal.procedure_id).in_({row.procedure_id for row in asking}),
                    col(Proposal.is_listed).is_(True),
                    column.in_({str(row.facts[part]) for row in asking}),
                )
                .distinct()
            ).all()
            said |= {(procedure_id, part, value) for procedure_id, value in found}
    topical = {row.procedure_id for row in rows if "topic" in row.facts}
    offered = {
        (each.id or 0, name)
        for each in procedures.by_ids(session, topical)
        for name in procedures.subject_names(each)
    }
    town = _Town(named, frozenset(said), frozenset(offered))
    return {row.id or 0: _understood(row, town) for row in rows}


def _understood(row: SavedSearch, town: _Town) -> Understood:
    known = {each.name for each in fields(Wanted)} - {NEAR}
    said: dict[str, Any] = {name: str(value) for name, value in row.facts.items() if name != NEAR}
    missing = [
        name
        for name, value in said.items()
        if name not in known or (name in STILL_THERE and not STILL_THERE[name](row, value, town))
    ]
    wanted = replace(Wanted(), **{name: value for name, value in said.items() if name in known})
    if NEAR in row.facts:
        found = town.named.get(places.fold(str(row.facts[NEAR])), ())
        if found:
            wanted = replace(wanted, near=(found[0].lon, found[0].lat))
        else:
            missing.append(NEAR)
    return Understood(wanted, tuple(missing))


def _is_district(row: SavedSearch, value: str, town: _Town) -> bool:
    on_map = town.named.get(places.fold(value), ())
    return (row.procedure_id, "district", value) in town.said or any(
        each.kind == PlaceKind.DISTRICT.value and each.name == value for each in on_map
    )


def _is_topic(row: SavedSearch, value: str, town: _Town) -> bool:
    return (row.procedure_id, value) in town.offered or (row.procedure_id, "topic", value) in town.said


def _is_channel(_row: SavedSearch, value: str, _town: _Town) -> bool:
    return any(channel.key == value for channel in channels.CHANNELS)


#: Of what a search asks, whether there is such a thing (still). Words and languages always mean something.
STILL_THERE: Mapping[str, Callable[[SavedSearch, str, _Town], bool]] = {
    "district": _is_district,
    "topic": _is_topic,
    "authoring": lambda _row, value, _town: value in set(Authoring),
    "channel": _is_channel,
}
