"""Are the languages complete? Every message of templates and code against every catalogue."""

from collections.abc import Iterator
from dataclasses import dataclass

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from participation import i18n
from participation.settings import LANGUAGES, ROOT

_KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "N_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
_METHODS = [
    ("**.py", "python"),
    ("**.html", "jinja2.ext.babel_extract"),
    ("**.txt", "jinja2.ext.babel_extract"),
]
_OPTIONS = {"**.html": {"silent": "false", "trimmed": "false", "newstyle_gettext": "true"}}
_FOLDERS = ("participation", "consultations", "geo", "templates")


@dataclass(frozen=True)
class Gap:
    """A message that a language lacks, or has in doubt, and where it is used."""

    language: str
    message: str
    problem: str
    place: str


def messages() -> dict[tuple[str, str | None], str]:
    """Every message in code and templates, with its context, and the place where it is used first."""
    found: dict[tuple[str, str | None], str] = {}
    for folder in _FOLDERS:
        for filename, line, message, _comments, context in extract_from_dir(
            ROOT / folder, _METHODS, _OPTIONS, keywords=_KEYWORDS
        ):
            identity = message[0] if isinstance(message, tuple) else message
            found.setdefault((identity, context), f"{folder}/{filename}:{line}")
    return found


def gaps() -> Iterator[Gap]:
    """Missing, fuzzy, unused and mismatched messages of every language but English, which needs no catalogue."""
    used = messages()
    for language in LANGUAGES:
        folder = i18n.LOCALE_FOLDER / language
        if not folder.is_dir():
            if language != "en":
                yield Gap(language, "", "no catalogue", str(folder.name))
            continue
        for path in sorted(folder.glob("*.po")):
            with path.open("rb") as file:
                catalogue = read_po(file, locale=language, abort_invalid=True)
            for message in catalogue:
                if not message.id:
                    continue
                place = f"{path.name}:{message.lineno}"
                identity = str(message.id if isinstance(message.id, str) else message.id[0])
                if message.fuzzy:
                    yield Gap(language, identity, "fuzzy", place)
                if (identity, message.context) not in used:
                    yield Gap(language, identity, "unused", place)
                for problem in message.check(catalogue):
                    yield Gap(language, identity, str(problem), place)
        merged = i18n.catalogue(language)
        for (identity, context), place in used.items():
            known = merged.get(identity, context)
            if known is None or not (all(known.string) if isinstance(known.string, tuple) else known.string):
                yield Gap(language, identity, "missing", place)
