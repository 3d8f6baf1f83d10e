"""The documents of a consultation: add several at once, order them, say what each is, replace or withdraw one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import FileField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length

from consultations import drafts, filing, frozen
from consultations.deadlines import local_date
from consultations.documents import (
    Document,
    DocumentKind,
    DocumentVersion,
    FileFacts,
    document_of,
    documents_of,
    newest_version,
    published_facts,
)
from consultations.files import MB, AcceptedFile, Limits
from consultations.inspection import PLAN_SIDE, PUBLIC_TYPES
from consultations.permissions import Permission
from consultations.procedures import Procedure
from consultations.refusals import Refusal
from participation.overview import DOCUMENT_NAMES
from participation.pages.planning_forms import (
    Errors,
    Head,
    SectionForm,
    head_of,
    planned,
    refused,
    require_note,
)
from participation.pages.uploads import Waiting, body_limit, keep, take_in, token_of, waiting, waiting_files
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: Characters of a document's words that are kept for those who cannot use the file.
TEXT_LENGTH = 400_000


async def take_in_documents(visit: Visit, name: str) -> tuple[list[dict[str, Any]], Errors]:
    """Take in the documents sent under a name: those that can be, and why not the others."""
    limits = Limits(
        max_bytes=visit.house.settings.import_limit_mb * MB,
        types=PUBLIC_TYPES,
        text_length=TEXT_LENGTH,
        public_side=PLAN_SIDE,
    )
    return await take_in(visit, name, limits)


def facts_of(taken: Mapping[str, Any]) -> FileFacts:
    """What a taken-in file is, for `filing` and `corrections`."""
    return published_facts(AcceptedFile(**taken))


_GUESSES: Mapping[str, DocumentKind] = {
    "umweltbericht": DocumentKind.ENVIRONMENTAL_REPORT,
    "begr": DocumentKind.EXPLANATORY_REPORT,
    "bekanntm": DocumentKind.ANNOUNCEMENT,
    "gutachten": DocumentKind.EXPERT_REPORT,
    "untersuchung": DocumentKind.EXPERT_REPORT,
    "zeichnung": DocumentKind.PLAN_DRAWING,
    "planteil": DocumentKind.PLAN_DRAWING,
    "umwelt": DocumentKind.ENVIRONMENTAL_STATEMENT,
    "ergebnis": DocumentKind.RESULT,
}
"""What the name of a file says about the kind of document, the most telling first; the planner can correct it."""


def guessed_kind(filename: str) -> DocumentKind:
    """What kind of document a file probably is."""
    lowered = filename.casefold()
    return next((kind for part, kind in _GUESSES.items() if part in lowered), DocumentKind.OTHER)


def guessed_title(filename: str) -> str:
    """A title from a file name: "Umweltbericht_2027-01.pdf" → "Umweltbericht 2027-01"."""
    return re.sub(r"[\s_]+", " ", PurePosixPath(filename).stem).strip() or filename


class UploadForm(SectionForm):
    """New documents."""

    token = HiddenField()
    files = FileField(N_("Choose one or several files"), render_kw={"multiple": True})


@dataclass(frozen=True)
class DocumentLine:
    """A document in the list."""

    id: int
    title: str
    kind: str
    url: str
    format: str
    size: int
    pages: int | None
    number: int
    dated: date
    has_text: bool


@dataclass(frozen=True)
class DocumentsPage:
    """All documents, and the way to add more."""

    head: Head
    documents: tuple[DocumentLine, ...]
    withdrawn: tuple[DocumentLine, ...]
    waiting: tuple[Waiting, ...]
    limit_mb: int
    done: str
    errors: Errors


DONE: Mapping[str, str] = {
    "added": N_("Added. Please check title and kind of each document."),
    "saved": N_("Saved."),
    "withdrawn": N_("The document is taken off the list. It stays readable and says so."),
    "removed": N_("The layer is taken off the map."),
}


def done_words(visit: Visit) -> str:
    words = DONE.get(visit.request.query_params.get("done", ""))
    return visit.gettext(words) if words and not visit.is_post else ""


@page(
    "/verwaltung/planung/{id:int}/unterlagen",
    name="planning_documents",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def documents(visit: Visit) -> Response:
    """The documents of a consultation: add several at once, and put them into their order."""
    if not visit.is_post:
        return await visit.in_thread(partial(_show_documents, visit, drafts.new_secret()))
    await visit.in_thread(lambda: planned(visit))
    moved = re.fullmatch(r"(up|down)-(\d{1,9})", str(visit.form_data.get("do", "")))
    if moved:
        await visit.in_thread(partial(_move_document, visit, int(moved[2]), moved[1]), write=True)
        return visit.redirect("planning_documents", id=visit.request.path_params["id"])
    token = token_of(visit)
    fresh, errors = await take_in_documents(visit, "files")
    await visit.in_thread(partial(_keep_more, visit, token, fresh), write=True)
    try:
        added = await visit.in_thread(partial(_add_documents, visit, token), write=True)
    except Refusal as refusal:
        return await visit.in_thread(partial(_show_documents, visit, token, errors=errors, refusal=refusal))
    if errors or not added:
        errors = errors or ((visit.gettext("Please choose at least one file."), "files"),)
        return await visit.in_thread(partial(_show_documents, visit, token, errors=errors))
    return visit.redirect("planning_documents", id=visit.request.path_params["id"], done="added")


def _keep_more(visit: Visit, token: str, fresh: Sequence[Mapping[str, Any]]) -> None:
    procedure = planned(visit)
    if fresh:
        keep(visit, token, procedure, [*waiting_files(visit, token, procedure), *fresh])


def _add_documents(visit: Visit, token: str) -> int:
    """Make documents of all files that wait; returns how many. Raises Refusal REASON_REQUIRED."""
    procedure = planned(visit)
    waits = waiting_files(visit, token, procedure)
    if not waits:
        return 0
    note = require_note(procedure, visit.form(UploadForm))
    for each in waits:
        filing.add_document(
            visit.session,
            procedure,
            facts_of(each),
            title=guessed_title(each["filename"]),
            kind=guessed_kind(each["filename"]),
            by=visit.by,
            now=visit.now,
            note=note,
        )
    keep(visit, token, procedure, [])
    return len(waits)


def _move_document(visit: Visit, document_id: int, where: str) -> None:
    procedure = planned(visit)
    document = document_of(visit.session, procedure.id, document_id)
    if document is None or document.is_withdrawn:
        visit.not_found()
    step = -1 if where == "up" else 1
    filing.move_document(visit.session, procedure, document, step, by=visit.by, now=visit.now)


def _line(visit: Visit, document: Document, newest: DocumentVersion) -> DocumentLine:
    return DocumentLine(
        id=newest.document_id,
        title=document.title,
        kind=visit.gettext(DOCUMENT_NAMES[document.kind]),
        url=visit.url("planning_document", id=document.procedure_id, document=document.id),
        format=PurePosixPath(newest.filename).suffix.lstrip(".").upper(),
        size=newest.size,
        pages=newest.pages,
        number=newest.number,
        dated=local_date(newest.uploaded_at),
        has_text=bool(newest.text.strip()),
    )


def _show_documents(
    visit: Visit, token: str, *, errors: Errors = (), refusal: Refusal | None = None
) -> Response:
    procedure = planned(visit)
    form = visit.form(UploadForm, sent=None if visit.is_post else FormData())
    form.token.data, form.version.data = token, str(procedure.version)
    status = 422 if errors else 200
    if refusal is not None:
        more, status = refused(visit, form, refusal)
        errors = (*errors, *more)
    rows = [
        (document, _line(visit, document, versions[0]))
        for document, versions in documents_of(visit.session, procedure.id or 0)
        if versions
    ]
    shown = DocumentsPage(
        head=head_of(visit, procedure),
        documents=tuple(line for document, line in rows if not document.is_withdrawn),
        withdrawn=tuple(line for document, line in rows if document.is_withdrawn),
        waiting=waiting(visit, token, procedure),
        limit_mb=visit.house.settings.import_limit_mb,
        done=done_words(visit),
        errors=errors,
    )
    return visit.render("planning/documents.html", shown, status=status, form=form)


class DocumentForm(SectionForm):
    """What a document is, and its words for those who cannot use the file."""

    title = StringField(N_("Title"), [DataRequired(N_("Please enter a title.")), Length(max=300)])
    kind = SelectField(
        N_("Kind"), choices=[SelectChoice(str(kind), words) for kind, words in DOCUMENT_NAMES.items()]
    )
    text = TextAreaField(N_("The document as text"), [Length(max=1_000_000)])


class VersionForm(SectionForm):
    """A new file for a document."""

    token = HiddenField()
    file = FileField(N_("New file"))


class WithdrawForm(SectionForm):
    """Why a document is taken off the list."""


@dataclass(frozen=True)
class OneDocument:
    """A document: its versions with addresses, and three things that can be done."""

    head: Head
    line: DocumentLine
    is_withdrawn: bool
    #: While it lies open in a formal phase: until when, and where the lawful ways are; the file cannot change.
    held_until: date | None
    replace_url: str
    versions: tuple[tuple[int, date, str, str], ...]
    waiting: tuple[Waiting, ...]
    errors: Errors


@dataclass(frozen=True)
class _Forms:
    details: DocumentForm
    version: VersionForm
    withdraw: WithdrawForm


@page(
    "/verwaltung/planung/{id:int}/unterlagen/{document:int}",
    name="planning_document",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def document(visit: Visit) -> Response:
    """Title, kind and text of a document; a new version of it; or take it off the list."""
    if not visit.is_post:
        return await visit.in_thread(partial(_show_document, visit, drafts.new_secret()))
    await visit.in_thread(lambda: document_in_address(visit))
    asked = str(visit.form_data.get("do", "save"))
    token = str(visit.form_data.get("new-token", ""))
    token = token if drafts.is_secret(token) else drafts.new_secret()
    errors: Errors = ()
    if asked == "version":
        fresh, errors = await take_in_documents(visit, "new-file")
        await visit.in_thread(partial(_keep_one, visit, token, fresh), write=True)
    if errors:
        return await visit.in_thread(partial(_show_document, visit, token, asked=asked, errors=errors))
    try:
        done = await visit.in_thread(partial(_change_document, visit, token, asked), write=True)
    except Refusal as refusal:
        return await visit.in_thread(partial(_show_document, visit, token, asked=asked, refusal=refusal))
    if not done:
        return await visit.in_thread(partial(_show_document, visit, token, asked=asked, check=True))
    return visit.redirect("planning_documents", id=visit.request.path_params["id"], done=done)


def document_in_address(visit: Visit) -> tuple[Procedure, Document]:
    """The consultation and its document in the address. Raises Refusal NOT_FOUND, NOT_ALLOWED."""
    procedure = planned(visit)
    found = document_of(visit.session, procedure.id, visit.request.path_params["document"])
    if found is None:
        visit.not_found()
    return procedure, found


def _keep_one(visit: Visit, token: str, fresh: Sequence[Mapping[str, Any]]) -> None:
    procedure, _ = document_in_address(visit)
    if fresh:
        keep(visit, token, procedure, fresh[-1:])


def _forms(visit: Visit, asked: str, document: Document, newest: DocumentVersion) -> _Forms:
    """The three forms; only the one that was sent holds what was typed."""
    nothing = FormData()

    def sent(name: str) -> FormData | None:
        return None if visit.is_post and asked == name else nothing

    return _Forms(
        visit.form(
            DocumentForm, sent=sent("save"), title=document.title, kind=document.kind, text=newest.text
        ),
        visit.form(VersionForm, prefix="new", sent=sent("version")),
        visit.form(WithdrawForm, prefix="gone", sent=sent("withdraw")),
    )


def _change_document(visit: Visit, token: str, asked: str) -> str:
    """Do what was asked; empty where the form has to be corrected. Raises Refusal REASON_REQUIRED."""
    procedure, found = document_in_address(visit)
    newest = newest_version(visit.session, found)
    forms = _forms(visit, asked, found, newest)
    by, now = visit.by, visit.now
    if asked == "withdraw":
        note = (forms.withdraw.note.data or "").strip()
        filing.withdraw_document(visit.session, procedure, found, by=by, now=now, note=note)
        return "withdrawn"
    if asked == "version":
        waits = waiting_files(visit, token, procedure)
        if not waits:
            return ""
        filing.add_document(
            visit.session,
            procedure,
            facts_of(waits[-1]),
            title=found.title,
            kind=DocumentKind(found.kind),
            by=by,
            now=now,
            document=found,
            note=require_note(procedure, forms.version),
        )
        keep(visit, token, procedure, [])
        return "saved"
    if not forms.details.validate():
        return ""
    filing.change_document(
        visit.session,
        procedure,
        found,
        title=forms.details.title.data.strip(),
        kind=DocumentKind(forms.details.kind.data),
        text=forms.details.text.data or "",
        by=by,
        now=now,
        note=(forms.details.note.data or "").strip(),
    )
    return "saved"


def _show_document(
    visit: Visit,
    token: str,
    *,
    asked: str = "",
    errors: Errors = (),
    refusal: Refusal | None = None,
    check: bool = False,
) -> Response:
    procedure, found = document_in_address(visit)
    versions = next(
        versions for each, versions in documents_of(visit.session, procedure.id or 0) if each.id == found.id
    )
    forms = _forms(visit, asked, found, versions[0])
    forms.version.token.data = token
    status = 422 if errors or check else 200
    if check and asked == "version":
        errors = ((visit.gettext("Please choose a file."), "new-file"),)
    elif check:
        forms.details.validate()
    if refusal is not None:
        target = {"version": forms.version, "withdraw": forms.withdraw}.get(asked, forms.details)
        more, status = refused(visit, target, refusal)
        errors = (*errors, *more)
        if target is not forms.details:
            errors = (*errors, *((message, target.note.id) for message in target.note.errors))
    held = frozen.held(visit.session, found.id or 0, visit.now)
    shown = OneDocument(
        head=head_of(visit, procedure),
        line=_line(visit, found, versions[0]),
        is_withdrawn=found.is_withdrawn,
        held_until=(held.phase.effective_end or held.phase.ends_on) if held else None,
        replace_url=visit.url("planning_replace", id=procedure.id, document=found.id) if held else "",
        versions=tuple(
            (
                each.number,
                local_date(each.uploaded_at),
                each.note,
                visit.url("document", id=found.id, number=each.number, filename=each.filename),
            )
            for each in versions
        ),
        waiting=waiting(visit, token, procedure),
        errors=errors,
    )
    return visit.render("planning/document.html", shown, status=status, form=forms.details, forms=forms)
