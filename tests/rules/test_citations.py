"""The sources of rules as lawyers write them, in both languages."""

import re

import pytest

from consultations import announcement_text, law
from participation.i18n import cited

CASES = {
    "BauGB §3(2) S.4 no. 3, §4a(5) S.2": (
        "§ 3 Abs. 2 Satz 4 Nr. 3, § 4a Abs. 5 Satz 2 BauGB", "BauGB § 3(2) sentence 4 no. 3, § 4a(5) sentence 2",
    ),
    "BauGB §13a(3) S.1 no. 1; §214(2a) no. 2": (
        "§ 13a Abs. 3 Satz 1 Nr. 1 BauGB; § 214 Abs. 2a Nr. 2 BauGB", "BauGB § 13a(3) sentence 1 no. 1; § 214(2a) no. 2",
    ),
    "VwVfG §73(2), (3) (until 2026-07-28); Art. 73 BayVwVfG": (
        "§ 73 Abs. 2, Abs. 3 VwVfG (bis 28. Juli 2026); Art. 73 BayVwVfG",
        "VwVfG § 73(2), (3) (until 2026-07-28); Art. 73 BayVwVfG",
    ),
    "VwVfG §27a (old), §73(5) (old)": (
        "§ 27a (alte Fassung), § 73 Abs. 5 VwVfG (alte Fassung)", "VwVfG § 27a (old), § 73(5) (old)",
    ),
    "BayDiG Art. 12; BauGB §3(2) S.4 no. 2": (
        "Art. 12 BayDiG; § 3 Abs. 2 Satz 4 Nr. 2 BauGB", "BayDiG Art. 12; BauGB § 3(2) sentence 4 no. 2",
    ),
    "BGB §187(2), §188(2) alt.2; GmS-OGB 6.7.1972 – GmS-OGB 2/71": (
        "§ 187 Abs. 2, § 188 Abs. 2 Alt. 2 BGB; GmS-OGB 6.7.1972 – GmS-OGB 2/71",
        "BGB § 187(2), § 188(2) alt. 2; GmS-OGB 6.7.1972 – GmS-OGB 2/71",
    ),
    "BGG §12b(4) (federal bodies; a promise of the municipality)": (
        "§ 12b Abs. 4 BGG (Pflicht des Bundes; eine Zusage der Gemeinde)",
        "BGG § 12b(4) (federal bodies; a promise of the municipality)",
    ),
    "": ("", ""),
}  # fmt: skip


@pytest.mark.parametrize("source", CASES)
def test_a_source_is_written_as_lawyers_of_the_language_write_it(source: str) -> None:
    assert tuple(cited(source, language).replace("\u00a0", " ") for language in ("de", "en")) == CASES[source]


def test_no_number_of_any_rule_is_lost_and_no_english_word_left() -> None:
    sources = {element.source for element in announcement_text.ELEMENTS}
    sources |= {rule.source for rule in law.RULES}
    assert len(sources) > 40
    for source in sources:
        german = cited(source, "de")
        if not re.search(r"\d{4}-\d\d-\d\d", source):
            assert sorted(re.findall(r"\d+", german)) == sorted(re.findall(r"\d+", source)), source
        assert not re.search(r"S\.\d|no\.|\bold\b|until|§\d", german), german
