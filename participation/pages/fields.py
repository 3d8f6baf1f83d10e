"""Fields that several forms have in common: what something refers to, who it is from, and at the counter how and when it came."""

from collections.abc import Callable, Mapping
from datetime import datetime, time
from typing import Any

from wtforms import DateField, EmailField, Field, Form, RadioField, SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Email, InputRequired, Optional, ValidationError
from wtforms.widgets import Select, TextInput

from consultations import channels
from consultations.channels import Entry
from consultations.cocreation import Naming
from consultations.contributions import SHORT_LIMIT
from consultations.deadlines import LEGAL_TIME
from consultations.people import NAME_LIMIT
from consultations.procedures import Procedure, offered_subject, subject_in, subject_names
from consultations.refusals import Code
from participation.messages import MESSAGES
from participation.web import Visit

#: Marks a message for the catalogues.
N_ = str


#: Which name a phase asks for, said beside the fields before anybody types; where it asks for none, each form says that.
NAMES_ASKED: Mapping[Naming, str] = {
    Naming.CHOSEN: N_(
        "Here a name is asked for; a made-up one is enough. Others read only the name that you write for them, never another one."
    ),
    Naming.OWN: N_(
        "Here your own name is asked for. Only the town hall reads it, and it is not published. Others read only a name that you "
        "write for them, if you like."
    ),
}


def _stripped(value: str | None) -> str:
    return (value or "").strip()


def _at_most(limit: int) -> Callable[[Form, Field], None]:
    def check(form: Form, field: Field) -> None:
        if len(field.data or "") > limit:
            raise ValidationError(form.meta.gettext(MESSAGES[Code.TEXT_TOO_LONG]) % {"limit": limit})

    return check


def short(label: str, limit: int = SHORT_LIMIT) -> StringField:
    """A line of at most so many characters."""
    return StringField(label, [_at_most(limit)], filters=[_stripped])


def formal_question() -> RadioField:
    """Asked of a comment only while a formal period runs beside it; no answer is the informal one."""
    return RadioField(
        N_("A formal period is running. Shall this count as a formal statement?"),
        [Optional()],
        choices=[
            SelectChoice("yes", N_("Yes, hand it in as a formal statement")),
            SelectChoice("no", N_("No, it is a comment")),
        ],
        validate_choice=False,
    )


class TopicField(SelectField):
    """What something is about: a line of one's own, or where the consultation offers topics, one of them."""

    widget = TextInput()

    def __init__(self, label: str, **more: Any) -> None:
        super().__init__(
            label, [_at_most(SHORT_LIMIT)], filters=[_stripped], choices=[], validate_choice=False, **more
        )

    def _value(self) -> str:
        """For a line: what stands in it."""
        return str(self.data or "")

    def offer(self, procedure: Procedure, language: str) -> None:
        """Let one of the consultation's topics be chosen, if it offers any."""
        if procedure.subjects:
            self.choices = [SelectChoice("", N_("No topic")), *topic_choices(procedure, language)]
            self.widget = Select()


def topic_choices(procedure: Procedure, language: str) -> list[SelectChoice]:
    """The topics that the consultation offers, in a language."""
    return [SelectChoice(name, subject_in(procedure, name, language)) for name in subject_names(procedure)]


def offered_topic(procedure: Procedure, typed: str) -> str:
    """A topic as it is handed in: where topics are offered, one of them or none."""
    return offered_subject(procedure, typed) if procedure.subjects else typed


class ReferenceFields(Form):
    """What somebody's words are about: a document, a part of it, a place."""

    document_id = SelectField(N_("Document"), choices=[], validate_choice=False)
    section = short(N_("Section or page"))
    place_search = short(N_("Look for a street, a district or a parcel"))
    place_id = RadioField(N_("Which of these places?"), choices=[], validate_choice=False)


class SenderFields(Form):
    """Who it is from, as far as they said."""

    name = short(N_("Name"), NAME_LIMIT)
    email = EmailField(
        N_("E-mail address"),
        [
            Optional(),
            Email(N_("Please check the e-mail address: something like name@example.org.")),
            _at_most(NAME_LIMIT),
        ],
        filters=[_stripped],
    )
    street = short(N_("Street and number"), NAME_LIMIT)
    postcode = short(N_("Postcode"), NAME_LIMIT)
    city = short(N_("Town or city"), NAME_LIMIT)


# --- at the counter ----------------------------------------------------------------------------------


def day_of_receipt() -> DateField:
    """When paper, or a call, reached the town; as a browser sends a day, and as people write one."""
    return DateField(
        N_("Day of receipt"),
        [InputRequired(N_("Please enter the day on which it reached us, such as 02.03.2027."))],
        format=["%Y-%m-%d", "%d.%m.%Y"],
    )


class ByWhatWay(Form):
    """How something reached the counter."""

    channel = SelectField(
        N_("How did it reach us?"),
        [InputRequired(N_("Please choose how it reached us."))],
        choices=[
            SelectChoice("", N_("Please choose")),
            *(SelectChoice(each.key, each.label) for each in channels.entered_by(Entry.CLERK)),
        ],
    )


class CameIn(ByWhatWay):
    """How and when it did. Templates show it by `came_in` of components/staff.html; `moment_of` says which moment counts."""

    received_on = day_of_receipt()


def moment_of(visit: Visit, form: Any, at: time | None = None) -> datetime:
    """The moment that counts. Without a time it is the day (its first moment, which is shown without a time), or this
    moment for today: a letter that was in the box on the last day is in time, whenever somebody opened it."""
    day = form.received_on.data or visit.today
    if at is None and day == visit.today:
        return visit.now
    return datetime.combine(day, at or time(), LEGAL_TIME)
