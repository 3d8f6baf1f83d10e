"""Comments on a proposal; and what every form about a proposal shares: who says it, and the way to the receipt."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import EmailField, HiddenField, RadioField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import Email, InputRequired, Length, Optional

from consultations import contributions, discussion, drafts, proposals, proposing
from consultations.contributions import Contribution, Kind, Submission
from consultations.discussion import Beside, Stance
from consultations.people import NAME_LIMIT, PersonInput
from consultations.permissions import Permission
from consultations.phases import phases_of
from consultations.procedures import Procedure, localised
from consultations.refusals import Refusal
from participation import overview
from participation.messages import STATUS
from participation.pages.contributions_list import open_procedure
from participation.pages.fields import NAMES_ASKED, formal_question
from participation.pages.kiosk import channel_of
from participation.pages.proposal_talk import STANCES
from participation.pages.proposals import proposal_of
from participation.pages.who_may import DeclareFields, WhoMay, declared, who_may
from participation.security import Action, address_of, check_rate
from participation.web import Visit, page, row_number

#: Marks a message for the catalogues.
N_ = str

# --- what the forms about a proposal share -----------------------------------------------------------


class WhoForm(DeclareFields):
    """Who says it, as far as they wish to say."""

    key = HiddenField()
    #: Asked for only where the phase wants it.
    name = StringField(N_("Your own name"), [Length(max=NAME_LIMIT)])
    pseudonym = StringField(N_("Name that others may see"), [Length(max=contributions.SHORT_LIMIT)])
    email = EmailField(
        N_("E-mail address"),
        [
            Optional(),
            Email(N_("Please check the e-mail address: something like name@example.org.")),
            Length(max=NAME_LIMIT),
        ],
    )


@dataclass(frozen=True)
class SayPage:
    """A form about a proposal."""

    title: str
    hearing_title: str
    hearing_url: str
    proposal_title: str
    proposal_url: str
    action: str
    #: Which name the phase asks for, and that in words; empty: none.
    naming: str = ""
    name_words: str = ""
    #: To whom the phase keeps it, and why.
    who: WhoMay = field(default_factory=WhoMay)
    #: The fields of the sections, for an amendment.
    keys: tuple[str, ...] = ()
    #: The last day of the formal period that runs beside it; None: there is none.
    formal_until: date | None = None
    #: The other consultation of the same area that it belongs to; empty for this one.
    formal_in: str = ""


def say_page(
    visit: Visit,
    procedure: Procedure,
    row: Contribution,
    name: str,
    title: str,
    shown: str,
    keys: Sequence[str] = (),
) -> SayPage:
    """The page of a form about a proposal: the route `name` takes it in, `shown` is the proposal's title."""
    here = {"slug": procedure.slug, "reference": row.reference}
    phases = phases_of(visit.session, procedure.id or 0)
    naming = contributions.naming_asked(phases, Kind.COMMENT, visit.now)
    return SayPage(
        title,
        localised(procedure, visit.language, "title"),
        visit.url("hearing", slug=procedure.slug),
        shown,
        visit.url("proposal", **here),
        visit.url(name, **here),
        naming=naming.value if naming in NAMES_ASKED else "",
        name_words=visit.gettext(NAMES_ASKED[naming]) if naming in NAMES_ASKED else "",
        who=who_may(visit, phases, Kind.COMMENT),
        keys=tuple(keys),
    )


def submission_of(visit: Visit, procedure: Procedure, form: Any, token: str) -> Submission:
    """What a form of `WhoForm` says of who hands it in, as a comment without words; the secret makes it one."""
    return Submission(
        kind=Kind.COMMENT,
        channel=channel_of(visit, procedure).key,
        key=drafts.key_of(token),
        person=PersonInput(name=form.name.data or "", email=form.email.data or "", language=visit.language),
        pseudonym=form.pseudonym.data or "",
        language=visit.language,
        wants_publication=True,
        declares=declared(form.data),
    )


def to_receipt(visit: Visit, procedure: Procedure, token: str, contribution_id: int) -> Response:
    """Lead to the receipt, which stands at the secret of the form."""
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    if draft is None:
        draft = drafts.begin(
            visit.session,
            token,
            municipality_id=visit.municipality_id,
            procedure_id=procedure.id or 0,
            kind=Kind.COMMENT.value,
            data={},
            now=visit.now,
        )
    drafts.hand_over(visit.session, draft, contribution_id, now=visit.now)
    return visit.redirect("receipt", token=token)


def title_beside(visit: Visit, procedure: Procedure, beside: Beside | None) -> str:
    """What the consultation is called whose formal period runs beside another one of its area; empty for its own."""
    if beside is None or beside.procedure.id == procedure.id:
        return ""
    return localised(beside.procedure, visit.language, "title")


def secret_of(form: Any) -> str:
    """The secret that a form was sent with, or a fresh one: a form sent twice makes one contribution."""
    return form.key.data if form.key.data and drafts.is_secret(form.key.data) else drafts.new_secret()


# --- a comment ---------------------------------------------------------------------------------------


class CommentForm(WhoForm):
    """A comment, marked by its author; `antwort` is the comment that it answers."""

    antwort = HiddenField()
    stance = RadioField(
        N_("What is it?"),
        [InputRequired(N_("Please choose one."))],
        choices=[SelectChoice(key, name) for key, name in STANCES.items()],
    )
    text = TextAreaField(N_("Your comment"), [InputRequired(N_("Please write something."))])
    formal = formal_question()


@page(
    "/beteiligungen/{slug}/vorschlaege/{reference}/kommentar",
    name="proposal_comment",
    may=Permission.TAKE_PART,
    methods=("GET", "POST"),
)
def comment_page(visit: Visit) -> Response:
    """Say something for, against, or ask; `antwort` names the comment that it answers."""
    procedure = open_procedure(visit)
    proposal, row = proposal_of(visit, procedure)
    shown = proposing.shown(visit.session, row)
    version = proposals.version(visit.session, proposal.contribution_id, shown.number or 0)
    name = proposing.composed(version)[0] if version is not None else ""
    phases = phases_of(visit.session, procedure.id or 0)
    beside = discussion.formal_beside(visit.session, procedure, phases, visit.now)
    content = replace(
        say_page(
            visit, procedure, row, "proposal_comment", visit.gettext("Comment on it"), name or row.reference
        ),
        formal_until=overview.last_day(beside.phase) if beside else None,
        formal_in=title_beside(visit, procedure, beside),
    )
    if not visit.is_post:
        return visit.render(
            "proposals/comment.html",
            content,
            form=visit.form(
                CommentForm,
                sent=FormData(),
                key=drafts.new_secret(),
                antwort=visit.request.query_params.get("antwort", "")[:20],
            ),
        )
    form = visit.form(CommentForm)
    if not form.validate():
        return visit.render("proposals/comment.html", content, form=form, status=422)
    token = secret_of(form)
    try:
        check_rate(visit.house.limiter, Action.SUBMIT, address_of(visit.request.scope))
        submission = replace(submission_of(visit, procedure, form, token), text=form.text.data or "")
        if beside is not None and form.formal.data == "yes":
            # What counts as a statement goes the statements' way, whole: one receipt, one entry.
            made = contributions.submit(
                visit.session,
                replace(
                    submission,
                    kind=Kind.STATEMENT,
                    title=visit.gettext("On the proposal %(reference)s", reference=row.reference),
                ),
                procedure=beside.procedure,
                by=visit.by,
                now=visit.now,
            )
            return to_receipt(visit, beside.procedure, token, made.id or 0)
        made = discussion.comment(
            visit.session,
            proposal.contribution_id,
            Stance(form.stance.data),
            submission,
            answers_id=row_number(form.antwort.data or ""),
            procedure=procedure,
            by=visit.by,
            now=visit.now,
        )
        if beside is not None:
            discussion.note_informal(visit.session, made, form.formal.data or "", by=visit.by, now=visit.now)
    except Refusal as refusal:
        visit.reject(form, refusal)
        return visit.render(
            "proposals/comment.html", content, form=form, status=STATUS.get(refusal.code, 422)
        )
    return to_receipt(visit, procedure, token, made.id or 0)
