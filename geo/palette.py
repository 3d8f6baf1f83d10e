"""The colours of every map that is drawn here, light and dark.

Importing this module loads neither numpy nor shapely.
"""

from collections.abc import Callable
from typing import Final, Literal

Theme = Literal["light", "dark", "page"]
"""light and dark carry their colours; page (only for SVG within an HTML page) asks the page's custom properties
`--map-…` first, so that it follows the reader's theme. `custom_properties` gives their values."""

COLOURS: Final[dict[str, tuple[str, str]]] = {
    # what: (light, dark)
    "land": ("#f3efe6", "#1b2326"),
    "beyond": ("#e6e0d5", "#151b1d"),
    "green": ("#d5e4ca", "#22372c"),
    "water": ("#b5d6e0", "#1d4150"),
    "building": ("#e0d7cb", "#2f3a3e"),
    "building-line": ("#c3b8a8", "#45535a"),
    "parcel-line": ("#cdc4b6", "#37444a"),
    "casing": ("#c6bbab", "#10171a"),
    "street": ("#ffffff", "#3b474c"),
    "main-street": ("#fbe6ae", "#6a6348"),
    "path": ("#bda98c", "#5a666b"),
    "district-line": ("#9a8fae", "#7d74a0"),
    "boundary-line": ("#7a6c95", "#a99fce"),
    "text": ("#3f4a4f", "#d3dadd"),
    "district-text": ("#5d5178", "#bdb3dd"),
    "water-text": ("#2d6579", "#9ccbdc"),
    "area": ("#a8481f", "#f0a078"),
    # plan signs, after the Planzeichenverordnung
    "plan-residential": ("#e9a9a1", "#a35a53"),
    "plan-mixed": ("#c99f76", "#8a6440"),
    "plan-commercial": ("#b9b3bd", "#6f6a75"),
    "plan-special": ("#f0b07c", "#a3652f"),
    "plan-building-land": ("#e5bfb0", "#8f6355"),
    "plan-public": ("#e3a0b8", "#96506b"),
    "plan-traffic": ("#f2d680", "#8a7430"),
    "plan-utilities": ("#f0e07a", "#857a2c"),
    "plan-railway": ("#b9a3cc", "#6d5689"),
    "plan-green": ("#a9d18e", "#4f7a3a"),
    "plan-forest": ("#7fb58a", "#33664a"),
    "plan-agriculture": ("#e2e6a3", "#70743a"),
    "plan-water": ("#9cc8e3", "#2f6688"),
    "plan-nature": ("#4f8a3c", "#8cc777"),
    "plan-limit": ("#2f3a3f", "#dfe5e8"),
    "plan-building-limit": ("#1f62a8", "#7db4ee"),
    "plan-building-line": ("#b3261e", "#ff8f86"),
    "plan-street-limit": ("#3c7a4c", "#86c597"),
    "plan-use-limit": ("#4a555a", "#a9b4b9"),
    "plan-planting": ("#3f7d2c", "#86c26f"),
    "plan-heritage": ("#a01f3d", "#ee8aa2"),
    # shadows, and what is planned
    "shade": ("#33404a", "#000000"),
    "shade-new": ("#7b3fa8", "#c08bf0"),
    "shade-gone": ("#d99a00", "#ffd166"),
    "planned": ("#c2542d", "#f0a078"),
    # single trees: crowns from above, and their middle
    "tree": ("#93bd7f", "#3f6b48"),
    "tree-middle": ("#4c7d3f", "#86bd86"),
    # layers that are neither base map nor plan: told apart by colour and by their lines
    "other0": ("#6d3a94", "#c9a0e4"),
    "other1": ("#00657f", "#66c7de"),
    "other2": ("#8a4f00", "#e9b660"),
    "other3": ("#a81f57", "#f293b6"),
    "other4": ("#2f6b1f", "#9ed884"),
    "other5": ("#1f4fa3", "#8fb8f5"),
    "other6": ("#9c2d14", "#ff9d85"),
    "other7": ("#4a4f57", "#c6ccd4"),
    "rail": ("#6f6a70", "#9a959c"),
    "pin": ("#1d5661", "#8fd0dc"),
    "pin-text": ("#ffffff", "#10262b"),
}
"""Colours of the map by name, light and dark."""


def custom_properties(theme: Literal["light", "dark"]) -> dict[str, str]:
    """The colours as CSS custom properties ("--map-land": "#f7f4ee", …) for pages that hold `theme="page"` SVG."""
    return {f"--map-{name}": colours[theme == "dark"] for name, colours in COLOURS.items()}


def colour_of(theme: Theme) -> Callable[[str], str]:
    """What a colour of `COLOURS` is called in a theme, as an SVG attribute spells it."""
    if theme == "page":
        return lambda name: f"var(--map-{name},{COLOURS[name][0]})"
    index = 1 if theme == "dark" else 0
    return lambda name: COLOURS[name][index]
