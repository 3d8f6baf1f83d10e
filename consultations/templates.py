"""What a planner begins from: the steps of each kind of procedure, as data.

A step names whom it asks (`track`), what it is (`kind`), what it opens, whether the law says how long it lasts, which
question of `legal_periods` governs it, and the facts which that question takes besides the dates. Pure: kinds are plain
text here, a test holds them against the enumerations of `procedures`. A municipality's own versions are kept in
`town_templates`, in the shape of `Template.as_body`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: The version of the templates that come with the program.
BUILT_IN_VERSION = "2026-11"
MOST_STEPS = 40
OLD_VWVFG, NEW_VWVFG = "VwVfG until 2026-07-28", "VwVfG 2026-07-29"


@dataclass(frozen=True)
class Step:
    """A phase as a template proposes it. `days`: a proposal where the law sets no length."""

    kind: str
    track: str = "public"
    opens: tuple[str, ...] = ()
    is_formal: bool = False
    days: int | None = None
    #: The question of `legal_periods` about its dates; empty where the law says nothing.
    question: str = ""
    #: What that question wants to know besides the dates, by the names in `legal_facts`.
    needs: tuple[str, ...] = ()
    title: str = ""

    @property
    def facts(self) -> dict[str, Any]:
        """What a phase remembers of its template beside its dates."""
        return {"days": self.days} if self.days else {}


@dataclass(frozen=True)
class Template:
    """The steps of a kind of procedure. `version`: "2026-11" as built in, "own-3" as the municipality has it."""

    key: str
    steps: tuple[Step, ...]
    plan_kind: str = "development_plan"
    variant: str = "regular"
    #: The law that it follows where that can be chosen (VwVfG §102b).
    law_version: str = ""
    version: str = BUILT_IN_VERSION
    #: What the municipality calls it, where it has a name of its own.
    name: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_body(self) -> dict[str, Any]:
        """What a municipality may change of it, as JSON."""
        return {
            "name": self.name,
            "steps": [
                {
                    "kind": step.kind, "track": step.track, "opens": list(step.opens), "is_formal": step.is_formal,
                    "days": step.days, "title": step.title,
                }
                for step in self.steps
            ],
        }  # fmt: skip

    def with_body(self, body: Mapping[str, Any], version: str) -> Template:
        """This template with the name and the steps of a body; what governs a step follows from what it is."""
        known = {(step.kind, step.track, step.is_formal): step for step in self.steps}
        steps = []
        for row in body["steps"]:
            like = known.get((row["kind"], row["track"], row["is_formal"]), Step(row["kind"]))
            steps.append(
                replace(
                    like, track=row["track"], opens=tuple(row["opens"]), is_formal=row["is_formal"],
                    days=row["days"], title=row["title"],
                )
            )  # fmt: skip
        return replace(self, steps=tuple(steps), name=body.get("name", ""), version=version)


_STATEMENT = ("statement",)
_COMMENTS = ("statement", "comment")

_EARLY = Step("early", opens=_COMMENTS, is_formal=True, days=28, question="bauleitplan_early")
_EARLY_AGENCIES = Step("agencies_early", "agencies", is_formal=True, days=30, question="toeb_early")
_PUBLICATION = Step(
    "publication", opens=_STATEMENT, is_formal=True, days=31, question="bauleitplan_publication",
    needs=("announced_on", "online_since", "important_reason"),
)  # fmt: skip
_SIMPLIFIED = replace(_PUBLICATION, question="bauleitplan_simplified", needs=("variant", "announced_on"))
_AGENCIES = Step("agencies", "agencies", is_formal=True, days=31, question="toeb_participation")
_RENEWED = Step(
    "repeated", opens=_STATEMENT, is_formal=True, days=14, question="bauleitplan_renewed",
    needs=("change_touches_interests", "obvious"),
)  # fmt: skip
_RENEWED_AGENCIES = replace(_RENEWED, track="agencies", opens=())
_DISPLAY = Step(
    "display", opens=_STATEMENT, is_formal=True, days=43, question="planfeststellung_new",
    needs=("display_end", "plan_complete_on"),
)  # fmt: skip
_DISPLAY_OLD = replace(_DISPLAY, question="planfeststellung_old", needs=("display_end",), days=45)
_HEARING = Step(
    "discussion_meeting", is_formal=True, days=1, question="planfeststellung_hearing",
    needs=("announced_on", "objection_end", "law_version"),
)  # fmt: skip
_WEIGHING, _RESOLUTION, _IN_FORCE = Step("weighing"), Step("resolution"), Step("in_force")
_END = (_WEIGHING, _RESOLUTION, _IN_FORCE)
_REGULAR = (_EARLY, _EARLY_AGENCIES, _PUBLICATION, _AGENCIES, *_END)

TEMPLATES: tuple[Template, ...] = (
    Template("development_plan_regular", _REGULAR),
    Template("development_plan_simplified", (_SIMPLIFIED, _AGENCIES, *_END), variant="simplified"),
    Template("development_plan_accelerated", (_SIMPLIFIED, _AGENCIES, *_END), variant="accelerated"),
    Template("development_plan_project", _REGULAR, variant="project_based"),
    Template("land_use_plan", _REGULAR, "land_use_plan"),
    Template("renewed_participation", (_RENEWED, _RENEWED_AGENCIES, *_END)),
    Template(
        "plan_approval",
        (_DISPLAY, Step("agencies", "agencies", is_formal=True, days=60), _HEARING, _RESOLUTION),
        "plan_approval",
        law_version=NEW_VWVFG,
    ),
    Template(
        "plan_approval_old",
        (_DISPLAY_OLD, Step("agencies", "agencies", is_formal=True, days=60), _HEARING, _RESOLUTION),
        "plan_approval",
        law_version=OLD_VWVFG,
    ),
    Template("development_plan", (_PUBLICATION, *_END)),
    Template("early_participation", (_EARLY, _WEIGHING, _PUBLICATION)),
    Template(
        "framework_plan",
        (
            Step("co_creation", opens=("proposal", "comment"), days=42),
            Step("early", opens=_COMMENTS, days=28),
            Step("agencies_early", "agencies", days=28),
            _WEIGHING,
            _RESOLUTION,
        ),
        "framework_plan",
    ),
    Template(
        "informal_dialogue",
        (Step("co_creation", opens=("proposal", "comment"), days=42), _WEIGHING),
        "dialogue",
    ),
)


def built_in(key: str) -> Template | None:
    """The template with this key as it comes with the program."""
    return next((each for each in TEMPLATES if each.key == key), None)
