"""A frozen document has to change after all: the choice between the two lawful ways, each with what it means.

The law lets nobody exchange what lies open; so this page asks which way to go and shows, before anything is saved, what
the engine says of the new period.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

from starlette.responses import Response
from wtforms import DateField, FileField, HiddenField, RadioField
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Optional

from consultations import corrections, drafts, frozen
from consultations.computation import Answer, Impossible
from consultations.documents import Document
from consultations.frozen import Frozen
from consultations.permissions import Permission
from consultations.procedures import Procedure
from consultations.refusals import Refusal
from participation import overview
from participation.pages.planned_documents import document_in_address, facts_of, take_in_documents
from participation.pages.planning_forms import Errors, Head, SectionForm, head_of, refused
from participation.pages.uploads import Waiting, body_limit, keep, waiting, waiting_files
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

WAYS: Mapping[str, str] = {
    "note": N_("Correction note: the new version beside the old one"),
    "restart": N_("New beginning: the period starts again with the new version"),
    "without": N_("New beginning: the period starts again without this document"),
}
"""The lawful ways; `without` is a restart too."""


class ReplaceForm(SectionForm):
    """Which way, the new file, and for a restart the new days."""

    token = HiddenField()
    way = RadioField(
        N_("Which way do you take?"),
        [InputRequired(N_("Please choose one of the ways."))],
        choices=[SelectChoice(key, words) for key, words in WAYS.items()],
    )
    file = FileField(N_("New file"))
    starts_on = DateField(N_("New first day"), [Optional()])
    ends_on = DateField(N_("New last day"), [Optional()])


@dataclass(frozen=True)
class Preview:
    """What the law says of the new period, in the reader's language."""

    minimum: date | None
    recommended: date | None
    effective: date | None
    findings: tuple[tuple[str, str, str], ...]
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReplacePage:
    """The choice. `is_frozen` is false where the document may simply be replaced."""

    head: Head
    document_url: str
    title: str
    version: int
    phase: str
    until: date | None
    earliest: date
    waiting: tuple[Waiting, ...]
    preview: Preview | None
    errors: Errors


@page(
    "/verwaltung/planung/{id:int}/unterlagen/{document:int}/berichtigung",
    name="planning_replace",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def replace(visit: Visit) -> Response:
    """Choose the way, look at the consequences (`do=preview`), and take it (`do=save`)."""
    if not visit.is_post:
        return await visit.in_thread(partial(_show, visit, drafts.new_secret()))
    await visit.in_thread(lambda: _held(visit))
    token = str(visit.form_data.get("token", ""))
    token = token if drafts.is_secret(token) else drafts.new_secret()
    fresh, errors = await take_in_documents(visit, "file")
    if fresh:
        await visit.in_thread(lambda: keep(visit, token, _held(visit)[0], fresh[-1:]), write=True)
    if errors or visit.form_data.get("do") != "save":
        return await visit.in_thread(partial(_show, visit, token, errors=errors))
    try:
        done = await visit.in_thread(partial(_take, visit, token), write=True)
    except Refusal as refusal:
        return await visit.in_thread(partial(_show, visit, token, refusal=refusal))
    if not done:
        return await visit.in_thread(partial(_show, visit, token, check=True))
    return visit.redirect("proof", id=visit.request.path_params["id"], done=done)


def _held(visit: Visit) -> tuple[Procedure, Document, Frozen]:
    """The document in the address with what is frozen of it. Raises Refusal NOT_FOUND where nothing is."""
    procedure, document = document_in_address(visit)
    found = frozen.held(visit.session, document.id or 0, visit.now)
    if found is None:
        visit.not_found()
    return procedure, document, found


def _take(visit: Visit, token: str) -> str:
    """Go the chosen way; empty where the form has to be corrected."""
    procedure, document, found = _held(visit)
    form = visit.form(ReplaceForm)
    if not form.validate():
        return ""
    files = waiting_files(visit, token, procedure)
    way, note = form.way.data, (form.note.data or "").strip()
    if way != "without" and not files:
        return ""
    if way == "note":
        corrections.correct(
            visit.session, procedure, document, facts_of(files[-1]), note=note, by=visit.by, now=visit.now
        )
    else:
        if form.starts_on.data is None or form.ends_on.data is None:
            return ""
        corrections.restart(
            visit.session,
            procedure,
            found.phase,
            starts_on=form.starts_on.data,
            ends_on=form.ends_on.data,
            note=note,
            by=visit.by,
            now=visit.now,
            document=document,
            file=facts_of(files[-1]) if way == "restart" else None,
        )
    keep(visit, token, procedure, [])
    return "corrected" if way == "note" else "restarted"


def _show(
    visit: Visit,
    token: str,
    *,
    errors: Errors = (),
    refusal: Refusal | None = None,
    check: bool = False,
) -> Response:
    procedure, document, found = _held(visit)
    form = visit.form(ReplaceForm, starts_on=corrections.earliest_restart(visit.now))
    form.token.data = token
    status = 422 if errors or check else 200
    files = waiting_files(visit, token, procedure)
    is_restart = form.way.data in ("restart", "without")
    if check:
        form.validate()
        if form.way.data in ("note", "restart") and not files:
            errors = (*errors, (visit.gettext("Please choose a file."), "file"))
        if is_restart:
            for field in (form.starts_on, form.ends_on):
                if field.data is None and not field.errors:
                    field.errors = [visit.gettext("Please enter a day.")]
    answer = _ask(visit, procedure, found, form) if is_restart else None
    if refusal is not None:
        more, status = refused(visit, form, refusal)
        errors = (*errors, *more)
    return visit.render(
        "planning/replace.html",
        ReplacePage(
            head=head_of(visit, procedure),
            document_url=visit.url("planning_document", id=procedure.id, document=document.id),
            title=document.title,
            version=found.version.number,
            phase=overview.phase_name(found.phase, visit.language),
            until=found.phase.effective_end or found.phase.ends_on,
            earliest=corrections.earliest_restart(visit.now),
            waiting=waiting(visit, token, procedure),
            preview=_preview(visit, answer) if answer else None,
            errors=errors,
        ),
        status=status,
        form=form,
    )


def _ask(visit: Visit, procedure: Procedure, found: Frozen, form: ReplaceForm) -> Answer | None:
    if form.starts_on.data is None:
        return None
    ends_on = form.ends_on.data
    if ends_on is not None and ends_on < form.starts_on.data:
        ends_on = None
    try:
        return corrections.preview(visit.session, procedure, found.phase, form.starts_on.data, ends_on)
    except Impossible:
        return None


def _preview(visit: Visit, answer: Answer) -> Preview:
    def day(name: str) -> date | None:
        end = getattr(answer, name)
        return end.day if end else None

    kinds = {"BLOCK": "danger", "WARN": "warning", "INFO": "info"}
    return Preview(
        minimum=day("minimum_end"),
        recommended=day("recommended_end"),
        effective=day("effective_end"),
        findings=tuple(
            (kinds[each.severity.value], each.why.text(visit.language), each.source)
            for each in answer.findings
        ),
        steps=tuple((each.why.text(visit.language), each.source) for each in answer.steps),
    )
