"""A local service to prove: a new PostgreSQL, its tables, tenants with tags, and `serve`."""

import asyncio
import dataclasses
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ingest import config, embedded
from ingest.demo import local_service
from ingest.demo.settings import DemoSettings
from ingest.prove import erasable
from ingest.prove.erasable import Erasable
from ingest.store import privileges

TENANT, LEARNER = "prove", "prove-learner"
TAGS = {"team": ("assistant", "editor", "search"), "region": ("eu", "us")}


class Here(NamedTuple):
    """The local service, its tokens, and the places to search."""

    url: str
    metrics_url: str
    dsn: str
    token: str
    learner_token: str
    erasable: Erasable | None  # None if nothing can be erased here.
    pids: tuple[int, ...]
    logs: tuple[Path, ...]
    data_dir: Path
    folder: Path


@contextmanager
def service() -> Iterator[Here]:
    """Run everything until the block ends; PostgreSQL is then stopped, and its complete files stay."""
    wanted = config.load(DemoSettings)
    folder = local_service.own_folder(Path(wanted.data_dir) / "prove" / str(time.time_ns()))
    with embedded.start(folder / "postgres") as server:
        bind, metrics_bind = local_service.free_address(wanted.bind), local_service.free_address(wanted.metrics_bind)
        settings = dataclasses.replace(wanted, dsn=server.dsn, bind=bind, metrics_bind=metrics_bind)
        token = asyncio.run(local_service.prepare(settings, TENANT, TAGS))
        learner_token = asyncio.run(local_service.add_learner(settings.dsn, LEARNER, TAGS))
        is_possible = erasable.is_possible()
        to_erase = asyncio.run(erasable.prepare(server.dsn, folder)) if is_possible else None
        log = folder / "serve.log"
        served = dataclasses.replace(
            settings, dsn=asyncio.run(local_service.as_login(server.dsn, privileges.SERVICE_LOGIN))
        )
        with local_service.serving(served, log) as process:
            yield Here(
                url=f"http://{bind}",
                metrics_url=f"http://{metrics_bind}/metrics",
                dsn=server.dsn,
                token=token,
                learner_token=learner_token,
                erasable=to_erase,
                pids=(process.pid, server.pid),
                logs=(log, Path(f"{server.data_dir}.log")),
                data_dir=server.data_dir,
                folder=folder,
            )


def remove(here: Here) -> None:
    """Remove a run's files. PostgreSQL's may be in another folder, which its account can reach."""
    for path in (here.data_dir, here.folder):
        shutil.rmtree(path, ignore_errors=True)
    for log in here.logs:
        log.unlink(missing_ok=True)
