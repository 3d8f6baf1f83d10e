"""Letters: everything is said, everybody can read them, and no text breaks them."""

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import ArrayObject, DictionaryObject

from consultations.channels import CHANNELS
from consultations.contributions import Kind
from consultations.municipalities import Municipality
from participation.letters import (
    EnclosedFile,
    FormContext,
    Letterhead,
    ReceiptContext,
    form_pdf,
    receipt_heading,
    receipt_pdf,
)
from participation.mail import compose
from tests.servers import ROOT

MOMENT = datetime(2027, 3, 2, 13, 5, 33, tzinfo=UTC)
HEAD = Letterhead(
    authority="Stadt Beispiel",
    office="Stadtplanungsamt",
    street="Rathausplatz 1",
    postcode="12345",
    city="Beispiel",
    phone="0123 456-789",
    email="planung@stadt.example",
    hours="Mo–Fr 8–12 Uhr",
    data_protection_contact="Rathausplatz 1, datenschutz@stadt.example",
    supervision="Landesbeauftragte, Hauptstadt",
)
RECEIPT = ReceiptContext(
    letterhead=HEAD,
    language="de",
    kind=Kind.STATEMENT,
    reference="BP-12-0031",
    access_code="7KQ4MXA9",
    procedure_title="Bebauungsplan Nr. 12 „Am Anger“",
    phase_title="Veröffentlichung im Internet",
    channel="letter",
    received_at=MOMENT,
    issued_at=MOMENT,
    sha256="3a" * 32,
    lookup_url="https://mitmachen.stadt.example/beitrag",
    privacy_url="https://mitmachen.stadt.example/datenschutz",
    title="Mehr Bäume",
    text="Guten Tag,\n\nbitte mehr Bäume.\nUnd Bänke – „viele“.\n\nErika Beispiel",
    refers_to="Begründung, Abschnitt 4.2",
    place="Am Anger 12",
    written_on=date(2027, 2, 27),
    on_behalf_of="Anger e. V.",
    submitter=("Erika Beispiel", "Am Anger 12", "12345 Beispiel"),
    greeted="Erika Beispiel",
    can_be_told=True,
    wants_publication=True,
    attachments=(
        EnclosedFile("Brief (Scan).pdf", 1_240_000, "ab" * 32, 2),
        EnclosedFile("Linden.jpg", 3_400, "cd" * 32),
    ),
    address=("Frau Erika Beispiel", "Am Anger 12", "12345 Beispiel"),
)
FORM = FormContext(
    letterhead=HEAD,
    language="de",
    procedure_key="BP-12",
    procedure_title="Bebauungsplan Nr. 12 „Am Anger“",
    url="https://mitmachen.stadt.example/beteiligungen/am-anger",
    privacy_url="https://mitmachen.stadt.example/datenschutz",
    issued_at=MOMENT,
    phase_title="Veröffentlichung im Internet",
    ends_on=date(2027, 4, 1),
)
steady = settings(derandomize=True, deadline=None, max_examples=60)


def read(made: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(made))


def text_of(made: bytes) -> str:
    """All text with single spaces, without the places to break long words."""
    text = "\n".join(page.extract_text() for page in read(made).pages)
    return " ".join(text.replace("\u200b", "").split())


def elements(pdf: pypdf.PdfReader) -> Iterator[DictionaryObject]:
    """The elements of the structure tree in reading order."""

    def walk(node: Any) -> Iterator[DictionaryObject]:
        node = node.get_object()
        if isinstance(node, ArrayObject):
            for part in node:
                yield from walk(part)
        elif isinstance(node, DictionaryObject):
            if "/S" in node:
                yield node
            if "/K" in node:
                yield from walk(node["/K"])

    yield from walk(pdf.root_object["/StructTreeRoot"])


# -------------------------------------------------------------------------------------------------- everybody can read


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("make", ["receipt", "form"])
def test_a_letter_is_tagged_and_says_its_title_and_language(language: str, make: str) -> None:
    if make == "receipt":
        pdf, title = read(receipt_pdf(replace(RECEIPT, language=language))), ": BP-12-0031"
    else:
        pdf, title = read(form_pdf(replace(FORM, language=language))), ": Bebauungsplan Nr. 12 „Am Anger“"
    assert pdf.root_object["/Lang"] == language
    assert pdf.root_object["/MarkInfo"]["/Marked"].value is True
    assert pdf.root_object["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert pdf.metadata is not None
    assert str(pdf.metadata.title).endswith(title)
    assert pdf.metadata.author == "Stadt Beispiel"
    claims = pdf.root_object["/Metadata"].get_data().decode()
    for claim in ("<pdfuaid:part>1<", "<pdfaid:part>2<", "<pdfaid:conformance>A<"):
        assert claim in claims
    kinds = [str(element["/S"]) for element in elements(pdf)]
    headings = [kind for kind in kinds if kind.startswith("/H")]
    assert headings[0] == "/H1"
    assert set(headings[1:]) == {"/H2"}
    assert all(str(element["/Alt"]) for element in elements(pdf) if element["/S"] == "/Figure")
    assert "/Figure" in kinds


def test_the_list_of_files_is_a_table_with_headings() -> None:
    kinds = [str(element["/S"]) for element in elements(read(receipt_pdf(RECEIPT)))]
    assert kinds.count("/Table") == 1
    assert kinds.count("/TH") == 3
    assert kinds.count("/TR") == 3
    alone = [str(element["/S"]) for element in elements(read(receipt_pdf(replace(RECEIPT, attachments=()))))]
    assert "/Table" not in alone


def test_nothing_is_loaded_until_a_letter_is_made() -> None:
    script = "import sys, participation.letters; print(*{'typst', 'segno', 'PIL'} & set(sys.modules))"
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert said.stdout.strip() == ""


# ----------------------------------------------------------------------------------------------- everything is said


def test_a_receipt_says_everything() -> None:
    text = text_of(receipt_pdf(RECEIPT))
    for said in (
        "Wir haben Ihre Stellungnahme erhalten",
        "BP-12-0031",
        "2. März 2027, 14:05:33 Uhr (MEZ)",
        "Eingereicht als Brief",
        "Bebauungsplan Nr. 12 „Am Anger“ Veröffentlichung im Internet",
        "7KQ4 MXA9",
        "mitmachen.stadt.example/beitrag",
        "0123 456-789",
        "Erika Beispiel Am Anger 12 12345 Beispiel",
        "Anger e. V.",
        "27. Februar 2027",
        "Begründung, Abschnitt 4.2",
        "darf ohne Ihren Namen veröffentlicht werden",
        "Mehr Bäume Guten Tag, bitte mehr Bäume. Und Bänke – „viele“. Erika Beispiel",
        "Brief (Scan).pdf",
        " ".join(["ab" * 8] * 4),
        "1,2 MB, 2 Seiten",
        "Linden.jpg",
        "3,4 kB",
        " ".join(["3a" * 8] * 4),
        "mitmachen.stadt.example/datenschutz",
        "Fragen zum Datenschutz: Rathausplatz 1, datenschutz@stadt.example.",
        "Beschweren können Sie sich hier: Landesbeauftragte, Hauptstadt.",
        "Seite 1 von 2",
    ):
        assert said in text, said
    assert "verspätet" not in text


def test_in_english_too() -> None:
    text = text_of(receipt_pdf(replace(RECEIPT, language="en", kind=Kind.COMMENT)))
    for said in (
        "We have received your comment",
        "2 March 2027, 14:05:33 (CET)",
        "Handed in as Letter",
        "1.2 MB, 2 pages",
        "page 1 of 2",
    ):
        assert said in text, said


def test_it_tells_what_is_different_this_time() -> None:
    bare = replace(
        RECEIPT,
        text="",
        title="",
        submitter=("Erika Beispiel",),
        can_be_told=False,
        address=(),
        wants_publication=False,
        is_late=True,
        period_ended=date(2027, 3, 1),
        channel="web",
    )
    text = text_of(receipt_pdf(bare))
    assert "Die Frist endete am 1. März 2027" in text
    assert "Sie haben keinen Text eingereicht" in text
    assert "soll nicht veröffentlicht werden" in text
    assert "Sie haben uns nicht gesagt, wo wir Sie erreichen" in text
    assert "Unser Zeichen" not in text
    assert "verspätet vermerkt" in text_of(receipt_pdf(replace(bare, period_ended=None)))


@pytest.mark.parametrize("channel", CHANNELS, ids=str)
def test_every_channel_has_the_same_receipt(channel: Any) -> None:
    assert "7KQ4 MXA9" in text_of(receipt_pdf(replace(RECEIPT, channel=channel.key)))


def test_the_same_receipt_is_the_same_file_in_every_thread() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(receipt_pdf, [RECEIPT] * 8))) == 1


def test_the_recipient_shows_in_the_window_of_the_envelope() -> None:
    """DIN 5008, form B: the address is 25 mm from the left and 62.7 to 90 mm from the top edge."""
    places: dict[str, tuple[float, float]] = {}

    def note(text: str, page: list[float], matrix: list[float], _font: Any, _size: Any) -> None:
        right = matrix[4] * page[0] + matrix[5] * page[2] + page[4]
        up = matrix[4] * page[1] + matrix[5] * page[3] + page[5]
        places.setdefault(text.strip(), (right / 72 * 25.4, 297 - up / 72 * 25.4))

    pdf = read(receipt_pdf(replace(RECEIPT, address=("Frau Erika Muster", *RECEIPT.address[1:]))))
    pdf.pages[0].extract_text(visitor_text=note)
    left, down = next(place for text, place in places.items() if "Erika Muster" in text)
    assert left == pytest.approx(25, abs=0.5)
    assert 64 < down < 72
    heading = next(place for text, place in places.items() if "Wir haben" in text)
    assert 98.4 < heading[1] < 108


def test_the_letterhead_comes_from_the_municipality() -> None:
    town = Municipality(
        key="a",
        name="Beispiel",
        contact={"street": "Markt 1", "postcode": "12345", "city": "Beispiel", "phone": "0123"},
        theme={"brand": "#7a1f3d"},
        created_at=MOMENT,
    )
    head = Letterhead.of(town)
    assert (head.authority, head.phone, head.colour, head.office) == ("Beispiel", "0123", "#7a1f3d", "")
    assert head.postal_lines == ("Beispiel", "Markt 1", "12345 Beispiel")
    assert "Markt 1, 12345 Beispiel" in text_of(receipt_pdf(replace(RECEIPT, letterhead=head)))


# -------------------------------------------------------------------------------------------------- no text breaks it


def test_a_long_text_is_copied_whole() -> None:
    text = "\n\n".join(f"Absatz {number}: mehr Bäume an der Straße, bitte." for number in range(1, 901))
    assert len(text) > 40_000
    started = time.perf_counter()
    made = receipt_pdf(replace(RECEIPT, text=text))
    assert time.perf_counter() - started < 10
    copied = text_of(made)
    assert all(f"Absatz {number}: mehr" in copied for number in range(1, 901))


@pytest.mark.parametrize(
    "text", ["Mehr Bäume an der Straße. " * 38_000, "a\n" * 300_000, "公" * 900_000, "x" * 1_000_000]
)
def test_a_million_characters_end_with_a_word_about_the_rest(text: str) -> None:
    started = time.perf_counter()
    made = receipt_pdf(replace(RECEIPT, text=text))
    assert time.perf_counter() - started < 30
    said = text_of(made)
    assert f"Ihr Text geht weiter und hat {len(text):,} Zeichen".replace(",", ".") in said
    assert len(read(made).pages) < 250


def test_other_scripts_and_emoji_are_printed() -> None:
    made = receipt_pdf(
        replace(RECEIPT, text="Привіт, Ελλάδα, Nguyễn, שלום\n\nمرحبا\n\n🚲 ☐ → €", text_language="ar")
    )
    text = text_of(made)
    assert all(word in text for word in ("Привіт", "Ελλάδα", "Nguyễn", "🚲", "€"))
    assert "U+" not in text
    assert "als Nummern" not in text


def test_what_no_font_has_is_shown_by_number_and_said() -> None:
    text = text_of(receipt_pdf(replace(RECEIPT, title="公", text="Das Wort 公園 und \ue000, \ufffe, a\x00b")))
    assert "Das Wort [U+516C][U+5712] und [U+E000], [U+FFFE], a[U+0000]b" in text
    assert "Zeichen, die sich hier nicht drucken lassen" in text


def test_text_is_never_markup() -> None:
    evil = '#read("/etc/passwd") #set page(fill: red) *fett* _kursiv_ $x^2$ `code` @ref <label> \\u{41} // /* = T\n= Titel'
    made = receipt_pdf(
        replace(RECEIPT, text=evil, title=evil, place=evil, submitter=(evil,), address=(evil,))
    )
    assert text_of(made).count('#read("/etc/passwd") #set page(fill: red) *fett*') >= 4
    kinds = [str(element["/S"]) for element in elements(read(made))]
    assert kinds.count("/H1") == 1


def test_a_word_without_end_stays_on_the_page() -> None:
    made = receipt_pdf(
        replace(RECEIPT, text="x" * 3000, attachments=(EnclosedFile("y" * 120 + ".pdf", 1, "a" * 64),))
    )
    text = text_of(made).replace(" ", "")
    assert "x" * 3000 in text
    assert "y" * 120 + ".pdf" in text
    lines = [line for page in read(made).pages for line in page.extract_text().splitlines()]
    assert max(line.count("x") for line in lines) < 100  # what fits between the margins


@steady
@given(st.text(max_size=120), st.text(max_size=60))
def test_any_text_makes_a_letter(text: str, line: str) -> None:
    receipt = replace(RECEIPT, text=text, title=line, place=line, submitter=(line,), address=(line,))
    assert len(read(receipt_pdf(receipt)).pages) >= 1


# ------------------------------------------------------------------------------------------------------------ the form


def test_the_form_has_all_that_a_sheet_of_paper_needs() -> None:
    made = form_pdf(FORM)
    text = text_of(made)
    for said in (
        "Auf Papier mitmachen",
        "BP-12",
        "Donnerstag, 1. April 2027",
        "Stadt Beispiel Stadtplanungsamt Rathausplatz 1 12345 Beispiel",
        "0123 456-789 · planung@stadt.example",
        "mitmachen.stadt.example/beteiligungen/am-anger",
        "Alle Angaben sind freiwillig",
        "Im Namen von",
        "Ja, Sie dürfen ihn veröffentlichen.",
        "DSGVO",
    ):
        assert said in text, said


@pytest.mark.parametrize("language", ["de", "en"])
def test_the_form_is_one_sheet_whatever_its_title(language: str) -> None:
    long = "Vorhabenbezogener Bebauungsplan mit integriertem Grünordnungsplan „Südlich der Bahn“ " * 3
    for form in (FORM, replace(FORM, procedure_title=long), replace(FORM, ends_on=None, phase_title="")):
        assert len(read(form_pdf(replace(form, language=language))).pages) == 2


# ------------------------------------------------------------------------------------------------------------ the mail


def test_the_receipt_mail_has_what_one_needs_without_the_attachment() -> None:
    subject, text = compose("receipt", "de", receipt=RECEIPT, heading=receipt_heading(RECEIPT.kind, "de"))
    assert subject == "Wir haben Ihre Stellungnahme erhalten: BP-12-0031"
    for said in (
        "Guten Tag Erika Beispiel,",
        "Aktenzeichen: BP-12-0031",
        "Eingegangen: 2. März 2027, 14:05:33 Uhr (MEZ)",
        "Ihr Zugangscode: 7KQ4 MXA9",
        "https://mitmachen.stadt.example/beitrag",
        "- Wir prüfen Ihre Stellungnahme und wägen jeden Punkt",
        "bitte mehr Bäume.\nUnd Bänke – „viele“.",
        "Brief (Scan).pdf (1,2 MB)\nSHA-256 " + "ab" * 32,
        "Stadt Beispiel\nStadtplanungsamt\nRathausplatz 1",
    ):
        assert said in text, said
    assert "\n\n\n" not in text


def test_the_receipt_mail_in_english_and_without_a_name() -> None:
    receipt = replace(RECEIPT, language="en", greeted="", text="", title="<b>x</b>", attachments=())
    subject, text = compose("receipt", "en", receipt=receipt, heading=receipt_heading(receipt.kind, "en"))
    assert subject == "We have received your statement: BP-12-0031"
    assert text.startswith("Hello,\n\nthank you")
    assert "<b>x</b>" in text
    assert "You handed in no text" in text
    assert "\n\n\n" not in text
