"""Assembly: reads like a table of contents."""

import ctypes
import gc
import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import cache

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consultations.files import FileStore, FolderStore, S3Store
from consultations.refusals import Code, Refusal
from participation import (
    delivery,  # noqa: F401  (delivers mails between jobs)
    imports,  # noqa: F401  (does the jobs of imports)
    jobs,
    openid,
    probes,  # noqa: F401  (asks whether what lies open can be reached)
    scenes,  # noqa: F401  (makes what pages in three dimensions show)
    web,
)
from participation.database import make_engine
from participation.house import House, read_clock
from participation.security import SecurityMiddleware, content_security_policy
from participation.settings import LANGUAGES, ROOT, Settings
from participation.static import StaticFiles

#: The kinds of visit, in the order in which their routes are tried (`_names_first` apart).
ROOMS: tuple[str, ...] = (
    "home",
    "hearings",
    "comparison",
    "certificates",
    "announcement_pages",
    "maps",
    "embedding",
    "map_town",
    "map_layers",
    "map_things",
    "map_vectors",
    "city",
    "sunlight",
    "compare",
    "city_comment",
    "kiosk",
    "pictures",
    "contributions_list",
    "statements",
    "surveys",
    "survey_own",
    "survey_results",
    "planned_surveys",
    "survey_desk",
    "contributions",
    "proposals_list",
    "proposals",
    "proposal_changes",
    "proposal_writing",
    "proposal_comments",
    "comment_rewording",
    "proposal_arguments",
    "proposal_amendments",
    "proposal_unions",
    "seen_through",
    "support",
    "voting",
    "follow",
    "account",
    "patterns",
    "administration",
    "staff",
    "planning",
    "planned_texts",
    "planned_phases",
    "planned_cocreation",
    "planned_vote",
    "planned_calendar",
    "planned_changes",
    "planning_templates",
    "planned_contact",
    "planned_topics",
    "planned_documents",
    "replacing",
    "proof",
    "lateness",
    "planned_access",
    "planned_area",
    "planned_layers",
    "planned_services",
    "layer_looks",
    "layer_links",
    "announcing",
    "announcement_writing",
    "announcement_acts",
    "agencies",
    "agency_tables",
    "planned_agencies",
    "planned_agency",
    "agency_desk",
    "agency_account",
    "planned_variants",
    "desk",
    "moderation",
    "proposal_desk",
    "evaluation",
    "implementation",
    "support_counter",
    "paper_votes",
    "paper_amendments",
    "intake",
    "register",
)


#: Those that draw and measure: what they need is loaded before, by one thread at a time (see `geo.loading`).
DRAWING = frozenset(
    {
        *("maps", "map_town", "map_layers", "map_vectors", "pictures"),
        *("city", "sunlight", "city_comment", "planned_area", "planned_layers", "planned_variants"),
        *("agencies", "planned_agencies", "moderation"),
    }
)


class LanguageMiddleware:
    """Takes the language off the path: `/en/karte` is `/karte` in English."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            first, *others = LANGUAGES
            language, path = first, scope["path"]
            for code in others:
                if path == f"/{code}" or path.startswith(f"/{code}/"):
                    language, path = code, path[len(code) + 1 :] or "/"
            scope = dict(
                scope, language=language, path_without_language=path, path=path, raw_path=path.encode()
            )
        await self.app(scope, receive, send)


class OurFaultMiddleware:
    """Whatever nobody has foreseen is shown as a page of the town too, and still goes on into the server's log."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        self.app = app
        self.house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def watch(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:
            if scope["type"] == "http" and not has_begun:
                response = await web.in_thread(web.unanswered, self.house, Request(scope), 500)
                await response(scope, receive, watch)
            raise


#: Octets of the disk that uploads leave free for what people write.
DISK_RESERVE = 500_000_000


def open_files(settings: Settings) -> FileStore:
    """Where files are kept: an S3-compatible store where one is set, otherwise the data folder."""
    if not settings.files_url:
        return FolderStore(settings.data_dir / "files", reserve=DISK_RESERVE)
    bucket, _, prefix = settings.files_url.removeprefix("s3://").partition("/")
    return S3Store(
        bucket,
        endpoint=settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        prefix=prefix,
    )


@cache
def keep_what_is_loaded() -> None:
    """Once in a process, when all is loaded: Python need not look through it again and again for what is no longer used.

    Nor does it look for that after every 700 new objects, of which a single page makes thousands: a third of the time
    of a page went into that. What loading needed for a moment goes back to the system, and threads share two heaps instead
    of having each its own with free room in it: of all threads only one at a time is in Python.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    with suppress(AttributeError, OSError):  # glibc's own: M_ARENA_MAX of malloc.h, malloc_trim(3)
        heap = ctypes.CDLL(None)
        heap.mallopt(-8, 2)
        heap.malloc_trim(0)


def _names_first(page: web.Page) -> list[bool]:
    """A page with a name of its own (`…/vorschlaege/einbetten`) comes before one that stands for any name
    (`…/vorschlaege/{reference}`), whichever room was loaded first."""
    return ["{" in part for part in page.path.split("/")]


def create_app(settings: Settings, *, clock: Callable[[], datetime] = read_clock) -> Starlette:
    """The application for these settings. `clock` (a function that gives the moment) is for tests.

    Nothing is read from the environment in here and no heavy library is loaded. Raises ValueError for settings that
    contradict themselves.
    """
    for room in ROOMS:
        importlib.import_module(f"participation.pages.{room}")
    # Nonsense is refused now, not at the first visit that meets it.
    openid.providers(settings.oidc)
    content_security_policy(settings)
    house = House(
        settings=settings,
        engine=make_engine(settings.database_url),
        files=open_files(settings),
        static=StaticFiles(ROOT / "static"),
        clock=clock,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        keep_what_is_loaded()
        async with jobs.worker(house, enabled=settings.in_process_worker):
            yield
        house.close()

    async def refusal(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, Refusal)
        return await web.in_thread(web.refused, house, request, problem)

    async def http_error(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, HTTPException)
        known = {404: Code.NOT_FOUND, 413: Code.UPLOAD_TOO_LARGE, 403: Code.NOT_ALLOWED}
        code = known.get(problem.status_code)
        if code is None:
            said = await web.in_thread(web.unanswered, house, request, problem.status_code)
            said.headers.update(problem.headers or {})
            return said
        return await web.in_thread(web.refused, house, request, Refusal(code, limit=settings.upload_limit_mb))

    async def healthz(request: Request) -> Response:
        await web.in_thread(web.check_database, house)
        return PlainTextResponse("ok\n")

    # Of all addresses those of map tiles are asked for most: they are tried first.
    routes = [
        Route("/healthz", healthz),
        Route("/static/{hash}/{path:path}", house.static.respond),
        *(
            Route(
                page.path,
                web.endpoint(page, house, draws=page.handler.__module__.rpartition(".")[2] in DRAWING),
                methods=list(page.methods),
                name=page.name,
            )
            for page in sorted(
                web.PAGES.values(),
                key=lambda page: (not page.path.startswith("/kacheln/"), _names_first(page)),
            )
        ),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[
            Middleware(LanguageMiddleware),
            Middleware(SecurityMiddleware, settings=settings),
            Middleware(OurFaultMiddleware, house=house),
        ],
        exception_handlers={Refusal: refusal, HTTPException: http_error},
    )
    # An address with a slash too many is unknown; a redirect would go to whatever host was asked for.
    app.router.redirect_slashes = False
    app.state.house = house
    return app
