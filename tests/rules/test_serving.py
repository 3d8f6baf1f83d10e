"""Processes that share a listening socket: whoever has less to do lets the next one in."""

import asyncio
import errno
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, cast

import pytest
import uvicorn

from participation.serving import LONGEST, Door, Loop

#: So long that a busy machine is none the wiser: what one more request costs in patience (seconds).
PATIENCE = 0.06


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no `asyncio.Transport` by birth.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class _Request(_Echo):
    """One that is worked on for as long as its connection is open."""

    def __init__(self, tasks: set[object]) -> None:
        self.tasks = tasks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.tasks.add(self)

    def connection_lost(self, problem: Exception | None) -> None:
        self.tasks.discard(self)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        yield found


@contextmanager
def _beside(make: Callable[[Loop], Door]) -> Iterator[Door]:
    """A door in a loop of its own, in a thread: to the kernel the same as one in a process of its own."""
    loop, doors, ready = Loop(), [], threading.Event()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        doors.append(make(loop))
        ready.set()
        # Closed where it ran: elsewhere uvloop can wait for ever for what it has just let go of.
        with closing(loop):
            loop.run_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield doors[0]
    finally:
        loop.call_soon_threadsafe(doors[0].close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _call(at: socket.socket) -> socket.socket:
    """A connection that was answered."""
    called = socket.create_connection(at.getsockname(), timeout=10)
    called.sendall(b"?")
    assert called.recv(1) == b"?"
    return called


def test_two_share_what_comes_and_who_has_lost_one_takes_the_next(listening: socket.socket) -> None:
    def make(loop: Loop) -> Door:
        requests = partial(_Request, set())
        return Door(loop, requests, listening, backlog=50, patience=PATIENCE, longest=1.0)

    with _beside(make) as one, _beside(make) as other:
        came = [_call(listening) for _ in range(8)]
        assert one.inside() + other.inside() == 8
        assert abs(one.inside() - other.inside()) <= 2
        for each in came:
            each.close()
        again = [_call(listening) for _ in range(2)]
        # Who went away is not counted: both waited for nobody, or for one.
        assert one.inside() + other.inside() == 2
        for each in again:
            each.close()


def test_nobody_waits_for_connections_at_rest_as_for_requests(listening: socket.socket) -> None:
    """uvicorn itself, as a process serves with it."""
    asked, answer, requests = asyncio.Event(), asyncio.Event(), []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        requests.append(scope)
        if len(requests) == 40:
            asked.set()
        await answer.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def run() -> None:
        server = uvicorn.Server(uvicorn.Config(application, lifespan="off", log_level="error"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        listening.listen()
        came = [await asyncio.open_connection(*listening.getsockname()) for _ in range(40)]
        for _reader, writer in came:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(asked.wait(), 10)
        (door,) = cast(list[Door], server.servers)
        assert (door.inside(), door.at_work()) == (40, 40)
        assert door.seconds() == pytest.approx(LONGEST + LONGEST / 10)
        answer.set()
        for reader, _writer in came:
            await reader.readuntil(b"\r\n\r\n")
        await asyncio.gather(*server.server_state.tasks)
        await asyncio.sleep(0)
        assert (door.inside(), door.at_work()) == (40, 0)
        assert door.seconds() == pytest.approx(LONGEST / 10)
        for _reader, writer in came:
            writer.close()
        server.should_exit = True
        await serving

    with closing(Loop()) as loop:
        loop.run_until_complete(run())


def test_a_closed_door_lets_nobody_in_and_who_is_inside_stays(listening: socket.socket) -> None:
    async def run() -> None:
        door = Door(asyncio.get_running_loop(), _Echo, listening, backlog=50)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        assert door.is_serving()
        assert door.inside() == 1
        door.close()
        await door.wait_closed()
        assert not door.is_serving()
        late, late_writer = await asyncio.open_connection(*listening.getsockname())
        late_writer.write(b"late")
        writer.write(b"two")
        assert await reader.readexactly(3) == b"two"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late.read(1), 0.2)
        for each in (writer, late_writer):
            each.close()

    with closing(Loop()) as loop:
        loop.run_until_complete(run())


def test_a_crowd_does_not_wait_at_the_door_one_by_one(listening: socket.socket) -> None:
    async def run() -> None:
        # One by one, the last of forty would wait 40 x 39 / 2 x 10 ms = 7.8 s.
        Door(asyncio.get_running_loop(), _Echo, listening, backlog=50, patience=0.01, longest=1.0)
        came = await asyncio.gather(*(asyncio.open_connection(*listening.getsockname()) for _ in range(40)))
        for _reader, writer in came:
            writer.write(b"x")
        await asyncio.wait_for(asyncio.gather(*(reader.readexactly(1) for reader, _ in came)), 5)
        for _reader, writer in came:
            writer.close()

    with closing(Loop()) as loop:
        loop.run_until_complete(run())


def test_the_door_stays_open_after_a_connection_that_failed(listening: socket.socket) -> None:
    class Failing:
        """A socket of which the kernel hands on an error of the network, once (accept(2), "Error handling")."""

        fails = True

        def __getattr__(self, name: str) -> object:
            return getattr(listening, name)

        def accept(self) -> tuple[socket.socket, object]:
            if self.fails:
                self.fails = False
                raise OSError(errno.EHOSTUNREACH, "no route to host")
            return listening.accept()

    async def run() -> None:
        Door(asyncio.get_running_loop(), _Echo, cast(socket.socket, Failing()), backlog=5)
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"x")
        assert await asyncio.wait_for(reader.readexactly(1), 5) == b"x"
        writer.close()

    with closing(Loop()) as loop:
        loop.run_until_complete(run())


def test_only_a_socket_that_is_shared_gets_such_a_door(listening: socket.socket) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        shared = await loop.create_server(_Echo, sock=listening, backlog=5)
        assert isinstance(shared, Door)
        shared.close()
        own = await loop.create_server(_Echo, "127.0.0.1", 0)
        assert not isinstance(own, Door)
        own.close()

    with closing(Loop()) as loop:
        loop.run_until_complete(run())
