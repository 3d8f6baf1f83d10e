"""A load client: wrk where it is installed, otherwise sixteen connections of our own."""

import asyncio
import re
import shutil
import subprocess
import time
from urllib.parse import quote

CONNECTIONS = 16


class LoadError(Exception):
    """The server did not answer every request as expected, so that its speed means nothing."""


def requests_per_second(
    port: int, path: str, *, seconds: float, headers: dict[str, str], status: int = 200
) -> float:
    """Requests that a server on this machine answers per second over sixteen connections that stay open.

    Raises LoadError for an answer of another status (wrk tells only errors from others).
    """
    if shutil.which("wrk"):
        return _with_wrk(port, path, seconds, headers, status)
    return asyncio.run(_with_our_own(port, path, seconds, headers, status))


def _with_wrk(port: int, path: str, seconds: float, headers: dict[str, str], status: int) -> float:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s"]
    command += [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    # To wrk, 304 is no success: there all have to be such.
    others = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    if (others and status < 400) or "Socket errors" in said:
        raise LoadError(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if rate is None:
        raise LoadError(said)
    return float(rate[1])


def _request(path: str, headers: dict[str, str]) -> bytes:
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _body(reader: asyncio.StreamReader, head: bytes) -> None:
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    await reader.readexactly(int(length[1]) if length else 0)


async def get(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, headers: dict[str, str]
) -> int:
    """Ask for a path (letters of any script) over a connection that stays open, and read all of the answer: its status."""
    writer.write(_request(quote(path, safe="/?&=+%~"), headers))
    head = await reader.readuntil(b"\r\n\r\n")
    await _body(reader, head)
    return int(head.split(b" ", 2)[1])


async def _with_our_own(port: int, path: str, seconds: float, headers: dict[str, str], status: int) -> float:
    request = _request(path, {"Host": f"127.0.0.1:{port}", **headers})
    expected = f"HTTP/1.1 {status} ".encode()
    until = time.perf_counter() + seconds

    async def connection() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answered = 0
        while time.perf_counter() < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(expected):
                raise LoadError(head.decode("latin-1"))
            await _body(reader, head)
            answered += 1
        writer.close()
        return answered

    began = time.perf_counter()
    answered = await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return sum(answered) / (time.perf_counter() - began)
