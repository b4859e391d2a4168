"""The manifests as kustomize builds them: overlays, objects, and the files they come from."""

import re
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from tests.support.service import ROOT

OVERLAYS = ("dev", "prod-cnpg", "prod-external", "prod-gateway")
TOOLS = ROOT / ".venv-k8s" / "bin"
WAIT_S = 300.0
_SHAPE = TypeVar("_SHAPE")


class Metadata(Struct):
    name: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _Head(Struct, rename={"api": "apiVersion"}):
    kind: str
    api: str
    metadata: Metadata


class Object(NamedTuple):
    """An object of an overlay, as YAML."""

    kind: str
    api: str
    metadata: Metadata
    text: str
    place: str  # Of which overlay, and in which file it is written.

    def read(self, shape: type[_SHAPE]) -> _SHAPE:
        """Return it as a type; raises msgspec.ValidationError."""
        return msgspec.yaml.decode(self.text, type=shape)

    def spec(self, shape: type[_SHAPE]) -> _SHAPE:
        """Return its `spec` as a type; raises msgspec.ValidationError."""
        return msgspec.convert(msgspec.yaml.decode(self.text)["spec"], shape)


class Tree:
    """A checkout, or a copy with something broken."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, name: str) -> str:
        return (self.root / name).read_text("utf-8")

    def each(self, *kinds: str) -> Iterator[Object]:
        """Yield the objects of these kinds, of all overlays."""
        for objects in self.built.values():
            yield from (one for one in objects if one.kind in kinds)

    @cached_property
    def built(self) -> dict[str, list[Object]]:
        """Return the objects of each overlay; raises CannotBuild."""
        return {name: list(self._objects(name)) for name in OVERLAYS}

    def _objects(self, overlay: str) -> Iterator[Object]:
        for text in documents(build(self.root / "k8s" / "overlays" / overlay)):
            head = msgspec.yaml.decode(text, type=_Head)
            place = f"{overlay}: {self._written.get((head.kind, head.metadata.name), 'k8s')}: {head.kind}"
            yield Object(head.kind, head.api, head.metadata, text, place)

    @cached_property
    def _written(self) -> dict[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for file in sorted((self.root / "k8s").rglob("*.yaml")):
            heads = re.findall(r"^kind: (\S+)\nmetadata:\n  name: (\S+)$", file.read_text("utf-8"), re.MULTILINE)
            found |= dict.fromkeys(heads, file.relative_to(self.root).as_posix())
        return found


class CannotBuild(Exception):
    """Kustomize cannot build an overlay; the message is its own."""


def build(folder: Path) -> str:
    """Return the objects of an overlay; raises CannotBuild."""
    command = [str(TOOLS / "kubectl"), "kustomize", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    if ended.returncode != 0:
        raise CannotBuild(ended.stderr.strip())
    return ended.stdout


def documents(text: str) -> list[str]:
    """Split a stream of YAML; kustomize begins a line with `---` only between documents."""
    return [document for document in re.split(r"^---$", text, flags=re.MULTILINE) if document.strip()]
