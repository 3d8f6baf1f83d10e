"""A building, a floor, a point: what a contribution is about, chosen from lists or in the picture.

The picture in three dimensions leads here with what was picked; without it, building and floor are chosen from lists.
Both go on to the same form as every other contribution: that of the part of an area which a thing belongs to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response
from wtforms import Form, HiddenField, SelectField
from wtforms.fields import SelectChoice

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
    """A building near the plan or of a variant, and a floor of it."""

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
    city_url: str


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
    form.haus.choices = [SelectChoice("", N_("Please choose")), *_choices(visit, groups, offered)]
    choice = things.read_choice(str(form.was.data or "")) or _from_lists(form)
    if choice is not None and choice.building and not form.haus.data:
        form.haus.data = _value(choice.variant, choice.building)
    found = things.find(visit.house, visit.session, procedure, choice) if choice else None
    problem = (
        visit.gettext("We do not know this place. Please choose it again.") if choice and not found else ""
    )
    building = offered.get(str(form.haus.data or ""))
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
            city_url=visit.url("city", slug=procedure.slug),
        ),
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


_Offered = dict[str, Building]


def _offered(visit: Visit, groups: Sequence[Group], scape: Cityscape) -> _Offered:
    """What can be chosen, by the value that its option sends: the buildings of the variants and those near the plan."""
    found: _Offered = {}
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
