"""The town's colours: from a few tokens to the style sheet that every page links as ``/theme.css``.

A municipality chooses at most a handful of values; everything else (hover, soft backgrounds, the dark side) is
derived here in OKLCH, a colour space in which equal steps look equal, and checked: text never gets less contrast than
WCAG 2.2 asks for (1.4.3: 4.5:1), marks and borders of controls never less than 3:1 (1.4.11). A choice that cannot
keep this promise is refused with the token's name and the measured ratio.

Pure: no database, no clock, no files.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

TEXT_CONTRAST = 4.5
MARK_CONTRAST = 3.0

TOKENS: Mapping[str, str] = {
    "brand": "#1d5661",  # the town's colour: top band, buttons, links
    "accent": "#a8481f",  # second colour: what is current or near its end
    "paper": "#faf8f5",  # background of the page, nearly white
    "corners": "soft",  # square | soft | round
    "logo": "",  # path of the town's logo on this site; empty: a neutral one
}
"""Every token a municipality may set, with the value it has when it does not."""

CORNERS: Mapping[str, str] = {"square": "0rem", "soft": ".5rem", "round": ".875rem"}

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_PATH = re.compile(r"(/[\w.-]+)+")


class ThemeRefused(ValueError):
    """A token that cannot be used.

    ``token`` names it; ``reason`` is "unknown", "format", "choice" or "contrast"; for "contrast", ``ratio`` is what
    was measured and ``needed`` what it must be at least.
    """

    def __init__(
        self, token: str, reason: str, ratio: float | None = None, needed: float | None = None
    ) -> None:
        measured = f" ({ratio:.2f}:1, needs {needed}:1)" if ratio is not None else ""
        super().__init__(f"theme token {token!r}: {reason}{measured}")
        self.token, self.reason, self.ratio, self.needed = token, reason, ratio, needed


@dataclass(frozen=True)
class Colour:
    """An sRGB colour, each channel 0 to 1."""

    red: float
    green: float
    blue: float

    @classmethod
    def from_hex(cls, text: str) -> "Colour":
        """``#rrggbb`` read; raises ValueError for anything else."""
        if not _HEX.fullmatch(text):
            raise ValueError(f"not a colour of the form #rrggbb: {text!r}")
        return cls(*(int(text[start : start + 2], 16) / 255 for start in (1, 3, 5)))

    @classmethod
    def from_oklch(cls, lightness: float, chroma: float, hue: float) -> "Colour":
        """The colour at ``lightness`` 0 to 1, ``chroma`` 0 to about 0.37, ``hue`` in radians.

        Where the screen cannot show so much chroma, the strongest it can show is taken: lightness and hue stay.
        Rounded to what ``hex`` can say, so that what is measured is what the browser gets.
        """
        low, high = 0.0, chroma
        linear = _oklch_to_linear(lightness, chroma, hue)
        if not _shown(linear):
            for _ in range(24):
                middle = (low + high) / 2
                low, high = (
                    (middle, high) if _shown(_oklch_to_linear(lightness, middle, hue)) else (low, middle)
                )
            linear = _oklch_to_linear(lightness, low, hue)
        return cls(*(round(_encode(min(1.0, max(0.0, channel))) * 255) / 255 for channel in linear))

    def oklch(self) -> tuple[float, float, float]:
        """Lightness, chroma and hue (radians)."""
        red, green, blue = (_decode(channel) for channel in (self.red, self.green, self.blue))
        long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
        medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
        short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
        lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
        a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
        b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
        return lightness, math.hypot(a, b), math.atan2(b, a)

    def hex(self) -> str:
        """``#rrggbb``."""
        return "#" + "".join(f"{round(channel * 255):02x}" for channel in (self.red, self.green, self.blue))

    def luminance(self) -> float:
        """Relative luminance as WCAG 2.2 defines it, 0 (black) to 1 (white)."""
        return 0.2126 * _decode(self.red) + 0.7152 * _decode(self.green) + 0.0722 * _decode(self.blue)


def contrast(one: Colour, other: Colour) -> float:
    """Contrast ratio of WCAG 2.2, 1 to 21, whichever of the two is the lighter."""
    darker, lighter = sorted((one.luminance(), other.luminance()))
    return (lighter + 0.05) / (darker + 0.05)


def theme_css(tokens: Mapping[str, str]) -> str:
    """The style sheet for a municipality's ``tokens`` (names as in TOKENS, colours as ``#rrggbb``; all optional).

    Defines the custom properties that ``static/css/digilog.css`` draws with, for light, dark and by system. Raises
    ThemeRefused for a token that is unknown, malformed or would leave text hard to read.
    """
    for name in tokens:
        if name not in TOKENS:
            raise ThemeRefused(name, "unknown")
    chosen = {**TOKENS, **tokens}
    if chosen["logo"] and not _PATH.fullmatch(chosen["logo"]):
        raise ThemeRefused("logo", "format")
    if chosen["corners"] not in CORNERS:
        raise ThemeRefused("corners", "choice")
    brand, accent, paper = (_read(name, chosen[name]) for name in ("brand", "accent", "paper"))
    light, dark = _light(brand, accent, paper), _dark(brand, accent)
    light["--corner"] = CORNERS[chosen["corners"]]
    light["--brand-deep"] = _shade(brand, Colour.from_hex("#ffffff"), 11.0).hex()
    return (
        f":root{{{_rules(light)}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{_rules(dark)}}}}}\n"
        f"@media screen{{:root[data-theme=dark]{{{_rules(dark)}}}}}\n"
    )


def _light(brand: Colour, accent: Colour, paper: Colour) -> dict[str, str]:
    white, ink = Colour.from_hex("#ffffff"), Colour.from_hex("#1c2529")
    if paper.oklch()[0] < 0.95:
        raise ThemeRefused("paper", "contrast", contrast(paper, ink), 14.0)
    raised = _at(paper, 0.965)
    soft, accent_soft = _tint(brand, 0.952, 0.018), _tint(accent, 0.955, 0.03)
    for token, colour in (("brand", brand), ("accent", accent)):
        for ground in (paper, white):
            if (ratio := contrast(colour, ground)) < TEXT_CONTRAST:
                raise ThemeRefused(token, "contrast", ratio, TEXT_CONTRAST)
    return {
        "color-scheme": "light",
        "--brand": brand.hex(),
        "--brand-ink": "#ffffff",
        "--brand-text": _shade(brand, soft, TEXT_CONTRAST).hex(),
        "--brand-strong": _at(brand, brand.oklch()[0] - 0.09).hex(),
        "--brand-soft": soft.hex(),
        "--accent": _shade(accent, accent_soft, TEXT_CONTRAST).hex(),
        "--accent-soft": accent_soft.hex(),
        "--paper": paper.hex(),
        "--surface": "#ffffff",
        "--surface-raised": raised.hex(),
        "--ink": ink.hex(),
        "--ink-muted": _shade(Colour.from_hex("#56636a"), raised, 5.5).hex(),
        "--line": _at(paper, 0.875).hex(),
        "--line-strong": _shade(Colour.from_hex("#7b8487"), raised, MARK_CONTRAST).hex(),
    }


def _dark(brand: Colour, accent: Colour) -> dict[str, str]:
    hue = brand.oklch()[2]
    paper, surface = Colour.from_oklch(0.175, 0.012, hue), Colour.from_oklch(0.215, 0.014, hue)
    raised, soft = Colour.from_oklch(0.255, 0.016, hue), Colour.from_oklch(0.28, 0.035, hue)
    accent_soft = Colour.from_oklch(0.28, 0.045, accent.oklch()[2])
    ink = Colour.from_hex("#eef1f2")
    band = Colour.from_oklch(0.31, min(brand.oklch()[1], 0.09), hue)
    return {
        "color-scheme": "dark",
        "--brand": band.hex(),
        "--brand-ink": "#ffffff",
        "--brand-text": _glow(brand, soft, 6.5).hex(),
        "--brand-strong": _glow(brand, soft, 9.0).hex(),
        "--brand-soft": soft.hex(),
        "--brand-deep": Colour.from_oklch(0.235, min(brand.oklch()[1], 0.05), hue).hex(),
        "--accent": _glow(accent, accent_soft, 6.0).hex(),
        "--accent-soft": accent_soft.hex(),
        "--paper": paper.hex(),
        "--surface": surface.hex(),
        "--surface-raised": raised.hex(),
        "--ink": ink.hex(),
        "--ink-muted": "#b9c3c7",
        "--line": Colour.from_oklch(0.36, 0.014, hue).hex(),
        "--line-strong": _glow(Colour.from_oklch(0.55, 0.012, hue), raised, MARK_CONTRAST + 0.6).hex(),
    }


def _read(name: str, value: str) -> Colour:
    try:
        return Colour.from_hex(value)
    except ValueError as error:
        raise ThemeRefused(name, "format") from error


def _rules(properties: Mapping[str, str]) -> str:
    return ";".join(f"{name}:{value}" for name, value in properties.items())


def _at(colour: Colour, lightness: float) -> Colour:
    _, chroma, hue = colour.oklch()
    return Colour.from_oklch(max(0.0, min(1.0, lightness)), chroma, hue)


def _tint(colour: Colour, lightness: float, chroma: float) -> Colour:
    return Colour.from_oklch(lightness, min(chroma, colour.oklch()[1]), colour.oklch()[2])


def _shade(colour: Colour, ground: Colour, needed: float) -> Colour:
    """``colour``, darkened only as far as ``ground`` needs."""
    return _moved(colour, ground, needed, -0.01)


def _glow(colour: Colour, ground: Colour, needed: float) -> Colour:
    """``colour``, lightened only as far as ``ground`` needs."""
    return _moved(colour, ground, needed, +0.01)


def _moved(colour: Colour, ground: Colour, needed: float, step: float) -> Colour:
    lightness = colour.oklch()[0]
    moved = colour
    while contrast(moved, ground) < needed and 0 <= lightness <= 1:
        lightness += step
        moved = _at(colour, lightness)
    return moved


def _decode(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _encode(channel: float) -> float:
    return channel * 12.92 if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055


def _oklch_to_linear(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _shown(linear: tuple[float, float, float]) -> bool:
    return all(-1e-6 <= channel <= 1 + 1e-6 for channel in linear)
