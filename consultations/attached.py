"""What a contribution about an object of a map layer holds on to, when the layer is delivered anew.

What was handed in is never changed and says which object of which delivery was chosen (`contributions.Thing`). Once a
newer delivery is in force, this remembers beside it which object of that one is meant. What is not found again is
loose, until a planner has decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import Index, and_, func, or_
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal
from consultations.contributions import Contribution, PublicationState
from consultations.permissions import Actor, Permission, may
from consultations.places import Layer
from consultations.refusals import Code, Refusal
from consultations.tables import UtcDateTime


class LinkState(StrEnum):
    """Whether the object is known in the delivery in force."""

    HELD = "held"
    #: Not found again, or not for certain: a planner has to decide.
    LOOSE = "loose"
    #: A planner decided that the object is gone; the contribution keeps its place.
    GONE = "gone"


class LayerLink(SQLModel, table=True):
    """The object that a contribution is about, in the delivery in force; there is none before the first newer one."""

    __tablename__ = "layer_link"
    __table_args__ = (Index("ix_layer_link_series_state", "series", "state"),)

    contribution_id: int = Field(foreign_key="contribution.id", primary_key=True)
    #: What stays the same over all deliveries of a layer.
    series: int
    #: The delivery that `feature` (the object's number) is a number of.
    layer_id: int = Field(foreign_key="layer.id")
    feature: int
    #: The object's own id and its name there.
    identifier: str = ""
    name: str = ""
    state: str = LinkState.HELD.value
    #: id | shape | person; empty while it is loose.
    known_by: str = ""
    decided_by: str = ""
    decided_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


@dataclass(frozen=True)
class Target:
    """An object in a delivery: its number, its own id and its name, and by what it was known again."""

    feature: int
    identifier: str = ""
    name: str = ""
    known_by: str = "person"


def about(session: Session, layer: Layer) -> list[tuple[Contribution, LayerLink | None]]:
    """The contributions about objects of a layer, of whatever delivery, but for those whose object is gone."""
    rows = session.exec(
        select(Contribution, LayerLink)
        .join(LayerLink, col(LayerLink.contribution_id) == col(Contribution.id), isouter=True)
        .where(
            Contribution.municipality_id == layer.municipality_id,
            cast(Any, Contribution.thing)["layer"].as_integer() == layer.series,
        )
        .order_by(col(Contribution.id))
    ).all()
    return [(each, link) for each, link in rows if link is None or link.state != LinkState.GONE.value]


def about_object(session: Session, layer: Layer, feature: int, *, limit: int = 50) -> list[tuple[int, int]]:
    """The newest published contributions about one object of the delivery in force, by its number there: the id of each, and
    that of the procedure that has it. A place that was hidden is not told by what lies there."""
    thing = cast(Any, Contribution.thing)
    as_handed_in = and_(
        col(LayerLink.contribution_id).is_(None),
        thing["delivery"].as_integer() == layer.id,
        thing["feature"].as_integer() == feature,
    )
    as_held = and_(
        col(LayerLink.state) == LinkState.HELD.value,
        col(LayerLink.layer_id) == layer.id,
        col(LayerLink.feature) == feature,
    )
    rows = session.exec(
        select(col(Contribution.id), col(Contribution.procedure_id))
        .join(LayerLink, col(LayerLink.contribution_id) == col(Contribution.id), isouter=True)
        .where(
            Contribution.municipality_id == layer.municipality_id,
            Contribution.publication == PublicationState.PUBLISHED.value,
            col(Contribution.place_hidden).is_(False),
            thing["layer"].as_integer() == layer.series,
            or_(as_handed_in, as_held),
        )
        .order_by(col(Contribution.id).desc())
        .limit(limit)
    ).all()
    return [(number, procedure) for number, procedure in rows if number is not None]


def carry_over(
    session: Session, layer: Layer, found: Mapping[int, Target], *, by: Actor, now: datetime
) -> tuple[int, int]:
    """A layer was delivered anew: what holds on to its objects goes over to those that were `found` again (by the id of
    the contribution); everything else is loose. Returns how many are held and loose now."""
    assert layer.id is not None
    assert layer.series is not None
    held = loose = 0
    for contribution, known in about(session, layer):
        assert contribution.id is not None
        link = known or LayerLink(
            contribution_id=contribution.id,
            series=layer.series,
            layer_id=int(contribution.thing.get("delivery", layer.id)),
            feature=int(contribution.thing.get("feature", 0)),
            identifier=str(contribution.thing.get("id", "")),
            name=str(contribution.thing.get("name", "")),
        )
        target = found.get(contribution.id)
        if target is None:
            link.state, link.known_by, loose = LinkState.LOOSE.value, "", loose + 1
        else:
            _hold(link, layer.id, target)
            held += 1
        session.add(link)
    if held or loose:
        journal.append(
            session,
            municipality_id=layer.municipality_id,
            verb="layer_links_carried_over",
            by=by,
            at=now,
            procedure_id=layer.procedure_id,
            subject=f"layer:{layer.id}",
            facts={"held": held, "loose": loose},
        )
    return held, loose


def _hold(link: LayerLink, layer_id: int, target: Target) -> None:
    link.state, link.layer_id = LinkState.HELD.value, layer_id
    link.feature, link.identifier, link.name = target.feature, target.identifier, target.name
    link.known_by = target.known_by


def decide(
    session: Session, link: LayerLink, layer: Layer, target: Target | None, *, by: Actor, now: datetime
) -> None:
    """A planner says which object of the delivery in force is meant, or that it is gone (None).

    Raises Refusal NOT_ALLOWED, and WRONG_STATE if nothing is to be decided any more.
    """
    contribution = session.get(Contribution, link.contribution_id)
    assert contribution is not None
    assert layer.id is not None
    if not may(
        by,
        Permission.PLAN,
        municipality_id=contribution.municipality_id,
        procedure_id=contribution.procedure_id,
    ):
        raise Refusal(Code.NOT_ALLOWED)
    if link.state != LinkState.LOOSE.value or link.series != layer.series:
        raise Refusal(Code.WRONG_STATE, state=link.state)
    if target is None:
        link.state = LinkState.GONE.value
    else:
        _hold(link, layer.id, target)
    link.decided_by, link.decided_at = by.label, now
    session.add(link)
    journal.append(
        session,
        municipality_id=contribution.municipality_id,
        verb="layer_link_decided",
        by=by,
        at=now,
        procedure_id=contribution.procedure_id,
        subject=f"contribution:{contribution.id}",
        facts={"layer": layer.id, "feature": target.feature if target else None},
    )


def link_of(session: Session, contribution_id: int) -> LayerLink | None:
    """What a contribution holds on to; None if it is not about an object of a layer."""
    return session.get(LayerLink, contribution_id)


def loose_counts(session: Session, series: tuple[int, ...]) -> dict[int, int]:
    """For each of these layers that has any: how many contributions wait for a decision."""
    rows = session.exec(
        select(LayerLink.series, func.count())
        .where(col(LayerLink.series).in_(series), LayerLink.state == LinkState.LOOSE.value)
        .group_by(col(LayerLink.series))
    ).all()
    return {int(number): int(count) for number, count in rows}


def concerns(session: Session, series: int, procedure_ids: Sequence[int]) -> bool:
    """Whether something said in one of these consultations holds, or held, on to an object of a layer that was replaced."""
    question = (
        select(LayerLink.contribution_id)
        .join(Contribution, col(Contribution.id) == col(LayerLink.contribution_id))
        .where(LayerLink.series == series, col(Contribution.procedure_id).in_(procedure_ids))
    )
    return session.exec(question.limit(1)).first() is not None


def loose_elsewhere(session: Session, series: int, procedure_ids: Sequence[int]) -> dict[int, int]:
    """How many contributions wait for a decision in other consultations than these, by consultation; one query."""
    rows = session.exec(
        select(Contribution.procedure_id, func.count())
        .join(LayerLink, col(Contribution.id) == col(LayerLink.contribution_id))
        .where(
            LayerLink.series == series,
            LayerLink.state == LinkState.LOOSE.value,
            col(Contribution.procedure_id).not_in(procedure_ids),
        )
        .group_by(col(Contribution.procedure_id))
        .order_by(col(Contribution.procedure_id))
    ).all()
    return {int(key): int(count) for key, count in rows}


def loose_of(
    session: Session, series: int, procedure_ids: tuple[int, ...] | None, *, limit: int = 50
) -> list[tuple[LayerLink, Contribution]]:
    """The contributions that wait for a decision, those of these consultations or all, the oldest first."""
    question = (
        select(LayerLink, Contribution)
        .join(Contribution, col(Contribution.id) == col(LayerLink.contribution_id))
        .where(LayerLink.series == series, LayerLink.state == LinkState.LOOSE.value)
    )
    if procedure_ids is not None:
        question = question.where(col(Contribution.procedure_id).in_(procedure_ids))
    rows = session.exec(question.order_by(col(LayerLink.contribution_id)).limit(limit)).all()
    return [(link, contribution) for link, contribution in rows]
