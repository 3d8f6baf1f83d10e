"""What plans and other layers say of their objects, in words: plan signs, attributes, and the codes of XPlanung."""

from collections.abc import Mapping, Sequence

from geo.features import Feature
from participation import i18n

#: Marks a message for the catalogues.
N_ = str

#: Plan signs (`geo.readers.xplan.SIGNS`) as a legend names them.
SIGN_WORDS: Mapping[str, str] = {
    "plan_limit": N_("Limit of the plan"),
    "part_limit": N_("Part of the plan"),
    "building_land": N_("Building land"),
    "residential": N_("Residential area"),
    "mixed": N_("Mixed-use area"),
    "commercial": N_("Commercial area"),
    "special": N_("Special area"),
    "public_use": N_("Site for public services"),
    "sport": N_("Playground or sports ground"),
    "green": N_("Green space"),
    "forest": N_("Forest"),
    "agriculture": N_("Farmland"),
    "water": N_("Water"),
    "water_protection": N_("Water protection area"),
    "traffic": N_("Road space"),
    "traffic_special": N_("Road space with a special purpose"),
    "railway": N_("Railway"),
    "utilities": N_("Site for utilities"),
    "nature": N_("Area for nature and landscape"),
    "planting": N_("Trees and shrubs to be planted or kept"),
    "right_of_way": N_("Right of way or of lines"),
    "monument": N_("Protected monument"),
    "ancillary": N_("Ancillary buildings, parking spaces or garages"),
    "noise": N_("Protection from noise or other harm"),
    "use_limit": N_("Limit between different uses"),
    "street_limit": N_("Edge of the road space"),
    "buildable": N_("Plot area that may be built on"),
    "building_limit": N_("Building limit"),
    "building_line": N_("Building line"),
    "restriction": N_("Limited use"),
    "ridge": N_("Direction of the ridge"),
    "terrain": N_("Embankment, digging or levels"),
    "other": N_("Other stipulation"),
}

#: Where a parcel's number in the land register stands (ALKIS: `flurstnr`).
_PARCEL_NUMBERS = ("flurstnr", "flurstuecksnummer", "flstnr")

#: Where OpenStreetMap and what is made of it say of what kind a way is, and its kinds in words.
_WAYS = ("highway", "fclass")
WAY_WORDS: Mapping[str, str] = {
    "motorway": N_("Motorway"),
    "trunk": N_("Expressway"),
    "primary": N_("Trunk road"),
    "secondary": N_("Main road"),
    "tertiary": N_("Connecting road"),
    "unclassified": N_("Side road"),
    "residential": N_("Residential street"),
    "living_street": N_("Home zone"),
    "pedestrian": N_("Pedestrian zone"),
    "service": N_("Access road"),
    "footway": N_("Footpath"),
    "path": N_("Path"),
    "cycleway": N_("Cycle path"),
    "track": N_("Field or forest track"),
    "steps": N_("Flight of steps"),
    "rail": N_("Railway"),
}

#: Attributes as data name them, in words; others are shown by the name that they have.
ATTRIBUTE_WORDS: Mapping[str, str] = {
    "name": N_("Name"),
    "bezeichnung": N_("Name"),
    "text": N_("Text"),
    "beschreibung": N_("Description"),
    "art": N_("Kind"),
    "klasse": N_("Kind"),
    "grz": N_("Share of the plot that may be built on (GRZ)"),
    "gfz": N_("Floor area per plot area (GFZ)"),
    "gf": N_("Floor area, m²"),
    "gr": N_("Ground area of buildings, m²"),
    "bm": N_("Building mass, m³"),
    "bmz": N_("Building mass per plot area (BMZ)"),
    "z": N_("Full storeys, at most"),
    "zmin": N_("Full storeys, at least"),
    "zmax": N_("Full storeys, at most"),
    "zzwingend": N_("Full storeys, exactly"),
    "allgartderbaulnutzung": N_("General kind of use"),
    "besondereartderbaulnutzung": N_("Kind of use"),
    "bauweise": N_("Way of building"),
    "rechtscharakter": N_("Legal character"),
    "ebene": N_("Level"),
    "zweckbestimmung": N_("Purpose"),
    "massnahme": N_("Measure"),
    "gegenstand": N_("What it is about"),
    "hoehe": N_("Height, m"),
    "height": N_("Height, m"),
    "storeys": N_("Storeys"),
    "geschosse": N_("Storeys"),
    "flaeche": N_("Area, m²"),
    "pflanzjahr": N_("Year of planting"),
    "strasse": N_("Street"),
    "hausnummer": N_("House number"),
    **dict.fromkeys(("flurstueck", *_PARCEL_NUMBERS), N_("Parcel")),
    **dict.fromkeys(_WAYS, N_("Kind")),
    "gemarkung": N_("Cadastral district"),
}

#: Attributes that only computers read.
_INTERNAL = frozenset(
    {
        *("osm_id", "gml_id", "sign", "klass", "uuid", "source_layer", "gehoertzubereich", "gehoertnachbereich", "gehoertzuplan"),
        *("reftextinhalt", "wirddargestelltdurch", "flaechenschluss", "ebene", "flussrichtung", "startbedingung"),
        *("endebedingung", "nordwinkel", "dientzurdarstellungvon", "gliederung1", "gliederung2", "aufschrift"),
    }
)  # fmt: skip

#: XPlanung's own words for its codes.
_CODES: Mapping[str, Mapping[str, str]] = {
    "rechtscharakter": {
        "1000": "Festsetzung", "2000": "Nachrichtliche Übernahme", "3000": "Hinweis", "4000": "Vermerk",
        "5000": "Kennzeichnung", "9998": "Unbekannt",
    },
    "allgartderbaulnutzung": {
        "1000": "Wohnbaufläche", "2000": "Gemischte Baufläche", "3000": "Gewerbliche Baufläche",
        "4000": "Sonderbaufläche", "9999": "Sonstige Baufläche",
    },
    "besondereartderbaulnutzung": {
        "1000": "Kleinsiedlungsgebiet", "1100": "Reines Wohngebiet", "1200": "Allgemeines Wohngebiet",
        "1300": "Besonderes Wohngebiet", "1400": "Dorfgebiet", "1450": "Dörfliches Wohngebiet", "1500": "Mischgebiet",
        "1550": "Urbanes Gebiet", "1600": "Kerngebiet", "1700": "Gewerbegebiet", "1800": "Industriegebiet",
        "2000": "Sondergebiet für Erholung", "2100": "Sonstiges Sondergebiet", "3000": "Wochenendhausgebiet",
        "4000": "Sonstiges Gebiet", "9999": "Sonstiges Gebiet",
    },
    "bauweise": {"1000": "Offene Bauweise", "2000": "Geschlossene Bauweise", "3000": "Abweichende Bauweise"},
}  # fmt: skip


def sign_words(sign: str, language: str) -> str:
    """A plan sign as a legend names it."""
    return str(i18n.translations(language).gettext(SIGN_WORDS.get(sign, SIGN_WORDS["other"])))


def attribute_words(name: str, language: str) -> str:
    """What an attribute is called; its own name where we have no word for it."""
    known = ATTRIBUTE_WORDS.get(name.casefold())
    return str(i18n.translations(language).gettext(known)) if known else name


def attributes_in_words(words: Sequence[tuple[str, str]], language: str) -> tuple[tuple[str, str], ...]:
    """What an object says of itself, without what only computers read, and codes in words."""
    return tuple(
        (
            attribute_words(name, language),
            _value_words(name.casefold(), value, language),
        )
        for name, value in words
        if name.casefold() not in _INTERNAL and not value.startswith(("http://", "https://", "#"))
    )


def _value_words(name: str, value: str, language: str) -> str:
    if name in _WAYS:
        known = WAY_WORDS.get(value)
        return str(i18n.translations(language).gettext(known)) if known else value
    return _CODES.get(name, {}).get(value.removesuffix(".0"), value)


def name_of(feature: Feature, language: str) -> str:
    """What an object is called: by its name, or what a plan says it is, or its number in the land
    register, or its own id."""
    if feature.name:
        return feature.name
    known = {name.casefold(): value for name, value in feature.words}
    if "sign" in known:
        use = _CODES["besondereartderbaulnutzung"].get(
            known.get("besondereartderbaulnutzung", "").removesuffix(".0"), ""
        )
        return use or sign_words(known["sign"], language)
    parcel = next((known[column] for column in _PARCEL_NUMBERS if known.get(column)), "")
    if parcel:
        return str(i18n.translations(language).gettext(N_("Parcel %(number)s"))) % {"number": parcel}
    return feature.identifier
