"""Composes a worker: what the rooms of the gateway need, from the settings and from what the parent shares."""

import gc
import time
from functools import partial

from starlette.types import Receive, Send

from ingest import config, logs
from ingest.gateway import faults, metrics
from ingest.gateway.admission.board import Board
from ingest.gateway.admission.errors import BoardStale
from ingest.gateway.admission.provider_keys import ProviderKeys
from ingest.gateway.admission.tokens import Admission
from ingest.gateway.app import Gateway
from ingest.gateway.classifier.model import classify
from ingest.gateway.forward import Forwarder, Parts
from ingest.gateway.records import Provider
from ingest.gateway.routing.decide import Router
from ingest.gateway.settings import GatewaySettings
from ingest.gateway.shared import Shared
from ingest.gateway.telemetry.outlet import Outlet
from ingest.gateway.upstream.courier import Courier
from ingest.gateway.upstream.errors import KINDS, Kind
from ingest.gateway.upstream.origin import Origin
from ingest.serving.body_memory import BodyMemory
from ingest.serving.heartbeat import Heartbeat

metrics.declare((face.fault for face in faults.FACES.values()), KINDS)


def create(shared: object) -> Gateway:
    """Return the application of one worker, with settings from the environment."""
    assert isinstance(shared, Shared)
    return Gateway(Lifespan(shared, config.load_own(GatewaySettings)).live)


class Lifespan:
    """Opens what a worker needs, and closes it after the last request."""

    def __init__(self, shared: Shared, settings: GatewaySettings) -> None:
        self._settings = settings
        # Opened before the worker is confined.
        self._admission = Admission(
            Board(shared.board), ProviderKeys(settings.gateway_provider_keys), settings.gateway_grace_s
        )
        self._outlet = Outlet(shared.handover)
        self._courier = Courier(settings, _note)
        self._memory = BodyMemory(settings.gateway_body_bytes_max, settings.gateway_body_bytes_max // 2)

    async def live(self, gateway: Gateway, receive: Receive, send: Send) -> None:
        """Speak ASGI's lifespan."""
        logs.capture_libraries()
        logs.capture_loop()
        await receive()
        tasks = gateway.state.tasks
        origins = _origins(self._settings)
        parts = Parts(self._admission, Router(classify), self._courier, self._outlet, origins, self._memory)
        gateway.forwarder = Forwarder(parts)
        gateway.probes = {
            b"/livez": lambda: tuple(sorted(tasks.broken)),
            b"/readyz": lambda: (*(["stopping"] if tasks.is_stopping else []), *self._failing(), *sorted(tasks.broken)),
        }
        tasks.start("pulse", Heartbeat(tasks.broken, partial(self._beat, gateway, parts.router)).run)
        gc.collect()
        gc.freeze()
        logs.info("started")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        logs.info("stopping")
        await self._outlet.close()
        self._courier.close()
        await tasks.stop()
        logs.info("stopped")
        await send({"type": "lifespan.shutdown.complete"})

    def _failing(self) -> list[str]:
        failing = []
        try:
            self._admission.require_grants()
        except BoardStale:
            failing.append("grants")
        if self._courier.is_shut_out:
            failing.append("upstream")
        return failing

    def _beat(self, gateway: Gateway, router: Router) -> None:
        router.forget(time.time())
        metrics.under_way.set(gateway.under_way)
        metrics.body_bytes.set(self._memory.bytes)
        metrics.grants_age_seconds.set(self._admission.age_s)


def _note(kind: Kind) -> None:
    metrics.upstream_failures.labels(kind).inc()


def _origins(settings: GatewaySettings) -> dict[Provider, Origin]:
    origins: dict[Provider, Origin] = {"anthropic": Origin.of(settings.gateway_anthropic_url)}
    if settings.gateway_openai_url:
        origins["openai"] = Origin.of(settings.gateway_openai_url)
    return origins
