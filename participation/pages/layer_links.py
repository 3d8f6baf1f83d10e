"""Contributions about objects of a layer that were not found again in its newer delivery: a planner decides, one by one."""

from dataclasses import dataclass
from pathlib import Path

from starlette.responses import Response

from consultations import attached, places, procedures
from consultations.attached import LayerLink, Target
from consultations.contributions import Contribution
from consultations.permissions import Permission, may, reach
from consultations.places import Layer, LayerRole
from consultations.procedures import PUBLIC_STATES, localised
from consultations.refusals import Code, Refusal
from geo import features
from geo.features import Feature
from participation import i18n, layer_files, plan_words, things
from participation.web import Visit, page, row_number

#: Metres around the place of a contribution in which objects are offered.
AROUND = 60.0
#: Contributions on a page.
SHOWN = 20


@dataclass(frozen=True)
class Candidate:
    """An object of the newer delivery that may be meant."""

    number: int
    name: str
    words: tuple[tuple[str, str], ...]
    #: How far away it is, in words.
    distance: str


@dataclass(frozen=True)
class LooseLine:
    """A contribution whose object was not found again."""

    id: int
    reference: str
    url: str
    excerpt: str
    #: What it was about, in words.
    was: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Elsewhere:
    """Contributions that others decide about: how many, and the consultation whose planners they are."""

    count: int
    title: str
    url: str


@dataclass(frozen=True)
class LinksPage:
    """The contributions of a layer that wait for a decision."""

    layer_title: str
    #: Where the layer is looked after; empty for who does not plan the consultation that it belongs to.
    layer_url: str
    lines: tuple[LooseLine, ...]
    elsewhere: tuple[Elsewhere, ...]
    done: bool
    error: str


@page(
    "/verwaltung/ebenen/{layer:int}/zuordnen",
    name="layer_links",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def layer_links(visit: Visit) -> Response:
    """Say which object of the newer delivery a contribution is about, or that its object is gone."""
    layer = _layer(visit)
    error, status = "", 200
    if visit.is_post:
        try:
            _decide(visit, layer)
            return visit.redirect("layer_links", layer=layer.id, done="saved")
        except Refusal as refusal:
            if refusal.code in (Code.NOT_ALLOWED, Code.NOT_FOUND):
                raise
            visit.session.rollback()
            error, status = visit.explain(refusal), 422
    mine = reach(visit.by, Permission.PLAN, visit.municipality_id)
    waiting = attached.loose_of(visit.session, layer.series or 0, mine, limit=SHOWN)
    shown = LinksPage(
        layer.title,
        visit.url("layer", layer=layer.id) if _looks_after(visit, layer) else "",
        tuple(_line(visit, layer, link, contribution) for link, contribution in waiting),
        _elsewhere(visit, layer, mine),
        visit.request.query_params.get("done") == "saved" and not visit.is_post,
        error,
    )
    return visit.render("planning/layer_links.html", shown, status=status)


def _layer(visit: Visit) -> Layer:
    """The delivery in force of the layer in the address: for whoever plans the consultation that it belongs to, or one in which
    something was said about its objects, such as the area of a part; of a town's layer for whoever plans any consultation."""
    asked = places.layer_by_id(visit.session, visit.municipality_id, visit.request.path_params["layer"])
    layer = places.newest_of(visit.session, visit.municipality_id, asked.series or 0) if asked else None
    if layer is None:
        visit.not_found()
    mine = reach(visit.by, Permission.PLAN, visit.municipality_id)
    if layer.procedure_id is None or mine is None or layer.procedure_id in mine:
        return layer
    if not attached.concerns(visit.session, layer.series or 0, mine):
        raise Refusal(Code.NOT_ALLOWED)
    return layer


def _looks_after(visit: Visit, layer: Layer) -> bool:
    """Whether the visitor may change the layer itself."""
    needed = Permission.IMPORT if layer.procedure_id is None else Permission.PLAN
    of = visit.municipality_id
    return bool(may(visit.by, needed, municipality_id=of, procedure_id=layer.procedure_id))


def _elsewhere(visit: Visit, layer: Layer, mine: tuple[int, ...] | None) -> tuple[Elsewhere, ...]:
    """What waits for the planners of other consultations; nothing for who plans all of them."""
    if mine is None:
        return ()
    counts = attached.loose_elsewhere(visit.session, layer.series or 0, mine)
    return tuple(
        Elsewhere(
            counts[row.id or 0],
            localised(row, visit.language, "title"),
            visit.url("hearing", slug=row.slug) if row.state in PUBLIC_STATES else "",
        )
        for row in procedures.by_ids(visit.session, counts)
    )


def _decide(visit: Visit, layer: Layer) -> None:
    number = row_number(str(visit.form_data.get("contribution", "")))
    link = attached.link_of(visit.session, number) if number else None
    chosen = str(visit.form_data.get("object", ""))
    if link is None or link.series != layer.series:
        raise Refusal(Code.UNKNOWN_REFERENCE, "contribution")
    target = None
    if chosen != "gone":
        path = layer_files.local_copy(visit.house, layer)
        feature = int(chosen) if chosen.isdecimal() and len(chosen) < 10 else -1
        found = _one(layer, path, feature) if path and feature >= 0 else None
        if found is None:
            raise Refusal(Code.UNKNOWN_REFERENCE, "object")
        target = Target(found.number, found.identifier, plan_words.name_of(found, visit.language))
    attached.decide(visit.session, link, layer, target, by=visit.by, now=visit.now)


def _one(layer: Layer, path: Path, number: int) -> Feature | None:
    table = layer_files.BUILDINGS if layer.role == LayerRole.CITY_MODEL.value else None
    return features.feature(path, number, layer_files.columns_of(layer), table=table)


def _line(visit: Visit, layer: Layer, link: LayerLink, contribution: Contribution) -> LooseLine:
    path = layer_files.local_copy(visit.house, layer)
    candidates: tuple[Candidate, ...] = ()
    if path is not None and contribution.geometry is not None:
        table = layer_files.BUILDINGS if layer.role == LayerRole.CITY_MODEL.value else None
        near = features.features_near(
            path, contribution.geometry, AROUND, layer_files.columns_of(layer), table=table
        )
        candidates = tuple(
            Candidate(
                each.number,
                plan_words.name_of(each, visit.language)
                or visit.gettext("No. %(number)s", number=each.number + 1),
                plan_words.attributes_in_words(each.words, visit.language)[:3],
                visit.gettext("in the same place")
                if away < 0.5
                else visit.gettext("%(metres)s m away", metres=i18n.number(round(away), visit.language)),
            )
            for each, away in near
        )
    return LooseLine(
        contribution.id or 0,
        contribution.reference,
        visit.url("register_entry", id=contribution.id),
        (contribution.title or contribution.text)[:160],
        things.in_words(contribution.thing, contribution.elevation, visit.language),
        candidates,
    )
