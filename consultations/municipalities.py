"""A municipality is a row: hosts, seat and holiday calendar, languages, look, contacts, legal texts."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import journal
from consultations.permissions import Actor, Permission, may
from consultations.refusals import Code, Refusal
from consultations.tables import Json, UtcDateTime


class Municipality(SQLModel, table=True):
    """A town on this installation. Places differ by this row, never by code."""

    __tablename__ = "municipality"

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    name: str
    #: "Stadt Beispiel": how letters and announcements name the authority.
    authority: str = ""
    #: Official municipality key (AGS), eight digits.
    ags: str = ""
    languages: list[str] = Field(default_factory=lambda: ["de", "en"], sa_type=Json)
    #: Arguments for python `holidays`: {"country", "subdivision", "categories": [...], "closing_days": [...], "school_holidays": [...]}.
    calendar: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: Design tokens, see participation/theme.py.
    theme: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: {"office", "street", "postcode", "city", "phone", "email", "hours", "step_free"}
    contact: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: {"imprint"|"privacy"|"accessibility"|"netiquette": {"de": markdown, "en": markdown}}
    legal_texts: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    #: Map extent in degrees: [min_lon, min_lat, max_lon, max_lat].
    bounds: list[float] = Field(default_factory=list, sa_type=Json)
    created_at: datetime = Field(sa_type=UtcDateTime)


class MunicipalityHost(SQLModel, table=True):
    """A host name under which a municipality answers (without port, in lower case)."""

    __tablename__ = "municipality_host"

    host: str = Field(primary_key=True)
    municipality_id: int = Field(foreign_key="municipality.id", index=True)


#: What a key looks like, in settings and commands.
KEY_PATTERN = r"[a-z][a-z0-9-]{1,39}"


@dataclass(frozen=True)
class MunicipalityInput:
    """What an administrator sets; texts as in the columns of `Municipality`."""

    key: str
    name: str
    hosts: tuple[str, ...]
    authority: str = ""
    ags: str = ""
    languages: tuple[str, ...] = ("de", "en")
    calendar: dict[str, Any] = field(default_factory=dict)
    theme: dict[str, Any] = field(default_factory=dict)
    contact: dict[str, Any] = field(default_factory=dict)
    legal_texts: dict[str, Any] = field(default_factory=dict)
    bounds: tuple[float, ...] = ()


def by_host(session: Session, host: str) -> Municipality | None:
    """The municipality that answers under this host name, or None."""
    return session.execute(_BY_HOST, {"host": host.lower()}).scalars().first()


#: Asked by every page: put together once, since that takes longer than the answer.
_BY_HOST = (
    select(Municipality)
    .join(MunicipalityHost, col(MunicipalityHost.municipality_id) == Municipality.id)
    .where(MunicipalityHost.host == bindparam("host"))
)


def by_key(session: Session, key: str) -> Municipality | None:
    """The municipality with this key, or None."""
    return session.exec(select(Municipality).where(Municipality.key == key)).first()


def every(session: Session) -> list[Municipality]:
    """All municipalities by name."""
    return list(session.exec(select(Municipality).order_by(col(Municipality.name))).all())


def names_of(session: Session, municipality_ids: Collection[int | None]) -> dict[int | None, str]:
    """The names of several municipalities by id; one query for all of them."""
    wanted = [municipality_id for municipality_id in municipality_ids if municipality_id is not None]
    rows = session.exec(select(Municipality.id, Municipality.name).where(col(Municipality.id).in_(wanted)))
    return dict(rows.all())


def hosts_of(session: Session, municipality_id: int) -> list[str]:
    """The host names of a municipality in alphabetical order."""
    return list(
        session.exec(
            select(MunicipalityHost.host)
            .where(MunicipalityHost.municipality_id == municipality_id)
            .order_by(col(MunicipalityHost.host))
        ).all()
    )


def save(
    session: Session,
    entered: MunicipalityInput,
    *,
    by: Actor,
    now: datetime,
    municipality: Municipality | None = None,
) -> Municipality:
    """Create a municipality, or change the one given. Host names belong to one municipality only.

    Raises Refusal NOT_ALLOWED (new: operators only), NAME_TAKEN (key or host of another).
    """
    needed = Permission.ADMINISTER if municipality else Permission.OPERATE
    if not may(by, needed, municipality_id=municipality.id if municipality else None):
        raise Refusal(Code.NOT_ALLOWED)
    other = by_key(session, entered.key)
    if other and other.id != (municipality.id if municipality else None):
        raise Refusal(Code.NAME_TAKEN, "key", name=entered.key)
    is_new = municipality is None
    if municipality is None:
        municipality = Municipality(key=entered.key, name=entered.name, created_at=now)
    for name in ("key", "name", "authority", "ags", "calendar", "theme", "contact", "legal_texts"):
        setattr(municipality, name, getattr(entered, name))
    municipality.languages = list(entered.languages)
    # Six digits of a degree are a decimetre.
    municipality.bounds = [round(side, 6) for side in entered.bounds]
    session.add(municipality)
    session.flush()
    assert municipality.id is not None
    _set_hosts(session, municipality.id, {host.strip().lower() for host in entered.hosts if host.strip()})
    journal.append(
        session,
        municipality_id=municipality.id,
        verb="municipality_created" if is_new else "municipality_changed",
        by=by,
        at=now,
        subject=f"municipality:{municipality.id}",
        facts={"key": municipality.key, "name": municipality.name},
    )
    return municipality


def _set_hosts(session: Session, municipality_id: int, hosts: set[str]) -> None:
    for row in session.exec(
        select(MunicipalityHost).where(MunicipalityHost.municipality_id == municipality_id)
    ).all():
        if row.host in hosts:
            hosts.discard(row.host)
        else:
            session.delete(row)
    for host in sorted(hosts):
        if session.get(MunicipalityHost, host):
            raise Refusal(Code.NAME_TAKEN, "hosts", name=host)
        session.add(MunicipalityHost(host=host, municipality_id=municipality_id))
    session.flush()
