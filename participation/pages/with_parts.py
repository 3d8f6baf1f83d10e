"""A consultation with the public parts that belong to it: what was said about them stands on its map and in its lists, too."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from consultations import nesting
from consultations.nesting import Part
from consultations.procedures import Procedure, localised, subject_in
from consultations.published import Entry
from participation.web import Visit


@dataclass(frozen=True)
class Whole:
    """A consultation and those of its parts that everybody may see, by their keys; none where only it itself is meant."""

    procedure: Procedure
    parts: Mapping[int, Procedure] = field(default_factory=dict)

    @property
    def key(self) -> int:
        return self.procedure.id or 0

    @property
    def keys_of_parts(self) -> tuple[int, ...]:
        return tuple(self.parts)

    def owner(self, entry: Entry) -> Procedure:
        """The consultation that something was handed in to."""
        return self.parts.get(entry.procedure_id, self.procedure)

    def part(self, visit: Visit, entry: Entry) -> str:
        """To which part something was handed in, in words; empty for the consultation itself."""
        part = self.parts.get(entry.procedure_id)
        title = localised(part, visit.language, "title") if part else ""
        return visit.gettext("Part: %(title)s", title=title) if part else ""

    def subject(self, visit: Visit, name: str) -> str:
        """What a topic is called, here or in the first part that has it among those to choose from."""
        spoken = (subject_in(each, name, visit.language) for each in (self.procedure, *self.parts.values()))
        return next((each for each in spoken if each != name), name)


def whole_of(visit: Visit, procedure: Procedure) -> Whole:
    """A consultation with all parts whose plans its map shows (`nesting.shown`): not drafts, not what was withdrawn. One
    query."""
    return whole_with(procedure, nesting.parts(visit.session, procedure.id or 0))


def whole_with(procedure: Procedure, parts: Iterable[Part]) -> Whole:
    """The same where its parts are known already."""
    return Whole(procedure, {part.procedure.id or 0: part.procedure for part in nesting.shown(parts)})
