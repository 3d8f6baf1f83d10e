"""What is planned in the picture of a consultation: its own variants and those of its parts, what they are called, and the
fields that choose among them."""

from collections.abc import Sequence

from consultations import variants
from consultations.procedures import Procedure, localised
from consultations.variants import Group, Variant
from participation import cityscape
from participation.web import Visit

#: The field that chooses among the variants of the consultation itself; those of its parts are named by `field_of`.
OWN = "variante"


def groups_here(visit: Visit, procedure: Procedure) -> tuple[Sequence[Group], tuple[tuple[str, str], ...]]:
    """What is planned in the picture of a consultation, its own and that of its parts; and parts that have variants but
    lie outside: what they are called, and where their own pictures are."""
    every = variants.groups_of(visit.session, procedure)
    here = cityscape.in_picture(procedure, every)
    away = [group.procedure for group in every if group not in here]
    return here, tuple(
        (localised(each, visit.language, "title"), visit.url("city", slug=each.slug)) for each in away
    )


def field_of(group: Group) -> str:
    """The name of the field that chooses one of these variants, in forms and addresses."""
    return f"teil-{group.procedure.id}" if group.level else OWN


def titled(visit: Visit, group: Group, row: Variant) -> str:
    """What a variant is called, with the part that it belongs to where that is not what the page is about."""
    title = variants.localised(row, visit.language, "title")
    if not group.level:
        return title
    part = localised(group.procedure, visit.language, "title")
    return visit.gettext("%(variant)s (%(part)s)", variant=title, part=part)
