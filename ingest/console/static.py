"""Serves the style sheet and the scripts: under a path with their hash, for ever, compressed once at the start."""

import gzip
import hashlib
from functools import cache
from importlib import resources
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from ingest.serving import documents
from ingest.serving.errors import NotFound

PATH = "/static/{digest}/{name}"
_FOLDER = resources.files("ingest.console") / "static"
_FOLDERS = (_FOLDER, _FOLDER / "vendor")  # Ours, and those of others: see THIRD_PARTY.md there.
_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}


class Asset(NamedTuple):
    """A file, plain and compressed."""

    digest: str
    media_type: str
    plain: bytes
    compressed: bytes


@cache
def assets() -> dict[str, Asset]:
    """Read and compress every file of the folders."""
    found = {}
    for file in (file for folder in _FOLDERS for file in folder.iterdir()):
        media_type = _MEDIA_TYPES.get("." + file.name.rpartition(".")[2])
        if media_type is not None:
            plain = file.read_bytes()
            digest = hashlib.sha256(plain).hexdigest()[:16]
            found[file.name] = Asset(digest, media_type, plain, gzip.compress(plain, 9, mtime=0))
    return found


def path_of(name: str) -> str:
    """Return the path of a file, which changes with its content."""
    return f"/static/{assets()[name].digest}/{name}"


async def get_static(request: Request) -> Response:
    """Return a file; raises NotFound, also for another version of it."""
    asset = assets().get(str(request.path_params["name"]))
    if asset is None or asset.digest != request.path_params["digest"]:
        raise NotFound
    if documents.takes_gzip(request):
        return Response(asset.compressed, headers=_HEADERS | {"Content-Encoding": "gzip"}, media_type=asset.media_type)
    return Response(asset.plain, headers=_HEADERS, media_type=asset.media_type)
