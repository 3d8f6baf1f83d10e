"""A municipality's own versions of the templates: append-only, so that a procedure can say from which one it began."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, func, select

from consultations import journal
from consultations.permissions import Actor, Permission, may
from consultations.refusals import Code, Refusal
from consultations.tables import Json, UtcDateTime
from consultations.templates import MOST_STEPS, TEMPLATES, Template, built_in


class ProcedureTemplateVersion(SQLModel, table=True):
    """A template as a municipality has it from a moment on; an empty body: as it is built in. Never changed."""

    __tablename__ = "procedure_template"
    __table_args__ = (UniqueConstraint("municipality_id", "key", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id")
    key: str
    number: int
    #: The shape of `Template.as_body`.
    body: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    by: str
    at: datetime = Field(sa_type=UtcDateTime)


def every(session: Session, municipality_id: int) -> tuple[Template, ...]:
    """All templates as the municipality has them, in the order of the list; one query."""
    newest = (
        select(ProcedureTemplateVersion.key, func.max(ProcedureTemplateVersion.number).label("number"))
        .where(ProcedureTemplateVersion.municipality_id == municipality_id)
        .group_by(col(ProcedureTemplateVersion.key))
        .subquery()
    )
    rows = session.exec(
        select(ProcedureTemplateVersion)
        .join(
            newest,
            (newest.c.key == ProcedureTemplateVersion.key)
            & (newest.c.number == ProcedureTemplateVersion.number),
        )
        .where(ProcedureTemplateVersion.municipality_id == municipality_id)
    ).all()
    own = {row.key: row for row in rows}
    return tuple(_as_owned(each, own.get(each.key)) for each in TEMPLATES)


def _as_owned(template: Template, row: ProcedureTemplateVersion | None) -> Template:
    return template.with_body(row.body, f"own-{row.number}") if row and row.body else template


def in_force(session: Session, municipality_id: int, key: str) -> Template:
    """The template with this key as the municipality has it. Raises Refusal NOT_FOUND."""
    template = built_in(key)
    if template is None:
        raise Refusal(Code.NOT_FOUND, "template", name=key)
    return _as_owned(template, _newest(session, municipality_id, key))


def versions(session: Session, municipality_id: int, key: str) -> list[ProcedureTemplateVersion]:
    """All versions of the municipality's own template, newest first."""
    return list(
        session.exec(
            select(ProcedureTemplateVersion)
            .where(
                ProcedureTemplateVersion.municipality_id == municipality_id,
                ProcedureTemplateVersion.key == key,
            )
            .order_by(col(ProcedureTemplateVersion.number).desc())
        ).all()
    )


def _newest(session: Session, municipality_id: int, key: str) -> ProcedureTemplateVersion | None:
    return session.exec(
        select(ProcedureTemplateVersion)
        .where(
            ProcedureTemplateVersion.municipality_id == municipality_id,
            ProcedureTemplateVersion.key == key,
        )
        .order_by(col(ProcedureTemplateVersion.number).desc())
        .limit(1)
    ).first()


def save(
    session: Session,
    template: Template,
    *,
    municipality_id: int,
    expected_version: str,
    by: Actor,
    now: datetime,
) -> Template:
    """Keep the template as the municipality wants it, as a new version; procedures already begun are not touched.

    Raises Refusal NOT_ALLOWED (planners of the whole town only), NOT_FOUND, TEMPLATE_EMPTY (no step, or too many) and
    CHANGED_MEANWHILE when another version than `expected_version` is in force.
    """
    if not 1 <= len(template.steps) <= MOST_STEPS:
        raise Refusal(Code.TEMPLATE_EMPTY, "steps", limit=MOST_STEPS)
    return _append(session, template.key, template.as_body(), municipality_id, expected_version, by, now)


def reset(
    session: Session, key: str, *, municipality_id: int, expected_version: str, by: Actor, now: datetime
) -> Template:
    """Go back to the template as it is built in, as a new version. Raises as `save`."""
    return _append(session, key, {}, municipality_id, expected_version, by, now)


def _append(
    session: Session,
    key: str,
    body: Mapping[str, Any],
    municipality_id: int,
    expected_version: str,
    by: Actor,
    now: datetime,
) -> Template:
    if not may(by, Permission.PLAN, municipality_id=municipality_id):
        raise Refusal(Code.NOT_ALLOWED)
    if in_force(session, municipality_id, key).version != expected_version:
        raise Refusal(Code.CHANGED_MEANWHILE)
    newest = _newest(session, municipality_id, key)
    number = newest.number + 1 if newest else 1
    session.add(
        ProcedureTemplateVersion(
            municipality_id=municipality_id, key=key, number=number, body=dict(body), by=by.label, at=now
        )
    )
    session.flush()
    journal.append(
        session,
        municipality_id=municipality_id,
        verb="template_changed" if body else "template_reset",
        by=by,
        at=now,
        subject=f"template:{key}",
        facts={"template": key, "number": number},
    )
    return in_force(session, municipality_id, key)
