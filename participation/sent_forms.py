"""What a form sends: its words within limits, and its files, which are let go by where they are too large."""

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from consultations.refusals import Code, Refusal

#: Octets of a form without files.
SMALL_BODY = 2_000_000

#: Octets that one field of typed text may have; files are not held in memory and may be larger.
FIELD_LIMIT = 20_000_000

#: Files of one sending.
FILES_LIMIT = 40


def has_parts(request: Request) -> bool:
    """Whether it is a form of which the files can be let go by; any other body ends at the limit."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "multipart/form-data"


async def read_form(request: Request, field_limit: int) -> FormData:
    """What was sent, without its files where these are too large. Raises Refusal UPLOAD_TOO_LARGE for a
    field of more octets, ATTACHMENTS_TOO_MANY, and HTTPException for what is no form at all."""
    limits = {"max_files": FILES_LIMIT, "max_fields": 2000, "max_part_size": field_limit}
    try:
        if request.scope["reads_on"]:
            return await _Words(request, limits).parse()
        return await request.form(**limits)
    except MultiPartException as problem:
        raise _form_problem(problem.message, field_limit) from problem
    except HTTPException as problem:
        raise _form_problem(problem.detail, field_limit) from problem


def _form_problem(said: str, field_limit: int) -> Exception:
    if "exceeded maximum size" in said:
        return Refusal(Code.UPLOAD_TOO_LARGE, limit=field_limit // 1_000_000)
    if "Too many files" in said:
        return Refusal(Code.ATTACHMENTS_TOO_MANY, limit=FILES_LIMIT)
    return HTTPException(400, said)


class _Words(MultiPartParser):
    """A form of which the words are kept even if its files are too many octets: those go by unread, see `security._Body`."""

    def __init__(self, request: Request, limits: dict[str, int]) -> None:
        super().__init__(request.headers, request.stream(), **limits)
        self._scope = request.scope
        self._words = 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._current_part.file is None:
            self._words += end - start
            if self._words > self._scope["body_limit"]:
                raise self._scope.get("too_large") or MultiPartException("exceeded maximum size")
        elif "too_large" in self._scope:
            return
        super().on_part_data(data, start, end)

    async def parse(self) -> FormData:
        sent = await super().parse()
        if "too_large" not in self._scope:
            return sent
        await sent.close()
        return FormData([(name, value) for name, value in sent.multi_items() if isinstance(value, str)])
