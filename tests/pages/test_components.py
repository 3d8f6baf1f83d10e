"""What the components promise to pages, and what no template may do."""

import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lxml import html as reader
from lxml.html import HtmlElement
from wtforms import BooleanField, FileField, Form, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from participation import i18n, web
from participation.settings import ROOT

HOSTILE = "\"><script>alert(1)</script>{{ 7*7 }}${x} %(a)s 100 % ' & Straße"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


class Sample(Form):
    text = TextAreaField("Your statement", [InputRequired("Please write something or attach a file.")])
    name = StringField("Name", [Length(max=3, message="100 %% too long")])
    topic = SelectField(
        "Topic",
        choices=[
            SelectChoice("a", "Traffic"),
            SelectChoice("b", HOSTILE),
            SelectChoice("c", "In a group", optgroup=HOSTILE),
        ],
    )
    publish = RadioField(
        "Publish?",
        [InputRequired("Please choose.")],
        choices=[SelectChoice("y", "Yes"), SelectChoice("n", "No")],
    )
    agree = BooleanField("Agreed")
    file = FileField("Attachments")


def sample(**data: object) -> Sample:
    """The form in German, as Visit.form makes it."""
    words = i18n.translations("de")
    return Sample(data=data, meta={"locales": ["de"], "gettext": words.gettext})


def draw(source: str, *, language: str = "de", **context: Any) -> HtmlElement:
    """What a piece of template says, as a tree."""
    file, macro = re.findall(r"(\w+)\.(\w+)\(", source)[0]
    text = f'{{% import "components/{file}.html" as {file} %}}{source}'
    markup = web.environment(language).from_string(text).render(**context)
    assert macro
    return reader.fromstring(f"<body>{markup}</body>")


def words(tree: HtmlElement) -> str:
    return " ".join(tree.text_content().split())


# --- forms


@pytest.mark.parametrize("name", ["text", "name", "topic", "publish", "agree", "file"])
def test_every_kind_of_field_ties_label_hint_and_error_to_its_control(name: str) -> None:
    form = sample()
    form[name].errors = ["First.", "Second."]
    tree = draw("{{ forms.field(f, hint='A hint.') }}", f=form[name])
    control = tree.xpath(
        f"//*[@id='{name}'][self::input or self::select or self::textarea or self::fieldset]"
    )[0]
    described = [tree.xpath(f"//*[@id='{target}']") for target in control.get("aria-describedby").split()]
    assert [words(found[0]) for found in described] == ["A hint.", "Fehler: First."]
    if control.tag != "fieldset":
        assert control.get("aria-invalid") == "true"
        assert tree.xpath(f"//label[@for='{name}']")
    assert "Second." in words(tree)


def test_a_field_without_fault_says_nothing_of_one() -> None:
    tree = draw("{{ forms.field(f) }}", f=sample().text)
    assert not tree.xpath("//*[@aria-invalid or @aria-describedby or contains(@class, 'error')]")


def test_only_what_may_stay_empty_is_marked() -> None:
    form = sample()
    assert "freiwillig" not in words(draw("{{ forms.field(f) }}", f=form.text))
    assert "(freiwillig)" in words(draw("{{ forms.field(f) }}", f=form.name))
    assert "freiwillig" not in words(draw("{{ forms.field(f, optional=false) }}", f=form.name))


def test_labels_choices_and_messages_of_forms_are_translated() -> None:
    form = sample(topic="a")
    form.validate()
    assert words(draw("{{ forms.field(f) }}", f=form.topic)).startswith("Thema")
    assert "Verkehr" in words(draw("{{ forms.field(f) }}", f=form.topic))
    text = words(draw("{{ forms.field(f) }}", f=form.text))
    assert "Ihre Stellungnahme" in text
    assert "Bitte schreiben Sie etwas oder hängen Sie eine Datei an." in text


def test_the_chosen_option_is_kept_and_groups_are_groups() -> None:
    tree = draw("{{ forms.field(f) }}", f=sample(topic="c").topic)
    assert [option.get("value") for option in tree.xpath("//option[@selected]")] == ["c"]
    assert tree.xpath("//optgroup/@label") == [HOSTILE]


def test_what_was_typed_comes_back_as_text() -> None:
    tree = draw(
        "{{ forms.field(f) }}{{ forms.field(g) }}", f=sample(text=HOSTILE).text, g=sample(name=HOSTILE).name
    )
    assert tree.xpath("//textarea")[0].text_content().strip() == HOSTILE
    assert tree.xpath("//input/@value") == [HOSTILE]
    assert not tree.xpath("//script")


def test_the_error_summary_leads_to_controls_that_exist() -> None:
    form = sample(name="long name", text="")
    form.validate()
    form.form_errors.append(HOSTILE)
    source = "{{ forms.error_summary(form, errors=(('Closed.', none), ('Here.', 'name'))) }}"
    fields = "".join(
        f"{{{{ forms.field(form['{name}']) }}}}" for name in ("text", "name", "topic", "publish")
    )
    tree = draw(source + fields, form=form)
    links = tree.xpath("//*[@id='error-summary']//a")
    assert {link.get("href") for link in links} >= {"#text", "#name", "#publish-0"}
    for link in links:
        target = tree.xpath(f"//*[@id='{link.get('href')[1:]}']")
        assert [found.tag for found in target] in (["input"], ["select"], ["textarea"])
    summary = words(tree.xpath("//*[@id='error-summary']")[0])
    assert "Closed." in summary
    assert "100 % too long" in summary
    assert " ".join(HOSTILE.split()) in summary
    assert not tree.xpath("//script")


def test_only_who_typed_something_is_told_that_it_is_still_there() -> None:
    empty, typed = sample(), sample(name="Long name")
    for form in (empty, typed):
        form.validate()
    source = "{{ forms.error_summary(f) }}"
    assert "Nichts ist verloren" not in words(draw(source, f=empty))
    assert "Nichts ist verloren" in words(draw(source, f=typed))


def test_a_filter_says_what_it_narrows_to_also_where_fields_are_folded_and_leads_back() -> None:
    source = "{{ forms.filter_form('/l', [f.name], order=f.order, more=[f.topic, f.none], reset=reset) }}"

    class Wanted(Sample):
        order = SelectField("Order", choices=[SelectChoice("x", "X")], default="x")
        none = SelectField("District", choices=[SelectChoice("", "All")])

    def shown(reset: str = "", **data: str) -> HtmlElement:
        meta = {"locales": ["de"], "gettext": i18n.translations("de").gettext}
        return draw(source, f=Wanted(data=data, meta=meta), reset=reset)

    [fold] = shown(topic="b", reset="/all").xpath("//details[not(@open)]")
    assert words(fold.find("summary")) == "Mehr Filter (1 gesetzt)"
    assert fold.xpath(".//select/@id") == ["topic"], "a menu with nothing to choose is left out"
    text = words(shown(topic="b", name="<b>Weg", order="x", reset="/all").xpath("//form/p")[0])
    assert text == "Gefiltert nach Name: <b>Weg; Thema: " + HOSTILE + " · Filter zurücksetzen"
    assert shown(topic="b", reset="/all").xpath("//form//a/@href") == ["/all"]
    bare = shown()
    assert not bare.xpath("//form/p")
    assert words(bare.xpath("//summary")[0]) == "Mehr Filter"
    assert not bare.xpath("//form//a")


def test_no_error_summary_without_errors() -> None:
    assert words(draw("{{ forms.error_summary(form) }}", form=sample())) == ""


def test_a_button_that_leads_elsewhere_is_a_link() -> None:
    assert draw("{{ forms.button('On', href='/x') }}").xpath("//a/@href") == ["/x"]
    assert draw("{{ forms.button('On', name='a', value='b') }}").xpath("//button[@name='a']/@value") == ["b"]


# --- states


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (12, "bis Dienstag, 2. März 2027, 24 Uhr, noch 12 Tage"),
        (1, "bis Dienstag, 2. März 2027, 24 Uhr, noch 1 Tag"),
        (0, "bis Dienstag, 2. März 2027, nur noch heute bis 24 Uhr"),
    ],
)
def test_until_when_is_said_with_weekday_and_days_left(days: int, said: str) -> None:
    assert words(draw("{{ states.until(ends, days) }}", ends=date(2027, 3, 2), days=days)) == said


def test_english_says_the_same() -> None:
    tree = draw("{{ states.until(ends, 12) }}", language="en", ends=date(2027, 3, 2))
    assert words(tree) == "until Tuesday, 2 March 2027, 24:00, 12 days left"


KINDS = [
    "open",
    "soon",
    "evaluating",
    "closed",
    "done",
    "late",
    "hidden",
    "waiting",
    "draft",
    "info",
    "danger",
]


def test_no_two_kinds_of_tag_differ_by_colour_alone() -> None:
    """Kinds may share a colour or a sign, but each has a sign, and the words are always there."""
    for kind in KINDS:
        tag = draw("{{ states.status_tag(kind, 'Words') }}", kind=kind).xpath(
            "//span[contains(@class, 'kern-badge')]"
        )[0]
        assert words(tag) == "Words"
        assert tag.xpath(".//span[@aria-hidden='true' and contains(@class, 'icon')]")


def test_the_deadline_banner_offers_only_what_is_possible() -> None:
    begins, ends = date(2027, 2, 1), date(2027, 3, 2)
    source = "{{ states.deadline_banner(state, begins=begins, ends=ends, days_left=3, action_text='Go', action_url=url) }}"
    said = {
        state: words(draw(source, state=state, begins=begins, ends=ends, url=url))
        for state, url in (("open", "/x"), ("soon", ""), ("late", "/x"), ("closed", ""))
    }
    assert "noch 3 Tage" in said["open"]
    assert said["open"].endswith("Go")
    assert "von Montag, 1. Februar 2027 bis Dienstag, 2. März 2027" in said["soon"]
    assert "Sie endete am Dienstag, 2. März 2027." in said["late"]
    assert said["late"].endswith("Go")
    assert "Go" not in said["closed"] + said["soon"]


def test_the_timeline_marks_one_step_as_current() -> None:
    phases = (
        ("Early", date(2026, 1, 1), date(2026, 2, 1), "done", "", ""),
        ("Now", None, date(2027, 3, 2), "current", "", "/x"),
        ("Then", None, None, "coming", "", ""),
    )
    tree = draw("{{ states.timeline(phases) }}", phases=phases)
    assert [words(item).split()[0] for item in tree.xpath("//li[@aria-current='step']")] == ["Now"]
    assert [word in words(tree) for word in ("abgeschlossen", "läuft gerade", "kommt noch")] == [True] * 3


# --- cards, documents, participation


def test_user_text_in_cards_is_escaped() -> None:
    source = "{{ cards.contribution_card(t, '/x', t, day, place=t, author=t, on_map='/y') }}{{ cards.consultation_card(t, '/x', t, 'open', t, place=t) }}"
    tree = draw(source, t=HOSTILE, day=date(2027, 2, 1))
    assert not tree.xpath("//script")
    assert words(tree).count("alert(1)") == 9


def test_a_sketch_may_be_an_address_or_a_drawing_but_text_is_never_a_drawing() -> None:
    source = "{{ cards.consultation_card('T', '/x', 'S', 'open', 'Open', sketch=sketch) }}"
    address = draw(source, sketch="/sketch/1.svg")
    assert address.xpath("//img/@src") == ["/sketch/1.svg"]
    assert not draw(source, sketch="<svg onload=alert(1)>").xpath("//svg")


def test_a_document_names_itself_in_each_of_its_links() -> None:
    source = "{{ documents.document('Plan', '/p', size=8400000, pages=2, version='3', text_url='/t', other_form_url='/o', earlier=(('2', day, '/e'),)) }}"
    tree = draw(source, day=date(2027, 2, 1))
    assert all("Plan" in words(link) for link in tree.xpath("//div[contains(@class, 'links')]//a"))
    assert "PDF · 2 Seiten · 8,4 MB · Fassung 3" in words(tree)
    assert "1 frühere Fassung" in words(tree)


@pytest.mark.parametrize("code", ["K7MX2PQ9", "K7MX-2PQ9"])
def test_the_access_code_is_shown_in_groups_and_spelled_out(code: str) -> None:
    tree = draw("{{ participation.access_code(code) }}", code=code)
    assert tree.xpath("//span[@class='d-code__group']/text()") == ["K7MX", "2PQ9"]
    assert "K, 7, M, X, 2, P, Q, 9" in words(tree.xpath("//span[@class='kern-sr-only']")[0])


def test_a_map_has_a_way_past_it_and_a_list() -> None:
    tree = draw("{{ participation.map_frame('', 'Karte', list_url='/liste', id='m') }}")
    assert tree.xpath("//a[@href='/liste']")
    assert tree.xpath("//*[@id='m-after'][@tabindex='-1']")
    assert tree.xpath("//a[@href='#m-after']")
    assert tree.xpath("//*[@id='m']/@aria-labelledby") == ["m-heading"]


def test_a_table_has_header_cells_and_says_when_it_is_empty() -> None:
    tree = draw("{{ documents.table('Caption', ('A', 'B'), rows, numeric=(1,)) }}", rows=((HOSTILE, 1),))
    assert len(tree.xpath("//th[@scope='col']")) == 2
    assert len(tree.xpath("//th[@scope='row']")) == 1
    assert not tree.xpath("//script")
    assert "Keine Einträge." in words(draw("{{ documents.table('Caption', ('A',), ()) }}"))


def test_pagination_goes_both_ways_by_key() -> None:
    tree = draw("{{ navigation.pagination(newer='/n', older='/o', shown=20, total=2340) }}")
    assert tree.xpath("//a[@rel='prev']/@href") == ["/n"]
    assert tree.xpath("//a[@rel='next']/@href") == ["/o"]
    assert "20 von 2.340" in words(tree)
    assert words(draw("{{ navigation.pagination() }}")) == ""


# --- all templates


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_templates_keep_to_the_content_security_policy(path: Path) -> None:
    """No inline style or script and nothing from elsewhere: browsers would refuse it, and mails to nobody know why."""
    source = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.findall(r"\sstyle\s*=|<style\b|\son[a-z]+\s*=\s*[\"']|javascript:", source, re.IGNORECASE)
    assert not re.findall(r"<script\b(?![^>]*\bsrc=)", source)
    assert not re.findall(
        r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//", source
    )


@pytest.mark.parametrize("path", sorted((ROOT / "static" / "css").glob("*.css")), ids=lambda path: path.name)
def test_style_sheets_load_nothing_from_elsewhere(path: Path) -> None:
    addresses = re.findall(r"url\(\"?([^\")]+)", path.read_text(encoding="utf-8"))
    assert [found for found in addresses if not found.startswith(("data:image/svg+xml,", "../"))] == []
    for found in addresses:
        if found.startswith("../img/"):
            assert (path.parent / found).is_file()


@pytest.mark.parametrize("path", sorted((ROOT / "static" / "css").glob("*.css")), ids=lambda path: path.name)
def test_a_list_without_bullets_is_still_read_out_as_one(path: Path) -> None:
    """Safari with VoiceOver takes `none` for "no list"; an empty sign looks the same and leaves it one."""
    assert not re.findall(r"list-style(?:-type)?:[^;}]*\bnone\b", path.read_text(encoding="utf-8"))


def test_the_style_sheet_knows_every_class_that_components_use() -> None:
    known = set(re.findall(r"\.(d-[\w-]+)", (ROOT / "static/css/digilog.css").read_text(encoding="utf-8")))
    components = [path for path in TEMPLATES if path.parent.name == "components"] + [
        ROOT / "templates/base.html"
    ]
    used = {
        name
        for path in components
        for classes in re.findall(r'class="([^"]*)"', path.read_text(encoding="utf-8"))
        for name in re.sub(r"\{[{%].*?[%}]\}", " ", classes).split()
        if name.startswith("d-") and not name.endswith("--")
    }
    assert used - known == set()


def test_templates_that_were_compiled_before_are_not_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = web.environment.__wrapped__
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert fresh("de").bytecode_cache is None
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    assert i18n.compiled_beside(tmp_path, "templates") == tmp_path / "__pycache__"
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    fresh("de").get_template("base.html")
    again = fresh("en")
    monkeypatch.setattr(again, "compile", lambda *told, **options: pytest.fail("compiled again"))
    again.get_template("base.html")
    for kept in (tmp_path / "templates").iterdir():
        kept.write_bytes(b"nonsense")
    assert fresh("de").get_template("base.html").blocks


def test_a_catalogue_that_was_compiled_before_is_not_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = i18n.translations.__wrapped__
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    said = fresh("de").gettext("This page could not be made.")
    monkeypatch.setattr(i18n, "catalogue", lambda language: pytest.fail("compiled again"))
    assert (
        fresh("de").gettext("This page could not be made.")
        == said
        == "Diese Seite konnte nicht angezeigt werden."
    )
    # A catalogue that was changed since, or half-written, is not the one that lies there.
    (kept,) = (tmp_path / "catalogues").iterdir()
    kept.rename(kept.with_name("another.mo"))
    with pytest.raises(pytest.fail.Exception):
        fresh("de")
