"""Files of the cache folder: each is there whole or not at all, however many write the same at once."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from consultations.files import FileStore, MissingFile


def write(path: Path, content: Iterable[bytes], *, at: float | None = None) -> None:
    """Write a file aside and put it in its place; `at`: the moment it is to bear (seconds since 1970), now unless given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(content)
        if at is not None:
            os.utime(name, (at, at))
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def fetched(files: FileStore, digest: str, path: Path) -> Path | None:
    """A file of the store at its place in the cache folder, fetched once; None if the store has lost it."""
    if not path.exists():
        try:
            content = files.open(digest)
        except MissingFile:
            return None
        write(path, content)
    return path
