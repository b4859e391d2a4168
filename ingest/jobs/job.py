"""The parts of background work: a lane of jobs on one connection, a job, and a round of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, NamedTuple

from ingest.store.connections import Connection, Role
from ingest.store.jobs import Figure, JobName

LaneName = Literal["rollup", "jobs", "erase", "mail", "alerts", "webhooks"]  # The names of a worker's tasks, too.


class Round(NamedTuple):
    """The result of one round, which is short; if it is not complete, the next follows at once."""

    figures: Mapping[Figure, int]
    is_complete: bool
    rest_s: float


class Job(NamedTuple):
    """A job: its name, and what a round of it does."""

    name: JobName
    work: Callable[[Connection], Awaitable[Round]]


class Lane(NamedTuple):
    """Jobs that take turns on one connection, which acts as one role."""

    name: LaneName
    role: Role
    jobs: tuple[Job, ...]
