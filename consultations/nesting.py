"""Consultations nest: an area has projects, a project has parts. What is above one, what belongs to it, what it may join.

What decides whether it may stands in `procedures` (`nesting_problem`), where a consultation is changed; here are the
questions that pages ask. What is not public is neither above nor below for the public: a part whose area is a draft,
or gone, stands by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, or_, union
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, col, select

from consultations.permissions import Actor, Permission, may
from consultations.procedures import (
    MOST_LEVELS,
    PUBLIC_STATES,
    Procedure,
    ProcedureState,
    for_staff,
    nesting_problem,
    parents_of,
)

_procedures = SQLModel.metadata.tables["procedure"]


@dataclass(frozen=True)
class Part:
    """A consultation that belongs to another one: how far below it (1: directly)."""

    procedure: Procedure
    level: int


def above(session: Session, procedure: Procedure) -> list[Procedure]:
    """The public consultations that this one is a part of, the largest first; at most two queries, none for most."""
    found: list[Procedure] = []
    part = procedure
    while part.part_of_id is not None and len(found) < MOST_LEVELS:
        parent = session.get(Procedure, part.part_of_id)
        if parent is None or parent.state not in PUBLIC_STATES:
            break
        found.insert(0, parent)
        part = parent
    return found


def parts(session: Session, procedure_id: int) -> list[Part]:
    """The public consultations that belong to this one, each followed by its own parts, by title; one query.

    A part of a part that is not public is not among them: nobody could see how it belongs here.
    """
    rows = session.exec(
        select(Procedure)
        .where(
            or_(
                col(Procedure.part_of_id) == procedure_id,
                col(Procedure.part_of_id).in_(
                    select(Procedure.id).where(
                        Procedure.part_of_id == procedure_id, col(Procedure.state).in_(PUBLIC_STATES)
                    )
                ),
            ),
            col(Procedure.state).in_(PUBLIC_STATES),
        )
        .order_by(col(Procedure.title), col(Procedure.id))
    ).all()
    return below(rows, procedure_id)


def shown(parts: Iterable[Part]) -> list[Part]:
    """Those whose plans the picture and the map of a whole show: not what was withdrawn."""
    return [part for part in parts if part.procedure.state != ProcedureState.WITHDRAWN.value]


def all_parts(session: Session) -> list[Procedure]:
    """Every public consultation that is a part of another one, by title, for `below`; one query."""
    rows = session.exec(
        select(Procedure)
        .where(col(Procedure.part_of_id).is_not(None), col(Procedure.state).in_(PUBLIC_STATES))
        .order_by(col(Procedure.title), col(Procedure.id))
    ).all()
    return list(rows)


def below(rows: Sequence[Procedure], procedure_id: int, level: int = 1) -> list[Part]:
    """Those of `rows` that belong to a consultation, each followed by its own parts."""
    found: list[Part] = []
    for row in rows:
        if row.part_of_id == procedure_id:
            found += [Part(row, level), *below(rows, row.id or 0, level + 1)]
    return found


def family(session: Session, procedure: Procedure) -> list[Procedure]:
    """The other public consultations of the same area: what it is a part of, and all parts of that; by key. One query, two
    more for a part."""
    largest = next(iter(above(session, procedure)), procedure)
    rows = session.exec(
        select(Procedure)
        .where(
            col(Procedure.id).in_(with_parts(largest.id or 0)),
            col(Procedure.state).in_(PUBLIC_STATES),
            Procedure.id != procedure.id,
        )
        .order_by(col(Procedure.id))
    ).all()
    return list(rows)


def has_parts(session: Session, procedure_id: int) -> bool:
    """Whether something public belongs to it directly."""
    question = select(Procedure.id).where(
        Procedure.part_of_id == procedure_id, col(Procedure.state).in_(PUBLIC_STATES)
    )
    return session.exec(question.limit(1)).first() is not None


def with_parts(procedure_id: int) -> Select[Any]:
    """The keys of a consultation and of all public ones that belong to it, for the condition of another question.

    What belongs to a draft belongs to nothing yet.
    """
    own = select_columns(_procedures.c.id).where(_procedures.c.id == procedure_id)
    is_public = _procedures.c.state.in_(PUBLIC_STATES)
    direct = select_columns(_procedures.c.id).where(_procedures.c.part_of_id == procedure_id, is_public)
    deeper = select_columns(_procedures.c.id).where(_procedures.c.part_of_id.in_(direct), is_public)
    return select_columns(union(own, direct, deeper).subquery().c.id)


def possible_parents(session: Session, procedure: Procedure, by: Actor) -> list[Procedure]:
    """What this consultation could become a part of, as far as `by` plans it, by title; the one that stands is among
    them. Two queries."""
    parents = parents_of(session, procedure.municipality_id)
    found = [
        row
        for row in for_staff(session, procedure.municipality_id)
        if row.id == procedure.part_of_id
        or (
            nesting_problem(parents, procedure.id, row.id or 0) is None
            and may(by, Permission.PLAN, municipality_id=row.municipality_id, procedure_id=row.id)
        )
    ]
    return sorted(found, key=lambda row: (row.title, row.id))
