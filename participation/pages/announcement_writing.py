"""The planner writes an announcement: what the law says stands there, what only people know is entered, what is missing is marked."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response
from wtforms import BooleanField, Form, IntegerField, SelectMultipleField, StringField, TextAreaField
from wtforms.validators import Length, NumberRange, Optional, Regexp
from wtforms.widgets import CheckboxInput, ListWidget

from consultations import announcement_text, announcements, documents
from consultations.announcement_text import Regime, Theme
from consultations.announcements import Entered
from consultations.permissions import Permission
from consultations.phases import Phase
from consultations.procedures import Procedure
from consultations.refusals import Refusal
from participation import overview
from participation.pages.announcing import Version, address_of, phase_in, steps_of
from participation.pages.planning_forms import (
    Errors,
    Head,
    Row,
    arranged,
    errors_of,
    head_of,
    planned,
    row_forms,
    sent_rows,
)
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


class AnnouncementForm(Form):
    """What only people know of an announcement."""

    intro = TextAreaField(N_("Opening words"), [Length(max=3000)])
    more = TextAreaField(N_("Further words"), [Length(max=3000)])
    portal = StringField(
        N_("Address in the state portal"),
        [Optional(), Length(max=500), Regexp(r"https?://\S+\Z", message=N_("Please enter a whole address, such as https://…"))],
    )  # fmt: skip
    crosses_border = BooleanField(N_("The plan may have considerable effects on a neighbouring state"))
    plot_area = IntegerField(
        N_("Permitted plot area in square metres"),
        [Optional(), NumberRange(0, 10_000_000, message=N_("Please enter a whole number of square metres."))],
    )
    is_examined = BooleanField(N_("The preliminary examination speaks for the accelerated procedure"))
    reasons = TextAreaField(N_("Essential reasons of the examination"), [Length(max=3000)])


class ThemeForm(Form):
    """A type of environmental information."""

    theme = StringField(N_("Theme"), [Length(max=200)])
    keywords = TextAreaField(N_("Key words"), [Length(max=1000)])
    documents = SelectMultipleField(
        N_("Found in"),
        coerce=int,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )


@dataclass(frozen=True)
class PartView:
    """A paragraph as the preview shows it."""

    heading: str
    lines: tuple[str, ...]
    law: str
    is_statutory: bool
    missing: str


@dataclass(frozen=True)
class AnnouncementPage:
    """The editor with its preview."""

    head: Head
    phase_id: int
    phase: str
    rows: tuple[ThemeForm, ...]
    themes: tuple[str, ...]
    parts: tuple[PartView, ...]
    rewordings: tuple[tuple[str, str], ...]
    versions: tuple[Version, ...]
    needs_environment: bool
    is_accelerated: bool
    is_urban: bool
    errors: Errors
    steps: tuple[tuple[str, str, tuple[str, str]], ...]


_NEW_THEME: Row = {"theme": [""], "keywords": [""]}


@page(
    "/verwaltung/planung/{id:int}/phasen/{phase:int}/bekanntmachung",
    name="planning_announcement",
    may=Permission.PLAN,
    methods=("GET", "POST"),
)
def announcement(visit: Visit) -> Response:
    """Write the announcement: what the law says stands, what only people know is entered, what is missing is marked."""
    procedure = planned(visit)
    phase = phase_in(visit, procedure)
    assert phase.id is not None
    newest = announcements.newest(visit.session, phase.id)
    known = announcements.entered_of(newest)
    form = visit.form(
        AnnouncementForm,
        portal=known.portal,
        crosses_border=known.crosses_border,
        plot_area=known.plot_area,
        is_examined=known.is_examined,
        intro=known.free.get("intro", ""),
        more=known.free.get("more", ""),
        reasons=known.free.get("reasons", ""),
    )
    if not visit.is_post:
        rows = [
            visit.form(
                ThemeForm,
                prefix=f"themes-{number}",
                theme=each.theme,
                keywords=each.keywords,
                documents=sorted(each.documents),
            )
            for number, each in enumerate(known.themes or (Theme("", ""),))
        ]
        return _show_announcement(visit, procedure, phase, form, rows)
    asked = str(visit.form_data.get("do", "preview"))
    rows = row_forms(visit, ThemeForm, "themes", arranged(sent_rows(visit, "themes"), asked, _NEW_THEME))
    checked = [row.validate() for row in rows]
    if not (form.validate() and all(checked)):
        return _show_announcement(visit, procedure, phase, form, rows, errors=errors_of(rows), status=422)
    if asked != "save":
        return _show_announcement(visit, procedure, phase, form, rows)
    try:
        announcements.save(
            visit.session,
            visit.municipality_row,
            procedure,
            phase,
            _entered(form, rows),
            address=address_of(visit, procedure),
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        return _show_announcement(visit, planned(visit), phase, form, rows, status=422)
    return visit.redirect("planning_acts", id=procedure.id, phase=phase.id, done="saved")


def _entered(form: AnnouncementForm, rows: Sequence[ThemeForm]) -> Entered:
    return Entered(
        themes=tuple(
            Theme(row.theme.data or "", row.keywords.data or "", frozenset(row.documents.data or ()))
            for row in rows
        ),
        portal=form.portal.data or "",
        plot_area=form.plot_area.data,
        is_examined=form.is_examined.data,
        crosses_border=form.crosses_border.data,
        free={key: form[key].data or "" for key in announcements.FREE_PARTS},
    )


def _show_announcement(
    visit: Visit,
    procedure: Procedure,
    phase: Phase,
    form: AnnouncementForm,
    rows: Sequence[ThemeForm],
    *,
    errors: Errors = (),
    status: int = 200,
) -> Response:
    assert procedure.id is not None
    assert phase.id is not None
    choices = [
        (document.id, document.title)
        for document, _ in documents.documents_of(visit.session, procedure.id)
        if not document.is_withdrawn
    ]
    for row in rows:
        row.documents.choices = choices
    entered = _entered(form, rows) if not form.errors else Entered()
    known = announcements.particulars(
        visit.session,
        visit.municipality_row,
        procedure,
        phase,
        entered,
        address=address_of(visit, procedure),
    )
    parts = announcements.draft(known)
    text = announcement_text.plain(parts)
    shown = AnnouncementPage(
        head=head_of(visit, procedure),
        phase_id=phase.id,
        phase=overview.phase_name(phase, visit.language),
        rows=tuple(rows),
        themes=announcements.THEMES,
        parts=tuple(
            PartView(part.heading, tuple(part.text.split("\n")), part.law, part.is_statutory, part.missing)
            for part in parts
            if part.text
        ),
        rewordings=tuple(
            (each.words, each.rule.why.text(visit.language))
            for each in announcement_text.rewordings(text, known.case)
        ),
        versions=tuple(
            Version(each.id or 0, each.number, each.made_at)
            for each in announcements.versions_of(visit.session, phase.id)
        ),
        needs_environment=known.case.needs_environment,
        is_accelerated=known.case.variant == announcement_text.ACCELERATED,
        is_urban=known.case.regime is Regime.URBAN_PLAN,
        errors=errors,
        steps=steps_of(visit, procedure, phase),
    )
    return visit.render("announcing/announcement.html", shown, status=status, form=form)
