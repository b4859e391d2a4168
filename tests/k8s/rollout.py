"""Rules for rolling out without losing or refusing anything: probes, grace periods, budgets and related numbers."""

from collections.abc import Iterator

from starlette.routing import Route

from ingest import config
from ingest.cli import processes
from ingest.intake import app
from ingest.serving import supervisor
from tests.k8s.objects import HttpGet, Pod, Selector, Shape, Workload, servers, workload
from tests.k8s.overlays import Object, Tree
from tests.k8s.pods import settings

# Of a worker: its writers' connections, the snapshot's, one for maintenance and two that are lent to requests.
CONNECTIONS_BESIDE_WRITERS = 4
CONNECTIONS_LEFT = 20  # For CloudNativePG, migrations, maintenance, jobs and people.
SERVER = "nocontent"


class _Target(Shape, frozen=True):
    kind: str
    name: str


class _Scaler(Shape, frozen=True):
    scale_target_ref: _Target
    max_replicas: int
    min_replicas: int = 1


class _Budget(Shape, frozen=True):
    selector: Selector
    max_unavailable: int | str = 0
    min_available: int | str = 0


def wrong_probes(tree: Tree) -> Iterator[str]:
    """Check that probes use existing paths on the API's port, and allow a start as long as the code waits."""
    served = {route.path for route in app.create().routes if isinstance(route, Route)}
    for pod in servers(tree):
        scheme = "HTTPS" if "NOCONTENT_TLS_CERT_FILE" in settings(tree, pod) else "HTTP"
        start, live, ready = pod.container.startup_probe, pod.container.liveness_probe, pod.container.readiness_probe
        for probe, path in ((start, "/livez"), (live, "/livez"), (ready, "/readyz")):
            wanted = HttpGet(path=path, port="api", scheme=scheme)
            if probe.http_get != wanted or path not in served:
                yield f"{pod.place}: a probe asks {probe.http_get}; it should ask {wanted}"
        if start.period_seconds * start.failure_threshold < supervisor.START_TIMEOUT_S:
            yield f"{pod.place}: startupProbe gives up before {supervisor.START_TIMEOUT_S:.0f} s; a start may take that"


def short_grace(tree: Tree) -> Iterator[str]:
    """Check that SIGKILL comes after preStop, the drain, and the supervisor's wait for accepted requests."""
    for pod in servers(tree):
        sleep = pod.container.lifecycle.pre_stop.sleep
        if sleep is None or sleep.seconds < 1:
            yield f"{pod.place}: needs lifecycle.preStop.sleep, for as long as endpoints take to forget a pod"
        drain_s = processes.load(_readable(settings(tree, pod))).drain_s
        # STOP_TIMEOUT_S covers the slowest commit: a worker waits for its requests, then for its writers.
        needed = (sleep.seconds if sleep else 0) + drain_s + supervisor.STOP_TIMEOUT_S
        if pod.spec.termination_grace_period_seconds <= needed:
            yield (
                f"{pod.place}: terminationGracePeriodSeconds {pod.spec.termination_grace_period_seconds} must be above"
                f" {needed:.0f}: preStop, drain, and {supervisor.STOP_TIMEOUT_S:.0f} s for what was taken"
            )


def _readable(given: dict[str, str]) -> dict[str, str]:
    known = {name for name, _, _ in config.describe(processes.Settings)}
    return {name: value for name, value in given.items() if name in known}


def uneven(tree: Tree) -> Iterator[str]:
    """Check that a roll-out surges by one, the budget allows draining but keeps a pod, and selectors match our pods."""
    for overlay, objects in tree.built.items():
        deployment = next(one for one in objects if one.kind == "Deployment" and one.metadata.name == SERVER)
        spec = workload(deployment)
        rolling = spec.strategy.rolling_update
        if (spec.strategy.type, rolling.max_surge, rolling.max_unavailable) != ("RollingUpdate", 1, 0):
            yield f"{deployment.place}: needs maxSurge 1 and maxUnavailable 0"
        labels = spec.template.metadata.labels
        selectors = [spec.selector, *(each.label_selector for each in spec.template.spec.topology_spread_constraints)]
        if not all(selector.match_labels and selector.matches(labels) for selector in selectors):
            yield f"{deployment.place}: a selector of it does not select its own pods"
        if len(selectors) == 1:
            yield f"{deployment.place}: needs topologySpreadConstraints"
        if "prod" in overlay:
            yield from _scaling(deployment, objects)


def _scaling(deployment: Object, objects: list[Object]) -> Iterator[str]:
    scalers = [one for one in objects if one.kind == "HorizontalPodAutoscaler"]
    budgets = [one for one in objects if one.kind == "PodDisruptionBudget"]
    if not scalers or not budgets:
        yield f"{deployment.place}: needs a HorizontalPodAutoscaler and a PodDisruptionBudget in production"
        return
    scaler, budget = scalers[0].spec(_Scaler), budgets[0].spec(_Budget)
    if (scaler.scale_target_ref.kind, scaler.scale_target_ref.name) != ("Deployment", deployment.metadata.name):
        yield f"{scalers[0].place}: scales {scaler.scale_target_ref.name}, which is not the Deployment"
    if not 2 <= scaler.min_replicas <= scaler.max_replicas:
        yield f"{scalers[0].place}: needs minReplicas of 2 or more, and no more than maxReplicas"
    if budget.min_available or budget.max_unavailable != 1:
        yield f"{budgets[0].place}: needs maxUnavailable 1: less blocks a drain, more leaves nobody at 2 replicas"
    if not budget.selector.matches(deployment.spec(Workload).template.metadata.labels):
        yield f"{budgets[0].place}: does not select the Deployment's pods"


def connections(tree: Tree, pod: Pod) -> int:
    """Return the most connections that a Deployment's pods open, with the extra pod of a roll-out."""
    given = processes.load(_readable(settings(tree, pod)))
    scalers = [one for one in tree.built[pod.overlay] if one.kind == "HorizontalPodAutoscaler"]
    replicas = scalers[0].spec(_Scaler).max_replicas + 1
    return replicas * given.workers * (given.writer_connections + CONNECTIONS_BESIDE_WRITERS)
