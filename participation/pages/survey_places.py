"""Places in a survey: a pin set on the map or on a picture of it, a place from the list, or words; and all pins on one plan.

One page does all of it, with and without JavaScript: what somebody asks for in between (look for a place, show the plan, move it)
is a button of the survey's own form, which comes back with everything that was typed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from consultations import places, questions, whereabouts
from consultations.procedures import Procedure
from consultations.questions import POSITION, Question, QuestionKind, Typed, name_of
from consultations.refusals import Refusal
from consultations.survey_results import Said
from geo.plans import Pin, static_plan_svg
from geo.views import View
from participation import receipts
from participation.pages.contributions_list import PLACES_SHOWN, read_position
from participation.pages.map_canvas import Canvas, canvas_of, script_words, styles
from participation.pages.map_ground import base_map, bounds_of, sources_at
from participation.pages.map_plan import PLAN_SIZE, spelled
from participation.pages.place_words import kind_and_district, where_in_words
from participation.web import Visit, row_number

#: Marks a message for the catalogues.
N_ = str

#: Further fields of a place, which are no answer: one of the list, and the part of the plan that is shown.
FROM_LIST, MIDDLE, ZOOM = "place", "middle", "zoom"
#: The picture that a click chooses on; browsers add ".x" and ".y".
PICTURE = "picture"

#: What moves the plan, and by how much: parts of its own size, steps of zoom.
_MOVES: Mapping[str, tuple[str, float, float, float]] = {
    "nearer": (N_("Zoom in"), 0, 0, 1),
    "farther": (N_("Zoom out"), 0, 0, -1),
    "north": (N_("To the north"), 0, -0.5, 0),
    "south": (N_("To the south"), 0, 0.5, 0),
    "west": (N_("To the west"), -0.5, 0, 0),
    "east": (N_("To the east"), 0.5, 0, 0),
}

#: What was typed, by the names of fields.
Sent = dict[str, list[str]]


@dataclass(frozen=True)
class PickPlan:
    """A picture of the map that a click chooses a place on. `moves`: what the buttons send, and what they do."""

    picture_url: str
    middle: str
    zoom: str
    size: tuple[int, int]
    attribution: str
    moves: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class PlaceShown:
    """A question for a place on the page. `chosen`: where its pin is, in words; `found`: places of that name, value and words,
    None if nobody looked for one."""

    chosen: str = ""
    lon: str = ""
    lat: str = ""
    found: tuple[tuple[str, str], ...] | None = None
    plan: PickPlan | None = None


@dataclass(frozen=True)
class SurveyMap:
    """The map for all questions of a page that ask for a place; it stands beside the one that it is opened for."""

    styles: tuple[str, ...]
    canvas: Canvas


def map_of(visit: Visit, procedure: Procedure, asks: Sequence[Question]) -> SurveyMap | None:
    """The map that a script opens beside a question; None where no question asks for a place."""
    if not any(each.kind is QuestionKind.PLACE for each in asks):
        return None
    data = {"words": script_words(visit)}
    if procedure.plan_area:
        data["plan-area"] = visit.url("plan_area", slug=procedure.slug, v=procedure.version)
    canvas = canvas_of(visit, base_map(visit, procedure), procedure, data)
    return SurveyMap(styles(visit, with_canvas=True), canvas)


def place_fields(question: Question) -> tuple[str, ...]:
    """What a page sends of a question for a place beside its answer."""
    names = (FROM_LIST, MIDDLE, ZOOM, f"{PICTURE}.x", f"{PICTURE}.y")
    return tuple(name_of(question, name) for name in names)


def from_list(visit: Visit, question: Question, typed: Sent) -> Sent:
    """The answer, with the pin and the name of the place that was chosen from the list."""
    number = row_number(_first(typed, question, FROM_LIST))
    place = places.by_id(visit.session, visit.municipality_id, number) if number else None
    if place is None or _first(typed, question, "lon"):
        return typed
    pin = {name_of(question, name): [f"{getattr(place, name):.6f}"] for name in POSITION}
    return typed | pin | {name_of(question): [place.name]}


def between(visit: Visit, asks: Sequence[Question], typed: Sent) -> Question | None:
    """The question for whose place something was asked in between, instead of handing in; its pin is set or taken away in
    `typed`."""
    do = str(visit.form_data.get("do", ""))
    for question in asks:
        if question.kind is not QuestionKind.PLACE:
            continue
        if name_of(question, f"{PICTURE}.x") in typed:
            _clicked(question, typed)
            return question
        if not do.startswith(f"{name_of(question)}:"):
            continue
        if do.endswith(":forget"):
            for name in (*POSITION, FROM_LIST):
                typed.pop(name_of(question, name), None)
        return question
    return None


def _clicked(question: Question, typed: Sent) -> None:
    """A click on the picture as a pin; by keyboard it comes without one."""
    try:
        x, y = (int(_first(typed, question, f"{PICTURE}.{axis}")) for axis in "xy")
    except ValueError:
        return
    view = _view(question, typed)
    if view is None or (x, y) == (0, 0) or not (0 <= x <= view.width and 0 <= y <= view.height):
        return
    for name, value in zip(POSITION, view.place(x, y), strict=True):
        typed[name_of(question, name)] = [f"{value:.6f}"]


def shown(
    visit: Visit, procedure: Procedure, asks: Sequence[Question], typed: Typed, about: Question | None
) -> dict[str, PlaceShown]:
    """How the questions for a place stand, by their names; `about`: the one for which something was asked in between."""
    found: dict[str, PlaceShown] = {}
    do = str(visit.form_data.get("do", "")) if visit.is_post else ""
    for question in asks:
        if question.kind is not QuestionKind.PLACE:
            continue
        name, step = name_of(question), ""
        if about is not None and about.key == question.key:
            # A click beside the picture, or by keyboard, leaves the plan open.
            step = do.partition(":")[2] if do.startswith(f"{name}:") else "plan"
        lon, lat = (_first(typed, question, each) for each in POSITION)
        chosen = _in_words(visit, lon, lat)
        looks = step == "search" and not chosen
        opens = step in ("plan", *_MOVES) and not chosen
        found[name] = PlaceShown(
            chosen,
            lon if chosen else "",
            lat if chosen else "",
            _found(visit, _first(typed, question)) if looks else None,
            _plan(visit, procedure, question, typed, step) if opens else None,
        )
    return found


def _first(typed: Typed, question: Question, part: str = "") -> str:
    return next(iter(typed.get(name_of(question, part), ())), "").strip()


def _in_words(visit: Visit, lon: str, lat: str) -> str:
    if not lon or not lat:
        return ""
    try:
        located = places.chosen(visit.session, visit.municipality_id, lon=lon, lat=lat)
    except Refusal:
        return ""
    assert located is not None
    return point_in_words(visit, [(located.lon, located.lat)])[0]


def point_in_words(
    visit: Visit, points: Sequence[tuple[float, float]], *, briefly: bool = False
) -> list[str]:
    """Pins as a page names them, "Innenstadt, 40 m from Färbergasse; a point on the map, at …"; one query for all. `briefly`:
    without the position, where a name is near."""
    spots = whereabouts.of(visit.session, visit.municipality_id, points)
    found = []
    for spot, point in zip(spots, points, strict=True):
        near, exactly = where_in_words(visit, spot), receipts.map_words("point", *point, visit.language)
        found.append(near if briefly and near else "; ".join(part for part in (near, exactly) if part))
    return found


def positions_in_words(visit: Visit, points: Sequence[tuple[float, float]]) -> list[str]:
    """The same by nothing but the position, without a query."""
    return [receipts.map_words("point", *point, visit.language) for point in points]


def _found(visit: Visit, words: str) -> tuple[tuple[str, str], ...]:
    found = (
        places.find(visit.session, visit.municipality_id, words[:200], limit=PLACES_SHOWN) if words else []
    )
    return tuple((str(each.id), f"{each.name} ({kind_and_district(visit, each)})") for each in found)


def _view(question: Question, typed: Typed) -> View | None:
    middle = read_position(_first(typed, question, MIDDLE))
    try:
        zoom = min(max(float(_first(typed, question, ZOOM)), 8.0), 19.0)
    except ValueError:
        return None
    return View(*middle, zoom, *PLAN_SIZE) if middle and zoom == zoom else None


def _plan(visit: Visit, procedure: Procedure, question: Question, typed: Typed, step: str) -> PickPlan:
    view = _view(question, typed) or View.around(bounds_of(visit, procedure), *PLAN_SIZE)
    if step in _MOVES:
        _, right, down, nearer = _MOVES[step]
        view = view.zoomed(nearer) if nearer else view.moved(right, down)
    middle, zoom = spelled(view), f"{min(max(view.zoom, 8.0), 19.0):g}"
    look = "dark" if visit.theme == "dark" else "light"
    return PickPlan(
        visit.url("plan_view", slug=procedure.slug, mitte=middle, zoom=zoom, look=look),
        middle,
        zoom,
        PLAN_SIZE,
        base_map(visit, procedure).attribution,
        tuple((f"{name_of(question)}:{key}", visit.gettext(move[0])) for key, move in _MOVES.items()),
    )


# --- what it came to ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class PinsPlan:
    """All pins of a question on one plan; each leads to its line in the list below."""

    svg: Markup
    attribution: str


def plan_of_pins(
    visit: Visit, procedure: Procedure, number: int, title: str, said: Sequence[Said]
) -> PinsPlan | None:
    """The plan for what was said to question `number`, pins numbered as the list is; None without any."""
    pins = [
        Pin(each.lon, each.lat, f"#said-{number}-{at}", f"{at}: {each.words or title}", str(at))
        for at, each in enumerate(said, start=1)
        if each.lon is not None and each.lat is not None
    ]
    if not pins:
        return None
    lons, lats = [pin.lon for pin in pins], [pin.lat for pin in pins]
    box = (min(lons), min(lats), max(lons), max(lats))
    view = View.around(box, *PLAN_SIZE, margin=60, max_zoom=17)
    ground = base_map(visit, procedure)
    svg = static_plan_svg(
        sources_at(ground, view.zoom),
        view,
        title=visit.gettext("Plan with pins: %(question)s", question=title),
        areas=[procedure.plan_area] if procedure.plan_area else [],
        pins=pins,
        identifier=f"pins-{number}",
    )
    return PinsPlan(Markup(svg), ground.attribution)


def plan_styles(visit: Visit) -> tuple[str, ...]:
    """What a page with such a plan is coloured by."""
    return styles(visit, with_canvas=False)


def as_feature(number: int, question: str, said: Said) -> dict[str, Any]:
    """A pin as GeoJSON."""
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [said.lon, said.lat]},
        "properties": {"question_number": number, "question": question, "answer": said.words},
    }


def words_of(visit: Visit, answer: questions.Answer) -> str:
    """A place as somebody reads their own: the words, and where the pin is."""
    pin = questions.pin_of(answer)
    parts = [questions.own_words(answer)]
    if pin is not None:
        parts += point_in_words(visit, [pin])
    return "; ".join(part for part in parts if part)
