"""Languages: catalogues, and dates, numbers and sections of laws as people write them.

Messages are English in templates and code; each other language has one `.po` file per room in
`participation/locale/<language>/`. All files of a language are one catalogue.
"""

import gettext as _gettext
import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from babel import Locale, localedata
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal
from babel.support import Translations

from consultations.deadlines import LEGAL_TIME

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

LOCALE_FOLDER = Path(__file__).parent / "locale"

#: German dates for Germany; English for readers in Europe (2 March 2027).
_REGIONS = {"de": "DE", "en": "GB"}

#: What no page says and babel knows of each language: half of 2 MB.
_UNSAID = (
    *("unit_patterns", "unit_display_names", "compound_unit_patterns", "compact_decimal_formats"),
    *("currency_names", "currency_names_plural", "compact_currency_formats", "meta_zones", "time_zones"),
)


@cache
def _locale(language: str) -> Locale:
    """How a language says dates and numbers. What babel knows of it is loaded now."""
    locale = Locale(language, _REGIONS[language])
    # Each of them is a table of its own that inherits from the next; the last is everybody's.
    for name in (str(locale), *(["en_001"] if language == "en" else []), language, "root"):
        for part in _UNSAID:
            localedata.load(name).pop(part, None)
    return locale


# The language of most pages, at once: what is taken away of it leaves room for what is loaded next.
_locale("de")


def catalogue(language: str) -> "Catalog":
    """All messages of a language in one catalogue. Raises ValueError where two rooms translate differently."""
    # Only where no catalogue was compiled before.
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po

    merged = Catalog(locale=language)
    for path in sorted((LOCALE_FOLDER / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                if not message.id:
                    continue
                known = merged.get(message.id, message.context)
                if known is not None and known.string != message.string:
                    raise ValueError(f"{path.name}: {message.id!r} is translated differently in another file")
                merged[message.id] = message
    return merged


@cache
def translations(language: str) -> _gettext.NullTranslations:
    """The messages of a language, ready to use; English needs none."""
    if not (LOCALE_FOLDER / language).is_dir():
        return _gettext.NullTranslations()
    return Translations(BytesIO(_compiled(language)))


def compiled_beside(sources: Path, name: str) -> Path | None:
    """The folder for what is compiled of these sources, as Python keeps its modules: beside them, or (under this name) where
    it is told to keep such things. None if nothing can be written there."""
    if sys.dont_write_bytecode:
        return None
    folder = Path(sys.pycache_prefix) / name if sys.pycache_prefix else sources / "__pycache__"
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def _compiled(language: str) -> bytes:
    """A catalogue as gettext reads it, compiled before if possible: what reading the sources takes would stay in every
    process."""
    folder = compiled_beside(LOCALE_FOLDER, "catalogues")
    if folder is None:
        return _compile(language)
    sources = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted((LOCALE_FOLDER / language).glob("*.po")):
        sources.update(path.read_bytes())
    kept = folder / f"{language}-{sources.hexdigest()[:32]}.mo"
    with suppress(OSError):
        return kept.read_bytes()
    compiled = _compile(language)
    with suppress(OSError):
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as file:
            file.write(compiled)
        Path(file.name).replace(kept)
    return compiled


def _compile(language: str) -> bytes:
    from babel.messages.mofile import write_mo

    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    return compiled.getvalue()


#: Dates are said over and over, on every card of a list; babel takes the pattern and the locale apart each time.
_said_before = lru_cache(maxsize=4096)


def _local(moment: datetime) -> datetime:
    return moment.astimezone(LEGAL_TIME)


def _is_whole_day(moment: datetime) -> bool:
    """The first moment of a day is how a day is kept of which nobody noted the time (a letter in the box)."""
    return _local(moment).time() == time()


@_said_before
def date_long(day: date, language: str) -> str:
    """Dienstag, 2. März 2027"""
    return format_date(
        day, "EEEE, d. MMMM y" if language == "de" else "EEEE, d MMMM y", locale=_locale(language)
    )


@_said_before
def date_short(day: date, language: str) -> str:
    """2. März 2027"""
    return format_date(day, "d. MMMM y" if language == "de" else "d MMMM y", locale=_locale(language))


@_said_before
def month_year(day: date, language: str) -> str:
    """März 2027"""
    return format_date(day, "MMMM y", locale=_locale(language))


@_said_before
def weekday_short(day: date, language: str) -> str:
    """Di"""
    return format_date(day, "EEEEEE", locale=_locale(language)).rstrip(".")


@_said_before
def datetime_long(moment: datetime, language: str) -> str:
    """2. März 2027, 14:05 Uhr: legal time, to the minute. A day of which no time is known stands for itself."""
    if _is_whole_day(moment):
        return date_short(_local(moment).date(), language)
    pattern = "d. MMMM y, HH:mm 'Uhr'" if language == "de" else "d MMMM y, HH:mm"
    return format_datetime(_local(moment), pattern, locale=_locale(language))


def datetime_exact(moment: datetime, language: str) -> str:
    """2. März 2027, 14:05:33 Uhr (MEZ): legal time, to the second, with its zone; or a day without a known time."""
    local = _local(moment)
    if _is_whole_day(moment):
        return date_short(local.date(), language)
    zones = {"de": ("MEZ", "MESZ"), "en": ("CET", "CEST")}
    zone = zones[language][bool(local.dst())]
    pattern = "d. MMMM y, HH:mm:ss 'Uhr'" if language == "de" else "d MMMM y, HH:mm:ss"
    return f"{format_datetime(local, pattern, locale=_locale(language))} ({zone})"


def time_short(moment: datetime, language: str) -> str:
    """14:05"""
    return format_time(_local(moment), "HH:mm", locale=_locale(language))


@_said_before
def number(value: float, language: str) -> str:
    """12.345,5"""
    return str(format_decimal(value, locale=_locale(language)))


def filesize(octets: int, language: str) -> str:
    """3,4 MB (decimal units, one decimal above 10 kB)."""
    for unit, size in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)):
        if octets >= size:
            return f"{number(round(octets / size, 1 if octets < 100 * size else 0), language)} {unit}"
    return f"{octets} B"


# How the rules name their sources (consultations/law.py): the law, then its sections, then a remark in brackets.
_SECTIONS = re.compile(r"(?P<law>\w+) (?P<sections>(?:§|Art\.).+?)(?P<remark> \([^()]*[^()\d][^()]*\))?")
_GERMAN_REMARKS = {
    "old": "alte Fassung",
    "Bavaria deviates: BayLplG": "in Bayern abweichend: BayLplG",
    "federal bodies; a promise of the municipality": "Pflicht des Bundes; eine Zusage der Gemeinde",
}
_GERMAN_PARTS = (
    (r"(§§?|Art\.) ?(?=\d)", "\\1\u00a0"),
    (r" ?\((\d+[a-z]?)\)", r" Abs. \1"),
    (r"S\. ?(?=\d)", "Satz "),
    (r"no\. ?(?=\d)", "Nr. "),
    (r"alt\. ?(?=\d)", "Alt. "),
    (r"first alternative", "Alt. 1"),
    (r" or ", " oder "),
    (r"\(old\)", "(alte Fassung)"),
)
_ENGLISH_PARTS = (
    (r"(§§?|Art\.) ?(?=\d)", "\\1\u00a0"),
    (r"S\. ?(?=\d)", "sentence "),
    (r"(no\.|alt\.) ?(?=\d)", r"\1 "),
)


@_said_before
def cited(source: str, language: str) -> str:
    """The source of a rule as lawyers of the language write it: “BauGB §3(2) S.4” is “§ 3 Abs. 2 Satz 4 BauGB”.

    What names no section (a judgment) stays as it is; a section without its law belongs to the law before it."""
    clauses, law = [], ""
    for clause in re.split(r"; (?![^(]*\))", source):
        found = _SECTIONS.fullmatch(f"{law} {clause}" if law and clause.startswith("§") else clause)
        if found is None:
            clauses.append(_replaced(clause, _GERMAN_PARTS if language == "de" else _ENGLISH_PARTS))
            continue
        law = found["law"]
        if language == "de":
            remark = _german_remark(found["remark"] or "")
            clauses.append(f"{_replaced(found['sections'], _GERMAN_PARTS)} {law}{remark}")
        else:
            clauses.append(_replaced(clause, _ENGLISH_PARTS))
    return "; ".join(clauses)


def _replaced(text: str, parts: Sequence[tuple[str, str]]) -> str:
    for pattern, words in parts:
        text = re.sub(pattern, words, text)
    return text.strip()


def _german_remark(remark: str) -> str:
    inner = remark.strip(" ()")
    dated = re.fullmatch(r"(until )?(\d{4}-\d\d-\d\d)", inner)
    if dated:
        return f" ({'bis' if dated[1] else 'seit'} {date_short(date.fromisoformat(dated[2]), 'de')})"
    return f" ({_GERMAN_REMARKS.get(inner, inner)})" if inner else ""


#: Filters of the templates; each takes the language as its last argument.
FILTERS: dict[str, Callable[..., str]] = {
    "date_long": date_long,
    "date_short": date_short,
    "month_year": month_year,
    "weekday_short": weekday_short,
    "datetime_long": datetime_long,
    "datetime_exact": datetime_exact,
    "time_short": time_short,
    "number": number,
    "filesize": filesize,
    "cited": cited,
}
