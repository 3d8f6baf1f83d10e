"""The town's colours: whatever a municipality chooses, text stays readable or the choice is refused."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from participation.theme import CORNERS, TOKENS, Colour, ThemeRefused, contrast, theme_css

#: Each text colour with the grounds it stands on, and each mark with the grounds it must be seen on.
TEXTS = {
    "--brand-ink": ("--brand", "--brand-deep"),
    "--brand-text": ("--paper", "--surface", "--brand-soft"),
    "--brand-strong": ("--surface",),
    "--accent": ("--paper", "--surface", "--accent-soft"),
    "--ink": ("--paper", "--surface", "--surface-raised", "--brand-soft", "--accent-soft"),
    "--ink-muted": ("--paper", "--surface", "--surface-raised"),
}
MARKS = {"--line-strong": ("--paper", "--surface", "--surface-raised")}

channels = st.integers(0, 255)
colours = st.builds("#{:02x}{:02x}{:02x}".format, channels, channels, channels)


def read(css: str) -> dict[str, dict[str, str]]:
    """The custom properties of each side; a dark side inherits what it does not set."""
    light, system_dark, dark = (
        dict(rule.split(":") for rule in block.split(";")) for block in re.findall(r"\{([^{}]+)\}", css)
    )
    assert system_dark == dark
    return {"light": light, "dark": light | dark}


def faults(css: str) -> list[str]:
    """Every pair with too little contrast."""
    return [
        f"{side}: {text} on {ground} is {ratio:.2f}"
        for side, values in read(css).items()
        for table, needed in ((TEXTS, 4.5), (MARKS, 3.0))
        for text, grounds in table.items()
        for ground in grounds
        if (ratio := contrast(Colour.from_hex(values[text]), Colour.from_hex(values[ground]))) < needed
    ]


def test_the_default_theme_is_readable_on_both_sides() -> None:
    assert faults(theme_css({})) == []


def attempt(tokens: dict[str, str]) -> str | ThemeRefused:
    try:
        return theme_css(tokens)
    except ThemeRefused as refused:
        return refused


@given(brand=colours, accent=colours)
def test_any_two_colours_are_readable_or_refused(brand: str, accent: str) -> None:
    outcome = attempt({"brand": brand, "accent": accent})
    if isinstance(outcome, ThemeRefused):
        assert outcome.reason == "contrast"
        chosen = {"brand": brand, "accent": accent}[outcome.token]
        assert contrast(Colour.from_hex(chosen), Colour.from_hex(TOKENS["paper"])) < 4.5
    else:
        assert faults(outcome) == []


@given(paper=colours)
def test_any_paper_is_readable_or_refused(paper: str) -> None:
    outcome = attempt({"paper": paper})
    if isinstance(outcome, ThemeRefused):
        assert outcome.reason == "contrast"
    else:
        assert faults(outcome) == []


def test_a_brand_too_pale_for_text_is_refused_with_its_ratio() -> None:
    with pytest.raises(ThemeRefused, match=r"'brand': contrast \(1\.4\d:1, needs 4\.5:1\)") as caught:
        theme_css({"brand": "#ffcc33"})
    assert caught.value.token == "brand"


def test_the_border_between_enough_and_too_little() -> None:
    # On white #767676 has 4.54:1 and #777777 has 4.48:1 (WCAG's own border case); paper is made white for it.
    assert "--brand:#767676" in theme_css({"brand": "#767676", "paper": "#ffffff"})
    with pytest.raises(ThemeRefused):
        theme_css({"brand": "#777777", "paper": "#ffffff"})


def test_dark_paper_is_refused() -> None:
    with pytest.raises(ThemeRefused) as caught:
        theme_css({"paper": "#333333"})
    assert caught.value.token == "paper"


@pytest.mark.parametrize(
    "value", ["red", "#fff", "#12345g", "1d5661", "#1d5661;}body{display:none", "", "#1d5661\n"]
)
@pytest.mark.parametrize("token", ["brand", "accent", "paper"])
def test_what_is_not_a_colour_never_reaches_the_style_sheet(token: str, value: str) -> None:
    with pytest.raises(ThemeRefused) as caught:
        theme_css({token: value})
    assert (caught.value.token, caught.value.reason) == (token, "format")


@pytest.mark.parametrize(
    "logo", ["https://example.org/a.svg", "//example.org/a.svg", "/a b", "x.svg", "/a.svg\n"]
)
def test_a_logo_is_a_path_on_this_site(logo: str) -> None:
    with pytest.raises(ThemeRefused) as caught:
        theme_css({"logo": logo})
    assert caught.value.token == "logo"


def test_a_logo_does_not_change_the_style_sheet() -> None:
    assert theme_css({"logo": "/media/logo.svg"}) == theme_css({})


def test_unknown_tokens_and_corners_are_refused() -> None:
    with pytest.raises(ThemeRefused, match="unknown"):
        theme_css({"brnad": "#1d5661"})
    with pytest.raises(ThemeRefused, match="choice"):
        theme_css({"corners": "wavy"})


@pytest.mark.parametrize("corners", CORNERS)
def test_corners(corners: str) -> None:
    assert f"--corner:{CORNERS[corners]}" in theme_css({"corners": corners})


def test_a_readable_brand_is_taken_as_it_is() -> None:
    assert read(theme_css({"brand": "#b3001b"}))["light"]["--brand"] == "#b3001b"


def test_the_dark_side_keeps_the_hue() -> None:
    light, dark = (Colour.from_hex(read(theme_css({}))[side]["--brand-text"]) for side in ("light", "dark"))
    assert math.isclose(light.oklch()[2], dark.oklch()[2], abs_tol=0.1)
    assert dark.oklch()[0] > light.oklch()[0]


def test_setting_what_is_the_default_changes_nothing() -> None:
    assert theme_css(TOKENS) == theme_css({})


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#767676", "#ffffff", 4.54),
        ("#0000ff", "#ffffff", 8.59),
    ],
)
def test_contrast_as_wcag_measures_it(one: str, other: str, ratio: float) -> None:
    measured = contrast(Colour.from_hex(one), Colour.from_hex(other))
    assert measured == pytest.approx(ratio, abs=0.005)
    assert measured == contrast(Colour.from_hex(other), Colour.from_hex(one))


@given(colours)
def test_a_colour_survives_the_way_through_oklch(text: str) -> None:
    assert Colour.from_oklch(*Colour.from_hex(text).oklch()).hex() == text


@given(st.floats(0.2, 1), st.floats(0, 0.5), st.floats(-math.pi, math.pi))
def test_every_oklch_value_has_a_colour_that_a_screen_can_show(
    lightness: float, chroma: float, hue: float
) -> None:
    shown = Colour.from_oklch(lightness, chroma, hue)
    assert all(0 <= channel <= 1 for channel in (shown.red, shown.green, shown.blue))
    assert re.fullmatch("#[0-9a-f]{6}", shown.hex())
    assert shown.oklch()[0] == pytest.approx(lightness, abs=0.01)
