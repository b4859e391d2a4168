"""Rules for rolling out without losing or refusing anything: probes, grace periods, budgets and related numbers."""

from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.routing import Route

from ingest import config
from ingest.cli import processes
from ingest.console import downloads
from ingest.gateway.companion import launch
from ingest.serving import supervisor
from ingest.store import lending, read_connections, visits
from ingest.usage.processor import webhook
from tests.k8s.objects import PORTS, HttpGet, Pod, Selector, Shape, Workload, listening, workload
from tests.k8s.overlays import Object, Tree
from tests.k8s.pods import is_gateway, settings

# Of a worker, for comparing the orders of erasures with the database.
_OF_ORDERS = 1
# Of a server's worker: the snapshot's, one for maintenance, those lent to requests and to webhooks, and those that read
# usage, invoices and exports, which stay open.
CONNECTIONS_BESIDE_WRITERS = (
    2 + _OF_ORDERS + lending.LENT_MAX + webhook.STORES_MAX + read_connections.OPEN_MAX
    + read_connections.BLOCKS.open_max + read_connections.TABLES.open_max
)  # fmt: skip
CONNECTIONS_OF_CONSOLE = _OF_ORDERS + visits.PAGES.open_max + visits.LOOK_UPS.open_max + downloads.BOUNDS.open_max
CONNECTIONS_LEFT = 20  # For CloudNativePG, migrations, maintenance, jobs and people.
SERVING = ("nocontent", "nocontent-console", "nocontent-gateway")


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
    """Check that probes use existing paths on the port of requests, and allow a start as long as the code waits."""
    for pod in listening(tree):
        served, (port, *_) = _served(pod.container.args[0]), PORTS[pod.container.args[0]]
        scheme = "HTTPS" if "NOCONTENT_TLS_CERT_FILE" in settings(tree, pod) else "HTTP"
        start, live, ready = pod.container.startup_probe, pod.container.liveness_probe, pod.container.readiness_probe
        for probe, path in ((start, "/livez"), (live, "/livez"), (ready, "/readyz")):
            wanted = HttpGet(path=path, port=port, scheme=scheme)
            if probe.http_get != wanted or path not in served:
                yield f"{pod.place}: a probe asks {probe.http_get}; it should ask {wanted}"
        if start.period_seconds * start.failure_threshold < supervisor.START_TIMEOUT_S:
            yield f"{pod.place}: startupProbe gives up before {supervisor.START_TIMEOUT_S:.0f} s; a start may take that"


def _served(command: str) -> set[str]:
    """Return the paths of a command's application."""
    if command == "gateway":  # Its worker is made with what the parent shares; tests/gateway asks these.
        return {"/livez", "/readyz"}
    application = processes.PROCESSES[command].load()
    made = application.create(None)
    assert isinstance(made, Starlette)
    routes = made.routes
    return {route.path for route in routes if isinstance(route, Route)}


def short_grace(tree: Tree) -> Iterator[str]:
    """Check that SIGKILL comes after preStop, the drain, and the supervisor's wait for accepted requests."""
    for pod in listening(tree):
        sleep = pod.container.lifecycle.pre_stop.sleep
        if sleep is None or sleep.seconds < 1:
            yield f"{pod.place}: needs lifecycle.preStop.sleep, for as long as endpoints take to forget a pod"
        given = processes.load(_readable(settings(tree, pod)))
        # It covers the slowest commit: a worker waits for its requests, then for its writers.
        ending_s = processes.PROCESSES[pod.container.args[0]].ending_s(given) + supervisor.STOP_SPARE_S
        ending_s += launch.END_S if is_gateway(pod) else 0.0
        needed = (sleep.seconds if sleep else 0) + given.drain_s + ending_s
        if pod.spec.termination_grace_period_seconds <= needed:
            yield (
                f"{pod.place}: terminationGracePeriodSeconds {pod.spec.termination_grace_period_seconds} must be above"
                f" {needed:.0f}: preStop, drain, and {ending_s:.0f} s for what was taken"
            )


def _readable(given: dict[str, str]) -> dict[str, str]:
    known = {name for name, _, _ in config.describe(processes.Settings)}
    return {name: value for name, value in given.items() if name in known}


def uneven(tree: Tree) -> Iterator[str]:
    """Check that a roll-out surges by one, the budget allows draining but keeps a pod, and selectors match our pods."""
    for overlay, objects in tree.built.items():
        for deployment in (one for one in objects if one.kind == "Deployment" and one.metadata.name in SERVING):
            yield from _spread(deployment)
            if "prod" in overlay:
                yield from _scaling(deployment, objects)


def _spread(deployment: Object) -> Iterator[str]:
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


def _scaling(deployment: Object, objects: list[Object]) -> Iterator[str]:
    scaler, budget = (
        next((one for one in objects if one.kind == kind and one.metadata.name == deployment.metadata.name), None)
        for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget")
    )
    replicas = deployment.spec(Workload).replicas
    if budget is None or (scaler is None) == (replicas is None):
        yield f"{deployment.place}: needs a PodDisruptionBudget, and a HorizontalPodAutoscaler or replicas"
        return
    if scaler:
        yield from _scaled(scaler, deployment)
    elif replicas is not None and replicas < 2:
        yield f"{deployment.place}: needs 2 replicas or more"
    spec = budget.spec(_Budget)
    if spec.min_available or spec.max_unavailable != 1:
        yield f"{budget.place}: needs maxUnavailable 1: less blocks a drain, more leaves nobody at 2 replicas"
    if not spec.selector.matches(deployment.spec(Workload).template.metadata.labels):
        yield f"{budget.place}: does not select the Deployment's pods"


def _scaled(one: Object, deployment: Object) -> Iterator[str]:
    scaler = one.spec(_Scaler)
    if (scaler.scale_target_ref.kind, scaler.scale_target_ref.name) != ("Deployment", deployment.metadata.name):
        yield f"{one.place}: scales {scaler.scale_target_ref.name}, which is not the Deployment"
    if not 2 <= scaler.min_replicas <= scaler.max_replicas:
        yield f"{one.place}: needs minReplicas of 2 or more, and no more than maxReplicas"


def connections(tree: Tree, overlay: str) -> int:
    """Return the most connections that the pods of servers and consoles open, with the extra ones of a roll-out."""
    return sum(_connections(tree, pod) for pod in listening(tree) if pod.overlay == overlay and not is_gateway(pod))


def _connections(tree: Tree, pod: Pod) -> int:
    given = processes.load(_readable(settings(tree, pod)))
    is_server = pod.container.args[0] == "serve"
    of_a_worker = given.writer_connections + CONNECTIONS_BESIDE_WRITERS if is_server else CONNECTIONS_OF_CONSOLE
    return (_replicas(tree, pod) + 1) * given.workers * of_a_worker


def _replicas(tree: Tree, pod: Pod) -> int:
    scalers = {one.metadata.name: one.spec(_Scaler) for one in tree.each("HorizontalPodAutoscaler")}
    for one in tree.each("Deployment"):
        if workload(one).template.metadata.labels == pod.labels and one.place.startswith(pod.overlay):
            return (
                scalers[one.metadata.name].max_replicas if one.metadata.name in scalers else workload(one).replicas or 1
            )
    raise AssertionError
