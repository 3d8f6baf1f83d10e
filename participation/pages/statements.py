"""Handing in: three short steps or one page, without an account and without JavaScript.

One flow for every kind of contribution. What is typed is kept on the server with each step, under a secret address
(`consultations/drafts.py`): errors, time-outs and going back lose nothing. The secret is the submission key too, so
that a double click, a reload, a resend or a second tab make one contribution; once it is handed in, the address leads
to the receipt.

The handlers are `async` because looking at an uploaded file takes a while and nobody should wait for it in the
writers' line: no unit of work is open meanwhile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from io import BytesIO
from typing import Any

from starlette.responses import RedirectResponse, Response

from consultations import contributions, discussion, drafts, nesting, received
from consultations.cocreation import is_own_section
from consultations.contributions import (
    SHORT_LIMIT,
    Contribution,
    Kind,
    Submission,
)
from consultations.drafts import FIELD_LIMIT, Draft
from consultations.files import MB, Limits
from consultations.people import PersonInput
from consultations.permissions import Permission
from consultations.procedures import Procedure, ProcedureState
from consultations.refusals import Code, Refusal
from consultations.text import TEXT_LIMIT, normalise
from participation.messages import STATUS
from participation.pages.fields import offered_topic
from participation.pages.kiosk import channel_of, is_over
from participation.pages.uploads import REMOVE, Incoming, attached, look_at, put_together
from participation.pages.who_may import declared
from participation.pages.writing import (
    ABOUT,
    ALL,
    CHECK,
    CHOSEN,
    DESCRIBES,
    FORMS,
    KEPT_FIELDS,
    STEPS,
    WORDS,
    ClosedPage,
    ExpiredPage,
    Hearing,
    Kept,
    asks_title,
    draw,
    form_of,
    formal_beside,
    formal_target,
    hearing_of,
    kept_of,
    kind_sent,
    kind_wanted,
    naming_asked,
    passages_of,
    phases_here,
    place_of,
    procedure_of,
    published_parent,
    standing,
    thing_of,
    undescribed,
    who_asked,
)
from participation.security import Action, address_of, check_rate, check_upload
from participation.settings import Settings
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

#: Who goes from the form to the map comes back to what they have written: the map only knows the place.
MAP_COOKIE = "digilog_place_for"
MAP_PATIENCE = timedelta(hours=2)


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
    procedure = procedure_of(visit)
    asked = visit.request.query_params
    kind = kind_wanted(asked.get("kind", ""), phases_here(visit, procedure), visit.now)
    hearing = hearing_of(visit, procedure, kind)
    if hearing.state not in ("open", "late"):
        return _closed(visit, procedure, hearing, kind)
    data = _place_asked(visit)
    going_on = _draft_for_place(visit, procedure, kind) if data else None
    if going_on:
        slug, token = going_on
        return visit.redirect("statement_step", slug=slug, token=token, step=WORDS, **data)
    data |= {"document_id": asked.get("document", ""), "parent_id": asked.get("parent", "")}
    data |= _assumed(kind)
    step = ALL if asked.get("ansicht") == "eine-seite" else WORDS
    return draw(visit, Kept(kind, data), drafts.new_secret(), step)


def _place_asked(visit: Visit) -> dict[str, str]:
    """The place that the address names, as the map gives it."""
    asked = visit.request.query_params
    return {name: asked[name] for name in (*CHOSEN, "place_id") if asked.get(name)}


def _draft_for_place(visit: Visit, procedure: Procedure, kind: Kind) -> tuple[str, str] | None:
    """The draft from which somebody went to the map or into the picture in three dimensions: the address of its consultation,
    and its secret. That may be one that this one is a part of: most places on its map lie in a part, and whoever wrote to the
    area and then chose such a place finds their words again, not an empty form."""
    token = visit.request.cookies.get(MAP_COOKIE, "")
    if not drafts.is_secret(token):
        return None
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    if (
        draft is None
        or draft.kind != kind.value
        or draft.contribution_id is not None
        or is_over(visit, draft)
    ):
        return None
    known = {each.id: each.slug for each in (procedure, *nesting.above(visit.session, procedure))}
    return (known[draft.procedure_id], token) if draft.procedure_id in known else None


def _assumed(kind: Kind) -> dict[str, str]:
    """What is taken for granted until somebody says otherwise: publishing is the point of an informal contribution
    and the exception for a statement (Art. 25(2) GDPR)."""
    return {"publish": "no" if kind is Kind.STATEMENT else "yes"}


def _closed(visit: Visit, procedure: Procedure, hearing: Hearing, kind: Kind) -> Response:
    withdrawn = procedure.state == ProcedureState.WITHDRAWN.value
    phases = phases_here(visit, procedure)
    possible = tuple(
        (other.value, visit.url("statement", slug=procedure.slug, kind=other.value))
        for other in Kind
        if not withdrawn and other is not kind and standing(phases, other, visit.now)[0] in ("open", "late")
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
    procedure = procedure_of(visit)
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    if draft is None or is_over(visit, draft):
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
    if visit.request.query_params.get("schon") == "datei":
        notes.append(
            visit.gettext(
                "A file that you sent just now was not taken. Please attach it here again, or another one instead."
            )
        )
    kept, place = kept_of(draft), _place_asked(visit)
    if place:
        # Back from the map: shown with the form, kept when it is sent.
        kept = replace(kept, data={**kept.data, **dict.fromkeys((*CHOSEN, "place_id"), ""), **place})
    return draw(visit, kept, token, step, notes=tuple(notes))


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
        if (name in KEPT_FIELDS or is_own_section(name)) and isinstance(value, str)
    }
    sent, wanted = Sent(data), str(visit.form_data.get("do", "next"))
    if wanted.startswith(ENTER):
        wanted = "search" if _looks_for_place(visit, data) else wanted.removeprefix(ENTER)
    if wanted in ("next", "check", "send"):
        _keep_searched_place(data)
    # Whether there is anything to hand in to, before a file is looked at or kept.
    await visit.in_thread(lambda: procedure_of(visit))
    await _take_files(visit, token, sent)
    try:
        kept, answer = await visit.in_thread(
            partial(_act, visit, token, step, sent, wanted), write=True, hands_in=wanted == "send"
        )
    except Refusal as refusal:
        if refusal.code is Code.NOT_FOUND:
            raise
        # It could not be kept (database busy, disk full): then the page itself carries what was typed.
        return await visit.in_thread(partial(_draw_unkept, visit, token, step, sent, refusal))
    if answer is not None:
        return answer
    if sent.errors or sent.notes:
        status = sent.status if sent.errors else 200
        drawn = partial(
            draw, visit, kept, token, step, errors=tuple(sent.errors), notes=tuple(sent.notes), status=status
        )
        return await visit.in_thread(drawn)
    return _go_on(visit, token, step, wanted)


def _act(visit: Visit, token: str, step: str, sent: Sent, wanted: str) -> tuple[Kept, Response | None]:
    """Keep what was sent and, if that is wanted and nothing is wrong, hand it in: one transaction for both.

    What is wrong is added to `sent`; what was typed is kept all the same.
    """
    procedure = procedure_of(visit)
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


#: What stands before what the Enter key asks for in a form with a search of its own.
ENTER = "enter-"


def _looks_for_place(visit: Visit, data: Mapping[str, str]) -> bool:
    """Whether the words for a place are others than the page was drawn with: who presses Enter after them searches."""
    words = data.get("place_search", "").strip()
    return bool(words) and words != str(visit.form_data.get("searched", "")).strip()


def _keep_searched_place(data: dict[str, str]) -> None:
    """Whoever looked for a place and went on without choosing one still meant it: it is kept in words."""
    searched = data.get("place_search", "").strip()
    if searched and not data.get("place_id"):
        words = data.get("place_words", "").strip()
        data["place_words"] = words if searched in words else "; ".join(filter(None, (words, searched)))
        data["place_search"] = ""


#: What nobody types: longer than a draft holds, it is no answer to what the form asked.
_HIDDEN = ("lon", "lat", "geometry", "parent_id", "document_id", "place_id", "publish")


def _long_texts(visit: Visit, sent: Sent) -> list[Incoming]:
    """What was typed that is too long for its field: it is kept whole, as a file."""
    incoming: list[Incoming] = []
    for name in _HIDDEN:
        if len(sent.data.get(name, "")) > FIELD_LIMIT:
            # No place that can be read: said at the place, as of any other that cannot be.
            sent.data[name] = "?"
    for name, value in sent.data.items():
        if len(value) > (TEXT_LIMIT if name == "text" else FIELD_LIMIT):
            words = visit.gettext("My statement") if name == "text" else visit.gettext(_label(name))
            incoming.append((LongText(value.encode(errors="replace"), name), f"{words}.txt"))
    return incoming


def _label(name: str) -> str:
    """What the form calls a field."""
    field = FORMS[ALL]()._fields.get(name)
    return str(field.label.text) if field is not None else N_("Section")


class LongText(BytesIO):
    """What was typed into a field, on its way to becoming a file."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.field = name


async def _take_files(visit: Visit, token: str, sent: Sent) -> None:
    """Look at what came and keep what can be kept; each refused file is named."""
    incoming: list[Incoming] = []
    try:
        incoming += [(upload.file, upload.filename or "") for upload in visit.uploads("attachments")]
    except Refusal as refusal:
        sent.status = STATUS[refusal.code]
        sent.errors.append((visit.explain(refusal), "attachments"))
    incoming += _long_texts(visit, sent)
    limits = Limits(max_bytes=visit.house.settings.upload_limit_mb * MB)
    allow = partial(check_upload, visit.house.limiter, token, address_of(visit.request.scope))
    for (stream, filename), found in zip(
        incoming, await look_at(visit, incoming, limits, allow=allow), strict=True
    ):
        if isinstance(found, Refusal):
            sent.status = STATUS.get(found.code, 422)
            error = (visit.explain(found), "attachments")
            sent.errors += [error] if error not in sent.errors else []
            continue
        sent.files.append(found)
        if isinstance(stream, LongText):
            sent.data[stream.field] = ""
            sent.notes.append(
                visit.gettext(
                    "Your text is longer than the form can hold. We have kept all of it as the file “%(filename)s”.",
                    filename=filename,
                )
            )


def _keep(visit: Visit, procedure: Procedure, token: str, sent: Sent, wanted: str) -> Kept:
    """Write what was sent into the draft; begin it if it is not there, or no longer."""
    assert procedure.id is not None
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id, lock=True)
    if draft is None:
        kind = kind_sent(visit, procedure)
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
        return kept_of(draft)
    kept_files, refusal = put_together([_described(visit, each) for each in draft.files], sent.files, wanted)
    if refusal is not None:
        sent.errors.append((visit.explain(refusal), "attachments"))
    data = dict(sent.data)
    if wanted == "forget-place" or (data.get("place_id") and data["place_id"] != draft.data.get("place_id")):
        data |= dict.fromkeys(CHOSEN, "")
    if wanted == "forget-place":
        data |= {"place_id": "", "place_search": ""}
    try:
        place_of(visit, {**draft.data, **data})
    except Refusal as refusal:
        # Nobody can correct hidden fields: they go, and the form says so.
        sent.errors.append((_explain_place(visit, refusal), "place_words"))
        data |= dict.fromkeys((*CHOSEN, "place_id"), "")
    drafts.write(visit.session, draft, data, now=visit.now, files=kept_files)
    return kept_of(draft)


def _described(visit: Visit, each: dict[str, Any]) -> dict[str, Any]:
    """A kept file with what was typed about the picture, if anything was."""
    typed = visit.form_data.get(f"{DESCRIBES}{each['sha256']}")
    if not isinstance(typed, str):
        return each
    return {**each, "description": normalise(typed[:SHORT_LIMIT]).strip()}


def _after_handing_in(visit: Visit, contribution_id: int, token: str, sent: Sent) -> Response:
    """Something came for a draft that has been handed in: from a double click, or from another tab with new words."""
    contribution = received.by_id(visit.session, visit.municipality_id, contribution_id)
    words = normalise(sent.data.get("text", ""), limit=2 * TEXT_LIMIT).strip()
    if contribution is None:
        return visit.redirect("receipt", token=token)
    handed_in = {each.sha256 for each in received.attachments_of(visit.session, contribution_id)}
    files = [each for each in sent.files if each["sha256"] not in handed_in]
    words = "" if words == contribution.text.strip() else words
    if not words and not files and not sent.errors:
        return visit.redirect("receipt", token=token)
    addition = drafts.new_secret()
    begin_addition(visit, contribution, addition, text=words, files=files)
    slug = visit.request.path_params["slug"]
    return visit.redirect(
        "statement_step", slug=slug, token=addition, step=WORDS, schon="datei" if sent.errors else "ja"
    )


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
    if wanted == "city":
        visit.set_cookie(MAP_COOKIE, token, max_age=int(MAP_PATIENCE.total_seconds()))
        return visit.redirect("city", slug=slug)
    number = STEPS.index(step) if step in STEPS else 0
    following = {
        "next": STEPS[min(number + 1, 2)],
        "back": STEPS[max(number - 1, 0)],
        "check": CHECK,
        "one-page": ALL,
        "steps": WORDS,
    }.get(wanted, step)
    fragment = {"search": "#place", "forget-place": "#place", "attach": "#attachments-kept"}.get(wanted, "")
    if wanted.startswith(REMOVE):
        fragment = "#attachments-kept"
    address = visit.url("statement_step", slug=slug, token=token, step=following)
    return RedirectResponse(address + fragment, status_code=303)


def _problems(visit: Visit, kept: Kept, step: str) -> list[tuple[str, str | None]]:
    """What has to be put right before going on from this step: sentence and field; the form's own rules included."""
    found: list[tuple[str, str | None]] = []
    if step != ABOUT:
        if asks_title(kept) and not str(kept.data.get("title", "")).strip():
            found.append((visit.gettext("Please give it a title, so that others find it."), "title"))
        found += [
            (
                visit.explain(Refusal(Code.DESCRIPTION_REQUIRED, filename=file["filename"])),
                f"{DESCRIBES}{file['sha256']}",
            )
            for file in undescribed(kept)
        ]
        if not kept.files and not str(kept.data.get("text", "")).strip():
            found.append((visit.explain(Refusal(Code.EMPTY_CONTRIBUTION)), "text"))
    if step != WORDS and not _is_everybodys(kept):
        procedure = procedure_of(visit)
        found += [*_who_missing(visit, procedure, kept), *_name_missing(visit, procedure, kept)]
    form = form_of(visit, step, kept)
    if not form.validate():
        found += [(visit.gettext(message), each.id) for each in form for message in each.errors]
    if step == CHECK:
        return [(message, None) for message, _target in found]
    return found


def _is_everybodys(kept: Kept) -> bool:
    """Whether this is a formal statement, or is to be one: of that no phase asks who somebody is (R-3.2)."""
    return kept.kind is Kind.STATEMENT or (kept.kind is Kind.COMMENT and kept.data.get("formal") == "yes")


def _who_missing(visit: Visit, procedure: Procedure, kept: Kept) -> list[tuple[str, str | None]]:
    """What of themselves somebody has not said to whom the phase would be open."""
    who, said = who_asked(visit, procedure, kept), declared(kept.data)
    account: list[tuple[str, str | None]] = (
        [(visit.explain(Refusal(Code.ACCOUNT_REQUIRED)), None)] if who.sign_in_url else []
    )
    return account + [
        (visit.explain(Refusal(Code.SUPPORT_DECLARE)), name) for name in who.asked if name not in said
    ]


def _name_missing(visit: Visit, procedure: Procedure, kept: Kept) -> list[tuple[str, str | None]]:
    """The name that the phase asks for and nobody has given."""
    naming = naming_asked(visit, procedure, kept)
    lacking = naming.lacks(own=str(kept.data.get("name", "")), chosen=str(kept.data.get("pseudonym", "")))
    if not lacking:
        return []
    code = Code.OWN_NAME_REQUIRED if lacking == "name" else Code.SOME_NAME_REQUIRED
    return [(visit.explain(Refusal(code)), lacking)]


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
    field = refusal.field or ""
    is_here = field in FORMS[step]()._fields or is_own_section(field)
    return field if step != CHECK and is_here else None


# --- handing in ------------------------------------------------------------------------------------


def _hand_in(visit: Visit, procedure: Procedure, token: str) -> Response:
    """Make the draft a contribution; the receipt is at the same secret."""
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id, lock=True)
    assert draft is not None
    if draft.contribution_id is None:
        check_rate(visit.house.limiter, Action.SUBMIT, address_of(visit.request.scope))
        submission, into = _submission(visit, procedure, draft)
        contribution = contributions.submit(
            visit.session, submission, procedure=into, by=visit.by, now=visit.now
        )
        assert contribution.id is not None
        if submission.kind is Kind.COMMENT and formal_beside(visit, procedure, kept_of(draft)):
            said = str(draft.data.get("formal", ""))
            discussion.note_informal(visit.session, contribution, said, by=visit.by, now=visit.now)
        drafts.hand_over(visit.session, draft, contribution.id, now=visit.now)
    return visit.redirect("receipt", token=token)


def _submission(visit: Visit, procedure: Procedure, draft: Draft) -> tuple[Submission, Procedure]:
    """What is handed in, and to which consultation: a comment that is to be a statement may go to another one of its area."""
    data: Mapping[str, str] = draft.data
    kind, title = Kind(draft.kind), data.get("title", "")
    supplements = data.get("supplements_id", "")
    parent = published_parent(visit, procedure, data.get("parent_id"))
    into = procedure
    is_to_be_formal = kind is Kind.COMMENT and data.get("formal") == "yes" and not supplements
    target = formal_target(visit, procedure, data) if is_to_be_formal else None
    if target is not None:
        into = target
        # What counts as a statement goes the statements' way, whole; it answers nobody.
        kind = Kind.STATEMENT
        if parent is not None:
            title, parent = title or visit.gettext("On %(reference)s", reference=parent.reference), None
    informal = kind is not Kind.STATEMENT
    language = data.get("language", visit.language)
    found = thing_of(visit, data)
    on_map = found is not None and found.thing is not None and found.thing.feature is not None
    made = Submission(
        kind=kind,
        channel=channel_of(visit, procedure).key,
        key=draft.key,
        title=title,
        text=data.get("text", ""),
        passages=passages_of(visit, kept_of(draft)),
        declares=declared(data),
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
        category=offered_topic(procedure, data.get("category", "")) if informal else "",
        language=language,
        wants_publication=data.get("publish") == "yes",
        # Documents are those of the consultation that it was written in.
        document_id=row_number(data.get("document_id")) if into is procedure else None,
        section=data.get("section", ""),
        place_words=data.get("place_words", ""),
        place_id=row_number(data.get("place_id")),
        # Of an object on the map its whole shape.
        located=found.located if found is not None and on_map else place_of(visit, data),
        elevation=found.elevation if found else None,
        thing=found.thing if found else None,
        attachments=tuple(attached(each) for each in draft.files),
        parent=parent,
        supplements=(
            received.by_id(visit.session, visit.municipality_id, int(supplements)) if supplements else None
        ),
    )
    return made, into


# --- drawing ---------------------------------------------------------------------------------------


def _draw_unkept(visit: Visit, token: str, step: str, sent: Sent, refusal: Refusal) -> Response:
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    kind = kind_sent(visit, procedure_of(visit))
    before = kept_of(draft) if draft else Kept(kind, _assumed(kind))
    errors = [(visit.explain(refusal), None), *sent.errors]
    if sent.files:
        errors.append((visit.gettext("Please choose your files again when you send it."), "attachments"))
    kept = replace(before, data={**before.data, **sent.data})
    status = STATUS.get(refusal.code, 422)
    return draw(visit, kept, token, step, errors=tuple(errors), status=status)
