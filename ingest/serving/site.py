"""Holds what the parent passes to its workers."""

from multiprocessing.synchronize import Event
from typing import NamedTuple

from hypercorn.config import Sockets

from ingest.serving.application import Application
from ingest.serving.listener import Listener
from ingest.serving.rebalance import Rebalancer


class Events(NamedTuple):
    """The signals between the parent and one worker."""

    is_serving: Event
    drain: Event  # Report not ready, and keep serving.
    stop: Event


class Site(NamedTuple):
    """The application, configuration and listening sockets that all workers share."""

    application: Application
    config: Listener
    sockets: Sockets


class Shared(NamedTuple):
    """Data that a worker shares with the others."""

    rebalancer: Rebalancer
    application: object  # What `Application.share` returned.
