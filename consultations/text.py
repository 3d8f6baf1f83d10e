"""The one door for text: what people write comes in through `normalise` and goes out through `render_markdown`.

Pure: no tables, no HTTP. What is stored is what was written, in Unicode's composed form; everything that a page, a
spreadsheet or a mail needs differently is made on the way out.
"""

import re
import threading
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import nh3
import Stemmer
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from consultations.refusals import Code, Refusal

if TYPE_CHECKING:
    from bleach.linkifier import Linker

TEXT_LIMIT = 1_000_000
"""Characters that one text may have. Beyond it is a refusal, never a cut."""

MARKDOWN_LIMIT = 50_000
"""Characters up to which Markdown is read; longer texts are shown as plain paragraphs. The parser is quadratic for
hostile input ("[[[[…"): 0.2 s at this length, 80 s at a million."""

LINK_REL = "nofollow noopener ugc"

# ---------------------------------------------------------------------------------------------------------- coming in

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85]")
_NEVER_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_PERHAPS_MARKS = re.compile(r"[^\w\s]{31,}")
_STREAM_SAFE_RUN = 30
_GRAPHEME_JOINER = "\u034f"


def normalise(text: str, *, field: str | None = None, limit: int = TEXT_LIMIT) -> str:
    """`text` as it is stored: Unicode NFC (DIN 91379), line ends as LF, control characters out, nothing else changed.

    Quotation marks, dashes, emoji, white space and writing direction stay as they were written. Vertical tab, form
    feed and NEL are line ends (word processors paste them). Lone surrogates and the two code points that XML forbids
    cannot be stored and go. Runs of more than 30 combining marks are made stream-safe (UAX #15) by an invisible
    joiner, because composing them takes quadratic time.

    Raises `Refusal(TEXT_TOO_LONG, field, limit=…, length=…)` beyond `limit` characters.
    """
    if not text:
        return text
    if len(text) > limit:
        raise Refusal(Code.TEXT_TOO_LONG, field, limit=limit, length=len(text))
    text = _NEVER_TEXT.sub("", _LINE_ENDS.sub("\n", text))
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", _PERHAPS_MARKS.sub(_stream_safe, text))
    if len(composed) > limit:
        raise Refusal(Code.TEXT_TOO_LONG, field, limit=limit, length=len(composed))
    return composed


def without_controls(text: str) -> str:
    """`text` without what no page, no XML and no database can hold: what was typed, fit to be shown again."""
    return _NEVER_TEXT.sub("", text)


def _stream_safe(match: re.Match[str]) -> str:
    out: list[str] = []
    run = 0
    for char in match[0]:
        if not unicodedata.combining(char):
            run = 0
        elif run == _STREAM_SAFE_RUN:
            out.append(_GRAPHEME_JOINER)
            run = 1
        else:
            run += 1
        out.append(char)
    return "".join(out)


# ---------------------------------------------------------------------------------------------------------- going out

_TAGS = {"p", "br", "em", "strong", "a", "ul", "ol", "li", "blockquote", "code", "hr"}
_HEADINGS = ("h2", "h3", "h4", "h5", "h6")
_TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
_MAX_NESTING = 20


@cache
def _markdown(headings: bool) -> MarkdownIt:
    # Off, so that nothing typed disappears: link definitions ("[1]: siehe Anlage") are invisible, indented lines would
    # become code, images would fetch from foreign hosts, entities would change what was typed.
    md = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": _MAX_NESTING})
    md.disable(["image", "code", "fence", "reference", "entity", "html_block", "html_inline"])
    return md.enable("table") if headings else md.disable(["heading", "lheading"])


# Only what is plainly written as an address ("im Weg.Im Sommer" is a missing space, not the Isle of Man). bleach's own
# pattern would take quadratic time for "www.a-a-a-…"; the length bounds what bleach does with a match.
_ADDRESS = re.compile(r"""(?<![\w@.:/-])(?:https?://|www\.)[^\s<>"„“”«»]{1,2000}""", re.IGNORECASE)


def render_markdown(text: str, *, headings_from: int | None = None) -> Markup:
    """Safe HTML of `text`, read as CommonMark without raw HTML; bare web addresses become links.

    `headings_from` (2 to 6) is for staff's texts: their headings start at that level and tables are read. Without it,
    as for everything the public writes, a line that starts with "#" stays a paragraph, so that nobody can disturb the
    page's outline. Links carry `rel="nofollow noopener ugc"`. Texts over `MARKDOWN_LIMIT` characters, or nested more
    deeply than the parser follows, come out as plain paragraphs: nothing is ever left out.
    """
    if len(text) > MARKDOWN_LIMIT:
        html = _as_written(text)
    else:
        md = _markdown(headings_from is not None)
        tokens = md.parse(text)
        if headings_from is not None:
            _shift_headings(tokens, headings_from)
        # The parser drops what lies deeper than it follows.
        too_deep = max((token.level for token in tokens), default=0) >= _MAX_NESTING - 1
        html = _as_written(text) if too_deep else str(md.renderer.render(tokens, md.options, {}))
        if _ADDRESS.search(html):
            html = _linker().linkify(html)
    tags = _TAGS if headings_from is None else _TAGS | _TABLE | set(_HEADINGS)
    clean = nh3.clean(
        html,
        tags=tags,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel=LINK_REL,
    )
    return Markup(clean)


def _shift_headings(tokens: Sequence[Token], first: int) -> None:
    """Start at `first` whatever the author starts with, and skip no level: an outline that screen readers can walk."""
    ranks = sorted({token.tag for token in tokens if token.type == "heading_open"})
    level = first - 1
    for token in tokens:
        if token.type == "heading_open":
            level = min(first + ranks.index(token.tag), level + 1, 6)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"


def _as_written(text: str) -> str:
    paragraphs = (str(escape(paragraph)).replace("\n", "<br>\n") for paragraph in plain_paragraphs(text))
    return "".join(f"<p>{paragraph}</p>\n" for paragraph in paragraphs)


def _linker() -> "Linker":
    # Its HTML parser keeps state, so each thread has its own. Four megabytes that most pages do not need.
    if not hasattr(_local, "linker"):
        from bleach.linkifier import Linker

        _local.linker = Linker(url_re=_ADDRESS, skip_tags={"code"}, parse_email=False)
    linker: Linker = _local.linker
    return linker


def plain_paragraphs(text: str) -> list[str]:
    """The paragraphs of `text`: what blank lines divide, inner line breaks kept, no empty ones."""
    return [part.strip("\n") for part in re.split(r"\n(?:[ \t]*\n)+", text) if part.strip()]


def excerpt(text: str, n: int) -> str:
    """At most `n` characters of `text` as one line without Markdown's marks, cut between words and ended by "…"."""
    head = text[: 8 * n + 1_000]
    words: list[str] = []
    for block in _markdown(False).parse(head):
        for token in block.children or ():
            words.append(
                token.content if token.type in ("text", "code_inline") else " " * token.type.endswith("break")
            )
        words.append(" " * (block.type == "inline"))
    line = " ".join("".join(words).split()) or " ".join(head.split())
    if len(line) <= n and len(head) == len(text):
        return line
    cut = line[: n - 1]
    if line[n - 1 : n].isalnum():
        whole, space, _ = cut.rpartition(" ")
        cut = whole if space else cut
    return cut.rstrip(" ,;:.–-") + "…"


# ------------------------------------------------------------------------------------------------------------- search

_WORD = re.compile(r"\w+")
_STEMMERS = {
    "ar": "arabic", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fr": "french",
    "it": "italian", "nl": "dutch", "pt": "portuguese", "ro": "romanian", "ru": "russian", "tr": "turkish",
}  # fmt: skip
_STEM_LENGTH = 64
_local = threading.local()


def stems(text: str, language: str = "de") -> list[str]:
    """The words of `text` in order, lower-cased, stemmed in `language` and without accents, for the search index.

    Both databases index these, so that they find the same. "Straßen", "STRASSE" and "strasse" are one stem. A word
    counts for its first 64 characters; a language without a stemmer is only folded.
    """
    # NFKC also undoes ligatures and full-width letters that come out of PDF files.
    words = [word[:_STEM_LENGTH] for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold())]
    stemmed = words if language not in _STEMMERS else _stemmer(language).stemWords(words)
    return [_fold(stem) for stem in stemmed]


def _stemmer(language: str) -> Any:
    # A stemmer keeps a cache and is not safe to share between threads.
    name = f"stemmer_{language}"
    if not hasattr(_local, name):
        setattr(_local, name, Stemmer.Stemmer(_STEMMERS[language]))
    return getattr(_local, name)


def _fold(word: str) -> str:
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


# --------------------------------------------------------------------------------------------------- other containers

_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_DIRECTION_MARKS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def spreadsheet_safe(cell: object) -> object:
    """`cell` so that no spreadsheet runs it: texts that would start a formula get a leading apostrophe.

    Numbers, dates and other values come back as they are.
    """
    if not isinstance(cell, str) or not cell:
        return cell
    starts_formula = cell.lstrip().startswith(_FORMULA_STARTS) or cell[0] in "\t\r\n"
    return "'" + cell if starts_formula else cell


def header_safe(value: str) -> str:
    """`value` as one line for a mail header: no line ends, control characters or writing-direction overrides."""
    printable = "".join(" " if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c for c in value)
    return " ".join(_DIRECTION_MARKS.sub("", printable).split())
