"""The register of agencies as a table: given out as XLSX or CSV, taken in again, looked at first."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.responses import Response
from wtforms import FileField, Form, HiddenField

from consultations import agencies, agency_import, bulk
from consultations.agencies import KINDS, SUBJECTS
from consultations.agency_import import COLUMNS, Outcome, Report, Words
from consultations.files import MB, Limits, serving_headers
from consultations.inspection import TABLE_TYPES
from consultations.people import OrganisationKind
from consultations.permissions import Permission
from consultations.refusals import Code, Refusal
from participation import i18n
from participation.messages import STATUS
from participation.pages import uploads
from participation.pages.agencies import COLUMN_NAMES, require_town_planner
from participation.pages.intake import BODIES
from participation.settings import LANGUAGES
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str

#: Octets of a table of agencies.
TABLE_LIMIT = 10 * MB
#: Lines of a rehearsal that are shown one by one.
LINES_SHOWN = 500


class TableForm(Form):
    """The table to take in; `kept` is the signed address of one that was read already."""

    file = FileField(N_("Table (XLSX or CSV)"))
    kept = HiddenField()


def words_in(language: str) -> Words:
    """What kinds and subject areas are called in a language, for tables."""
    _ = i18n.translations(language).gettext
    at = list(LANGUAGES).index(language)
    return Words(
        kinds={kind.value: _(BODIES[kind]) for kind in KINDS},
        subjects={key: _(label) for key, label in SUBJECTS.items()},
        whole_town=_("whole town"),
        drawn=_("drawn area"),
        releases=_("releases"),
        columns={name: headings[at] for name, headings in COLUMNS.items()},
    )


def _all_words() -> tuple[Words, ...]:
    return tuple(words_in(language) for language in LANGUAGES)


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
    require_town_planner(visit)
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
    require_town_planner(visit)
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
    #: How many lines are not shown one by one.
    hidden: int


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
    await visit.in_thread(partial(require_town_planner, visit))
    # Looking at a file takes a while: nobody waits for it in the writers' line.
    limits = Limits(max_bytes=TABLE_LIMIT, types=TABLE_TYPES)
    taken, errors = await uploads.take_in(visit, "file", limits)
    read = await visit.in_thread(partial(_read_table, visit, taken, errors))
    return await visit.in_thread(partial(_take_table, visit, read), write=True)


@dataclass(frozen=True)
class _Read:
    """A table that was read, before any transaction began; or why there is none."""

    table: bulk.Table | None = None
    sha256: str = ""
    filename: str = ""
    errors: tuple[str, ...] = ()
    status: int = 422


def _read_table(visit: Visit, taken: Sequence[Mapping[str, Any]], errors: uploads.Errors) -> _Read:
    if errors:
        return _Read(errors=tuple(message for message, _field in errors))
    try:
        sha256, filename = _kept_table(visit, visit.form(TableForm), taken)
        with tempfile.TemporaryDirectory(prefix="digilog-") as folder:
            path = Path(folder) / "table"
            path.write_bytes(b"".join(visit.house.files.open(sha256)))
            return _Read(bulk.read_table(path, filename, limit=agency_import.LINES), sha256, filename)
    except Refusal as refusal:
        return _Read(errors=(visit.explain(refusal),), status=STATUS.get(refusal.code, 422))


def _ask_for_table(visit: Visit) -> Response:
    require_town_planner(visit)
    form = visit.form(TableForm)
    return _show_import(visit, form)


def _take_table(visit: Visit, read: _Read) -> Response:
    form = visit.form(TableForm)
    if read.table is None:
        form.file.errors = list(read.errors)
        form.kept.data = ""
        return _show_import(visit, form, status=read.status)
    try:
        report = agency_import.take_in(
            visit.session,
            read.table,
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
    form.kept.data = str(_signed(visit).dumps([read.sha256, read.filename]))
    return _show_import(visit, form, report=report, table=read.table, filename=read.filename)


def _kept_table(visit: Visit, form: TableForm, taken: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The table that came with this request, or the one that was read before. Raises Refusal FORM_INCOMPLETE ("file")."""
    if taken:
        return str(taken[0]["sha256"]), str(taken[0]["filename"])
    try:
        sha256, filename = _signed(visit).loads(form.kept.data or "")
    except (BadSignature, ValueError, TypeError):
        raise Refusal(Code.FORM_INCOMPLETE, "file") from None
    return str(sha256), str(filename)


def _shown(report: Report) -> list[Outcome]:
    """The lines that are shown: all, or in a long table first those that were refused, then as many as fit."""
    if len(report.outcomes) <= LINES_SHOWN:
        return report.outcomes
    refused = [each for each in report.outcomes if each.result == "refused"]
    others = [each for each in report.outcomes if each.result not in ("refused", "same")]
    return (refused + others)[:LINES_SHOWN]


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
            for each in _shown(report)
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
            len(report.outcomes) - len(rows) if report and rows else 0,
        ),
        status=status,
        form=form,
    )
