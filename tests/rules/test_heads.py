"""The head of a request: so large, and so long in coming, and no more."""

import asyncio
import socket
from typing import Any

import pytest
import uvicorn

from participation import heads
from participation.heads import HEAD_OCTETS, Protocol


async def _application(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    said = f"{len(scope['headers'])} headers".encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]}
    )
    await send({"type": "http.response.body", "body": said})


def _asked(*pieces: bytes, then: bytes = b"") -> bytes:
    """What a server answers to pieces that come one by one; `then` is sent when something was answered."""

    async def run() -> bytes:
        config = uvicorn.Config(_application, lifespan="off", log_level="error", http=Protocol)
        server = uvicorn.Server(config)
        listening = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        said = b""
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if then:
                said += await reader.readuntil(b" headers")
                writer.write(then)
            said += await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            pass
        finally:
            writer.close()
            server.should_exit = True
            await serving
        return said

    return asyncio.run(run())


START, END = b"GET / HTTP/1.1\r\nHost: a\r\n", b"Connection: close\r\n\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        (START, *[b"X-%d: %s\r\n" % (number, b"a" * 10_000) for number in range(200)]),
        (START, b"X: ", *[b"a" * 100_000] * 20),
        (b"GET /?", *[b"a=1&" * 25_000] * 20),
    ],
    ids=["many headers", "a long one", "a long address"],
)
def test_a_head_that_is_too_large_is_not_taken_in(pieces: tuple[bytes, ...]) -> None:
    said = _asked(*pieces)
    assert b"200 OK" not in said
    # Who is still sending when the connection is closed may not read the answer.
    assert said == b"" or said.startswith(b"HTTP/1.1 431 ")


def test_usual_heads_pass_one_after_the_other_on_one_connection() -> None:
    many = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 1000) for number in range(HEAD_OCTETS // 1100))
    body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    said = _asked(START, many, b"\r\n", then=body + START + END)
    assert said.count(b"200 OK") == 3


def test_headers_behind_a_body_are_not_kept() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    said = _asked(head + b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * 1000 + b"\r\n")
    assert said.endswith(b"3 headers")


def test_a_head_that_does_not_come_to_its_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)
    assert _asked(START).startswith(b"HTTP/1.1 408 ")
    assert _asked() == b""
