"""Another server is asked, and may do whatever it likes: it is waited for only so long, to the last octet of its answer.

By the standard library's client: another one would be 5 MB in every process that asks. Proxies of the environment are not
used and redirects not followed. How much is read of an answer is for whoever reads it.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from urllib.parse import quote, urlsplit

#: What stands in an address as it is: signs that part it, and what is spelled with per cent signs already (RFC 3986, 2.2).
_SPELLED = ":/?#[]@!$&'()*+,;=%"


class Unanswered(Exception):
    """There was no answer, or none that came to its end. `is_late`: because time was up."""

    def __init__(self, why: object, *, is_late: bool) -> None:
        super().__init__("took too long" if is_late else str(why))
        self.is_late = is_late


@contextmanager
def answer_to(
    url: str, *, headers: Mapping[str, str], pause: float, seconds: float
) -> Iterator[http.client.HTTPResponse]:
    """The answer to a GET, to be read within the block.

    `pause`: seconds that may pass without an octet; `seconds`: for all of it from the connection on, so that nobody is
    waited for who sends octet by octet. Raises Unanswered, for what goes wrong while it is read as well.
    """
    is_late = threading.Event()
    try:
        server = urlsplit(url)
        is_safe = server.scheme == "https"
        host, port = server.hostname or "", server.port or (443 if is_safe else 80)
        path = quote((server.path or "/") + (f"?{server.query}" if server.query else ""), safe=_SPELLED)
        with ExitStack() as held:
            connection = (http.client.HTTPSConnection if is_safe else http.client.HTTPConnection)(host, port)
            held.enter_context(closing(connection))
            line = held.enter_context(closing(socket.create_connection((host, port), timeout=pause)))
            # Whatever holds the line later, encrypted or not: it ends at this other handle of it.
            held.enter_context(_cut_off(held.enter_context(closing(line.dup())), seconds, is_late))
            connection.sock = _trusted().wrap_socket(line, server_hostname=host) if is_safe else line
            connection.request("GET", path, headers=dict(headers))
            yield held.enter_context(closing(connection.getresponse()))
    except (http.client.HTTPException, OSError, ValueError) as problem:
        late = is_late.is_set() or isinstance(problem, TimeoutError)
        raise Unanswered(problem, is_late=late) from problem
    if is_late.is_set():
        raise Unanswered("", is_late=True)  # cut off, an answer of unknown length seems to have ended


@contextmanager
def _cut_off(line: socket.socket, seconds: float, is_late: threading.Event) -> Iterator[None]:
    def cut() -> None:
        is_late.set()
        with suppress(OSError):  # it has ended by itself
            line.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(seconds, cut)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()
