"""What each question about a period needs to know: the fields, and how strictly they are read.

Days are ISO texts or dates, moments ISO texts with an offset (without one: the clock on the wall of the office);
everything else is refused with the field's name. The names of the fields are those of the JSON interface.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from consultations.deadlines import LEGAL_TIME
from consultations.law import Length

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?")


def _sane_day(day: date) -> date:
    if not 1900 <= day.year <= 2100:
        raise ValueError("the year must be between 1900 and 2100")
    return day


# Moments and pairs are read here, not by pydantic, which would also take "1234567" for seconds since 1970.


def _read_day(value: object) -> date:
    if isinstance(value, date):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return date.fromisoformat(value)
    raise ValueError("expected an existing day like 2027-02-01")


def _read_moment(value: object) -> datetime:
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise ValueError("expected a moment like 2026-03-31T23:59:59+02:00")
    # A moment without a zone is what the clock on the wall of the office said.
    value = value.replace(tzinfo=LEGAL_TIME) if value.tzinfo is None else value.astimezone(LEGAL_TIME)
    _sane_day(value)
    return value


def _read_day_or_moment(value: object) -> date:
    if isinstance(value, datetime) or (isinstance(value, str) and len(value) > 10):
        return _read_moment(value)
    return _sane_day(_read_day(value))


def _pairs(read: Callable[[object], date]) -> Callable[[object], object]:
    """A reader of one pair [from, to], a list of pairs, or the text "from/to"."""

    def pairs(value: object) -> object:
        if isinstance(value, str):
            value = value.split("/")
        if not isinstance(value, list | tuple):
            raise ValueError("expected [from, to] or a list of such pairs")
        if value and not isinstance(value[0], list | tuple):
            value = [value]
        for pair in value:
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise ValueError("expected [from, to] or a list of such pairs")
        return tuple((read(first), read(last)) for first, last in value)

    return pairs


def _some_length(value: object) -> object:
    if isinstance(value, Length):
        return value
    found = (
        re.fullmatch(r"\s*(\d{1,3})\s*(month|week|day)s?\s*", str(value)) if isinstance(value, str) else None
    )
    if not found or int(found[1]) == 0:
        raise ValueError("expected a length like '1 month', '2 weeks' or '10 days'")
    number, unit = int(found[1]), found[2]
    return Length(months=number) if unit == "month" else Length(days=number * (7 if unit == "week" else 1))


Day = Annotated[date, AfterValidator(_sane_day)]
Moment = Annotated[datetime, BeforeValidator(_read_moment)]
DayOrMoment = Annotated[date | datetime, BeforeValidator(_read_day_or_moment)]
Days = tuple[date, date]
Moments = tuple[datetime, datetime]
SomeLength = Annotated[Length, BeforeValidator(_some_length)]


class Facts(BaseModel):
    """What a question needs to know. Fields it does not use are kept aside and reported, not guessed at."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, arbitrary_types_allowed=True)

    #: The name of a known seat, instead of the seat of the municipality that asks.
    city: str | None = None


class PublicationFacts(Facts):
    start: Day
    announced_end: Day | None = None
    announced_on: Day | None = None
    online_since: Moment | None = None
    important_reason: bool = False


class HistoricFacts(Facts):
    start: Day
    floor_days: int | None = None
    displayed_until: Day | None = None


class SimplifiedFacts(Facts):
    variant: str
    start: Day | None = None
    end: Day | None = None
    announced_end: Day | None = None
    announced_on: Day | None = None
    online_since: Moment | None = None
    important_reason: bool = False


class FreeFacts(Facts):
    start: Day
    end: Day | None = None


class AgenciesFacts(Facts):
    request_received: Day
    announced_end: Day | None = None


class RenewedFacts(Facts):
    change_touches_interests: bool = True
    obvious: bool = True
    start: Day | None = None
    end: Day | None = None


class LateFacts(Facts):
    track: Literal["public", "agency"] = "public"
    hint_given: bool = True
    content_known: bool
    should_have_been_known: bool = False
    relevant_for_lawfulness: bool


class LateObjectionFacts(Facts):
    hint_given: bool = True
    private_title: bool
    law_version: Literal["old", "new"] = "new"


class ConsentFacts(Facts):
    request_received: Day
    public_participation: SomeLength | None = None


class ApprovalFacts(Facts):
    application_received: Day
    extended_by: SomeLength | None = None


class AnnouncedFacts(Facts):
    announced_on: Day


class DisplayFacts(Facts):
    display_start: Day
    display_end: Day | None = None


class NewDisplayFacts(Facts):
    display_start: Day
    display_end: Day | None = None
    announced_end: Day | None = None
    plan_complete_on: Day | None = None


class DisplayEndFacts(Facts):
    display_end: Day
    display_start: Day | None = None


class ImmissionFacts(Facts):
    display_start: Day
    display_end: Day | None = None
    ied: bool = False


class LawChoiceFacts(Facts):
    authority: str
    initiated_on: Day


class ChangeFacts(Facts):
    notified_on: Day
    law_version: Literal["old", "new"] = "new"


class HearingFacts(Facts):
    hearing_on: Day | None = None
    announced_on: Day | None = None
    objection_end: Day | None = None
    law_version: Literal["old", "new"] = "new"


class PeriodFacts(Facts):
    start: Day
    end: Day


class AnnouncementFacts(Facts):
    procedure: str
    ortsueblich_on: Day | None = None
    web_on: Day | None = None
    start: Day | None = None


class RegionalPlanFacts(Facts):
    start: Day | None = None
    statement_end: Day | None = None
    announced_on: Day | None = None


class EventFacts(Facts):
    event: Day
    recess: Annotated[tuple[Days, ...], BeforeValidator(_pairs(_read_day))] = ()


class RequestFacts(Facts):
    received: Day
    months: int = 1


class FeedbackFacts(Facts):
    received: Day


class BreachFacts(Facts):
    aware_at: Moment


class ComplaintFacts(Facts):
    decision_notified: Day


class AgeFacts(Facts):
    born: Day
    on: Day


class ReceiptFacts(Facts):
    effective_end: Day
    received: DayOrMoment
    channel: str = "letter"
    start: Day | None = None
    opened: DayOrMoment | None = None
    postmark: Day | None = None


class OutageFacts(Facts):
    period_end: Day
    period_start: Day | None = None
    outage: Annotated[tuple[Moments, ...], BeforeValidator(_pairs(_read_moment))]
