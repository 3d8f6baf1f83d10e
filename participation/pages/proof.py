"""The proof of a publication at the planner's desk: what is frozen, whether it could be reached, and certificates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import Form, HiddenField, SelectField, StringField
from wtforms.validators import Length

from consultations import announcements, availability, certificates, corrections, frozen, people
from consultations.announcements import PublicationAct
from consultations.availability import Report, Stretch
from consultations.deadlines import PhaseState, local_date
from consultations.permissions import Permission
from consultations.phases import Phase, phases_of
from consultations.procedures import Procedure, localised
from consultations.refusals import Refusal
from consultations.seats import Seat
from participation import overview
from participation.certificate_view import ACTIONS, LEFT, problem_words
from participation.i18n import date_long
from participation.pages.planning_forms import Errors, Head, head_of, planned
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: Outages that a page lists for a step of the procedure; the certificate and `digilog availability` have all.
OUTAGES_SHOWN = 20

DONE: Mapping[str, str] = {
    "corrected": N_("The correction stands beside the document. Please announce it anew."),
    "restarted": N_("The period begins anew. Please announce it before its first day."),
    "announced": N_("Recorded."),
    "certified": N_("The certificate is issued."),
    "frozen": N_("The documents are frozen."),
}


class AnnouncedForm(Form):
    """Where a correction was announced anew."""

    correction = HiddenField()
    act = SelectField(N_("Which announcement on record was it?"), validate_choice=False)
    announcement = StringField(N_("Or in words: where and when was it announced anew?"), [Length(max=300)])


@dataclass(frozen=True)
class FrozenLine:
    """A frozen version."""

    title: str
    number: int
    sha256: str
    online_from: datetime
    online_to: datetime | None
    left: str
    is_correction: bool
    url: str
    replace_url: str


@dataclass(frozen=True)
class CorrectionLine:
    """A correction or a restart; the form asks for the new announcement as long as there is none."""

    words: str
    note: str
    at: datetime
    by: str
    announcement: str
    form: AnnouncedForm | None


@dataclass(frozen=True)
class OutageLine:
    """An outage of one subject."""

    begins: datetime
    ends: datetime
    minutes: int
    what: str
    problem: str


@dataclass(frozen=True)
class AvailabilityPart:
    """What the probes found. `kind`: how grave, for the look."""

    begins: datetime
    ends: datetime
    probes: int
    minutes: int
    unmeasured: int
    kind: str
    advice: str
    why: tuple[tuple[str, str], ...]
    outages: tuple[OutageLine, ...]
    more: int


@dataclass(frozen=True)
class CertificateLine:
    """A certificate that was issued."""

    number: str
    is_final: bool
    issued_at: datetime
    by: str
    url: str
    pdf_url: str


@dataclass(frozen=True)
class PhasePart:
    """Everything about one formal phase."""

    id: int
    name: str
    starts_on: date | None
    ends_on: date | None
    state: str
    documents: tuple[FrozenLine, ...]
    corrections: tuple[CorrectionLine, ...]
    availability: AvailabilityPart | None
    certificates: tuple[CertificateLine, ...]
    may_freeze: bool
    may_certify: bool
    is_over: bool


@dataclass(frozen=True)
class ProofPage:
    """The proofs of all formal phases of a consultation."""

    head: Head
    phases: tuple[PhasePart, ...]
    probe_minutes: int
    done: str
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/nachweise",
    name="proof",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def proof(visit: Visit) -> Response:
    """What proves the publication; `do` issues a certificate, freezes what is due, or records an announcement."""
    procedure = planned(visit)
    if not visit.is_post:
        return _show(visit, procedure)
    asked, _, number = str(visit.form_data.get("do", "")).partition("-")
    try:
        if asked == "certify":
            certificates.issue(
                visit.session,
                procedure,
                _phase(visit, procedure, number),
                by=visit.by,
                now=visit.now,
                url=visit.absolute("hearing", slug=procedure.slug),
                probe_minutes=visit.house.settings.probe_minutes,
            )
            done = "certified"
        elif asked == "freeze":
            frozen.freeze(
                visit.session,
                procedure=procedure,
                phase=_phase(visit, procedure, number),
                by=visit.by,
                now=visit.now,
            )
            done = "frozen"
        else:
            form = visit.form(AnnouncedForm)
            found = corrections.by_id(visit.session, procedure, _number(form.correction.data))
            if found is None:
                visit.not_found()
            act = next((each for each in _acts(visit, found) if str(each.id) == form.act.data), None)
            words = (form.announcement.data or "").strip() or (_act_words(visit, act) if act else "")
            if not form.validate() or not words:
                if not words:
                    form.announcement.errors = [visit.gettext("Please enter medium, issue and day.")]
                return _show(visit, procedure, sent=form, status=422)
            corrections.announced(
                visit.session, found, announcement=words, by=visit.by, now=visit.now, act=act
            )
            done = "announced"
    except Refusal as refusal:
        visit.session.rollback()
        return _show(visit, planned(visit), errors=((visit.explain(refusal), None),), status=422)
    return visit.redirect("proof", id=procedure.id, done=done)


def _acts(visit: Visit, found: corrections.Correction) -> list[PublicationAct]:
    """The acts that may have announced a correction: those of its phase on its day or later."""
    made = local_date(found.at)
    return [each for each in announcements.acts_of(visit.session, found.phase_id) if each.day >= made]


def _act_words(visit: Visit, act: PublicationAct) -> str:
    """An act of publication as everybody reads it: medium, issue, day."""
    medium = visit.gettext(overview.MEDIUM_NAMES[act.medium])
    return ", ".join(part for part in (medium, act.issue, date_long(act.day, visit.language)) if part)


def _number(typed: str | None) -> int:
    return int(typed) if typed and typed.isascii() and typed.isdigit() and len(typed) < 10 else 0


def _phase(visit: Visit, procedure: Procedure, number: str) -> Phase:
    found = [phase for phase in phases_of(visit.session, procedure.id or 0) if phase.id == _number(number)]
    if not found:
        visit.not_found()
    return found[0]


def _show(
    visit: Visit,
    procedure: Procedure,
    *,
    sent: AnnouncedForm | None = None,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    seat = Seat.from_data(visit.municipality_row.calendar)
    phases = [phase for phase in phases_of(visit.session, procedure.id or 0) if phase.is_formal]
    made = corrections.of_procedure(visit.session, procedure.id or 0)
    issued = certificates.of_procedure(visit.session, procedure.id or 0)
    names = people.names(visit.session, {each.by for each in made} | {each.issued_by for each in issued})
    if sent is not None:
        errors = (
            *errors,
            *(
                (visit.gettext(message), f"correction-{sent.correction.data}")
                for message in sent.announcement.errors
            ),
        )
    parts = []
    for phase in phases:
        shown = frozen.of_phase(visit.session, phase.id or 0)
        report = availability.report(visit.session, phase, seat, now=visit.now) if shown else None
        state = phase.state(visit.now)
        parts.append(
            PhasePart(
                id=phase.id or 0,
                name=overview.phase_name(phase, visit.language),
                starts_on=phase.starts_on,
                ends_on=phase.effective_end or phase.ends_on,
                state=state.value,
                documents=tuple(_frozen_line(visit, procedure, each) for each in shown),
                corrections=tuple(
                    _correction_line(visit, each, names, sent) for each in made if each.phase_id == phase.id
                ),
                availability=_availability(visit, report) if report else None,
                certificates=tuple(
                    CertificateLine(
                        each.number,
                        each.is_final,
                        each.issued_at,
                        names.get(each.issued_by, each.issued_by),
                        visit.url("certificate", number=each.number),
                        visit.url("certificate_pdf", number=each.number),
                    )
                    for each in issued
                    if each.phase_id == phase.id
                ),
                may_freeze=not shown and state is PhaseState.OPEN and procedure.published_at is not None,
                may_certify=bool(shown),
                is_over=state is PhaseState.OVER,
            )
        )
    done = DONE.get(visit.request.query_params.get("done", ""))
    return visit.render(
        "planning/proof.html",
        ProofPage(
            head=head_of(visit, procedure),
            phases=tuple(parts),
            probe_minutes=visit.house.settings.probe_minutes,
            done=visit.gettext(done) if done and not visit.is_post else "",
            errors=errors,
        ),
        status=status,
        title=localised(procedure, visit.language, "title"),
    )


def _frozen_line(visit: Visit, procedure: Procedure, each: frozen.Frozen) -> FrozenLine:
    row, version = each.row, each.version
    is_held = (
        row.online_to is None
        and row.corrects_id is None
        and each.phase.state(visit.now) is not PhaseState.OVER
    )
    return FrozenLine(
        title=each.document.title,
        number=version.number,
        sha256=row.sha256,
        online_from=row.online_from,
        online_to=row.online_to,
        left=visit.gettext(LEFT[row.left_by]) if row.left_by in LEFT else "",
        is_correction=row.corrects_id is not None,
        url=visit.url("document", id=version.document_id, number=version.number, filename=version.filename),
        replace_url=visit.url("planning_replace", id=procedure.id, document=version.document_id)
        if is_held
        else "",
    )


def _correction_line(
    visit: Visit, each: corrections.Correction, names: Mapping[str, str], sent: AnnouncedForm | None
) -> CorrectionLine:
    words = {
        corrections.Way.NOTE.value: N_("Correction note"),
        corrections.Way.RESTART.value: N_("Period begun anew"),
    }[each.way]
    form = None
    if each.announced_at is None:
        is_sent = sent is not None and sent.correction.data == str(each.id)
        form = sent if is_sent and sent else _empty_form(visit, each)
        form.announcement.id, form.act.id = f"correction-{each.id}", f"correction-act-{each.id}"
        form.act.choices = [("", visit.gettext("None of those on record"))] + [
            (str(act.id), _act_words(visit, act)) for act in _acts(visit, each)
        ]
    return CorrectionLine(
        visit.gettext(words), each.note, each.at, names.get(each.by, each.by), each.announcement, form
    )


def _empty_form(visit: Visit, each: corrections.Correction) -> AnnouncedForm:
    form = visit.form(AnnouncedForm, sent=FormData(), correction=str(each.id))
    form.correction.id = f"correction-row-{each.id}"
    return form


def _availability(visit: Visit, report: Report) -> AvailabilityPart:
    page_name = visit.gettext("Page of the consultation")
    found: list[tuple[Stretch, str]] = [
        (outage, subject.title or page_name)
        for subject in report.subjects
        for outage in subject.measured.outages
    ]
    found.sort(key=lambda each: each[0].begins, reverse=True)
    kind = {"": "success", "log_only": "info", "review": "warning"}.get(report.action, "danger")
    advice = (
        visit.gettext(ACTIONS[report.action])
        if report.action
        else visit.gettext("Whenever it was measured, everything could be reached.")
    )
    if not any(subject.measured.probes for subject in report.subjects):
        kind, advice = "warning", visit.gettext("Nothing was measured yet.")
    answer = report.answer
    return AvailabilityPart(
        begins=report.begins,
        ends=report.ends,
        probes=sum(subject.measured.probes for subject in report.subjects),
        minutes=report.minutes,
        unmeasured=report.minutes_unmeasured,
        kind=kind,
        advice=advice,
        why=(
            *((each.why.text(visit.language), each.source) for each in answer.steps),
            *((each.why.text(visit.language), each.source) for each in answer.findings),
        )
        if answer
        else (),
        outages=tuple(
            OutageLine(
                outage.begins,
                outage.ends,
                outage.minutes,
                what,
                problem_words(outage.problem, visit.language),
            )
            for outage, what in found[:OUTAGES_SHOWN]
        ),
        more=max(0, len(found) - OUTAGES_SHOWN),
    )
