"""A tree of hard links, which takes a tenth of the time of a copy."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path


def copy(source: Path, target: Path, ignore: Callable[[str, list[str]], Iterable[str]] | None = None) -> Path:
    """Link a folder's files under another name, or copy them to another file system; nobody may write through one."""
    copied: Path = shutil.copytree(source, target, ignore=ignore, copy_function=_link)
    return copied


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
