"""What a map of contributions is narrowed to: words, kind, topic; of proposals everything that their list is narrowed to.

List and map of proposals ask the same question (`proposal_lists`), so that both find the same ones.
"""

from dataclasses import dataclass, replace

from starlette.datastructures import FormData

from consultations import proposal_lists
from consultations.contributions import Kind
from consultations.procedures import Procedure
from consultations.published import Wanted
from participation.pages.contributions_list import FilterForm, asked_for, filled
from participation.pages.proposals_list import IN_FRAME, PARAMETERS, ListForm, asked_of, in_frame
from participation.pages.with_parts import Whole
from participation.web import Visit

#: What narrows a map, by the names that the address of a frame has for it.
FRAME_NAMES = ("art", *(IN_FRAME.get(name, name) for name in PARAMETERS.values()))


class MapForm(FilterForm, ListForm):
    """What the map can be narrowed to; the fields of proposals are asked where only these are shown."""


@dataclass(frozen=True)
class Narrowed:
    """What a map shows. `filters`: the same as addresses of map and feed carry it; `among`: of proposals, what their list is
    narrowed to."""

    form: MapForm
    wanted: Wanted
    filters: dict[str, str]
    among: proposal_lists.Wanted | None = None

    @property
    def search(self) -> dict[str, str]:
        """The same as the address of the list of proposals carries it."""
        return {name: value for name, value in self.filters.items() if name != "art"}


def narrowed(visit: Visit, whole: Whole, *, framed: bool = False) -> Narrowed:
    """What the address asks of the map. `framed`: it is the address of a frame, where `sprache` is the frame's own language."""
    asked = visit.request.query_params
    if framed:
        own = {name: asked.get(name, "") for name in FRAME_NAMES}
        form = visit.form(MapForm, sent=FormData({**own, "sprache": own[IN_FRAME["sprache"]]}))
    else:
        form = visit.form(MapForm)
    wanted = filled(form, visit, whole)
    if wanted.kind != Kind.PROPOSAL.value:
        return Narrowed(form, wanted, {name: value for name, value in asked_for(wanted).items() if value})
    said = asked_of(visit, whole, form)
    found = {name: getattr(said.wanted, of) for of, name in PARAMETERS.items() if of != "near"}
    filters = {"art": wanted.kind, **found, "nahe": said.near if said.place else ""}
    return Narrowed(
        form,
        replace(wanted, words="", topic="", proposals=said.wanted),
        {name: value for name, value in filters.items() if value},
        said.wanted,
    )


def list_address(visit: Visit, procedure: Procedure, shown: Narrowed, *, absolute: bool = False) -> str:
    """Where the same is read as a list."""
    address = visit.absolute if absolute else visit.url
    if shown.among is not None:
        return address("proposals", slug=procedure.slug, **shown.search)
    return address("contributions_list", slug=procedure.slug, **shown.filters)


def list_around(visit: Visit, procedure: Procedure, shown: Narrowed) -> str:
    """The list of what lies at one spot of the map, which the map's script puts into the address (`ort`)."""
    if shown.among is not None:
        search = {**shown.search, "nahe": ""}
        return visit.url("proposals", slug=procedure.slug, **search, sortierung="nearest")
    own = {"slug": procedure.slug, **shown.filters}
    return visit.url("contributions_list", **own, sortierung="nearest", umkreis=250)


def frame_address(visit: Visit, procedure: Procedure, shown: Narrowed) -> str:
    """The page that says how to show the same map on another site."""
    return visit.url("embedding", slug=procedure.slug, was="karte", **in_frame(shown.filters))
