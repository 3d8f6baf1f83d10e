"""Our own date vectors: what we worked out by hand from the law, beside the domain's collection.

Each is (id, procedure, input, expected); only the named results are compared.
"""

from typing import Any

Vector = tuple[str, str, dict[str, Any], dict[str, Any]]

VECTORS: list[Vector] = [
    # The first of a month: the whole month, whatever its length.
    (
        "own-pub-first-of-long-month",
        "bauleitplan_publication",
        {"start": "2027-03-01", "city": "Augsburg"},
        {"month_end": "2027-03-31", "floor_end": "2027-03-30", "minimum_end": "2027-03-31"},
    ),
    # Good Friday, Saturday, Easter Sunday and Monday in a row.
    (
        "own-pub-easter",
        "bauleitplan_publication",
        {"start": "2027-02-26", "city": "München", "announced_end": "2027-03-27"},
        {
            "minimum_end": "2027-03-27",
            "recommended_end": "2027-03-30",
            "validation": "WARN",
            "effective_end": "2027-03-30",
        },
    ),
    # 29 January in a common year: 28 February, and the floor of 30 days goes beyond it.
    (
        "own-pub-29-january",
        "bauleitplan_publication",
        {"start": "2027-01-29", "city": "Nürnberg"},
        {
            "month_end": "2027-02-28",
            "floor_end": "2027-02-27",
            "floor_binding": False,
            "minimum_end_weekday": "Sun",
        },
    ),
    (
        "own-pub-30-january",
        "bauleitplan_publication",
        {"start": "2027-01-30", "city": "Nürnberg"},
        {
            "month_end": "2027-02-28",
            "floor_end": "2027-02-28",
            "minimum_end": "2027-02-28",
            "recommended_end": "2027-03-01",
        },
    ),
    # 15 August is a holiday for the Catholic majority only: a Tuesday in 2028.
    (
        "own-pub-assumption-2028-munich",
        "bauleitplan_publication",
        {"start": "2028-07-16", "city": "München"},
        {"minimum_end": "2028-08-15", "recommended_end": "2028-08-16"},
    ),
    (
        "own-pub-assumption-2028-nuremberg",
        "bauleitplan_publication",
        {"start": "2028-07-16", "city": "Nürnberg"},
        {"minimum_end": "2028-08-15", "recommended_end": "2028-08-15"},
    ),
    # A month long enough, a floor that is not: announced between both.
    (
        "own-pub-announced-below-floor",
        "bauleitplan_publication",
        {"start": "2027-02-01", "city": "Augsburg", "announced_end": "2027-03-01"},
        {"validation": "BLOCK", "effective_end": None, "minimum_end": "2027-03-02"},
    ),
    # Online at nine in the morning: the first whole day is the next one.
    (
        "own-pub-late-upload",
        "bauleitplan_publication",
        {"start": "2026-06-01", "online_since": "2026-06-01T09:00:00+02:00", "city": "Augsburg"},
        {"effective_start": "2026-06-02", "minimum_end": "2026-07-01"},
    ),
    (
        "own-pub-midnight-upload",
        "bauleitplan_publication",
        {"start": "2026-06-01", "online_since": "2026-06-01T00:00:00+02:00", "city": "Augsburg"},
        {"effective_start": "2026-06-01", "minimum_end": "2026-06-30"},
    ),
    # A whole week of lead: neither day counts.
    (
        "own-lead-week",
        "bauleitplan_publication",
        {"start": "2026-06-09", "announced_on": "2026-06-01", "city": "Augsburg"},
        {"validation": "OK"},
    ),
    (
        "own-lead-same-day",
        "bauleitplan_publication",
        {"start": "2026-06-09", "announced_on": "2026-06-09", "city": "Augsburg"},
        {"validation": "BLOCK", "reason": "announcement must be before the start"},
    ),
    # Before 7 July 2023 the week was law.
    (
        "own-lead-old-law",
        "bauleitplan_publication",
        {"start": "2022-06-08", "announced_on": "2022-06-01", "city": "Augsburg"},
        {"validation": "BLOCK", "reason": "announcement too late"},
    ),
    (
        "own-historic-not-enough",
        "bauleitplan_publication_historic",
        {"start": "1965-05-24", "floor_days": None, "displayed_until": "1965-06-22"},
        {"minimum_end": "1965-06-23", "sufficient": False},
    ),
    (
        "own-agencies-holiday",
        "toeb_participation",
        {"request_received": "2025-07-08", "city": "Augsburg", "announced_end": "2025-08-08"},
        {"minimum_end": "2025-08-08", "recommended_end": "2025-08-11", "validation": "WARN"},
    ),
    (
        "own-agencies-too-short",
        "toeb_participation",
        {"request_received": "2027-02-01", "city": "Augsburg", "announced_end": "2027-03-02"},
        {"minimum_end": "2027-03-03", "floor_binding": True, "validation": "BLOCK"},
    ),
    (
        "own-renewed-needed",
        "bauleitplan_renewed",
        {"change_touches_interests": True, "obvious": True, "start": "2026-06-01", "end": "2026-06-14"},
        {"renewed_publication_required": True, "statutory_minimum": None, "days": 14, "validation": "OK"},
    ),
    (
        "own-renewed-not-obvious",
        "bauleitplan_renewed",
        {"change_touches_interests": False, "obvious": False},
        {"renewed_publication_required": True},
    ),
    (
        "own-simplified-affected",
        "bauleitplan_simplified",
        {"variant": "affected_public", "start": "2026-06-01", "end": "2026-06-21"},
        {"statutory_minimum": None, "days": 21, "validation": "OK", "environment_info_types_required": False},
    ),
    # Late statements: the five cases of §4a(5).
    (
        "own-late-free",
        "late_statement",
        {"track": "public", "hint_given": True, "content_known": False, "relevant_for_lawfulness": False},
        {"may_be_disregarded": True},
    ),
    (
        "own-late-no-hint",
        "late_statement",
        {"track": "public", "hint_given": False, "content_known": False, "relevant_for_lawfulness": False},
        {"may_be_disregarded": False},
    ),
    (
        "own-late-known",
        "late_statement",
        {"content_known": True, "relevant_for_lawfulness": False},
        {"may_be_disregarded": False},
    ),
    (
        "own-late-agency-no-hint",
        "late_statement",
        {"track": "agency", "hint_given": False, "content_known": False, "relevant_for_lawfulness": False},
        {"may_be_disregarded": True},
    ),
    (
        "own-late-flood-plain",
        "late_statement",
        {"content_known": False, "relevant_for_lawfulness": True},
        {"may_be_disregarded": False},
    ),
    # Plan approval: what comes late is excluded, unless the hint was missing or it rests on a title under private law.
    (
        "own-objection-excluded",
        "late_objection",
        {"hint_given": True, "private_title": False},
        {"may_be_disregarded": True},
    ),
    (
        "own-objection-no-hint",
        "late_objection",
        {"hint_given": False, "private_title": False, "law_version": "old"},
        {"may_be_disregarded": False},
    ),
    (
        "own-objection-private-title",
        "late_objection",
        {"hint_given": True, "private_title": True, "law_version": "old"},
        {"may_be_disregarded": False},
    ),
    # Consent: the extension counts from the end of the first period (§190 BGB), and is capped at a month.
    (
        "own-consent-end-of-february",
        "bauturbo_consent",
        {"request_received": "2026-11-30", "public_participation": "1 month"},
        {"base_end": "2027-02-28", "end": "2027-03-28", "act_by_working_day": "2027-03-25"},
    ),
    (
        "own-consent-too-long",
        "bauturbo_consent",
        {"request_received": "2026-03-16", "public_participation": "6 weeks"},
        {"validation": "BLOCK", "end": "2026-07-16"},
    ),
    (
        "own-consent-saturday",
        "bauturbo_consent",
        {"request_received": "2026-03-13"},
        {"end": "2026-06-13", "act_by_working_day": "2026-06-12"},
    ),
    (
        "own-approval-extended",
        "fnp_approval",
        {"application_received": "2026-05-29", "extended_by": "3 months"},
        {"end": "2026-09-29"},
    ),
    (
        "own-defects-holiday",
        "planerhaltung",
        {"announced_on": "2027-08-08", "city": "Augsburg"},
        {"end_unshifted": "2028-08-08", "end": "2028-08-09"},
    ),
    # The court sits elsewhere: the local holiday of the municipality does not count.
    (
        "own-review-at-court",
        "normenkontrolle",
        {"announced_on": "2027-08-08", "city": "Augsburg"},
        {"end_unshifted": "2028-08-08", "end": "2028-08-08"},
    ),
    (
        "own-old-longer-display",
        "planfeststellung_old",
        {"display_start": "2026-03-02", "display_end": "2026-04-10", "city": "Augsburg"},
        {
            "minimum_display_end": "2026-04-01",
            "display_end_used": "2026-04-10",
            "objection_end": "2026-04-24",
            "validation": "OK",
        },
    ),
    (
        "own-old-shorter-display",
        "planfeststellung_old",
        {"display_start": "2026-03-02", "display_end": "2026-03-31", "city": "Augsburg"},
        {"validation": "BLOCK", "objection_end": "2026-04-15"},
    ),
    (
        "own-new-between-readings",
        "planfeststellung_new",
        {"display_start": "2026-09-09", "announced_end": "2026-10-20", "city": "Augsburg"},
        {"validation": "WARN", "recommended_end": "2026-10-21"},
    ),
    (
        "own-new-too-short",
        "planfeststellung_new",
        {"display_start": "2026-09-09", "announced_end": "2026-10-19", "city": "Augsburg"},
        {"validation": "BLOCK"},
    ),
    (
        "own-new-begins-late",
        "planfeststellung_new",
        {"display_start": "2026-09-09", "plan_complete_on": "2026-08-18", "city": "Augsburg"},
        {"display_start_by": "2026-09-08", "validation": "WARN"},
    ),
    (
        "own-choice-2028",
        "law_version",
        {"authority": "federal_or_reference_to_VwVfG", "initiated_on": "2028-01-01"},
        {"allowed": ["new"], "default": "new", "must_record_choice": False},
    ),
    (
        "own-choice-state",
        "law_version",
        {"authority": "bavarian_BayVwVfG", "initiated_on": "2026-10-01"},
        {"allowed": ["old"], "default": "old"},
    ),
    (
        "own-change-whit-monday",
        "planfeststellung_change",
        {"notified_on": "2027-05-03", "city": "Augsburg"},
        {"end_unshifted": "2027-05-17", "end": "2027-05-18"},
    ),
    (
        "own-hearing-six-days",
        "planfeststellung_hearing",
        {"announced_on": "2026-09-21", "hearing_on": "2026-09-28"},
        {"full_days_between": 6, "validation": "BLOCK", "earliest_hearing": "2026-09-29"},
    ),
    (
        "own-hearing-close",
        "planfeststellung_hearing",
        {"objection_end": "2026-11-30", "hearing_on": "2027-03-01"},
        {"close_by": "2027-02-28", "validation": "WARN"},
    ),
    (
        "own-consultation-short",
        "planfeststellung_online_consultation",
        {"start": "2026-10-05", "end": "2026-10-09"},
        {"validation": "WARN", "minimum_end": "2026-10-11"},
    ),
    (
        "own-decision-display",
        "planfeststellung_decision",
        {"display_start": "2026-10-05", "city": "Augsburg"},
        {"minimum_display_end": "2026-10-18", "served_after": "2026-10-18"},
    ),
    (
        "own-announcement-fine",
        "announcement_date",
        {
            "procedure": "bauleitplan",
            "ortsueblich_on": "2026-09-04",
            "web_on": "2026-09-07",
            "start": "2026-09-09",
        },
        {"validation": "OK", "decisive_date": "2026-09-07"},
    ),
    (
        "own-announcement-only-gazette",
        "announcement_date",
        {"procedure": "bauleitplan", "ortsueblich_on": "2026-09-04", "start": "2026-09-09"},
        {"validation": "BLOCK"},
    ),
    (
        "own-announcement-web-decides",
        "announcement_date",
        {
            "procedure": "planfeststellung_new",
            "ortsueblich_on": "2026-09-10",
            "web_on": "2026-09-04",
            "start": "2026-09-09",
        },
        {"validation": "OK", "decisive_date": "2026-09-04"},
    ),
    (
        "own-announcement-gazette-decided",
        "announcement_date",
        {
            "procedure": "planfeststellung_old",
            "ortsueblich_on": "2026-09-10",
            "web_on": "2026-09-04",
            "start": "2026-09-09",
        },
        {"validation": "BLOCK", "decisive_date": "2026-09-10"},
    ),
    (
        "own-regional-lead",
        "raumordnungsplan_publication",
        {"announced_on": "2026-06-01"},
        {"earliest_start": "2026-06-09"},
    ),
    (
        "own-regional-lead-short",
        "raumordnungsplan_publication",
        {"announced_on": "2026-06-01", "start": "2026-06-08", "statement_end": "2026-07-10"},
        {"validation": "BLOCK", "reason": "announcement too late", "latest_announcement": "2026-05-31"},
    ),
    (
        "own-regional-short",
        "raumordnungsplan_publication",
        {"start": "2026-09-01", "statement_end": "2026-09-29"},
        {"validation": "BLOCK"},
    ),
    (
        "own-immission-ied",
        "bimschg",
        {"display_start": "2026-06-01", "ied": True, "city": "Augsburg"},
        {"display_end": "2026-06-30", "objection_end_unshifted": "2026-07-31", "objection_end": "2026-07-31"},
    ),
    # The council rests in August: its 31 days come at the end.
    (
        "own-assembly-recess",
        "buergerversammlung",
        {"event": "2026-07-10", "city": "Augsburg", "recess": ["2026-08-01", "2026-08-31"]},
        {"end": "2026-11-10"},
    ),
    (
        "own-petition-admission",
        "buergerantrag_zulaessigkeit",
        {"event": "2027-01-31", "city": "Augsburg"},
        {"end": "2027-02-28", "act_by_working_day": "2027-02-26"},
    ),
    (
        "own-data-request-extended",
        "gdpr_request",
        {"received": "2026-02-01", "months": 3, "city": "München"},
        {"end_unshifted": "2026-05-01", "end": "2026-05-04", "internal_target": "2026-04-30"},
    ),
    # The clock is put back meanwhile: 72 hours by the clock of the universe, 71 on the wall.
    (
        "own-breach-autumn-change",
        "gdpr_breach",
        {"aware_at": "2026-10-23T12:00:00+02:00"},
        {"act_by": "2026-10-26T11:00:00+01:00"},
    ),
    ("own-age-leap-day-before", "age", {"born": "2008-02-29", "on": "2026-02-28"}, {"age": 17}),
    ("own-age-day-before", "age", {"born": "2010-11-21", "on": "2026-11-20"}, {"age": 15}),
    (
        "own-receipt-spring-change",
        "timeliness",
        {"effective_end": "2026-03-28", "received": "2026-03-28T23:00:00Z", "channel": "web"},
        {"timely": False, "late": True, "received_local": "2026-03-29T00:00:00+01:00"},
    ),
    (
        "own-receipt-plain-letterbox",
        "timeliness",
        {"effective_end": "2026-07-01", "received": "2026-07-02T07:30:00+02:00", "channel": "letterbox"},
        {"timely": True, "deemed_received": "2026-07-01"},
    ),
    (
        "own-receipt-letterbox-afternoon",
        "timeliness",
        {"effective_end": "2026-07-01", "received": "2026-07-02T15:30:00+02:00", "channel": "letterbox"},
        {"timely": False, "check_4a5": True},
    ),
    (
        "own-receipt-after-midnight-compartment",
        "timeliness",
        {
            "effective_end": "2026-07-01",
            "received": "2026-07-02T07:30:00+02:00",
            "channel": "night_letterbox_after_midnight_compartment",
        },
        {"timely": False},
    ),
    (
        "own-outage-last-evening",
        "publication_outage",
        {"period_end": "2026-06-30", "outage": ["2026-06-30T20:00:00+02:00", "2026-07-01T06:00:00+02:00"]},
        {"action": "extend_by_new_announcement", "suggested_end": "2026-07-01"},
    ),
    (
        "own-outage-afternoon",
        "publication_outage",
        {"period_end": "2026-06-30", "outage": ["2026-06-12T08:00:00+02:00", "2026-06-12T18:00:00+02:00"]},
        {"action": "review"},
    ),
    (
        "own-outage-after-the-end",
        "publication_outage",
        {"period_end": "2026-06-30", "outage": ["2026-07-01T00:00:00+02:00", "2026-07-05T00:00:00+02:00"]},
        {"action": "log_only"},
    ),
    # Two probes that report the same night count it once.
    (
        "own-outage-overlap",
        "publication_outage",
        {
            "period_end": "2026-06-30",
            "outage": [
                ["2026-06-12T01:00:00+02:00", "2026-06-12T04:00:00+02:00"],
                ["2026-06-12T02:00:00+02:00", "2026-06-12T05:00:00+02:00"],
            ],
        },
        {"action": "log_only"},
    ),
    (
        "own-early",
        "bauleitplan_early",
        {"start": "2026-06-01", "end": "2026-06-14"},
        {"days": 14, "statutory_minimum": None, "validation": "OK"},
    ),
    ("own-early-agencies", "toeb_early", {"start": "2026-06-01"}, {"statutory_minimum": None}),
    # The environmental assessment has the period of the hearing since 29 July 2026.
    (
        "own-environmental-new",
        "uvp_new",
        {"display_start": "2026-11-14", "city": "Augsburg"},
        {
            "six_weeks_first_day_counted": "2026-12-25",
            "earliest_defensible_end": "2026-12-28",
            "recommended_end": "2026-12-28",
        },
    ),
    (
        "own-environmental-old",
        "uvp_old",
        {"display_end": "2026-04-30", "city": "Augsburg"},
        {"reading_187_2": "2026-05-31", "reading_187_1": "2026-05-30", "statement_end": "2026-06-01"},
    ),
    (
        "own-strategic-shorter-display",
        "sup",
        {"display_start": "2026-09-01", "display_end": "2026-09-29", "city": "Augsburg"},
        {"validation": "BLOCK", "minimum_display_end": "2026-09-30"},
    ),
    (
        "own-assembly-request",
        "buergerversammlung_antrag",
        {"event": "2026-11-30", "city": "Augsburg"},
        {"end": "2027-02-28", "act_by_working_day": "2027-02-26"},
    ),
    (
        "own-petition",
        "buergerantrag",
        {"event": "2027-02-15", "city": "Augsburg"},
        {"end": "2027-05-15", "act_by_working_day": "2027-05-14"},
    ),
    ("own-accessibility", "accessibility_feedback", {"received": "2027-01-30"}, {"end": "2027-02-28"}),
    (
        "own-complaint",
        "moderation_complaint",
        {"decision_notified": "2027-02-08", "city": "Augsburg"},
        {"minimum_end_unshifted": "2027-08-08", "minimum_end": "2027-08-09"},
    ),
    # --- exactly on the line ---
    (
        "own-new-at-the-later-reading",
        "planfeststellung_new",
        {"display_start": "2026-09-09", "announced_end": "2026-10-21", "city": "Augsburg"},
        {"validation": "OK", "effective_end": "2026-10-21"},
    ),
    (
        "own-new-begins-on-the-last-day",
        "planfeststellung_new",
        {"display_start": "2026-09-08", "plan_complete_on": "2026-08-18", "city": "Augsburg"},
        {"display_start_by": "2026-09-08", "validation": "OK"},
    ),
    (
        "own-announcement-web-on-the-first-day",
        "announcement_date",
        {
            "procedure": "bauleitplan",
            "ortsueblich_on": "2026-09-04",
            "web_on": "2026-09-09",
            "start": "2026-09-09",
        },
        {"validation": "BLOCK"},
    ),
    (
        "own-receipt-before-midnight-compartment-emptied-late",
        "timeliness",
        {
            "effective_end": "2026-07-01",
            "received": "2026-07-02T10:30:00+02:00",
            "channel": "night_letterbox_before_midnight_compartment",
        },
        {"timely": True, "deemed_received": "2026-07-01"},
    ),
    (
        "own-outage-a-second-over",
        "publication_outage",
        {"period_end": "2026-06-30", "outage": ["2026-06-12T00:00:00+02:00", "2026-06-12T04:00:01+02:00"]},
        {"action": "review"},
    ),
]
