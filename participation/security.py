"""What keeps visitors safe from others: who may send forms here, what a browser may load, how much and how often.

`SecurityMiddleware` wraps every request; the rate limits are asked for by the pages that need them.
"""

import hmac
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consultations.refusals import Code, Refusal
from participation.settings import Settings

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import FixedWindowRateLimiter

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: A page whose address holds one of these keeps the address to itself.
SECRET_PARAMETERS = frozenset({"token", "code"})

#: Octets of a body where the page says nothing else.
BODY_LIMIT = 2_000_000
#: So much of a refused body is still taken in, because browsers show an answer only when they have sent all.
DRAIN_OCTETS = 4_000_000_000
DRAIN_SECONDS = 300.0


# --- headers ---------------------------------------------------------------------------------------


def content_security_policy(settings: Settings) -> str:
    """What a page may load: our own files only, and pictures of the map services that are configured."""
    pictures = " ".join(
        ["'self'", "data:", *sorted({_origin(str(source["url"])) for source in settings.map_sources})]
    )
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src {pictures}",
            "connect-src 'self'",
            "font-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ]
    )


def _origin(url: str) -> str:
    """The origin of a map service for the policy; `{s}` (one of several servers) becomes `*`."""
    parts = urlsplit(url.replace("{s}", "*"))
    if parts.scheme not in ("http", "https") or not parts.netloc or set(parts.netloc) & set(" ;,'\""):
        raise ValueError(f"DIGILOG_MAP_SOURCES: {url!r} is not a web address")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


PERMISSIONS_POLICY = "geolocation=(self), camera=(), microphone=(), payment=(), usb=(), browsing-topics=()"


def _add_headers(headers: MutableHeaders, scope: Scope, policy: str) -> None:
    # What a page has chosen itself (a downloaded file with a policy stricter than this) stays.
    headers.setdefault("Content-Security-Policy", policy)
    headers["X-Content-Type-Options"] = "nosniff"
    # Never the path of an address that is a secret. (Not "no-referrer": with it, forms on such a page would be sent
    # with "Origin: null", which the check below takes for what it usually is: somebody else's page.)
    secret = SECRET_PARAMETERS & scope.get("path_params", {}).keys()
    headers.setdefault("Referrer-Policy", "strict-origin" if secret else "same-origin")
    headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if scope["scheme"] == "https":
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


# --- who sends -------------------------------------------------------------------------------------


def comes_from_us(method: str, headers: Headers, scheme: str) -> bool:
    """Whether a request that changes something was sent by one of our own pages, or by no browser at all.

    Browsers say so themselves, and no page of another site can make them lie: by `Sec-Fetch-Site`, older ones and
    those on unencrypted addresses by `Origin` or `Referer`. Who sends none of them is a program, and holds no
    visitor's cookies. A neighbouring host of the same site is another site.
    """
    if method in SAFE_METHODS:
        return True
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    sender = headers.get("origin", headers.get("referer"))
    if sender is None:
        return True
    try:
        parts = urlsplit(sender)
    except ValueError:
        return False
    if parts.scheme not in (("https",) if scheme == "https" else ("http", "https")):
        return False
    return parts.netloc.lower() == headers.get("host", "").lower()


# --- how much --------------------------------------------------------------------------------------


class _Body:
    """The body of one request as it comes in: counted, refused above its limit, and drained when refused.

    Where a form takes in files, it is read on for the words beside one that is too large (`scope["reads_on"]`): the refusal
    is only noted, as `scope["too_large"]`, until there is more than anybody drains.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._taken = 0
        self._give_up = time.monotonic() + DRAIN_SECONDS
        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        self._announced = int(announced) if announced.isdigit() else 0
        self.ended = self._announced == 0 and "transfer-encoding" not in headers
        #: A client that asks first whether it may send need not send at all.
        self._asks_first = headers.get("expect", "").lower() == "100-continue"

    @property
    def limit(self) -> int:
        return int(self._scope.get("body_limit", BODY_LIMIT))

    async def receive(self) -> Message:
        """The next part. Raises Refusal UPLOAD_TOO_LARGE above the limit, at once if the size was announced."""
        if not self.ended and self._announced > self.limit:
            self._refuse()
        message = await self._next()
        if self._taken > self.limit:
            self._refuse()
        return message

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            self.ended = self.ended or not message.get("more_body", False)
        else:
            self.ended = True
        return message

    def _refuse(self) -> None:
        refusal = Refusal(Code.UPLOAD_TOO_LARGE, limit=max(1, self.limit // 1_000_000))
        reads_on = self._scope.get("reads_on") and not (self._asks_first and self._taken == 0)
        if not reads_on or self._is_too_much():
            raise refusal
        self._scope["too_large"] = refusal

    def _is_too_much(self) -> bool:
        return self._taken >= DRAIN_OCTETS or time.monotonic() >= self._give_up

    async def drain(self) -> bool:
        """Take in and forget what is still to come, so that the browser shows our answer; whether it came to an end."""
        if self.ended:
            return True
        if self._asks_first and self._taken == 0:
            return False
        while not self.ended and not self._is_too_much():
            await self._next()
        return self.ended


# --- all of it, around every request ---------------------------------------------------------------


class SecurityMiddleware:
    """Checks where unsafe requests come from, limits their bodies, and sends the headers with every answer.

    A page's own limit is `scope["body_limit"]` (octets), set before its body is read. A refusal is shown by the
    application's own handler for `Refusal`, so that it is a page like any other.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._policy = content_security_policy(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                _add_headers(headers, scope, self._policy)
                if not await body.drain():
                    headers["Connection"] = "close"
            await send(message)

        if comes_from_us(scope["method"], Headers(scope=scope), scope["scheme"]):
            await self.app(scope, body.receive, send_safely)
        else:
            show: Any = scope["app"].exception_handlers[Refusal]
            response = await show(Request(scope), Refusal(Code.FROM_ELSEWHERE))
            await response(scope, body.receive, send_safely)


# --- how often -------------------------------------------------------------------------------------


class Action(StrEnum):
    """What is counted."""

    #: Contributions of one address; generous, because a library or a school has one address for all.
    SUBMIT = "submit"
    #: Files for one draft, so that nobody fills the store by attaching and removing.
    UPLOAD = "upload"
    #: Files from one address; very generous, because a library or a school has one address for all.
    UPLOAD_ADDRESS = "upload_address"
    #: How much comes as files of drafts from one address, in kilobytes (`DIGILOG_UPLOAD_MB_PER_HOUR`): a number of files
    #: alone, each as large as may be, would fill any disk.
    UPLOAD_OCTETS = "upload_octets"
    #: Failed sign-ins with one account from one address.
    SIGN_IN = "sign_in"
    #: Failed sign-ins from one address, with whatever account.
    SIGN_IN_ADDRESS = "sign_in_address"
    #: Wrong access codes from one address.
    CODE = "code"
    #: Wrong access codes from everywhere.
    CODE_ANYWHERE = "code_anywhere"
    #: Wrong access codes for one reference number from one address.
    CODE_OF_REFERENCE = "code_of_reference"
    CODE_OF_REFERENCES = "code_of_references"
    #: Wrong codes of agencies' letters from one address.
    AGENCY_CODE = "agency_code"
    #: Supports without an account from one address; what comes beyond waits a minute, and nobody is locked out for longer.
    SUPPORT = "support"
    #: Addresses that are to be written to, asked for from one address.
    FOLLOW = "follow"
    #: Links of agencies that do not exist, from one address.
    AGENCY_LINK = "agency_link"
    #: Looking for what resembles a proposal while it is typed, from one address.
    SIMILAR = "similar"
    #: Wrong voting codes from one address: a code has 45 bits, and nobody can lock all voters out from afar.
    VOTING_CODE = "voting_code"


RATES = {
    Action.UPLOAD: "60 per 10 minutes",
    Action.UPLOAD_ADDRESS: "1000 per 10 minutes",
    Action.SIGN_IN: "8 per 10 minutes",
    Action.SIGN_IN_ADDRESS: "60 per 10 minutes",
    Action.CODE: "10 per 10 minutes",
    Action.CODE_ANYWHERE: "300 per hour",
    Action.CODE_OF_REFERENCE: "10 per 10 minutes",
    Action.CODE_OF_REFERENCES: "100 per 10 minutes",
    Action.SUPPORT: "120 per minute",
    Action.FOLLOW: "60 per hour",
    Action.AGENCY_CODE: "10 per 10 minutes",
    Action.AGENCY_LINK: "1000 per hour",
    Action.SIMILAR: "120 per minute",
    Action.VOTING_CODE: "20 per 10 minutes",
}


@dataclass(frozen=True)
class Limiter:
    """Counts tries; made by `tries.limiter`."""

    rates: dict[Action, "RateLimitItem"]
    strategy: "FixedWindowRateLimiter"
    clock: Callable[[], float]
    secret: bytes

    def _key(self, key: tuple[str, ...]) -> str:
        """Who tried, as a keyed digest: no list of addresses and accounts comes into being."""
        return hmac.digest(self.secret, "\0".join(key).encode(), "sha256").hex()

    def is_used_up(self, action: Action, *key: str, cost: int = 1) -> bool:
        """Whether no further try (or `cost` of them) is left, without counting one."""
        return not self.strategy.test(self.rates[action], self._key(key), cost=cost)

    def count(self, action: Action, *key: str, cost: int = 1) -> bool:
        """Count one try (or `cost` of them); False if it is one too many."""
        return bool(self.strategy.hit(self.rates[action], self._key(key), cost=cost))

    def forget(self, action: Action, *key: str) -> None:
        """Forget the tries, because one has succeeded."""
        self.strategy.clear(self.rates[action], self._key(key))

    def refusal(self, action: Action, *key: str) -> Refusal:
        """TOO_MANY_TRIES, with the seconds until there is a next try."""
        reset = self.strategy.get_window_stats(self.rates[action], self._key(key)).reset_time
        return Refusal(Code.TOO_MANY_TRIES, retry_after=max(1, round(reset - self.clock())))


def check_rate(limiter: Limiter, action: Action, *key: str) -> None:
    """Count one try. Raises Refusal TOO_MANY_TRIES (`retry_after` seconds) if it is one too many."""
    if not limiter.count(action, *key):
        raise limiter.refusal(action, *key)


def address_of(scope: Scope) -> str:
    """The visitor's network address for counting; of IPv6 the /64, because a household has all of it."""
    host = scope["client"][0] if scope.get("client") else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


# sign-in


def check_sign_in(limiter: Limiter, account: str, address: str) -> None:
    """Before a password is looked at. Raises Refusal TOO_MANY_TRIES after too many wrong ones.

    Counted per account *and* address: nobody can lock somebody else out from afar.
    """
    for action, key in ((Action.SIGN_IN, (account, address)), (Action.SIGN_IN_ADDRESS, (address,))):
        if limiter.is_used_up(action, *key):
            raise limiter.refusal(action, *key)


def sign_in_failed(limiter: Limiter, account: str, address: str) -> None:
    """Count a wrong password (or an unknown account: no difference)."""
    limiter.count(Action.SIGN_IN, account, address)
    limiter.count(Action.SIGN_IN_ADDRESS, address)


def sign_in_succeeded(limiter: Limiter, account: str, address: str) -> None:
    """Forget the wrong tries of whoever knew the password in the end."""
    limiter.forget(Action.SIGN_IN, account, address)


# uploads


def check_upload(limiter: Limiter, draft: str, address: str, filename: str, octets: int) -> None:
    """Count one file and its octets, before it is kept.

    Raises Refusal TOO_MANY_UPLOADS (`filename`) if it is one too many for its draft or address, UPLOADS_USED_UP
    (`filename`) if it is larger than what its address has left for this hour; a smaller one may still fit then.
    """
    if not (limiter.count(Action.UPLOAD, draft) and limiter.count(Action.UPLOAD_ADDRESS, address)):
        raise Refusal(Code.TOO_MANY_UPLOADS, filename=filename)
    # In kilobytes: the shared table counts in 32 bits.
    cost = -(-octets // 1000)
    # Asked first, because what is one too much would be counted as well.
    if limiter.is_used_up(Action.UPLOAD_OCTETS, address, cost=cost) or not limiter.count(
        Action.UPLOAD_OCTETS, address, cost=cost
    ):
        raise Refusal(Code.UPLOADS_USED_UP, filename=filename)


# access codes


def check_code(limiter: Limiter, address: str, reference: str = "") -> None:
    """Before an access code is looked up, alone or with the reference number of its receipt.

    After too many wrong codes (from this address, or from everywhere) the reference number is asked for in addition:
    a guesser must then hit one code of one contribution, and whoever holds a receipt always gets in.
    Raises Refusal REFERENCE_REQUIRED at "reference"; TOO_MANY_TRIES only for one reference from one address.
    """
    if reference:
        if limiter.is_used_up(Action.CODE_OF_REFERENCE, reference, address):
            raise limiter.refusal(Action.CODE_OF_REFERENCE, reference, address)
        if limiter.is_used_up(Action.CODE_OF_REFERENCES, address):
            raise limiter.refusal(Action.CODE_OF_REFERENCES, address)
    elif limiter.is_used_up(Action.CODE, address) or limiter.is_used_up(Action.CODE_ANYWHERE):
        raise Refusal(Code.REFERENCE_REQUIRED, "reference")


def code_was_wrong(limiter: Limiter, address: str, reference: str = "") -> None:
    """Count a wrong access code."""
    if reference:
        limiter.count(Action.CODE_OF_REFERENCE, reference, address)
        limiter.count(Action.CODE_OF_REFERENCES, address)
    else:
        limiter.count(Action.CODE, address)
        limiter.count(Action.CODE_ANYWHERE)


# agencies


def check_agency_code(limiter: Limiter, address: str) -> None:
    """Before the code of an agency's letter is looked up. Raises Refusal TOO_MANY_TRIES after too many wrong ones.

    Counted per address only: a code has some 54 bits, and nobody can lock all agencies out from afar.
    """
    if limiter.is_used_up(Action.AGENCY_CODE, address):
        raise limiter.refusal(Action.AGENCY_CODE, address)


def agency_code_was_wrong(limiter: Limiter, address: str) -> None:
    """Count a wrong code of an agency's letter."""
    limiter.count(Action.AGENCY_CODE, address)


def agency_link_was_wrong(limiter: Limiter, address: str) -> None:
    """Count a link that does not exist; who has a right one is never kept out.

    The secret has 192 bits: this keeps guessers from asking the database for ever, not from guessing.
    Raises Refusal TOO_MANY_TRIES.
    """
    check_rate(limiter, Action.AGENCY_LINK, address)
