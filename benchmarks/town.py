"""What is measured: a town with consultations that run today, as many contributions as wanted, and its server."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import psycopg
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlmodel import Session

from consultations import procedures, publishing
from consultations.contributions import Contribution, Kind, PublicationState
from consultations.locations import LEVELS, MapCell
from consultations.phases import Opens, PhaseInput, PhaseKind
from consultations.procedures import Procedure
from consultations.tables import insert_rows
from geo.geometry import CELL_ZOOM, from_lonlat
from participation.database import make_engine, migrate, unit_of_work
from participation.settings import Settings
from tests import cast, servers
from tests.servers import Server

HOST = "auenfurt.localhost"
#: The middle of the invented town, and how far its contributions lie from it (degrees).
MIDDLE, SPREAD = (10.7, 48.3), (0.05, 0.03)
TEXT = (
    "Bitte pflanzen Sie am Mühlbach mehr Bäume und planen Sie weniger Stellplätze. Der Weg zur Schule ist schmal, "
    "und im Sommer fehlt dort Schatten. Ein breiterer Gehweg mit Bänken hülfe Kindern wie alten Leuten."
)


@dataclass(frozen=True)
class Place:
    """A database with the town in it, and the settings to serve it."""

    settings: Settings
    engine: Engine
    municipality_id: int
    procedure_id: int
    slug: str

    def procedure(self, session: Session) -> Procedure:
        """The consultation that everything is measured with."""
        found = procedures.by_id(session, self.municipality_id, self.procedure_id)
        assert found is not None
        return found


def settle(database_url: str, folder: Path) -> Place:
    """A migrated database with a town and twelve consultations, the first of which takes all kinds of contributions."""
    engine = make_engine(database_url)
    migrate(engine)
    now = datetime.now(UTC)
    today = now.date()
    with unit_of_work(engine, write=True) as session:
        town = cast.found(session, hosts=(HOST, "127.0.0.1"))
        for number in range(12):
            phases = (
                PhaseInput(
                    PhaseKind.EARLY,
                    starts_on=today - timedelta(days=10 + number),
                    ends_on=today + timedelta(days=20 + number),
                    opens=(Opens.STATEMENT, Opens.PROPOSAL, Opens.COMMENT),
                    is_formal=True,
                ),
                PhaseInput(PhaseKind.WEIGHING),
                PhaseInput(PhaseKind.RESOLUTION),
            )
            made = procedures.create(
                session,
                cast.consultation(
                    key=f"BP-{number + 20}", title=f"Quartier am Mühlbach {number + 1}", phases=phases
                ),
                municipality_id=town.id,
                template_key="early_participation",
                by=town.planner,
                now=now,
            )
            publishing.publish(session, made, by=town.planner, now=now)
            cast.adopt(session, made)
            if number == 0:
                wanted = made
    assert wanted.id is not None
    settings = Settings(
        database_url=database_url,
        data_dir=folder,
        secret=SecretStr("a secret that only the benchmarks know"),
        in_process_worker=False,
        public_url_scheme="http",
        submissions_per_minute=10_000_000,
    )
    return Place(settings, engine, wanted.municipality_id, wanted.id, wanted.slug)


def fill(place: Place, number: int) -> None:
    """Put published contributions with places into the consultation, past the one door: only for reading them."""
    random = Random(12)
    now = datetime.now(UTC)
    cells: Counter[tuple[int, int]] = Counter()
    sums: dict[tuple[int, int], list[float]] = {}
    with unit_of_work(place.engine, write=True) as session:
        procedure = place.procedure(session)
        blank = Contribution(
            municipality_id=procedure.municipality_id,
            procedure_id=place.procedure_id,
            kind=Kind.PROPOSAL.value,
            channel="web",
            reference="",
            entry_number=0,
            access_code="",
            submission_key="",
            received_at=now,
            recorded_at=now,
            recorded_by="public",
            text=TEXT,
            wants_publication=True,
            publication=PublicationState.PUBLISHED.value,
        ).model_dump(exclude={"id"})
        rows = []
        for entry in range(1, number + 1):
            lon, lat = (random.gauss(middle, spread) for middle, spread in zip(MIDDLE, SPREAD, strict=True))
            located = from_lonlat(lon, lat)
            assert located.cell is not None
            for level in LEVELS:
                key = (level, located.cell >> 2 * (CELL_ZOOM - level))
                cells[key] += 1
                sum_of = sums.setdefault(key, [0.0, 0.0])
                sum_of[0] += lon
                sum_of[1] += lat
            rows.append(
                {
                    **blank,
                    "reference": f"{procedure.key}-{entry:06d}",
                    "entry_number": entry,
                    "access_code": f"{entry:08d}",
                    "submission_key": f"filled-{entry}",
                    "received_at": now - timedelta(seconds=number - entry),
                    "title": f"Mehr Grün am Mühlbach, Stelle {entry}",
                    "category": f"Thema {entry % 7}",
                    "topic": f"Thema {entry % 7}",
                    "lon": lon,
                    "lat": lat,
                    "cell": located.cell,
                    "geometry": located.wkb,
                    "geometry_kind": located.kind,
                }
            )
        insert_rows(session, Contribution, rows)
        insert_rows(
            session,
            MapCell,
            (
                {
                    "procedure_id": place.procedure_id,
                    "level": level,
                    "cell": cell,
                    "count": count,
                    "sum_lon": sums[level, cell][0],
                    "sum_lat": sums[level, cell][1],
                }
                for (level, cell), count in cells.items()
            ),
        )
    with place.engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("ANALYZE")


@contextmanager
def postgresql_cluster() -> Iterator[Server]:
    """A PostgreSQL that waits for the disk, as one in earnest does."""
    server = servers.postgres(os.getpid(), durable=True)
    try:
        yield server
    finally:
        os.kill(server.pid, 15)


def new_database(server: Server, name: str) -> str:
    """The address of a new database in the cluster."""
    with psycopg.connect(postgres_dsn(server.url, "postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    return server.url.format(database=name)


def postgres_dsn(url: str, database: str) -> str:
    """The same address as psycopg wants it."""
    return url.format(database=database).replace("postgresql+psycopg:", "postgresql:")


@contextmanager
def served(
    place: Place, *, in_process_worker: bool = False, workers: int = 1
) -> Iterator[tuple[Server, int]]:
    """The town behind a real socket, by the command that operators use; the server and its port."""
    settings = place.settings.model_copy(update={"in_process_worker": in_process_worker})
    port = servers.free_port()
    told = {
        f"DIGILOG_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.model_dump(mode="json", exclude_defaults=True).items()
    }
    told["DIGILOG_MAP_HOSTS"] = ",".join(settings.map_hosts)
    told["DIGILOG_SECRET"] = settings.secret.get_secret_value()
    url = f"http://127.0.0.1:{port}"
    with servers.running(
        [sys.executable, "-m", "participation", "serve", "--port", str(port), "--workers", str(workers)],
        url=url,
        ready=lambda: servers.answers(f"{url}/healthz"),
        env=told,
    ) as server:
        yield server, port
