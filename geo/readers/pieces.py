"""A large file of many members cut into pieces, read by several processes at once, in the order of the file.

A piece is a row of whole top-level members; with the file's header before it and the end of its root behind it, it is a
document like the file itself. Every process reads each second (third …) piece; whoever asked gets one after the other.
Where a piece is out of the ordinary (a comment or section in which a member could seem to end, an error, an object
without a name), its process says so, and whoever asked reads the rest of the file alone: nothing depends on how it was cut.
"""

import contextlib
import mmap
import os
import re
import signal
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from geo.layers import LayerProblem

PIECE: Final = 1 << 20
"""Octets of a piece, about: a second of work is shared out evenly, and little waits in memory."""
LEAST: Final = 4 * PIECE
"""A file below this is read sooner than it is cut."""

_HEAD: Final = 1 << 16
_MEMBER: Final = re.compile(rb"<((?:[\w.-]+:)?(?:cityObjectMember|featureMember|member))[\s>]")
_PROLOG: Final = re.compile(rb"<!--.*?-->|<\?.*?\?>", re.DOTALL)
_ROOT: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<([\w.:-]+)[\s>]")
_ENCODING: Final = re.compile(rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)""")
_PLAIN: Final = frozenset({b"utf-8", b"us-ascii", b"ascii", b"iso-8859-1", b"iso-8859-15", b"windows-1252"})
"""Encodings in which the octets of a tag stand for nothing but this tag."""
_LENGTH: Final = struct.Struct("<q")


class OutOfTheOrdinary(Exception):
    """A piece that does not say the same for itself as within its file."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """How a file is cut: what stands before all members, what ends its root, and where pieces begin and the last one ends."""

    path: Path
    header: bytes
    footer: bytes
    bounds: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def piece(self, number: int) -> "Document":
        """Raises OutOfTheOrdinary while it is read."""
        last = number == len(self) - 1
        end = self.bounds[number + 1]
        return Document(
            self.path, self.header, self.bounds[number], end, b"" if last else self.footer, strict=True
        )

    def rest(self, number: int) -> "Document":
        """From a piece on to the end of the file, whatever it holds."""
        return Document(self.path, self.header, self.bounds[number], self.bounds[-1], b"", strict=False)

    def lines_before(self, number: int) -> int:
        """How many lines of the file are missing in `rest`."""
        with self.path.open("rb") as file:
            missing, left = -self.header.count(b"\n"), self.bounds[number]
            while left and (chunk := file.read(min(left, _HEAD))):
                missing += chunk.count(b"\n")
                left -= len(chunk)
        return missing


class Document:
    """A part of a file between a header and a footer, to be read from the beginning to the end."""

    def __init__(
        self, path: Path, header: bytes, begin: int, end: int, footer: bytes, *, strict: bool
    ) -> None:
        self._file: BinaryIO = path.open("rb")
        self._file.seek(begin)
        self._waiting, self._left, self._footer = header, end - begin, footer
        self._strict, self._last = strict, b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def tell(self) -> int:
        """How far in the file it is."""
        return self._file.tell()

    def read(self, size: int) -> bytes:
        """The next octets, b"" at the end."""
        if self._waiting:
            found, self._waiting = self._waiting, b""
            return found
        if self._left:
            found = self._file.read(min(size, self._left))
            self._left -= len(found)
            if self._strict:
                self._look_at(found)
            if found:
                return found
            self._left = 0
        found, self._footer = self._footer, b""
        return found

    def _look_at(self, chunk: bytes) -> None:
        """Nothing but elements and text, please. Marks are looked for alone first: that is much faster, and they are rare."""
        for mark in (b"!", b"?"):
            if mark in chunk and b"<" + mark in self._last + chunk:
                raise OutOfTheOrdinary
        self._last = chunk[-1:]


def cut(path: Path, size: int = PIECE) -> Pieces | None:
    """Where a file can be cut into pieces of about this size; None for one that is better read in one go."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        begins = _MEMBER.search(head)
        encoding = _ENCODING.match(head.removeprefix(b"\xef\xbb\xbf"))
        if begins is None or (encoding and encoding[1].lower() not in _PLAIN):
            return None
        header = head[: begins.start()]
        root = _ROOT.match(_PROLOG.sub(b"", header))
        # The system of all coordinates has to be known to every piece; a comment must not hold the first member.
        if root is None or b"Envelope" not in header or b"<!" in _PROLOG.sub(b"", header):
            return None
        closing = b"</" + begins[1] + b">"
        bounds = [len(header)]
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            while (found := whole.find(closing, bounds[-1] + size)) >= 0:
                bounds.append(found + len(closing))
            bounds.append(len(whole))
    return Pieces(path, header, b"</" + root[1] + b">", tuple(bounds)) if len(bounds) > 2 else None


class SideBySide:
    """Forks that work at pieces 0, 1, 2 … in turn; `answer` gives what came of each, to be asked for in this order.

    `work` is called in the forks only; what it gives is bytes, or None for a piece that is out of the ordinary. A fork that
    has said None does no more. To be used where there is one thread only.
    """

    def __init__(self, work: Callable[[int], bytes | None], count: int, *, processes: int) -> None:
        self._forks: list[tuple[int, BinaryIO]] = []
        for index in range(processes):
            come, go = os.pipe()
            fork = os.fork()
            if fork == 0:
                try:
                    os.close(come)
                    for _, other in self._forks:  # so that a reader that is gone is noticed
                        other.close()
                    _work_at(range(index, count, processes), work, go)
                finally:
                    os._exit(1)
            os.close(go)
            self._forks.append((fork, os.fdopen(come, "rb")))

    def __enter__(self) -> Self:
        return self

    def answer(self, number: int) -> bytes | None:
        """What came of a piece. Raises LayerProblem (broken) if the fork that had it is gone."""
        fork, come = self._forks[number % len(self._forks)]
        head = come.read(_LENGTH.size)
        if len(head) == _LENGTH.size:
            (length,) = _LENGTH.unpack(head)
            if length < 0:
                return None
            if len(body := come.read(length)) == length:
                return body
        raise LayerProblem("broken", detail=f"a process that read a part of it has ended ({fork})")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for fork, come in self._forks:
            come.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(fork, signal.SIGKILL)
            os.waitpid(fork, 0)


def _work_at(numbers: range, work: Callable[[int], bytes | None], go: int) -> None:
    """In a fork: send what comes of each piece, its length before it; -1 and no more for one out of the ordinary."""
    with os.fdopen(go, "wb") as answers:
        for number in numbers:
            body = work(number)
            answers.write(_LENGTH.pack(-1 if body is None else len(body)))
            if body is None:
                return
            answers.write(body)
            answers.flush()
