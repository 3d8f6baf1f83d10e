"""The one door for text: nothing typed is lost, nothing hostile comes out, nothing takes long."""

import re
import time
import unicodedata
from html.parser import HTMLParser

import bleach
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consultations.refusals import Code, Refusal
from consultations.text import (
    LINK_REL,
    MARKDOWN_LIMIT,
    TEXT_LIMIT,
    excerpt,
    header_safe,
    normalise,
    plain_paragraphs,
    render_markdown,
    spreadsheet_safe,
    stems,
    without_controls,
)

steady = settings(derandomize=True, deadline=None)

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><style><img src=x onerror=alert(1)></style>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java%0ascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    '[x](https://example.org "a\\" onmouseover=\\"alert(1)")',
    "<javascript:alert(1)>",
    "<https://example.org/'onclick='alert(1)>",
    "![x](https://tracker.example/pixel.png)",
    "https://example.org/\"onmouseover='alert(1)'",
    "www.example.org/<script>alert(1)</script>",
    "`<script>alert(1)</script>`",
    "```html\n<script>alert(1)</script>\n```",
    "    <script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?>",
    "${alert(1)} `${alert(1)}` {{7*7}} {% raw %}",
    "<form action=//evil.example><input name=password>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<p style='position:fixed;inset:0'>x</p>",
    "<b id=login-form name=login>x</b>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\\<script\\>alert(1)\\</script\\>",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "# <img src=x onerror=alert(1)>",
]
TAGS = {
    *("p", "br", "em", "strong", "a", "ul", "ol", "li", "blockquote", "code", "hr"),
    *("h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}


class Events(HTMLParser):
    """What a browser would see, as a list: tags with attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(("open", tag, *(f"{name}={value}" for name, value in sorted(attrs))))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(("close", tag))

    def handle_data(self, data: str) -> None:
        if self.seen and self.seen[-1][0] == "text":
            data = self.seen.pop()[1] + data
        self.seen.append(("text", data))


def words_of(html: str) -> str:
    return "".join(event[1] for event in Events(html).seen if event[0] == "text")


# ------------------------------------------------------------------------------------------------------------ storing


def test_stores_composed_characters_and_line_feeds() -> None:
    assert normalise("Nguye\u0302\u0303n\r\nStraße\rEnde") == "Nguyễn\nStraße\nEnde"


def test_control_characters_go_and_line_ends_of_word_processors_stay() -> None:
    assert normalise("a\x00b\x07c\x1bd\x9fe\ud800f\ufffe") == "abcdef"
    assert normalise("eins\x0bzwei\x0cdrei\x85vier\tfünf") == "eins\nzwei\ndrei\nvier\tfünf"


def test_keeps_what_people_write() -> None:
    text = "  „Ja“ – so … • → 20 € m² 👩‍👩‍👧 مرحبا \u200f\u2028 \n\n\n  ſ ﬁ Å\n"
    assert normalise(text) == text


@steady
@given(st.text())
def test_storing_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", once)


def test_too_long_is_refused_and_never_cut() -> None:
    assert len(normalise("ä" * TEXT_LIMIT)) == TEXT_LIMIT
    with pytest.raises(Refusal) as refused:
        normalise("a" * (TEXT_LIMIT + 1), field="text")
    assert (refused.value.code, refused.value.field) == (Code.TEXT_TOO_LONG, "text")
    assert refused.value.facts == {"limit": TEXT_LIMIT, "length": TEXT_LIMIT + 1}


def test_a_limit_also_counts_what_composing_makes() -> None:
    with pytest.raises(Refusal):
        normalise("\U0001d160" * 10, limit=15)  # a musical note that NFC always writes as three characters


def test_towers_of_accents_take_no_time() -> None:
    started = time.perf_counter()
    tower = normalise("a" + "\u0301\u0316" * 400_000)
    assert time.perf_counter() - started < 5  # composing it as it is takes half an hour
    assert tower.startswith("á")
    assert max(len(run) for run in re.findall("[\u0300-\u034e]+", tower)) <= 30


# ------------------------------------------------------------------------------------------------------------ showing


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("headings_from", [None, 3])
def test_nothing_hostile_comes_out(text: str, headings_from: int | None) -> None:
    html = render_markdown(f"vorher {text}\n\n{text}\n\nnachher", headings_from=headings_from)
    assert html.count("vorher") == html.count("nachher") == 1
    for event in Events(html).seen:
        if event[0] == "open":
            assert event[1] in TAGS
            for attribute in event[2:]:
                name, _, value = attribute.partition("=")
                assert name in {"href", "rel", "title", "start"}
                assert name != "rel" or value == LINK_REL
                assert name != "href" or not re.match(r"(?!https?:|mailto:|tel:)[\s\w+.-]*:", value)


@pytest.mark.parametrize("text", [*HOSTILE, "\n\n".join(HOSTILE)])
def test_a_second_sanitizer_finds_nothing_left_to_do(text: str) -> None:
    html = render_markdown(text, headings_from=2)
    attributes = {"a": ["href", "rel", "title"], "ol": ["start"]}
    again = bleach.clean(html, tags=TAGS, attributes=attributes, protocols={"http", "https", "mailto", "tel"})
    assert Events(again).seen == Events(html).seen


@steady
@given(st.text(alphabet=st.sampled_from("ab1 \n\t<>[]()*_`#-+!&;:/\\|~\"'=.{}$"), max_size=200))
def test_any_text_is_safe_and_keeps_its_words(text: str) -> None:
    html = render_markdown(text)
    assert {event[1] for event in Events(html).seen if event[0] != "text"} <= TAGS
    # List numbers become markup and the target of a link goes into its address; every letter is there.
    letters = re.findall("[ab]", words_of(html))
    assert len(letters) == len(re.findall("[ab]", text)) or "<a " in html


@pytest.mark.parametrize(
    "text",
    [
        "[1]: siehe Anlage",
        "    eingerückt",
        "```python\nx\n```",
        "# Betreff\nText",
        "Text\n===",
        "&copy; &lt;",
        "<b>fett</b>",
    ],
)
def test_nothing_typed_disappears(text: str) -> None:
    shown = words_of(render_markdown(text))
    assert re.findall(r"\w+", shown) == re.findall(r"\w+", text)


def test_nesting_deeper_than_the_parser_follows_is_shown_as_written() -> None:
    quoted = render_markdown(">" * 200 + " Antwort")
    assert "Antwort" in quoted
    assert "<blockquote>" not in quoted
    listed = "".join("  " * depth + f"- Punkt{depth}\n" for depth in range(60))
    assert all(f"Punkt{depth}" in render_markdown(listed) for depth in range(60))


def test_reads_what_people_mean() -> None:
    assert render_markdown("eins\nzwei") == "<p>eins<br>\nzwei</p>\n"
    assert render_markdown("**sehr** *laut*") == "<p><strong>sehr</strong> <em>laut</em></p>\n"
    assert '<ol start="3">\n<li>drei</li>' in render_markdown("3. drei\n4. vier")


def test_written_addresses_become_links_and_missing_spaces_do_not() -> None:
    html = render_markdown(
        "Siehe (www.example.org/a), https://example.org/?x=1&y=2. Im Weg.Im Sommer, a@b.de"
    )
    assert html == (
        f'<p>Siehe (<a href="http://www.example.org/a" rel="{LINK_REL}">www.example.org/a</a>), '
        f'<a href="https://example.org/?x=1&amp;y=2" rel="{LINK_REL}">https://example.org/?x=1&amp;y=2</a>. '
        "Im Weg.Im Sommer, a@b.de</p>\n"
    )


def test_what_is_shown_again_holds_nothing_that_no_page_can_hold() -> None:
    assert without_controls("a\x00b\ud800\x1f – ä\n\t😀") == "ab – ä\n\t😀"


def test_only_staff_texts_have_headings_and_tables() -> None:
    text = "# Ziel\n\n###### Tief\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    staff = render_markdown(text, headings_from=3)
    assert "<h3>Ziel</h3>" in staff
    assert "<h4>Tief</h4>" in staff  # no level is skipped
    assert "<td>2</td>" in staff
    assert not re.search("<h[1-6]|<table", render_markdown(text))
    assert render_markdown("## Erst\n\n# Dann\n\n### Tief", headings_from=3) == (
        "<h3>Erst</h3>\n<h3>Dann</h3>\n<h4>Tief</h4>\n"
    )


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "*a " * 16_000, "**a*" * 12_000, "[a](b" * 10_000, "`a``b" * 10_000, "![[" * 16_000, "_a" * 25_000,
     "www." * 12_000, "www." + "a-" * 24_000, "http://" * 7_000, "www.a.de" + ")" * 40_000, "<http:" * 8_000,
     "> " * 25_000, "<b>" * 16_000, "a\n\n" * 300_000],
)  # fmt: skip
def test_no_text_keeps_the_server_busy(text: str) -> None:
    started = time.perf_counter()
    render_markdown(text)
    assert time.perf_counter() - started < 5


def test_a_very_long_text_is_shown_whole() -> None:
    text = "Satz *eins* <b>.\n\n" * (MARKDOWN_LIMIT // 10)
    html = render_markdown(text)
    assert html.count("<p>Satz *eins* &lt;b&gt;.</p>") == MARKDOWN_LIMIT // 10


def test_paragraphs() -> None:
    assert plain_paragraphs("\n\n eins\nzwei\n \t\n\n\ndrei\n") == [" eins\nzwei", "drei"]
    assert plain_paragraphs(" \n\n ") == []


def test_an_excerpt_is_plain_and_ends_between_words() -> None:
    assert excerpt("**Mehr** [Bäume](https://example.org)\n\n- am Platz", 40) == "Mehr Bäume am Platz"
    assert excerpt("Mehr Bäume am Platz, bitte", 20) == "Mehr Bäume am Platz…"
    assert excerpt("Mehr Bäume am Platz", 12) == "Mehr Bäume…"
    assert excerpt("Donaudampfschifffahrt", 10) == "Donaudamp…"
    assert excerpt("", 10) == ""


@steady
@given(st.text(), st.integers(min_value=2, max_value=80))
def test_an_excerpt_is_never_longer(text: str, n: int) -> None:
    cut = excerpt(text, n)
    assert len(cut) <= n
    assert "\n" not in cut


# ------------------------------------------------------------------------------------------------------------- search


def test_one_stem_for_every_spelling() -> None:
    assert len(set(stems("Straßen STRASSE strasse"))) == 1
    assert len(set(stems("Bäume Baum Ba\u0308umen"))) == 1
    assert len(set(stems("Spielplätze Spielplatz"))) == 1
    assert stems("ﬁnden") == stems("finden")


def test_stems_follow_the_language() -> None:
    assert stems("running trees", "en") == ["run", "tree"]
    assert stems("çocuklar", "tr") == ["cocuk"]
    assert stems("Čeština příliš", "cs") == ["cestina", "prilis"]
    assert stems("Flurstück 123/4") == ["flurstuck", "123", "4"]


def test_a_stem_is_short() -> None:
    assert [len(stem) for stem in stems("x" * 10_000)] == [64]


# --------------------------------------------------------------------------------------------------- other containers


@pytest.mark.parametrize(
    "cell", ["=1+1", "+49 821 1", "-1", "@SUM(A1)", "\t=1", "  =1", "\n=1", "＝1", "\r@x"]
)
def test_a_spreadsheet_runs_nothing(cell: str) -> None:
    assert spreadsheet_safe(cell) == "'" + cell


@pytest.mark.parametrize("cell", ["", "Text", "a=b", "1-2", -5, 3.5, None, True])
def test_other_cells_stay_as_they_are(cell: object) -> None:
    assert spreadsheet_safe(cell) is cell


def test_a_header_is_one_line() -> None:
    assert header_safe("Plan\r\nBcc: all@example.org\x00a\u2028b") == "Plan Bcc: all@example.org a b"
    assert header_safe("Plan\u202egnp.exe 👩‍👧") == "Plangnp.exe 👩‍👧"
