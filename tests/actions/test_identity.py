"""Ways in and sessions: what a cookie stands for, who may open which door, and what ends it."""

import asyncio
import base64
import hashlib
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from sqlalchemy import Engine
from sqlmodel import Session, col, select
from starlette.requests import Request

from consultations import agencies, municipalities, people
from consultations.journal import JournalEntry
from consultations.municipalities import Municipality, MunicipalityInput
from consultations.people import Person
from consultations.permissions import PUBLIC, SYSTEM, Actor, Role
from consultations.refusals import Code, Refusal
from participation import identity, openid
from participation.database import unit_of_work
from participation.identity import Identity, SignIn
from participation.openid import Claims, Provider
from tests import passwords
from tests.conftest import OpenIdProvider

NOW = datetime(2027, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"


@dataclass
class Cast:
    """Two towns, the administrator of each, and a planner of the first."""

    here: Municipality
    there: Municipality
    administrator: Actor
    stranger: Actor
    planner: Person

    @property
    def here_id(self) -> int:
        assert self.here.id is not None
        return self.here.id


def with_role(session: Session, name: str, role: Role, municipality: Municipality | None) -> Person:
    person = Person(name=name, email=f"{name.lower()}@example.org", created_at=NOW)
    session.add(person)
    session.flush()
    municipality_id = municipality.id if municipality else None
    people.grant(session, person, role, municipality_id=municipality_id, by=SYSTEM, now=NOW)
    return person


def actor(session: Session, person: Person) -> Actor:
    assert person.id is not None
    found = people.actor_of(session, person.id)
    assert found is not None
    return found


@pytest.fixture
def cast(session: Session) -> Cast:
    here, there = (
        municipalities.save(
            session, MunicipalityInput(key, key.title(), (f"{key}.test",)), by=SYSTEM, now=NOW
        )
        for key in ("here", "there")
    )
    return Cast(
        here,
        there,
        actor(session, with_role(session, "Adele", Role.ADMINISTRATOR, here)),
        actor(session, with_role(session, "Anton", Role.ADMINISTRATOR, there)),
        with_role(session, "Petra", Role.PLANNER, here),
    )


def signed_in(session: Session, person: Person, **how: Any) -> str:
    assert person.id is not None
    return identity.sign_in(session, person.id, **({"now": NOW} | how))


def refused(code: Code) -> Any:
    return pytest.raises(Refusal, match=f"^{code.value}")


# --- passwords -------------------------------------------------------------------------------------


def test_a_password_opens_the_account_whatever_the_case_of_the_address(session: Session, cast: Cast) -> None:
    made = identity.create_password_identity(
        session, cast.planner, " Petra@Example.org ", PASSWORD, by=SYSTEM, now=NOW
    )
    assert identity.check_password(session, "PETRA@example.ORG", PASSWORD, now=NOW).id == made.id
    assert made.password_hash.startswith("$argon2id$")
    assert PASSWORD not in made.password_hash


def test_guessing_passwords_is_dear() -> None:
    """RFC 9106, section 4, the second recommended option: 64 MiB, three passes, four lanes."""
    assert passwords.AS_IN_A_TOWN().hash(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_a_wrong_password_and_an_unknown_or_disabled_account_say_the_same(
    session: Session, cast: Cast
) -> None:
    identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )
    said = []
    for email, password in (("petra@example.org", "wrong"), ("nobody@example.org", PASSWORD)):
        with refused(Code.SIGN_IN_FAILED) as refusal:
            identity.check_password(session, email, password, now=NOW)
        said.append((refusal.value.field, refusal.value.facts))
    identity.set_active(session, cast.planner, False, by=cast.administrator, now=NOW)
    with refused(Code.SIGN_IN_FAILED) as refusal:
        identity.check_password(session, "petra@example.org", PASSWORD, now=NOW)
    said.append((refusal.value.field, refusal.value.facts))
    assert said == [(None, {})] * 3


def test_an_unknown_address_costs_as_much_work_as_a_wrong_password(session: Session, cast: Cast) -> None:
    identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )

    def work(email: str) -> float:
        fastest = float("inf")
        for _ in range(3):
            started = time.process_time()
            with refused(Code.SIGN_IN_FAILED):
                identity.check_password(session, email, "wrong password", now=NOW)
            fastest = min(fastest, time.process_time() - started)
        return fastest

    work("warm@example.org")
    known, unknown = work("petra@example.org"), work("nobody@example.org")
    assert unknown > known / 3


@pytest.mark.parametrize(
    ("password", "code"), [("elevenchars", Code.PASSWORD_TOO_SHORT), ("x" * 501, Code.TEXT_TOO_LONG)]
)
def test_a_password_is_at_least_twelve_characters_and_no_novel(
    session: Session, cast: Cast, password: str, code: Code
) -> None:
    with refused(code):
        identity.create_password_identity(
            session, cast.planner, "p@example.org", password, by=SYSTEM, now=NOW
        )
    assert session.exec(select(Identity)).first() is None


def test_an_address_has_one_password_account(session: Session, cast: Cast) -> None:
    identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )
    other = with_role(session, "Paul", Role.CLERK, cast.here)
    with refused(Code.NAME_TAKEN):
        identity.create_password_identity(session, other, "PETRA@example.org", PASSWORD, by=SYSTEM, now=NOW)


def test_changing_the_password_needs_the_old_one(session: Session, cast: Cast) -> None:
    made = identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )
    petra = actor(session, cast.planner)
    with refused(Code.SIGN_IN_FAILED) as refusal:
        identity.change_password(session, made, "wrong", "another long one", by=petra, now=NOW)
    assert refusal.value.field == "old"
    with refused(Code.NOT_ALLOWED):
        identity.change_password(session, made, PASSWORD, "another long one", by=cast.administrator, now=NOW)
    identity.change_password(session, made, PASSWORD, "another long one", by=petra, now=NOW)
    assert identity.check_password(session, "petra@example.org", "another long one", now=NOW).id == made.id


# --- sessions --------------------------------------------------------------------------------------


def test_a_token_stands_for_the_person_and_is_nowhere_in_the_database(session: Session, cast: Cast) -> None:
    token = signed_in(session, cast.planner, user_agent="Firefox\r\n on\tLinux" + "x" * 300)
    assert identity.actor_of_token(session, token, now=NOW) == actor(session, cast.planner)
    row = session.exec(select(SignIn)).one()
    assert token not in repr(row.model_dump())
    assert row.user_agent.startswith("Firefox on Linux")
    assert len(row.user_agent) == 200


@pytest.mark.parametrize("token", ["", "made up", "ü" * 5000, "\x00"])
def test_any_other_token_is_the_public(session: Session, cast: Cast, token: str) -> None:
    signed_in(session, cast.planner)
    assert identity.actor_of_token(session, token, now=NOW) == PUBLIC


def test_a_session_ends_unused_after_twelve_hours_and_in_any_case_after_seven_days(
    engine: Engine, session: Session, cast: Cast
) -> None:
    idle, busy = signed_in(session, cast.planner), signed_in(session, cast.planner)
    session.commit()

    def who(token: str, after: timedelta) -> Actor:
        with unit_of_work(engine, write=True) as writing:
            return identity.actor_of_token(writing, token, now=NOW + after)

    for hours in range(6, 7 * 24, 6):
        assert who(busy, timedelta(hours=hours)).is_signed_in, hours
    assert who(busy, timedelta(days=7)) == PUBLIC
    assert who(idle, timedelta(hours=11, minutes=59)).is_signed_in
    assert who(idle, timedelta(hours=25)) == PUBLIC


def test_a_use_is_noted_every_five_minutes_and_only_where_the_unit_may_write(
    engine: Engine, session: Session, cast: Cast
) -> None:
    token = signed_in(session, cast.planner)
    session.commit()

    def seen_after_use(minutes: int, *, write: bool) -> timedelta:
        with unit_of_work(engine, write=write) as using:
            identity.actor_of_token(using, token, now=NOW + timedelta(minutes=minutes))
        with unit_of_work(engine) as reading:
            return reading.exec(select(SignIn)).one().seen_at - NOW

    assert seen_after_use(4, write=True) == timedelta(0)
    assert seen_after_use(6, write=False) == timedelta(0)
    assert seen_after_use(6, write=True) == timedelta(minutes=6)


def test_signing_in_ends_the_browsers_earlier_session(session: Session, cast: Cast) -> None:
    first = signed_in(session, cast.planner)
    second = signed_in(session, cast.planner, previous_token=first)
    assert first != second
    assert identity.actor_of_token(session, first, now=NOW) == PUBLIC
    assert identity.actor_of_token(session, second, now=NOW).is_signed_in


def test_sessions_are_listed_and_ended_by_their_owner_only(session: Session, cast: Cast) -> None:
    assert cast.planner.id is not None
    signed_in(session, cast.planner, user_agent="old", now=NOW - timedelta(hours=13))
    phone = signed_in(session, cast.planner, user_agent="phone", now=NOW - timedelta(hours=1))
    desk = signed_in(session, cast.planner, user_agent="desk")
    petra = actor(session, cast.planner)
    listed = identity.sessions_of(session, cast.planner.id, now=NOW)
    assert [row.user_agent for row in listed] == ["desk", "phone"]
    with refused(Code.NOT_FOUND):
        identity.revoke(session, identity.id_of_token(phone), by=cast.administrator, now=NOW)
    identity.revoke(session, identity.id_of_token(phone), by=petra, now=NOW)
    assert identity.actor_of_token(session, phone, now=NOW) == PUBLIC
    tablet = signed_in(session, cast.planner)
    assert identity.revoke_all(session, cast.planner.id, now=NOW, except_token=desk) == 1
    assert identity.actor_of_token(session, tablet, now=NOW) == PUBLIC
    assert identity.actor_of_token(session, desk, now=NOW).is_signed_in
    identity.sign_out(session, desk, now=NOW)
    identity.sign_out(session, "made up", now=NOW)
    assert identity.actor_of_token(session, desk, now=NOW) == PUBLIC


def test_a_role_taken_away_counts_at_once(session: Session, cast: Cast) -> None:
    token = signed_in(session, cast.planner)
    (assignment,) = [
        row for person, row in people.staff_of(session, cast.here_id) if person.id == cast.planner.id
    ]
    people.revoke(session, assignment, by=cast.administrator, now=NOW)
    assert identity.actor_of_token(session, token, now=NOW).grants == ()


# --- invitations -----------------------------------------------------------------------------------


def test_an_invited_person_chooses_the_password_once_and_with_time(session: Session, cast: Cast) -> None:
    person, token = identity.invite(
        session,
        name="Klara",
        email="Klara@example.org",
        municipality_id=cast.here_id,
        by=cast.administrator,
        now=NOW,
    )
    people.grant(session, person, Role.CLERK, municipality_id=cast.here_id, by=cast.administrator, now=NOW)
    with refused(Code.SIGN_IN_FAILED):
        identity.check_password(session, "klara@example.org", "", now=NOW)
    with refused(Code.INVITATION_EXPIRED):
        identity.accept_invitation(session, token, PASSWORD, now=NOW + timedelta(days=7))
    with refused(Code.PASSWORD_TOO_SHORT):
        identity.accept_invitation(session, token, "short", now=NOW)
    chosen = identity.accept_invitation(session, token, PASSWORD, now=NOW + timedelta(days=6))
    assert identity.check_password(session, "klara@example.org", PASSWORD, now=NOW).id == chosen.id
    for again in (token, "made up", ""):
        with refused(Code.INVITATION_EXPIRED):
            identity.accept_invitation(session, again, PASSWORD, now=NOW)
    verbs = session.exec(select(JournalEntry.verb, JournalEntry.actor).order_by(col(JournalEntry.id))).all()
    assert verbs[-1] == ("password_chosen", f"person:{person.id}")
    assert "klara" not in repr(session.exec(select(JournalEntry.facts)).all()).lower()


def test_a_new_link_ends_the_one_before_and_choosing_ends_open_sessions(session: Session, cast: Cast) -> None:
    person, first = identity.invite(
        session,
        name="Klara",
        email="klara@example.org",
        municipality_id=cast.here_id,
        by=cast.administrator,
        now=NOW,
    )
    known = identity.by_email(session, "klara@example.org")
    assert known is not None
    second = identity.renew_invitation(session, known, by=cast.administrator, now=NOW)
    with refused(Code.INVITATION_EXPIRED):
        identity.invited(session, first, now=NOW)
    token = signed_in(session, person)
    identity.accept_invitation(session, second, PASSWORD, now=NOW)
    assert identity.actor_of_token(session, token, now=NOW) == PUBLIC


def invited_by(
    session: Session, admin: Actor, town: Municipality, email: str = "klara@example.org"
) -> tuple[Person, str]:
    """Somebody invited as a clerk by a town's administrator, as the page does it: the person, and the link's token."""
    assert town.id is not None
    person, token = identity.invite(
        session, name="Klara", email=email, municipality_id=town.id, by=admin, now=NOW
    )
    people.grant(session, person, Role.CLERK, municipality_id=town.id, by=admin, now=NOW)
    return person, token


def test_who_has_an_account_of_the_town_keeps_it(session: Session, cast: Cast) -> None:
    first, token = invited_by(session, cast.administrator, cast.here)
    identity.accept_invitation(session, token, PASSWORD, now=NOW)
    assert invited_by(session, cast.administrator, cast.here) == (first, "")
    assert identity.check_password(
        session, "klara@example.org", PASSWORD, municipality_id=cast.here_id, now=NOW
    )


def test_nothing_that_a_town_gives_goes_to_an_account_that_another_town_made(
    session: Session, cast: Cast
) -> None:
    """There, somebody invited the address before, chose the password with the link, and waited: whatever was given here
    to that address was given to them."""
    decoy, link = invited_by(session, cast.stranger, cast.there)
    identity.accept_invitation(session, link, "the password of the trap", now=NOW)
    waiting = signed_in(session, decoy)
    klara, token = invited_by(session, cast.administrator, cast.here)
    assert klara.id != decoy.id
    here = {"municipality_id": cast.here_id, "now": NOW}
    with refused(Code.SIGN_IN_FAILED):
        identity.check_password(session, "klara@example.org", "the password of the trap", **here)
    made = identity.accept_invitation(session, token, PASSWORD, now=NOW)
    assert identity.check_password(session, "klara@example.org", PASSWORD, **here).id == made.id
    with refused(Code.SIGN_IN_FAILED):
        identity.check_password(session, "klara@example.org", "the password of the trap", **here)
    for trap in (identity.actor_of_token(session, waiting, now=NOW), actor(session, decoy)):
        assert {grant.municipality_id for grant in trap.grants} == {cast.there.id}
    known = identity.by_email(session, "klara@example.org", municipality_id=cast.here_id)
    assert known is not None
    with refused(Code.NOT_ALLOWED):
        identity.renew_invitation(session, known, by=cast.stranger, now=NOW)
    assert identity.check_password(
        session, "klara@example.org", "the password of the trap", municipality_id=cast.there.id, now=NOW
    ), "what the other town gave stays there"


def test_accounts_from_before_keep_working_in_their_towns_and_get_nothing_in_others(
    session: Session, cast: Cast
) -> None:
    made = identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )
    made.municipality_id = None
    session.flush()
    assert invited_by(session, cast.administrator, cast.here, "petra@example.org") == (cast.planner, "")
    petra, token = invited_by(session, cast.stranger, cast.there, "petra@example.org")
    assert petra.id != cast.planner.id
    identity.accept_invitation(session, token, "another long one", now=NOW)
    for town, password in ((cast.here, PASSWORD), (cast.there, "another long one")):
        assert identity.check_password(
            session, "petra@example.org", password, municipality_id=town.id, now=NOW
        )


def test_a_clerk_of_an_agency_is_found_by_the_own_row_and_not_by_an_account_that_was_another_town_s(
    session: Session, cast: Cast
) -> None:
    trap, link = invited_by(session, cast.stranger, cast.there, "wera@water.example")
    identity.accept_invitation(session, link, "the password of the trap", now=NOW)
    water, _ = agencies.save(
        session,
        agencies.AgencyInput("Wasserwirtschaftsamt"),
        municipality_id=cast.here_id,
        by=SYSTEM,
        now=NOW,
    )
    wera, accomplice = (
        agencies.add_clerk(
            session, water, agencies.ClerkInput(name, email, agencies.ClerkRole.RELEASES), by=SYSTEM, now=NOW
        )
        for name, email in (("Wera", "wera@water.example"), ("Axel", "axel@water.example"))
    )
    agencies.keep_in_account(session, accomplice.id, trap.id or 0, by=actor(session, trap), now=NOW)
    assert not identity.has_account(session, "wera@water.example", cast.here_id)
    token = identity.invite_known(session, wera.person_id, now=NOW)
    made = identity.accept_invitation(session, token, PASSWORD, now=NOW)
    assert identity.has_account(session, "wera@water.example", cast.here_id)
    made.municipality_id = None  # as accounts from before are
    session.flush()
    person, none = invited_by(session, cast.administrator, cast.here, "wera@water.example")
    assert (person.id, none) == (wera.person_id, "")


def test_the_operator_is_found_in_every_town(session: Session, cast: Cast) -> None:
    olga = with_role(session, "Olga", Role.OPERATOR, None)
    identity.create_password_identity(session, olga, "olga@example.org", PASSWORD, by=SYSTEM, now=NOW)
    assert invited_by(session, cast.administrator, cast.here, "olga@example.org") == (olga, "")


def test_who_was_invited_by_two_towns_is_linked_in_each_to_the_account_of_that_town(
    session: Session, cast: Cast, openid_provider: OpenIdProvider
) -> None:
    there, _ = invited_by(session, cast.stranger, cast.there)
    provider = provider_at(openid_provider)
    claims = Claims(openid_provider.url, "klara-1", "klara@example.org")

    def entering(town: Municipality) -> int | None:
        found = identity.identity_of_claims(session, provider, claims, municipality_id=town.id, now=NOW)
        return found.person_id if found else None

    assert entering(cast.there) == there.id
    here, _ = invited_by(session, cast.administrator, cast.here)
    for _ in range(2):
        assert (entering(cast.here), entering(cast.there)) == (here.id, there.id)
    assert len(session.exec(select(Identity).where(Identity.subject == "klara-1")).all()) == 2


def test_the_administrator_of_one_town_cannot_take_over_who_works_for_another(
    session: Session, cast: Cast
) -> None:
    made = identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )
    people.grant(session, cast.planner, Role.CLERK, municipality_id=cast.there.id, by=cast.stranger, now=NOW)
    for admin in (cast.administrator, cast.stranger, PUBLIC, actor(session, cast.planner)):
        with refused(Code.NOT_ALLOWED):
            identity.renew_invitation(session, made, by=admin, now=NOW)
        with refused(Code.NOT_ALLOWED):
            identity.set_active(session, cast.planner, False, by=admin, now=NOW)
    operator = actor(session, with_role(session, "Olga", Role.OPERATOR, None))
    assert identity.renew_invitation(session, made, by=operator, now=NOW)


def test_the_administrator_of_one_town_cannot_take_over_who_answers_for_an_agency_of_another(
    session: Session, cast: Cast, openid_provider: OpenIdProvider
) -> None:
    """They had only to give somebody a role of their own town: the new link chose the password of the account that
    releases statements to the other town."""
    wera = Person(name="Wera", email="wera@water.example", created_at=NOW)
    session.add(wera)
    session.flush()
    made = identity.create_password_identity(
        session, wera, "wera@water.example", PASSWORD, by=SYSTEM, now=NOW
    )
    water, _ = agencies.save(
        session,
        agencies.AgencyInput("Wasserwirtschaftsamt"),
        municipality_id=cast.here.id or 0,
        by=SYSTEM,
        now=NOW,
    )
    clerk = agencies.ClerkInput("Wera", "wera@water.example", agencies.ClerkRole.RELEASES)
    clerk_id = agencies.add_clerk(session, water, clerk, by=SYSTEM, now=NOW).id
    agencies.keep_in_account(session, clerk_id, wera.id or 0, by=actor(session, wera), now=NOW)

    people.grant(session, wera, Role.CLERK, municipality_id=cast.there.id, by=cast.stranger, now=NOW)
    assert not identity.may_manage(session, wera, cast.stranger)
    with refused(Code.NOT_ALLOWED):
        identity.renew_invitation(session, made, by=cast.stranger, now=NOW)
    theirs = provider_at(openid_provider, municipalities=["there"])
    claims = Claims(openid_provider.url, "wera-1", "wera@water.example")
    assert identity.identity_of_claims(session, theirs, claims, now=NOW) is None

    agencies.leave_account(session, clerk_id, by=SYSTEM, now=NOW)
    assert identity.may_manage(session, wera, cast.stranger)


def test_an_administrator_cannot_take_over_the_operator_nor_shut_themselves_out(
    session: Session, cast: Cast
) -> None:
    olga = with_role(session, "Olga", Role.OPERATOR, None)
    adele = session.get(Person, cast.administrator.person_id)
    assert adele is not None
    for person, code in ((olga, Code.NOT_ALLOWED), (adele, Code.OWN_ACCOUNT)):
        with refused(code):
            identity.set_active(session, person, False, by=cast.administrator, now=NOW)


def test_switching_off_ends_sessions_at_once_and_on_again_lets_in(session: Session, cast: Cast) -> None:
    made = identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )
    token = signed_in(session, cast.planner, identity=made)
    identity.set_active(session, cast.planner, False, by=cast.administrator, now=NOW)
    assert identity.actor_of_token(session, token, now=NOW) == PUBLIC
    identity.set_active(session, cast.planner, True, by=cast.administrator, now=NOW)
    assert identity.check_password(session, "petra@example.org", PASSWORD, now=NOW).is_active
    assert identity.actor_of_token(session, token, now=NOW) == PUBLIC


# --- OpenID Connect, against a real provider -------------------------------------------------------

BACK = "http://here.test/anmelden/openid/town/zurueck"


def provider_at(openid_provider: OpenIdProvider, **settings: Any) -> Provider:
    entry = {
        "key": "town",
        "label": "Town",
        "issuer": openid_provider.url,
        "client_id": "digilog",
        "client_secret": "s",
    }
    return openid.providers([entry | settings])[0]


def request(query: str = "") -> Request:
    return Request(
        {"type": "http", "method": "GET", "headers": [], "path": "/", "query_string": query.encode()}
    )


def there_and_back(provider: Provider, subject: str) -> tuple[str, dict[str, Any]]:
    """What the browser does: to the provider, sign in there, back with a query; and what we kept meanwhile."""
    url, kept = asyncio.run(openid.begin(provider, request(), BACK))
    answer = httpx2.post(url, data={"sub": subject}, follow_redirects=False)
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == BACK
    return back.query, kept


def claims_of(openid_provider: OpenIdProvider, provider: Provider, subject: str, **claims: Any) -> Claims:
    openid_provider.add_user(subject, **claims)
    query, kept = there_and_back(provider, subject)
    return asyncio.run(openid.finish(provider, request(query), kept))


def test_the_way_to_the_provider_carries_state_nonce_and_pkce(openid_provider: OpenIdProvider) -> None:
    url, kept = asyncio.run(openid.begin(provider_at(openid_provider), request(), BACK))
    asked = parse_qs(urlsplit(url).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [BACK]
    (memory,) = kept.values()
    assert memory["data"]["nonce"] == asked["nonce"][0]
    verifier = memory["data"]["code_verifier"]
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    assert asked["code_challenge"] == [digest.decode()]
    assert verifier not in url


def test_an_invited_address_is_linked_at_the_first_sign_in_and_known_by_subject_later(
    session: Session, cast: Cast, openid_provider: OpenIdProvider
) -> None:
    provider = provider_at(openid_provider)
    person, _ = identity.invite(
        session,
        name="Klara",
        email="klara@example.org",
        municipality_id=cast.here_id,
        by=cast.administrator,
        now=NOW,
    )
    people.grant(session, person, Role.CLERK, municipality_id=cast.here_id, by=cast.administrator, now=NOW)
    claims = claims_of(openid_provider, provider, "klara-1", email="Klara@Example.org", email_verified=True)
    assert claims.issuer == openid_provider.url
    linked = identity.identity_of_claims(session, provider, claims, now=NOW)
    assert linked is not None
    assert (linked.person_id, linked.kind) == (person.id, "oidc")
    renamed = claims_of(
        openid_provider, provider, "klara-1", email="married@example.org", email_verified=True
    )
    again = identity.identity_of_claims(session, provider, renamed, now=NOW)
    assert again is not None
    assert again.id == linked.id


@pytest.mark.parametrize(
    ("email", "claims"),
    [
        ("petra@example.org", {"email_verified": False}),
        ("petra@example.org", {}),
        ("petra@example.org", {"email_verified": "true"}),
        ("stranger@example.org", {"email_verified": True}),
        ("citizen@example.org", {"email_verified": True}),
    ],
)
def test_nobody_is_linked_without_a_verified_address_that_was_invited(
    session: Session, cast: Cast, openid_provider: OpenIdProvider, email: str, claims: dict[str, Any]
) -> None:
    identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )
    session.add(Person(name="Wrote a letter", email="citizen@example.org", created_at=NOW))
    session.flush()
    provider = provider_at(openid_provider)
    told = claims_of(openid_provider, provider, uuid.uuid4().hex, email=email, **claims)
    assert identity.identity_of_claims(session, provider, told, now=NOW) is None
    assert len(session.exec(select(Identity)).all()) == 1


def test_a_provider_for_one_town_links_nobody_who_works_for_another(
    session: Session, cast: Cast, openid_provider: OpenIdProvider
) -> None:
    identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )
    claims = Claims(openid_provider.url, "petra-1", "petra@example.org")
    theirs = provider_at(openid_provider, municipalities=["there"])
    assert identity.identity_of_claims(session, theirs, claims, now=NOW) is None
    people.grant(session, cast.planner, Role.CLERK, municipality_id=cast.there.id, by=cast.stranger, now=NOW)
    assert identity.identity_of_claims(session, theirs, claims, now=NOW) is None
    both = provider_at(openid_provider, municipalities=["here", "there"])
    assert identity.identity_of_claims(session, both, claims, now=NOW) is not None
    assert identity.identity_of_claims(session, theirs, claims, now=NOW) is None


def test_a_linked_account_that_is_switched_off_stays_out(
    session: Session, cast: Cast, openid_provider: OpenIdProvider
) -> None:
    identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )
    provider, claims = (
        provider_at(openid_provider),
        Claims(openid_provider.url, "petra-1", "petra@example.org"),
    )
    assert identity.identity_of_claims(session, provider, claims, now=NOW) is not None
    identity.set_active(session, cast.planner, False, by=cast.administrator, now=NOW)
    assert identity.identity_of_claims(session, provider, claims, now=NOW) is None


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda query: "error=access_denied&error_description=no", id="refused there"),
        pytest.param(lambda query: query.replace("state=", "state=x"), id="another state"),
        pytest.param(lambda query: query.replace("code=", "code=x"), id="another code"),
        pytest.param(lambda query: "", id="nothing"),
    ],
)
def test_a_forged_way_back_signs_nobody_in(openid_provider: OpenIdProvider, forge: Any) -> None:
    provider = provider_at(openid_provider)
    query, kept = there_and_back(provider, "somebody@example.org")
    with refused(Code.SIGN_IN_INTERRUPTED):
        asyncio.run(openid.finish(provider, request(forge(query)), kept))


def test_an_id_token_for_another_nonce_signs_nobody_in(openid_provider: OpenIdProvider) -> None:
    provider = provider_at(openid_provider)
    query, kept = there_and_back(provider, "somebody@example.org")
    (memory,) = kept.values()
    memory["data"]["nonce"] = "x" * 20
    with refused(Code.SIGN_IN_INTERRUPTED):
        asyncio.run(openid.finish(provider, request(query), kept))


def test_a_provider_that_does_not_answer_is_said_to_be_away(openid_provider: OpenIdProvider) -> None:
    away = openid.providers([{"key": "a", "label": "A", "issuer": "http://127.0.0.1:9", "client_id": "x"}])[0]
    with refused(Code.PROVIDER_UNREACHABLE):
        asyncio.run(openid.begin(away, request(), BACK))
    strange = provider_at(openid_provider, issuer=f"{openid_provider.url}/nothing/here")
    with refused(Code.PROVIDER_UNREACHABLE):
        asyncio.run(openid.begin(strange, request(), BACK))


def test_what_is_kept_belongs_to_the_browser_and_not_for_long(session: Session, cast: Cast) -> None:
    token = identity.begin_openid(session, {"state": 1}, now=NOW)
    assert identity.openid_kept(session, token, now=NOW) == {"state": 1}
    assert identity.actor_of_token(session, token, now=NOW) == PUBLIC
    for other in ("", "made up", signed_in(session, cast.planner)):
        with refused(Code.SIGN_IN_INTERRUPTED):
            identity.openid_kept(session, other, now=NOW)
    with refused(Code.SIGN_IN_INTERRUPTED):
        identity.openid_kept(session, token, now=NOW + timedelta(minutes=15))


@pytest.mark.parametrize(
    "entries",
    [
        [{"key": "a", "label": "A", "issuer": "https://a"}],
        [{"key": "a", "label": "A", "issuer": "https://a", "client_id": "x"}] * 2,
    ],
)
def test_incomplete_or_doubled_providers_are_refused_at_start(entries: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="DIGILOG_OIDC"):
        openid.providers(entries)


# --- signing out behind the browser's back ---------------------------------------------------------


@pytest.fixture
def signing_provider(monkeypatch: pytest.MonkeyPatch) -> tuple[Provider, RSAKey]:
    """A provider whose keys we hold, because the real one of the suite sends no log-out tokens."""
    key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig", "alg": "RS256"})
    provider = Provider("signing", "Signing", "https://issuer.test", "digilog", "s")
    client = openid._client(provider)
    client.server_metadata.update(
        _loaded_at=1, issuer="https://issuer.test", jwks={"keys": [key.as_dict(private=False)]}
    )
    return provider, key


def logout_token(key: RSAKey, **changes: Any) -> str:
    at = int(NOW.timestamp())
    claims = {
        "iss": "https://issuer.test",
        "aud": "digilog",
        "iat": at,
        "exp": at + 120,
        "jti": "1",
        "sub": "petra",
    }
    claims |= {"events": {openid.LOGOUT_EVENT: {}}} | changes
    return jwt.encode({"alg": "RS256", "kid": "1"}, {k: v for k, v in claims.items() if v is not None}, key)


def test_a_providers_log_out_ends_the_sessions_that_came_from_there(
    session: Session, cast: Cast, signing_provider: tuple[Provider, RSAKey]
) -> None:
    provider, key = signing_provider
    identity.create_password_identity(
        session, cast.planner, "petra@example.org", PASSWORD, by=SYSTEM, now=NOW
    )
    linked = identity.identity_of_claims(
        session, provider, Claims("https://issuer.test", "petra", "petra@example.org"), now=NOW
    )
    assert linked is not None
    one = signed_in(session, cast.planner, identity=linked, data={"sid": "s1"})
    two = signed_in(session, cast.planner, identity=linked, data={"sid": "s2"})
    by_password = signed_in(session, cast.planner)
    claims = asyncio.run(openid.logout(provider, logout_token(key, sid="s1", sub=None), now=NOW))
    assert identity.sign_out_claims(session, claims, now=NOW) == 1
    assert identity.actor_of_token(session, one, now=NOW) == PUBLIC
    assert identity.actor_of_token(session, two, now=NOW).is_signed_in
    claims = asyncio.run(openid.logout(provider, logout_token(key), now=NOW))
    assert identity.sign_out_claims(session, claims, now=NOW) == 1
    assert identity.actor_of_token(session, two, now=NOW) == PUBLIC
    assert identity.actor_of_token(session, by_password, now=NOW).is_signed_in


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.test"},
        {"aud": "other"},
        {"exp": 1},
        {"events": {}},
        {"events": None},
        {"nonce": "n"},
        {"sub": None},
        {"jti": None},
    ],
)
def test_a_log_out_token_that_is_not_one_is_refused(
    signing_provider: tuple[Provider, RSAKey], changes: dict[str, Any]
) -> None:
    provider, key = signing_provider
    with refused(Code.SIGN_IN_INTERRUPTED):
        asyncio.run(openid.logout(provider, logout_token(key, **changes), now=NOW))


def test_a_log_out_token_signed_by_somebody_else_is_refused(
    signing_provider: tuple[Provider, RSAKey],
) -> None:
    provider, _ = signing_provider
    forged = logout_token(RSAKey.generate_key(2048, {"kid": "1"}))
    unsigned = "eyJhbGciOiJub25lIn0." + forged.split(".")[1] + "."
    for token in (forged, unsigned, "rubbish", ""):
        with refused(Code.SIGN_IN_INTERRUPTED):
            asyncio.run(openid.logout(provider, token, now=NOW))
