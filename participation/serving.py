"""How several server processes share what comes: whoever has less to do lets the next one in.

All processes wait at one socket, and whoever is quickest accepts. That is the one that is awake, because it is busy: of
sixteen readers who came one after the other, fifteen came to one of two processes, and the other core had little to do.
So each process waits before it accepts, the longer the more requests it is working on. Connections that rest between two
requests, as browsers keep them, count for little: with many of them everybody would wait at a door of idle processes.
"""

import asyncio
import errno
import logging
import socket
from asyncio import AbstractEventLoop, BaseProtocol, TimerHandle, Transport
from collections.abc import Callable, Sized
from typing import Any

import uvloop

#: Seconds that a process waits for each request that it is working on, and at most.
PATIENCE, LONGEST = 0.001, 0.025
#: So many connections are waited for as for one request.
AT_REST = 10
#: Requests for which it lets one more in at once, so that a crowd does not wait at the door.
CROWD = 8
#: Seconds until the next try where no more files can be open, and what says so.
RETRY = 1.0
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


log = logging.getLogger(__name__)


class Door:
    """A listening socket that several processes share, as one of them serves it."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        protocol: Callable[[], BaseProtocol],
        listening: socket.socket,
        *,
        backlog: int,
        patience: float = PATIENCE,
        longest: float = LONGEST,
    ) -> None:
        self.sockets = (listening,)
        self._loop, self._protocol, self._listening = loop, protocol, listening
        self._patience, self._longest = patience, longest
        self._inside: set[Transport] = set()
        self._entering: set[asyncio.Task[None]] = set()
        self._requests: Sized = ()
        self._timer: TimerHandle | None = None
        self._is_open = True
        listening.setblocking(False)
        listening.listen(backlog)
        loop.add_reader(listening, self._hear)

    def inside(self) -> int:
        """How many connections are open that came in here."""
        self._inside = {each for each in self._inside if not each.is_closing()}
        return len(self._inside) + len(self._entering)

    def at_work(self) -> int:
        """How many requests are being worked on, and connections come in."""
        return len(self._requests) + len(self._entering)

    def seconds(self) -> float:
        """How long the next one waits at this door, for another to let them in."""
        at_rest = self.inside() / AT_REST
        return min(self._longest, self._patience * self.at_work()) + min(
            self._longest / AT_REST, self._patience * at_rest
        )

    def is_serving(self) -> bool:
        """Whether more are let in."""
        return self._is_open

    def close(self) -> None:
        """Let nobody else in; who is inside stays."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listening)
            if self._timer is not None:
                self._timer.cancel()

    async def wait_closed(self) -> None:
        """Nothing is left to wait for: a closed door is closed at once."""

    def _hear(self) -> None:
        self._loop.remove_reader(self._listening)
        self._wait(self.seconds())

    def _wait(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._let_in)

    def _let_in(self) -> None:
        for _ in range(1 + self.at_work() // CROWD):
            try:
                came, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break  # Another process was quicker, or they have gone again.
            except OSError as problem:
                # Whatever it is, the door stays: a process that heard no more of it would be up and serve nobody.
                if problem.errno in _EXHAUSTED:
                    self._wait(RETRY)
                    return
                log.warning("a connection could not be let in: %s", problem)
                break
            task = self._loop.create_task(self._enter(came))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)
        self._loop.add_reader(self._listening, self._hear)

    async def _enter(self, came: socket.socket) -> None:
        try:
            came.setblocking(False)
            if came.family in (socket.AF_INET, socket.AF_INET6):
                # Answers are sent at once, not when more of them has come together.
                came.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport, protocol = await self._loop.connect_accepted_socket(self._protocol, came)
        except OSError:  # gone again meanwhile
            came.close()
            return
        self._inside.add(transport)
        # uvicorn's protocols all hold the one set of the requests that their server is working on.
        self._requests = getattr(protocol, "tasks", ())


class Loop(uvloop.Loop):
    """uvloop, with a door of ours where processes share a socket."""

    async def create_server(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        """A server on a socket that others share (`sock`, without TLS); any other one is uvloop's."""
        shared = options.get("sock")
        if shared is None or options.get("ssl") is not None:
            return await super().create_server(protocol_factory, *args, **options)
        return Door(self, protocol_factory, shared, backlog=options.get("backlog", 100))
