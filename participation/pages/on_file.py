"""A contribution as staff see it in lists, and its files as they came in: the same for moderator and register."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consultations import channels
from consultations.contributions import Attachment, Contribution
from participation.web import Visit


@dataclass(frozen=True)
class Line:
    """One contribution in a list."""

    id: int
    reference: str
    title: str
    excerpt: str
    received_at: datetime
    channel: str
    procedure: str
    is_late: bool


@dataclass(frozen=True)
class FileOnRecord:
    """An attachment as it came in."""

    position: int
    filename: str
    size: int
    pages: int | None
    sha256: str
    is_original: bool
    url: str


def line(visit: Visit, row: Contribution, procedure: str) -> dict[str, Any]:
    """The values of a `Line`, for the lists that say more of each."""
    return {
        "id": row.id or 0,
        "reference": row.reference,
        "title": row.title,
        "excerpt": row.text,
        "received_at": row.received_at,
        "channel": visit.gettext(channels.by_key(row.channel).label),
        "procedure": procedure,
        "is_late": row.is_late,
    }


def files(visit: Visit, attachments: Iterable[Attachment]) -> tuple[FileOnRecord, ...]:
    """The files of a contribution in their order."""
    return tuple(
        FileOnRecord(
            each.position,
            each.filename,
            each.size,
            each.pages,
            each.sha256,
            each.is_original,
            visit.url("staff_attachment", id=each.contribution_id, position=each.position),
        )
        for each in attachments
    )
