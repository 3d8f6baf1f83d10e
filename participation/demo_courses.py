"""What became of phases of the demo after they had begun: one is extended, one repeated after a change of the draft."""

from datetime import date, datetime
from typing import Any

from sqlmodel import Session

from consultations import changes, releases
from consultations.changes import Repetition
from consultations.permissions import SYSTEM, Actor
from consultations.phases import phases_of
from consultations.procedures import Procedure
from consultations.seats import Seat


def change(
    session: Session,
    procedure: Procedure,
    told: dict[str, Any],
    *,
    starts_on: date | None,
    ends_on: date,
    seat: Seat,
    by: Actor,
    now: datetime,
) -> None:
    """Change a phase as told: `verb` (extend, repeat), `phase` (its kind) and, for a repetition, the answers of §4a(3)."""
    phase = next(each for each in phases_of(session, procedure.id or 0) if each.kind == told["phase"])
    version = procedure.version
    if told["verb"] == "extend":
        changes.extend(
            session,
            procedure,
            phase,
            ends_on,
            seat=seat,
            by=by,
            now=now,
            note=told["note"],
            expected_version=version,
        )
        return
    entered = Repetition(
        what_changed=told["what_changed"],
        reason=told["note"],
        touches_interests=True,
        is_obvious=False,
        touches_basics=False,
        starts_on=starts_on,
        ends_on=ends_on,
        limited_to=told["limited_to"],
    )
    made = changes.repeat(
        session, procedure, phase, entered, seat=seat, by=by, now=now, expected_version=version
    )
    if made is not None:
        reason = "Die Bekanntmachung stand im Amtsblatt, bevor es dieses Programm gab"
        releases.adopt(session, procedure, made, reason=reason, by=SYSTEM, now=now)
