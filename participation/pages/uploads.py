"""Files on their way in: taken in once, they wait with a draft until they can be used, whatever else is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from consultations import drafts
from consultations.drafts import Draft
from consultations.files import MB, Limits, accept_upload
from consultations.procedures import Procedure
from consultations.refusals import Refusal
from participation.settings import Settings
from participation.web import Visit

Errors = tuple[tuple[str, str | None], ...]
"""What is wrong, and with which field."""


def body_limit(settings: Settings) -> int:
    """Several files in one request."""
    return settings.import_limit_mb * MB


async def take_in(visit: Visit, name: str, limits: Limits) -> tuple[list[dict[str, Any]], Errors]:
    """Take in the files sent under a name: what `files.accept_upload` says of each that can be, and why not the
    others. No unit of work is open meanwhile."""
    uploads = visit.uploads(name)
    taken: list[dict[str, Any]] = []
    errors: list[tuple[str, str | None]] = []

    def work() -> None:
        for upload in uploads:
            try:
                taken.append(
                    asdict(
                        accept_upload(visit.house.files, upload.file, upload.filename or "", limits=limits)
                    )
                )
            except Refusal as refusal:
                errors.append((visit.explain(refusal), name))

    if uploads:
        try:
            await visit.house.inspections.run(work)
        except Refusal as refusal:
            errors.append((visit.explain(refusal), name))
    return taken, tuple(errors)


def token_of(visit: Visit) -> str:
    """The secret of the draft that this form writes into; a new one for a new form."""
    sent = str(visit.form_data.get("token", ""))
    return sent if drafts.is_secret(sent) else drafts.new_secret()


def waiting_files(visit: Visit, token: str, procedure: Procedure) -> list[dict[str, Any]]:
    """What was taken in with this form and not used yet."""
    draft = drafts.find(visit.session, token, municipality_id=visit.municipality_id)
    return list(draft.files) if draft and draft.procedure_id == procedure.id else []


def keep(visit: Visit, token: str, procedure: Procedure, files: Sequence[Mapping[str, Any]]) -> None:
    """Let files wait: these, and no others."""
    draft = draft_of(visit, token, procedure, "material", {})
    if draft.procedure_id == procedure.id:
        drafts.write(visit.session, draft, {}, now=visit.now, files=[dict(each) for each in files])


def draft_of(visit: Visit, token: str, procedure: Procedure, kind: str, data: dict[str, Any]) -> Draft:
    """The draft behind a secret, locked; begun with these values if it is not there, or no longer."""
    assert procedure.id is not None
    found = drafts.find(visit.session, token, municipality_id=visit.municipality_id, lock=True)
    return found or drafts.begin(
        visit.session,
        token,
        municipality_id=visit.municipality_id,
        procedure_id=procedure.id,
        kind=kind,
        data=data,
        now=visit.now,
    )


@dataclass(frozen=True)
class Waiting:
    """A file that has been taken in and not used yet."""

    filename: str
    size: int


def waiting(visit: Visit, token: str, procedure: Procedure) -> tuple[Waiting, ...]:
    """What waits, for the page."""
    return tuple(Waiting(each["filename"], each["size"]) for each in waiting_files(visit, token, procedure))
