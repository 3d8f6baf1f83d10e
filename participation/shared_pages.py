"""Pages that are the same for everybody: under which key one is kept, what its handler may be told, how it is sent.

Made once per change: the key begins with the municipality's newest journal entry, so a kept page is one nobody has changed.
"""

import gzip
import hashlib
import hmac

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from consultations.deadlines import local_date
from participation import security
from participation.house import House, KeptPage

DISPLAY_COOKIE = "digilog_display"
THEMES = ("system", "light", "dark")
TEXT_SIZES = ("normal", "large", "huge")

#: How many orders by chance there are each day. Everybody is dealt one of them and keeps it for the day, so that their
#: pages can be made once for all who hold the same one. Fewer would put too few proposals first; more are seldom shared.
DECKS = 64


def deal_of(request: Request, house: House) -> str:
    """The visitor's order by chance: the day and one of its numbers, by connection and browser; kept nowhere."""
    day = local_date(request.scope["now"])
    told = (
        security.address_of(request.scope), request.headers.get("user-agent", ""), host_of(request), day.isoformat()
    )  # fmt: skip
    secret = house.settings.secret.get_secret_value() or "digilog"
    drawn = hmac.digest(secret.encode(), "\n".join(told).encode(), "sha256")
    return f"{day:%Y%m%d}-{int.from_bytes(drawn[:8]) % DECKS}"


def look_of(request: Request) -> tuple[str, str]:
    """Theme and text size that the visitor chose, as far as there are such."""
    theme, _, size = request.cookies.get(DISPLAY_COOKIE, "").partition(".")
    return (theme if theme in THEMES else THEMES[0], size if size in TEXT_SIZES else TEXT_SIZES[0])


#: Octets of a picture up to which it stays in memory: more would push out too many pages.
LARGEST_PICTURE_KEPT = 200_000

#: Octets of an address up to which its page is kept: no list or map of ours has a longer one, and keys take room too.
LONGEST_KEPT = 2000


async def shared_key(request: Request, house: House) -> tuple[object, ...] | None:
    """Under which a page for everybody is kept; None where nothing is, as for an address that is too long."""
    if len(request.scope["query_string"]) + len(request.scope["raw_path"]) > LONGEST_KEPT:
        return None
    site = await house_site(house, request)
    if site is None:
        return None
    # Read before whatever the page reads: what it finds is never older than the revision it is kept under.
    request.scope["site"] = site
    return (
        *site,
        local_date(request.scope["now"]),
        request.scope["language"],
        look_of(request),
        request.scope["path_without_language"],
        request.url.query,
        request.scope.get("deal"),
    )


_SITE = (
    "SELECT host.municipality_id, (SELECT max(sequence) FROM journal_entry entry"
    " WHERE entry.municipality_id = host.municipality_id) FROM municipality_host host WHERE host.host = {}"
)


async def house_site(house: House, request: Request) -> tuple[int, int] | None:
    """Municipality and revision behind the request's host: the one read that a kept page costs."""
    host = host_of(request)
    if house.engine.dialect.name == "sqlite":
        return _read_site_sqlite(house, host)
    return await run_in_threadpool(_read_site, house, host)


def _read_site_sqlite(house: House, host: str) -> tuple[int, int] | None:
    """Straight in the event loop: two index look-ups are cheaper than the way into a thread."""
    connection = house.__dict__.get("_site_connection")
    if connection is None:
        connection = house.__dict__["_site_connection"] = house.engine.raw_connection()
    found = connection.cursor().execute(_SITE.format("?"), (host,)).fetchone()
    return (found[0], found[1] or 0) if found else None


def _read_site(house: House, host: str) -> tuple[int, int] | None:
    with house.engine.connect() as connection:
        found = connection.exec_driver_sql(_SITE.format("%s"), (host,)).fetchone()
    return (found[0], found[1] or 0) if found else None


def host_of(request: Request) -> str:
    """The host name that was asked for, without port, in lower case."""
    return (request.url.hostname or "").lower()


def told_nothing(request: Request) -> Request:
    """The same request without what is the visitor's own: a page for everybody cannot show what it is not told."""
    own = {b"cookie", b"user-agent", b"authorization", b"referer", b"accept-language"}
    headers = [(name, value) for name, value in request.scope["headers"] if name not in own]
    if DISPLAY_COOKIE in request.cookies:
        headers.append((b"cookie", f"{DISPLAY_COOKIE}={'.'.join(look_of(request))}".encode()))
    return Request({**request.scope, "headers": headers})


#: Headers by which a page chooses for itself who may frame it and what it may load; `security` says the rest of all.
_CHOSEN = ("content-security-policy", "cross-origin-resource-policy")


def finished(response: Response) -> KeptPage:
    """An answer as it is kept: plain, compressed, with its ETag."""
    body, headers = bytes(response.body), response.headers
    is_compressed = headers.get("content-encoding") == "gzip"
    compressed = body if is_compressed else gzip.compress(body, 6, mtime=0)
    if is_compressed:
        body = gzip.decompress(body)
    etag = etag_of(body)
    is_for_ever = "immutable" in headers.get("cache-control", "")
    chosen = tuple((name, headers[name]) for name in _CHOSEN if name in headers)
    return KeptPage(body, compressed, etag, headers["content-type"], is_for_ever, chosen)


def etag_of(body: bytes) -> str:
    """The ETag of octets."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def send_kept(request: Request, kept: KeptPage) -> Response:
    """A kept page for one who asks: whole, compressed, or only that it has not changed."""
    headers = {"ETag": kept.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding, Cookie"}
    if kept.is_for_ever:
        headers |= {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    headers |= dict(kept.headers)
    if kept.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = kept.content_type
    if kept.compressed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(kept.compressed, headers=headers | {"Content-Encoding": "gzip"})
    return Response(kept.body, headers=headers)
