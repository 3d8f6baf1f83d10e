"""Files by what is in them: a content-addressed store, and the one way in for what people upload.

A file's name in the store is the SHA-256 of its bytes, so the same content is kept once and tampering shows.
`accept_upload` looks at a file before it is kept; the original stays as evidence, and of pictures a second copy
without place and camera data is made for the public (law-and-standards R-3.6, AN-4).
"""

import errno
import hashlib
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol
from urllib.parse import quote

from consultations.inspection import MB, PUBLIC_TYPES, STAFF_TYPES, Limits, extension_of, inspect
from consultations.refusals import Code, Refusal
from consultations.text import header_safe, normalise

if TYPE_CHECKING:
    from obstore.store import S3Config

__all__ = [
    "MB",
    "PUBLIC_TYPES",
    "STAFF_TYPES",
    "AcceptedFile",
    "FileStore",
    "FolderStore",
    "Limits",
    "MissingFile",
    "Readable",
    "S3Store",
    "StoredFile",
    "accept_upload",
    "clean_filename",
    "content_disposition",
    "serving_headers",
]

_CHUNK = 1 << 20
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredFile:
    """What the store knows of a file: its SHA-256 as 64 hexadecimal digits, and its size in bytes."""

    sha256: str
    size: int


class Readable(Protocol):
    """Anything that bytes can be read from in pieces: a file, an upload."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""


class MissingFile(LookupError):
    """The store has no file with this SHA-256."""


class FileStore(Protocol):
    """Where files are kept. `put` is durable when it returns; a file is there whole or not at all.

    `put` and `accept_upload` raise Refusal DISK_FULL or FILE_STORE_UNREACHABLE. A `sha256` that is not 64 lower-case
    hexadecimal digits raises ValueError.
    """

    def put(self, stream: Readable) -> StoredFile:
        """Keep everything that `stream` still holds. Keeping the same content twice keeps it once."""

    def open(self, sha256: str) -> Iterator[bytes]:
        """The content in chunks. Raises MissingFile at once, not at the first chunk."""

    def exists(self, sha256: str) -> bool:
        """Whether there is such a file."""

    def verify(self, sha256: str) -> bool:
        """Whether there is such a file and its bytes still have this SHA-256."""

    def delete(self, sha256: str) -> None:
        """Forget a file, as erasure demands; nothing happens if there is none."""

    def discard(self, sha256: str, before: datetime) -> bool:
        """Forget a file that was last put before a moment (aware); whether it is gone now."""

    def hashes(self, before: datetime | None = None) -> Iterator[str]:
        """The SHA-256 of every file, or of those put before a moment (aware), in no order."""


def _checked(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"not a SHA-256: {sha256!r}")
    return sha256


def _copy(source: Readable, target: IO[bytes]) -> StoredFile:
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        target.write(chunk)
        size += len(chunk)
    return StoredFile(digest.hexdigest(), size)


def _has_hash(chunks: Iterator[bytes], sha256: str) -> bool:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest() == sha256


@contextmanager
def _disk_full_is_a_refusal() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Refusal(Code.DISK_FULL) from error
        raise


class FolderStore:
    """Files in a folder: `ab/abcdef…`, readable by nobody but the server. A `FileStore`.

    `reserve`: octets of the disk that files leave free. Whoever fills it with files from afar keeps nobody from handing in
    words, which are small and stand on the same disk.
    """

    def __init__(self, path: Path, *, reserve: int = 0) -> None:
        self._path = path
        self._reserve = reserve
        self._incoming = path / "incoming"
        with _disk_full_is_a_refusal():
            self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _place(self, sha256: str) -> Path:
        return self._path / _checked(sha256)[:2] / sha256

    def put(self, stream: Readable) -> StoredFile:
        with _disk_full_is_a_refusal():
            if self._reserve and shutil.disk_usage(self._path).free < self._reserve:
                raise Refusal(Code.DISK_FULL)
            handle, name = tempfile.mkstemp(dir=self._incoming)
            try:
                with os.fdopen(handle, "wb") as file:
                    stored = _copy(stream, file)
                    file.flush()
                    os.fsync(file.fileno())
                place = self._place(stored.sha256)
                if not place.parent.exists():
                    place.parent.mkdir(exist_ok=True, mode=0o700)
                    _sync_folder(self._path)
                os.replace(name, place)
                _sync_folder(place.parent)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        return stored

    def _aside(self, sha256: str) -> Path:
        """Where a file lies while `discard` looks at it."""
        return self._incoming / f"leaving-{_checked(sha256)}"

    def open(self, sha256: str) -> Iterator[bytes]:
        if not self.exists(sha256):
            raise MissingFile(sha256)
        try:
            file = self._place(sha256).open("rb")
        except FileNotFoundError:
            raise MissingFile(sha256) from None
        return _chunks(file)

    def exists(self, sha256: str) -> bool:
        place = self._place(sha256)
        if not place.exists():
            with suppress(FileNotFoundError):
                os.replace(self._aside(sha256), place)
        return place.exists()

    def verify(self, sha256: str) -> bool:
        try:
            return _has_hash(self.open(sha256), sha256)
        except MissingFile:
            return False

    def delete(self, sha256: str) -> None:
        self._place(sha256).unlink(missing_ok=True)

    def discard(self, sha256: str, before: datetime) -> bool:
        # Moved aside first and looked at there: whoever puts the same content meanwhile makes a new file. Should we
        # be killed in between, whoever looks for the file brings it back.
        place, aside = self._place(sha256), self._aside(sha256)
        with suppress(FileNotFoundError):
            os.replace(place, aside)
        with suppress(FileNotFoundError):
            if aside.stat().st_mtime < before.timestamp():
                aside.unlink()
            else:
                os.replace(aside, place)
        return not place.exists()

    def hashes(self, before: datetime | None = None) -> Iterator[str]:
        for place in self._path.glob("??/*"):
            if before is None or place.stat().st_mtime < before.timestamp():
                yield place.name

    def tidy(self, before: datetime) -> int:
        """Remove what writers that were killed before this moment left half-written; how many there were."""
        left = [
            file
            for file in self._incoming.iterdir()
            if not file.name.startswith("leaving-") and file.stat().st_mtime < before.timestamp()
        ]
        for file in left:
            file.unlink(missing_ok=True)
        return len(left)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _sync_folder(path: Path) -> None:
    # A new name is only durable when its folder is; Windows cannot open folders and needs no such thing.
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class S3Store:
    """Files in a bucket of an S3-compatible service, as `<prefix>ab/abcdef…`. A `FileStore`.

    An upload appears when it is complete; a broken one leaves nothing to read (let the bucket's lifecycle rule remove
    incomplete multipart uploads). `endpoint` is None for AWS itself.
    """

    def __init__(
        self,
        bucket: str,
        *,
        access_key: str,
        secret_key: str,
        region: str = "us-east-1",
        endpoint: str | None = None,
        prefix: str = "",
    ) -> None:
        from obstore.store import S3Store as Bucket

        config: S3Config = {"access_key_id": access_key, "secret_access_key": secret_key, "region": region}
        if endpoint:
            config["endpoint"] = endpoint
        # A service inside the town's own network may speak plain HTTP; its address says so.
        plain_http = endpoint is not None and endpoint.startswith("http://")
        self._prefix = prefix
        # Somebody waits for the answer: tell them soon when the service is down.
        self._bucket = Bucket(
            bucket,
            config=config,
            client_options={"allow_http": plain_http, "connect_timeout": timedelta(seconds=5)},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=15)},
        )

    def _key(self, sha256: str) -> str:
        return f"{self._prefix}{_checked(sha256)[:2]}/{sha256}"

    def put(self, stream: Readable) -> StoredFile:
        # The key is the hash, so the content waits on disk until the hash is known.
        with _disk_full_is_a_refusal(), tempfile.TemporaryFile() as file, _unreachable_is_a_refusal():
            stored = _copy(stream, file)
            file.seek(0)
            # Put again even if it is there: the time at which it was put last keeps it from being discarded.
            self._bucket.put(self._key(stored.sha256), file)
        return stored

    def open(self, sha256: str) -> Iterator[bytes]:
        try:
            result = self._bucket.get(self._key(sha256))
        except FileNotFoundError:
            raise MissingFile(sha256) from None
        return (bytes(chunk) for chunk in result.stream(min_chunk_size=_CHUNK))

    def exists(self, sha256: str) -> bool:
        try:
            self._bucket.head(self._key(sha256))
        except FileNotFoundError:
            return False
        return True

    def verify(self, sha256: str) -> bool:
        try:
            return _has_hash(self.open(sha256), sha256)
        except MissingFile:
            return False

    def delete(self, sha256: str) -> None:
        self._bucket.delete(self._key(sha256))

    def discard(self, sha256: str, before: datetime) -> bool:
        # A bucket knows no "delete if old": between the look and the deletion lie some milliseconds.
        try:
            put_at = self._bucket.head(self._key(sha256))["last_modified"]
        except FileNotFoundError:
            return True
        if put_at.astimezone(UTC) >= before:
            return False
        self.delete(sha256)
        return True

    def hashes(self, before: datetime | None = None) -> Iterator[str]:
        for batch in self._bucket.list(self._prefix or None):
            for entry in batch:
                if before is None or entry["last_modified"].astimezone(UTC) < before:
                    yield entry["path"].rpartition("/")[2]


@contextmanager
def _unreachable_is_a_refusal() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        raise Refusal(Code.FILE_STORE_UNREACHABLE) from error


# ------------------------------------------------------------------------------------------------------------ uploads


@dataclass(frozen=True)
class AcceptedFile:
    """A file that was looked at and kept.

    `public_sha256` is the copy that the public may see, of the type `public_media_type`: for pictures one without
    hidden data, for everything else None (the original is what was handed in). `text` are its words, if asked for;
    `says` is what its own data tell of people (`inspection.Finding`).
    """

    sha256: str
    size: int
    media_type: str
    filename: str
    pages: int | None = None
    public_sha256: str | None = None
    public_media_type: str | None = None
    text: str = ""
    public_size: int | None = None
    says: dict[str, str] = field(default_factory=dict)


#: What the name of a public copy ends in.
EXTENSIONS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "application/pdf": ".pdf",
}


def accept_upload(
    store: FileStore, stream: Readable, filename: str, *, limits: Limits | None = None
) -> AcceptedFile:
    """Look at an uploaded file and keep it. The whole file is never in memory; nothing refused is kept.

    Raises Refusal FILE_TOO_LARGE (facts: filename, limit in MB), those of `inspection.inspect`, and those of the store.
    """
    limits = limits or Limits()
    filename = clean_filename(filename)
    with _disk_full_is_a_refusal(), tempfile.TemporaryDirectory(prefix="digilog-") as folder:
        original, public = Path(folder) / "original", Path(folder) / "public"
        with original.open("wb") as file:
            _copy(_Bounded(stream, filename, limits.max_bytes), file)
        finding = inspect(original, filename, limits, public)
        with original.open("rb") as file:
            kept = store.put(file)
        copy = None
        if finding.public_media_type is not None:
            with public.open("rb") as file:
                copy = store.put(file)
    return AcceptedFile(
        sha256=kept.sha256,
        size=kept.size,
        media_type=finding.media_type,
        filename=finding.filename,
        pages=finding.pages,
        public_sha256=copy.sha256 if copy else None,
        public_media_type=finding.public_media_type,
        text=finding.text,
        public_size=copy.size if copy else None,
        says=finding.says,
    )


class _Bounded:
    """A stream that refuses to go on after so many bytes."""

    def __init__(self, stream: Readable, filename: str, limit: int) -> None:
        self._stream, self._filename, self._limit, self._seen = stream, filename, limit, 0

    def read(self, size: int, /) -> bytes:
        chunk = self._stream.read(size)
        self._seen += len(chunk)
        if self._seen > self._limit:
            raise Refusal(Code.FILE_TOO_LARGE, filename=self._filename, limit=self._limit // MB)
        return chunk


_FILENAME_LENGTH = 120
_NEVER_IN_FILENAMES = re.compile(r'[<>:"|?*]+')
_DEVICE_NAMES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def clean_filename(name: str) -> str:
    """`name` as a plain file name that every system can store: no folders, no control characters, at most 120 long.

    Umlauts, spaces and emoji stay; the extension survives a cut. What leaves nothing becomes "file".
    """
    name = normalise(name[-1_000:]).replace("\\", "/").rpartition("/")[2]
    name = header_safe(_NEVER_IN_FILENAMES.sub("_", name)).rstrip(" .")
    extension = extension_of(name)
    stem = name[: len(name) - len(extension)][: _FILENAME_LENGTH - len(extension)].strip(" .")
    if not stem or _DEVICE_NAMES.fullmatch(stem):
        stem = f"file_{stem}".removesuffix("_")
    return stem + name[len(name) - len(extension) :]


# ------------------------------------------------------------------------------------------------------------ serving

_SHOWN_IN_BROWSERS = frozenset({"image/jpeg", "image/png", "image/webp"})


def content_disposition(filename: str, inline: bool = False) -> str:
    """The value of Content-Disposition (RFC 6266): whole name for today's browsers, plain letters for old ones."""
    plain = unicodedata.normalize("NFKD", filename.replace("ß", "ss")).encode("ascii", "ignore").decode()
    plain = re.sub(r'["\\%\x00-\x1f\x7f]', "_", plain) or "file"
    kind = "inline" if inline else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def serving_headers(filename: str, media_type: str, *, inline: bool = False) -> dict[str, str]:
    """Response headers with which a browser shows or saves a file but never runs it.

    `inline` is heeded for pictures only: PDF and office files are always saved, so that their scripts never run in
    the town's name.
    """
    shown = inline and media_type in _SHOWN_IN_BROWSERS
    return {
        "Content-Type": media_type,
        "Content-Disposition": content_disposition(filename, shown),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
