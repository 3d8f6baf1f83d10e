"""An amendment on a paper slip, or told at the counter: typed in for whoever brought it, section by section."""

from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.responses import Response
from wtforms import BooleanField, Form, HiddenField, StringField, TextAreaField
from wtforms.validators import Length

from consultations import amendments, contributions, drafts, proposing
from consultations.cocreation import TITLE
from consultations.contributions import Kind, Submission
from consultations.people import PersonInput
from consultations.permissions import Permission
from consultations.phases import phases_of
from consultations.proposals import ProposalVersion
from consultations.refusals import Refusal
from participation.messages import STATUS
from participation.pages.fields import CameIn, moment_of
from participation.pages.intake import names_asked
from participation.pages.proposal_amendments import amended_version, amendment_typed
from participation.pages.proposal_writing import sections_form
from participation.pages.seen_through import proposal_at_work
from participation.pages.who_may import DeclareFields, WhoMay, declared, who_may
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


class SlipForm(CameIn, DeclareFields):
    """Who brought it, how and when."""

    key = HiddenField()
    name = StringField(N_("Name"), [Length(max=contributions.SHORT_LIMIT)])
    street = StringField(N_("Street and number"), [Length(max=contributions.SHORT_LIMIT)])
    postcode = StringField(N_("Postcode"), [Length(max=contributions.SHORT_LIMIT)])
    city = StringField(N_("Town"), [Length(max=contributions.SHORT_LIMIT)])
    pseudonym = StringField(N_("Name that others may see"), [Length(max=contributions.SHORT_LIMIT)])
    wants_publication = BooleanField(N_("May be published without the name"))
    wants_letter = BooleanField(N_("Send the receipt by post"))
    wants_credit = BooleanField(N_("Name this person as a co-author if it is taken in"))


@dataclass(frozen=True)
class SlipPage:
    """The form of a slip."""

    reference: str
    title: str
    number: int
    keys: tuple[str, ...]
    #: How it reads by now, by section: what is typed is held against it.
    stands: dict[str, str]
    url: str
    back: str
    #: Which name the phase asks for, in words; empty: none.
    name_words: str
    #: To whom the phase keeps it, and why.
    who: WhoMay


@page(
    "/verwaltung/eingang/aenderung/{id:int}",
    name="amendment_intake",
    may=Permission.RECORD_INTAKE,
    methods=("GET", "POST"),
)
def slip(visit: Visit) -> Response:
    """Other words for a proposal as they stand on a slip, against the version that everybody reads."""
    _procedure, _proposal, row = proposal_at_work(visit, Permission.RECORD_INTAKE)
    base = amended_version(visit, row)
    sections, words = sections_form(visit, base, base.language)
    kind = type(
        "PaperForm",
        (sections, SlipForm),
        {"reason": TextAreaField(visit.gettext("Why is that better?"), [Length(max=proposing.NOTE_LIMIT)])},
    )
    keys = (TITLE, *(key for key in words if key != TITLE))
    if not visit.is_post:
        form: Any = visit.form(
            kind,
            sent=FormData(),
            **words,
            base=str(base.number),
            key=drafts.new_secret(),
            received_on=visit.today,
        )
        return _show(visit, base, words, keys, form)
    form = visit.form(kind)
    if not form.validate():
        return _show(visit, base, words, keys, form, status=422)
    try:
        made = _take_in(visit, base, keys, form)
    except Refusal as refusal:
        visit.reject(form, refusal)
        return _show(visit, base, words, keys, form, status=STATUS.get(refusal.code, 422))
    return visit.redirect("intake_done", id=made.contribution_id)


def _take_in(visit: Visit, base: ProposalVersion, keys: tuple[str, ...], form: Any) -> amendments.Amendment:
    """Hand it in through the one door. Raises what `amendments.propose` raises."""
    procedure, proposal, _row = proposal_at_work(visit, Permission.RECORD_INTAKE)
    token = form.key.data if form.key.data and drafts.is_secret(form.key.data) else drafts.new_secret()
    return amendments.propose(
        visit.session,
        proposal.contribution_id,
        amendment_typed(form, base, keys),
        Submission(
            kind=Kind.COMMENT,
            channel=form.channel.data or "",
            key=drafts.key_of(token),
            person=PersonInput(
                name=form.name.data or "",
                street=form.street.data or "",
                postcode=form.postcode.data or "",
                city=form.city.data or "",
            ),
            pseudonym=form.pseudonym.data or "",
            wants_publication=bool(form.wants_publication.data),
            received_at=moment_of(visit, form),
            wants_letter=bool(form.wants_letter.data),
            declares=declared(form.data),
        ),
        procedure=procedure,
        by=visit.by,
        now=visit.now,
    )


def _show(
    visit: Visit,
    base: ProposalVersion,
    words: dict[str, str],
    keys: tuple[str, ...],
    form: Form,
    *,
    status: int = 200,
) -> Response:
    procedure, proposal, row = proposal_at_work(visit, Permission.RECORD_INTAKE)
    phases = phases_of(visit.session, procedure.id or 0)
    content = SlipPage(
        row.reference,
        words[TITLE] or row.reference,
        base.number,
        keys,
        words,
        visit.url("amendment_intake", id=proposal.contribution_id),
        visit.url("support_entry", id=proposal.contribution_id),
        " ".join(names_asked(visit, phases, (Kind.COMMENT,), moment_of(visit, form))),
        who_may(visit, phases, Kind.COMMENT, at_counter=True, received_at=moment_of(visit, form)),
    )
    return visit.render("intake/amendment.html", content, form=form, status=status)
