"""The server asks itself, as a visitor would: can the consultation and its frozen documents be fetched, unaltered?

A job that comes round again fetches each of them over HTTP from the address that `DIGILOG_PROBE_URL` names and compares
the hash of what came. A large document is read whole when this process meets it first, after a failure, and then every
six hours; in between its first 64 kB and its size are compared, so that a hundred plans are not read every five minutes. What was found goes to `consultations.availability`; planners are told when something fails.
"""

import hashlib
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from consultations import availability, frozen, municipalities, notices, people
from consultations.frozen import Frozen
from consultations.municipalities import Municipality
from consultations.notices import NoticeWay
from consultations.permissions import SYSTEM, Role
from consultations.phases import Phase
from consultations.procedures import Procedure
from participation import jobs
from participation.asking import Unanswered, answer_to
from participation.database import unit_of_work
from participation.house import House
from participation.jobs import Job
from participation.web import path_for

log = logging.getLogger(__name__)

KIND = "probe"
#: How long an answer may keep a probe waiting. A large one has longer, at so many octets per second: slower is out of reach.
SECONDS = 20.0
SLOWEST = 250_000
#: How much of a large document is read between two whole readings, in octets, and how long that may go on.
BEGINNING = 65_536
WHOLE_EVERY = timedelta(hours=6)
#: Octets after which the page of a consultation is there, whatever still comes.
PAGE_OCTETS = 5_000_000
#: The pause while something fails, so that the end of an outage is known to the minute.
PAUSE_IN_OUTAGE = timedelta(minutes=1)


@dataclass(frozen=True)
class Target:
    """Something to fetch: a frozen version, or (without one) the page of a consultation."""

    procedure_id: int
    phase_id: int
    version_id: int | None
    host: str
    path: str
    sha256: str = ""
    #: In octets, of a frozen version.
    size: int = 0


def targets(watched: Sequence[tuple[Procedure, Frozen]], hosts: dict[int, str]) -> list[Target]:
    """What to fetch for what is frozen: each version, and once per phase the consultation's page."""
    found: dict[tuple[int, int | None], Target] = {}
    for procedure, each in watched:
        host, phase_id = hosts[procedure.municipality_id], each.row.phase_id
        page = path_for("hearing", slug=procedure.slug)
        found.setdefault((phase_id, None), Target(procedure.id or 0, phase_id, None, host, page))
        version = each.version
        path = path_for("document", id=version.document_id, number=version.number, filename=version.filename)
        found[(phase_id, version.id)] = Target(
            procedure.id or 0, phase_id, version.id, host, path, each.row.sha256, version.size
        )
    return list(found.values())


@dataclass(frozen=True)
class Read:
    """What a whole reading found: the hash of the beginning, the size in octets, and when."""

    beginning: str
    size: int
    at: datetime


#: Whole readings of this process by address and hash.
_READ: dict[tuple[str, str], Read] = {}


class Prober:
    """Fetches one target after the other, each over a connection of its own.

    `now`: the moment of the round; `known`: what whole readings found before; `again_after`: seconds until the second try, for a
    server that is just starting refuses connections for a moment.
    """

    def __init__(
        self, address: str, now: datetime, known: dict[tuple[str, str], Read], *, again_after: float
    ) -> None:
        self._now, self._known, self._again_after = now, known, again_after
        self._address = address.rstrip("/")
        self._given_up: set[str] = set()

    def problem(self, target: Target) -> str:
        """What is wrong with a target, in one word; empty if nothing is. Tried twice before it counts.

        An address that refused twice is not waited for again in this run.
        """
        found = self._fetch(target)
        if found and target.host not in self._given_up:
            threading.Event().wait(self._again_after)
            found = self._fetch(target)
            if found == "unreachable":
                self._given_up.add(target.host)
        return found

    def _fetch(self, target: Target) -> str:
        base = self._address.replace("{host}", target.host)
        headers = {"User-Agent": "digilog-probe"}
        if "{host}" not in self._address:
            headers["Host"] = target.host
        key = (base + target.path, target.sha256)
        known = self._known.pop(key, None) if target.sha256 else None
        if known and self._now - known.at >= WHOLE_EVERY:
            known = None
        # Of what is frozen one octet more than there is to it, so that more of it is seen.
        most = target.size + 1 if target.sha256 else PAGE_OCTETS
        whole, beginning, size = hashlib.sha256(), hashlib.sha256(), 0
        patience = {"pause": SECONDS, "seconds": SECONDS + target.size / SLOWEST}
        try:
            with answer_to(base + target.path, headers=headers, **patience) as answer:
                if answer.status != 200:
                    return f"status_{answer.status}"
                told = int(answer.headers.get("content-length", -1))
                while size < most and (chunk := answer.read(min(BEGINNING, most - size))):
                    beginning.update(chunk[: max(0, BEGINNING - size)])
                    size += len(chunk)
                    if known and size >= BEGINNING:
                        break
                    whole.update(chunk)
                else:
                    if size < min(told, most):
                        return "unreachable"  # it broke off
        except Unanswered as problem:
            return "timeout" if problem.is_late else "unreachable"
        if not target.sha256:
            return ""
        if known and size >= BEGINNING:
            if beginning.hexdigest() != known.beginning or told not in (-1, known.size):
                return "altered"
            self._known[key] = known
            return ""
        if whole.hexdigest() != target.sha256:
            return "altered"
        self._known[key] = Read(beginning.hexdigest(), size, self._now)
        return ""


def _pause(house: House, result: dict[str, Any]) -> timedelta:
    return PAUSE_IN_OUTAGE if result.get("failed") else timedelta(minutes=house.settings.probe_minutes)


@jobs.recurring(KIND, _pause)
def probe(house: House, job: Job) -> dict[str, Any]:
    """One round: freeze what is due, fetch everything that is frozen and running, keep what was found, tell planners."""
    assert job.id is not None
    now = house.clock()
    with unit_of_work(house.engine) as session:
        due = frozen.is_due(session, now=now)
    if due:
        with unit_of_work(house.engine, write=True) as session:
            frozen.freeze_due(session, by=SYSTEM, now=now)
    with unit_of_work(house.engine) as session:
        watched = frozen.watched(session, now)
        hosts = {
            municipality_id: next(iter(municipalities.hosts_of(session, municipality_id)), "localhost")
            for municipality_id in {procedure.municipality_id for procedure, _ in watched}
        }
        wanted = targets(watched, hosts)
    failed: set[tuple[int, int]] = set()
    prober = Prober(house.settings.probe_url, now, _READ, again_after=house.settings.probe_again_after)
    for at, target in enumerate(wanted):
        problem = prober.problem(target)
        _keep(house, target, problem)
        if problem:
            failed.add((target.procedure_id, target.phase_id))
            jobs.report_progress(house, job.id, 100 * at // len(wanted), target.path)
    for procedure_id, phase_id in sorted(failed):
        _tell(house, procedure_id, phase_id)
    return {"probed": len(wanted), "failed": len(failed)}


def _keep(house: House, target: Target, problem: str) -> None:
    with unit_of_work(house.engine, write=True) as session:
        availability.record(
            session,
            session.get_one(Procedure, target.procedure_id),
            phase_id=target.phase_id,
            version_id=target.version_id,
            problem=problem,
            now=house.clock(),
        )


def _tell(house: House, procedure_id: int, phase_id: int) -> None:
    """Leave notices to the planners: that something fails, and that an extension is advised; once each."""
    now = house.clock()
    with unit_of_work(house.engine, write=True) as session:
        procedure, phase = session.get_one(Procedure, procedure_id), session.get_one(Phase, phase_id)
        failing = availability.alarm(session, procedure, phase_id, now=now)
        advised = availability.advise_extension(session, procedure, phase, now=now)
        if not failing and not advised:
            return
        town = session.get_one(Municipality, procedure.municipality_id)
        for person, assignment in people.staff_of(session, procedure.municipality_id):
            if (
                person.email
                and assignment.role == Role.PLANNER.value
                and assignment.procedure_id in (None, procedure_id)
            ):
                notices.leave(
                    session,
                    municipality_id=procedure.municipality_id,
                    kind="availability",
                    way=NoticeWay.MAIL,
                    address=person.email,
                    to_name=person.name,
                    language=person.language or town.languages[0],
                    now=now,
                    facts={
                        "procedure_id": procedure.id,
                        "title": procedure.title,
                        "key": procedure.key,
                        "since": min((span.began_at for span in failing), default=now).isoformat(),
                        "failing": len(failing),
                        "advised": advised,
                    },
                )
