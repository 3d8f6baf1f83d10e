"""The page reader: every page that any test sees is also read for its HTML.

Two readings. The Nu Html Checker says whether a page is valid HTML (unique ids and right nesting included); what it
does not ask, we ask ourselves: one main heading, a title, a language, a name for each field.
"""

import hashlib
import json
import os
import re
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from lxml import html as reader
from lxml.html import HtmlElement

UNNAMED_INPUTS = {"hidden", "submit", "reset", "button", "image"}


@dataclass(frozen=True)
class Seen:
    """A page that a test was sent: the address it asked for, the status, and the HTML."""

    url: str
    status: int
    body: bytes

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


#: What is another one in every run: numbers, secrets, access codes, hashes.
_CHANGING = re.compile(rb"[A-Za-z0-9_-]{20,}|\b[0-9A-Z]{4}[ -]?[0-9A-Z]{4}\b|[0-9]+")
#: Words between tags, and those in attributes that may say anything. (A `<time>` without a date in its tag has it here.)
_WORDS = re.compile(rb'(?<!<time)(>)[^<]*[^<\s][^<]*|(\s(?:alt|title|placeholder|aria-label)=")[^"]+')


def shape(body: bytes) -> bytes:
    """A page as the checker sees it: tags and attributes, but not what is written between them."""
    return _CHANGING.sub(b"0", _WORDS.sub(rb"\1\2x", body))


@dataclass
class PageReader:
    """Reads pages, each different one once; those of one shape are one to the checker, for all workers of the run.

    ``find_validator`` starts the Nu Html Checker when the first page is there and gives its address, or None where
    it cannot be had: then only the structure of pages is read. What it said is kept in ``folder``.
    """

    find_validator: Callable[[], str | None]
    folder: Path
    _known: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def validator(self) -> str | None:
        return self.find_validator()

    def faults(self, page: Seen) -> list[str]:
        """What is wrong with the page, one sentence each; empty when nothing is."""
        if page.fingerprint not in self._known:
            self._known[page.fingerprint] = structure_faults(page.body) + self._invalid(page.body)
        return self._known[page.fingerprint]

    def _invalid(self, body: bytes) -> list[str]:
        if self.validator is None:
            return []
        said = self.folder / hashlib.sha256(shape(body)).hexdigest()
        try:
            return cast(list[str], json.loads(said.read_bytes()))
        except FileNotFoundError:
            faults = validity_faults(body, self.validator)
        beginning = said.with_name(f"{said.name}.{os.getpid()}")
        beginning.write_text(json.dumps(faults), encoding="utf-8")
        beginning.replace(said)
        return faults


def validity_faults(body: bytes, validator: str) -> list[str]:
    """What the Nu Html Checker at ``validator`` says against the page: errors and warnings, with their lines."""
    request = urllib.request.Request(
        f"{validator}?out=json", data=body, headers={"Content-Type": "text/html; charset=utf-8"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        messages = json.load(answer)["messages"]
    return [
        f"line {message.get('lastLine', '?')}: {message['message']} ({message.get('extract', '').strip()!r})"
        for message in messages
        if message["type"] != "info" or message.get("subType") == "warning"
    ]


def structure_faults(body: bytes) -> list[str]:
    """What a reader who cannot see the page would miss: language, title, headings, landmarks, names of fields."""
    page = reader.document_fromstring(body, parser=reader.HTMLParser(encoding="utf-8"))
    faults = []
    if not (page.get("lang") or "").strip():
        faults.append("the page does not say its language")
    title = page.findtext("head/title")
    if title is None or not title.strip():
        faults.append("the page has no title")
    headings = _find(page, "//h1|//h2|//h3|//h4|//h5|//h6")
    mains = [heading for heading in headings if heading.tag == "h1"]
    if len(mains) != 1:
        faults.append(f"{len(mains)} main headings (h1) instead of one")
    levels = [int(heading.tag[1]) for heading in headings]
    for before, after in zip([0, *levels], levels, strict=False):
        if before and after > before + 1:
            faults.append(f"a heading of level {after} follows one of level {before}")
    if len(_find(page, "//main")) != 1:
        faults.append("the page has no main part, or several")
    ids = [str(name) for name in _find(page, "//@id")]
    faults += [f"the id {name!r} is there twice" for name in sorted({i for i in ids if ids.count(i) > 1})]
    faults += [
        _describe(field) + " has no label"
        for field in _find(page, "//input|//select|//textarea")
        if _nameless(field)
    ]
    faults += [_describe(image) + " has no alt" for image in _find(page, "//img[not(@alt)]")]
    for tag in _find(page, "//a[@href]|//button"):
        if not _spoken(tag):
            faults.append(_describe(tag) + " has no text")
    faults += [
        _describe(tag) + " has a style attribute, which our policy forbids"
        for tag in _find(page, "//*[@style]")
    ]
    faults += [
        _describe(tag) + " carries a script or style in the page, which our policy forbids"
        for tag in _find(page, "//script[not(@src) and not(starts-with(@type, 'application/'))]|//style")
    ]
    return faults


def _find(tag: HtmlElement, path: str, **names: str) -> list[Any]:
    return cast(list[Any], tag.xpath(path, **names))


def _nameless(tag: HtmlElement) -> bool:
    if tag.tag == "input" and (tag.get("type") or "text").lower() in UNNAMED_INPUTS:
        return False
    if tag.get("aria-label") or tag.get("aria-labelledby") or _find(tag, "ancestor::label"):
        return False
    name = tag.get("id")
    return not (name and _find(tag, "//label[@for=$name]", name=name))


def _spoken(tag: HtmlElement) -> bool:
    if tag.get("aria-label") or tag.get("aria-labelledby"):
        return True
    return bool(tag.text_content().strip() or _find(tag, ".//img[normalize-space(@alt)]|.//svg//title"))


def _describe(tag: HtmlElement) -> str:
    names = [f'{name}="{tag.get(name)}"' for name in ("type", "name", "id", "href", "src") if tag.get(name)]
    return f"<{' '.join([str(tag.tag), *names])}> on line {tag.sourceline}"
