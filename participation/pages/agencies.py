"""The register of agencies: find, enter and change them, who works there, duplicates, and subject areas."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from starlette.responses import Response
from wtforms import (
    BooleanField,
    Form,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    widgets,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length

from consultations import agencies, agency_overview, journal, people, places
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
from consultations.invitations import InvitationState
from consultations.people import NAME_LIMIT, OrganisationKind
from consultations.permissions import Permission, may
from consultations.places import Layer, PlaceKind
from consultations.procedures import localised
from consultations.refusals import Code, Refusal
from participation import layers_import
from participation.layers_import import GeometryProblem
from participation.messages import STATUS
from participation.overview import phase_name
from participation.pages.intake import BODIES
from participation.pages.planned_area import Backdrop, backdrop_of
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

PAGE_LENGTH = 50
#: Named areas beside the districts that are typed in.
OTHER_AREAS = 100

#: Kind of the tag and words of each state of a request.
STATES: dict[InvitationState, tuple[str, str]] = {
    InvitationState.LISTED: ("draft", N_("on the list")),
    InvitationState.INVITED: ("waiting", N_("asked")),
    InvitationState.OPENED: ("info", N_("opened")),
    InvitationState.ANSWERED: ("open", N_("answered")),
    InvitationState.NO_CONCERNS: ("open", N_("no concerns")),
    InvitationState.NO_REPLY: ("late", N_("no reply")),
    InvitationState.REMOVED: ("hidden", N_("taken off")),
}

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
    others = TextAreaField(N_("Other named areas"), [Length(max=5000)])
    layer = SelectField(N_("All areas of a map layer"), choices=[], validate_choice=False)
    drawn = TextAreaField(N_("A drawn area, as GeoJSON"), [Length(max=500_000)])
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


# --- words -----------------------------------------------------------------------------------------


def subject_names(visit: Visit) -> dict[str, str]:
    """All subject areas of the town by key, in the visitor's language, by name."""
    own = agencies.own_subjects(visit.session, visit.municipality_id)
    names = {key: visit.gettext(label) for key, label in SUBJECTS.items()} | own
    return dict(sorted(names.items(), key=lambda each: each[1].casefold()))


def require_town_planner(visit: Visit) -> None:
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
        visit.gettext("whole town")
        if agency.is_townwide
        else ", ".join([*agency.areas, *([visit.gettext("drawn area")] if agency.drawn else [])]),
        way,
        not by_mail and not entry.postal_lines,
        agency.is_active,
    )


@page("/verwaltung/behoerden", name="agencies", may=Permission.PLAN)
def register(visit: Visit) -> Response:
    """All agencies of the town."""
    require_town_planner(visit)
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
class Request:
    """What it was asked in one phase of a consultation, and what came of it."""

    title: str
    phase: str
    url: str
    tag: tuple[str, str]
    due_on: date | None
    answered_on: date | None
    is_late: bool


@dataclass(frozen=True)
class Past:
    """A line of the agency's file; `changes`: what was, and what has been since."""

    at: datetime
    by: str
    words: str
    changes: tuple[str, ...]


@dataclass(frozen=True)
class AgencyPage:
    """One agency; without an id it is a new one."""

    id: int | None
    name: str
    is_active: bool
    #: The map to draw an area on, what is drawn, and where it is from.
    backdrop: Backdrop
    current: str
    drawn_from: str
    #: Name and address of the one that it was merged into.
    merged_into: tuple[str, str] | None
    clerks: tuple[tuple[Clerk, str], ...]
    merged: tuple[Merged, ...]
    #: What it was asked: consultation and phase, address, state (kind and words), last day, day of the answer.
    requests: tuple[Request, ...]
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
    "agency_account_kept": N_("Somebody keeps the requests in an account"),
    "agency_account_left": N_("An account shows the requests no more"),
    "agency_merged": N_("Merged: %(what)s"),
    "agency_merge_undone": N_("The merge was taken back"),
}


def _past(visit: Visit, organisation_id: int) -> tuple[Past, ...]:
    lines = [
        each for each in journal.about(visit.session, f"organisation:{organisation_id}") if each.verb in VERBS
    ]
    names = people.names(visit.session, {each.actor for each in lines})
    subjects = subject_names(visit)
    shown = []
    for each in reversed(lines):
        what = ", ".join(
            visit.gettext(COLUMN_NAMES.get(name, name)) for name in each.facts.get("changed", ())
        )
        words = visit.gettext(VERBS[each.verb])
        if "%(what)s" in words:
            words = words % {"what": what or each.facts.get("note", "")}
        by = names.get(each.actor) or visit.gettext("the software")
        shown.append(Past(each.at, by, words, tuple(_changes(visit, each.facts, subjects))))
    return tuple(shown)


def _changes(visit: Visit, facts: Mapping[str, Any], subjects: Mapping[str, str]) -> Iterator[str]:
    """ "Name: Wasserwirtschaftsamt → Wasserwirtschaftsamt Süd", for what the journal keeps in words."""
    after = facts.get("after", {})
    for name, before in facts.get("before", {}).items():
        yield visit.gettext(
            "%(what)s: %(before)s → %(after)s",
            what=visit.gettext(COLUMN_NAMES.get(name, name)),
            before=_in_words(visit, name, before, subjects),
            after=_in_words(visit, name, after.get(name), subjects),
        )


def _in_words(visit: Visit, name: str, value: Any, subjects: Mapping[str, str]) -> str:
    if name == "is_townwide":
        return visit.gettext("whole town") if value else visit.gettext("a part of it")
    if name == "kind" and value in {kind.value for kind in KINDS}:
        return visit.gettext(BODIES[OrganisationKind(value)])
    if name == "subjects":
        return ", ".join(subjects.get(key, key) for key in value or ()) or "–"
    return (", ".join(value) if isinstance(value, list) else str(value or "")) or "–"


def _requests(visit: Visit, organisation_id: int) -> tuple[Request, ...]:
    found = agency_overview.asked_of(visit.session, organisation_id, today=visit.today)
    return tuple(
        Request(
            localised(each.procedure, visit.language, "title"),
            phase_name(each.phase, visit.language),
            visit.url("planning_agency", id=each.procedure.id, invitation=each.invitation.id),
            (STATES[each.state][0], visit.gettext(STATES[each.state][1])),
            each.invitation.due_on,
            each.invitation.answered_on,
            bool(
                each.invitation.answered_on
                and each.invitation.due_on
                and each.invitation.answered_on > each.invitation.due_on
            ),
        )
        for each in found
    )


def _agency_form(visit: Visit, entry: Entry | None) -> AgencyForm:
    known: dict[str, Any] = {"is_townwide": True}
    if entry is not None:
        agency = entry.agency
        known = {
            "name": entry.name,
            "kind": entry.organisation.kind,
            **{name: getattr(agency, name) for name in _KEPT},
            "drawn": layers_import.area_as_text(agency.drawn) if agency.drawn else "",
        }
    form = visit.form(AgencyForm, **known)
    form.subjects.choices = [SelectChoice(key, label) for key, label in subject_names(visit).items()]
    districts = places.names(visit.session, visit.municipality_id, PlaceKind.DISTRICT)
    names = dict.fromkeys(place.name for place in districts)
    names |= dict.fromkeys(entry.agency.areas if entry else ())
    form.areas.choices = [SelectChoice(name, name) for name in names]
    form.layer.choices = [
        SelectChoice("", N_("None")),
        *(SelectChoice(str(layer.id), layer.title) for layer in _layers(visit)),
    ]
    return form


#: Fields of the form that are columns of the agency.
_KEPT = (
    "key", "subjects", "is_townwide", "areas", "email", "phone", "street", "postcode", "city", "notes"
)  # fmt: skip


def _layers(visit: Visit) -> list[Layer]:
    """The town's layers that are areas of something."""
    found = places.layers_of(visit.session, visit.municipality_id)
    return [layer for layer in found if layer.normalised_sha256 and layer.role in layers_import.AREA_ROLES]


def _drawn(visit: Visit, form: AgencyForm, entry: Entry | None) -> tuple[bytes | None, str]:
    """The area beside the named ones and where it is from: a layer, what was drawn, or what is known.

    Raises Refusal AREA_UNKNOWN ("layer"), PLAN_AREA_INVALID ("drawn").
    """
    if form.is_townwide.data:
        return None, ""
    if form.layer.data:
        layer = next((each for each in _layers(visit) if str(each.id) == form.layer.data), None)
        area = layers_import.area_of_layer(visit.house.files, layer) if layer else None
        if layer is None or area is None:
            raise Refusal(Code.AREA_UNKNOWN, "layer", name=layer.title if layer else form.layer.data)
        return area, layer.title
    text = (form.drawn.data or "").strip()
    if not text:
        return None, ""
    if entry is not None and entry.agency.drawn and text == layers_import.area_as_text(entry.agency.drawn):
        return entry.agency.drawn, entry.agency.drawn_from
    try:
        located = layers_import.area_of_text(text)
    except GeometryProblem:
        raise Refusal(Code.PLAN_AREA_INVALID, "drawn") from None
    if located.kind != "area":
        raise Refusal(Code.PLAN_AREA_INVALID, "drawn")
    return located.wkb, ""


def _input(visit: Visit, form: AgencyForm, entry: Entry | None) -> AgencyInput:
    """Raises Refusal AREA_UNKNOWN ("layer"), PLAN_AREA_INVALID ("drawn")."""
    plain = ("name", "key", "email", "phone", "street", "postcode", "city", "notes")
    others = [line.strip() for line in (form.others.data or "").splitlines() if line.strip()]
    if len(others) > OTHER_AREAS:
        raise Refusal(Code.TEXT_TOO_LONG, "others", limit=OTHER_AREAS)
    drawn, drawn_from = _drawn(visit, form, entry)
    words: dict[str, str] = {name: form._fields[name].data or "" for name in plain}
    return AgencyInput(
        words.pop("name"),
        OrganisationKind(form.kind.data),
        subjects=tuple(form.subjects.data or ()),
        is_townwide=form.is_townwide.data,
        areas=(*(form.areas.data or ()), *others),
        drawn=drawn,
        drawn_from=drawn_from,
        **words,
    )


@page("/verwaltung/behoerden/neu", name="agency_new", may=Permission.PLAN, methods=("GET", "POST"))
def new(visit: Visit) -> Response:
    """Enter an agency."""
    require_town_planner(visit)
    form = _agency_form(visit, None)
    if visit.is_post and form.validate():
        try:
            entry, _changed = agencies.save(
                visit.session,
                _input(visit, form, None),
                municipality_id=visit.municipality_id,
                by=visit.by,
                now=visit.now,
            )
        except Refusal as refusal:
            visit.reject(form, refusal)
        else:
            return visit.redirect("agency", id=entry.id, done="saved")
    backdrop = backdrop_of(visit, (None, None, None, None))
    shown = AgencyPage(None, "", True, backdrop, "", "", None, (), (), (), (), "", False)
    return visit.render("agencies/agency.html", shown, status=422 if visit.is_post else 200, form=form)


def _load(visit: Visit) -> Entry:
    require_town_planner(visit)
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
    if asked == "detach":
        if number not in {each.id for each in agencies.clerks_of(session, [entry.id])}:
            raise Refusal(Code.NOT_FOUND)
        agencies.leave_account(session, number, **facts)
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
    changed = _input(visit, form, entry)
    agencies.save(session, changed, municipality_id=visit.municipality_id, entry=entry, **facts)
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
        backdrop_of(visit, (entry.agency.min_x, entry.agency.min_y, entry.agency.max_x, entry.agency.max_y)),
        layers_import.area_as_text(entry.agency.drawn) if entry.agency.drawn else "",
        entry.agency.drawn_from,
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
        _requests(visit, entry.id),
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
    require_town_planner(visit)
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
