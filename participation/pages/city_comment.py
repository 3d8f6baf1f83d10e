"""A building, a floor, a point: what a contribution is about, chosen from lists or in the picture.

The picture in three dimensions leads here with what was picked; without it, building and floor are chosen from lists.
Both go on to the same form as every other contribution: that of the part of an area which a thing belongs to.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response
from wtforms import Form, HiddenField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, Optional

from consultations import places
from consultations.permissions import Permission
from consultations.procedures import localised
from consultations.variants import Group
from participation import cityscape, things
from participation.cityscape import Building, Cityscape
from participation.pages.belonging import Taken, taken_by
from participation.pages.city import building_facts
from participation.pages.contributions_list import open_procedure
from participation.pages.place_words import found_in_words
from participation.pages.shown_variants import groups_here, titled
from participation.things import Choice
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


class BuildingForm(Form):
    """A building near the plan or of a variant, and a floor of it. `suche` narrows the menu of buildings."""

    suche = StringField(N_("Street or house number"), [Optional(), Length(max=100)])
    haus = SelectField(N_("Building"), choices=[], validate_choice=False)
    stock = SelectField(N_("Floor"), choices=[], validate_choice=False)
    was = HiddenField()


@dataclass(frozen=True)
class CommentPage:
    """The choice of a building and a floor, and what can be done with it."""

    title: str
    slug: str
    form: BuildingForm
    #: The chosen building, in words, once one is chosen.
    house: str
    facts: str
    #: The place in words, and what can be handed in about it.
    chosen: str
    taken: Taken
    problem: str
    #: Whether there are so many buildings that a search helps, how many are in the menu, and whether these fit the words.
    is_long: bool
    in_menu: int
    is_narrowed: bool
    #: The words that no building fits; the menu then has all.
    in_vain: str
    city_url: str


#: From this many buildings on, the menu can be narrowed: about as many as a telephone shows without scrolling twice.
LONG = 15


@page("/beteiligungen/{slug}/3d/gebaeude", name="city_comment", may=Permission.READ_PUBLIC)
def city_comment(visit: Visit) -> Response:
    """Choose what a contribution is about: `haus` ("id" or "variant:id") and `stock`, or `was`, as the picture gives it."""
    procedure = open_procedure(visit)
    scape = cityscape.of(visit.house, visit.session, procedure)
    if scape is None:
        visit.not_found()
    form = visit.form(BuildingForm)
    groups, _ = groups_here(visit, procedure)
    offered = _offered(visit, groups, scape)
    choice = things.read_choice(str(form.was.data or "")) or _from_lists(form)
    if choice is not None and choice.building and not form.haus.data:
        form.haus.data = _value(choice.variant, choice.building)
    found = things.find(visit.house, visit.session, procedure, choice) if choice else None
    problem = (
        visit.gettext("We do not know this place. Please choose it again.") if choice and not found else ""
    )
    chosen = str(form.haus.data or "")
    building = offered.get(chosen)
    asked = str(form.suche.data or "").strip()[:100]
    fitting = {value: each for value, each in offered.items() if fits(each.label or each.id, asked)}
    # What is chosen stays in the menu, whatever is looked for.
    menu = {
        value: each for value, each in offered.items() if not fitting or value in fitting or value == chosen
    }
    form.haus.choices = [SelectChoice("", N_("Please choose")), *_choices(visit, groups, menu)]
    form.stock.choices = [SelectChoice("", N_("All of it, or none in particular"))]
    if building is not None:
        form.stock.choices += [
            SelectChoice(str(number), _floor(visit, number)) for number in range(max(building.storeys, 1))
        ]
    return visit.render(
        "city/comment.html",
        CommentPage(
            title=localised(procedure, visit.language, "title"),
            slug=procedure.slug,
            form=form,
            house=building.label if building else "",
            facts=building_facts(visit, building) if building else "",
            chosen=found_in_words(visit, found) if found else "",
            taken=taken_by(visit, procedure, choice, found) if found and choice else Taken(),
            problem=problem,
            is_long=len(offered) >= LONG or bool(asked),
            in_menu=len(fitting or offered),
            is_narrowed=bool(asked and fitting),
            in_vain="" if fitting else asked,
            city_url=visit.url("city", slug=procedure.slug),
        ),
    )


def fits(label: str, words: str) -> bool:
    """Whether an address or a name has all these words: a word anywhere ("linden" in "Am Lindenhof"), a number as a whole,
    with or without its letter ("12" is in "Hauptstraße 12 a", not in "Hauptstraße 112")."""
    folded, wanted = (re.sub(r"(\d) ([a-z])\b", r"\1\2", places.fold(text)) for text in (label, words))
    return all(
        re.search(rf"(?<!\d){re.escape(word)}(?!\d)" if word[0].isdigit() else re.escape(word), folded)
        for word in wanted.split()
    )


def _floor(visit: Visit, number: int) -> str:
    return visit.gettext("Ground floor") if number == 0 else visit.gettext("Floor %(number)s", number=number)


def _value(variant: int | None, building: str) -> str:
    return building if variant is None else f"{variant}:{building}"


def _from_lists(form: BuildingForm) -> Choice | None:
    chosen, storey = str(form.haus.data or ""), str(form.stock.data or "")
    if not chosen:
        return None
    number, colon, building = chosen.partition(":")
    floor = int(storey) if storey.isdecimal() and len(storey) < 3 else None
    if colon and number.isdecimal() and len(number) < 10:
        return Choice(building, int(number), floor)
    return Choice(chosen, None, floor)


_Offered = Mapping[str, Building]


def _offered(visit: Visit, groups: Sequence[Group], scape: Cityscape) -> _Offered:
    """What can be chosen, by the value that its option sends: the buildings of the variants and those near the plan."""
    found: dict[str, Building] = {}
    for variant in (row for group in groups for row in group.rows):
        bodies = cityscape.bodies_of(visit.house, variant)
        if bodies is not None:
            found |= {_value(variant.id, each.id): each for each in cityscape.buildings_in(bodies)}
    named = [each for each in scape.made.near if each.label and not each.parent]
    return found | {each.id: each for each in sorted(named, key=lambda each: places.in_order(each.label))}


def _choices(visit: Visit, groups: Sequence[Group], offered: _Offered) -> Sequence[SelectChoice]:
    titles = {str(row.id): titled(visit, group, row) for group in groups for row in group.rows}
    return [
        SelectChoice(
            value,
            building.label or building.id,
            optgroup=titles[value.partition(":")[0]]
            if ":" in value
            else visit.gettext("Buildings that stand today"),
        )
        for value, building in offered.items()
    ]
