"""What could be built: the variants of a plan as bodies, and the points from which everybody looks at them.

A variant's bodies are a city model of their own (`geo.city`), kept by content hash; what it replaces is named by the
ids of the town's model. Viewpoints are fixed, so that every variant is seen from the same places. An area shows the
variants of its public parts beside its own (`groups_of`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal, nesting
from consultations.nesting import Part
from consultations.permissions import Actor
from consultations.procedures import Procedure, require_planner
from consultations.refusals import Code, Refusal
from consultations.tables import Json, UtcDateTime
from consultations.text import normalise

TITLE_LIMIT = 200
TEXT_LIMIT = 2000
#: What is said of a variant in numbers, in the order of the table that compares them.
FIGURES = ("storeys", "height", "floor_area", "homes", "parking", "green")


class Viewpoint(StrEnum):
    """How a viewpoint looks."""

    STREET = "street"  # at eye level in the street
    WINDOW = "window"  # from a neighbour's window
    ABOVE = "above"  # from above


class Variant(SQLModel, table=True):
    """One way to build what is planned."""

    __tablename__ = "variant"
    __table_args__ = (Index("ix_variant_procedure_id_position", "procedure_id", "position"),)

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    position: int
    title: str
    description: str = ""
    #: Who drew it, and when: "Entwurf des Stadtplanungsamts, Mai 2027".
    source: str = ""
    #: Title and description in other languages: {"en": {"title", "description"}}.
    translations: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: Numbers by `FIGURES`: storeys, height (m), floor_area (m²), homes, parking (spaces), green (m²).
    figures: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: The bodies as a city model (GeoPackage of `geo.city`, EPSG:25832, DHHN2016) in the file store.
    model_sha256: str
    #: How many buildings it has.
    buildings: int = 0
    #: Ids of the town's buildings that it replaces.
    replaces: list[str] = Field(default_factory=list, sa_type=Json)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    #: Set when it was taken off; kept, because contributions may speak of it.
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class View(SQLModel, table=True):
    """A point from which everybody can look: where the eye is and what it looks at, in metres (EPSG:25832) with
    heights in metres after DHHN2016."""

    __tablename__ = "viewpoint"
    __table_args__ = (Index("ix_viewpoint_procedure_id_position", "procedure_id", "position"),)

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    procedure_id: int = Field(foreign_key="procedure.id")
    position: int
    kind: str
    title: str
    #: What is to be seen from there, in words, for who does not see it.
    description: str = ""
    translations: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    eye_x: float
    eye_y: float
    eye_z: float
    look_x: float
    look_y: float
    look_z: float


@dataclass(frozen=True)
class VariantInput:
    """What a planner says of a variant."""

    title: str
    description: str = ""
    source: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    model_sha256: str = ""
    buildings: int = 0
    replaces: tuple[str, ...] = ()
    translations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ViewInput:
    """What a planner says of a viewpoint: `eye` and `look` as easting, northing (EPSG:25832) and height (DHHN2016)."""

    kind: Viewpoint
    title: str
    eye: tuple[float, float, float]
    look: tuple[float, float, float]
    description: str = ""
    translations: Mapping[str, Any] = field(default_factory=dict)


# --- verbs -----------------------------------------------------------------------------------------


def _note(
    session: Session,
    procedure: Procedure,
    verb: str,
    subject: str,
    title: str,
    *,
    by: Actor,
    now: datetime,
    **facts: Any,
) -> None:
    journal.append(
        session,
        municipality_id=procedure.municipality_id,
        verb=verb,
        by=by,
        at=now,
        procedure_id=procedure.id,
        subject=subject,
        facts={"title": title, **facts},
    )


def _words(title: str, description: str) -> tuple[str, str]:
    title = normalise(title, field="title", limit=TITLE_LIMIT).strip()
    if not title:
        raise Refusal(Code.FORM_INCOMPLETE, "title")
    return title, normalise(description, field="description", limit=TEXT_LIMIT).strip()


def add_variant(
    session: Session, procedure: Procedure, new: VariantInput, *, by: Actor, now: datetime
) -> Variant:
    """Put a variant after the others. Raises Refusal NOT_ALLOWED, FORM_INCOMPLETE ("title"), TEXT_TOO_LONG."""
    require_planner(by, procedure)
    assert procedure.id is not None
    title, description = _words(new.title, new.description)
    row = Variant(
        municipality_id=procedure.municipality_id,
        procedure_id=procedure.id,
        position=len(variants_of(session, procedure.id)),
        title=title,
        description=description,
        source=normalise(new.source, field="source", limit=TITLE_LIMIT).strip(),
        translations=dict(new.translations),
        figures=_figures(new.figures),
        model_sha256=new.model_sha256,
        buildings=new.buildings,
        replaces=list(new.replaces),
        changed_at=now,
    )
    session.add(row)
    session.flush()
    _note(
        session,
        procedure,
        "variant_added",
        f"variant:{row.id}",
        title,
        by=by,
        now=now,
        sha256=row.model_sha256,
    )
    return row


def change_variant(
    session: Session, procedure: Procedure, row: Variant, new: VariantInput, *, by: Actor, now: datetime
) -> None:
    """Change what is said of a variant, and its bodies if new ones are given. Raises as `add_variant`."""
    require_planner(by, procedure)
    row.title, row.description = _words(new.title, new.description)
    row.source = normalise(new.source, field="source", limit=TITLE_LIMIT).strip()
    row.figures = _figures(new.figures)
    row.replaces = list(new.replaces)
    if new.model_sha256:
        row.model_sha256, row.buildings = new.model_sha256, new.buildings
    row.changed_at = now
    session.add(row)
    _note(
        session,
        procedure,
        "variant_changed",
        f"variant:{row.id}",
        row.title,
        by=by,
        now=now,
        sha256=row.model_sha256,
    )


def remove_variant(session: Session, procedure: Procedure, row: Variant, *, by: Actor, now: datetime) -> None:
    """Take a variant off; its bodies are kept. Raises Refusal NOT_ALLOWED."""
    require_planner(by, procedure)
    row.removed_at = now
    session.add(row)
    _note(session, procedure, "variant_removed", f"variant:{row.id}", row.title, by=by, now=now)


def _figures(given: Mapping[str, float]) -> dict[str, float]:
    return {name: float(given[name]) for name in FIGURES if given.get(name) is not None}


def set_views(
    session: Session, procedure: Procedure, views: Sequence[ViewInput], *, by: Actor, now: datetime
) -> list[View]:
    """Let these be the viewpoints, in this order, instead of those before. Raises as `add_variant`."""
    require_planner(by, procedure)
    assert procedure.id is not None
    for old in views_of(session, procedure.id):
        session.delete(old)
    session.flush()
    rows = []
    for position, new in enumerate(views):
        title, description = _words(new.title, new.description)
        row = View(
            municipality_id=procedure.municipality_id,
            procedure_id=procedure.id,
            position=position,
            kind=new.kind.value,
            title=title,
            description=description,
            translations=dict(new.translations),
            eye_x=new.eye[0],
            eye_y=new.eye[1],
            eye_z=new.eye[2],
            look_x=new.look[0],
            look_y=new.look[1],
            look_z=new.look[2],
        )
        session.add(row)
        rows.append(row)
    session.flush()
    _note(
        session, procedure, "viewpoints_set", f"procedure:{procedure.id}", procedure.title,
        by=by, now=now, views=[row.title for row in rows],
    )  # fmt: skip
    return rows


# --- questions -------------------------------------------------------------------------------------


def variants_of(session: Session, procedure_id: int) -> list[Variant]:
    """The variants of a procedure in their order, without those taken off."""
    return list(
        session.exec(
            select(Variant)
            .where(Variant.procedure_id == procedure_id, col(Variant.removed_at).is_(None))
            .order_by(col(Variant.position), col(Variant.id))
        ).all()
    )


@dataclass(frozen=True)
class Group:
    """The variants of one consultation, of which one, or none, is built; `level` is how far it is below the consultation
    whose picture this is (0: that itself). Never without variants."""

    procedure: Procedure
    level: int
    rows: tuple[Variant, ...]


def groups_of(session: Session, procedure: Procedure) -> list[Group]:
    """The variants that the public sees in the picture of a consultation: its own, then those of the parts that belong to
    it, in the order of `nesting.parts`, without parts that are drafts or were withdrawn. Two queries."""
    shown = [Part(procedure, 0), *nesting.shown(nesting.parts(session, procedure.id or 0))]
    rows = session.exec(
        select(Variant)
        .where(
            col(Variant.procedure_id).in_([part.procedure.id for part in shown]),
            col(Variant.removed_at).is_(None),
        )
        .order_by(col(Variant.position), col(Variant.id))
    ).all()
    return _grouped(shown, rows)


def groups_of_all(session: Session, procedures: Iterable[Procedure]) -> dict[int, list[Group]]:
    """`groups_of` many consultations, by key; two queries."""
    rows = session.exec(
        select(Variant)
        .where(col(Variant.removed_at).is_(None))
        .order_by(col(Variant.position), col(Variant.id))
    ).all()
    parts = nesting.all_parts(session)
    return {
        each.id or 0: _grouped([Part(each, 0), *nesting.shown(nesting.below(parts, each.id or 0))], rows)
        for each in procedures
    }


def _grouped(parts: Sequence[Part], rows: Sequence[Variant]) -> list[Group]:
    own: dict[int, list[Variant]] = {}
    for row in rows:
        own.setdefault(row.procedure_id, []).append(row)
    return [
        Group(part.procedure, part.level, tuple(own[part.procedure.id or 0]))
        for part in parts
        if part.procedure.id in own
    ]


def seen_by_id(session: Session, procedure: Procedure, variant_id: int) -> Variant | None:
    """A variant that `groups_of` this consultation holds, or None."""
    for group in groups_of(session, procedure):
        for row in group.rows:
            if row.id == variant_id:
                return row
    return None


def variant_by_id(session: Session, procedure_id: int, variant_id: int) -> Variant | None:
    """A variant of this procedure that was not taken off, or None."""
    row = session.get(Variant, variant_id)
    return row if row and row.procedure_id == procedure_id and row.removed_at is None else None


def views_of(session: Session, procedure_id: int) -> list[View]:
    """The viewpoints of a procedure in their order."""
    return list(
        session.exec(
            select(View).where(View.procedure_id == procedure_id).order_by(col(View.position), col(View.id))
        ).all()
    )


def localised(row: Variant | View, language: str, name: str) -> str:
    """A text of a variant or viewpoint in a language, or as it was written."""
    return str(row.translations.get(language, {}).get(name) or getattr(row, name))
