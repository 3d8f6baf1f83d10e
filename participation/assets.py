"""Bring the files that pages load from the npm packages into ``static/vendor/``.

npm has installed the packages of ``package-lock.json``; the few files of them that a browser needs are listed in
``static/vendor.json`` with their SHA-256 and are copied as they are. Nothing is built, bundled or minified, and a
file that differs from the list is never served. Standard library only: this runs before anything is installed.

``python -m participation.assets`` copies and checks; with ``--record`` it writes the hashes of the installed
packages into the list instead, which is what one does after changing a version in ``package.json``.
"""

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class BrokenAsset(Exception):
    """A listed file is missing, differs from its hash, or the list itself cannot be read. Says which and why."""


@dataclass(frozen=True)
class Asset:
    """One file: where it is served (below ``static/vendor/``), where it comes from, and what it must be."""

    path: str
    source: str
    sha256: str


def read_list(list_file: Path) -> list[Asset]:
    """The assets that ``list_file`` (JSON) names.

    Raises BrokenAsset when it cannot be read or a path leads outside its folder.
    """
    try:
        listed: dict[str, dict[str, Any]] = json.loads(list_file.read_text(encoding="utf-8"))
        assets = [Asset(path, str(entry["from"]), str(entry["sha256"])) for path, entry in listed.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BrokenAsset(f"{list_file.name} cannot be read: {error!r}") from error
    for asset in assets:
        for path in (asset.path, asset.source):
            if not path or path.startswith("/") or ".." in path.split("/") or "\\" in path:
                raise BrokenAsset(f"{list_file.name}: {path!r} is not a path below its folder")
    return assets


def copy_assets(assets: Sequence[Asset], packages: Path, vendor: Path) -> None:
    """Make ``vendor`` hold exactly ``assets``, taken from the npm folder ``packages`` (``node_modules``).

    Everything is read and checked before the first file is written, and each file appears in one step, so a server
    that is running meanwhile never serves half a file. Raises BrokenAsset naming every file that is not as listed.
    """
    contents: dict[str, bytes] = {}
    faults: list[str] = []
    for asset in assets:
        try:
            content = (packages / asset.source).read_bytes()
        except OSError as error:
            faults.append(f"{asset.source}: {error.strerror}")
            continue
        found = hashlib.sha256(content).hexdigest()
        if found != asset.sha256:
            faults.append(f"{asset.source}: SHA-256 is {found}, the list says {asset.sha256}")
        contents[asset.path] = content
    if faults:
        raise BrokenAsset("\n".join(faults))
    for path, content in contents.items():
        target = vendor / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.{os.getpid()}")
        fresh.write_bytes(content)
        fresh.replace(target)
    for file in sorted(vendor.rglob("*"), reverse=True):
        if file.is_dir():
            if not any(file.iterdir()):
                file.rmdir()
        elif file.relative_to(vendor).as_posix() not in contents:
            file.unlink()


def record(list_file: Path, packages: Path) -> None:
    """Write the hashes of the files as they are in ``packages`` into ``list_file``."""
    listed = {
        asset.path: {
            "from": asset.source,
            "sha256": hashlib.sha256((packages / asset.source).read_bytes()).hexdigest(),
        }
        for asset in read_list(list_file)
    }
    list_file.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 when ``static/vendor/`` is as listed, 1 with the faults on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m participation.assets", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "--record", action="store_true", help="write the hashes into the list instead of checking"
    )
    options = parser.parse_args(arguments)
    list_file, packages = ROOT / "static" / "vendor.json", ROOT / "node_modules"
    try:
        if options.record:
            record(list_file, packages)
        else:
            copy_assets(read_list(list_file), packages, ROOT / "static" / "vendor")
    except (BrokenAsset, OSError) as error:
        print(f"The browser's files could not be prepared:\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
