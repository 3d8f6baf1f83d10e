"""The moderator's queue: take the next, decide with a reason, take it back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import (
    BooleanField,
    Form,
    HiddenField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from consultations import channels, moderation, privacy, procedures, received, topics, whereabouts
from consultations.contributions import SHORT_LIMIT, Contribution, Kind, PublicationState
from consultations.moderation import Action, Decision, Reason
from consultations.permissions import Permission, reach
from consultations.procedures import Procedure
from consultations.refusals import Refusal
from consultations.text import excerpt
from consultations.whereabouts import Whereabouts
from participation.messages import STATUS
from participation.pages.fields import topic_choices
from participation.pages.on_file import FileOnRecord, Line, files, line
from participation.pages.place_words import where_in_words
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

PAGE_LENGTH = 25

#: What a reason is called; each stands in the published rules.
REASONS: dict[Reason, str] = {
    Reason.PERSONAL_DATA: N_("Personal data of the person who wrote it"),
    Reason.THIRD_PARTY: N_("Personal data of somebody else"),
    Reason.INSULT: N_("Insults somebody"),
    Reason.UNLAWFUL: N_("Breaks the law"),
    Reason.ADVERTISING: N_("Advertising"),
    Reason.OFF_TOPIC: N_("Has nothing to do with this consultation"),
    Reason.DUPLICATE: N_("Says the same as another contribution of the same person"),
    Reason.COPYRIGHT: N_("Somebody else's work without permission"),
}

ACTIONS: dict[Action, str] = {
    Action.PUBLISH: N_("Publish as it is"),
    Action.REDACT: N_("Publish with words blacked out"),
    Action.WITHHOLD: N_("Keep from the public"),
    Action.RETURN: N_("A later version was returned"),
    Action.UNDO: N_("Decision taken back"),
}

#: What a moderator chooses from for what was handed in; later versions have a page of their own.
CHOICES = (Action.PUBLISH, Action.REDACT, Action.WITHHOLD)

TRAITS: dict[privacy.Trait, str] = {
    privacy.Trait.EMAIL: N_("E-mail address"),
    privacy.Trait.PHONE: N_("Telephone number"),
    privacy.Trait.PARCEL: N_("Parcel number"),
    privacy.Trait.NAMED_PERSON: N_("Name of a person"),
    privacy.Trait.HOUSE_NUMBER: N_("Street with house number"),
    privacy.Trait.BANK_ACCOUNT: N_("Bank account"),
    privacy.Trait.NUMBER_PLATE: N_("Number plate"),
}


class DecisionForm(Form):
    """What a moderator decides."""

    seen = HiddenField()
    action = RadioField(
        N_("What may the public see?"),
        [InputRequired(N_("Please choose one."))],
        choices=[SelectChoice(action.value, ACTIONS[action]) for action in CHOICES],
    )
    reason = SelectField(
        N_("Reason"),
        [Optional()],
        choices=[
            SelectChoice("", N_("Please choose")),
            *(SelectChoice(each.value, REASONS[each]) for each in REASONS),
        ],
    )
    explanation = TextAreaField(N_("A word to the person who wrote it"))
    title = StringField(N_("Public title"))
    text = TextAreaField(N_("Public text"))
    hides_place = BooleanField(N_("Keep the exact place from the public"))
    place_words = StringField(N_("Place that everybody may read"), [Length(max=moderation.PLACE_LIMIT)])
    hidden_attachments = SelectMultipleField(
        N_("Attachments that stay hidden"),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        validate_choice=False,
    )


@dataclass(frozen=True)
class Row(Line):
    """One item of the queue."""

    kind: str
    held_by: str


@dataclass(frozen=True)
class Queue:
    """The queue, page by page."""

    rows: tuple[Row, ...]
    waiting: int
    older: str
    done: "Done | None"


@dataclass(frozen=True)
class Done:
    """What was decided a moment ago, to be taken back if it was a slip."""

    id: int
    reference: str
    action: str
    #: How many decisions there were when this was shown; taking back takes back the last of these.
    seen: int


@dataclass(frozen=True)
class Past:
    """An earlier decision."""

    at: datetime
    by: str
    action: str
    reason: str
    explanation: str


@dataclass(frozen=True)
class Item:
    """One contribution before its moderator."""

    id: int
    reference: str
    title: str
    text: str
    received_at: datetime
    channel: str
    kind: str
    procedure: str
    procedure_url: str
    place: str
    is_late: bool
    state: PublicationState
    is_mine: bool
    held_by: str
    hints: tuple[tuple[str, str], ...]
    files: tuple[FileOnRecord, ...]
    history: tuple[Past, ...]
    can_undo: bool
    seen: int
    done: Done | None
    #: What else was typed and is public with it, as rows of a summary list.
    typed: tuple[tuple[str, str, str, str], ...]
    #: Whether it has an exact place, which can be kept from the public.
    is_on_map: bool
    #: Under which topic lists show it; None where the consultation offers none.
    topic_form: "TopicForm | None"


class TopicForm(Form):
    """Under which topic lists and maps show it."""

    topic = SelectField(N_("Topic in lists and on the map"), choices=[], validate_choice=False)


def _topic_form(visit: Visit, procedure: Procedure, row: Contribution) -> TopicForm | None:
    if row.kind == Kind.STATEMENT.value or not (procedure.subjects or row.topic):
        return None
    form = visit.form(TopicForm, sent=FormData(), topic=row.topic)
    form.topic.choices = [SelectChoice("", N_("No topic")), *topic_choices(procedure, visit.language)]
    if row.topic and row.topic not in procedures.subject_names(procedure):
        form.topic.choices.append(SelectChoice(row.topic, row.topic))
    return form


def _places(visit: Visit) -> tuple[int, ...] | None:
    return reach(visit.by, Permission.MODERATE, visit.municipality_id)


def _done(visit: Visit) -> Done | None:
    wanted = visit.request.query_params.get("done", "")
    row = received.by_id(visit.session, visit.municipality_id, row_number(wanted) or 0)
    if row is None or row.id is None:
        return None
    past = moderation.history(visit.session, row.id)
    return (
        Done(row.id, row.reference, visit.gettext(ACTIONS[Action(past[0].action)]), row.decisions)
        if past
        else None
    )


@page("/verwaltung/moderation", name="moderation", may=Permission.MODERATE)
def queue(visit: Visit) -> Response:
    """What awaits a decision, oldest first."""
    after = visit.request.query_params.get("after", "")
    items = moderation.queue(
        visit.session,
        visit.municipality_id,
        now=visit.now,
        procedure_ids=_places(visit),
        after_id=row_number(after) or 0,
        limit=PAGE_LENGTH + 1,
    )
    shown = items[:PAGE_LENGTH]
    titles = procedures.titles(visit.session, {item.contribution.procedure_id for item in shown})
    rows = tuple(
        Row(
            **line(visit, item.contribution, titles[item.contribution.procedure_id]),
            kind=item.contribution.kind,
            held_by=item.claimed_by if item.claimed_person_id != visit.by.person_id else "",
        )
        for item in shown
    )
    more = visit.url("moderation", after=rows[-1].id) if len(items) > PAGE_LENGTH else ""
    waiting = moderation.waiting_count(visit.session, visit.municipality_id, procedure_ids=_places(visit))
    return visit.render("moderation/queue.html", Queue(rows, waiting, more, _done(visit)))


@page("/verwaltung/moderation/naechster", name="moderation_next", may=Permission.MODERATE, methods=("POST",))
def take_next(visit: Visit) -> Response:
    """Open the oldest item that nobody else has open."""
    return _on_to_next(visit)


def _on_to_next(visit: Visit, **facts: object) -> Response:
    row = moderation.next_free(
        visit.session, visit.municipality_id, by=visit.by, now=visit.now, procedure_ids=_places(visit)
    )
    if row is None:
        return visit.redirect("moderation", **facts)
    moderation.claim(visit.session, row, by=visit.by, now=visit.now)
    return visit.redirect("moderation_item", id=row.id, **facts)


def _load(visit: Visit) -> Contribution:
    row = received.by_id(visit.session, visit.municipality_id, int(visit.request.path_params["id"]))
    if row is None:
        visit.not_found()
    procedure = procedures.by_id(visit.session, visit.municipality_id, row.procedure_id)
    visit.require(Permission.MODERATE, procedure)
    return row


@page(
    "/verwaltung/moderation/{id:int}",
    name="moderation_item",
    may=Permission.MODERATE,
    methods=("GET", "POST"),
)
def item(visit: Visit) -> Response:
    """One contribution: read it, decide on it."""
    row = _load(visit)
    spot = _spot(visit, row)
    # Where others read a later version, its words are the ones that may have to be blacked out.
    shown = moderation.shown_version(visit.session, row)
    form = visit.form(
        DecisionForm,
        seen=str(row.decisions),
        title=shown.title if shown else row.title,
        text=shown.text if shown else row.text,
        place_words=spot.district if spot else "",
    )
    form.hidden_attachments.choices = _choices(visit, row)
    if not visit.is_post:
        return _show(visit, row, form)
    if not form.validate():
        return _show(visit, row, form, status=422)
    try:
        moderation.decide(
            visit.session,
            row,
            _decision(form),
            by=visit.by,
            now=visit.now,
            expected_decisions=int(form.seen.data) if (form.seen.data or "").isdecimal() else None,
        )
    except Refusal as refusal:
        visit.reject(form, refusal)
        return _show(visit, _load(visit), form, status=STATUS.get(refusal.code, 422))
    return _on_to_next(visit, done=row.id)


def _spot(visit: Visit, row: Contribution) -> Whereabouts | None:
    """Where the place on the map is, in words; None if there is none."""
    if row.lon is None or row.lat is None:
        return None
    return whereabouts.of(visit.session, visit.municipality_id, [(row.lon, row.lat)])[0]


def _decision(form: DecisionForm) -> Decision:
    return Decision(
        action=Action(form.action.data),
        reason=Reason(form.reason.data) if form.reason.data else None,
        explanation=form.explanation.data or "",
        title=form.title.data or "",
        text=form.text.data or "",
        hides_place=form.hides_place.data,
        place_words=(form.place_words.data or "") if form.hides_place.data else "",
        hidden_attachments=tuple(
            int(each) for each in form.hidden_attachments.data or () if each.isdecimal()
        ),
    )


def _choices(visit: Visit, row: Contribution) -> list[Any]:
    assert row.id is not None
    return [
        SelectChoice(str(file.position), file.filename)
        for file in received.attachments_of(visit.session, row.id)
    ]


def _show(visit: Visit, row: Contribution, form: DecisionForm, *, status: int = 200) -> Response:
    assert row.id is not None
    procedure = procedures.by_id(visit.session, visit.municipality_id, row.procedure_id)
    assert procedure is not None
    held = moderation.claim_on(visit.session, row.id, now=visit.now)
    past = moderation.history(visit.session, row.id)
    spot = _spot(visit, row)
    on_map = (where_in_words(visit, spot) or visit.gettext("a place without a name")) if spot else ""
    typed = tuple(
        (name, words, "", "")
        for name, words in (
            (visit.gettext("Topic"), row.category),
            (visit.gettext("Section or page"), row.section),
            (visit.gettext("Name that others may see"), row.pseudonym),
            (visit.gettext("Place in words"), row.place_words),
            (visit.gettext("Place on the map"), on_map),
        )
        if words
    )
    return visit.render(
        "moderation/item.html",
        Item(
            id=row.id,
            reference=row.reference,
            title=row.title,
            text=row.text,
            received_at=row.received_at,
            channel=visit.gettext(channels.by_key(row.channel).label),
            kind=row.kind,
            procedure=procedures.localised(procedure, visit.language, "title"),
            procedure_url=visit.url("hearing", slug=procedure.slug),
            place=row.place_words,
            is_late=row.is_late,
            state=PublicationState(row.publication),
            is_mine=held is not None and held.person_id == visit.by.person_id,
            held_by=held.name if held and held.person_id != visit.by.person_id else "",
            hints=tuple(
                (hint.words, visit.gettext(TRAITS[hint.trait]))
                for words in (row.title, row.text, *(each[1] for each in typed))
                for hint in privacy.hints(words)
            ),
            files=files(visit, received.attachments_of(visit.session, row.id)),
            history=tuple(
                Past(
                    each.at,
                    each.by_name,
                    visit.gettext(ACTIONS[Action(each.action)]),
                    visit.gettext(REASONS[Reason(each.reason)]) if each.reason else "",
                    each.explanation,
                )
                for each in past
            ),
            can_undo=moderation.last_to_undo(past) is not None,
            seen=row.decisions,
            typed=typed,
            topic_form=_topic_form(visit, procedure, row),
            is_on_map=spot is not None,
            done=_done(visit),
        ),
        status=status,
        form=form,
    )


@page(
    "/verwaltung/moderation/{id:int}/thema",
    name="moderation_topic",
    may=Permission.MODERATE,
    methods=("POST",),
)
def put_right(visit: Visit) -> Response:
    """Put it under another topic; what was handed in stays as it is."""
    row = _load(visit)
    topic = str(visit.form_data.get("topic", ""))[:SHORT_LIMIT]
    topics.put_right(visit.session, row, topic, by=visit.by, now=visit.now)
    return visit.redirect("moderation_item", id=row.id, gespeichert=1)


@page(
    "/verwaltung/moderation/{id:int}/oeffnen",
    name="moderation_claim",
    may=Permission.MODERATE,
    methods=("POST",),
)
def take(visit: Visit) -> Response:
    """Have this item to oneself for a while."""
    row = _load(visit)
    moderation.claim(visit.session, row, by=visit.by, now=visit.now)
    return visit.redirect("moderation_item", id=row.id)


@page(
    "/verwaltung/moderation/{id:int}/freigeben",
    name="moderation_release",
    may=Permission.MODERATE,
    methods=("POST",),
)
def give_back(visit: Visit) -> Response:
    """Put this item back into the queue."""
    row = _load(visit)
    moderation.release(visit.session, row, by=visit.by)
    return visit.redirect("moderation", gespeichert=1)


@page(
    "/verwaltung/moderation/{id:int}/vorschlag",
    name="moderation_suggest",
    may=Permission.MODERATE,
    methods=("POST",),
)
def suggest(visit: Visit) -> Response:
    """The form again, with every hinted passage blacked out as a start; nothing is decided yet."""
    row = _load(visit)
    form = visit.form(DecisionForm)
    form.hidden_attachments.choices = _choices(visit, row)
    form.action.data = Action.REDACT.value
    form.text.data = privacy.blacked_out(row.text, privacy.hints(row.text))
    return _show(visit, row, form)


@page(
    "/verwaltung/moderation/{id:int}/zuruecknehmen",
    name="moderation_undo",
    may=Permission.MODERATE,
    methods=("POST",),
)
def take_back(visit: Visit) -> Response:
    """Take the last decision back."""
    row = _load(visit)
    seen = row_number(str(visit.form_data.get("seen", "")))
    moderation.undo(visit.session, row, by=visit.by, now=visit.now, expected_decisions=seen)
    return visit.redirect("moderation_item", id=row.id, gespeichert=1)


@page("/verwaltung/moderation/entschieden", name="moderation_decided", may=Permission.MODERATE)
def decided(visit: Visit) -> Response:
    """What was decided lately, newest first, by whom; each can be opened and taken back."""
    before = visit.request.query_params.get("before", "")
    found = moderation.decisions(
        visit.session,
        visit.municipality_id,
        procedure_ids=_places(visit),
        before_id=row_number(before),
        limit=PAGE_LENGTH + 1,
    )
    rows = tuple(
        DecidedRow(
            row.contribution.id or 0,
            row.contribution.reference,
            row.contribution.title or excerpt(row.contribution.text, 120) or row.contribution.reference,
            row.decision.at,
            row.decision.by_name,
            visit.gettext(ACTIONS[Action(row.decision.action)]),
            visit.gettext(REASONS[Reason(row.decision.reason)]) if row.decision.reason else "",
        )
        for row in found[:PAGE_LENGTH]
    )
    older = (
        visit.url("moderation_decided", before=found[PAGE_LENGTH - 1].decision.id)
        if len(found) > PAGE_LENGTH
        else ""
    )
    return visit.render("moderation/decided.html", Decided(rows, older))


@dataclass(frozen=True)
class DecidedRow:
    """One decision in the list."""

    id: int
    reference: str
    title: str
    at: datetime
    by: str
    action: str
    reason: str


@dataclass(frozen=True)
class Decided:
    """The list of decisions, page by page."""

    rows: tuple[DecidedRow, ...]
    older: str
