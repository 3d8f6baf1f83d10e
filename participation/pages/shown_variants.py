"""What is planned in the picture of a consultation: its own variants and those of its parts, what they are called, and what
is chosen of them. The picture in three dimensions, the shadows and the comparison all choose by this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wtforms.fields import SelectChoice

from consultations import variants
from consultations.procedures import Procedure, localised
from consultations.variants import Group, Variant
from participation import cityscape
from participation.web import Visit

#: Marks a message for the catalogues.
N_ = str

#: The field that chooses among the variants of the consultation itself; those of its parts are named by `field_of`.
OWN = "variante"
#: What the fields send for nothing: it stays as it is.
TODAY = "heute"


@dataclass(frozen=True)
class Chosen:
    """Of each consultation that plans something here the variant that is built, or none where it stays as it is today."""

    groups: Sequence[Group]
    of_each: tuple[Variant | None, ...]

    @property
    def rows(self) -> tuple[Variant, ...]:
        """All that is built together."""
        return tuple(row for row in self.of_each if row is not None)

    def fields(self, side: str = "") -> dict[str, str]:
        """What the fields say that choose this."""
        pairs = zip(self.groups, self.of_each, strict=True)
        return {field_of(group, side): TODAY if row is None else str(row.id) for group, row in pairs}


def groups_here(
    visit: Visit, procedure: Procedure, pictures: str = "city"
) -> tuple[Sequence[Group], tuple[tuple[str, str], ...]]:
    """What is planned in the picture of a consultation, its own and that of its parts; and parts that have variants but
    lie outside: what they are called, and where their own `pictures` (the name of a page) are."""
    every = variants.groups_of(visit.session, procedure)
    here = cityscape.in_picture(procedure, every)
    away = [group.procedure for group in every if group not in here]
    return here, tuple(
        (localised(each, visit.language, "title"), visit.url(pictures, slug=each.slug)) for each in away
    )


def field_of(group: Group, side: str = "") -> str:
    """The name of the field that chooses one of these variants, in forms and addresses; for one `side` of two it has that
    before it, and nothing else for the consultation itself."""
    name = f"teil-{group.procedure.id}" if group.level else OWN
    return name if not side else f"{side}-{name}" if group.level else side


def asked_for(
    asked: Mapping[str, str], groups: Sequence[Group], otherwise: Sequence[Variant | None], side: str = ""
) -> Chosen:
    """What an address chooses, and of what it says nothing about, or nothing that there is, what stands in `otherwise`."""
    found = []
    for group, default in zip(groups, otherwise, strict=True):
        wanted = asked.get(field_of(group, side), "")
        known = {str(row.id): row for row in group.rows}
        found.append(None if wanted == TODAY else known.get(wanted, default))
    return Chosen(groups, tuple(found))


def choices_of(visit: Visit, group: Group) -> list[SelectChoice]:
    """What a field offers that chooses one of these variants, without that it stays as it is today."""
    return [SelectChoice(str(row.id), variants.localised(row, visit.language, "title")) for row in group.rows]


def legend_of(visit: Visit, group: Group) -> str:
    """What a field is called that chooses one of these variants."""
    return localised(group.procedure, visit.language, "title") if group.level else N_("What is built")


def titled(visit: Visit, group: Group, row: Variant) -> str:
    """What a variant is called, with the part that it belongs to where that is not what the page is about."""
    title = variants.localised(row, visit.language, "title")
    if not group.level:
        return title
    part = localised(group.procedure, visit.language, "title")
    return visit.gettext("%(variant)s (%(part)s)", variant=title, part=part)
