"""One's own account: signing in and out, choosing a password, and the list of places where one is signed in."""

import re
from dataclasses import dataclass
from datetime import datetime

from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response
from wtforms import EmailField, Form, HiddenField, PasswordField
from wtforms.validators import InputRequired

from consultations import agencies, people
from consultations.municipalities import names_of
from consultations.permissions import Permission, Role
from consultations.refusals import Code, Refusal
from participation import identity, openid, security
from participation.identity import (
    ABSOLUTE,
    COOKIE,
    OPENID_COOKIE,
    OPENID_PATIENCE,
    Identity,
)
from participation.openid import Claims, Provider
from participation.web import PAGES, Visit, page, path_for

#: Marks a message for the catalogues.
N_ = str

ROLE_NAMES = {
    Role.CLERK: N_("Intake clerk"),
    Role.MODERATOR: N_("Moderator"),
    Role.PLANNER: N_("Planner"),
    Role.EVALUATOR: N_("Evaluator of an office"),
    Role.ADMINISTRATOR: N_("Administrator"),
    Role.OPERATOR: N_("Operator of the installation"),
}

#: A path on this site: one slash at its start, and nothing that a browser might read as another site.
_OWN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")


class SignInForm(Form):
    """Address and password."""

    next = HiddenField()
    email = EmailField(N_("E-mail address"), [InputRequired(N_("Please enter your e-mail address."))])
    password = PasswordField(N_("Password"), [InputRequired(N_("Please enter your password."))])


class NewPasswordForm(Form):
    """A password that is chosen with an invitation."""

    password = PasswordField(N_("New password"), [InputRequired(N_("Please choose a password."))])


class ChangePasswordForm(NewPasswordForm):
    """A new password, and the old one to prove who asks."""

    old = PasswordField(N_("Present password"), [InputRequired(N_("Please enter your present password."))])


# --- in and out ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SignInPage:
    """The form, and the buttons of providers: label and address each; `is_to_take_part`: somebody comes from a public page that
    asks for an account."""

    form: SignInForm
    providers: tuple[tuple[str, str], ...]
    is_to_take_part: bool


def _providers(visit: Visit) -> tuple[Provider, ...]:
    configured = openid.providers(visit.house.settings.oidc)
    return tuple(provider for provider in configured if provider.serves(visit.municipality_row.key))


def _sign_in_page(visit: Visit, form: SignInForm, *, status: int = 200) -> Response:
    links = tuple(
        (provider.label, visit.url("openid_begin", provider=provider.key, next=form.next.data))
        for provider in _providers(visit)
    )
    is_to_take_part = (form.next.data or "").startswith(visit.url("hearings") + "/")
    return visit.render("account/sign_in.html", SignInPage(form, links, is_to_take_part), status=status)


def _after_sign_in(visit: Visit, wanted: str | None, person_id: int) -> Response:
    """To the page that somebody wanted before they were asked to sign in, if it is one of ours; whoever works for an
    agency and has no role here, to the agency's requests."""
    if wanted and _OWN_PATH.fullmatch(wanted):
        return RedirectResponse(wanted, status_code=303)
    actor = people.actor_of(visit.session, person_id)
    if (actor is None or not actor.grants) and agencies.works_for(
        visit.session, visit.municipality_id, person_id
    ):
        return visit.redirect("agency_account")
    return visit.redirect("desk" if "desk" in PAGES else "account")


def _user_agent(visit: Visit) -> str:
    return visit.request.headers.get("user-agent", "")


@page("/anmelden", name="sign_in", may=Permission.READ_PUBLIC, methods=("GET", "POST"))
async def sign_in(visit: Visit) -> Response:
    """`async`, because checking a password takes its time and must not keep the writers' line waiting."""
    form = visit.form(SignInForm)
    if not visit.is_post:
        return visit.redirect("account") if visit.actor else _sign_in_page(visit, form)
    if not form.validate():
        return _sign_in_page(visit, form, status=422)
    account, password = identity.normal_email(form.email.data or ""), form.password.data or ""
    tries, address = visit.house.limiter, security.address_of(visit.request.scope)

    def check() -> Identity:
        security.check_sign_in(tries, account, address)
        try:
            found = identity.check_password(
                visit.session, account, password, municipality_id=visit.municipality_id, now=visit.now
            )
        except Refusal:
            security.sign_in_failed(tries, account, address)
            raise
        security.sign_in_succeeded(tries, account, address)
        return found

    try:
        known = await visit.in_thread(check, line=visit.house.passwords)
    except Refusal as refusal:
        form.form_errors.append(visit.explain(refusal))
        if refusal.code is Code.DATABASE_BUSY:
            return _sign_in_page(visit, form, status=503)
        if refusal.code is not Code.TOO_MANY_TRIES:
            return _sign_in_page(visit, form, status=422)
        answer = _sign_in_page(visit, form, status=429)
        answer.headers["Retry-After"] = str(refusal.facts["retry_after"])
        return answer
    await visit.in_thread(lambda: _open_session(visit, known), write=True)
    return await visit.in_thread(lambda: _after_sign_in(visit, form.next.data, known.person_id))


def _open_session(visit: Visit, known: Identity, claims: Claims | None = None) -> None:
    token = identity.sign_in(
        visit.session,
        known.person_id,
        now=visit.now,
        user_agent=_user_agent(visit),
        previous_token=visit.request.cookies.get(COOKIE, ""),
        identity=known,
        data={"sid": claims.sid} if claims and claims.sid else {},
    )
    visit.set_cookie(COOKIE, token, max_age=int(ABSOLUTE.total_seconds()))


@page("/abmelden", name="sign_out", may=Permission.READ_PUBLIC, methods=("POST",))
def sign_out(visit: Visit) -> Response:
    """End this session; what other people's browsers hold stays."""
    identity.sign_out(visit.session, visit.request.cookies.get(COOKIE, ""), now=visit.now)
    visit.set_cookie(COOKIE, "", max_age=0)
    return visit.redirect("home" if "home" in PAGES else "sign_in")


# --- by a provider ---------------------------------------------------------------------------------


def _provider(visit: Visit) -> Provider:
    wanted = visit.request.path_params["provider"]
    found = next((provider for provider in _providers(visit) if provider.key == wanted), None)
    return found or visit.not_found()


@page("/anmelden/openid/{provider}", name="openid_begin", may=Permission.READ_PUBLIC)
async def openid_begin(visit: Visit) -> Response:
    """Off to the provider. A link and not a form, because our policy lets forms go to ourselves only."""
    provider = _provider(visit)
    # The host is the one the browser came by, where its cookies are; the provider knows which ones are ours.
    back = f"{visit.request.url.scheme}://{visit.request.url.netloc}"
    back += path_for("openid_return", provider=provider.key)
    url, kept = await openid.begin(provider, visit.request, back)
    remembered = {
        "provider": provider.key,
        "authlib": kept,
        "next": visit.request.query_params.get("next", ""),
    }

    def remember() -> str:
        return identity.begin_openid(visit.session, remembered, now=visit.now, user_agent=_user_agent(visit))

    token = await visit.in_thread(remember, write=True)
    visit.set_cookie(OPENID_COOKIE, token, max_age=int(OPENID_PATIENCE.total_seconds()))
    return RedirectResponse(url, status_code=303)


@page("/anmelden/openid/{provider}/zurueck", name="openid_return", may=Permission.READ_PUBLIC)
async def openid_return(visit: Visit) -> Response:
    """Back from the provider, with its word for who this is."""
    provider = _provider(visit)
    token = visit.request.cookies.get(OPENID_COOKIE, "")
    visit.set_cookie(OPENID_COOKIE, "", max_age=0)
    try:
        remembered = await visit.in_thread(lambda: identity.openid_kept(visit.session, token, now=visit.now))
        if remembered.get("provider") != provider.key:
            raise Refusal(Code.SIGN_IN_INTERRUPTED)
        claims = await openid.finish(provider, visit.request, remembered["authlib"])
    except Refusal as refusal:
        form = SignInForm(FormData(), meta={"locales": [visit.language], "gettext": visit.gettext})
        form.form_errors.append(visit.explain(refusal))
        return _sign_in_page(visit, form, status=422)

    entered: list[int] = []

    def enter() -> bool:
        identity.sign_out(visit.session, token, now=visit.now)
        known = identity.identity_of_claims(
            visit.session, provider, claims, municipality_id=visit.municipality_id, now=visit.now
        )
        if known is not None:
            _open_session(visit, known, claims)
            entered.append(known.person_id)
        return known is not None

    if not await visit.in_thread(enter, write=True):
        return visit.render("account/no_role.html", provider.label, status=403)
    return await visit.in_thread(lambda: _after_sign_in(visit, remembered.get("next"), entered[0]))


@page(
    "/anmelden/openid/{provider}/abmelden",
    name="openid_logout",
    may=Permission.READ_PUBLIC,
    methods=("POST",),
)
async def openid_logout(visit: Visit) -> Response:
    """The provider itself says that somebody has signed out there (OpenID Connect Back-Channel Logout 1.0)."""
    provider = _provider(visit)
    sent = visit.form_data.get("logout_token", "")
    try:
        claims = await openid.logout(provider, sent if isinstance(sent, str) else "", now=visit.now)
    except Refusal:
        return Response(status_code=400, headers={"Cache-Control": "no-store"})
    await visit.in_thread(lambda: identity.sign_out_claims(visit.session, claims, now=visit.now), write=True)
    return Response(status_code=200, headers={"Cache-Control": "no-store"})


# --- invitations -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class InvitationPage:
    """The form in which an invited person chooses the password, and for which address."""

    form: NewPasswordForm
    email: str
    minimum: int


@page("/einladung/{token}", name="invitation", may=Permission.READ_PUBLIC, methods=("GET", "POST"))
def invitation(visit: Visit) -> Response:
    """The link that an administrator has handed over."""
    token = visit.request.path_params["token"]
    form = visit.form(NewPasswordForm)
    invited = identity.invited(visit.session, token, now=visit.now)
    actor = people.actor_of(visit.session, invited.person_id)
    works_here = actor is not None and any(
        grant.municipality_id in (None, visit.municipality_id) for grant in actor.grants
    )
    if not works_here and not agencies.works_for(visit.session, visit.municipality_id, invited.person_id):
        visit.not_found()
    shown = InvitationPage(form, invited.email or "", identity.MINIMUM_PASSWORD_LENGTH)
    if visit.is_post and form.validate():
        try:
            known = identity.accept_invitation(visit.session, token, form.password.data or "", now=visit.now)
        except Refusal as refusal:
            visit.reject(form, refusal)
        else:
            _open_session(visit, known)
            return _after_sign_in(visit, None, known.person_id)
    return visit.render("account/invitation.html", shown, status=422 if visit.is_post else 200)


# --- my account ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SessionRow:
    """One place where somebody is signed in."""

    id: str
    browser: str
    since: datetime
    seen: datetime
    is_this: bool


@dataclass(frozen=True)
class AccountPage:
    """Who one is here, with which roles (role, where), by which ways, and where one is signed in."""

    name: str
    roles: tuple[tuple[str, str], ...]
    ways: tuple[str, ...]
    has_password: bool
    sessions: tuple[SessionRow, ...]
    done: str


#: What has just been done, as the address says it.
DONE = {
    "session": N_("That session has ended."),
    "sessions": N_("All other sessions have ended."),
    "password": N_("Your password is changed, and you are signed out everywhere else."),
}

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows")),
    *(("Mac OS", "macOS"), ("Linux", "Linux")),
)


def describe_browser(visit: Visit, user_agent: str) -> str:
    """A browser in words that its owner recognises: "Firefox, Linux"."""
    found = [
        next((name for mark, name in marks if mark in user_agent), "") for marks in (_BROWSERS, _SYSTEMS)
    ]
    return ", ".join(name for name in found if name) or visit.gettext("Unknown browser")


def _my_id(visit: Visit) -> int:
    assert visit.by.person_id is not None
    return visit.by.person_id


@page("/konto", name="account", may=Permission.SEE_OWN_ACCOUNT)
def account(visit: Visit) -> Response:
    """Everything the house knows about one's own account."""
    me = _my_id(visit)
    here = identity.id_of_token(visit.request.cookies.get(COOKIE, ""))
    towns = names_of(visit.session, {grant.municipality_id for grant in visit.by.grants})
    ways = identity.identities_of(visit.session, [me])[me]
    labels = {provider.issuer.rstrip("/"): provider.label for provider in _providers(visit)}
    shown = AccountPage(
        name=visit.by.name,
        roles=tuple(
            (
                visit.gettext(ROLE_NAMES[grant.role]),
                towns.get(grant.municipality_id, visit.gettext("everywhere")),
            )
            for grant in visit.by.grants
        ),
        ways=tuple(
            visit.gettext("Password, with %(email)s", email=way.email)
            if way.kind == identity.Kind.PASSWORD
            else labels.get((way.issuer or "").rstrip("/"), way.issuer or "")
            for way in ways
            if way.password_hash or way.kind == identity.Kind.OIDC
        ),
        has_password=any(way.password_hash for way in ways),
        sessions=tuple(
            SessionRow(
                row.id, describe_browser(visit, row.user_agent), row.created_at, row.seen_at, row.id == here
            )
            for row in identity.sessions_of(visit.session, me, now=visit.now)
        ),
        done=visit.gettext(DONE[key]) if (key := visit.request.query_params.get("done", "")) in DONE else "",
    )
    return visit.render("account/account.html", shown)


@page(
    "/konto/sitzungen/{session_id}/beenden",
    name="session_end",
    may=Permission.SEE_OWN_ACCOUNT,
    methods=("POST",),
)
def session_end(visit: Visit) -> Response:
    """End one of one's own sessions, wherever it is."""
    identity.revoke(visit.session, visit.request.path_params["session_id"], by=visit.by, now=visit.now)
    return visit.redirect("account", done="session")


@page("/konto/sitzungen/beenden", name="sessions_end", may=Permission.SEE_OWN_ACCOUNT, methods=("POST",))
def sessions_end(visit: Visit) -> Response:
    """End all sessions but this one."""
    here = visit.request.cookies.get(COOKIE, "")
    identity.revoke_all(visit.session, _my_id(visit), now=visit.now, except_token=here)
    return visit.redirect("account", done="sessions")


@page("/konto/passwort", name="password", may=Permission.SEE_OWN_ACCOUNT, methods=("GET", "POST"))
def password(visit: Visit) -> Response:
    """Change one's own password; all other sessions end, for that is often why one does it."""
    me = _my_id(visit)
    mine = next((way for way in identity.identities_of(visit.session, [me])[me] if way.password_hash), None)
    if mine is None:
        visit.not_found()
    form = visit.form(ChangePasswordForm)
    tries, address = visit.house.limiter, security.address_of(visit.request.scope)
    if visit.is_post and form.validate():
        try:
            security.check_sign_in(tries, mine.email or "", address)
            identity.change_password(
                visit.session, mine, form.old.data or "", form.password.data or "", by=visit.by, now=visit.now
            )
        except Refusal as refusal:
            if refusal.code is Code.SIGN_IN_FAILED:
                security.sign_in_failed(tries, mine.email or "", address)
            visit.reject(form, refusal)
        else:
            here = visit.request.cookies.get(COOKIE, "")
            identity.revoke_all(visit.session, me, now=visit.now, except_token=here)
            return visit.redirect("account", done="password")
    shown = InvitationPage(form, mine.email or "", identity.MINIMUM_PASSWORD_LENGTH)
    return visit.render("account/password.html", shown, status=422 if visit.is_post else 200)
