"""Places in words, as pages say them."""

from collections.abc import Mapping

from consultations import whereabouts
from consultations.places import Place, PlaceKind
from consultations.whereabouts import Whereabouts
from participation import things
from participation.things import Found
from participation.web import Visit

#: Marks a message for the catalogues.
N_ = str

PLACE_KINDS: Mapping[str, str] = {
    PlaceKind.DISTRICT.value: N_("District"),
    PlaceKind.STREET.value: N_("Street"),
    PlaceKind.PARCEL.value: N_("Parcel"),
    PlaceKind.ADDRESS.value: N_("Address"),
    PlaceKind.LANDMARK.value: N_("Place"),
}


#: Up to how far from a street something is at the street itself (metres): nobody measures the width of a street.
BESIDE = 10


def where_in_words(visit: Visit, found: Whereabouts) -> str:
    """ "Innenstadt, 40 m from Färbergasse", as far as it is known."""
    near = ""
    if found.near:
        near = (
            visit.gettext("%(metres)s m from %(name)s", metres=found.metres, name=found.near)
            if found.metres > BESIDE
            else found.near
        )
    return ", ".join(part for part in (found.district, near) if part)


def found_in_words(visit: Visit, found: Found) -> str:
    """What was chosen in three dimensions or on the map: a thing by its name, a point by the street it is at and its height."""
    if found.thing is not None:
        return things.in_words(found.thing.as_dict(), found.elevation, visit.language)
    position = (found.located.lon, found.located.lat)
    spot = whereabouts.of(visit.session, visit.municipality_id, [position])[0]
    parts = (where_in_words(visit, spot), things.in_words({}, found.elevation, visit.language))
    return ", ".join(part for part in parts if part)


def kind_and_district(visit: Visit, place: Place) -> str:
    """ "Street, Innenstadt": what a place is, and where."""
    kind = visit.gettext(PLACE_KINDS[place.kind])
    return f"{kind}, {place.district}" if place.district else kind
