"""The web storey's one idea: a `Visit`, a page that says who may enter, a handler that is a plain function.

A handler is an ordinary function `def show(visit: Visit) -> Response`. It runs in a worker thread inside one
unit of work: what it returns is committed (unsafe methods), what it raises is rolled back. Pages that are the
same for everybody (`shared=True`) are made once per change: as long as the municipality's journal has not moved
on and the day is the same, the finished page is sent again without touching a thread.
"""

import asyncio
import gzip
import hashlib
import inspect
import re
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from urllib.parse import quote, urlencode

import anyio.to_thread
import jinja2
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from wtforms import Form

from consultations import municipalities
from consultations.deadlines import local_date
from consultations.municipalities import Municipality
from consultations.permissions import PUBLIC, Actor, Permission, may
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from consultations.text import excerpt, plain_paragraphs, render_markdown, without_controls
from geo import loading
from participation import i18n, identity
from participation.database import unit_of_work
from participation.house import House, KeptPage
from participation.inspections import Inspections
from participation.messages import STATUS, explain, explain_status
from participation.sent_forms import FIELD_LIMIT, SMALL_BODY, has_parts, read_form
from participation.settings import LANGUAGES, ROOT, Settings
from participation.shared_pages import (
    DECKS,
    LARGEST_PICTURE_KEPT,
    deal_of,
    etag_of,
    finished,
    host_of,
    look_of,
    send_kept,
    shared_key,
    told_nothing,
)

FormT = TypeVar("FormT", bound=Form)
ResultT = TypeVar("ResultT")


# --- routes ----------------------------------------------------------------------------------------

#: An `async` handler runs in the event loop, for pages that wait for another server.
#: Octets, or how many the settings allow.
BodyLimit = int | Callable[[Settings], int]
Handler = Callable[["Visit"], Response | Awaitable[Response]]


@dataclass(frozen=True)
class Page:
    """A route with everything the house wants to know about it."""

    path: str
    name: str
    may: Permission
    methods: tuple[str, ...]
    handler: Handler
    shared: bool
    long: bool
    dealt: bool
    body_limit: BodyLimit
    own_cookie: str


#: Every page by name, in the order in which they were written; filled by `page`.
PAGES: dict[str, Page] = {}

#: Octets from which on an answer is sent compressed.
WORTH_COMPRESSING = 1000


def page(
    path: str,
    *,
    name: str,
    may: Permission,
    methods: tuple[str, ...] = ("GET",),
    shared: bool = False,
    long: bool = False,
    dealt: bool = False,
    body_limit: BodyLimit = SMALL_BODY,
    own_cookie: str = "",
) -> Callable[[Handler], Handler]:
    """Register a handler under a path (Starlette's syntax, `{slug}`) and say who may enter.

    `shared`: the page is the same for every visitor without an account, given municipality, language, look
    and address; it may then be kept. The handler is shown nothing else of the visitor (no cookie, no browser).
    `long`: it may take seconds to make, so it stands in a line of its own (`House.long_makers`).
    `dealt`: the page has an order by chance, and is the same for those who are dealt the same one (`visit.deal`).
    `own_cookie`: a browser that sends this cookie sees something of its own on the page, which is made for it alone then.
    `body_limit`: octets of a request's body, or what makes them of the settings. A page with a larger one takes in files:
    what was typed beside them is read even if they are too large (`visit.uploads`).
    """

    def register(handler: Handler) -> Handler:
        if name in PAGES:
            raise ValueError(f"two pages are called {name}")
        PAGES[name] = Page(path, name, may, methods, handler, shared, long, dealt, body_limit, own_cookie)
        return handler

    return register


def path_for(name: str, /, **params: object) -> str:
    """The path of a page; parameters that are not in its path become the query. Raises KeyError for unknown names."""
    path = PAGES[name].path
    query = {}
    for key, value in params.items():
        for slot in (f"{{{key}}}", f"{{{key}:int}}", f"{{{key}:path}}"):
            if slot in path:
                path = path.replace(slot, quote(str(value), safe="/" if slot.endswith(":path}") else ""))
                break
        else:
            if value is not None and value != "":
                query[key] = value
    return f"{path}?{urlencode(query, doseq=True)}" if query else path


def language_prefix(language: str) -> str:
    """What an address begins with in a language; nothing in the first one."""
    return "" if language == next(iter(LANGUAGES)) else f"/{language}"


# --- templates -------------------------------------------------------------------------------------


def _compiled_templates() -> jinja2.BytecodeCache | None:
    """Where compiled templates are kept; what compiling takes would stay in every process.

    This file says how templates are compiled (escaping, above all): a change of it makes other names.
    """
    folder = i18n.compiled_beside(ROOT / "templates", "templates")
    if folder is None:
        return None
    made_by = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    return jinja2.FileSystemBytecodeCache(str(folder), f"{made_by}-%s")


@cache
def environment(language: str) -> jinja2.Environment:
    """The templates in a language: autoescaped, undefined names are errors, filters speak the language."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
        bytecode_cache=_compiled_templates(),
    )
    words = i18n.translations(language)
    templates.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    templates.filters |= {
        name: (lambda value, *rest, _function=function: _function(value, *rest, language))
        for name, function in i18n.FILTERS.items()
    }
    templates.filters |= {
        "markdown": render_markdown,
        "paragraphs": plain_paragraphs,
        "excerpt": excerpt,
    }
    return templates


# --- the visit -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contact:
    """How to reach the town, as base.html shows it on every page; each may be empty."""

    office: str = ""
    phone: str = ""
    email: str = ""
    address: str = ""
    hours: str = ""
    step_free: str = ""


@dataclass(frozen=True)
class Town:
    """What every page shows of the municipality."""

    name: str
    logo: str
    contact: Contact


@dataclass(frozen=True)
class Visitor:
    """The signed-in person as base.html shows them."""

    name: str
    is_staff: bool


class Visit:
    """One request by one person: who, where, in which language, at which moment.

    The moment is frozen, so that one request never sees two days.
    """

    def __init__(
        self,
        request: Request,
        house: House,
        session: Session,
        municipality: Municipality,
        actor: Actor,
        form_data: FormData | None = None,
    ) -> None:
        self.request = request
        self.house = house
        self.session = session
        self.municipality_row = municipality
        self.actor_row = actor
        self.form_data = form_data if form_data is not None else FormData()
        self.language: str = request.scope["language"]
        self.now: datetime = request.scope["now"]
        self._look = look_of(request)
        self.cookies_to_set: list[tuple[str, str, int]] = []

    # who and when

    @property
    def municipality_id(self) -> int:
        assert self.municipality_row.id is not None
        return self.municipality_row.id

    @property
    def today(self) -> date:
        return local_date(self.now)

    @property
    def deal(self) -> str:
        """Which of today's orders by chance is the visitor's; of pages that are `dealt`."""
        return str(self.request.scope["deal"])

    def is_deal(self, text: str) -> bool:
        """Whether this is an order by chance that somebody was dealt today or yesterday."""
        day, _, number = text.partition("-")
        days = [f"{self.today - timedelta(days=ago):%Y%m%d}" for ago in (0, 1)]
        return day in days and number in {str(each) for each in range(DECKS)}

    def once_per_change(self, name: str, *about: Hashable, make: Callable[[], ResultT]) -> ResultT:
        """What `make` finds out about the town, looked up once until the town's journal moves on."""
        site = self.request.scope.get("site")
        return make() if site is None else self.house.fact((*site, name, *about), make)

    @property
    def by(self) -> Actor:
        """Who acts, for the verbs of the domain."""
        return self.actor_row

    def may(self, permission: Permission, procedure: Procedure | None = None) -> bool:
        """Whether the visitor may do this here; for a procedure, or for any one of the municipality."""
        return bool(
            may(
                self.actor_row,
                permission,
                municipality_id=self.municipality_id,
                procedure_id=procedure.id if procedure else None,
                anywhere=procedure is None,
            )
        )

    def require(self, permission: Permission, procedure: Procedure | None = None) -> None:
        """Raises Refusal NOT_ALLOWED unless the visitor may."""
        if not self.may(permission, procedure):
            raise Refusal(Code.NOT_ALLOWED)

    # what templates read

    @cached_property
    def municipality(self) -> Town:
        known = {
            name: str(self.municipality_row.contact.get(name, "")) for name in Contact.__dataclass_fields__
        }
        contact = self.municipality_row.contact
        if not known["address"]:
            known["address"] = "\n".join(
                line
                for line in (
                    contact.get("street", ""),
                    f"{contact.get('postcode', '')} {contact.get('city', '')}".strip(),
                )
                if line
            )
        return Town(
            self.municipality_row.name, str(self.municipality_row.theme.get("logo", "")), Contact(**known)
        )

    @cached_property
    def actor(self) -> Visitor | None:
        if not self.actor_row.is_signed_in:
            return None
        return Visitor(self.actor_row.name, self.may(Permission.ENTER_STAFF))

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(code for code in self.municipality_row.languages if code in LANGUAGES)

    @property
    def theme(self) -> str:
        return self._look[0]

    @property
    def text_size(self) -> str:
        return self._look[1]

    @cached_property
    def theme_url(self) -> str:
        colours = repr(sorted(self.municipality_row.theme.items()))
        return f"/theme.css?v={hashlib.sha256(colours.encode()).hexdigest()[:12]}"

    @cached_property
    def nav(self) -> tuple[tuple[str, str, bool], ...]:
        here = self.request.scope["route_name"]
        entries = (
            ("hearings", self.gettext("Consultations"), ("home", "hearings", "hearing")),
            ("map", self.gettext("Map"), ("map",)),
            ("lookup", self.gettext("Look up my contribution"), ("lookup", "contribution")),
            ("offline", self.gettext("Take part without the internet"), ("offline",)),
        )
        return tuple(
            (label, self.url(name), here in names) for name, label, names in entries if name in PAGES
        )

    def gettext(self, message: str, **facts: object) -> str:
        """A message in the visitor's language, with its values filled in."""
        translated = i18n.translations(self.language).gettext(message)
        return translated % facts if facts else translated

    def ngettext(self, one: str, many: str, number: int, **facts: object) -> str:
        """A message that counts, in the visitor's language."""
        return i18n.translations(self.language).ngettext(one, many, number) % {"num": number, **facts}

    def url(self, name: str, /, **params: object) -> str:
        """The address of a page in the visitor's language."""
        return language_prefix(self.language) + path_for(name, **params)

    @property
    def two_columns(self) -> tuple[bool, str]:
        """Whether a comparison is asked for in two columns (`ansicht=nebeneinander`), and the address of the other view."""
        is_asked = self.request.query_params.get("ansicht") == "nebeneinander"
        other = {} if is_asked else {"ansicht": "nebeneinander"}
        return is_asked, self.url(self.request.scope["route_name"], **self.request.path_params, **other)

    def alternate(self, language: str) -> str:
        """This page in another language."""
        query = self.request.url.query
        # Two slashes at its start (`//example.org`) would be another site's address.
        path = "/" + self.request.scope["path_without_language"].lstrip("/")
        return language_prefix(language) + quote(path) + (f"?{query}" if query else "")

    @cached_property
    def base(self) -> str:
        """Scheme, host and port of the town for mails, letters and feeds: as configured, never as requested."""
        hosts = municipalities.hosts_of(self.session, self.municipality_id)
        return public_address(self.house.settings, hosts)

    def absolute(self, name: str, /, **params: object) -> str:
        """The full address of a page."""
        return self.base + self.url(name, **params)

    def static(self, path: str) -> str:
        """The address of a file in static/, with its hash."""
        return self.house.static.url(path)

    # forms

    @property
    def is_post(self) -> bool:
        return self.request.method == "POST"

    def form(
        self, kind: type[FormT], /, *, prefix: str = "", sent: FormData | None = None, **defaults: Any
    ) -> FormT:
        """A form filled with what was sent (POST: body, GET: query) or with defaults, speaking the language.

        `prefix` stands before the names of its fields, for forms with rows; `sent` takes the place of the request's.
        """
        source: Mapping[str, Any] | FormData = sent if sent is not None else self._sent
        data = _MultiDict(source) if source else None
        meta = {"locales": [self.language], "gettext": self.gettext}
        filled: FormT = kind(data, data=defaults, prefix=prefix, meta=meta)
        return filled

    @property
    def _sent(self) -> Mapping[str, Any] | FormData:
        return self.form_data if self.is_post else self.request.query_params

    def uploads(self, name: str) -> list[UploadFile]:
        """The files sent under a name; an empty file field sends none.

        Raises Refusal UPLOAD_TOO_LARGE with that name as its field, where the files of this sending were too large to be
        taken in at all; what was typed beside them is there.
        """
        refusal: Refusal | None = self.request.scope.get("too_large")
        if refusal is not None:
            raise Refusal(refusal.code, name, **refusal.facts)
        return [
            value
            for value in self.form_data.getlist(name)
            if isinstance(value, UploadFile) and value.filename
        ]

    def explain(self, refusal: Refusal) -> str:
        """A refusal as a sentence in the visitor's language."""
        return explain(refusal, self.language)

    def reject(self, form: Form, refusal: Refusal) -> None:
        """Take back what this request did so far and put the refusal to the form, at its field if it names one."""
        self.session.rollback()
        message = self.explain(refusal)
        target = form._fields.get(refusal.field or "")
        if target is not None:
            target.errors = [*target.errors, message]
        else:
            form.form_errors.append(message)

    # answers

    def render(self, template: str, page: object = None, *, status: int = 200, **extra: object) -> Response:
        """An HTML page. `page` is a frozen dataclass with everything the template shows; forms go in `extra`."""
        # What was sent and could not be done is said in the title, which is what a screen reader reads first.
        refused = status >= 400 and not isinstance(page, ErrorPage)
        body = (
            environment(self.language)
            .get_template(template)
            .render(visit=self, page=page, refused=refused, **extra)
        )
        return Response(body, status, media_type="text/html; charset=utf-8")

    def redirect(self, name: str, /, **params: object) -> Response:
        """Go on to another page (303)."""
        return RedirectResponse(self.url(name, **params), status_code=303)

    @property
    def is_saved(self) -> bool:
        """Whether this page follows a form that was done and has no words of its own for it (`gespeichert`)."""
        return not self.is_post and "gespeichert" in self.request.query_params

    def set_cookie(self, name: str, value: str, *, max_age: int) -> None:
        """Set a cookie with the answer (HttpOnly, SameSite=Lax, Secure on https)."""
        self.cookies_to_set.append((name, value, max_age))

    async def in_thread(
        self,
        work: Callable[[], ResultT],
        *,
        write: bool = False,
        hands_in: bool = False,
        line: Inspections | None = None,
    ) -> ResultT:
        """Run `work` in a worker thread with a unit of work of its own as `visit.session`; for `async` handlers.

        What it returns is committed (with `write`), what it raises is rolled back. `hands_in`: many may do so at once.
        `line`: whose threads do it, for what costs so much that pages must not wait for many of it.
        """
        town = self.municipality_id if hands_in else None

        def run() -> ResultT:
            with unit_of_work(self.house.engine, write=write, brief=True, town=town) as self.session:
                return work()

        return await (run_in_threadpool(run) if line is None else line.run(run))

    def not_found(self) -> NoReturn:
        """Raises Refusal NOT_FOUND."""
        raise Refusal(Code.NOT_FOUND)


class _MultiDict:
    """What WTForms wants to read a form from; files are left to `Visit.uploads`."""

    def __init__(self, sent: Any) -> None:
        self._sent = sent

    def __iter__(self) -> Iterator[str]:
        return iter(self._sent)

    def __len__(self) -> int:
        return len(self._sent)

    def __contains__(self, name: str) -> bool:
        return name in self._sent

    def getlist(self, name: str) -> list[str]:
        return [without_controls(value) for value in self._sent.getlist(name) if isinstance(value, str)]


def public_address(settings: Settings, hosts: list[str]) -> str:
    """Scheme, host and port under which a municipality is reached from outside."""
    port = f":{settings.public_port}" if settings.public_port else ""
    return f"{settings.public_url_scheme}://{hosts[0] if hosts else 'localhost'}{port}"


def row_number(typed: str | None) -> int | None:
    """A row's number as a form or address sends it; 0, which no row has, for anything that is no number."""
    if not typed:
        return None
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0


def _can_exist(request: Request) -> bool:
    """Whether a row or file of this address can exist at all: no database takes larger numbers, PostgreSQL no NUL."""
    values = request.path_params.values()
    return all(value < 2**31 if isinstance(value, int) else "\0" not in str(value) for value in values)


# --- running a page --------------------------------------------------------------------------------


def endpoint(page: Page, house: House, *, draws: bool = False) -> Callable[[Request], Any]:
    """The ASGI-side of a page: read the form, run the handler in a thread, keep shared pages.

    `draws`: what it takes to draw is loaded before the handler runs.
    """

    async def run(request: Request) -> Response:
        if not _can_exist(request):
            raise Refusal(Code.NOT_FOUND)
        # What no text holds and PostgreSQL refuses; the rest of the question is still one.
        request.scope["query_string"] = request.scope["query_string"].replace(b"%00", b"")
        request.scope["now"] = house.clock()
        request.scope["route_name"] = page.name
        limit = page.body_limit if isinstance(page.body_limit, int) else page.body_limit(house.settings)
        request.scope["body_limit"] = limit
        request.scope["reads_on"] = limit > SMALL_BODY and has_parts(request)
        token = request.cookies.get(identity.COOKIE, "")
        is_own = bool(token) or bool(page.own_cookie and page.own_cookie in request.cookies)
        shareable = page.shared and not is_own and request.method in ("GET", "HEAD")
        if page.dealt:
            request.scope["deal"] = deal_of(request, house)
        if shareable and (key := await shared_key(request, house)):
            kept = house.find(key)
            if kept is None and key in house.making:
                # Somebody is making it. Who made it may have failed, or may have gone away: then this one does.
                await asyncio.shield(house.making[key])
                kept = house.find(key)
            if kept is not None:
                return send_kept(request, kept)
            if inspect.iscoroutinefunction(page.handler):
                return await _ask_for_all(page, house, request, key)
            return await _make_shared(page, house, request, key, draws=draws)
        form = FormData()
        if draws and not loading.is_done():
            await run_in_threadpool(loading.load)
        if request.method not in ("GET", "HEAD"):
            if limit > SMALL_BODY and page.may not in (Permission.READ_PUBLIC, Permission.TAKE_PART):
                # Who may not enter need not send half a gigabyte first.
                await run_in_threadpool(_check_entry, page, house, request, token)
            form = await read_form(request, min(limit, FIELD_LIMIT))
        try:
            if inspect.iscoroutinefunction(page.handler):
                response = await _handle_waiting(page, house, request, token, form)
            else:
                # A cookie that anybody can make up is enough for a page of one's own: it stands in the same line.
                line = house.long_makers if page.long else None
                response = await anyio.to_thread.run_sync(
                    _handle, page, house, request, token, form, limiter=line
                )
        finally:
            await form.close()
        return await _sent_once(page, request, token, response)

    return run


async def _make_shared(
    page: Page, house: House, request: Request, key: tuple[object, ...], *, draws: bool
) -> Response:
    """Make a page for everybody, keep it, and let those have it who wait for it."""
    made = asyncio.get_running_loop().create_future()
    is_first = house.making.setdefault(key, made) is made
    blind = told_nothing(request)

    def make() -> tuple[Response, KeptPage | None]:
        if draws and not loading.is_done():
            loading.load()
        response = _handle(page, house, blind, "", FormData())
        is_for_all = response.status_code == 200 and "no-store" not in response.headers.get(
            "cache-control", ""
        )
        return response, finished(response) if is_for_all else None

    line = house.long_makers if page.long else None if draws else house.makers
    try:
        response, kept = await anyio.to_thread.run_sync(make, limiter=line)
        if kept is not None:
            house.keep(key, kept)
            return send_kept(request, kept)
    finally:
        if is_first:
            del house.making[key]
            made.set_result(None)
    return await _sent_once(page, request, "", response)


async def _ask_for_all(page: Page, house: House, request: Request, key: tuple[object, ...]) -> Response:
    """What somebody else is asked for, for everybody: kept as long as it says itself (`max-age`), or not at all."""
    response = await _handle_waiting(page, house, told_nothing(request), "", FormData())
    said = response.headers.get("cache-control", "")
    lasts = re.search(r"max-age=(\d+)", said)
    if response.status_code == 200 and lasts and len(response.body) <= LARGEST_PICTURE_KEPT:
        kept = KeptPage(
            body=bytes(response.body),
            compressed=b"",
            etag=etag_of(bytes(response.body)),
            content_type=response.headers["content-type"],
            headers=(("Cache-Control", said), ("Vary", "Accept-Encoding")),
            until=house.clock() + timedelta(seconds=int(lasts[1])),
        )
        house.keep(key, kept)
        return send_kept(request, kept)
    return await _sent_once(page, request, "", response)


async def _sent_once(page: Page, request: Request, token: str, response: Response) -> Response:
    """An answer for this visitor alone, compressed where that gives nothing away."""
    response.headers.setdefault("Cache-Control", "no-store")
    if _may_be_smaller(page, request, token, response):
        response.headers.add_vary_header("Accept-Encoding")
        if "gzip" in request.headers.get("accept-encoding", ""):
            await run_in_threadpool(_compress, response)
    return response


def _check_entry(page: Page, house: House, request: Request, token: str) -> None:
    with _visit(house, request, token, FormData(), write=False) as visit:
        if not visit.may(page.may):
            raise Refusal(Code.NOT_ALLOWED)


_COMPRESSIBLE = ("text/", "image/svg+xml", "application/json", "application/geo+json", "application/atom+xml")


def _may_be_smaller(page: Page, request: Request, token: str, response: Response) -> bool:
    """Whether an answer is to be compressed, if its reader can read that.

    Only what everybody may read: never receipts, drafts, accounts or staff's pages, since from the size of a
    compressed page that repeats what a stranger put into its address, the secrets in it can be guessed (BREACH).
    """
    return (
        page.may is Permission.READ_PUBLIC
        and not token
        and request.method == "GET"
        and len(getattr(response, "body", b"")) >= WORTH_COMPRESSING
        and "content-encoding" not in response.headers
        and response.headers.get("content-type", "").startswith(_COMPRESSIBLE)
    )


def _compress(response: Response) -> None:
    # Sent once: a few per cent more octets for half the work.
    response.body = gzip.compress(response.body, 3, mtime=0)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(response.body))


def _handle(page: Page, house: House, request: Request, token: str, form: FormData) -> Response:
    writes = request.method not in ("GET", "HEAD")
    with _visit(house, request, token, form, write=writes) as visit:
        if not visit.may(page.may):
            return _turn_away(visit)
        response = page.handler(visit)
        assert isinstance(response, Response)
    return _with_cookies(visit, response)


async def _handle_waiting(page: Page, house: House, request: Request, token: str, form: FormData) -> Response:
    """A handler that waits for somebody else: no unit of work is open meanwhile (see `Visit.in_thread`)."""

    def enter() -> Visit | Response:
        with _visit(house, request, token, form, write=False) as visit:
            return visit if visit.may(page.may) else _turn_away(visit)

    entered = await run_in_threadpool(enter)
    if isinstance(entered, Response):
        return entered
    answer = page.handler(entered)
    assert not isinstance(answer, Response)
    return _with_cookies(entered, await answer)


def _with_cookies(visit: Visit, response: Response) -> Response:
    for name, value, max_age in visit.cookies_to_set:
        response.set_cookie(
            name,
            value,
            max_age=max_age,
            httponly=True,
            samesite="lax",
            secure=visit.request.url.scheme == "https",
        )
    return response


@contextmanager
def _visit(
    house: House, request: Request, token: str, form: FormData, *, write: bool, actor: Actor | None = None
) -> Iterator[Visit]:
    """A visit within its unit of work, by whom the token stands for unless that is known already (`actor`).

    Raises Refusal NOT_FOUND if no municipality answers under the host.
    """
    with unit_of_work(house.engine, write=write, brief=True) as session:
        municipality = municipalities.by_host(session, host_of(request))
        if municipality is None and house.settings.default_municipality:
            municipality = municipalities.by_key(session, house.settings.default_municipality)
        if municipality is None:
            raise Refusal(Code.NOT_FOUND)
        now = request.scope["now"]
        if actor is None:
            actor = identity.actor_of_token(session, token, now=now) if token else PUBLIC
        request.scope["actor"] = actor
        yield Visit(request, house, session, municipality, actor, form)


def _turn_away(visit: Visit) -> Response:
    """Ask to sign in where that could help, and say no where it cannot."""
    if visit.actor is None and visit.request.method == "GET":
        return visit.redirect("sign_in", next=visit.alternate(visit.language))
    raise Refusal(Code.NOT_ALLOWED)


in_thread = run_in_threadpool


def check_database(house: House) -> None:
    """Raises if the database does not answer."""
    with house.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")


def refused(house: House, request: Request, refusal: Refusal) -> Response:
    """The page for a refusal that no form took up, in the visitor's language and the town's look."""
    status = STATUS.get(refusal.code, 422)
    response = error_page(house, request, status, explain(refusal, request.scope.get("language", "de")))
    if "retry_after" in refusal.facts:
        response.headers["Retry-After"] = str(refusal.facts["retry_after"])
    return response


def unanswered(house: House, request: Request, status: int) -> Response:
    """The page for a request that no page answers: a wrong method, nonsense, or a mistake of ours."""
    return error_page(house, request, status, explain_status(status, request.scope.get("language", "de")))


def error_page(house: House, request: Request, status: int, message: str) -> Response:
    """An error page; plain text where no municipality answers under the host, or not even this page can be made."""
    request.scope.setdefault("route_name", "")
    request.scope.setdefault("now", house.clock())
    # Who lost the way is still signed in; where the server is in trouble, nothing more is asked of it. A page that said
    # no has asked already.
    token = request.cookies.get(identity.COOKIE, "") if status < 500 else ""
    actor = request.scope.get("actor") if token else None
    try:
        with _visit(house, request, token, FormData(), write=False, actor=actor) as visit:
            # Asked by name: a list of all templates would read every folder of them for each page that is not found.
            own = environment(visit.language).select_template([f"errors/{status}.html", "errors/error.html"])
            response = visit.render(str(own.name), ErrorPage(status, message), status=status)
    except Exception as problem:
        if status < 500 and not isinstance(problem, Refusal):
            raise
        response = Response(message + "\n", status, media_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response


@dataclass(frozen=True)
class ErrorPage:
    """What an error page says."""

    status: int
    message: str
