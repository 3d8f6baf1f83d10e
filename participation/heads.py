"""The head of a request (its first line and headers) within bounds: of octets, and of seconds.

The server's own protocol keeps whatever comes: 200 MB of headers were taken in and answered, and an address of 50 MB was put
together anew with each of its parts, for seconds, in the loop that serves everybody. Who comes straight from the Internet, or by
a proxy that passes everything on, meets these bounds; no browser does.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Octets of a head; one that comes in one piece may be as large as the pieces that the loop reads (256 kB).
HEAD_OCTETS = 65_536
#: How long a head may take to come, from its first octet or from when the connection was made.
HEAD_SECONDS = 30.0

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol for one connection, which is closed where a head is too large or does not come to its end."""

    _octets = 0
    _is_in_head = False
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head:
            self._octets += len(data)
            if self._octets > HEAD_OCTETS:
                self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Behind a body in pieces headers may follow, which nobody reads here.
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def _begin_head(self) -> None:
        self._end_head()
        self._is_in_head, self._octets = True, 0
        self._patience = self.loop.call_later(HEAD_SECONDS, self._refuse, _TOO_SLOW)

    def _end_head(self) -> None:
        self._is_in_head = False
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _refuse(self, answer: bytes) -> None:
        self._end_head()
        if self.transport.is_closing():
            return
        # In the middle of the answer to an earlier request nothing can be said.
        if self._octets and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(answer)
        self.transport.close()
