"""The real samples, where they exist: a city's districts and streets, three plans, and a dialogue of thousands.

Everything comes in by the same ways as at any town: `layers_import`, `plan_import` and the import of contributions as
a job. It may be run again: layers are replaced, plans that are there stay, contributions are known by their source id.
The data themselves are no part of this repository.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

from sqlmodel import Session

from consultations import municipalities, procedures, publishing, releases
from consultations.deadlines import local_date
from consultations.municipalities import MunicipalityInput
from consultations.permissions import SYSTEM, Role
from consultations.phases import Opens, PhaseInput, PhaseKind, phases_of
from consultations.places import LayerRole
from consultations.procedures import Procedure, ProcedureInput
from participation import imports, jobs, layers_import, plan_import
from participation.app import create_app
from participation.database import unit_of_work
from participation.house import House
from participation.settings import ROOT, Settings

OPENSTREETMAP = "© OpenStreetMap contributors"
ODBL = "ODbL 1.0"

CITY, DIALOGUE = "augsburg", "bonn"
"""Keys of the two municipalities; each answers at its key below localhost."""

LAYERS: tuple[tuple[str, LayerRole, str], ...] = (
    ("districts/augsburg_stadtgrenze.geojson", LayerRole.BOUNDARY, "Stadtgrenze"),
    ("districts/augsburg_stadtbezirke_42.geojson", LayerRole.DISTRICTS, "Stadtbezirke"),
    ("districts/augsburg_planungsraeume_17.geojson", LayerRole.OTHER, "Planungsräume"),
    ("streets/augsburg_strassen.geojson", LayerRole.STREETS, "Straßen"),
)

PLANS: tuple[tuple[str, str, str], ...] = (
    ("xplan/BPlan004_6-0.zip", "BP-004", "xplanbox, Beispielplan"),
    ("xplan/Blankenese29_6-0.gml", "BP-29", "xplanbox, Beispielplan"),
    ("xplan/Heideweg_Sallgast_5-1.gml", "BP-1", "xplanbox, Beispielplan"),
)

PROPOSALS = "participation/bonn-raddialog-2017/proposals.geojson"
COMMENTS = "participation/bonn-raddialog-2017/comments.csv"

STAFF = (Role.CLERK, Role.MODERATOR, Role.PLANNER, Role.ADMINISTRATOR)

_IMPRINT = {
    "de": "Diese Seiten sind keine Seiten der Stadt {name}. Sie zeigen Digilog mit offenen Daten.",
    "en": "These pages are not those of the city of {name}. They show Digilog with open data.",
}
_CONTACT: dict[str, Any] = {"name": "Stadtplanung", "phone": "089 99998-500"}
_ACCESS: tuple[dict[str, Any], ...] = ({"place": "Rathaus", "hours": "Mo bis Fr 8 bis 12 Uhr"},)


def folder_of(settings: Settings) -> Path:
    """Where the samples are, if they are: a relative setting counts from the project's root."""
    return settings.samples if settings.samples.is_absolute() else ROOT / settings.samples


class Appoint(Protocol):
    """Gives somebody a role and a way to sign in."""

    def __call__(
        self, session: Session, role: Role, name: str, email: str, *, municipality_id: int, now: datetime
    ) -> object:
        """Returns who it is now."""


def add(settings: Settings, appoint: Appoint, say: Callable[[str], None] = print) -> None:
    """Add the samples to the installation of these settings, and say what came out, step by step."""
    folder, done = folder_of(settings), settings.data_dir / "samples-done"
    if not folder.is_dir():
        say(f"There are no samples in {folder} (setting DIGILOG_SAMPLES); the demo goes without them.")
        return
    if done.exists():
        say("The samples are there already.")
        return
    house: House = create_app(settings).state.house
    city = _municipality(house, appoint, CITY, "Augsburg", (10.763, 48.258, 10.959, 48.459), "catholic")
    for name, role, title in LAYERS:
        say(_layer(house, city, folder / name, role, title))
    for name, key, attribution in PLANS:
        say(_plan(house, city, folder / name, key, attribution))
    bonn = _municipality(house, appoint, DIALOGUE, "Bonn", (7.02, 50.63, 7.21, 50.775), "")
    dialogue = _dialogue(house, bonn)
    examples = ROOT / "docs" / "examples"
    say(_contributions(house, dialogue, folder / PROPOSALS, examples / "proposals.toml"))
    say(_contributions(house, dialogue, folder / COMMENTS, examples / "comments.toml"))
    house.close()
    done.touch()
    for key in (CITY, DIALOGUE):
        staff = ", ".join(_email(role, key) for role in STAFF)
        say(f"  http://{key}.localhost:{settings.public_port}/  staff: {staff}")


def _email(role: Role, key: str) -> str:
    return f"{role.value}@{key}.example"


def _municipality(
    house: House,
    appoint: Appoint,
    key: str,
    name: str,
    bounds: tuple[float, float, float, float],
    also: str,
) -> int:
    """The id of the municipality with this key; made with its staff if there is none. `also`: a kind of holidays."""
    with unit_of_work(house.engine, write=True) as session:
        row = municipalities.by_key(session, key)
        if row is None:
            now = house.clock()
            row = municipalities.save(
                session,
                MunicipalityInput(
                    key=key,
                    name=name,
                    hosts=(f"{key}.localhost",),
                    authority=f"Stadt {name} (Beispiel)",
                    calendar={
                        "country": "DE",
                        "subdivision": "BY" if also else "NW",
                        "categories": ["public", also] if also else ["public"],
                    },
                    contact={"office": "Beispiel mit echten Daten", "city": name, "phone": "089 99998-500"},
                    legal_texts={
                        "imprint": {code: text.format(name=name) for code, text in _IMPRINT.items()}
                    },
                    bounds=bounds,
                ),
                by=SYSTEM,
                now=now,
            )
            assert row.id is not None
            for role in STAFF:
                appoint(session, role, role.value, _email(role, key), municipality_id=row.id, now=now)
        assert row.id is not None
        return row.id


def _layer(house: House, municipality_id: int, path: Path, role: LayerRole, title: str) -> str:
    began = perf_counter()
    row = layers_import.take_layer(
        house,
        path,
        path.name,
        layers_import.LayerWish(
            title, role, source=path.name, licence=ODBL, attribution=OPENSTREETMAP, is_open=True
        ),
        municipality_id=municipality_id,
        by=SYSTEM,
        now=house.clock(),
    )
    report = row.report
    return (
        f"  {title}: {report['features']} features, {report['crs']}, {report['repaired']} repaired "
        f"({perf_counter() - began:.1f} s)"
    )


def _plan(house: House, municipality_id: int, path: Path, key: str, attribution: str) -> str:
    """A plan as a published consultation that runs for a month."""
    with unit_of_work(house.engine) as session:
        if procedures.by_key(session, municipality_id, key):
            return f"  {key} is there already"
    began, now = perf_counter(), house.clock()
    taken = plan_import.take_plan(
        house,
        path,
        path.name,
        municipality_id=municipality_id,
        template_key="development_plan",
        key=key,
        attribution=attribution,
        by=SYSTEM,
        now=now,
    )
    with unit_of_work(house.engine, write=True) as session:
        row = session.get_one(Procedure, taken.procedure_id)
        entered = ProcedureInput(
            key=row.key,
            title=row.title,
            summary=row.summary or f"{row.title}: ein echter Plan, hier als Beispiel.",
            location_words="Siehe Karte: Der Plan liegt, wo er gezeichnet wurde, nicht in dieser Stadt.",
            contact=_CONTACT,
            access_options=_ACCESS,
            phases=tuple(_formal_phases(now)),
        )
        procedures.change(session, row, entered, by=SYSTEM, now=now)
        publishing.publish(session, row, by=SYSTEM, now=now)
        _adopt(session, row, now)
    return (
        f"  {taken.title}: {taken.read.report.features} features, {taken.square_metres:.0f} m², "
        f"{len(taken.documents)} documents, {len(taken.missing)} only named ({perf_counter() - began:.1f} s)"
    )


def _adopt(session: Session, row: Procedure, now: datetime) -> None:
    """Open the formal phases of a sample: they were announced long ago, elsewhere."""
    for phase in phases_of(session, row.id or 0):
        if phase.waits_for_release:
            releases.adopt(session, row, phase, reason="Beispiel aus fremden Daten", by=SYSTEM, now=now)


def _formal_phases(now: datetime) -> tuple[PhaseInput, ...]:
    today = local_date(now)
    return (
        PhaseInput(
            PhaseKind.PUBLICATION,
            starts_on=today - timedelta(days=3),
            ends_on=today + timedelta(days=30),
            opens=(Opens.STATEMENT,),
            is_formal=True,
        ),
        PhaseInput(PhaseKind.WEIGHING),
    )


def _dialogue(house: House, municipality_id: int) -> int:
    """The id of the consultation that the dialogue's contributions belong to; made and published if there is none."""
    now = house.clock()
    with unit_of_work(house.engine, write=True) as session:
        row = procedures.by_key(session, municipality_id, "RAD-2017")
        if row is None:
            phases = replace(
                _formal_phases(now)[0],
                kind=PhaseKind.CO_CREATION,
                starts_on=datetime(2017, 9, 13).date(),
                opens=(Opens.PROPOSAL, Opens.COMMENT),
                is_formal=False,
            )
            row = procedures.create(
                session,
                ProcedureInput(
                    key="RAD-2017",
                    title="Dialog zum Radverkehr",
                    summary="2.340 Vorschläge mit Ort aus einem wirklichen Dialog, als Beispiel übernommen.",
                    location_words="Das ganze Stadtgebiet",
                    contact=_CONTACT,
                    access_options=_ACCESS,
                    phases=(phases,),
                ),
                municipality_id=municipality_id,
                template_key="informal_dialogue",
                by=SYSTEM,
                now=now,
            )
            publishing.publish(session, row, by=SYSTEM, now=now)
            _adopt(session, row, now)
        assert row.id is not None
        return row.id


def _contributions(house: House, procedure_id: int, path: Path, mapping: Path) -> str:
    began = perf_counter()
    with unit_of_work(house.engine, write=True) as session:
        job = imports.leave_job(
            session,
            house.files,
            path,
            path.name,
            mapping.read_text(encoding="utf-8"),
            procedure=session.get_one(Procedure, procedure_id),
            by=SYSTEM,
            now=house.clock(),
        )
    assert job.id is not None
    while jobs.run_one(house, "samples"):
        continue
    with unit_of_work(house.engine) as session:
        row = session.get_one(jobs.Job, job.id)
        if row.state != jobs.JobState.DONE.value:
            raise RuntimeError(f"{path.name} was not imported: {row.note}")
        counts = ", ".join(f"{number} {name}" for name, number in row.result["counts"].items())
        refused = row.result["refused"]
    first = f", first refused: line {refused[0]['line']}: {refused[0]['why']}" if refused else ""
    return f"  {path.name}: {counts}{first} ({perf_counter() - began:.1f} s)"
