"""The register of agencies: find, enter and change them, who works there, duplicates, and the register as a table."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.responses import Response
from wtforms import (
    BooleanField,
    FileField,
    Form,
    HiddenField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    widgets,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from consultations import agencies, agency_import, bulk, journal, people, places
from consultations.agencies import (
    KINDS,
    SUBJECTS,
    AgencyInput,
    AgencyMerge,
    Clerk,
    ClerkInput,
    ClerkRole,
    Entry,
)
from consultations.agency_import import COLUMNS, Report, Words
from consultations.files import MB, Limits, serving_headers
from consultations.inspection import TABLE_TYPES
from consultations.people import NAME_LIMIT, OrganisationKind
from consultations.permissions import Permission, may
from consultations.places import PlaceKind
from consultations.refusals import Code, Refusal
from participation import i18n
from participation.messages import STATUS
from participation.pages import uploads
from participation.pages.intake import BODIES
from participation.settings import LANGUAGES
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

PAGE_LENGTH = 50
#: Octets of a table of agencies.
TABLE_LIMIT = 10 * MB

ROLE_WORDS: dict[ClerkRole, str] = {
    ClerkRole.DRAFTS: N_("drafts"),
    ClerkRole.RELEASES: N_("releases"),
}

#: What the columns of the table are called on the screen.
COLUMN_NAMES: dict[str, str] = {
    "key": N_("Key"),
    "name": N_("Name"),
    "kind": N_("Kind"),
    "subjects": N_("Subject areas"),
    "areas": N_("Responsible for"),
    "is_townwide": N_("Responsible for"),
    "email": N_("E-mail address"),
    "phone": N_("Telephone"),
    "street": N_("Street and number"),
    "postcode": N_("Postcode"),
    "city": N_("Town or city"),
    "clerks": N_("Who works on it"),
    "notes": N_("Notes"),
}

DONE = {
    "saved": N_("The agency is saved."),
    "clerk": N_("The people there are saved."),
    "off": N_("This agency is asked no more. Everything about it stays."),
    "on": N_("This agency is asked again."),
    "merged": N_("Both are one now. Earlier statements of the other are shown here."),
    "undone": N_("The merge is taken back."),
    "subject": N_("The subject area is added."),
    "imported": N_("The table is taken in."),
}


# --- forms -----------------------------------------------------------------------------------------


class _Boxes(SelectMultipleField):
    """Several of a list, as boxes to tick."""

    widget = widgets.ListWidget(prefix_label=False)
    option_widget = widgets.CheckboxInput()


class FindForm(Form):
    """What to look for in the register."""

    q = StringField(N_("Name or address"))
    active = SelectField(
        N_("Which"),
        choices=[
            SelectChoice("", N_("All")),
            SelectChoice("yes", N_("Those that are asked")),
            SelectChoice("no", N_("Those no longer asked")),
        ],
        validate_choice=False,
    )


class AgencyForm(Form):
    """An agency as the planner knows it."""

    name = StringField(N_("Name"), [InputRequired(N_("Please enter the name.")), Length(max=NAME_LIMIT)])
    key = StringField(N_("Key in your own list"), [Length(max=100)])
    kind = SelectField(N_("Kind"), choices=[SelectChoice(kind.value, BODIES[kind]) for kind in KINDS])
    subjects = _Boxes(N_("Subject areas"), choices=[], validate_choice=False)
    is_townwide = BooleanField(N_("Responsible for the whole town"))
    areas = _Boxes(N_("Responsible for these areas"), choices=[], validate_choice=False)
    email = StringField(N_("E-mail address"), [Length(max=NAME_LIMIT)])
    phone = StringField(N_("Telephone"), [Length(max=NAME_LIMIT)])
    street = StringField(N_("Street and number"), [Length(max=NAME_LIMIT)])
    postcode = StringField(N_("Postcode"), [Length(max=20)])
    city = StringField(N_("Town or city"), [Length(max=NAME_LIMIT)])
    notes = TextAreaField(N_("Notes"), [Length(max=5000)])


class ClerkForm(Form):
    """Somebody who works there."""

    clerk_name = StringField(N_("Name"))
    clerk_email = StringField(N_("E-mail address"))
    clerk_role = SelectField(
        N_("What they do"),
        choices=[
            SelectChoice(ClerkRole.DRAFTS.value, N_("Drafts statements")),
            SelectChoice(ClerkRole.RELEASES.value, N_("Drafts and releases statements")),
        ],
    )


class MergeForm(Form):
    """Which other entry is the same body, and how one knows."""

    merge_into = SelectField(N_("Is the same as"), choices=[], validate_choice=False)
    merge_note = StringField(N_("Reason"), [Length(max=500)])


class SubjectForm(Form):
    """A subject area of the town's own."""

    label = StringField(N_("New subject area"), [Length(max=NAME_LIMIT)])


class TableForm(Form):
    """The table to take in; `kept` is the signed address of one that was read already."""

    file = FileField(N_("Table (XLSX or CSV)"))
    kept = HiddenField()


# --- words -----------------------------------------------------------------------------------------


def subject_names(visit: Visit) -> dict[str, str]:
    """All subject areas of the town by key, in the visitor's language, by name."""
    own = agencies.own_subjects(visit.session, visit.municipality_id)
    names = {key: visit.gettext(label) for key, label in SUBJECTS.items()} | own
    return dict(sorted(names.items(), key=lambda each: each[1].casefold()))


def words_in(language: str) -> Words:
    """What kinds and subject areas are called in a language, for tables."""
    _ = i18n.translations(language).gettext
    at = list(LANGUAGES).index(language)
    return Words(
        kinds={kind.value: _(BODIES[kind]) for kind in KINDS},
        subjects={key: _(label) for key, label in SUBJECTS.items()},
        whole_town=_("whole town"),
        releases=_("releases"),
        columns={name: headings[at] for name, headings in COLUMNS.items()},
    )


def _all_words() -> tuple[Words, ...]:
    return tuple(words_in(language) for language in LANGUAGES)


def _planner(visit: Visit) -> None:
    """Raises Refusal NOT_ALLOWED for who plans less than the town."""
    if not may(visit.by, Permission.PLAN, municipality_id=visit.municipality_id):
        raise Refusal(Code.NOT_ALLOWED)


def _done(visit: Visit) -> str:
    done = DONE.get(visit.request.query_params.get("done", ""))
    return visit.gettext(done) if done and not visit.is_post else ""


# --- the list --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """An agency in the register. `way`: how it is asked, in words; `lacks`: what keeps it from being asked."""

    id: int
    name: str
    kind: str
    subjects: str
    area: str
    way: str
    lacks: bool
    is_active: bool


@dataclass(frozen=True)
class Register:
    """The register, page by page, by name."""

    rows: tuple[Row, ...]
    more: str
    is_filtered: bool
    done: str


def _row(visit: Visit, entry: Entry, clerks: Sequence[Clerk], subjects: Mapping[str, str]) -> Row:
    agency = entry.agency
    mails = [each.email for each in clerks if each.organisation_id == entry.id] or [agency.email]
    by_mail = ", ".join(address for address in mails if address)
    way = by_mail or (visit.gettext("by letter") if entry.postal_lines else visit.gettext("no address"))
    return Row(
        entry.id,
        entry.name,
        visit.gettext(BODIES[OrganisationKind(entry.organisation.kind)]),
        ", ".join(subjects.get(key, key) for key in agency.subjects),
        visit.gettext("whole town") if agency.is_townwide else ", ".join(agency.areas),
        way,
        not by_mail and not entry.postal_lines,
        agency.is_active,
    )


@page("/verwaltung/behoerden", name="agencies", may=Permission.PLAN)
def register(visit: Visit) -> Response:
    """All agencies of the town."""
    _planner(visit)
    form = visit.form(FindForm)
    asked = visit.request.query_params
    after_id = row_number(asked.get("after"))
    after = agencies.by_id(visit.session, visit.municipality_id, after_id) if after_id else None
    found = agencies.listed(
        visit.session,
        visit.municipality_id,
        words=form.q.data or "",
        active={"yes": True, "no": False}.get(form.active.data or ""),
        after=after,
        limit=PAGE_LENGTH + 1,
    )
    shown = found[:PAGE_LENGTH]
    clerks = agencies.clerks_of(visit.session, [entry.id for entry in shown], active=True)
    subjects = subject_names(visit)
    filters = {name: asked[name] for name in ("q", "active") if asked.get(name)}
    return visit.render(
        "agencies/list.html",
        Register(
            tuple(_row(visit, entry, clerks, subjects) for entry in shown),
            visit.url("agencies", **filters, after=shown[-1].id) if len(found) > PAGE_LENGTH else "",
            bool(filters),
            _done(visit),
        ),
        form=form,
    )


# --- one agency ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Merged:
    """Another entry that is the same body."""

    id: int
    merge_id: int
    name: str
    at: datetime
    by: str
    note: str
    is_undone: bool


@dataclass(frozen=True)
class Past:
    """A line of the agency's file."""

    at: datetime
    by: str
    words: str


@dataclass(frozen=True)
class AgencyPage:
    """One agency; without an id it is a new one."""

    id: int | None
    name: str
    is_active: bool
    #: Name and address of the one that it was merged into.
    merged_into: tuple[str, str] | None
    clerks: tuple[tuple[Clerk, str], ...]
    merged: tuple[Merged, ...]
    past: tuple[Past, ...]
    done: str
    may_merge: bool


VERBS: dict[str, str] = {
    "agency_added": N_("Entered"),
    "agency_changed": N_("Changed: %(what)s"),
    "agency_activated": N_("Asked again"),
    "agency_deactivated": N_("Asked no more"),
    "agency_clerk_added": N_("Somebody works on it"),
    "agency_clerk_changed": N_("Somebody's name or role changed"),
    "agency_clerk_removed": N_("Somebody no longer works on it"),
    "agency_merged": N_("Merged: %(what)s"),
    "agency_merge_undone": N_("The merge was taken back"),
}


def _past(visit: Visit, organisation_id: int) -> tuple[Past, ...]:
    lines = [
        each for each in journal.about(visit.session, f"organisation:{organisation_id}") if each.verb in VERBS
    ]
    names = people.names(visit.session, {each.actor for each in lines})
    shown = []
    for each in reversed(lines):
        what = ", ".join(
            visit.gettext(COLUMN_NAMES.get(name, name)) for name in each.facts.get("changed", ())
        )
        words = visit.gettext(VERBS[each.verb])
        if "%(what)s" in words:
            words = words % {"what": what or each.facts.get("note", "")}
        shown.append(Past(each.at, names.get(each.actor) or visit.gettext("the software"), words))
    return tuple(shown)


def _agency_form(visit: Visit, entry: Entry | None) -> AgencyForm:
    known: dict[str, Any] = {"is_townwide": True}
    if entry is not None:
        agency = entry.agency
        known = {
            "name": entry.name,
            "kind": entry.organisation.kind,
            **{name: getattr(agency, name) for name in AgencyForm()._fields if hasattr(agency, name)},
        }
    form = visit.form(AgencyForm, **known)
    form.subjects.choices = [SelectChoice(key, label) for key, label in subject_names(visit).items()]
    districts = places.names(visit.session, visit.municipality_id, PlaceKind.DISTRICT)
    names = dict.fromkeys(place.name for place in districts)
    names |= dict.fromkeys(entry.agency.areas if entry else ())
    form.areas.choices = [SelectChoice(name, name) for name in names]
    return form


def _input(form: AgencyForm) -> AgencyInput:
    plain = ("name", "key", "email", "phone", "street", "postcode", "city", "notes")
    return AgencyInput(
        **{name: form._fields[name].data or "" for name in plain},
        kind=OrganisationKind(form.kind.data),
        subjects=tuple(form.subjects.data or ()),
        is_townwide=form.is_townwide.data,
        areas=tuple(form.areas.data or ()),
    )


@page("/verwaltung/behoerden/neu", name="agency_new", may=Permission.PLAN, methods=("GET", "POST"))
def new(visit: Visit) -> Response:
    """Enter an agency."""
    _planner(visit)
    form = _agency_form(visit, None)
    if visit.is_post and form.validate():
        try:
            entry, _changed = agencies.save(
                visit.session, _input(form), municipality_id=visit.municipality_id, by=visit.by, now=visit.now
            )
        except Refusal as refusal:
            visit.reject(form, refusal)
        else:
            return visit.redirect("agency", id=entry.id, done="saved")
    shown = AgencyPage(None, "", True, None, (), (), (), "", False)
    return visit.render("agencies/agency.html", shown, status=422 if visit.is_post else 200, form=form)


def _load(visit: Visit) -> Entry:
    _planner(visit)
    entry = agencies.by_id(visit.session, visit.municipality_id, visit.request.path_params["id"])
    if entry is None:
        visit.not_found()
    return entry


@page("/verwaltung/behoerden/{id:int}", name="agency", may=Permission.PLAN, methods=("GET", "POST"))
def agency(visit: Visit) -> Response:
    """One agency: what is known of it, who works there, whether it is asked, and what it was merged with."""
    entry = _load(visit)
    if not visit.is_post:
        return _show(visit, entry)
    asked, _, number = str(visit.form_data.get("do", "save")).partition("-")
    form = _agency_form(visit, entry)
    clerk_form, merge_form = visit.form(ClerkForm), visit.form(MergeForm)
    forms: dict[str, Form] = {"clerk": clerk_form, "merge": merge_form}
    target = forms.get(asked, form)
    if asked == "save" and not form.validate():
        return _show(visit, entry, form=form, status=422)
    try:
        done = _act(visit, entry, asked, row_number(number) or 0, form, clerk_form, merge_form)
    except Refusal as refusal:
        status = STATUS.get(refusal.code, 422)
        visit.reject(target, refusal)
        entry = _load(visit)
        return _show(
            visit,
            entry,
            form=form if target is form else None,
            clerk_form=clerk_form if target is clerk_form else None,
            merge_form=merge_form if target is merge_form else None,
            status=status,
        )
    return visit.redirect("agency", id=entry.id, done=done)


def _act(
    visit: Visit,
    entry: Entry,
    asked: str,
    number: int,
    form: AgencyForm,
    clerk_form: ClerkForm,
    merge_form: MergeForm,
) -> str:
    session = visit.session
    facts: dict[str, Any] = {"by": visit.by, "now": visit.now}
    if asked == "clerk":
        entered = ClerkInput(
            clerk_form.clerk_name.data or "",
            clerk_form.clerk_email.data or "",
            ClerkRole.RELEASES
            if clerk_form.clerk_role.data == ClerkRole.RELEASES.value
            else ClerkRole.DRAFTS,
        )
        agencies.add_clerk(session, entry, entered, **facts)
        return "clerk"
    if asked == "remove":
        agencies.remove_clerk(session, entry, number, **facts)
        return "clerk"
    if asked in ("off", "on"):
        agencies.set_active(session, entry, asked == "on", **facts)
        return asked
    if asked == "merge":
        survivor = agencies.by_id(session, visit.municipality_id, row_number(merge_form.merge_into.data) or 0)
        if survivor is None:
            raise Refusal(Code.FORM_INCOMPLETE, "merge_into")
        agencies.merge(session, survivor, entry, note=merge_form.merge_note.data or "", **facts)
        return "merged"
    if asked == "undo":
        agencies.undo_merge(session, _merge_of(visit, entry, number), **facts)
        return "undone"
    agencies.save(session, _input(form), municipality_id=visit.municipality_id, entry=entry, **facts)
    return "saved"


def _merge_of(visit: Visit, entry: Entry, number: int) -> AgencyMerge:
    for row, _other in agencies.merges_of(visit.session, entry.id):
        if row.id == number:
            return row
    raise Refusal(Code.NOT_FOUND)


def _show(
    visit: Visit,
    entry: Entry,
    *,
    form: AgencyForm | None = None,
    clerk_form: ClerkForm | None = None,
    merge_form: MergeForm | None = None,
    status: int = 200,
) -> Response:
    empty = {"locales": [visit.language], "gettext": visit.gettext}
    if form is None:
        form = _unsent(visit, entry)
    merges = agencies.merges_of(visit.session, entry.id)
    others = [each for each in agencies.every(visit.session, visit.municipality_id) if each.id != entry.id]
    merge_form = merge_form or MergeForm(meta=empty)
    merge_form.merge_into.choices = [
        SelectChoice("", N_("Please choose")),
        *(SelectChoice(str(each.id), each.name) for each in others),
    ]
    into = entry.organisation.merged_into_id
    survivor = agencies.by_id(visit.session, visit.municipality_id, into) if into else None
    names = people.names(visit.session, {row.by for row, _ in merges})
    shown = AgencyPage(
        entry.id,
        entry.name,
        entry.agency.is_active,
        (survivor.name, visit.url("agency", id=survivor.id)) if survivor else None,
        tuple(
            (clerk, visit.gettext(ROLE_WORDS[clerk.role]))
            for clerk in agencies.clerks_of(visit.session, [entry.id], active=True)
        ),
        tuple(
            Merged(
                other.id or 0,
                row.id or 0,
                other.name,
                row.at,
                names.get(row.by, row.by),
                row.note,
                row.undone_at is not None,
            )
            for row, other in merges
        ),
        _past(visit, entry.id),
        _done(visit),
        bool(others) and survivor is None,
    )
    return visit.render(
        "agencies/agency.html",
        shown,
        status=status,
        form=form,
        clerk_form=clerk_form or ClerkForm(meta=empty),
        merge_form=merge_form,
    )


def _unsent(visit: Visit, entry: Entry) -> AgencyForm:
    """The form with what is known, whatever was sent to another form of the page."""
    sent, visit.form_data = visit.form_data, type(visit.form_data)()
    try:
        return _agency_form(visit, entry)
    finally:
        visit.form_data = sent


# --- subject areas ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class SubjectsPage:
    """The subject areas: those that every town has, and the town's own."""

    given: tuple[str, ...]
    own: tuple[str, ...]
    done: str


@page(
    "/verwaltung/behoerden/sachgebiete", name="agency_subjects", may=Permission.PLAN, methods=("GET", "POST")
)
def subjects(visit: Visit) -> Response:
    """The subject areas; a town adds its own."""
    _planner(visit)
    form = visit.form(SubjectForm)
    if visit.is_post and form.validate():
        try:
            agencies.add_subject(
                visit.session, visit.municipality_id, form.label.data or "", by=visit.by, now=visit.now
            )
        except Refusal as refusal:
            visit.reject(form, refusal)
        else:
            return visit.redirect("agency_subjects", done="subject")
    own = agencies.own_subjects(visit.session, visit.municipality_id)
    given = sorted((visit.gettext(label) for label in SUBJECTS.values()), key=str.casefold)
    return visit.render(
        "agencies/subjects.html",
        SubjectsPage(tuple(given), tuple(own.values()), _done(visit)),
        status=422 if visit.is_post else 200,
        form=form,
    )


# --- as a table ------------------------------------------------------------------------------------

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def table_response(
    visit: Visit, name: str, heading: Sequence[str], rows: Sequence[Sequence[object]], form: str
) -> Response:
    """A table to download; nothing in it is run by a spreadsheet. Raises Refusal NOT_FOUND for another form."""
    if form not in _TYPES:
        visit.not_found()
    content = (
        agency_import.as_csv(heading, rows) if form == "csv" else agency_import.as_xlsx(name, heading, rows)
    )
    return Response(content, headers=serving_headers(f"{name}.{form}", _TYPES[form]))


@page("/verwaltung/behoerden/verzeichnis.{format}", name="agencies_export", may=Permission.PLAN)
def export(visit: Visit) -> Response:
    """The whole register, in the columns that the import reads."""
    _planner(visit)
    entries = agencies.every(visit.session, visit.municipality_id)
    clerks = agencies.clerks_of(visit.session, [entry.id for entry in entries], active=True)
    words = words_in(visit.language)
    own = agencies.own_subjects(visit.session, visit.municipality_id)
    rows = agency_import.rows_of(entries, clerks, own, words)
    return table_response(
        visit,
        visit.gettext("Agencies"),
        list(words.columns.values()),
        rows,
        visit.request.path_params["format"],
    )


@page("/verwaltung/behoerden/vorlage.{format}", name="agencies_template", may=Permission.PLAN)
def template(visit: Visit) -> Response:
    """An empty table with one line as an example."""
    _planner(visit)
    words = words_in(visit.language)
    example = {
        "key": "1",
        "name": visit.gettext("Water authority (example)"),
        "kind": words.kinds[OrganisationKind.AUTHORITY.value],
        "subjects": f"{words.subjects['water']}; {words.subjects['nature']}",
        "areas": words.whole_town,
        "email": "poststelle@wasser.example",
        "phone": "",
        "street": "Am Wehr 2",
        "postcode": "89990",
        "city": "Musterstadt",
        "clerks": f"Vera Muster <v.muster@wasser.example> ({words.releases})",
        "notes": "",
    }
    rows = [[example[name] for name in COLUMNS]]
    name = visit.gettext("Agencies (template)")
    return table_response(
        visit, name, list(words.columns.values()), rows, visit.request.path_params["format"]
    )


@dataclass(frozen=True)
class LineRow:
    """What becomes of a line: number, name, result (key and words), why or which columns."""

    line: int
    name: str
    result: str
    words: str
    why: str


@dataclass(frozen=True)
class ImportPage:
    """The rehearsal of an import, line by line; without lines, the question for a table."""

    rows: tuple[LineRow, ...] | None
    counts: tuple[tuple[str, int], ...]
    understood_as: str
    filename: str
    may_import: bool
    refused: int
    headings: tuple[str, ...]


RESULTS = {
    "new": N_("New"),
    "changed": N_("Changed"),
    "same": N_("The same"),
    "refused": N_("Refused"),
}


def _signed(visit: Visit) -> URLSafeSerializer:
    return URLSafeSerializer(visit.house.link_key, salt=f"agencies of {visit.municipality_id}")


@page(
    "/verwaltung/behoerden/import",
    name="agencies_import",
    may=Permission.PLAN,
    methods=("GET", "POST"),
    body_limit=TABLE_LIMIT + MB,
)
async def take_in(visit: Visit) -> Response:
    """Take in a table: first what would become of each line, then, when it is asked for, all of it at once."""
    if not visit.is_post:
        return await visit.in_thread(partial(_ask_for_table, visit))
    await visit.in_thread(partial(_planner, visit))
    # Looking at a file takes a while: nobody waits for it in the writers' line.
    limits = Limits(max_bytes=TABLE_LIMIT, types=TABLE_TYPES)
    taken, errors = await uploads.take_in(visit, "file", limits)
    return await visit.in_thread(partial(_take_table, visit, taken, errors), write=True)


def _ask_for_table(visit: Visit) -> Response:
    _planner(visit)
    form = visit.form(TableForm)
    return _show_import(visit, form)


def _take_table(visit: Visit, taken: Sequence[Mapping[str, Any]], errors: uploads.Errors) -> Response:
    form = visit.form(TableForm)
    if errors:
        form.file.errors = [message for message, _field in errors]
        return _show_import(visit, form, status=422)
    try:
        sha256, filename = _kept_table(visit, form, taken)
        with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
            path = Path(folder) / "table"
            path.write_bytes(b"".join(visit.house.files.open(sha256)))
            table = bulk.read_table(path, filename)
        report = agency_import.take_in(
            visit.session,
            table,
            municipality_id=visit.municipality_id,
            words=_all_words(),
            by=visit.by,
            now=visit.now,
        )
    except Refusal as refusal:
        if refusal.code is Code.NOT_ALLOWED:
            raise
        status = STATUS.get(refusal.code, 422)
        visit.session.rollback()
        form.file.errors = [visit.explain(refusal)]
        form.kept.data = ""
        return _show_import(visit, form, status=status)
    asked = str(visit.form_data.get("do", "check"))
    if asked == "import" and (not report.count("refused") or "skip" in visit.form_data):
        return visit.redirect("agencies", done="imported")
    visit.session.rollback()  # a rehearsal leaves nothing
    form.kept.data = str(_signed(visit).dumps([sha256, filename]))
    return _show_import(visit, form, report=report, table=table, filename=filename)


def _kept_table(visit: Visit, form: TableForm, taken: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The table that came with this request, or the one that was read before. Raises Refusal FORM_INCOMPLETE ("file")."""
    if taken:
        return str(taken[0]["sha256"]), str(taken[0]["filename"])
    try:
        sha256, filename = _signed(visit).loads(form.kept.data or "")
    except (BadSignature, ValueError, TypeError):
        raise Refusal(Code.FORM_INCOMPLETE, "file") from None
    return str(sha256), str(filename)


def _show_import(
    visit: Visit,
    form: TableForm,
    *,
    report: Report | None = None,
    table: bulk.Table | None = None,
    filename: str = "",
    status: int = 200,
) -> Response:
    rows = None
    counts: tuple[tuple[str, int], ...] = ()
    if report is not None:
        rows = tuple(
            LineRow(
                each.line,
                each.name,
                each.result,
                visit.gettext(RESULTS[each.result]),
                visit.explain(each.refusal)
                if each.refusal
                else ", ".join(
                    dict.fromkeys(visit.gettext(COLUMN_NAMES.get(name, name)) for name in each.changed)
                ),
            )
            for each in report.outcomes
        )
        counts = tuple((visit.gettext(words), report.count(result)) for result, words in RESULTS.items())
    headings = words_in(visit.language).columns.values()
    refused = report.count("refused") if report else 0
    return visit.render(
        "agencies/import.html",
        ImportPage(
            rows,
            counts,
            table.understood_as if table else "",
            filename,
            bool(report and (report.count("new") or report.count("changed"))),
            refused,
            tuple(headings),
        ),
        status=status,
        form=form,
    )
