"""What the browser loads: files of static/ under addresses that carry their hash, kept for ever."""

import functools
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

_COMPRESSIBLE = (".css", ".js", ".mjs", ".svg", ".json", ".txt", ".html")
#: Fonts as letters are set in; browsers get woff2. Two megabytes that no worker needs to hold.
_NOT_FOR_BROWSERS = (".ttf", ".otf")
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".woff2": "font/woff2",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class _File:
    body: bytes
    compressed: bytes | None
    media_type: str
    hash: str


class StaticFiles:
    """The files below a folder, read once, compressed once; without those that only our own printing reads.

    `url("css/digilog.css")` is `/static/<hash>/css/digilog.css`. A relative address inside a style sheet keeps
    the sheet's hash, so any hash is answered; only the right one is cached for ever.
    """

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, _File] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith(".") and path.suffix not in _NOT_FOR_BROWSERS:
                self._files[path.relative_to(folder).as_posix()] = _read(path, path.stat().st_mtime_ns)

    def url(self, path: str) -> str:
        """The address of a file. Raises KeyError if there is none."""
        return f"/static/{self._files[path].hash}/{path}"

    def __contains__(self, path: str) -> bool:
        return path in self._files

    async def respond(self, request: Request) -> Response:
        """Answer a request for `/static/{hash}/{path:path}`."""
        file = self._files.get(request.path_params["path"])
        if file is None:
            return Response("not found\n", 404, media_type="text/plain")
        right = request.path_params["hash"] == file.hash
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable" if right else "public, max-age=86400",
            "ETag": f'"{file.hash}"',
            "Vary": "Accept-Encoding",
        }
        if f'"{file.hash}"' in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if file.compressed and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                file.compressed, media_type=file.media_type, headers=headers | {"Content-Encoding": "gzip"}
            )
        return Response(file.body, media_type=file.media_type, headers=headers)


@functools.cache  # a second application in the same process, as in tests, holds the same octets
def _read(path: Path, changed_ns: int) -> _File:
    body = path.read_bytes()
    compressed = gzip.compress(body, 9, mtime=0) if path.suffix in _COMPRESSIBLE and len(body) > 400 else None
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _File(body, compressed, media_type, hashlib.sha256(body).hexdigest()[:12])
