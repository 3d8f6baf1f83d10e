"""The phases of a consultation with their dates, each with what the law says of it.

Whoever moves a day sees what follows from it before it is saved; nobody needs to know the law for that.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from starlette.responses import Response
from wtforms import (
    BooleanField,
    Form,
    HiddenField,
    SelectField,
    SelectMultipleField,
    StringField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import Length
from wtforms.widgets import CheckboxInput, ListWidget

from consultations import procedures, schedule
from consultations.deadlines import local_date
from consultations.permissions import Permission
from consultations.phases import Opens, Phase, PhaseInput, PhaseKind, Track, phases_of, usual_track
from consultations.procedures import PlanVariant, Procedure, ProcedureState
from consultations.schedule import Planned, Scheduled
from participation.overview import PHASE_NAMES, WAYS
from participation.pages.planning_advice import (
    TRACKS,
    Advice,
    Change,
    advice_of,
    changes_of,
    scheduled,
    seat_of,
)
from participation.pages.planning_forms import (
    Errors,
    Head,
    Row,
    SectionForm,
    arranged,
    day_field,
    entered,
    errors_of,
    head_of,
    planned,
    refused,
    row_forms,
    save,
    sent_rows,
)
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


class PhaseForm(Form):
    """One phase."""

    id = HiddenField()
    kind = SelectField(
        N_("What happens"), choices=[SelectChoice(kind.value, PHASE_NAMES[kind]) for kind in PhaseKind]
    )
    track = SelectField(
        N_("Who is asked"), choices=[SelectChoice(track.value, TRACKS[track]) for track in Track]
    )
    title = StringField(N_("Own title"), [Length(max=200)])
    starts_on = day_field(N_("First day"))
    ends_on = day_field(N_("Last day"))
    opens = SelectMultipleField(
        N_("What people can do"),
        choices=[SelectChoice(way.value, WAYS[way]) for way in Opens],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
    )
    is_formal = BooleanField(N_("A formal step: the law says how long it lasts"))
    only_affected = BooleanField(N_("Only those affected are asked, within an appropriate period"))
    note = StringField(N_("Remark for the public"), [Length(max=500)])


@dataclass(frozen=True)
class PhaseRow:
    """A phase in the form, with what the law says of it and a first day that fits."""

    form: PhaseForm
    advice: Advice | None
    proposed_start: date | None
    #: The law lets the town ask only those affected, instead of a publication (BauGB §13(2) S.1 no. 2).
    may_be_small: bool


@dataclass(frozen=True)
class PhasesPage:
    """The phases. `changes`: what saving would change; `seen` proves that it was shown; `blocked`: it cannot be."""

    head: Head
    rows: tuple[PhaseRow, ...]
    errors: Errors
    changes: tuple[Change, ...] | None
    needs_confirmation: bool
    is_blocked: bool
    seen: str


#: Procedures in which only those affected may be asked.
_SMALL_VARIANTS = (PlanVariant.SIMPLIFIED.value, PlanVariant.ACCELERATED.value)
_NEW_PHASE: Row = {"kind": [PhaseKind.DISCUSSION_MEETING.value]}


@page(
    "/verwaltung/planung/{id:int}/phasen",
    name="planning_phases",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def phases(visit: Visit) -> Response:
    """The phases with their dates; buttons add, remove and move them without saving."""
    desk = _Desk(visit, planned(visit))
    form = visit.form(SectionForm, version=desk.procedure.version)
    if not visit.is_post:
        return desk.show(form, [_form_of(visit, at, each) for at, each in enumerate(desk.known.values())])
    asked = str(visit.form_data.get("do", "save"))
    rows = arranged(sent_rows(visit, "phases"), asked, _NEW_PHASE)
    if asked.startswith(("take-", "begin-")):
        rows = desk.taken(rows, asked)
    forms = row_forms(visit, PhaseForm, "phases", rows)
    if asked not in ("save", "check"):
        return desk.show(form, forms)
    # Every row is asked, so that each can say what is wrong with it.
    checked = [each.validate() for each in forms]
    checked += [_in_order(visit, each) for each in forms]
    if not all(checked):
        return desk.show(form, forms, errors=errors_of(forms), status=422)
    if asked == "check":
        return desk.show(form, forms, shows_changes=True)
    if not form.validate():
        return desk.show(form, forms, status=422)
    if not forms:
        errors: Errors = ((visit.gettext("A consultation needs at least one phase."), "add"),)
        return desk.show(form, forms, errors=errors, status=422)
    if desk.has_to_be_seen(forms):
        return desk.show(form, forms, shows_changes=True)
    return desk.save(form, forms)


def _in_order(visit: Visit, form: PhaseForm) -> bool:
    """Whether the days of a row follow each other; a wrong one is named at its field."""
    first, last = form.starts_on.data, form.ends_on.data
    if last is None or form.starts_on.errors or (first is not None and last >= first):
        return True
    field = form.ends_on if first is not None else form.starts_on
    words = (
        N_("The last day is before the first day.")
        if first is not None
        else N_("Please enter the first day as well.")
    )
    field.errors = [*field.errors, visit.gettext(words)]
    return False


@dataclass
class _Desk:
    """One procedure's phases on the desk: as they are kept, and as the form has them."""

    visit: Visit
    procedure: Procedure

    def __post_init__(self) -> None:
        assert self.procedure.id is not None
        rows = phases_of(self.visit.session, self.procedure.id)
        self.known: dict[str, Phase] = {str(phase.id): phase for phase in rows}
        self.before = scheduled(self.visit, self.procedure, rows)

    def planned(self, forms: Sequence[PhaseForm]) -> list[Planned]:
        """The rows of the form as the schedule sees them."""
        return [self._planned(number, form) for number, form in enumerate(forms)]

    def _planned(self, number: int, form: PhaseForm) -> Planned:
        kept = self.kept(form)
        kind = form.kind.data if form.kind.data in list(PhaseKind) else PhaseKind.DISCUSSION_MEETING.value
        usual = usual_track(PhaseKind(kind)).value
        facts: Mapping[str, Any] = kept.facts if kept else {}
        return Planned(
            key=str(kept.id) if kept else f"new-{number}",
            kind=kind,
            track=form.track.data if form.track.data in list(Track) else usual,
            starts_on=None if form.starts_on.errors else form.starts_on.data,
            ends_on=None if form.ends_on.process_errors else form.ends_on.data,
            is_formal=bool(form.is_formal.data),
            repeats=str(kept.repeats_id) if kept and kept.repeats_id else None,
            facts={**facts, **(self.scope(form) or {})},
        )

    def kept(self, form: PhaseForm) -> Phase | None:
        """The phase that a row changes; None for a new one."""
        return self.known.get(str(form.id.data or ""))

    def scope(self, form: PhaseForm) -> dict[str, Any] | None:
        """Whom a publication asks, where the law leaves the choice (BauGB §13(2), §13a(2) no. 1); else None."""
        if form.kind.data != PhaseKind.PUBLICATION.value or self.procedure.variant not in _SMALL_VARIANTS:
            return None
        return {"scope": "affected" if form.only_affected.data else ""}

    def after(self, forms: Sequence[PhaseForm]) -> tuple[Scheduled, ...]:
        """What the law says of the phases as the form has them."""
        return schedule.plan(
            procedures.frame_of(self.procedure), self.planned(forms), seat=seat_of(self.visit)
        )

    def taken(self, rows: Sequence[Row], asked: str) -> list[Row]:
        """The rows with a proposed day in one of them."""
        verb, _, number = asked.partition("-")
        forms = row_forms(self.visit, PhaseForm, "phases", rows)
        at = int(number) if number.isdecimal() and len(number) < 4 else len(forms)
        if at >= len(forms):
            return list(rows)
        name = "ends_on" if verb == "take" else "starts_on"
        day = self.after(forms)[at].proposed_end if verb == "take" else self._start(forms, at)
        return [{**row, name: [day.isoformat()]} if day and n == at else row for n, row in enumerate(rows)]

    def _start(self, forms: Sequence[PhaseForm], at: int) -> date | None:
        today = local_date(self.visit.now)
        return schedule.proposed_start(self.planned(forms), at, today=today, seat=seat_of(self.visit))

    def has_to_be_seen(self, forms: Sequence[PhaseForm]) -> bool:
        """Whether saving has consequences that were not shown for exactly these days, or that cannot be."""
        after = self.after(forms)
        changes = schedule.consequences(self.before, after)
        if self._is_blocked(changes):
            return True
        return schedule.needs_confirmation(changes) and self.visit.form_data.get("seen") != _seen(after)

    def _is_blocked(self, changes: Sequence[schedule.Consequence]) -> bool:
        """What everybody can read is not made unlawful; a draft may be, while it is being prepared."""
        return self.procedure.state == ProcedureState.PUBLISHED.value and schedule.is_blocked(changes)

    def save(self, form: SectionForm, forms: Sequence[PhaseForm]) -> Response:
        """Keep the phases; a refusal comes back in the form."""
        after = self.after(forms)
        phases = tuple(
            _entered_phase(each, one, self.scope(each)) for each, one in zip(forms, after, strict=True)
        )
        refusal = save(self.visit, self.procedure, form, entered(self.procedure, phases=phases))
        if refusal is None:
            return self.visit.redirect("planning", id=self.procedure.id, done="saved")
        number, _, name = (refusal.field or "").removeprefix("phases-").partition("-")
        if number.isdecimal() and name in forms[int(number)]._fields:
            target = forms[int(number)]._fields[name]
            target.errors = [*target.errors, self.visit.explain(refusal)]
            return self.show(form, forms, errors=errors_of(forms), status=422)
        errors, status = refused(self.visit, form, refusal)
        return self.show(form, forms, errors=errors, status=status)

    def show(
        self,
        form: SectionForm,
        forms: Sequence[PhaseForm],
        *,
        errors: Errors = (),
        status: int = 200,
        shows_changes: bool = False,
    ) -> Response:
        """The page, with what saving would change if that is asked for."""
        after = self.after(forms)
        changes = schedule.consequences(self.before, after)
        names = {
            one.phase.key: (each.title.data or "").strip() for each, one in zip(forms, after, strict=True)
        }
        rows = tuple(
            PhaseRow(
                each,
                advice_of(self.visit, one),
                self._start(forms, at) if each.starts_on.data is None and not each.starts_on.errors else None,
                self.scope(each) is not None,
            )
            for at, (each, one) in enumerate(zip(forms, after, strict=True))
        )
        is_blocked = shows_changes and self._is_blocked(changes)
        return self.visit.render(
            "planning/phases.html",
            PhasesPage(
                head=head_of(self.visit, self.procedure),
                rows=rows,
                errors=errors,
                changes=changes_of(self.visit, changes, names) if shows_changes else None,
                needs_confirmation=shows_changes and schedule.needs_confirmation(changes),
                is_blocked=is_blocked,
                seen=_seen(after) if shows_changes and not is_blocked else "",
            ),
            status=422 if is_blocked else status,
            form=form,
        )


def _seen(after: Sequence[Scheduled]) -> str:
    """What the form sends along to say that exactly these days were shown with their consequences."""
    days = [
        (each.phase.key, each.phase.kind, each.phase.track, each.phase.is_formal,
         str(each.phase.starts_on), str(each.phase.ends_on), each.phase.facts.get("scope", ""))
        for each in after
    ]  # fmt: skip
    return sha256(json.dumps(days).encode()).hexdigest()[:32]


def _form_of(visit: Visit, number: int, phase: Phase) -> PhaseForm:
    return visit.form(
        PhaseForm,
        prefix=f"phases-{number}",
        id=phase.id,
        kind=phase.kind,
        track=phase.track,
        title=phase.title,
        starts_on=phase.starts_on,
        ends_on=phase.ends_on,
        opens=phase.opens,
        is_formal=phase.is_formal,
        only_affected=phase.only_affected,
        note=phase.note,
    )


def _entered_phase(form: PhaseForm, one: Scheduled, facts: dict[str, Any] | None) -> PhaseInput:
    typed = str(form.id.data or "")
    return PhaseInput(
        kind=PhaseKind(form.kind.data),
        title=(form.title.data or "").strip(),
        note=(form.note.data or "").strip(),
        starts_on=form.starts_on.data,
        ends_on=form.ends_on.data,
        effective_end=one.effective_end,
        opens=tuple(Opens(way) for way in form.opens.data or ()),
        is_formal=form.is_formal.data,
        id=int(typed) if typed.isdecimal() and len(typed) < 10 else None,
        track=Track(one.phase.track),
        facts=facts,
    )
