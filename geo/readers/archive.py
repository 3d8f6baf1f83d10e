"""Files as they are delivered: looked at before anything opens them, unpacked only by name and only so far."""

import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from geo.layers import LayerProblem, Limits

HEAD: Final = 65_536


@dataclass(frozen=True, slots=True)
class Entry:
    """One file in an archive: its path there and its unpacked size in bytes."""

    name: str
    size: int

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    @property
    def base(self) -> str:
        return PurePosixPath(self.name).name


@dataclass(frozen=True, slots=True)
class Delivered:
    """A file to be read: where it lies, what it was called, how it begins, and what it holds if it is an archive."""

    path: Path
    name: str
    size: int
    head: bytes
    entries: tuple[Entry, ...] = ()

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    @property
    def is_archive(self) -> bool:
        return self.head.startswith(b"PK")

    @property
    def text(self) -> bytes:
        """The beginning without byte order mark and blanks, for a look at text formats."""
        return self.head.removeprefix(b"\xef\xbb\xbf").lstrip()

    def with_suffix(self, suffix: str) -> Entry | None:
        """The first file of the archive with this ending (".gml")."""
        return next((entry for entry in self.entries if entry.suffix == suffix), None)


def look(path: Path, filename: str, limits: Limits) -> Delivered:
    """Look at a file without unpacking it.

    Raises LayerProblem: empty_file, too_large, broken, encrypted, climbing_path, zip_bomb.
    """
    size = path.stat().st_size
    if size == 0:
        raise LayerProblem("empty_file")
    if size > limits.file_bytes:
        raise LayerProblem("too_large", size=size, limit=limits.file_bytes)
    with path.open("rb") as file:
        head = file.read(HEAD)
    entries = _entries(path, limits) if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) else ()
    return Delivered(path, filename, size, head, entries)


def _entries(path: Path, limits: Limits) -> tuple[Entry, ...]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError) as problem:
        raise LayerProblem("broken", detail=str(problem)[:200]) from problem
    if len(infos) > limits.entries:
        raise LayerProblem("zip_bomb", entry="", size=len(infos), limit=limits.entries)
    entries, total, seen = list[Entry](), 0, set[str]()
    for info in infos:
        if info.is_dir():
            continue
        name = info.filename.replace("\\", "/")
        parts = PurePosixPath(name).parts
        link = stat.S_ISLNK(info.external_attr >> 16)
        if link or name.startswith("/") or ".." in parts or ":" in parts[0] or "\0" in info.orig_filename:
            raise LayerProblem("climbing_path", entry=name[:200])
        if info.flag_bits & 0x1:
            raise LayerProblem("encrypted", entry=name[:200])
        total += info.file_size
        if total > limits.unpacked_bytes or info.file_size > 1_000_000 + 500 * info.compress_size:
            raise LayerProblem("zip_bomb", entry=name[:200], size=total, limit=limits.unpacked_bytes)
        if name in seen:
            raise LayerProblem("broken", detail=f"{name[:200]} is there twice")
        seen.add(name)
        if parts[0] != "__MACOSX" and not parts[-1].startswith("."):
            entries.append(Entry(info.filename, info.file_size))
    return tuple(entries)


def unpack(delivered: Delivered, entry: Entry, target: Path) -> Path:
    """Write one file of the archive to `target`; never more bytes than it said it has.

    Raises LayerProblem: broken, zip_bomb.
    """
    with _opened(delivered, entry) as source, target.open("wb") as file:
        left = entry.size
        while block := source.read(min(1 << 20, left + 1)):
            left -= len(block)
            if left < 0:
                raise LayerProblem("zip_bomb", entry=entry.name, size=entry.size, limit=entry.size)
            file.write(block)
    return target


def gunzip(delivered: Delivered, target: Path, limits: Limits) -> Path:
    """Unpack a gzip file to `target`, at most `limits.unpacked_bytes` of it. Raises LayerProblem: broken, zip_bomb."""
    import gzip
    import zlib

    written = 0
    try:
        with gzip.open(delivered.path) as source, target.open("wb") as file:
            while block := source.read(1 << 20):
                written += len(block)
                if written > limits.unpacked_bytes:
                    raise LayerProblem(
                        "zip_bomb", entry=delivered.name, size=written, limit=limits.unpacked_bytes
                    )
                file.write(block)
    except EOFError as problem:
        raise LayerProblem("truncated") from problem
    except (gzip.BadGzipFile, zlib.error, OSError) as problem:
        raise LayerProblem("broken", detail=str(problem)[:200]) from problem
    return target


def read_attached(path: Path, name: str, limits: Limits | None = None) -> bytes:
    """One file of a delivered archive (a plan's PDF, say) by the name that `LayerRead.attached` gives.

    Raises LayerProblem (incomplete when there is no such file) as `look` and `unpack` do.
    """
    delivered = look(path, path.name, limits or Limits())
    entry = next((entry for entry in delivered.entries if entry.name == name), None)
    if entry is None:
        raise LayerProblem("incomplete", missing=name)
    with _opened(delivered, entry) as source:
        return source.read(entry.size)


@contextmanager
def _opened(delivered: Delivered, entry: Entry) -> Iterator[zipfile.ZipExtFile]:
    import lzma
    import zlib

    try:
        with zipfile.ZipFile(delivered.path) as archive, archive.open(entry.name) as source:
            if not isinstance(source, zipfile.ZipExtFile):
                raise LayerProblem("broken", detail=entry.name)
            yield source
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        OSError,
        NotImplementedError,
        KeyError,
    ) as problem:
        raise LayerProblem("broken", detail=f"{entry.name}: {problem}"[:200]) from problem
    except RuntimeError as problem:  # zipfile's word for a missing password
        raise LayerProblem("encrypted", entry=entry.name) from problem


def scratch_copy(delivered: Delivered, folder: Path, name: str) -> Path:
    """A copy under a name of ours: GDAL writes beside its sources, and believes what file names say."""
    return Path(shutil.copyfile(delivered.path, folder / name))
