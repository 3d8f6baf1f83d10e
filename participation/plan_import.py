"""A plan's file as a consultation: its area, its signs on the map, the documents in its archive, as a draft."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from consultations import filing, places, procedures
from consultations.documents import DocumentKind, published_facts
from consultations.files import STAFF_TYPES, AcceptedFile, Limits, accept_upload
from consultations.inspection import PLAN_SIDE
from consultations.permissions import Actor
from consultations.places import LayerRole
from consultations.procedures import ProcedureInput
from consultations.refusals import Code, Refusal
from geo.layers import Attached
from geo.readers.apart import Plan
from geo.readers.archive import read_attached
from participation import layers_import
from participation.database import unit_of_work
from participation.house import House
from participation.layers_import import ReadLayer

#: XP_ExterneReferenzTyp of XPlanung → what the document is here; pictures of a plan are its drawing.
KINDS: Mapping[str, DocumentKind] = {
    "1010": DocumentKind.EXPLANATORY_REPORT,
    "1030": DocumentKind.PLAN_DRAWING,
    "1050": DocumentKind.ENVIRONMENTAL_REPORT,
    "1090": DocumentKind.ENVIRONMENTAL_STATEMENT,
}
#: The words of a document that can be read without it, at most so many characters.
TEXT_LENGTH = 200_000


@dataclass(frozen=True)
class TakenPlan:
    """What came of a plan's file: the new draft, and what was read.

    `missing` are documents that the plan names and its file does not hold.
    """

    procedure_id: int
    key: str
    slug: str
    title: str
    square_metres: float
    documents: tuple[str, ...]
    missing: tuple[str, ...]
    read: ReadLayer


def take_plan(
    house: House,
    path: Path,
    filename: str,
    *,
    municipality_id: int,
    template_key: str,
    key: str,
    title: str = "",
    crs: int | None = None,
    attribution: str = "",
    by: Actor,
    now: datetime,
) -> TakenPlan:
    """Make a draft of a plan's file (XPlanGML, plain or as archive; or any map file with areas).

    Reading comes first; all that is written is one transaction. `title` is needed where the file names no plan.
    Raises LayerProblem; Refusal NOT_ALLOWED, NAME_TAKEN, PLAN_AREA_INVALID ("file"), and those of
    `files.accept_upload` for the documents.
    """
    read = layers_import.read_layer(house.files, path, filename, role=LayerRole.PLAN, crs=crs)
    plan = next((plan for plan in read.reading.plans if plan.area), None)
    area = plan.area if plan else read.reading.whole
    if area is None:
        raise Refusal(Code.PLAN_AREA_INVALID, "file", kind="line")
    present = [each for each in read.reading.attached if each.kind != "georeference"]
    documents = [(each, _accepted(house, path, each)) for each in present if each.size is not None]
    title = title or _title(plan) or Path(filename).stem
    with unit_of_work(house.engine, write=True) as session:
        procedure = procedures.create(
            session,
            ProcedureInput(key=key, title=title, summary=plan.description.strip() if plan else ""),
            municipality_id=municipality_id,
            template_key=template_key,
            by=by,
            now=now,
        )
        assert procedure.id is not None
        layer, named = layers_import.layer_of(
            read,
            municipality_id=municipality_id,
            procedure_id=procedure.id,
            title=title,
            source=filename,
            licence="",
            attribution=attribution,
            now=now,
        )
        places.add_layer(session, layer, named, by=by, now=now)
        procedures.set_plan_area(
            session, procedure, area.located, by=by, now=now, report=read.report.as_dict()
        )
        for attached, file in documents:
            filing.add_document(
                session,
                procedure,
                published_facts(file),
                title=attached.title or PurePosixPath(attached.name).name,
                kind=_kind(attached),
                by=by,
                now=now,
            )
        return TakenPlan(
            procedure_id=procedure.id,
            key=procedure.key,
            slug=procedure.slug,
            title=title,
            square_metres=area.square_metres,
            documents=tuple(file.filename for _, file in documents),
            missing=tuple(each.name for each in present if each.size is None),
            read=read,
        )


def _title(plan: Plan | None) -> str:
    if plan is None:
        return ""
    named = " ".join(part for part in (plan.kind, plan.number) if part)
    return f"{named} {plan.name}".strip()


def _kind(attached: Attached) -> DocumentKind:
    by_type = KINDS.get(attached.type_code)
    if by_type is not None:
        return by_type
    return DocumentKind.PLAN_DRAWING if attached.kind == "raster" else DocumentKind.OTHER


def _accepted(house: House, path: Path, attached: Attached) -> AcceptedFile:
    content = read_attached(path, attached.name)
    name = PurePosixPath(attached.name).name
    limits = Limits(types=STAFF_TYPES, text_length=TEXT_LENGTH, public_side=PLAN_SIDE)
    return accept_upload(house.files, io.BytesIO(content), name, limits=limits)
