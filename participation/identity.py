"""How somebody signs in, and what a browser's cookie stands for.

A person is not an account: `consultations.people` owns the person, here are only the ways in. Sessions are rows:
listed for their owner, revocable, rotated at sign-in. The cookie holds a random token, the row only its SHA-256, so
that a stolen database opens no session.

Whoever is to work for a town is invited by an administrator and chooses the password alone; nobody else ever sees it.
An account belongs to the town that made it. Two towns that invite the same address make two accounts: the
administrators of a town hand over links to its accounts, and nothing that another town gives may hang on such a link.
With OpenID Connect (Authlib) the account at the town's own provider is linked at the first sign-in, by the verified
e-mail address that was invited.
"""

import hashlib
import secrets
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import UniqueConstraint, delete, func
from sqlmodel import Field, Session, SQLModel, col, select

from consultations import agencies, journal, people
from consultations.municipalities import Municipality
from consultations.people import Person, RoleAssignment
from consultations.permissions import PUBLIC, SYSTEM, Actor, Permission, Role, may
from consultations.refusals import Code, Refusal
from consultations.tables import Json, JsonObject, UtcDateTime
from participation.openid import Claims, Provider

#: The cookie of a session; it holds the token.
COOKIE = "digilog_session"
#: The cookie that ties a browser to the sign-in it has begun at an OpenID provider.
OPENID_COOKIE = "digilog_openid"

MINIMUM_PASSWORD_LENGTH = 12
#: Longer ones are not more secret, only slower.
MAXIMUM_PASSWORD_LENGTH = 500

IDLE = timedelta(hours=12)
ABSOLUTE = timedelta(days=7)
#: A session's last use is noted no more often than this.
SEEN_STEP = timedelta(minutes=5)
OPENID_PATIENCE = timedelta(minutes=15)
INVITATION_VALID = timedelta(days=7)


class Kind(StrEnum):
    """The ways to sign in."""

    PASSWORD = "password"
    OIDC = "oidc"


class Identity(SQLModel, table=True):
    """One way in for one person: a password, or an account at an OpenID provider."""

    __tablename__ = "identity"
    __table_args__ = (
        UniqueConstraint("kind", "email", "municipality_id"),
        UniqueConstraint("issuer", "subject", "municipality_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    person_id: int = Field(foreign_key="person.id", index=True)
    kind: str
    #: The town whose account it is; None for who runs the installation, for who worked for several towns when the account
    #: was made, and for accounts from before accounts belonged to towns.
    municipality_id: int | None = Field(default=None, foreign_key="municipality.id", index=True)
    #: In lower case; None where an OpenID provider tells no address.
    email: str | None = Field(default=None)
    #: Argon2id in its own notation; empty until the invited person has chosen a password.
    password_hash: str = ""
    issuer: str | None = Field(default=None)
    subject: str | None = Field(default=None)
    #: SHA-256 of the token in the link with which the person chooses a password, once.
    invitation_hash: str | None = Field(default=None, unique=True)
    invitation_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    is_active: bool = True
    created_at: datetime = Field(sa_type=UtcDateTime)
    last_used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SignIn(SQLModel, table=True):
    """A session: who came in when, with what, and until when. Without a person: a sign-in that has only begun."""

    __tablename__ = "sign_in"

    #: SHA-256 of the token, in hexadecimal digits; the token itself is only in the browser.
    id: str = Field(primary_key=True)
    person_id: int | None = Field(default=None, foreign_key="person.id", index=True)
    identity_id: int | None = Field(default=None, foreign_key="identity.id", index=True)
    #: What Authlib keeps between the way to the provider and back; afterwards the provider's session id ("sid").
    data: JsonObject = Field(default_factory=dict, sa_type=Json)
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime, index=True)
    user_agent: str = ""
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    def is_open(self, now: datetime) -> bool:
        """Whether it still counts: not revoked, not past its end, not unused for too long."""
        return self.revoked_at is None and now < self.expires_at and now < self.seen_at + IDLE


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


# --- passwords -------------------------------------------------------------------------------------


@cache
def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(),))


@cache
def _nobodys_hash() -> str:
    """Checked where there is no account, so that the answer takes equally long."""
    return _hasher().hash(secrets.token_urlsafe())


def _password_hash(password: str) -> str:
    if len(password) < MINIMUM_PASSWORD_LENGTH:
        raise Refusal(Code.PASSWORD_TOO_SHORT, "password", limit=MINIMUM_PASSWORD_LENGTH)
    if len(password) > MAXIMUM_PASSWORD_LENGTH:
        raise Refusal(Code.TEXT_TOO_LONG, "password", limit=MAXIMUM_PASSWORD_LENGTH)
    return _hasher().hash(password)


def normal_email(email: str) -> str:
    """An address as it is compared: without spaces around it, in lower case."""
    return email.strip().lower()


def _nearest(rows: Iterable[Identity], municipality_id: int | None) -> Identity | None:
    """Of the ways in by one address or account the town's own one; else one of no town, else the oldest of another's."""
    return min(
        rows,
        key=lambda row: (
            row.municipality_id != municipality_id,
            row.municipality_id is not None,
            row.id or 0,
        ),
        default=None,
    )


def _by_email(session: Session, email: str) -> list[Identity]:
    return list(
        session.exec(
            select(Identity).where(Identity.kind == Kind.PASSWORD, Identity.email == normal_email(email))
        )
    )


def by_email(session: Session, email: str, *, municipality_id: int | None = None) -> Identity | None:
    """The password identity with this address by which one signs in to the town, or None.

    That of another town opens nothing here that was not given to that very person.
    """
    return _nearest(_by_email(session, email), municipality_id)


def _trusted(session: Session, email: str, municipality_id: int | None) -> Identity | None:
    """The account with this address to which the town may give a role: its own, or that of somebody who has a role in it
    (or everywhere) already or is a clerk of one of its agencies. Without a town: any.

    Of all others somebody else may hold the password: another town's people made the link with which it was chosen.
    """
    found = _by_email(session, email)
    if municipality_id is not None:
        people_of_it = [each.person_id for each in found]
        known = agencies.own_clerks(session, municipality_id, people_of_it)
        known |= set(
            session.exec(
                select(RoleAssignment.person_id).where(
                    col(RoleAssignment.person_id).in_(people_of_it),
                    (col(RoleAssignment.municipality_id) == municipality_id)
                    | col(RoleAssignment.municipality_id).is_(None),
                )
            )
        )
        found = [each for each in found if each.municipality_id == municipality_id or each.person_id in known]
    return _nearest(found, municipality_id)


def has_account(session: Session, email: str, municipality_id: int) -> bool:
    """Whether the address has an account to which the town may give something; that of another town is none."""
    return _trusted(session, email, municipality_id) is not None


def create_password_identity(
    session: Session, person: Person, email: str, password: str, *, by: Actor, now: datetime
) -> Identity:
    """Give somebody a password (at the server's console, or for the demo; others are invited).

    Raises Refusal NOT_ALLOWED, NAME_TAKEN (the address has an account), PASSWORD_TOO_SHORT.
    """
    _require_manager(session, person, by)
    hashed = _password_hash(password)
    identity = _new_password_identity(session, person, email, _town_of(session, person), now=now)
    identity.password_hash = hashed
    session.flush()
    _record(session, identity, "identity_created", by=by, now=now)
    return identity


def _new_password_identity(
    session: Session, person: Person, email: str, municipality_id: int | None, *, now: datetime
) -> Identity:
    email = normal_email(email)
    if _trusted(session, email, municipality_id) is not None:
        raise Refusal(Code.NAME_TAKEN, "email", name=email)
    assert person.id is not None
    identity = Identity(
        person_id=person.id,
        kind=Kind.PASSWORD.value,
        municipality_id=municipality_id,
        email=email,
        created_at=now,
    )
    session.add(identity)
    session.flush()
    return identity


def check_password(
    session: Session, email: str, password: str, *, municipality_id: int | None = None, now: datetime
) -> Identity:
    """The identity with this address by which one signs in to the town, if the password is right. Reads only, and takes about 0.1 s on purpose.

    An unknown address, one without a password and one that is switched off take as long as a wrong password and say
    the same. Raises Refusal SIGN_IN_FAILED.
    """
    identity = by_email(session, email, municipality_id=municipality_id)
    usable = identity is not None and identity.is_active and identity.password_hash != ""
    known = identity.password_hash if identity is not None and usable else _nobodys_hash()
    right = _hasher().verify(password[: MAXIMUM_PASSWORD_LENGTH + 1], known)
    if identity is None or not usable or not right:
        raise Refusal(Code.SIGN_IN_FAILED)
    return identity


def change_password(
    session: Session, identity: Identity, old: str, new: str, *, by: Actor, now: datetime
) -> None:
    """Change one's own password; all other ways in of the session list are closed by the caller with `revoke_all`.

    Raises Refusal NOT_ALLOWED (somebody else's), SIGN_IN_FAILED at field "old", PASSWORD_TOO_SHORT at "password".
    """
    if by.person_id != identity.person_id:
        raise Refusal(Code.NOT_ALLOWED)
    if not _hasher().verify(old, identity.password_hash or _nobodys_hash()):
        raise Refusal(Code.SIGN_IN_FAILED, "old")
    identity.password_hash = _password_hash(new)
    session.add(identity)
    session.flush()
    _record(session, identity, "password_changed", by=by, now=now)


# --- who may manage whose ways in ------------------------------------------------------------------


def may_manage(session: Session, person: Person, by: Actor) -> bool:
    """Whether `by` may invite the person anew or switch their sign-in off.

    Everywhere the person holds a role, or answers for an agency, `by` must be administrator: else the administrator of
    one town could take over an account that has more rights than they have themselves.
    """
    if by.label == SYSTEM.label and by.person_id is None:
        return True
    if may(by, Permission.OPERATE):
        return True
    places = _places_of(session, person)
    if not places:
        return any(grant.role is Role.ADMINISTRATOR and grant.procedure_id is None for grant in by.grants)
    return all(
        place is not None and bool(may(by, Permission.ADMINISTER, municipality_id=place)) for place in places
    )


def _places_of(session: Session, person: Person) -> set[int | None]:
    """The towns in which somebody may do more than everybody: by a role (None: everywhere) or for an agency."""
    assert person.id is not None
    by_roles = session.exec(
        select(RoleAssignment.municipality_id).where(RoleAssignment.person_id == person.id).distinct()
    ).all()
    return {*by_roles, *agencies.towns_of(session, person.id)}


def _town_of(session: Session, person: Person) -> int | None:
    """The town for which alone somebody works, if it is one."""
    places = _places_of(session, person)
    return places.pop() if len(places) == 1 else None


def _require_manager(session: Session, person: Person, by: Actor) -> None:
    if not may_manage(session, person, by):
        raise Refusal(Code.NOT_ALLOWED)


def _record(session: Session, identity: Identity, verb: str, *, by: Actor, now: datetime) -> None:
    """Into the file of every municipality in which the person has a role."""
    places = session.exec(
        select(RoleAssignment.municipality_id)
        .where(
            RoleAssignment.person_id == identity.person_id, col(RoleAssignment.municipality_id).is_not(None)
        )
        .distinct()
        .order_by(col(RoleAssignment.municipality_id))
    ).all()
    for municipality_id in places:
        if municipality_id is not None:
            journal.append(
                session,
                municipality_id=municipality_id,
                verb=verb,
                by=by,
                at=now,
                subject=f"person:{identity.person_id}",
                facts={"kind": identity.kind},
            )


# --- invitations -----------------------------------------------------------------------------------


def invite(
    session: Session, *, name: str, email: str, municipality_id: int, by: Actor, now: datetime
) -> tuple[Person, str]:
    """Make somebody known who is to work for the municipality: the person, and the token of the link to hand over.

    Whoever has an account of the municipality, or works for it, is found by the address and keeps it: then the token is
    empty. An account of another municipality is none: its administrators may hold its password, and would hold what is
    given here. Roles are given with `people.grant`. Raises Refusal NOT_ALLOWED.
    """
    if not may(by, Permission.ADMINISTER, municipality_id=municipality_id):
        raise Refusal(Code.NOT_ALLOWED)
    known = _trusted(session, email, municipality_id)
    if known is not None:
        person = session.get(Person, known.person_id)
        assert person is not None
        return person, ""
    person = Person(name=name.strip(), email=normal_email(email), created_at=now)
    session.add(person)
    session.flush()
    identity = _new_password_identity(session, person, email, municipality_id, now=now)
    return person, _new_invitation(session, identity, now=now)


def add_password_identity(session: Session, person: Person, *, by: Actor, now: datetime) -> Identity:
    """A way in by password for somebody who has a role but none yet; the password is chosen with an invitation.

    Raises Refusal NOT_ALLOWED, NAME_TAKEN (the address has an account), WRONG_STATE (the person has no address).
    """
    _require_manager(session, person, by)
    if not person.email:
        raise Refusal(Code.WRONG_STATE)
    return _new_password_identity(session, person, person.email, _town_of(session, person), now=now)


def invite_known(session: Session, person_id: int, *, now: datetime) -> str:
    """The token with which somebody without a role chooses a password: the caller has seen that the address is theirs.

    Raises Refusal NAME_TAKEN (the address has an account), WRONG_STATE (the person has no address).
    """
    person = session.get_one(Person, person_id)
    if not person.email:
        raise Refusal(Code.WRONG_STATE)
    identity = _new_password_identity(session, person, person.email, _town_of(session, person), now=now)
    return _new_invitation(session, identity, now=now)


def renew_invitation(session: Session, identity: Identity, *, by: Actor, now: datetime) -> str:
    """A new link to choose a password with, for who has lost theirs; links made before no longer work.

    Until it is used the old password stays. Raises Refusal NOT_ALLOWED, WRONG_STATE (no password identity).
    """
    person = session.get(Person, identity.person_id)
    assert person is not None
    _require_manager(session, person, by)
    if identity.kind != Kind.PASSWORD:
        raise Refusal(Code.WRONG_STATE)
    _record(session, identity, "identity_invited", by=by, now=now)
    return _new_invitation(session, identity, now=now)


def _new_invitation(session: Session, identity: Identity, *, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    identity.invitation_hash = _hashed(token)
    identity.invitation_expires_at = now + INVITATION_VALID
    session.add(identity)
    session.flush()
    return token


def invited(session: Session, token: str, *, now: datetime) -> Identity:
    """The identity that an invitation's link is for. Raises Refusal INVITATION_EXPIRED (used, too old, unknown)."""
    identity = session.exec(select(Identity).where(Identity.invitation_hash == _hashed(token))).first()
    if (
        identity is None
        or not identity.is_active
        or identity.invitation_expires_at is None
        or now >= identity.invitation_expires_at
    ):
        raise Refusal(Code.INVITATION_EXPIRED)
    return identity


def accept_invitation(session: Session, token: str, password: str, *, now: datetime) -> Identity:
    """Choose the password with the link; the link is used up and every open session of the person ends.

    Raises Refusal INVITATION_EXPIRED, PASSWORD_TOO_SHORT.
    """
    identity = invited(session, token, now=now)
    identity.password_hash = _password_hash(password)
    identity.invitation_hash = identity.invitation_expires_at = None
    session.add(identity)
    session.flush()
    person = people.actor_of(session, identity.person_id)
    assert person is not None
    revoke_all(session, identity.person_id, now=now)
    _record(session, identity, "password_chosen", by=person, now=now)
    return identity


def identities_of(session: Session, person_ids: Collection[int]) -> dict[int, list[Identity]]:
    """The ways in of several people, oldest first; one query for all of them."""
    found: dict[int, list[Identity]] = {person_id: [] for person_id in person_ids}
    for identity in session.exec(
        select(Identity).where(col(Identity.person_id).in_(person_ids)).order_by(col(Identity.id))
    ):
        found[identity.person_id].append(identity)
    return found


def set_active(session: Session, person: Person, active: bool, *, by: Actor, now: datetime) -> None:
    """Switch all ways in of a person off (their sessions end at once) or on again.

    Raises Refusal NOT_ALLOWED, OWN_ACCOUNT (nobody shuts themselves out by mistake).
    """
    _require_manager(session, person, by)
    assert person.id is not None
    if person.id == by.person_id:
        raise Refusal(Code.OWN_ACCOUNT)
    for identity in identities_of(session, [person.id])[person.id]:
        if identity.is_active != active:
            identity.is_active = active
            session.add(identity)
            session.flush()
            _record(session, identity, "identity_enabled" if active else "identity_disabled", by=by, now=now)
    if not active:
        revoke_all(session, person.id, now=now)


# --- sessions --------------------------------------------------------------------------------------


def sign_in(
    session: Session,
    person_id: int,
    *,
    now: datetime,
    user_agent: str = "",
    previous_token: str = "",
    identity: Identity | None = None,
    data: JsonObject | None = None,
) -> str:
    """Open a session; the token for the cookie. The browser's earlier session ends, so that none is carried over."""
    if previous_token:
        sign_out(session, previous_token, now=now)
    session.execute(delete(SignIn).where(col(SignIn.expires_at) < now - ABSOLUTE))
    if identity is not None:
        identity.last_used_at = now
        session.add(identity)
    return _open(
        session,
        now=now,
        lasts=ABSOLUTE,
        person_id=person_id,
        identity_id=identity.id if identity else None,
        user_agent=user_agent,
        data=data or {},
    )


def _open(session: Session, *, now: datetime, lasts: timedelta, user_agent: str, **columns: Any) -> str:
    token = secrets.token_urlsafe(32)
    session.add(
        SignIn(
            id=_hashed(token),
            created_at=now,
            seen_at=now,
            expires_at=now + lasts,
            user_agent=" ".join(user_agent.split())[:200],
            **columns,
        )
    )
    session.flush()
    return token


def actor_of_token(session: Session, token: str, *, now: datetime) -> Actor:
    """Whom a cookie stands for: PUBLIC where there is no session, or one that is over or switched off.

    A use is noted at most every five minutes, and only where the unit of work may write.
    """
    if not token:
        return PUBLIC
    found = session.exec(
        select(SignIn, Identity)
        .join(Identity, col(Identity.id) == SignIn.identity_id, isouter=True)
        .where(SignIn.id == _hashed(token))
    ).first()
    if found is None:
        return PUBLIC
    row, identity = found
    if row.person_id is None or not row.is_open(now) or (identity is not None and not identity.is_active):
        return PUBLIC
    if now - row.seen_at >= SEEN_STEP and session.info.get("writes", False):
        row.seen_at = now
        session.add(row)
        session.flush()
    return people.actor_of(session, row.person_id) or PUBLIC


def sessions_of(session: Session, person_id: int, *, now: datetime) -> list[SignIn]:
    """The open sessions of a person, last used first."""
    rows = session.exec(
        select(SignIn)
        .where(SignIn.person_id == person_id, col(SignIn.revoked_at).is_(None), SignIn.expires_at > now)
        .order_by(col(SignIn.seen_at).desc(), col(SignIn.id))
    ).all()
    return [row for row in rows if row.is_open(now)]


def id_of_token(token: str) -> str:
    """The id of the session that a token belongs to."""
    return _hashed(token)


def sign_out(session: Session, token: str, *, now: datetime) -> None:
    """End the session of this token; an unknown one is no matter."""
    row = session.get(SignIn, _hashed(token))
    if row is not None:
        _close(session, row, now)


def revoke(session: Session, sign_in_id: str, *, by: Actor, now: datetime) -> None:
    """End one of one's own sessions. Raises Refusal NOT_FOUND (somebody else's too: nobody learns of it)."""
    row = session.get(SignIn, sign_in_id)
    if row is None or row.person_id is None or row.person_id != by.person_id:
        raise Refusal(Code.NOT_FOUND)
    _close(session, row, now)


def revoke_all(session: Session, person_id: int, *, now: datetime, except_token: str = "") -> int:
    """End all sessions of a person, but for the one of `except_token`; how many there were."""
    kept = _hashed(except_token) if except_token else ""
    rows = [row for row in sessions_of(session, person_id, now=now) if row.id != kept]
    for row in rows:
        _close(session, row, now)
    return len(rows)


def _close(session: Session, row: SignIn, now: datetime) -> None:
    if row.revoked_at is None:
        row.revoked_at = now
        session.add(row)
        session.flush()


# --- OpenID Connect --------------------------------------------------------------------------------


def begin_openid(session: Session, kept: JsonObject, *, now: datetime, user_agent: str = "") -> str:
    """Keep what must be kept until the browser comes back; the token for its cookie."""
    return _open(session, now=now, lasts=OPENID_PATIENCE, user_agent=user_agent, data=kept)


def openid_kept(session: Session, token: str, *, now: datetime) -> JsonObject:
    """What `begin_openid` kept. Raises Refusal SIGN_IN_INTERRUPTED when the browser is another one or took too long."""
    row = session.get(SignIn, _hashed(token)) if token else None
    if row is None or row.person_id is not None or not row.is_open(now):
        raise Refusal(Code.SIGN_IN_INTERRUPTED)
    return row.data


def identity_of_claims(
    session: Session, provider: Provider, claims: Claims, *, municipality_id: int | None = None, now: datetime
) -> Identity | None:
    """The identity that belongs to an account at a provider; None if nobody has given it a role here.

    Known by issuer and subject. The first time, it is linked by the verified address to the one person whom an
    administrator has invited with it; a provider for certain municipalities only links people who work for no other.
    Whoever was invited by several towns is linked in each of them, when they first sign in there.
    """
    known = _nearest(
        session.exec(
            select(Identity).where(Identity.issuer == claims.issuer, Identity.subject == claims.subject)
        ),
        municipality_id,
    )
    if known is None or known.municipality_id != municipality_id:
        invited = _invited_with(
            session, provider, claims.verified_email, municipality_id, only_own=known is not None
        )
        if invited is not None:
            return _link(session, invited, claims, now=now)
    if known is None:
        return None
    person = session.get_one(Person, known.person_id)
    return known if known.is_active and _is_served(session, provider, person) else None


def _invited_with(
    session: Session, provider: Provider, email: str, municipality_id: int | None, *, only_own: bool
) -> Identity | None:
    """The account of the one person with a role who was invited with this address: by the town, or who works for it,
    or (unless `only_own` accounts of the town count) by whomever."""
    if not email:
        return None
    rows = session.exec(
        select(Identity, RoleAssignment.municipality_id)
        .join(RoleAssignment, col(RoleAssignment.person_id) == Identity.person_id)
        .where(func.lower(Identity.email) == email, Identity.kind == Kind.PASSWORD, col(Identity.is_active))
    ).all()
    own = [row for row, _ in rows if row.municipality_id == municipality_id]
    if not own and not only_own:
        own = [row for row, place in rows if place in (None, municipality_id)] or [row for row, _ in rows]
    people_of_it = {row.person_id for row in own}
    if len(people_of_it) != 1:
        return None
    return own[0] if _is_served(session, provider, session.get_one(Person, own[0].person_id)) else None


def _link(session: Session, invited: Identity, claims: Claims, *, now: datetime) -> Identity:
    identity = Identity(
        person_id=invited.person_id,
        kind=Kind.OIDC.value,
        municipality_id=invited.municipality_id,
        email=claims.verified_email,
        issuer=claims.issuer,
        subject=claims.subject,
        created_at=now,
    )
    session.add(identity)
    session.flush()
    actor = people.actor_of(session, invited.person_id)
    assert actor is not None
    _record(session, identity, "identity_linked", by=actor, now=now)
    return identity


def _is_served(session: Session, provider: Provider, person: Person) -> bool:
    if not provider.municipalities:
        return True
    places = _places_of(session, person)
    keys = session.exec(select(Municipality.key).where(col(Municipality.id).in_(places - {None}))).all()
    return None not in places and all(provider.serves(key) for key in keys)


def sign_out_claims(session: Session, claims: Claims, *, now: datetime) -> int:
    """End the sessions that came in by the account (or the session) a provider has signed out; how many."""
    rows = session.exec(
        select(SignIn)
        .join(Identity, col(Identity.id) == SignIn.identity_id)
        .where(Identity.issuer == claims.issuer, col(SignIn.revoked_at).is_(None), SignIn.expires_at > now)
        .where((Identity.subject == claims.subject) if claims.subject else col(Identity.subject).is_not(None))
    ).all()
    ended = [row for row in rows if not claims.sid or row.data.get("sid") == claims.sid]
    for row in ended:
        _close(session, row, now)
    return len(ended)
