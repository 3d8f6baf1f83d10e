"""Every question about a statutory period, with its answer and the proof.

`ask("bauleitplan_publication", {"start": date(2027, 2, 1)}, seat=seat)` answers with the earliest lawful end, the
recommended one, the one until which statements are in time, findings (BLOCK, WARN, INFO), each with source and
sentence, and the whole computation step by step. `QUESTIONS` lists all questions with their fields.

Pure: rules come from `law`, working days from the given seat, contested readings from the given `Policy`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from consultations.computation import Answer, Computation, End, Impossible, length_of
from consultations.deadlines import (
    LEGAL_TIME,
    age_on,
    earliest_event,
    event_counted,
    full_days_between,
    is_in_time,
    latest_notice,
    local_date,
    resting,
    start_counted,
)
from consultations.law import OLD_VWVFG_CHOICE_UNTIL, Both, Length, Policy, Rule, rule, rule_of_version
from consultations.legal_facts import (
    AgeFacts,
    AgenciesFacts,
    AnnouncedFacts,
    AnnouncementFacts,
    ApprovalFacts,
    BreachFacts,
    ChangeFacts,
    ComplaintFacts,
    ConsentFacts,
    Days,
    DisplayEndFacts,
    DisplayFacts,
    EventFacts,
    Facts,
    FeedbackFacts,
    FreeFacts,
    HearingFacts,
    HistoricFacts,
    ImmissionFacts,
    LateFacts,
    LateObjectionFacts,
    LawChoiceFacts,
    Moments,
    NewDisplayFacts,
    OutageFacts,
    PeriodFacts,
    PublicationFacts,
    ReceiptFacts,
    RegionalPlanFacts,
    RenewedFacts,
    RequestFacts,
    SimplifiedFacts,
)
from consultations.reasons import Sentence
from consultations.seats import Seat, SeatBook

_DAY = timedelta(days=1)
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_OLD, _NEW = "VwVfG until 2026-07-28", "VwVfG 2026-07-29"


# --- BauGB ----------------------------------------------------------------------------------------------------


def _publication(facts: PublicationFacts, c: Computation) -> None:
    start = facts.start
    law = c.use(rule("baugb_publication", on=start))
    if facts.online_since is not None:
        online_on = local_date(facts.online_since)
        late = facts.online_since.timetz().replace(tzinfo=None) > datetime.min.time()
        start = max(start, online_on + _DAY if late and c.policy.start_after_late_upload else online_on)
        if start != facts.start:
            c.step("online_late", law.source, online=facts.online_since, start=start)
        c.results["effective_start"] = start
    month_end, floor_end, minimum = c.minimum(law, start)
    if not c.seat.is_working_day(start):
        c.find("start_on_non_working_day", law.source, day=start, kind=c.kind(start))
    recommended = c.recommend(law, minimum)
    if not c.seat.is_working_day(minimum):
        c.find(
            "minimum_end_on_non_working_day",
            law.source, day=minimum, kind=c.kind(minimum), recommended=recommended,
        )  # fmt: skip
    c.results |= {
        "month_end": month_end,
        "floor_end": floor_end,
        "floor_binding": floor_end is not None and floor_end > month_end,
        "minimum_end": minimum,
        "minimum_end_weekday": _WEEKDAYS[minimum.weekday()],
        "recommended_end": recommended,
        "days_displayed_minimum": (minimum - start).days + 1,
    }
    if facts.announced_on is not None:
        c.judge_lead(c.use(rule("baugb_announcement", on=start)), facts.announced_on, start)
    c.judge_announced(law, facts.announced_end, minimum)
    if facts.important_reason and facts.announced_end is not None and facts.announced_end <= recommended:
        c.find("important_reason_without_longer_period", law.source)


def _publication_historic(facts: HistoricFacts, c: Computation) -> None:
    law = c.use(rule_of_version("baugb_publication", "BBauG 1960"), facts.start)
    minimum = c.from_start(law, facts.start)
    if facts.floor_days is not None:
        if facts.floor_days < 1:
            raise Impossible("expected at least 1 day", "floor_days")
        floor_end = start_counted(facts.start, Length(days=facts.floor_days))
        minimum = max(minimum, floor_end)
        c.step("floor", law.source, days=facts.floor_days, end=floor_end)
        c.step("later_end", law.source, end=minimum)
    c.minimum_end = End(minimum, Sentence("minimum", {"end": minimum}), law.basis)
    displayed_until = facts.displayed_until or minimum
    if displayed_until < minimum:
        c.find("display_too_short", law.source, given=displayed_until, minimum=minimum)
    c.results |= {"minimum_end": minimum, "sufficient": displayed_until >= minimum}


def _simplified(facts: SimplifiedFacts, c: Computation) -> None:
    law = c.use(rule("baugb_simplified"))
    if facts.variant.startswith("publication"):
        if facts.start is None:
            raise Impossible("is missing", "start")
        announced_end = facts.announced_end or facts.end
        _publication(
            PublicationFacts(
                start=facts.start,
                announced_end=announced_end,
                announced_on=facts.announced_on,
                online_since=facts.online_since,
                important_reason=facts.important_reason,
            ),
            c,
        )
    elif facts.variant.startswith(("affected", "appropriate")):
        c.free_period(law, facts.start, facts.end or facts.announced_end, "renewed_period_short")
    else:
        raise Impossible(
            f"unknown variant {facts.variant!r}; known: publication_3_2, affected_public", "variant"
        )
    c.results |= {"environment_info_types_required": False, "hint_no_environmental_assessment": True}


def _early_public(facts: FreeFacts, c: Computation) -> None:
    c.free_period(c.use(rule("baugb_early_public")), facts.start, facts.end, "free_period_short")


def _early_agencies(facts: FreeFacts, c: Computation) -> None:
    c.free_period(c.use(rule("baugb_early_agencies")), facts.start, facts.end, "free_period_short")


def _agencies(facts: AgenciesFacts, c: Computation) -> None:
    law = c.use(rule("baugb_agencies"))
    month_end, floor_end, minimum = c.minimum(law, facts.request_received)
    recommended = c.recommend(law, minimum)
    c.results |= {
        "month_end": month_end,
        "floor_end": floor_end,
        "floor_binding": floor_end is not None and floor_end > month_end,
        "minimum_end": minimum,
        "minimum_end_weekday": _WEEKDAYS[minimum.weekday()],
        "recommended_end": recommended,
    }
    c.judge_announced(law, facts.announced_end, minimum)


def _renewed(facts: RenewedFacts, c: Computation) -> None:
    law = c.use(rule("baugb_renewed"))
    needed = facts.change_touches_interests or not facts.obvious
    c.step("renewal_needed" if needed else "renewal_not_needed", law.source)
    if needed:
        c.free_period(law, facts.start, facts.end, "renewed_period_short")
        # "appropriately shortened": the 30 days of the first publication are no floor here
        c.results["floor_binding"] = False
    c.results |= {"renewed_publication_required": needed, "must_document_reason": not needed}


def _late_statement(facts: LateFacts, c: Computation) -> None:
    law = c.use(rule("baugb_late"))
    if facts.track == "public" and not facts.hint_given:
        c.find("hint_missing", law.source)
    if facts.content_known or facts.should_have_been_known:
        c.find("content_known", law.source)
    if facts.relevant_for_lawfulness:
        c.find("relevant_for_lawfulness", law.source)
    free = not c.findings
    c.step("may_be_disregarded" if free else "must_be_considered", law.source)
    c.results["may_be_disregarded"] = free


def _late_objection(facts: LateObjectionFacts, c: Computation) -> None:
    law = c.use(rule_of_version("vwvfg_late", _NEW if facts.law_version == "new" else _OLD))
    if not facts.hint_given:
        c.find("hint_missing", law.source)
    if facts.private_title:
        c.find("private_title", law.source)
    excluded = facts.hint_given and not facts.private_title
    c.step("objection_excluded" if excluded else "must_be_considered", law.source)
    c.results["may_be_disregarded"] = excluded


def _consent(facts: ConsentFacts, c: Computation) -> None:
    law = c.use(rule("baugb_consent"), facts.request_received)
    base_end = end = c.from_event(law, facts.request_received)
    if facts.public_participation is not None:
        limit = c.use(rule("baugb_consent_participation"))
        length = facts.public_participation
        if limit.at_most is not None and event_counted(base_end, length) > event_counted(
            base_end, limit.at_most
        ):
            c.judged = True
            c.find("participation_too_long", limit.source, length=limit.at_most)
            length = limit.at_most
        end = event_counted(base_end, length)
        c.step("consent_extended", limit.basis, length=length, end=end)
    c.statutory(law, end)
    act_by = c.seat.working_day_until(end)
    c.step("deemed_granted", law.source, end=end, act=act_by)
    c.results |= {"base_end": base_end, "end": end, "deemed_granted_after": end, "act_by_working_day": act_by}


def _approval(facts: ApprovalFacts, c: Computation) -> None:
    law = c.use(rule("baugb_approval"), facts.application_received)
    end = c.from_event(law, facts.application_received)
    if facts.extended_by is not None:
        end = event_counted(end, facts.extended_by)
        c.step("extended", law.source, length=facts.extended_by, end=end)
    c.statutory(law, end)
    act_by = c.seat.working_day_until(end)
    c.step("deemed_granted", law.source, end=end, act=act_by)
    c.results |= {"end": end, "deemed_granted_after": end, "act_by_working_day": act_by}


def _defects(facts: AnnouncedFacts, c: Computation) -> None:
    law = c.use(rule("baugb_defects"))
    unshifted = c.from_event(law, facts.announced_on)
    c.results |= {"end_unshifted": unshifted, "end": c.statutory(law, unshifted)}


# --- plan approval and its relatives --------------------------------------------------------------------------


def _display_end(c: Computation, law: Rule, start: date, given: date | None) -> tuple[date, date]:
    """The earliest end of a display and the one to count from; a display ends on its last day, even on Sundays."""
    minimum = c.from_start(law, start)
    c.minimum_end = End(minimum, c.steps[-1].why, law.basis)
    if given is not None:
        if given < start:
            raise Impossible("the display ends before it starts", "display_end")
        c.judged = True
        if given < minimum:
            c.find("display_too_short", law.source, given=given, minimum=minimum)
    used = max(given or minimum, minimum)
    c.step("display_end_used", law.source, end=used)
    return minimum, used


def _display_old(facts: DisplayFacts, c: Computation) -> None:
    minimum, used = _display_end(
        c,
        c.use(rule_of_version("vwvfg_display", _OLD), facts.display_start),
        facts.display_start,
        facts.display_end,
    )
    law = c.use(rule_of_version("vwvfg_objections", _OLD), facts.display_start)
    *_, unshifted = c.after_display(law, used)
    end = c.statutory(law, unshifted)
    c.results |= {
        "minimum_display_end": minimum,
        "display_end_used": used,
        "objection_end_unshifted": unshifted,
        "objection_end": end,
    }


def _display_new(facts: NewDisplayFacts, c: Computation) -> None:
    display = c.use(rule_of_version("vwvfg_display", _NEW), facts.display_start)
    minimum, _ = _display_end(c, display, facts.display_start, facts.display_end)
    law = c.use(rule_of_version("vwvfg_objections", _NEW))
    length = length_of(law)
    counted, not_counted = (
        start_counted(facts.display_start, length),
        event_counted(facts.display_start, length),
    )
    c.step("two_readings_from", law.basis, length=length, counted=counted, event_counted=not_counted)
    earliest = c.shifted(law, counted)
    c.minimum_end = End(earliest, c.steps[-1].why, law.basis)
    recommended = c.recommend(law, not_counted if c.policy.six_weeks_skip_first_day else counted)
    c.results |= {
        "minimum_display_end": minimum,
        "six_weeks_first_day_counted": counted,
        "six_weeks_first_day_not_counted": not_counted,
        "earliest_defensible_end": earliest,
        "recommended_end": recommended,
    }
    c.judge_announced(law, facts.announced_end, earliest)
    if facts.announced_end is not None and earliest <= facts.announced_end < recommended:
        c.find(
            "announced_end_between_readings",
            law.source, announced=facts.announced_end, recommended=recommended,
        )  # fmt: skip
    if facts.plan_complete_on is not None:
        c.judged = True
        begins = c.use(rule_of_version("vwvfg_display_begins", _NEW))
        latest = c.from_event(begins, facts.plan_complete_on)
        c.results["display_start_by"] = latest
        if facts.display_start > latest:
            c.find("display_begins_late", begins.source, given=facts.display_start, latest=latest)


def _uvp_old(facts: DisplayEndFacts, c: Computation) -> None:
    if facts.display_start is not None:
        display = c.use(rule_of_version("vwvfg_display", _OLD), facts.display_start)
        minimum, _ = _display_end(c, display, facts.display_start, facts.display_end)
        c.results["minimum_display_end"] = minimum
    law = c.use(rule("uvpg_objections"), facts.display_end)
    counted, event, unshifted = c.after_display(law, facts.display_end)
    c.results |= {
        "reading_187_2": counted,
        "reading_187_1": event,
        "statement_end": c.statutory(law, unshifted),
    }


def _sup(facts: DisplayFacts, c: Computation) -> None:
    display = c.use(rule("uvpg_sup_display"))
    minimum, used = _display_end(c, display, facts.display_start, facts.display_end)
    law = c.use(rule("uvpg_sup_statements"))
    counted, event, unshifted = c.after_display(law, used)
    c.results |= {
        "minimum_display_end": minimum,
        "reading_187_2": counted,
        "reading_187_1": event,
        "minimum_statement_end": c.statutory(law, unshifted),
    }


def _immission(facts: ImmissionFacts, c: Computation) -> None:
    display = c.use(rule("bimschg_display"))
    _, used = _display_end(c, display, facts.display_start, facts.display_end)
    law = c.use(rule("bimschg_objections_ied" if facts.ied else "bimschg_objections"))
    *_, unshifted = c.after_display(law, used)
    end = c.statutory(law, unshifted)
    c.results |= {"display_end": used, "objection_end_unshifted": unshifted, "objection_end": end}


def _law_choice(facts: LawChoiceFacts, c: Computation) -> None:
    law = c.use(rule("vwvfg_choice"))
    if not facts.authority.startswith("federal"):
        # The state's procedure act still has the old text; special federal acts may import the new one.
        c.step("choice_state", law.source)
        allowed = ["old"]
    elif facts.initiated_on <= OLD_VWVFG_CHOICE_UNTIL:
        c.step("choice_free", law.source, end=OLD_VWVFG_CHOICE_UNTIL)
        allowed = ["old", "new"]
    else:
        c.step("choice_new", law.source)
        allowed = ["new"]
    c.results |= {"allowed": allowed, "default": allowed[-1], "must_record_choice": len(allowed) > 1}


def _plan_change(facts: ChangeFacts, c: Computation) -> None:
    law = c.use(
        rule_of_version("vwvfg_change", _NEW if facts.law_version == "new" else _OLD), facts.notified_on
    )
    unshifted = c.from_event(law, facts.notified_on)
    c.results |= {"end_unshifted": unshifted, "end": c.statutory(law, unshifted)}


def _hearing(facts: HearingFacts, c: Computation) -> None:
    law = c.use(rule_of_version("vwvfg_hearing_notice", _NEW if facts.law_version == "new" else _OLD))
    length = length_of(law)
    if facts.hearing_on is None and facts.announced_on is None and facts.objection_end is None:
        raise Impossible("one of hearing_on, announced_on and objection_end is needed", "hearing_on")
    if facts.hearing_on is not None:
        latest = latest_notice(facts.hearing_on, length)
        c.step("backward", law.basis, event=facts.hearing_on, length=length, end=latest)
        c.results |= {
            "latest_announcement": latest,
            "full_days_between": full_days_between(facts.announced_on or latest, facts.hearing_on),
        }
        c.judge_lead(law, facts.announced_on, facts.hearing_on)
    if facts.announced_on is not None:
        earliest = earliest_event(facts.announced_on, length)
        c.step("earliest", law.basis, notice=facts.announced_on, length=length, end=earliest)
        c.results["earliest_hearing"] = earliest
    if facts.objection_end is not None:
        closing = c.use(rule("vwvfg_hearing_closes"))
        latest = c.from_event(closing, facts.objection_end)
        c.results["close_by"] = latest
        if facts.hearing_on is not None and facts.hearing_on > latest:
            c.judged = True
            c.find("hearing_closes_late", closing.source, latest=latest)


def _online_consultation(facts: PeriodFacts, c: Computation) -> None:
    if facts.end < facts.start:
        raise Impossible("the end is before the start", "end")
    law = c.use(rule("vwvfg_online_consultation"))
    _, _, minimum = c.minimum(law, facts.start)
    c.results |= {"minimum_end": minimum, "recommended_end": c.recommend(law, minimum)}
    c.judge_announced(law, facts.end, minimum)


def _decision_display(facts: DisplayFacts, c: Computation) -> None:
    law = c.use(rule("vwvfg_decision"), facts.display_start)
    minimum, used = _display_end(c, law, facts.display_start, facts.display_end)
    c.step("service", law.source, end=used)
    c.effective(used, law.source)
    c.results |= {"minimum_display_end": minimum, "served_after": used}


def _announcement_date(facts: AnnouncementFacts, c: Computation) -> None:
    customary, web, start = facts.ortsueblich_on, facts.web_on, facts.start
    if customary is None and web is None:
        raise Impossible("one of ortsueblich_on and web_on is needed", "ortsueblich_on")
    decisive: date | None
    if facts.procedure.startswith("planfeststellung"):
        new_law = "old" not in facts.procedure
        law = c.use(rule_of_version("vwvfg_announcement", _NEW if new_law else _OLD))
        decisive = web if new_law else customary
        if decisive is None:
            raise Impossible("is missing", "web_on" if new_law else "ortsueblich_on")
    elif facts.procedure.startswith("bauleitplan"):
        law = c.use(rule("baugb_announcement", on=start))
        decisive = None if customary is None or web is None else max(customary, web)
        c.judged = True
        if decisive is None:
            c.find("announcement_incomplete", law.source)
    else:
        raise Impossible(
            f"unknown procedure {facts.procedure!r}; known: bauleitplan, planfeststellung_new, planfeststellung_old",
            "procedure",
        )
    if decisive is not None:
        c.step("decisive_date", law.source, day=decisive)
    c.results["decisive_date"] = decisive
    if start is None or decisive is None:
        return
    c.judged = True
    if facts.procedure.startswith("planfeststellung") or customary is None or web is None:
        c.judge_lead(law, decisive, start)
        return
    c.judge_lead(law, customary, start)
    if web >= start:
        strict = c.policy.web_announcement_before_start
        c.find(
            "web_copy_not_before_start" if strict else "web_copy_after_start",
            law.source,
            web=web,
            start=start,
        )


def _regional_plan(facts: RegionalPlanFacts, c: Computation) -> None:
    lead = c.use(rule("rog_lead"))
    if facts.start is None and facts.announced_on is None:
        raise Impossible("one of start and announced_on is needed", "start")
    if facts.announced_on is not None:
        earliest = earliest_event(facts.announced_on, length_of(lead))
        c.step("earliest", lead.basis, notice=facts.announced_on, length=length_of(lead), end=earliest)
        c.results["earliest_start"] = earliest
    if facts.start is None:
        return
    c.results["latest_announcement"] = latest_notice(facts.start, length_of(lead))
    c.judge_lead(lead, facts.announced_on, facts.start)
    law = c.use(rule("rog_publication"))
    _, _, minimum = c.minimum(law, facts.start)
    c.results |= {"minimum_end": minimum, "recommended_end": c.recommend(law, minimum)}
    if law.at_most is not None:
        maximum = start_counted(facts.start, law.at_most)
        c.step("at_most", law.source, length=law.at_most, end=maximum)
        c.results["soll_maximum_end"] = maximum
        if facts.statement_end is not None and facts.statement_end > maximum:
            c.find("longer_than_should", law.source, announced=facts.statement_end, maximum=maximum)
    c.judge_announced(law, facts.statement_end, minimum)


# --- courts, municipal instruments, rights of persons ---------------------------------------------------------


def _review(facts: AnnouncedFacts, c: Computation) -> None:
    law = c.use(rule("vwgo_review"))
    unshifted = c.from_event(law, facts.announced_on)
    c.results |= {"end_unshifted": unshifted, "end": c.statutory(law, unshifted)}


def _rested(c: Computation, law: Rule, event: date, end: date, recess: tuple[Days, ...]) -> date:
    for first, last in recess:
        if last < first:
            raise Impossible("a recess ends before it starts", "recess")
    rested = resting(event + _DAY, end, recess)
    if rested != end:
        c.step("rested", law.basis, end=rested)
    return rested


def _council_deadline(key: str) -> Callable[[EventFacts, Computation], None]:
    def answer(facts: EventFacts, c: Computation) -> None:
        law = c.use(rule(key))
        end = _rested(c, law, facts.event, c.from_event(law, facts.event), facts.recess)
        c.statutory(law, end)
        act_by = c.seat.working_day_until(end)
        c.step("act_by", law.source, end=act_by)
        c.results |= {"end": end, "act_by_working_day": act_by}

    return answer


def _data_request(facts: RequestFacts, c: Computation) -> None:
    law = c.use(rule("gdpr_request"))
    longest = law.at_most.months if law.at_most else 1
    if not 1 <= facts.months <= longest:
        raise Impossible(f"expected 1 to {longest}", "months")
    length = Length(months=facts.months)
    unshifted = event_counted(facts.received, length)
    c.step("counted_from_event", law.counting_source, event=facts.received, length=length, end=unshifted)
    end = c.statutory(law, unshifted)
    target = c.seat.working_day_until(unshifted)
    c.step("act_by", law.source, end=target)
    c.results |= {"end_unshifted": unshifted, "end": end, "internal_target": target}


def _data_breach(facts: BreachFacts, c: Computation) -> None:
    law = c.use(rule("gdpr_breach"))
    length = length_of(law)
    # Hours elapse; the wall clock may jump meanwhile. So count in UTC and only show it in legal time.
    instant = datetime.fromtimestamp(facts.aware_at.timestamp(), tz=LEGAL_TIME)
    act_by = datetime.fromtimestamp(facts.aware_at.timestamp() + length.hours * 3600, tz=LEGAL_TIME)
    c.step("hours", law.basis, length=length, event=instant, end=act_by)
    c.results["act_by"] = act_by


def _accessibility_feedback(facts: FeedbackFacts, c: Computation) -> None:
    law = c.use(rule("accessibility_feedback"))
    end = c.from_event(law, facts.received)
    c.statutory(law, end)
    c.results |= {"end": end, "act_by_working_day": c.seat.working_day_until(end)}


def _moderation_complaint(facts: ComplaintFacts, c: Computation) -> None:
    law = c.use(rule("moderation_complaint"))
    unshifted = c.from_event(law, facts.decision_notified)
    c.results |= {"minimum_end_unshifted": unshifted, "minimum_end": c.statutory(law, unshifted)}


def _age(facts: AgeFacts, c: Computation) -> None:
    law = c.use(rule("age"))
    if facts.on < facts.born:
        raise Impossible("the day is before the birth", "on")
    years = age_on(facts.born, facts.on)
    c.step("age", law.source, born=facts.born, on=facts.on, years=years)
    c.results["age"] = years


def _receipt(facts: ReceiptFacts, c: Computation) -> None:
    law = c.use(rule("receipt"))
    received = facts.received
    if isinstance(received, datetime):
        c.results["received_local"] = received
        moment = received
    else:
        moment = datetime.combine(received, datetime.min.time(), tzinfo=LEGAL_TIME)
    c.step("received", law.source, received=received)
    if _found_in_the_morning(facts, c.policy):
        day = local_date(moment) - _DAY
        c.step("deemed_received", law.source, day=day)
        c.results["deemed_received"] = day
        if "before_midnight" not in facts.channel:
            c.find("receipt_date_doubtful", law.source)
        moment = datetime.combine(day, datetime.min.time(), tzinfo=LEGAL_TIME)
    if facts.opened is not None or facts.postmark is not None:
        c.step("dispatch_irrelevant", law.source)
    c.results |= {
        name: value for name in ("opened", "postmark", "start") if (value := getattr(facts, name)) is not None
    }
    timely = is_in_time(moment, facts.effective_end)
    if timely and facts.start is not None and local_date(moment) < facts.start:
        c.step("early", law.source, start=facts.start)
        c.results["early"] = True
    c.step("in_time" if timely else "late", law.source, end=facts.effective_end)
    c.effective(facts.effective_end, law.source)
    c.results["timely"] = timely
    if not timely:
        c.results |= {"late": True, "still_recorded": True, "check_4a5": True}


def _found_in_the_morning(facts: ReceiptFacts, policy: Policy) -> bool:
    """Whether post was found at the first emptying of a letterbox, so that it came in the day before.

    A compartment that opens at midnight proves it; for a plain letterbox it is a choice in the person's favour.
    """
    if "letterbox" not in facts.channel or "after_midnight" in facts.channel:
        return False
    if not policy.first_emptying_is_previous_day or not isinstance(facts.received, datetime):
        return False
    return "before_midnight" in facts.channel or facts.received.hour < policy.first_emptying_before_hour


def _outage(facts: OutageFacts, c: Computation) -> None:
    law = c.use(rule("availability"))
    period = (facts.period_start or date.min, facts.period_end)
    minutes = _minutes_down(facts.outage, *period)
    last_day = _minutes_down(facts.outage, facts.period_end, facts.period_end)
    c.step("outage", law.source, minutes=minutes, last_day=last_day)
    policy = c.policy
    if minutes >= policy.outage_extend_hours * 60 or last_day >= policy.outage_last_day_hours * 60:
        end = c.seat.working_day_from(facts.period_end + timedelta(days=max(1, -(-minutes // (24 * 60)))))
        c.find("outage_extend", law.source, end=end)
        c.results |= {"action": "extend_by_new_announcement", "suggested_end": end}
    elif minutes > policy.outage_log_only_hours * 60:
        c.find("outage_review", law.source)
        c.results["action"] = "review"
    else:
        c.results["action"] = "log_only"


def _minutes_down(outages: tuple[Moments, ...], first: date, last: date) -> int:
    """Minutes in which at least one outage lay between 00:00 of the first and 24:00 of the last day, rounded up."""
    opens = datetime.combine(max(first, date(1900, 1, 1)), datetime.min.time(), tzinfo=LEGAL_TIME).timestamp()
    closes = datetime.combine(last + _DAY, datetime.min.time(), tzinfo=LEGAL_TIME).timestamp()
    seconds = 0.0
    covered = opens
    for begin, end in sorted((begin.timestamp(), end.timestamp()) for begin, end in outages):
        if end < begin:
            raise Impossible("an outage ends before it begins", "outage")
        begin, end = max(begin, covered), min(end, closes)
        if end > begin:
            seconds += end - begin
            covered = end
    return -(-int(seconds) // 60)


# --- the list -------------------------------------------------------------------------------------------------

AnyFacts = TypeVar("AnyFacts", bound=Facts)


@dataclass(frozen=True)
class Question(Generic[AnyFacts]):
    """One question: its name in the JSON interface, its short name on the command line, its fields, its answer."""

    name: str
    short: str
    title: Both
    facts: type[AnyFacts]
    answer: Callable[[AnyFacts, Computation], None]
    #: The holidays at the seat of the court count, not those of the municipality.
    at_court: bool = False


QUESTIONS: tuple[Question[Any], ...] = (
    Question("bauleitplan_publication", "publication",
             Both("Veröffentlichung eines Bauleitplans", "Publication of an urban land-use plan"),
             PublicationFacts, _publication),
    Question("bauleitplan_publication_historic", "publication-historic",
             Both("Auslegung nach altem Recht", "Display under old law"), HistoricFacts, _publication_historic),
    Question("bauleitplan_early", "early",
             Both("Frühzeitige Beteiligung der Öffentlichkeit", "Early participation of the public"),
             FreeFacts, _early_public),
    Question("toeb_early", "agencies-early",
             Both("Frühzeitige Beteiligung der Behörden", "Early participation of public agencies"),
             FreeFacts, _early_agencies),
    Question("toeb_participation", "agencies",
             Both("Stellungnahmen der Behörden", "Statements of public agencies"), AgenciesFacts, _agencies),
    Question("bauleitplan_renewed", "renewed",
             Both("Erneute Beteiligung nach einer Änderung", "Renewed participation after a change"),
             RenewedFacts, _renewed),
    Question("bauleitplan_simplified", "simplified",
             Both("Vereinfachtes oder beschleunigtes Verfahren", "Simplified or accelerated procedure"),
             SimplifiedFacts, _simplified),
    Question("late_statement", "late",
             Both("Darf Verspätetes unberücksichtigt bleiben?", "May a late statement be disregarded?"),
             LateFacts, _late_statement),
    Question("late_objection", "late-objection",
             Both("Ist eine verspätete Einwendung ausgeschlossen?", "Is a late objection excluded?"),
             LateObjectionFacts, _late_objection),
    Question("bauturbo_consent", "consent",
             Both("Zustimmung der Gemeinde (Bau-Turbo)", "Consent of the municipality (Bau-Turbo)"),
             ConsentFacts, _consent),
    Question("fnp_approval", "approval",
             Both("Genehmigung des Flächennutzungsplans", "Approval of the land-use plan"),
             ApprovalFacts, _approval),
    Question("planerhaltung", "defects",
             Both("Rüge von Mängeln des Plans", "Complaint about defects of the plan"), AnnouncedFacts, _defects),
    Question("planfeststellung_new", "plan-approval",
             Both("Planfeststellung, neues Recht", "Plan approval, new law"), NewDisplayFacts, _display_new),
    Question("planfeststellung_old", "plan-approval-old",
             Both("Planfeststellung, altes Recht", "Plan approval, old law"), DisplayFacts, _display_old),
    Question("uvp_new", "environmental",
             Both("Umweltverträglichkeitsprüfung, neues Recht", "Environmental impact assessment, new law"),
             NewDisplayFacts, _display_new),
    Question("uvp_old", "environmental-old",
             Both("Umweltverträglichkeitsprüfung, altes Recht", "Environmental impact assessment, old law"),
             DisplayEndFacts, _uvp_old),
    Question("law_version", "law-version",
             Both("Altes oder neues Recht der Planfeststellung", "Old or new law of plan approval"),
             LawChoiceFacts, _law_choice),
    Question("planfeststellung_change", "plan-change",
             Both("Änderung des Plans in der Planfeststellung", "Change of the plan in a plan approval"),
             ChangeFacts, _plan_change),
    Question("planfeststellung_hearing", "discussion",
             Both("Erörterungstermin", "Discussion meeting"), HearingFacts, _hearing),
    Question("planfeststellung_online_consultation", "online-consultation",
             Both("Online-Konsultation", "Online consultation"), PeriodFacts, _online_consultation),
    Question("planfeststellung_decision", "decision",
             Both("Auslegung des Planfeststellungsbeschlusses", "Display of the plan approval decision"),
             DisplayFacts, _decision_display),
    Question("announcement_date", "announcement",
             Both("Welches Datum der Bekanntmachung zählt", "Which date of the announcement counts"),
             AnnouncementFacts, _announcement_date),
    Question("raumordnungsplan_publication", "regional-plan",
             Both("Raumordnungsplan", "Regional plan"), RegionalPlanFacts, _regional_plan),
    Question("sup", "strategic-environmental",
             Both("Strategische Umweltprüfung", "Strategic environmental assessment"), DisplayFacts, _sup),
    Question("bimschg", "immission",
             Both("Immissionsschutzrechtliche Genehmigung", "Immission control licence"),
             ImmissionFacts, _immission),
    Question("normenkontrolle", "judicial-review",
             Both("Normenkontrolle des Plans", "Judicial review of the plan"),
             AnnouncedFacts, _review, at_court=True),
    Question("buergerversammlung_antrag", "assembly-request",
             Both("Bürgerversammlung auf Antrag", "Citizens' assembly on request"),
             EventFacts, _council_deadline("go_assembly_held")),
    Question("buergerversammlung", "assembly",
             Both("Empfehlung einer Bürgerversammlung", "Recommendation of a citizens' assembly"),
             EventFacts, _council_deadline("go_assembly")),
    Question("buergerantrag_zulaessigkeit", "petition-admission",
             Both("Zulässigkeit eines Bürgerantrags", "Admissibility of a citizens' petition"),
             EventFacts, _council_deadline("go_petition_admission")),
    Question("buergerantrag", "petition",
             Both("Behandlung eines Bürgerantrags", "Treatment of a citizens' petition"),
             EventFacts, _council_deadline("go_petition")),
    Question("gdpr_request", "data-request",
             Both("Ersuchen zum Datenschutz", "Data protection request"), RequestFacts, _data_request),
    Question("gdpr_breach", "data-breach", Both("Datenpanne", "Data breach"), BreachFacts, _data_breach),
    Question("accessibility_feedback", "accessibility",
             Both("Rückmeldung zur Barrierefreiheit", "Accessibility feedback"),
             FeedbackFacts, _accessibility_feedback),
    Question("moderation_complaint", "complaint",
             Both("Beschwerde gegen eine Moderationsentscheidung", "Complaint against a moderation decision"),
             ComplaintFacts, _moderation_complaint),
    Question("age", "age", Both("Lebensalter", "Age"), AgeFacts, _age),
    Question("timeliness", "receipt", Both("Ist etwas fristgerecht eingegangen?", "Did something arrive in time?"),
             ReceiptFacts, _receipt),
    Question("publication_outage", "outage",
             Both("Störung während der Veröffentlichung", "Outage during the publication"), OutageFacts, _outage),
)  # fmt: skip


def find_question(name: str) -> Question[Any]:
    """The question of this name or short name. Raises Impossible with the nearest names when there is none."""
    for question in QUESTIONS:
        if name in (question.name, question.short):
            return question
    names = [question.name for question in QUESTIONS] + [question.short for question in QUESTIONS]
    near = difflib.get_close_matches(name, names, n=3)
    hint = (
        f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(names[: len(QUESTIONS)])}"
    )
    raise Impossible(f"unknown procedure {name!r}{hint}")


def read_facts(question: Question[Any], values: Mapping[str, object], *, spoken: bool = False) -> Facts:
    """The facts of a question from JSON values, or from texts typed on a command line when `spoken`.

    Raises Impossible naming the first field that is missing or wrong, and for a field that is nearly a known one.
    """
    fields = list(question.facts.model_fields)
    for name in values:
        if name not in fields and (near := difflib.get_close_matches(name, fields, n=1, cutoff=0.8)):
            raise Impossible(f"unknown field; did you mean {near[0]}?", name)
    try:
        facts: Facts = (
            question.facts.model_validate_strings(dict(values), strict=True)
            if spoken
            else question.facts.model_validate_json(_as_json(values))
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=True)[0]
        raise Impossible(_complaint(first), str(first["loc"][0]) if first["loc"] else None) from error
    return facts


def ask(
    name: str,
    values: Mapping[str, object] | Facts,
    *,
    seat: Seat | None = None,
    policy: Policy | None = None,
    seats: SeatBook | None = None,
) -> Answer:
    """The answer to a question, by its name or short name.

    `values` are the facts, as their class or as a mapping with JSON values or dates. `seat` is the seat of the
    municipality that asks; without it the field `city` is looked up in `seats` (needed then). Raises Impossible
    for an unknown question, a missing or wrong field, or facts no answer exists for.
    """
    question = find_question(name)
    facts = values if isinstance(values, Facts) else read_facts(question, values)
    if not isinstance(facts, question.facts):
        raise Impossible(f"{name} needs {question.facts.__name__}")
    where, nameless = _seat_of(facts, seat, seats)
    computation = Computation(where, policy or Policy())
    try:
        if question.at_court and seats is not None:
            computation.seat = seats.court_of(where)
            computation.step("court_seat", rule("vwgo_review").shift_source, court=computation.seat.name)
        question.answer(facts, computation)
        _note_calendar(computation, nameless)
    except Impossible:
        raise
    except (ValueError, OverflowError) as error:
        raise Impossible(str(error)) from error
    return computation.answer(question.name, tuple(facts.model_extra or ()))


def _seat_of(facts: Facts, seat: Seat | None, seats: SeatBook | None) -> tuple[Seat, bool]:
    """The seat that counts, and whether it is only the general one because no place was named."""
    if facts.city is not None:
        if seats is None:
            raise Impossible("no list of seats to look a city up in", "city")
        try:
            return seats.find(facts.city), False
        except ValueError as error:
            raise Impossible(str(error), "city") from error
    if seat is not None:
        return seat, False
    if seats is None:
        raise Impossible("is missing", "city")
    return seats.default, True


def _note_calendar(c: Computation, nameless: bool) -> None:
    ends = [end.day for end in (c.minimum_end, c.recommended_end, c.effective_end) if end is not None]
    if not ends:
        return
    if nameless and c.recommended_end is not None:
        c.find("seat_unknown", "BGB §193", name=c.seat.name)
    if c.seat.valid_from is not None and min(ends) < c.seat.valid_from:
        c.find("calendar_older", c.seat.source, since=c.seat.valid_from)


def _as_json(values: Mapping[str, object]) -> str:
    """JSON text of mixed values, so that pydantic reads dates and ISO texts by the same strict rules."""

    def plain(value: object) -> object:
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Length):
            return " ".join(f"{number} {unit}" for unit, number in asdict(value).items() if number)
        raise TypeError(f"no JSON value: {value!r}")

    try:
        return json.dumps(dict(values), default=plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Impossible(str(error)) from error


def _complaint(error: Any) -> str:
    """A plain sentence for what pydantic found."""
    kind = error["type"]
    if kind == "missing":
        return "is missing"
    given = repr(error["input"])
    given = given if len(given) <= 60 else given[:57] + "…"
    if kind.startswith("date"):
        what = (
            "a moment like 2026-03-31T23:59:59+02:00"
            if "datetime" in kind
            else "an existing day like 2027-02-01"
        )
        return f"expected {what}, got {given}"
    if kind.startswith("bool"):
        return f"expected true or false, got {given}"
    if kind == "value_error":
        return f"{str(error['msg']).removeprefix('Value error, ')}, got {given}"
    return f"{str(error['msg'])[0].lower()}{str(error['msg'])[1:]}, got {given}"
