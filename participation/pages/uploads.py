"""Files on their way in: taken in once, they wait with a draft until they can be used, whatever else is wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from os import SEEK_END
from typing import Any, BinaryIO

from consultations import drafts
from consultations.contributions import ATTACHMENTS_LIMIT, AttachedFile
from consultations.drafts import Draft
from consultations.files import MB, Limits, accept_upload
from consultations.procedures import Procedure
from consultations.refusals import Code, Refusal
from participation.settings import Settings
from participation.web import Visit

Errors = tuple[tuple[str, str | None], ...]
"""What is wrong, and with which field."""


def body_limit(settings: Settings) -> int:
    """Several files in one request."""
    return settings.import_limit_mb * MB


#: Before the hash of a file: what the button that takes it away again sends.
REMOVE = "remove-"

Incoming = tuple[BinaryIO, str]
"""Something on its way in, and the name it came under."""


async def look_at(
    visit: Visit,
    incoming: Sequence[Incoming],
    limits: Limits,
    *,
    allow: Callable[[str, int], None] = lambda filename, octets: None,
) -> list[dict[str, Any] | Refusal]:
    """Look at what comes in and keep what can be kept: of each what `files.accept_upload` says of it, or why not.

    `allow` is asked before each, with its name and octets, and may refuse it. No unit of work is open meanwhile.
    """
    found: list[dict[str, Any] | Refusal] = []

    def work() -> None:
        for stream, filename in incoming:
            try:
                allow(filename, stream.seek(0, SEEK_END))
                stream.seek(0)
                found.append(asdict(accept_upload(visit.house.files, stream, filename, limits=limits)))
            except Refusal as refusal:
                found.append(refusal)

    if incoming:
        try:
            await visit.house.inspections.run(work)
        except Refusal as refusal:
            return [refusal] * len(incoming)
    return found


async def take_in(visit: Visit, name: str, limits: Limits) -> tuple[list[dict[str, Any]], Errors]:
    """Take in the files sent under a name (`look_at`), and say of the others why not, each reason once."""
    try:
        uploads = [(upload.file, upload.filename or "") for upload in visit.uploads(name)]
    except Refusal as refusal:
        return [], ((visit.explain(refusal), name),)
    found = await look_at(visit, uploads, limits)
    errors = dict.fromkeys((visit.explain(each), name) for each in found if isinstance(each, Refusal))
    return [each for each in found if not isinstance(each, Refusal)], tuple(errors)


def put_together(
    kept: Sequence[Mapping[str, Any]], fresh: Sequence[Mapping[str, Any]], wanted: str
) -> tuple[list[dict[str, Any]], Refusal | None]:
    """The files of a draft after one more sending: without the one that the pressed button takes away, with what came,
    nothing twice; and why not all of it, where there are more than a contribution can have."""
    files = [dict(each) for each in kept if wanted != f"{REMOVE}{each['sha256']}"]
    for each in fresh:
        if any((each["sha256"], each["filename"]) == (it["sha256"], it["filename"]) for it in files):
            continue  # sent twice
        if len(files) == ATTACHMENTS_LIMIT:
            return files, Refusal(Code.ATTACHMENTS_TOO_MANY, limit=ATTACHMENTS_LIMIT)
        files.append(dict(each))
    return files, None


def attached(each: Mapping[str, Any], *, is_original: bool = False) -> AttachedFile:
    """A file of a draft as a contribution carries it."""
    return AttachedFile(
        sha256=each["sha256"],
        filename=each["filename"],
        media_type=each["media_type"],
        size=each["size"],
        pages=each["pages"],
        public_sha256=each["public_sha256"] or "",
        public_media_type=each["public_media_type"] or "",
        description=each.get("description", ""),
        is_original=is_original,
    )


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
