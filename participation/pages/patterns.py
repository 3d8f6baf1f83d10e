"""All components in all states on one page, for those who build, judge or test the look."""

from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup
from starlette.responses import Response
from wtforms import (
    BooleanField,
    DateField,
    EmailField,
    FileField,
    Form,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields import SelectChoice
from wtforms.validators import Email, InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from consultations.permissions import Permission
from participation.web import Visit, page

#: Marks a message for the catalogues.
N_ = str


class PatternForm(Form):
    """One field of each kind."""

    text = TextAreaField(
        N_("Your statement"), [InputRequired(N_("Please write something or attach a file."))]
    )
    name = StringField(N_("Name"))
    email = EmailField(
        N_("E-mail address"), [Email(N_("Please check the e-mail address: something like name@example.org."))]
    )
    topic = SelectField(
        N_("Topic"),
        choices=[
            SelectChoice("", N_("Please choose")),
            SelectChoice("traffic", N_("Traffic")),
            SelectChoice("green", N_("Green spaces and climate")),
        ],
    )
    publish = RadioField(
        N_("May we publish your contribution?"),
        [InputRequired(N_("Please choose whether we may publish it."))],
        choices=[
            SelectChoice("yes", N_("Yes, without my name")),
            SelectChoice("no", N_("No, only for the town hall")),
        ],
    )
    topics = SelectMultipleField(
        N_("What is it about?"),
        choices=[SelectChoice("traffic", N_("Traffic")), SelectChoice("noise", N_("Noise"))],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    receipt = BooleanField(N_("Send me the receipt by e-mail"))
    received = DateField(N_("Received on"))
    file = FileField(N_("Attachments"))


@dataclass(frozen=True)
class Patterns:
    """What the page shows beside fixed words: a form as it arrives, refused, as a filter, and days around today."""

    form: PatternForm
    refused: PatternForm
    filter: PatternForm
    days: dict[str, date]
    map_skeleton: Markup


@page("/muster", name="patterns", may=Permission.READ_PUBLIC, shared=True)
def show(visit: Visit) -> Response:
    """The pattern page."""
    meta = {"locales": [visit.language], "gettext": visit.gettext}
    form, refused, wanted = (PatternForm(prefix=prefix, meta=meta) for prefix in ("", "refused-", "filter-"))
    refused.process(data={"email": "maria", "topic": ""})
    refused.validate()
    days = {name: visit.today + timedelta(days=offset) for name, offset in _DAYS.items()}
    return visit.render("patterns.html", Patterns(form, refused, wanted, days, Markup(_MAP)))


_DAYS = {"begun": -17, "ended": -20, "soon": 18, "near": 3, "open": 12, "last": 49, "decided": -200}

#: Stands in for the skeleton that geo.maps makes.
_MAP = (
    '<svg viewBox="0 0 480 192" preserveAspectRatio="xMidYMid slice" aria-hidden="true">'
    '<path d="M-10 60 130 34l120 22 240-44M128-10l22 140 22 80" fill="none" stroke="#7b8487" stroke-width="6"/>'
    '<path d="m312 74 22-4 14 78-30 6-22-34z" fill="#a8481f" fill-opacity=".35" stroke="#a8481f"/></svg>'
)
