"""Who may propose, comment, support and vote: what a phase asks people to say of themselves, and by what right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wtforms import BooleanField, Form

from consultations import contributions
from consultations.contributions import Kind
from consultations.phases import Phase
from participation.web import Visit

#: Marks a message for the catalogues.
N_ = str

#: What can be asked, by the names of the fields.
DECLARED = ("age", "resident")


class Ticked(BooleanField):
    """A tick with an empty hidden field of the same name before it: a draft, which keeps what is sent, forgets it, too."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """The last value counts."""
        super().process_formdata(valuelist[-1:])


class DeclareFields(Form):
    """What somebody says of themselves, where a limit asks; nobody has to prove it here."""

    age = Ticked(N_("I am old enough"))
    resident = Ticked(N_("I live here"))


@dataclass(frozen=True)
class WhoMay:
    """Who may take part. `asked`: names of `DeclareFields`; `ground`, `contact`: why, and who answers for it."""

    asked: tuple[str, ...] = ()
    minimum_age: int | None = None
    ground: str = ""
    contact: str = ""
    #: Where to sign in, for whoever has to; empty for everybody else.
    sign_in_url: str = ""


def who_may(
    visit: Visit,
    phases: Sequence[Phase],
    *kinds: Kind,
    at_counter: bool = False,
    received_at: datetime | None = None,
) -> WhoMay:
    """Who may hand these kinds in now, or could when something was received; what the counter enters needs no account."""
    found = [contributions.writers_asked(phases, kind, received_at or visit.now) for kind in kinds]
    asking = [each.limits for each in found if each.limits.asked]
    needs_account = visit.by.person_id is None and any(each.needs_account for each in found)
    here = visit.request.url
    return WhoMay(
        asked=tuple(name for name in DECLARED if any(name in each.limits.asked for each in found)),
        minimum_age=max((each.minimum_age or 0 for each in asking if "age" in each.asked), default=None),
        ground=" ".join(dict.fromkeys(each.ground for each in asking)),
        contact=", ".join(dict.fromkeys(each.contact for each in asking)),
        sign_in_url=visit.url("sign_in", next=f"{here.path}?{here.query}".rstrip("?"))
        if needs_account and not at_counter
        else "",
    )


def declared(sent: Mapping[str, Any]) -> frozenset[str]:
    """What somebody has ticked, of what a form sent or a draft keeps."""
    return frozenset(name for name in DECLARED if sent.get(name))
