"""What an uploaded file really is, found out in a process of its own.

`inspect` never runs inside the server: decoders of images, PDF and zip files meet hostile input here, so it works in
a child process with little memory and little time (`python -m consultations.inspection`). If the child dies, the file
is refused and nothing else happens. Whether the name lies is decided by content: `puremagic` names the family, then
the file has to open as what it claims to be.
"""

import html
import json
import os
import re
import signal
import subprocess
import sys
import threading
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from consultations.refusals import Code, Refusal

if TYPE_CHECKING:
    import pypdf
    from PIL import Image


@dataclass(frozen=True)
class FileType:
    """A type of file that may be handed in; the first of `extensions` is the usual one."""

    media_type: str
    extensions: tuple[str, ...]


PDF = FileType("application/pdf", (".pdf",))
JPEG = FileType("image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif"))
PNG = FileType("image/png", (".png",))
WEBP = FileType("image/webp", (".webp",))
TIFF = FileType("image/tiff", (".tif", ".tiff"))
TEXT = FileType("text/plain", (".txt",))
CSV = FileType("text/csv", (".csv",))
ODT = FileType("application/vnd.oasis.opendocument.text", (".odt",))
ODS = FileType("application/vnd.oasis.opendocument.spreadsheet", (".ods",))
DOCX = FileType("application/vnd.openxmlformats-officedocument.wordprocessingml.document", (".docx",))
XLSX = FileType("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", (".xlsx",))
EML = FileType("message/rfc822", (".eml",))

_OFFICE = (ODT, ODS, DOCX, XLSX)
IMAGES = (JPEG, PNG, WEBP, TIFF)
PUBLIC_TYPES = (PDF, *IMAGES, TEXT, ODT, DOCX, XLSX, ODS)
STAFF_TYPES = (*PUBLIC_TYPES, EML)
"""Staff also keep e-mails as they came in, with their headers."""
TABLE_TYPES = (XLSX, CSV)
"""What a table is taken in from."""

MB = 1_000_000


PUBLIC_SIDE = 4096
"""Longest side of a public copy in pixels: sharp on every screen, and no page gets heavy."""
PLAN_SIDE = 20_000
"""The same for what the town publishes: a plan drawing is read closely, and keeps all of its pixels."""


@dataclass(frozen=True)
class Limits:
    """How much is taken in: bytes of the file, pixels of a picture, bytes that a packed file unpacks to.

    `public_side` is the longest side of a picture's public copy in pixels. `text_length` asks for the words of a PDF or text file, at most so many characters of them.
    """

    max_bytes: int = 50 * MB
    max_pixels: int = 100_000_000
    max_unpacked: int = 300 * MB
    types: tuple[FileType, ...] = PUBLIC_TYPES
    text_length: int = 0
    public_side: int = PUBLIC_SIDE


@dataclass(frozen=True)
class Finding:
    """What the file is. `public_media_type` says that a copy without hidden data was written, and its type.

    `filename` has the extension of what was found. `media_type` of a text carries its charset. `pages` is None where
    pages mean nothing. `text` are the words in it as far as they were asked for and could be read. `says` is what the
    file's own data tell of people: author, last_modified_by, company, manager.
    """

    media_type: str
    filename: str
    pages: int | None = None
    public_media_type: str | None = None
    text: str = ""
    says: dict[str, str] = field(default_factory=dict)


_SECONDS = 30
_MEMORY = 2_000 * MB
_AT_ONCE = threading.BoundedSemaphore(2)


def inspect(path: Path, filename: str, limits: Limits, public_path: Path) -> Finding:
    """Find out in a child process what the file at `path` is; write the public copy of a picture to `public_path`.

    Two inspections run at a time, each with at most 30 s and 2 GB. Raises Refusal FILE_EMPTY, FILE_TYPE_NOT_ALLOWED,
    FILE_NOT_WHAT_IT_SAYS, FILE_BROKEN, FILE_ENCRYPTED, FILE_HAS_MACROS, FILE_EXPANDS_TOO_MUCH, PICTURE_TOO_LARGE;
    `filename` is among the facts of each.
    """
    order = json.dumps([str(path), filename, asdict(limits), str(public_path)])
    with _AT_ONCE:
        try:
            # `-m` finds the package in the working directory: the same place in a checkout and in a wheel.
            child = subprocess.run(
                [sys.executable, "-m", "consultations.inspection"],
                input=order.encode(),
                capture_output=True,
                timeout=_SECONDS,
                cwd=Path(__file__).parent.parent,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Refusal(Code.FILE_EXPANDS_TOO_MUCH, filename=filename) from None
    if child.returncode:
        # A decoder failed in one of its hundred ways, or was killed by a limit. `detail` is for the log.
        detail = (
            child.stderr.decode(errors="replace").strip().rpartition("\n")[2] or f"exit {child.returncode}"
        )
        raise Refusal(Code.FILE_BROKEN, filename=filename, detail=detail)
    answer = json.loads(child.stdout)
    if "code" in answer:
        raise Refusal(Code(answer["code"]), **answer["facts"])
    return Finding(**answer)


def _main() -> None:
    _confine()
    path, filename, limits, public_path = json.loads(sys.stdin.buffer.read())
    types = tuple(FileType(kind["media_type"], tuple(kind["extensions"])) for kind in limits.pop("types"))
    try:
        finding = examine(Path(path), filename, Limits(**limits, types=types), Path(public_path))
        answer = asdict(finding)
    except Refusal as refusal:
        answer = {"code": refusal.code.value, "facts": refusal.facts}
    except MemoryError:
        answer = {"code": Code.FILE_EXPANDS_TOO_MUCH.value, "facts": {"filename": filename}}
    sys.stdout.write(json.dumps(answer))


def _confine() -> None:
    """Little memory and little time for what follows. Windows knows no such limits; there the time-out remains."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.nice(5)


# ------------------------------------------------------------------------------------------------ inside the process


def examine(path: Path, filename: str, limits: Limits, public_path: Path) -> Finding:
    """What `inspect` promises, in this process; a damaged file may raise anything that its decoder raises."""
    extension = extension_of(filename)
    claimed = next((kind for kind in limits.types if extension in kind.extensions), None)
    if path.stat().st_size == 0:
        raise Refusal(Code.FILE_EMPTY, filename=filename)
    if claimed is None and extension:
        raise _not_allowed(filename, limits)
    found, name_of_found = _family(path, filename, claimed, limits)
    if found not in limits.types:
        found = None
    if found is None and claimed is None:
        raise _not_allowed(filename, limits)
    # Telephones and messengers often name one kind of picture as another: harmless, and nobody's fault.
    both_pictures = found in IMAGES and claimed in IMAGES
    if found is None or (claimed is not None and found != claimed and not both_pictures):
        raise Refusal(Code.FILE_NOT_WHAT_IT_SAYS, filename=filename, extension=extension, found=name_of_found)
    if extension not in found.extensions:
        filename = filename[: len(filename) - len(extension)] + found.extensions[0]
    if found == PDF:
        pages = _pdf_pages(path, filename)
        text = _pdf_text(path, limits.text_length) if limits.text_length else ""
        return Finding(found.media_type, filename, pages=pages, text=text, says=_pdf_says(path))
    if found in IMAGES:
        return _picture(path, filename, found, limits, public_path)
    if found == TEXT:
        charset = _charset(path)
        text = path.read_text(charset)[: limits.text_length] if limits.text_length else ""
        return Finding(f"{found.media_type}; charset={charset}", filename, text=text)
    return Finding(found.media_type, filename, says=_office_says(path) if found in _OFFICE else {})


_EXTENSION = re.compile(r"\.(?=[a-z0-9]*[a-z])[a-z0-9]{1,10}\Z")


def extension_of(filename: str) -> str:
    """The extension in lower case with its dot; empty for none ("Brief vom 1.5.2026" has none)."""
    match = _EXTENSION.search(filename.lower())
    return match[0] if match else ""


def _not_allowed(filename: str, limits: Limits) -> Refusal:
    allowed = ", ".join(kind.extensions[0].removeprefix(".").upper() for kind in limits.types)
    return Refusal(Code.FILE_TYPE_NOT_ALLOWED, filename=filename, allowed=allowed)


def _family(
    path: Path, filename: str, claimed: FileType | None, limits: Limits
) -> tuple[FileType | None, str]:
    """The type by content, None if it is none of those allowed; and how to name what was found."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"PK\x03\x04") or (claimed in _OFFICE and zipfile.is_zipfile(path)):
        office = _office(path, filename, limits)
        return office, office.extensions[0] if office else ".zip"
    # Some producers write a byte-order mark or an empty line first.
    if head.lstrip(b"\xef\xbb\xbf\x00 \t\r\n\f").startswith(b"%PDF-"):
        return PDF, ".pdf"
    # A list of all kinds of files, which nobody needs before the first one is handed in.
    import puremagic

    try:
        best = puremagic.magic_string(head)[0]
    except puremagic.PureError:
        best = None
    for kind in IMAGES:
        if best is not None and best.mime_type == kind.media_type:
            return kind, kind.extensions[0]
    if (
        claimed in (TEXT, CSV, EML)
        and _charset(path) is not None
        and (claimed != EML or _has_mail_headers(head))
    ):
        return claimed, claimed.extensions[0]
    return None, (best.extension or best.mime_type) if best is not None else ""


# -- PDF


def _pdf_pages(path: Path, filename: str) -> int:
    import pypdf

    with path.open("rb") as file:
        reader = pypdf.PdfReader(file, strict=False)
        # An empty password opens files that are only protected against printing or copying.
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refusal(Code.FILE_ENCRYPTED, filename=filename)
        pages = len(reader.pages)
        if pages == 0 or not reader.pages[0].mediabox:
            raise Refusal(Code.FILE_BROKEN, filename=filename)
        return pages


#: Characters of one such fact that are kept.
_SAYING = 200


def _pdf_says(path: Path) -> dict[str, str]:
    """Whom a PDF names as its author (its "creator" is a program); nothing where its data cannot be read."""
    import pypdf

    with path.open("rb") as file:
        try:
            known = pypdf.PdfReader(file, strict=False).metadata
            author = str((known.author if known else "") or "")
        except Exception:  # broken data in a file that can be read otherwise
            return {}
    return _sayings({"author": author})


def _sayings(found: dict[str, str]) -> dict[str, str]:
    cleaned = {name: " ".join(words.split())[:_SAYING] for name, words in found.items()}
    return {name: words for name, words in cleaned.items() if words}


_SAID_IN_OFFICE: tuple[tuple[str, str, bytes], ...] = (
    ("docProps/core.xml", "author", b"dc:creator"),
    ("docProps/core.xml", "last_modified_by", b"cp:lastModifiedBy"),
    ("docProps/app.xml", "company", b"Company"),
    ("docProps/app.xml", "manager", b"Manager"),
    ("meta.xml", "author", b"meta:initial-creator"),
    ("meta.xml", "last_modified_by", b"dc:creator"),
)
"""Where office formats name people: file in the archive, what it means, element."""


def _office_says(path: Path) -> dict[str, str]:
    """Whom an office file names; read as text, since a parser of XML could be made to work for ever."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        for inside, name, element in _SAID_IN_OFFICE:
            if inside in names:
                content = archive.open(inside).read(1 * MB)
                said = re.search(rb"<" + element + rb"(?:\s[^>]*)?>([^<]{1,400})<", content)
                found[name] = html.unescape(said[1].decode("utf-8", "replace")) if said else ""
    return _sayings(found)


_TEXT_SECONDS = 10


class _TextTakesTooLong(Exception):
    """Time is up for the words of a file; what was read so far is kept."""


def _pdf_text(path: Path, length: int) -> str:
    """The words of a PDF, page by page with an empty line between; what could be read in ten seconds.

    Never a reason to refuse a file: drawings and scans have no words, and a page that cannot be read is left out.
    """
    import pypdf

    def stop(*_: object) -> None:
        raise _TextTakesTooLong

    pages: list[str] = []
    if sys.platform != "win32":
        signal.signal(signal.SIGALRM, stop)
        signal.alarm(_TEXT_SECONDS)
    try:
        reader = pypdf.PdfReader(path, strict=False)
        if reader.is_encrypted:
            reader.decrypt("")
        for page in reader.pages:
            pages.append(_page_text(page))
            if sum(map(len, pages)) >= length:
                break
    except _TextTakesTooLong:
        pages.append("")
    finally:
        if sys.platform != "win32":
            signal.alarm(0)
    return "\n\n".join(page for page in pages if page)[:length].strip()


def _page_text(page: "pypdf.PageObject") -> str:
    try:
        return page.extract_text().strip()
    except _TextTakesTooLong:
        raise
    except Exception:
        # A font or a content stream in one of a hundred conditions: the page has no words for us, the file is fine.
        return ""


# -- pictures


def _picture(path: Path, filename: str, kind: FileType, limits: Limits, public_path: Path) -> Finding:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # our own limit follows, with a sentence instead of a warning
    formats = {JPEG: ("JPEG", "MPO"), PNG: ("PNG",), WEBP: ("WEBP",), TIFF: ("TIFF",)}[kind]
    with Image.open(path, formats=formats) as image:
        pages = getattr(image, "n_frames", 1) if kind == TIFF else None
        if pages is None or pages == 1:
            public = _public_picture(_limited(image, filename, limits), limits.public_side, public_path)
        else:
            public = _public_pages(image, pages, filename, limits, public_path)
    return Finding(kind.media_type, filename, pages=pages, public_media_type=public.media_type)


def _limited(image: "Image.Image", filename: str, limits: Limits) -> "Image.Image":
    if image.width * image.height > limits.max_pixels:
        million = 1_000_000
        raise Refusal(
            Code.PICTURE_TOO_LARGE,
            filename=filename,
            megapixels=-(-image.width * image.height // million),
            limit=limits.max_pixels // million,
        )
    return image


def _bare(image: "Image.Image", side: int) -> "Image.Image":
    """A new picture with the same look: upright, in sRGB, not too large, and with nothing but pixels."""
    import io

    from PIL import Image, ImageCms, ImageOps

    image.draft("RGB", (side, side))
    profile = image.info.get("icc_profile")
    upright = ImageOps.exif_transpose(image)
    has_alpha = "A" in upright.getbands() or "transparency" in upright.info
    if upright.mode.startswith("I;16"):
        upright = upright.point(lambda value: value / 256).convert("L")
    if upright.mode not in ("1", "L") or has_alpha:
        upright = upright.convert("RGBA" if has_alpha else "RGB")
    upright.thumbnail((side, side), Image.Resampling.LANCZOS)
    if profile and upright.mode in ("RGB", "RGBA"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            ImageCms.profileToProfile(upright, source, ImageCms.createProfile("sRGB"), inPlace=True)
        except (ImageCms.PyCMSError, OSError):
            # A profile that cannot be read: the colours stay as they are, like in any viewer.
            upright.info.pop("icc_profile", None)
    bare = Image.new(upright.mode, upright.size)
    bare.paste(upright)
    return bare


def _public_picture(image: "Image.Image", side: int, public_path: Path) -> FileType:
    photo = image.format in ("JPEG", "MPO", "WEBP")
    bare = _bare(image, side)
    if bare.mode == "RGB" and (photo or image.format == "TIFF"):
        bare.save(public_path, "JPEG", quality=88, optimize=True, progressive=True)
        return JPEG
    bare.save(public_path, "PNG", optimize=bare.width * bare.height < 4_000_000)
    return PNG


def _public_pages(
    image: "Image.Image", pages: int, filename: str, limits: Limits, public_path: Path
) -> FileType:
    """A scan or fax of several sheets: browsers show no TIFF, so its public copy is a PDF."""

    import tempfile

    with tempfile.TemporaryDirectory(dir=public_path.parent) as folder:
        # One sheet in memory at a time: Pillow appends to the file that it has written.
        made = Path(folder) / "pages.pdf"
        for number in range(pages):
            image.seek(number)
            sheet = _bare(_limited(image, filename, limits), limits.public_side)
            sheet = sheet.convert("RGB") if sheet.mode == "RGBA" else sheet
            sheet.save(made, "PDF", append=number > 0, resolution=200)
        os.replace(made, public_path)
    return PDF


# -- office files

_MAX_ENTRIES = 10_000
_MAX_RATIO = 200
_MAIN_PARTS = {
    b"wordprocessingml.document.main+xml": DOCX,
    b"spreadsheetml.sheet.main+xml": XLSX,
}
_MACRO_NAMES = re.compile(r"(^|/)(vbaProject\.bin|vbaData\.xml)$|^(Basic|Scripts)/", re.IGNORECASE)
_MACRO_PARTS = re.compile(rb"macroEnabled|vbaProject", re.IGNORECASE)


def _office(path: Path, filename: str, limits: Limits) -> FileType | None:
    """Which office format a zip file is, None if none. Raises FILE_BROKEN, FILE_EXPANDS_TOO_MUCH, FILE_HAS_MACROS."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        packed = sum(entry.compress_size for entry in entries)
        unpacked = sum(entry.file_size for entry in entries)
        # Embedded pictures hardly shrink, XML does by up to 20 or so; a bomb by a thousand.
        bomb = unpacked > limits.max_unpacked or (
            unpacked > 10 * MB and unpacked > _MAX_RATIO * max(packed, 1)
        )
        if len(entries) > _MAX_ENTRIES or bomb:
            raise Refusal(Code.FILE_EXPANDS_TOO_MUCH, filename=filename)
        if any(entry.flag_bits & 1 for entry in entries):
            raise Refusal(Code.FILE_ENCRYPTED, filename=filename)
        names = {entry.filename for entry in entries}
        if len(names) != len(entries) or any(_climbs(name) for name in names):
            raise Refusal(Code.FILE_BROKEN, filename=filename)
        kind, macros = _office_kind(archive, names)
        if kind is not None and macros:
            raise Refusal(Code.FILE_HAS_MACROS, filename=filename)
        # Reads every entry to its declared size and checks its sum: what claims to be small cannot grow here.
        if kind is not None and archive.testzip() is not None:
            raise Refusal(Code.FILE_BROKEN, filename=filename)
        return kind


def _climbs(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0] or "\x00" in name


def _office_kind(archive: zipfile.ZipFile, names: set[str]) -> tuple[FileType | None, bool]:
    macros = any(_MACRO_NAMES.search(name) for name in names)
    if "mimetype" in names:
        declared = archive.open("mimetype").read(200).strip().decode("ascii", "replace")
        return next((kind for kind in (ODT, ODS) if kind.media_type == declared), None), macros
    if "[Content_Types].xml" not in names:
        return None, macros
    parts = archive.open("[Content_Types].xml").read(4 * MB)
    macros = macros or bool(_MACRO_PARTS.search(parts))
    kind = next((kind for mark, kind in _MAIN_PARTS.items() if mark in parts), None)
    if kind is None and macros:
        kind = DOCX if "word/document.xml" in names else XLSX if "xl/workbook.xml" in names else None
    return kind, macros


# -- text

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def _charset(path: Path) -> str | None:
    """The charset in which the file is a text without control characters; None if there is none."""
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        guesses: tuple[str, ...] = ("utf-16",)
    else:
        guesses = ("utf-8", "windows-1252")
    for charset in guesses:
        try:
            text = data.decode(charset)
        except UnicodeDecodeError:
            continue
        if not _CONTROLS.search(text):
            return charset
    return None


def _has_mail_headers(head: bytes) -> bool:
    from email.parser import BytesHeaderParser

    headers = BytesHeaderParser().parsebytes(head)
    return "From" in headers and ("Date" in headers or "Received" in headers)


if __name__ == "__main__":
    _main()
