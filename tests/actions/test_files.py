"""Files: kept whole or not at all, looked at before they are kept, and served so that no browser runs them."""

import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FunctionType

import pypdf
import pytest
from PIL import Image

from consultations.files import (
    STAFF_TYPES,
    FileStore,
    FolderStore,
    Limits,
    MissingFile,
    S3Store,
    accept_upload,
    clean_filename,
    content_disposition,
    serving_headers,
)
from consultations.inspection import DOCX, ODS, ODT, XLSX, FileType
from consultations.refusals import Code, Refusal
from tests.conftest import Bucket
from tests.servers import ROOT, free_port

SOME = b"Im Anger 12\n" * 300_000
SHA256 = hashlib.sha256(SOME).hexdigest()


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    """The two implementations; every test that uses this runs on both."""
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    return s3_store(request.getfixturevalue("bucket"))


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def s3_store(bucket: Bucket) -> S3Store:
    return S3Store(bucket.name, access_key="k", secret_key="s", endpoint=bucket.endpoint, prefix="files/")


# --------------------------------------------------------------------------------------------------------- the stores


def test_what_is_put_can_be_read_again(store: FileStore) -> None:
    stored = store.put(io.BytesIO(SOME))
    assert (stored.sha256, stored.size) == (SHA256, len(SOME))
    assert b"".join(store.open(SHA256)) == SOME
    assert store.exists(SHA256)
    assert store.verify(SHA256)


def test_the_same_content_is_kept_once(store: FileStore) -> None:
    assert store.put(io.BytesIO(SOME)) == store.put(io.BytesIO(SOME))
    store.put(io.BytesIO(b""))
    assert sorted(store.hashes()) == sorted([SHA256, hashlib.sha256(b"").hexdigest()])
    assert b"".join(store.open(hashlib.sha256(b"").hexdigest())) == b""


def test_what_is_not_there_is_missing_at_once(store: FileStore) -> None:
    with pytest.raises(MissingFile):
        store.open(SHA256)
    assert not store.exists(SHA256)
    assert not store.verify(SHA256)
    store.delete(SHA256)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "", "abc", SHA256.upper(), SHA256 + "\n", "/" + SHA256[1:]]
)
def test_only_hashes_are_names(store: FileStore, name: str) -> None:
    for ask in (store.open, store.exists, store.verify, store.delete):
        with pytest.raises(ValueError, match="not a SHA-256"):
            ask(name)


def test_deleted_is_gone(store: FileStore) -> None:
    store.put(io.BytesIO(SOME))
    store.delete(SHA256)
    assert not store.exists(SHA256)
    assert list(store.hashes()) == []


def test_hashes_of_before_a_moment(store: FileStore) -> None:
    store.put(io.BytesIO(SOME))
    now = datetime.now(UTC)
    assert list(store.hashes(now - timedelta(hours=1))) == []
    assert list(store.hashes(now + timedelta(hours=1))) == [SHA256]


def test_tampering_shows(tmp_path: Path, bucket: Bucket) -> None:
    folder = FolderStore(tmp_path / "store")
    folder.put(io.BytesIO(SOME))
    place = tmp_path / "store" / SHA256[:2] / SHA256
    place.write_bytes(SOME[:-1] + b"X")
    assert not folder.verify(SHA256)

    s3 = s3_store(bucket)
    s3.put(io.BytesIO(SOME))
    import obstore
    from obstore.store import S3Store as Raw

    raw = Raw(
        bucket.name,
        endpoint=bucket.endpoint,
        access_key_id="k",
        secret_access_key="s",
        region="us-east-1",
        client_options={"allow_http": True},
    )
    obstore.put(raw, f"files/{SHA256[:2]}/{SHA256}", b"other")
    assert not s3.verify(SHA256)


class Endless:
    """An upload that goes on until somebody says no; counts what was read."""

    def __init__(self) -> None:
        self.read_bytes = 0

    def read(self, size: int, /) -> bytes:
        self.read_bytes += size
        return b"a" * size


class Torn:
    """An upload whose connection breaks."""

    def __init__(self) -> None:
        self.left = [b"a" * 1000, b"b" * 1000]

    def read(self, size: int, /) -> bytes:
        if not self.left:
            raise ConnectionResetError
        return self.left.pop()


def test_a_broken_connection_leaves_nothing(store: FileStore) -> None:
    with pytest.raises(ConnectionResetError):
        store.put(Torn())
    assert list(store.hashes()) == []


WRITER = """
import sys, time
from pathlib import Path
from consultations.files import FolderStore, S3Store

class Slow:
    def __init__(self): self.sent = 0
    def read(self, size, /):
        self.sent += 1
        if self.sent == 20:
            print("half", flush=True)
            time.sleep(60)
        return b"x" * 1_000_000

kind, place, name = sys.argv[1:]
store = FolderStore(Path(place)) if kind == "folder" else S3Store(name, access_key="k", secret_key="s", endpoint=place)
store.put(Slow())
"""


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_killed_in_the_middle_leaves_nothing_half_written(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "folder":
        place, name = str(tmp_path / "store"), ""
        store: FileStore = FolderStore(tmp_path / "store")
    else:
        bucket = request.getfixturevalue("bucket")
        place, name = bucket.endpoint, bucket.name
        store = S3Store(name, access_key="k", secret_key="s", endpoint=place)
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, kind, place, name], stdout=subprocess.PIPE, cwd=ROOT
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"half\n"
        writer.send_signal(signal.SIGKILL)
    assert list(store.hashes()) == []
    if isinstance(store, FolderStore):
        assert store.tidy(datetime.now(UTC) - timedelta(hours=1)) == 0  # it could still be somebody's
        assert store.tidy(datetime.now(UTC) + timedelta(hours=1)) == 1
        assert [file for file in (tmp_path / "store").rglob("*") if file.is_file()] == []


def test_killed_at_any_moment_leaves_whole_files_only(tmp_path: Path) -> None:
    script = """
import io, sys
from pathlib import Path
from consultations.files import FolderStore
store = FolderStore(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    print(store.put(io.BytesIO(bytes(str(number), "ascii") * 40_000)).sha256, flush=True)
"""
    for attempt in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
        ) as writer:
            assert writer.stdout is not None
            acknowledged = [writer.stdout.readline().decode().strip()]
            time.sleep(0.05 * (attempt + 1))
            writer.send_signal(signal.SIGKILL)
            acknowledged += writer.stdout.read().decode().split()
        store = FolderStore(tmp_path)
        assert all(store.verify(sha256) for sha256 in store.hashes())
        assert all(store.verify(sha256) for sha256 in acknowledged if len(sha256) == 64)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_a_refusal(folder: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the kernel's own: only the temporary file is moved to the device that is always full."""
    monkeypatch.setattr("tempfile.mkstemp", lambda dir: (os.open("/dev/full", os.O_WRONLY), f"{dir}/none"))
    with pytest.raises(Refusal) as refused:
        folder.put(io.BytesIO(SOME))
    assert refused.value.code == Code.DISK_FULL
    assert list(folder.hashes()) == []


def test_files_leave_room_for_words_on_the_disk(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert FolderStore(tmp_path / "a", reserve=free // 4).put(io.BytesIO(SOME))
    full = FolderStore(tmp_path / "b", reserve=free * 4)
    with pytest.raises(Refusal) as refused:
        full.put(io.BytesIO(SOME))
    assert refused.value.code == Code.DISK_FULL
    assert list(full.hashes()) == []


def test_an_s3_service_that_is_down_is_a_refusal() -> None:
    store = S3Store(
        "bucket",
        access_key="k",
        secret_key="s",
        endpoint=f"http://127.0.0.1:{free_port()}",
    )
    with pytest.raises(Refusal) as refused:
        store.put(io.BytesIO(SOME))
    assert refused.value.code == Code.FILE_STORE_UNREACHABLE


# ------------------------------------------------------------------------------------------------------- good uploads


def image(kind: str, size: tuple[int, int] = (60, 40), mode: str = "RGB", **how: object) -> bytes:
    """A picture of noise, so that no format shrinks it to nothing."""
    noise = random.Random(1).randbytes(size[0] * size[1] * len(Image.new(mode, (1, 1)).getbands()))
    made = io.BytesIO()
    Image.frombytes(mode, size, noise).save(made, kind, **how)
    return made.getvalue()


def photo_with_place() -> bytes:
    """A JPEG as a telephone makes it: turned by 90°, with place, owner and a comment."""
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn right
    exif[0x013B] = "Erika Beispiel"
    place = exif.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", (48.0, 22.0, 11.0), "E", (10.0, 53.0, 54.0)
    return image("JPEG", exif=exif.tobytes(), comment=b"Erika's phone")


def pdf(pages: int = 3, password: str | None = None) -> bytes:
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(595, 842)
    if password is not None:
        writer.encrypt(password, owner_password="owner", algorithm="AES-256")
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def office(kind: FileType, extra: dict[str, bytes] | None = None, main: str = "") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        if kind in (ODT, ODS):
            archive.writestr("mimetype", kind.media_type, zipfile.ZIP_STORED)
            archive.writestr("content.xml", "<office:document-content/>")
        else:
            main = main or kind.media_type + ".main+xml"
            archive.writestr("[Content_Types].xml", f'<Types><Override ContentType="{main}"/></Types>')
            archive.writestr("word/document.xml", "<w:document/>")
        for name, content in (extra or {}).items():
            archive.writestr(name, content)
    return made.getvalue()


def take(store: FileStore, data: bytes, filename: str, **limits: object):  # type: ignore[no-untyped-def]
    return accept_upload(store, io.BytesIO(data), filename, limits=Limits(**limits))  # type: ignore[arg-type]


GOOD: list[tuple[str, Callable[[], bytes], str, int | None]] = [
    ("Brief.pdf", pdf, "application/pdf", 3),
    ("gesperrt.pdf", lambda: pdf(1, password=""), "application/pdf", 1),
    ("Brief.pdf", lambda: b"\xef\xbb\xbf\r\n" + pdf(2), "application/pdf", 2),
    ("Foto.JPG", lambda: image("JPEG"), "image/jpeg", None),
    ("Foto.jpeg", lambda: image("MPO"), "image/jpeg", None),
    ("Bild.png", lambda: image("PNG", mode="RGBA"), "image/png", None),
    ("Bild.webp", lambda: image("WEBP"), "image/webp", None),
    ("Fax.tif", lambda: image("TIFF", mode="L"), "image/tiff", 1),
    ("Text.txt", lambda: "Grün statt Grau\r\n".encode(), "text/plain; charset=utf-8", None),
    (
        "Text.txt",
        lambda: "Grün – statt Grau".encode("windows-1252"),
        "text/plain; charset=windows-1252",
        None,
    ),
    ("Text.txt", lambda: "Grün statt Grau".encode("utf-16"), "text/plain; charset=utf-16", None),
    ("Brief.odt", lambda: office(ODT), ODT.media_type, None),
    ("Zahlen.ods", lambda: office(ODS), ODS.media_type, None),
    ("Brief.docx", lambda: office(DOCX), DOCX.media_type, None),
    ("Zahlen.xlsx", lambda: office(XLSX), XLSX.media_type, None),
]


@pytest.mark.parametrize(
    ("filename", "make", "media_type", "pages"),
    GOOD,
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_people_send_is_kept_as_it_is(
    folder: FolderStore, filename: str, make: FunctionType, media_type: str, pages: int | None
) -> None:
    data = make()
    accepted = take(folder, data, filename)
    assert (accepted.filename, accepted.media_type, accepted.pages) == (filename, media_type, pages)
    assert accepted.size == len(data)
    assert b"".join(folder.open(accepted.sha256)) == data
    assert (accepted.public_sha256 is not None) == media_type.startswith("image/")


def test_what_a_file_says_of_people_is_told(folder: FolderStore) -> None:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(200, 200)
    writer.add_metadata({"/Author": "Petra  Privat", "/Creator": "A program"})
    made = io.BytesIO()
    writer.write(made)
    assert take(folder, made.getvalue(), "plan.pdf").says == {"author": "Petra Privat"}
    core = b"<cp:coreProperties><dc:creator>A &amp; B</dc:creator><cp:lastModifiedBy>Otto</cp:lastModifiedBy></cp:coreProperties>"
    report = office(
        DOCX, {"docProps/core.xml": core, "docProps/app.xml": b"<P><Company>Plan GmbH</Company></P>"}
    )
    assert take(folder, report, "bericht.docx").says == {
        "author": "A & B", "last_modified_by": "Otto", "company": "Plan GmbH",
    }  # fmt: skip
    assert take(folder, pdf(), "leer.pdf").says == {}


def test_an_upload_works_on_both_stores(store: FileStore) -> None:
    accepted = take(store, photo_with_place(), "Foto.jpg")
    assert accepted.public_sha256 is not None
    assert sorted(store.hashes()) == sorted([accepted.sha256, accepted.public_sha256])
    assert store.verify(accepted.sha256)
    assert store.verify(accepted.public_sha256)


def test_the_public_copy_of_a_photo_tells_no_place_and_the_original_stays(folder: FolderStore) -> None:
    data = photo_with_place()
    accepted = take(folder, data, "Foto.jpg")
    assert accepted.public_sha256 is not None
    assert accepted.public_media_type == "image/jpeg"
    copy = b"".join(folder.open(accepted.public_sha256))
    assert b"".join(folder.open(accepted.sha256)) == data
    for secret in (b"Exif", b"GPS", b"Erika", b"phone", b"http://ns.adobe.com"):
        assert secret not in copy
    with Image.open(io.BytesIO(copy)) as shown, Image.open(io.BytesIO(data)) as original:
        assert not shown.getexif()
        assert original.size == (60, 40)
        assert shown.size == (40, 60)  # upright without the note that it was turned
        # What was in the upper left corner of the stored picture is now in the upper right.
        seen, kept = shown.convert("L").resize((4, 6)), original.convert("L").resize((6, 4))
        assert seen.getpixel((3, 0)) == pytest.approx(kept.getpixel((0, 0)), abs=20)


@pytest.mark.parametrize(
    ("mode", "kind", "public"),
    [("RGBA", "PNG", "image/png"), ("LA", "PNG", "image/png"), ("CMYK", "JPEG", "image/jpeg"), ("1", "TIFF", "image/png"),
     ("L", "JPEG", "image/png"), ("I;16", "PNG", "image/png"), ("RGB", "TIFF", "image/jpeg")],
)  # fmt: skip
def test_every_kind_of_picture_has_a_public_copy(
    folder: FolderStore, mode: str, kind: str, public: str
) -> None:
    made = io.BytesIO()
    Image.linear_gradient("L").resize((64, 48)).convert("I" if mode == "I;16" else mode).convert(mode).save(
        made, kind
    )
    accepted = take(folder, made.getvalue(), f"Bild.{ {'JPEG': 'jpg', 'TIFF': 'tif'}.get(kind, 'png') }")
    assert accepted.public_sha256 is not None
    assert accepted.public_media_type == public
    with Image.open(io.BytesIO(b"".join(folder.open(accepted.public_sha256)))) as copy:
        assert copy.size == (64, 48)


def test_sixteen_bits_keep_their_greys(folder: FolderStore) -> None:
    made = io.BytesIO()
    Image.linear_gradient("L").convert("I").point(lambda value: value * 257).convert("I;16").save(made, "PNG")
    accepted = take(folder, made.getvalue(), "scan.png")
    assert accepted.public_sha256 is not None
    with Image.open(io.BytesIO(b"".join(folder.open(accepted.public_sha256)))) as copy:
        assert copy.getpixel((0, 128)) == pytest.approx(128, abs=2)


def test_large_pictures_get_a_smaller_public_copy(folder: FolderStore) -> None:
    made = io.BytesIO()
    Image.new("RGB", (9000, 3000), "green").save(made, "JPEG")
    accepted = take(folder, made.getvalue(), "panorama.jpg")
    assert accepted.public_sha256 is not None
    with Image.open(io.BytesIO(b"".join(folder.open(accepted.public_sha256)))) as copy:
        assert max(copy.size) <= 4096
        assert copy.width == pytest.approx(copy.height * 3, abs=3)


def test_a_fax_of_several_sheets_gets_a_public_pdf(folder: FolderStore) -> None:
    sheets = [Image.new("1", (400, 600), number % 2) for number in range(4)]
    made = io.BytesIO()
    sheets[0].save(made, "TIFF", save_all=True, append_images=sheets[1:], compression="group4")
    accepted = take(folder, made.getvalue(), "fax.tif")
    assert (accepted.pages, accepted.public_media_type) == (4, "application/pdf")
    assert accepted.public_sha256 is not None
    copy = pypdf.PdfReader(io.BytesIO(b"".join(folder.open(accepted.public_sha256))))
    assert len(copy.pages) == 4


@pytest.mark.parametrize(
    ("name", "kept"), [("Foto.jpg", "Foto.png"), ("Foto", "Foto.png"), ("v1.2", "v1.2.png")]
)
def test_pictures_with_another_pictures_name_get_their_own(folder: FolderStore, name: str, kept: str) -> None:
    assert take(folder, image("PNG"), name).filename == kept


def test_staff_keep_mail_with_its_headers(folder: FolderStore) -> None:
    mail = b"Received: from a by b\r\nFrom: a@example.org\r\nDate: Mon, 1 Jun 2026 10:00:00 +0200\r\n\r\nHallo\r\n"
    assert take(folder, mail, "mail.eml", types=STAFF_TYPES).media_type == "message/rfc822"
    with pytest.raises(Refusal):
        take(folder, mail, "mail.eml")
    with pytest.raises(Refusal):
        take(folder, b"Hallo", "mail.eml", types=STAFF_TYPES)


# -------------------------------------------------------------------------------------------------------- bad uploads


def bomb(entries: int = 1, size: int = 400_000_000) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", f"<Types>{DOCX.media_type}.main+xml</Types>")
        for number in range(entries):
            with archive.open(f"word/{number}.xml", "w", force_zip64=True) as entry:
                for _ in range(size // 1_000_000):
                    entry.write(b"\0" * 1_000_000)
    return made.getvalue()


def lying_zip() -> bytes:
    """An entry that declares fewer bytes than it unpacks to."""
    data = bytearray(office(DOCX, {"word/big.xml": b"\0" * 5_000_000}))
    for place in (data.find(b"PK\x03\x04", data.find(b"word/document.xml")), data.rfind(b"PK\x01\x02")):
        offset = 22 if data[place : place + 4] == b"PK\x03\x04" else 24
        data[place + offset : place + offset + 4] = (100).to_bytes(4, "little")
    return bytes(data)


def encrypted_zip() -> bytes:
    data = bytearray(office(DOCX))
    place = data.rfind(b"PK\x01\x02")
    data[place + 8] |= 1
    return bytes(data)


def pixel_bomb() -> bytes:
    made = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(made, "PNG")
    return made.getvalue()


def tiff_pixel_bomb() -> bytes:
    """A harmless first sheet; the second one is a bomb."""
    made = io.BytesIO()
    sheets = [Image.new("1", (10, 10)), Image.new("1", (30_000, 30_000))]
    sheets[0].save(made, "TIFF", save_all=True, append_images=sheets[1:], compression="group4")
    return made.getvalue()


def deep_pdf() -> bytes:
    """A page tree that leads to itself."""
    return (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R]/Count 1>>endobj\n"
        b"trailer<</Root 1 0 R/Size 3>>\nstartxref\n0\n%%EOF"
    )


NOISE = random.Random(2).randbytes(20_000)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + NOISE
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
WORD = "application/vnd.ms-word.document.macroEnabled.main+xml"

BAD: list[tuple[str, Callable[[], bytes], Code]] = [
    ("leer.pdf", lambda: b"", Code.FILE_EMPTY),
    ("programm.exe", lambda: b"MZ" + NOISE, Code.FILE_TYPE_NOT_ALLOWED),
    ("seite.html", lambda: b"<!DOCTYPE html><script>alert(1)</script>", Code.FILE_TYPE_NOT_ALLOWED),
    (
        "bild.svg",
        lambda: b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        Code.FILE_TYPE_NOT_ALLOWED,
    ),
    ("iphone.heic", lambda: HEIC, Code.FILE_TYPE_NOT_ALLOWED),
    ("alt.doc", lambda: OLE, Code.FILE_TYPE_NOT_ALLOWED),
    ("Makro.docm", lambda: office(DOCX, main=WORD), Code.FILE_TYPE_NOT_ALLOWED),
    ("archiv.zip", lambda: office(DOCX), Code.FILE_TYPE_NOT_ALLOWED),
    ("ohne Endung", lambda: b"nur Text", Code.FILE_TYPE_NOT_ALLOWED),
    ("rechnung.pdf.exe", pdf, Code.FILE_TYPE_NOT_ALLOWED),
    ("rechnung.pdf", lambda: b"MZ" + NOISE, Code.FILE_NOT_WHAT_IT_SAYS),
    ("foto.jpg", lambda: b"MZ" + NOISE, Code.FILE_NOT_WHAT_IT_SAYS),
    ("foto.jpg", lambda: HEIC, Code.FILE_NOT_WHAT_IT_SAYS),
    ("foto.jpg", lambda: b"GIF89a" + NOISE, Code.FILE_NOT_WHAT_IT_SAYS),
    ("foto.jpg", pdf, Code.FILE_NOT_WHAT_IT_SAYS),
    ("foto.png", lambda: b"<!DOCTYPE html><script>alert(1)</script>", Code.FILE_NOT_WHAT_IT_SAYS),
    ("brief.pdf", lambda: b"<html>" + b" " * 2000 + pdf(), Code.FILE_NOT_WHAT_IT_SAYS),
    ("text.txt", lambda: b"MZ\x00\x01" + NOISE, Code.FILE_NOT_WHAT_IT_SAYS),
    ("text.txt", pdf, Code.FILE_NOT_WHAT_IT_SAYS),
    ("brief.docx", lambda: office(ODT), Code.FILE_NOT_WHAT_IT_SAYS),
    ("brief.docx", lambda: OLE, Code.FILE_NOT_WHAT_IT_SAYS),
    ("brief.odt", lambda: office(FileType("application/zip", ())), Code.FILE_NOT_WHAT_IT_SAYS),
    ("brief.docx", lambda: office(DOCX, {"word/vbaProject.bin": b"x"}), Code.FILE_HAS_MACROS),
    ("brief.docx", lambda: office(DOCX, main=WORD), Code.FILE_HAS_MACROS),
    ("brief.odt", lambda: office(ODT, {"Basic/Standard/Module1.xml": b"x"}), Code.FILE_HAS_MACROS),
    ("brief.docx", lambda: office(DOCX, {"../../etc/cron.d/x": b"x"}), Code.FILE_BROKEN),
    ("brief.docx", lambda: office(DOCX, {"C:\\autoexec.bat": b"x"}), Code.FILE_BROKEN),
    ("brief.docx", lambda: office(DOCX)[:-40], Code.FILE_BROKEN),
    (
        "brief.docx",
        lambda: office(DOCX, {"a.bin": NOISE}).replace(NOISE[100:110], b"0123456789"),
        Code.FILE_BROKEN,
    ),
    ("brief.docx", lying_zip, Code.FILE_BROKEN),
    ("brief.docx", encrypted_zip, Code.FILE_ENCRYPTED),
    ("bombe.docx", bomb, Code.FILE_EXPANDS_TOO_MUCH),
    ("bombe.docx", lambda: bomb(30, 1_000_000), Code.FILE_EXPANDS_TOO_MUCH),
    ("viele.docx", lambda: office(DOCX, {f"{n}": b"" for n in range(10_001)}), Code.FILE_EXPANDS_TOO_MUCH),
    ("geheim.pdf", lambda: pdf(password="geheim"), Code.FILE_ENCRYPTED),
    ("kaputt.pdf", lambda: b"%PDF-1.7\n" + NOISE, Code.FILE_BROKEN),
    ("kaputt.pdf", lambda: b"%PDF-1.7\n", Code.FILE_BROKEN),
    ("ohne seiten.pdf", lambda: pdf(0), Code.FILE_BROKEN),
    ("kreis.pdf", deep_pdf, Code.FILE_BROKEN),
    ("kaputt.jpg", lambda: image("JPEG", (400, 400))[:5000], Code.FILE_BROKEN),
    ("kaputt.png", lambda: image("PNG")[:60], Code.FILE_BROKEN),
    ("kaputt.webp", lambda: image("WEBP", (400, 400))[:5000], Code.FILE_BROKEN),
    ("kaputt.tif", lambda: b"II*\0" + NOISE, Code.FILE_BROKEN),
    ("pixelbombe.png", pixel_bomb, Code.PICTURE_TOO_LARGE),
    ("pixelbombe.tif", tiff_pixel_bomb, Code.PICTURE_TOO_LARGE),
]


@pytest.mark.parametrize(
    ("filename", "make", "code"), BAD, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_what_is_not_taken_is_refused_by_name_and_not_kept(
    folder: FolderStore, filename: str, make: FunctionType, code: Code
) -> None:
    with pytest.raises(Refusal) as refused:
        take(folder, make(), filename)
    assert (refused.value.code, refused.value.facts["filename"]) == (code, filename)
    assert list(folder.hashes()) == []


def test_a_refusal_tells_what_would_be_taken(folder: FolderStore) -> None:
    with pytest.raises(Refusal) as refused:
        take(folder, OLE, "alt.doc")
    assert refused.value.facts["allowed"] == "PDF, JPG, PNG, WEBP, TIF, TXT, ODT, DOCX, XLSX, ODS"


def test_too_much_is_refused_while_it_streams(folder: FolderStore) -> None:
    upload = Endless()
    with pytest.raises(Refusal) as refused:
        accept_upload(folder, upload, "film.pdf", limits=Limits(max_bytes=5_000_000))
    assert refused.value.code == Code.FILE_TOO_LARGE
    assert refused.value.facts == {"filename": "film.pdf", "limit": 5}
    assert upload.read_bytes < 8_000_000
    assert list(folder.hashes()) == []


def test_refused_uploads_leave_no_temporary_files(
    folder: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with pytest.raises(Refusal):
        take(folder, image("PNG")[:60], "kaputt.png")
    take(folder, image("PNG"), "gut.png")
    assert list(scratch.iterdir()) == []


def mutated() -> Iterator[tuple[str, bytes]]:
    """Good files with a few bytes changed, cut and doubled, always the same ones."""
    dice = random.Random(3)
    for filename, make, _, _ in GOOD:
        for _ in range(2):
            data = bytearray(make())
            for _ in range(dice.randint(1, 12)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            start = dice.randrange(len(data))
            yield filename, bytes(data[:start] + data[start // 2 :])


def test_damaged_files_are_taken_or_refused_and_nothing_else(folder: FolderStore) -> None:
    for filename, data in mutated():
        with suppress(Refusal):
            assert folder.verify(take(folder, data, filename).sha256)


# ---------------------------------------------------------------------------------------------------- names, headers


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("Stellungnahme Straße.pdf", "Stellungnahme Straße.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\erika\\Brief.pdf", "Brief.pdf"),
        ("Brief\r\nSet-Cookie: x=1.pdf", "Brief Set-Cookie_ x=1.pdf"),
        ("Plan\u202efdp.exe", "Planfdp.exe"),
        ("a\x00b.pdf", "ab.pdf"),
        ("u\u0308ber.pdf", "über.pdf"),
        ("", "file"),
        ("...", "file"),
        (".pdf", "file.pdf"),
        ("CON.txt", "file_CON.txt"),
        ("😀.png", "😀.png"),
        ("x" * 300 + ".pdf", "x" * 116 + ".pdf"),
        ("Brief vom 1.5.2026", "Brief vom 1.5.2026"),
    ],
)
def test_file_names_are_harmless_everywhere(name: str, clean: str) -> None:
    assert clean_filename(name) == clean
    assert clean_filename(clean) == clean


def test_a_file_is_saved_under_its_name() -> None:
    assert content_disposition("Straße „1“.pdf") == (
        "attachment; filename=\"Strasse 1.pdf\"; filename*=UTF-8''Stra%C3%9Fe%20%E2%80%9E1%E2%80%9C.pdf"
    )
    assert (
        content_disposition('a"b\r\n.png', inline=True)
        == "inline; filename=\"a_b__.png\"; filename*=UTF-8''a%22b%0D%0A.png"
    )
    assert (
        content_disposition("مخطط")
        == "attachment; filename=\"file\"; filename*=UTF-8''%D9%85%D8%AE%D8%B7%D8%B7"
    )


@pytest.mark.parametrize(
    ("media_type", "shown"),
    [
        ("image/png", True),
        ("image/jpeg", True),
        ("application/pdf", False),
        ("text/html", False),
        ("image/svg+xml", False),
    ],
)
def test_a_browser_runs_nothing(media_type: str, shown: bool) -> None:
    headers = serving_headers("x", media_type, inline=True)
    assert headers["Content-Disposition"].startswith("inline" if shown else "attachment")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert serving_headers("x", media_type)["Content-Disposition"].startswith("attachment")


def test_the_server_itself_imports_no_decoder() -> None:
    script = "import sys, consultations.files; print(*{'PIL', 'pypdf', 'obstore'} & set(sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert said.stdout.strip() == ""
