"""Two versions of a document side by side: what changed, word by word, for readers."""

from dataclasses import dataclass
from datetime import date

from starlette.responses import Response

from consultations import filing
from consultations.comparison import Part, Place, TooLong, compare
from consultations.deadlines import local_date
from consultations.documents import DocumentVersion
from consultations.permissions import Permission
from consultations.procedures import Procedure, ProcedureState, localised
from participation import overview
from participation.web import Visit, page

#: Characters of a document's words that are kept at upload: beyond them nothing can be compared.
KEPT = 400_000


@dataclass(frozen=True)
class Side:
    """One of the two versions."""

    number: int
    dated: date
    url: str
    text_url: str
    has_text: bool


@dataclass(frozen=True)
class ComparisonPage:
    """What changed. `problem`: why nothing can be compared, in a sentence; `notes` tell the limits of what is shown."""

    title: str
    hearing_title: str
    hearing_url: str
    language: str
    earlier: Side
    later: Side
    side_by_side: bool
    other_view_url: str
    places: tuple[Place, ...]
    skipped: int
    words_added: int
    words_removed: int
    is_same: bool
    problem: str
    notes: tuple[str, ...]
    parts: type[Part] = Part


@page(
    "/dokumente/{id:int}/vergleich/{earlier:int}/{later:int}",
    name="comparison",
    may=Permission.READ_PUBLIC,
    shared=True,
    long=True,
)
def show(visit: Visit) -> Response:
    """The changed places of two versions of a document, inline or side by side (`ansicht=nebeneinander`)."""
    procedure, title, earlier = _version(visit, "earlier")
    _same, _title, later = _version(visit, "later")
    side_by_side, other_view_url = visit.two_columns
    problem, notes = "", []
    places: tuple[Place, ...] = ()
    skipped = added = removed = 0
    is_same = earlier.sha256 == later.sha256
    if not (earlier.text.strip() and later.text.strip()):
        problem = visit.gettext(
            "The words of these files cannot be read out automatically, so nothing can be compared."
        )
    else:
        try:
            found = compare(earlier.text, later.text)
        except TooLong as too_long:
            problem = visit.gettext(
                "The text has %(words)s words; that is too long to compare on a page. Please open both versions.",
                words=too_long.words,
            )
        else:
            places, skipped = found.places, found.skipped
            added, removed, is_same = found.words_added, found.words_removed, found.is_same
            if found.is_cut:
                notes.append(
                    visit.gettext("Only the first %(num)s changed places are shown.", num=len(places))
                )
            if max(len(earlier.text), len(later.text)) >= KEPT:
                notes.append(visit.gettext("Of very long files only the first part can be compared here."))
    return visit.render(
        "hearings/comparison.html",
        ComparisonPage(
            title=title,
            hearing_title=localised(procedure, visit.language, "title"),
            hearing_url=visit.url("hearing", slug=procedure.slug),
            language=overview.ENTERED_IN,
            earlier=_side(visit, earlier),
            later=_side(visit, later),
            side_by_side=side_by_side,
            other_view_url=other_view_url,
            places=places,
            skipped=skipped,
            words_added=added,
            words_removed=removed,
            is_same=is_same,
            problem=problem,
            notes=tuple(notes),
        ),
    )


def _version(visit: Visit, name: str) -> tuple[Procedure, str, DocumentVersion]:
    numbers = visit.request.path_params
    found = filing.document_version(visit.session, visit.municipality_id, numbers["id"], numbers[name])
    if found is None:
        visit.not_found()
    procedure, document, version = found
    is_public = procedure.state != ProcedureState.DRAFT.value
    if not is_public and not visit.may(Permission.READ_DRAFTS, procedure):
        visit.not_found()
    return procedure, document.title, version


def _side(visit: Visit, version: DocumentVersion) -> Side:
    return Side(
        version.number,
        local_date(version.uploaded_at),
        visit.url("document", id=version.document_id, number=version.number, filename=version.filename),
        visit.url("document_text", id=version.document_id, number=version.number),
        bool(version.text.strip()),
    )
