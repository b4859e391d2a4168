"""The doors that a room above adds to the application of a worker, which is then served as one."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from starlette.routing import Route

from ingest.serving.problems import Faces


class Extension(NamedTuple):
    """More routes, with the errors that they raise and their part of the OpenAPI document."""

    routes: Sequence[Route] = ()
    faces: Faces = MappingProxyType({})
    paths: Mapping[str, dict[str, object]] = MappingProxyType({})
    types: tuple[type, ...] = ()  # Which `paths` refers to.


NOTHING = Extension()
