"""Who works for the town: invitations, and roles for the town or for one consultation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response
from wtforms import EmailField, Form, RadioField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Email, InputRequired, Length

from consultations import people, procedures
from consultations.people import Person, RoleAssignment
from consultations.permissions import Permission, Role, may
from consultations.refusals import Code, Refusal
from participation import identity
from participation.identity import Identity, Kind
from participation.pages.account import ROLE_NAMES
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: What each role is for, for whoever gives it.
ROLE_WORDS = {
    Role.CLERK: N_("Intake clerk: enters letters, e-mails and calls"),
    Role.MODERATOR: N_("Moderator: decides what the public may read"),
    Role.PLANNER: N_("Planner: creates and evaluates consultations"),
    Role.EVALUATOR: N_("Expert office: judges proposals and drafts the answers"),
    Role.ADMINISTRATOR: N_("Administrator: settings and staff of the whole town"),
}

#: Roles that make no sense for one consultation.
FOR_THE_TOWN = frozenset({Role.ADMINISTRATOR})


class RoleForm(Form):
    """A role, and where it counts."""

    role = RadioField(
        N_("Role"),
        [InputRequired(N_("Please choose a role."))],
        choices=[SelectChoice(role.value, words) for role, words in ROLE_WORDS.items()],
    )
    where = SelectField(N_("Where"), choices=[])


class InviteForm(RoleForm):
    """Somebody new, with a first role."""

    name = StringField(N_("Name"), [InputRequired(N_("Please enter the name.")), Length(max=300)])
    email = EmailField(
        N_("E-mail address"),
        [
            InputRequired(N_("Please enter the e-mail address.")),
            Email(N_("Please check the e-mail address: something like name@example.org.")),
            Length(max=254),
        ],
    )


def _administrator(visit: Visit) -> None:
    """Raises Refusal NOT_ALLOWED for an administrator of something less than the town."""
    if not may(visit.by, Permission.ADMINISTER, municipality_id=visit.municipality_id):
        raise Refusal(Code.NOT_ALLOWED)


def _with_places(visit: Visit, form: RoleForm) -> None:
    every = procedures.for_staff(visit.session, visit.municipality_id)
    form.where.choices = [
        SelectChoice("", N_("In the whole town")),
        *(SelectChoice(str(row.id), procedures.localised(row, visit.language, "title")) for row in every),
    ]


def _grant(visit: Visit, person: Person, form: RoleForm) -> None:
    role = Role(form.role.data)
    procedure_id = int(form.where.data) if form.where.data else None
    if role in FOR_THE_TOWN and procedure_id is not None:
        raise Refusal(Code.ROLE_IS_FOR_TOWN, "where")
    people.grant(
        visit.session,
        person,
        role,
        municipality_id=visit.municipality_id,
        procedure_id=procedure_id,
        by=visit.by,
        now=visit.now,
    )


# --- the list --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Colleague:
    """One person at work: roles in words, and how the sign-in stands (kind and words of a status tag)."""

    name: str
    email: str
    url: str
    roles: tuple[str, ...]
    standing: tuple[str, str]


def _standing(visit: Visit, ways: Sequence[Identity]) -> tuple[str, str]:
    if ways and not any(way.is_active for way in ways):
        return "hidden", visit.gettext("switched off")
    if any(way.password_hash or way.kind == Kind.OIDC for way in ways):
        return "done", visit.gettext("can sign in")
    if any(way.invitation_expires_at and way.invitation_expires_at > visit.now for way in ways):
        return "waiting", visit.gettext("invited")
    return "late", visit.gettext("needs a link")


def _role_words(visit: Visit, row: RoleAssignment, titles: dict[int | None, str]) -> str:
    name = visit.gettext(ROLE_NAMES[Role(row.role)])
    return f"{name}: {titles.get(row.procedure_id, '')}" if row.procedure_id else name


def _titles(visit: Visit) -> dict[int | None, str]:
    return {
        row.id: procedures.localised(row, visit.language, "title")
        for row in procedures.for_staff(visit.session, visit.municipality_id)
    }


@page("/verwaltung/personal", name="staff", may=Permission.ADMINISTER)
def staff(visit: Visit) -> Response:
    """Everybody with a role in this town."""
    _administrator(visit)
    titles = _titles(visit)
    rows: dict[int, tuple[Person, list[str]]] = {}
    for person, assignment in people.staff_of(visit.session, visit.municipality_id):
        _, roles = rows.setdefault(person.id or 0, (person, []))
        roles.append(_role_words(visit, assignment, titles))
    ways = identity.identities_of(visit.session, rows.keys())
    colleagues = tuple(
        Colleague(
            person.name,
            person.email,
            visit.url("staff_member", person_id=person_id),
            tuple(roles),
            _standing(visit, ways[person_id]),
        )
        for person_id, (person, roles) in rows.items()
    )
    return visit.render("administration/staff.html", colleagues)


# --- somebody new ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LinkPage:
    """The link that is shown once, to be handed over; empty for who has an account already."""

    name: str
    email: str
    link: str
    until: datetime
    back: str


def _link_page(visit: Visit, person: Person, email: str, token: str) -> Response:
    link = visit.absolute("invitation", token=token) if token else ""
    shown = LinkPage(
        person.name or email,
        email,
        link,
        visit.now + identity.INVITATION_VALID,
        visit.url("staff_member", person_id=person.id),
    )
    return visit.render("administration/link.html", shown)


@page(
    "/verwaltung/personal/einladen", name="staff_invite", may=Permission.ADMINISTER, methods=("GET", "POST")
)
def invite(visit: Visit) -> Response:
    """Invite somebody: they choose their password themselves, with a link that works once."""
    _administrator(visit)
    form = visit.form(InviteForm)
    _with_places(visit, form)
    if visit.is_post and form.validate():
        try:
            person, token = identity.invite(
                visit.session,
                name=form.name.data or "",
                email=form.email.data or "",
                municipality_id=visit.municipality_id,
                by=visit.by,
                now=visit.now,
            )
            _grant(visit, person, form)
        except Refusal as refusal:
            visit.reject(form, refusal)
            _with_places(visit, form)
        else:
            return _link_page(visit, person, identity.normal_email(form.email.data or ""), token)
    return visit.render("administration/invite.html", form, status=422 if visit.is_post else 200)


# --- one colleague ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeldRole:
    """A role somebody holds here, with the address to take it away."""

    words: str
    url: str


@dataclass(frozen=True)
class Member:
    """One colleague: what they may do here, how they sign in, and what one may do about it."""

    id: int
    name: str
    email: str
    roles: tuple[HeldRole, ...]
    standing: tuple[str, str]
    last_used: datetime | None
    form: RoleForm
    may_manage: bool
    is_me: bool
    is_active: bool
    has_password_identity: bool
    done: str


#: What has just been done, as the address says it.
DONE = {
    "granted": N_("The role is given."),
    "revoked": N_("The role is taken away."),
    "off": N_("This account is switched off, and its sessions have ended."),
    "on": N_("This account can sign in again."),
}


def _member(visit: Visit) -> tuple[Person, list[RoleAssignment]]:
    """The colleague of the address. Raises Refusal NOT_FOUND for who has no role in this town."""
    _administrator(visit)
    wanted = visit.request.path_params["person_id"]
    found = [
        (person, row)
        for person, row in people.staff_of(visit.session, visit.municipality_id)
        if person.id == wanted
    ]
    if not found:
        visit.not_found()
    return found[0][0], [row for _, row in found]


def _show_member(
    visit: Visit, person: Person, roles: Sequence[RoleAssignment], form: RoleForm, *, status: int = 200
) -> Response:
    assert person.id is not None
    titles = _titles(visit)
    ways = identity.identities_of(visit.session, [person.id])[person.id]
    used = [way.last_used_at for way in ways if way.last_used_at is not None]
    done = visit.request.query_params.get("done", "")
    shown = Member(
        id=person.id,
        name=person.name or person.email,
        email=person.email,
        roles=tuple(
            HeldRole(
                _role_words(visit, row, titles),
                visit.url("role_revoke", person_id=person.id, assignment_id=row.id),
            )
            for row in roles
        ),
        standing=_standing(visit, ways),
        last_used=max(used, default=None),
        form=form,
        may_manage=identity.may_manage(visit.session, person, visit.by),
        is_me=person.id == visit.by.person_id,
        is_active=any(way.is_active for way in ways),
        has_password_identity=any(way.kind == Kind.PASSWORD for way in ways),
        done=visit.gettext(DONE[done]) if done in DONE else "",
    )
    return visit.render("administration/member.html", shown, status=status)


@page("/verwaltung/personal/{person_id:int}", name="staff_member", may=Permission.ADMINISTER)
def member(visit: Visit) -> Response:
    """Roles and sign-in of one colleague."""
    person, roles = _member(visit)
    form = RoleForm(meta={"locales": [visit.language], "gettext": visit.gettext})
    _with_places(visit, form)
    return _show_member(visit, person, roles, form)


@page(
    "/verwaltung/personal/{person_id:int}/rollen",
    name="role_grant",
    may=Permission.ADMINISTER,
    methods=("POST",),
)
def role_grant(visit: Visit) -> Response:
    """Give one more role."""
    person, roles = _member(visit)
    form = visit.form(RoleForm)
    _with_places(visit, form)
    if form.validate():
        try:
            _grant(visit, person, form)
        except Refusal as refusal:
            visit.reject(form, refusal)
        else:
            return visit.redirect("staff_member", person_id=person.id, done="granted")
    return _show_member(visit, person, roles, form, status=422)


@page(
    "/verwaltung/personal/{person_id:int}/rollen/{assignment_id:int}/entziehen",
    name="role_revoke",
    may=Permission.ADMINISTER,
    methods=("POST",),
)
def role_revoke(visit: Visit) -> Response:
    """Take a role away; not one's own as administrator, so that a town keeps one."""
    person, roles = _member(visit)
    found = next((row for row in roles if row.id == visit.request.path_params["assignment_id"]), None)
    if found is None:
        visit.not_found()
    if person.id == visit.by.person_id and found.role == Role.ADMINISTRATOR:
        raise Refusal(Code.OWN_ACCOUNT)
    people.revoke(visit.session, found, by=visit.by, now=visit.now)
    if len(roles) == 1:
        return visit.redirect("staff")
    return visit.redirect("staff_member", person_id=person.id, done="revoked")


@page(
    "/verwaltung/personal/{person_id:int}/einladung",
    name="staff_link",
    may=Permission.ADMINISTER,
    methods=("POST",),
)
def new_link(visit: Visit) -> Response:
    """A new link, for who has lost the first one or the password."""
    person, _ = _member(visit)
    assert person.id is not None
    ways = identity.identities_of(visit.session, [person.id])[person.id]
    way = next((way for way in ways if way.kind == Kind.PASSWORD), None)
    if way is None:
        way = identity.add_password_identity(visit.session, person, by=visit.by, now=visit.now)
    token = identity.renew_invitation(visit.session, way, by=visit.by, now=visit.now)
    return _link_page(visit, person, way.email or "", token)


@page(
    "/verwaltung/personal/{person_id:int}/sperren",
    name="staff_off",
    may=Permission.ADMINISTER,
    methods=("POST",),
)
def switch_off(visit: Visit) -> Response:
    """Nobody signs in with this account any more, from now on."""
    person, _ = _member(visit)
    identity.set_active(visit.session, person, False, by=visit.by, now=visit.now)
    return visit.redirect("staff_member", person_id=person.id, done="off")


@page(
    "/verwaltung/personal/{person_id:int}/freigeben",
    name="staff_on",
    may=Permission.ADMINISTER,
    methods=("POST",),
)
def switch_on(visit: Visit) -> Response:
    """The account may sign in again."""
    person, _ = _member(visit)
    identity.set_active(visit.session, person, True, by=visit.by, now=visit.now)
    return visit.redirect("staff_member", person_id=person.id, done="on")
