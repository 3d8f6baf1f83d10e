"""`digilog availability`: what the probes found, on the console."""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session

from consultations import availability, frozen, municipalities, procedures
from consultations.availability import Report
from consultations.phases import Phase, phases_of
from consultations.procedures import Procedure
from consultations.seats import Seat
from participation import i18n, overview
from participation.certificate_view import ACTIONS, moment_words, problem_words


def lines(session: Session, *, key: str, language: str, now: datetime) -> Iterator[str]:
    """A few lines for each formal phase whose documents are or were frozen; those of the procedure `key`, or all."""
    _ = i18n.translations(language).gettext
    shown = 0
    for town in municipalities.every(session):
        seat = Seat.from_data(town.calendar)
        for procedure in procedures.for_staff(session, town.id or 0):
            if key and procedure.key != key:
                continue
            for phase in phases_of(session, procedure.id or 0):
                if not phase.is_formal or not frozen.of_phase(session, phase.id or 0):
                    continue
                report = availability.report(session, phase, seat, now=now)
                if report is not None:
                    shown += 1
                    yield from _of_phase(town.name, procedure, phase, report, language)
    if not shown:
        yield _("No frozen documents, nothing to report.")


def _of_phase(town: str, procedure: Procedure, phase: Phase, report: Report, language: str) -> Iterator[str]:
    _ = i18n.translations(language).gettext
    yield f"{town}, {procedure.key}: {overview.phase_name(phase, language)}"
    yield "  " + _("%(begins)s to %(ends)s") % {
        "begins": moment_words(report.begins, language),
        "ends": moment_words(report.ends, language),
    }
    for subject in report.subjects:
        name = subject.title or _("Page of the consultation")
        yield f"  {name}: " + _("%(probes)s probes, %(minutes)s minutes of outage") % {
            "probes": subject.measured.probes,
            "minutes": sum(outage.minutes for outage in subject.measured.outages),
        }
        for outage in subject.measured.outages:
            yield (
                f"    {moment_words(outage.begins, language)} – {moment_words(outage.ends, language)}: "
                f"{problem_words(outage.problem, language)}"
            )
    yield "  " + _("%(minutes)s minutes not measured") % {"minutes": report.minutes_unmeasured}
    if report.action:
        yield "  " + _(ACTIONS[report.action])
