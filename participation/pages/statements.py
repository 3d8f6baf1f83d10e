"""Handing in: three short steps or one page, without an account and without JavaScript.

One flow for every kind of contribution. What is typed is kept on the server with each step, under a secret address
(`consultations/drafts.py`): errors, time-outs and going back lose nothing. The secret is the submission key too, so
that a double click, a reload, a resend or a second tab make one contribution; once it is handed in, the address leads
to the receipt.

The handlers are `async` because looking at an uploaded file takes a while and nobody should wait for it in the
writers' line: no unit of work is open meanwhile.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from io import BytesIO
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response
from wtforms import (
    EmailField,
    FileField,
    Form,
    HiddenField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields import Field, SelectChoice
from wtforms.validators import Email, Optional, ValidationError

from consultations import channels, contributions, drafts, places, procedures, whereabouts
from consultations.contributions import (
    ATTACHMENTS_LIMIT,
    SHORT_LIMIT,
    TITLE_LIMIT,
    AttachedFile,
    Contribution,
    Kind,
    PublicationState,
    Submission,
)
from consultations.deadlines import PhaseState
from consultations.drafts import Draft
from consultations.files import MB, Limits, Readable, accept_upload
from consultations.people import NAME_LIMIT, PersonInput
from consultations.permissions import Permission
from consultations.procedures import Opens, Phase, Procedure, ProcedureState
from consultations.refusals import Code, Refusal
from consultations.text import TEXT_LIMIT, excerpt
from participation import receipts
from participation.messages import MESSAGES, STATUS
from participation.pages.contributions_list import where_in_words
from participation.security import Action, address_of, check_rate
from participation.settings import Settings
from participation.web import PAGES, Visit, page

#: Marks a message for the catalogues.
N_ = str

#: The steps as they stand in addresses, and the one page that holds all of them.
WORDS, ABOUT, CHECK, ALL = "text", "angaben", "pruefen", "alles"
STEPS = (WORDS, ABOUT, CHECK)

#: Places that a search offers at once.
PLACES_SHOWN = 12

#: Who goes from the form to the map comes back to what they have written: the map only knows the place.
MAP_COOKIE = "digilog_place_for"
MAP_PATIENCE = timedelta(hours=2)


# --- forms -----------------------------------------------------------------------------------------


def _stripped(value: str | None) -> str:
    return (value or "").strip()


def _at_most(limit: int) -> Callable[[Form, Field], None]:
    def check(form: Form, field: Field) -> None:
        if len(field.data or "") > limit:
            raise ValidationError(form.meta.gettext(MESSAGES[Code.TEXT_TOO_LONG]) % {"limit": limit})

    return check


def _short(label: str, limit: int = SHORT_LIMIT) -> StringField:
    return StringField(label, [_at_most(limit)], filters=[_stripped])


class WordsForm(Form):
    """What somebody wants to say, and what it refers to."""

    title = _short(N_("Title"), TITLE_LIMIT)
    text = TextAreaField(N_("Your statement"))
    attachments = FileField(N_("Attach files"), render_kw={"multiple": True})
    document_id = SelectField(N_("Document"), choices=[], validate_choice=False)
    section = _short(N_("Section or page"))
    place_words = _short(N_("Place in your own words"))
    place_search = _short(N_("Look for a street, a district or a parcel"))
    place_id = RadioField(N_("Which of these places?"), choices=[], validate_choice=False)
    category = _short(N_("Topic"))
    lon = HiddenField()
    lat = HiddenField()
    geometry = HiddenField()
    parent_id = HiddenField()


class AboutForm(Form):
    """Who hands it in, as far as they wish to say, and whether the public may read it."""

    name = _short(N_("Name"), NAME_LIMIT)
    email = EmailField(
        N_("E-mail address"),
        [
            Optional(),
            Email(N_("Please check the e-mail address: something like name@example.org.")),
            _at_most(NAME_LIMIT),
        ],
        filters=[_stripped],
    )
    street = _short(N_("Street and number"), NAME_LIMIT)
    postcode = _short(N_("Postcode"), NAME_LIMIT)
    city = _short(N_("Town or city"), NAME_LIMIT)
    on_behalf_of = _short(N_("I write on behalf of"))
    pseudonym = _short(N_("Name that others may see"))
    publish = RadioField(
        N_("May others read it?"),
        choices=[
            SelectChoice("yes", N_("Yes, publish it without my name")),
            SelectChoice("no", N_("No, only the town hall may read it")),
        ],
        validate_choice=False,
    )


class WholeForm(WordsForm, AboutForm):
    """Everything on one page; before it is sent, it is the check as well."""


FORMS: dict[str, type[Form]] = {WORDS: WordsForm, ABOUT: AboutForm, CHECK: WholeForm, ALL: WholeForm}

#: What may come from a form into a draft. What a draft supplements is not among it: only who knows the access code of
#: a contribution may add to it (participation/pages/contributions.py).
_KEPT_FIELDS = frozenset(WholeForm()._fields) - {"attachments"}

_CHOSEN_ON_MAP = ("lon", "lat", "geometry")


class _Typed(dict[str, str]):
    """The words of a draft as WTForms reads what a browser sent."""

    def getlist(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


# --- what templates show ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Hearing:
    """The consultation that is written to, as far as this kind of contribution goes."""

    title: str
    url: str
    #: open | late | soon | closed | none
    state: str
    is_formal: bool
    begins: date | None
    ends: date | None
    days_left: int | None


#: What, in words, the address where it can be changed, and what is changed there.
Row = tuple[str, str, str, str]


@dataclass(frozen=True)
class KeptFile:
    """A file that is kept with the draft; `value` is what the button that removes it sends."""

    value: str
    filename: str
    size: int


@dataclass(frozen=True)
class WritingPage:
    """A step of the flow, or all of it on one page."""

    hearing: Hearing
    kind: str
    step: str
    action: str
    files: tuple[KeptFile, ...]
    #: The place chosen on the map or from the list, in words; empty if none.
    place: str
    #: How many places the search found; None if nobody searched.
    places_found: int | None
    asks_title: bool
    has_documents: bool
    topics: tuple[str, ...]
    #: What this comments on or adds to, in words.
    parent: str
    supplements: str
    saved_until: date | None
    #: What will be sent, part by part: (what, words, address of the step, what to change).
    summary: tuple[Row, ...]
    wants_publication: bool
    email: str
    file_limit_mb: int
    accept: str
    has_map: bool
    errors: tuple[tuple[str, str | None], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def step_number(self) -> int:
        """Where one is, counted from 1."""
        return STEPS.index(self.step) + 1


@dataclass(frozen=True)
class ClosedPage:
    """Why nothing of this kind can be handed in now, and what is possible instead."""

    hearing: Hearing
    kind: str
    is_withdrawn: bool
    #: What is open at this moment: (kind, address).
    possible: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ExpiredPage:
    """The draft is no longer there."""

    start_url: str


# --- loading ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """A draft outside its unit of work."""

    kind: Kind
    data: Mapping[str, Any]
    files: tuple[Mapping[str, Any], ...] = ()
    contribution_id: int | None = None
    saved_until: datetime | None = None


def _kept(draft: Draft) -> Kept:
    return Kept(
        Kind(draft.kind),
        dict(draft.data),
        tuple(draft.files),
        draft.contribution_id,
        draft.updated_at + drafts.KEPT,
    )


def _procedure(visit: Visit) -> Procedure:
    procedure = procedures.by_slug(visit.session, visit.municipality_id, visit.request.path_params["slug"])
    if procedure is None or procedure.state not in procedures.PUBLIC_STATES:
        visit.not_found()
    return procedure


def _phases(visit: Visit, procedure: Procedure) -> list[Phase]:
    assert procedure.id is not None
    return procedures.phases_of(visit.session, procedure.id)


def _standing(phases: list[Phase], kind: Kind, now: datetime) -> tuple[str, Phase | None]:
    """Whether this kind can be handed in: open, late, soon, closed or none; and the phase it is about."""
    phase = procedures.phase_for(phases, Opens(kind.value), now)
    if phase is not None:
        return ("open" if phase.state(now) is PhaseState.OPEN else "late"), phase
    inviting = [each for each in phases if kind.value in each.opens]
    coming = [each for each in inviting if each.state(now) is PhaseState.COMING]
    if coming:
        return "soon", min(coming, key=lambda each: each.starts_on or date.max)
    return ("closed", inviting[-1]) if inviting else ("none", None)


def _kind_wanted(wanted: str, phases: list[Phase], now: datetime) -> Kind:
    """The kind that was asked for, or the one that suits best now: what is open comes first."""
    if wanted in {kind.value for kind in Kind}:
        return Kind(wanted)
    order = ("open", "late", "soon", "closed", "none")
    return min(Kind, key=lambda kind: order.index(_standing(phases, kind, now)[0]))


def _kind_sent(visit: Visit, procedure: Procedure) -> Kind:
    return _kind_wanted(str(visit.form_data.get("kind", "")), _phases(visit, procedure), visit.now)


def _hearing(visit: Visit, procedure: Procedure, kind: Kind) -> Hearing:
    state, phase = _standing(_phases(visit, procedure), kind, visit.now)
    if procedure.state == ProcedureState.WITHDRAWN.value:
        state = "closed"
    return Hearing(
        title=procedures.localised(procedure, visit.language, "title"),
        url=visit.url("hearing", slug=procedure.slug),
        state=state,
        is_formal=bool(phase and phase.is_formal),
        begins=phase.starts_on if phase else None,
        ends=(phase.effective_end or phase.ends_on) if phase else None,
        days_left=phase.days_left(visit.now) if phase else None,
    )


def _published(visit: Visit, procedure: Procedure, wanted: object) -> Contribution | None:
    """The contribution that is commented on, if the public can see it."""
    if not str(wanted or "").isdigit():
        return None
    parent = contributions.by_id(visit.session, visit.municipality_id, int(str(wanted)))
    shown = parent is not None and parent.publication == PublicationState.PUBLISHED.value
    return parent if shown and parent and parent.procedure_id == procedure.id else None


# --- the pages -------------------------------------------------------------------------------------


def body_limit(settings: Settings) -> int:
    """Octets that one sending may have: some files at once and a long text."""
    return (4 * settings.upload_limit_mb + 25) * MB


@page("/beteiligungen/{slug}/stellungnahme", name="statement", may=Permission.TAKE_PART)
def statement(visit: Visit) -> Response:
    """The first step with nothing in it, or why it is closed. Nothing is kept before something is sent.

    Asks for `kind` (statement, proposal, comment); takes a place (`lon` and `lat`, `geometry` as GeoJSON, or
    `place_id`), a `document`, a `parent` to comment on, and `ansicht=eine-seite`.
    """
    procedure = _procedure(visit)
    asked = visit.request.query_params
    kind = _kind_wanted(asked.get("kind", ""), _phases(visit, procedure), visit.now)
    hearing = _hearing(visit, procedure, kind)
    if hearing.state not in ("open", "late"):
        return _closed(visit, procedure, hearing, kind)
    data = _place_asked(visit)
    going_on = _draft_for_place(visit, procedure, kind) if data else ""
    if going_on:
        return visit.redirect("statement_step", slug=procedure.slug, token=going_on, step=WORDS, **data)
    data |= {"document_id": asked.get("document", ""), "parent_id": asked.get("parent", "")}
    data |= _assumed(kind)
    step = ALL if asked.get("ansicht") == "eine-seite" else WORDS
    return _draw(visit, Kept(kind, data), drafts.new_secret(), step)


def _place_asked(visit: Visit) -> dict[str, str]:
    """The place that the address names, as the map gives it."""
    asked = visit.request.query_params
    return {name: asked[name] for name in (*_CHOSEN_ON_MAP, "place_id") if asked.get(name)}


def _draft_for_place(visit: Visit, procedure: Procedure, kind: Kind) -> str:
    """The draft from which somebody went to the map, or nothing."""
    token = visit.request.cookies.get(MAP_COOKIE, "")
    if not drafts.is_secret(token):
        return ""
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    fits = draft is not None and (draft.procedure_id, draft.kind) == (procedure.id, kind.value)
    return token if fits and draft is not None and draft.contribution_id is None else ""


def _assumed(kind: Kind) -> dict[str, str]:
    """What is taken for granted until somebody says otherwise: publishing is the point of an informal contribution
    and the exception for a statement (Art. 25(2) GDPR)."""
    return {"publish": "no" if kind is Kind.STATEMENT else "yes"}


def _closed(visit: Visit, procedure: Procedure, hearing: Hearing, kind: Kind) -> Response:
    withdrawn = procedure.state == ProcedureState.WITHDRAWN.value
    phases = _phases(visit, procedure)
    possible = tuple(
        (other.value, visit.url("statement", slug=procedure.slug, kind=other.value))
        for other in Kind
        if not withdrawn and other is not kind and _standing(phases, other, visit.now)[0] in ("open", "late")
    )
    return visit.render("statements/closed.html", ClosedPage(hearing, kind.value, withdrawn, possible))


@page(
    "/beteiligungen/{slug}/stellungnahme/{token}/{step}",
    name="statement_step",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
    body_limit=body_limit,
)
async def statement_step(visit: Visit) -> Response:
    """One step of a draft, found again by its secret."""
    token, step = visit.request.path_params["token"], visit.request.path_params["step"]
    if step not in FORMS or not drafts.is_secret(token):
        visit.not_found()
    if visit.is_post:
        return await _take(visit, token, step)
    return await visit.in_thread(lambda: _show_step(visit, token, step))


def _show_step(visit: Visit, token: str, step: str) -> Response:
    procedure = _procedure(visit)
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    if draft is None:
        start = visit.url("statement", slug=procedure.slug)
        return visit.render("statements/expired.html", ExpiredPage(start), status=410)
    if draft.procedure_id != procedure.id:
        visit.not_found()
    if draft.contribution_id is not None:
        return visit.redirect("receipt", token=token)
    notes = []
    if "schon" in visit.request.query_params:
        notes.append(
            visit.gettext(
                "You have already handed this in. What you have changed since is here: you can send it as an addition."
            )
        )
    kept, place = _kept(draft), _place_asked(visit)
    if place:
        # Back from the map: shown with the form, kept when it is sent.
        kept = replace(kept, data={**kept.data, **dict.fromkeys((*_CHOSEN_ON_MAP, "place_id"), ""), **place})
    return _draw(visit, kept, token, step, notes=tuple(notes))


# --- taking what is sent ---------------------------------------------------------------------------


@dataclass
class Sent:
    """What came with one request, whatever it is worth."""

    data: dict[str, str]
    files: list[dict[str, Any]] = field(default_factory=list)
    errors: list[tuple[str, str | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    status: int = 422


async def _take(visit: Visit, token: str, step: str) -> Response:
    """Keep what was sent before anything else; then do what was asked for."""
    data = {
        name: value
        for name, value in visit.form_data.items()
        if name in _KEPT_FIELDS and isinstance(value, str)
    }
    sent, wanted = Sent(data), str(visit.form_data.get("do", "next"))
    await run_in_threadpool(_take_files, visit, sent)
    try:
        kept, answer = await visit.in_thread(partial(_act, visit, token, step, sent, wanted), write=True)
    except Refusal as refusal:
        if refusal.code is Code.NOT_FOUND:
            raise
        # It could not be kept (database busy, disk full): then the page itself carries what was typed.
        return await visit.in_thread(partial(_draw_unkept, visit, token, step, sent, refusal))
    if answer is not None:
        return answer
    if sent.errors or sent.notes:
        status = sent.status if sent.errors else 200
        draw = partial(
            _draw, visit, kept, token, step, errors=tuple(sent.errors), notes=tuple(sent.notes), status=status
        )
        return await visit.in_thread(draw)
    return _go_on(visit, token, step, wanted)


def _act(visit: Visit, token: str, step: str, sent: Sent, wanted: str) -> tuple[Kept, Response | None]:
    """Keep what was sent and, if that is wanted and nothing is wrong, hand it in: one transaction for both.

    What is wrong is added to `sent`; what was typed is kept all the same.
    """
    procedure = _procedure(visit)
    kept = _keep(visit, procedure, token, sent, wanted)
    if kept.contribution_id is not None:
        return kept, _after_handing_in(visit, kept.contribution_id, token, sent)
    if wanted in ("next", "check", "send") and not sent.errors:
        sent.errors = _problems(visit, kept, step)
    if wanted == "send" and not sent.errors:
        try:
            with visit.session.begin_nested():
                return kept, _hand_in(visit, procedure, token)
        except Refusal as refusal:
            sent.errors = [(visit.explain(refusal), _target(refusal, step))]
            sent.status = STATUS.get(refusal.code, 422)
    return kept, None


def _take_files(visit: Visit, sent: Sent) -> None:
    """Look at what was attached and keep what can be kept; each refused file is named.

    A text that is too long for the form is kept whole, as a file.
    """
    incoming: list[tuple[Readable, str]] = [
        (_body(upload), upload.filename or "") for upload in visit.uploads("attachments")
    ]
    text = sent.data.get("text", "")
    if len(text) > TEXT_LIMIT:
        filename = visit.gettext("My statement") + ".txt"
        incoming.append((BytesIO(text.encode(errors="replace")), filename))
    limits = Limits(max_bytes=visit.house.settings.upload_limit_mb * MB)
    for stream, filename in incoming:
        try:
            sent.files.append(asdict(accept_upload(visit.house.files, stream, filename, limits=limits)))
        except Refusal as refusal:
            sent.errors.append((visit.explain(refusal), "attachments"))
            sent.status = STATUS.get(refusal.code, 422)
            continue
        if isinstance(stream, BytesIO):
            sent.data["text"] = ""
            sent.notes.append(
                visit.gettext(
                    "Your text is longer than the form can hold. We have kept all of it as the file “%(filename)s”.",
                    filename=filename,
                )
            )


def _body(upload: UploadFile) -> Readable:
    return upload.file


def _keep(visit: Visit, procedure: Procedure, token: str, sent: Sent, wanted: str) -> Kept:
    """Write what was sent into the draft; begin it if it is not there, or no longer."""
    assert procedure.id is not None
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id, lock=True)
    if draft is None:
        kind = _kind_sent(visit, procedure)
        draft = drafts.begin(
            visit.session,
            token,
            municipality_id=visit.municipality_id,
            procedure_id=procedure.id,
            kind=kind.value,
            data={"language": visit.language, **_assumed(kind)},
            now=visit.now,
        )
    if draft.procedure_id != procedure.id:
        visit.not_found()
    if draft.contribution_id is not None:
        return _kept(draft)
    kept_files = [each for each in draft.files if wanted != f"remove-{each['sha256']}"]
    known = {(each["sha256"], each["filename"]) for each in kept_files}
    for each in sent.files:
        if (each["sha256"], each["filename"]) in known:
            continue  # sent twice
        if len(kept_files) == ATTACHMENTS_LIMIT:
            refusal = Refusal(Code.ATTACHMENTS_TOO_MANY, limit=ATTACHMENTS_LIMIT)
            sent.errors.append((visit.explain(refusal), "attachments"))
            break
        kept_files.append(each)
    data = dict(sent.data)
    if wanted == "forget-place" or (data.get("place_id") and data["place_id"] != draft.data.get("place_id")):
        data |= dict.fromkeys(_CHOSEN_ON_MAP, "")
    if wanted == "forget-place":
        data |= {"place_id": "", "place_search": ""}
    try:
        _located(visit, {**draft.data, **data})
    except Refusal as refusal:
        # Nobody can correct hidden fields: they go, and the form says so.
        sent.errors.append((_explain_place(visit, refusal), "place_words"))
        data |= dict.fromkeys((*_CHOSEN_ON_MAP, "place_id"), "")
    drafts.write(visit.session, draft, data, now=visit.now, files=kept_files)
    return _kept(draft)


def _after_handing_in(visit: Visit, contribution_id: int, token: str, sent: Sent) -> Response:
    """Something came for a draft that has been handed in: from a double click, or from another tab with new words."""
    contribution = contributions.by_id(visit.session, visit.municipality_id, contribution_id)
    words = sent.data.get("text", "").replace("\r\n", "\n").strip()
    if contribution is None or not words or words == contribution.text.strip():
        return visit.redirect("receipt", token=token)
    addition = drafts.new_secret()
    begin_addition(visit, contribution, addition, text=words, files=sent.files)
    slug = visit.request.path_params["slug"]
    return visit.redirect("statement_step", slug=slug, token=addition, step=WORDS, schon="ja")


def begin_addition(
    visit: Visit,
    contribution: Contribution,
    token: str,
    *,
    text: str = "",
    files: list[dict[str, Any]] | None = None,
) -> None:
    """A draft that adds something to a contribution, for whoever has shown that it is theirs."""
    draft = drafts.begin(
        visit.session,
        token,
        municipality_id=visit.municipality_id,
        procedure_id=contribution.procedure_id,
        kind=contribution.kind,
        data={
            "supplements_id": str(contribution.id),
            "language": visit.language,
            "text": text,
            "publish": "yes" if contribution.wants_publication else "no",
        },
        now=visit.now,
    )
    drafts.write(visit.session, draft, {}, now=visit.now, files=files)


def _go_on(visit: Visit, token: str, step: str, wanted: str) -> Response:
    """To where the pressed button leads. Always another request, so that a reload sends nothing again."""
    slug = visit.request.path_params["slug"]
    if wanted == "map":
        visit.set_cookie(MAP_COOKIE, token, max_age=int(MAP_PATIENCE.total_seconds()))
        return visit.redirect("hearing_map", slug=slug)
    number = STEPS.index(step) if step in STEPS else 0
    following = {
        "next": STEPS[min(number + 1, 2)],
        "back": STEPS[max(number - 1, 0)],
        "check": CHECK,
        "one-page": ALL,
        "steps": WORDS,
    }.get(wanted, step)
    fragment = {"search": "#place", "forget-place": "#place", "attach": "#attachments-kept"}.get(wanted, "")
    if wanted.startswith("remove-"):
        fragment = "#attachments-kept"
    address = visit.url("statement_step", slug=slug, token=token, step=following)
    return RedirectResponse(address + fragment, status_code=303)


def _problems(visit: Visit, kept: Kept, step: str) -> list[tuple[str, str | None]]:
    """What has to be put right before going on from this step: sentence and field; the form's own rules included."""
    found: list[tuple[str, str | None]] = []
    if step != ABOUT:
        if _asks_title(kept) and not str(kept.data.get("title", "")).strip():
            found.append((visit.gettext("Please give it a title, so that others find it."), "title"))
        if not kept.files and not str(kept.data.get("text", "")).strip():
            found.append((visit.explain(Refusal(Code.EMPTY_CONTRIBUTION)), "text"))
    form = _form(visit, step, kept.data)
    if not form.validate():
        found += [(visit.gettext(message), each.id) for each in form for message in each.errors]
    if step == CHECK:
        return [(message, None) for message, _target in found]
    return found


def _asks_title(kept: Kept) -> bool:
    """What stands in a list of its own needs a title; an answer to something and a formal statement do not."""
    return (
        kept.kind is not Kind.STATEMENT
        and not kept.data.get("parent_id")
        and not kept.data.get("supplements_id")
    )


def _explain_place(visit: Visit, refusal: Refusal) -> str:
    if refusal.code is not Code.LOCATION_INVALID:
        return visit.gettext(_PLACE_UNUSABLE)
    return visit.gettext(PLACE_PROBLEMS.get(str(refusal.facts["problem"]), _PLACE_UNUSABLE))


_PLACE_UNUSABLE = N_(
    "The place on the map could not be used. Please choose it again, or describe it in words."
)

PLACE_PROBLEMS = {
    "swapped": N_(
        "The place on the map has latitude and longitude the wrong way round. Please choose it again."
    ),
    "outside": N_(
        "The place on the map lies outside Germany. Please choose it again, or describe it in words."
    ),
    "too_many_vertices": N_("The place on the map has too many corners. Please draw it more simply."),
    "self_crossing": N_("The outline on the map crosses itself. Please draw it again."),
}


def _target(refusal: Refusal, step: str) -> str | None:
    return refusal.field if step != CHECK and refusal.field in FORMS[step]()._fields else None


# --- handing in ------------------------------------------------------------------------------------


def _hand_in(visit: Visit, procedure: Procedure, token: str) -> Response:
    """Make the draft a contribution; the receipt is at the same secret."""
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id, lock=True)
    assert draft is not None
    if draft.contribution_id is None:
        check_rate(visit.house.limiter, Action.SUBMIT, address_of(visit.request.scope))
        submission = _submission(visit, procedure, draft)
        contribution = contributions.submit(
            visit.session, submission, procedure=procedure, by=visit.by, now=visit.now
        )
        assert contribution.id is not None
        drafts.hand_over(visit.session, draft, contribution.id, now=visit.now)
    return visit.redirect("receipt", token=token)


def _submission(visit: Visit, procedure: Procedure, draft: Draft) -> Submission:
    data: Mapping[str, str] = draft.data
    kind = Kind(draft.kind)
    supplements = data.get("supplements_id", "")
    informal = kind is not Kind.STATEMENT
    language = data.get("language", visit.language)
    return Submission(
        kind=kind,
        channel=channels.WEB.key,
        key=draft.key,
        title=data.get("title", ""),
        text=data.get("text", ""),
        person=PersonInput(
            name=data.get("name", ""),
            street=data.get("street", ""),
            postcode=data.get("postcode", ""),
            city=data.get("city", ""),
            email=data.get("email", ""),
            language=language,
        ),
        on_behalf_of=data.get("on_behalf_of", ""),
        pseudonym=data.get("pseudonym", "") if informal else "",
        category=data.get("category", "") if informal else "",
        language=language,
        wants_publication=data.get("publish") == "yes",
        document_id=_number(data.get("document_id")),
        section=data.get("section", ""),
        place_words=data.get("place_words", ""),
        place_id=_number(data.get("place_id")),
        located=_located(visit, data),
        attachments=tuple(_attached(each) for each in draft.files),
        parent=_published(visit, procedure, data.get("parent_id")),
        supplements=(
            contributions.by_id(visit.session, visit.municipality_id, int(supplements))
            if supplements
            else None
        ),
    )


def _number(typed: str | None) -> int | None:
    """A row's number as a form sends it; 0, which no row has, for anything that is no number."""
    if not typed:
        return None
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0


def _attached(each: Mapping[str, Any]) -> AttachedFile:
    return AttachedFile(
        sha256=each["sha256"],
        filename=each["filename"],
        media_type=each["media_type"],
        size=each["size"],
        pages=each["pages"],
        public_sha256=each["public_sha256"] or "",
        public_media_type=each["public_media_type"] or "",
    )


def _located(visit: Visit, data: Mapping[str, str]) -> Any:
    """The place of a draft, or None. Raises Refusal LOCATION_INVALID, UNKNOWN_REFERENCE."""
    sent = {name: data.get(name, "") for name in _CHOSEN_ON_MAP}
    number = _number(data.get("place_id"))
    return places.chosen(visit.session, visit.municipality_id, **sent, place_id=number)


# --- drawing ---------------------------------------------------------------------------------------


def _form(visit: Visit, step: str, data: Mapping[str, str]) -> Form:
    return FORMS[step](_Typed(data), meta={"locales": [visit.language], "gettext": visit.gettext})


def _draw_unkept(visit: Visit, token: str, step: str, sent: Sent, refusal: Refusal) -> Response:
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    kind = _kind_sent(visit, _procedure(visit))
    before = _kept(draft) if draft else Kept(kind, _assumed(kind))
    errors = [(visit.explain(refusal), None), *sent.errors]
    if sent.files:
        errors.append((visit.gettext("Please choose your files again when you send it."), "attachments"))
    kept = replace(before, data={**before.data, **sent.data})
    status = STATUS.get(refusal.code, 422)
    return _draw(visit, kept, token, step, errors=tuple(errors), status=status)


def _draw(
    visit: Visit,
    kept: Kept,
    token: str,
    step: str,
    *,
    errors: tuple[tuple[str, str | None], ...] = (),
    notes: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    """A step with everything that is known so far in it, and the errors at their fields."""
    procedure = _procedure(visit)
    hearing = _hearing(visit, procedure, kept.kind)
    form: Any = _form(visit, step, kept.data)
    found = None
    if isinstance(form, WordsForm):
        found = _offer(visit, procedure, form, kept)
    for message, target in errors:
        if target in form._fields:
            form[target].errors = [*form[target].errors, message]
    parent = _published(visit, procedure, kept.data.get("parent_id"))
    supplements = _number(kept.data.get("supplements_id"))
    original = contributions.by_id(visit.session, visit.municipality_id, supplements) if supplements else None
    assert procedure.id is not None
    informal = kept.kind is not Kind.STATEMENT
    content = WritingPage(
        hearing=hearing,
        kind=kept.kind.value,
        step=step,
        action=visit.url("statement_step", slug=procedure.slug, token=token, step=step),
        files=tuple(
            KeptFile(f"remove-{each['sha256']}", each["filename"], each["size"]) for each in kept.files
        ),
        place=_place_chosen(visit, kept.data),
        places_found=found,
        asks_title=_asks_title(kept),
        has_documents=isinstance(form, WordsForm) and len(form.document_id.choices) > 1,
        topics=contributions.topics_of(visit.session, procedure.id) if informal else (),
        parent=parent.title or excerpt(parent.text, 80) if parent else "",
        supplements=original.reference if original else "",
        saved_until=kept.saved_until.date() if kept.saved_until else None,
        summary=_summary(visit, procedure, kept, token) if step == CHECK else (),
        wants_publication=kept.data.get("publish") == "yes",
        email=str(kept.data.get("email", "")),
        file_limit_mb=visit.house.settings.upload_limit_mb,
        accept=",".join(extension for kind in Limits().types for extension in kind.extensions),
        has_map="hearing_map" in PAGES,
        errors=tuple((message, None) for message, target in errors if target not in form._fields),
        notes=notes,
    )
    template = {WORDS: "words", ABOUT: "about", CHECK: "check", ALL: "whole"}[step]
    response = visit.render(f"statements/{template}.html", content, status=status, form=form)
    # Not "no-store": with it, browsers forget what was typed when somebody goes back to the page.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _offer(visit: Visit, procedure: Procedure, form: WordsForm, kept: Kept) -> int | None:
    """Fill in the choices of documents and places; how many places the search found."""
    assert procedure.id is not None
    documents = procedures.documents_of(visit.session, procedure.id)
    form.document_id.choices = [
        SelectChoice("", N_("All of it, or none in particular")),
        *(SelectChoice(str(each.id), each.title) for each, _versions in documents if not each.is_withdrawn),
    ]
    words = str(kept.data.get("place_search", ""))
    if not words or any(kept.data.get(name) for name in _CHOSEN_ON_MAP) or kept.data.get("place_id"):
        return None
    found = places.find(visit.session, visit.municipality_id, words, limit=PLACES_SHOWN)
    form.place_id.choices = [SelectChoice(str(each.id), _place_name(each)) for each in found]
    if found:
        form.place_id.choices.append(SelectChoice("", N_("None of these")))
    return len(found)


def _place_name(place: places.Place) -> str:
    return f"{place.name} ({place.district})" if place.district else place.name


def _place_chosen(visit: Visit, data: Mapping[str, str]) -> str:
    try:
        located = _located(visit, data)
    except Refusal:
        return ""
    if located is None:
        return ""
    if any(data.get(name) for name in _CHOSEN_ON_MAP):
        spot = whereabouts.of(visit.session, visit.municipality_id, [(located.lon, located.lat)])[0]
        words = (
            where_in_words(visit, spot),
            receipts.map_words(located.kind, located.lon, located.lat, visit.language),
        )
        return "; ".join(part for part in words if part)
    place = places.by_id(visit.session, visit.municipality_id, _number(data.get("place_id")) or 0)
    return _place_name(place) if place else ""


def _summary(visit: Visit, procedure: Procedure, kept: Kept, token: str) -> tuple[Row, ...]:
    """What will be sent, for a last look; each part with the step in which it can be changed."""
    assert procedure.id is not None
    data: Mapping[str, str] = kept.data
    titles = {
        str(each.id): each.title for each, _versions in procedures.documents_of(visit.session, procedure.id)
    }
    refers_to = (titles.get(data.get("document_id", ""), ""), data.get("section", ""))
    place = (data.get("place_words", ""), _place_chosen(visit, data))
    address = (
        data.get("name", ""),
        data.get("street", ""),
        f"{data.get('postcode', '')} {data.get('city', '')}".strip(),
        data.get("email", ""),
    )
    words = [
        (visit.gettext("Title"), data.get("title", "")),
        (visit.gettext("Your text"), data.get("text", "")),
        (visit.gettext("Files"), "\n".join(each["filename"] for each in kept.files)),
        (visit.gettext("Refers to"), ", ".join(part for part in refers_to if part)),
        (visit.gettext("Place"), "; ".join(part for part in place if part)),
        (visit.gettext("Topic"), data.get("category", "")),
    ]
    about = [
        (
            visit.gettext("From"),
            "\n".join(line for line in address if line) or visit.gettext("without a name"),
        ),
        (visit.gettext("On behalf of"), data.get("on_behalf_of", "")),
        (visit.gettext("Name that others may see"), data.get("pseudonym", "")),
        (
            visit.gettext("Publication"),
            visit.gettext("may be published, without your name")
            if data.get("publish") == "yes"
            else visit.gettext("is not to be published"),
        ),
    ]
    steps = {
        step: visit.url("statement_step", slug=procedure.slug, token=token, step=step)
        for step in (WORDS, ABOUT)
    }
    return tuple(
        (label, value, steps[step], "")
        for step, rows in ((WORDS, words), (ABOUT, about))
        for label, value in rows
        if value
    )
