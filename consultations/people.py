"""People and organisations. A person is not an account: whoever writes a letter is a `Person` too."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal
from consultations.permissions import Actor, Grant, Permission, Role, may
from consultations.refusals import Code, Refusal
from consultations.tables import UtcDateTime, insert_row
from consultations.text import normalise

#: Characters that a name, a street or an address may have.
NAME_LIMIT = 500


class OrganisationKind(StrEnum):
    """What kind of body speaks; names of bodies may be published, names of private persons not."""

    PUBLIC_AGENCY = "public_agency"
    AUTHORITY = "authority"
    NEIGHBOURING_MUNICIPALITY = "neighbouring_municipality"
    ENVIRONMENTAL_ASSOCIATION = "environmental_association"
    COMPANY = "company"
    ASSOCIATION = "association"


class Organisation(SQLModel, table=True):
    """A body on whose behalf somebody writes."""

    __tablename__ = "organisation"

    id: int | None = Field(default=None, primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id", index=True)
    kind: str = OrganisationKind.ASSOCIATION.value
    name: str
    #: The one that it turned out to be the same as; what was said in its name points there (`agencies.merge`).
    merged_into_id: int | None = Field(default=None, foreign_key="organisation.id")
    created_at: datetime = Field(sa_type=UtcDateTime)


class Person(SQLModel, table=True):
    """Somebody, known as far as they wished to say. All fields but the id may be empty.

    No form, identity, address or account may be demanded for a statement (BauGB §3(2)).
    """

    __tablename__ = "person"

    id: int | None = Field(default=None, primary_key=True)
    name: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""
    email: str = ""
    phone: str = ""
    language: str = "de"
    organisation_id: int | None = Field(default=None, foreign_key="organisation.id", index=True)
    created_at: datetime = Field(sa_type=UtcDateTime)


class RoleAssignment(SQLModel, table=True):
    """A role somebody holds, for a municipality or for one procedure of it."""

    __tablename__ = "role_assignment"
    __table_args__ = (UniqueConstraint("person_id", "role", "municipality_id", "procedure_id"),)

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    role: str
    municipality_id: int | None = Field(default=None, foreign_key="municipality.id", index=True)
    procedure_id: int | None = Field(default=None, foreign_key="procedure.id", index=True)
    granted_at: datetime = Field(sa_type=UtcDateTime)


@dataclass(frozen=True)
class PersonInput:
    """Contact data as typed; every field optional."""

    name: str = ""
    street: str = ""
    postcode: str = ""
    city: str = ""
    email: str = ""
    phone: str = ""
    language: str = "de"
    organisation: str = ""
    organisation_kind: OrganisationKind = OrganisationKind.ASSOCIATION
    #: The body itself where it is known, as that of an agency that was asked.
    organisation_id: int | None = None

    @property
    def is_anonymous(self) -> bool:
        """Nothing that says who it is."""
        return not any(
            (self.name, self.street, self.postcode, self.city, self.email, self.phone, self.organisation)
        )


def normalised(entered: PersonInput) -> PersonInput:
    """Contact data as they are stored. Raises Refusal TEXT_TOO_LONG with the field's name."""
    names = ("name", "street", "postcode", "city", "email", "phone", "organisation")
    clean: dict[str, Any] = {
        name: normalise(getattr(entered, name), field=name, limit=NAME_LIMIT).strip() for name in names
    }
    return replace(entered, **clean)


def add(
    session: Session, entered: PersonInput, *, key: int, organisation_id: int | None, now: datetime
) -> int | None:
    """Keep a person as they described themselves (`normalised`) under a claimed key, and return it.

    None if they said nothing about themselves. Never merged with an earlier row: equal names are a candidate for
    linking, not an identity (law-and-standards R-6.2).
    """
    if entered.is_anonymous:
        return None
    insert_row(
        session,
        Person,
        id=key,
        name=entered.name,
        street=entered.street,
        postcode=entered.postcode,
        city=entered.city,
        email=entered.email,
        phone=entered.phone,
        language=entered.language,
        organisation_id=organisation_id,
        created_at=now,
    )
    return key


def organisation_of(
    session: Session, entered: PersonInput, *, municipality_id: int, now: datetime
) -> int | None:
    """The organisation on whose behalf somebody writes, kept if it is new; None if they named none."""
    if entered.organisation_id is not None or not entered.organisation:
        return entered.organisation_id
    organisation = session.exec(
        select(Organisation)
        .where(Organisation.municipality_id == municipality_id, Organisation.name == entered.organisation)
        .order_by(col(Organisation.merged_into_id).is_not(None), col(Organisation.id))
    ).first()
    if organisation is None:
        organisation = Organisation(
            municipality_id=municipality_id,
            kind=entered.organisation_kind.value,
            name=entered.organisation,
            created_at=now,
        )
        session.add(organisation)
        session.flush()
    return organisation.merged_into_id or organisation.id


def actor_of(session: Session, person_id: int) -> Actor | None:
    """The person with the roles they hold, ready to act; None if there is no such person."""
    person = session.get(Person, person_id)
    if person is None:
        return None
    grants = tuple(
        Grant(Role(row.role), row.municipality_id, row.procedure_id)
        for row in session.exec(
            select(RoleAssignment)
            .where(RoleAssignment.person_id == person_id)
            .order_by(col(RoleAssignment.id))
        ).all()
    )
    return Actor(f"person:{person_id}", person_id, person.name or person.email, grants)


def _may_assign(by: Actor, role: Role, municipality_id: int | None) -> bool:
    if role is Role.OPERATOR or municipality_id is None:
        return bool(may(by, Permission.OPERATE))
    return bool(may(by, Permission.ADMINISTER, municipality_id=municipality_id))


def grant(
    session: Session,
    person: Person,
    role: Role,
    *,
    municipality_id: int | None,
    procedure_id: int | None = None,
    by: Actor,
    now: datetime,
) -> RoleAssignment:
    """Give somebody a role; giving it twice changes nothing. Raises Refusal NOT_ALLOWED."""
    if not _may_assign(by, role, municipality_id):
        raise Refusal(Code.NOT_ALLOWED)
    existing = session.exec(
        select(RoleAssignment).where(
            RoleAssignment.person_id == person.id,
            RoleAssignment.role == role.value,
            RoleAssignment.municipality_id == municipality_id,
            RoleAssignment.procedure_id == procedure_id,
        )
    ).first()
    if existing:
        return existing
    assert person.id is not None
    row = RoleAssignment(
        person_id=person.id,
        role=role.value,
        municipality_id=municipality_id,
        procedure_id=procedure_id,
        granted_at=now,
    )
    session.add(row)
    session.flush()
    if municipality_id is not None:
        journal.append(
            session,
            municipality_id=municipality_id,
            verb="role_granted",
            by=by,
            at=now,
            procedure_id=procedure_id,
            subject=f"person:{person.id}",
            facts={"role": role.value},
        )
    return row


def revoke(session: Session, assignment: RoleAssignment, *, by: Actor, now: datetime) -> None:
    """Take a role away; the journal keeps that it was held. Raises Refusal NOT_ALLOWED."""
    if not _may_assign(by, Role(assignment.role), assignment.municipality_id):
        raise Refusal(Code.NOT_ALLOWED)
    if assignment.municipality_id is not None:
        journal.append(
            session,
            municipality_id=assignment.municipality_id,
            verb="role_revoked",
            by=by,
            at=now,
            procedure_id=assignment.procedure_id,
            subject=f"person:{assignment.person_id}",
            facts={"role": assignment.role},
        )
    session.delete(assignment)
    session.flush()


def staff_of(session: Session, municipality_id: int) -> list[tuple[Person, RoleAssignment]]:
    """Everybody with a role in the municipality, by name."""
    return [
        (person, row)
        for person, row in session.exec(
            select(Person, RoleAssignment)
            .join(RoleAssignment, col(RoleAssignment.person_id) == Person.id)
            .where(RoleAssignment.municipality_id == municipality_id)
            .order_by(col(Person.name), col(RoleAssignment.role))
        ).all()
    ]


def names(session: Session, labels: Iterable[str]) -> dict[str, str]:
    """Names by actor label ("person:12", "agency:3"), in a query for each kind, for showing who did something."""
    known = [label.partition(":") for label in labels]
    people = [int(number) for kind, _, number in known if kind == "person"]
    agencies = [int(number) for kind, _, number in known if kind == "agency"]
    named: dict[str, str] = {}
    if people:
        rows = session.exec(select(Person.id, Person.name).where(col(Person.id).in_(people)))
        named |= {f"person:{person_id}": name for person_id, name in rows}
    if agencies:
        bodies = session.exec(
            select(Organisation.id, Organisation.name).where(col(Organisation.id).in_(agencies))
        )
        named |= {f"agency:{organisation_id}": name for organisation_id, name in bodies}
    return named
