"""Network rules: each port has one number everywhere, and nothing is open that nobody needs."""

from collections.abc import Iterator

from msgspec import field

from tests.k8s.objects import PORTS, Pod, Port, Selector, Shape, listening, pods
from tests.k8s.overlays import Object, Tree
from tests.k8s.pods import is_gateway, settings

POSTGRESQL, SERVICE, HTTPS = 5432, 8080, 443
_INSIDE = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}  # Where a cluster's pods and databases are.
_SERVERS = Selector({"app.kubernetes.io/name": "nocontent", "app.kubernetes.io/component": "server"})


class _Service(Shape, frozen=True):
    ports: list[Port]
    selector: dict[str, str]
    type: str = "ClusterIP"


class _Endpoint(Shape, frozen=True):
    port: str


class _Monitor(Shape, frozen=True):
    selector: Selector
    endpoints: tuple[_Endpoint, ...]


class _Block(Shape, frozen=True):
    cidr: str
    beside: tuple[str, ...] = field(default=(), name="except")


class _Peer(Shape, frozen=True):
    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    ip_block: _Block | None = None


class _Rule(Shape, frozen=True):
    ports: tuple[Port, ...] = ()
    sources: list[_Peer] = field(default_factory=list, name="from")
    targets: list[_Peer] = field(default_factory=list, name="to")


class _Policy(Shape, frozen=True):
    pod_selector: Selector
    policy_types: list[str]
    ingress: tuple[_Rule, ...] = ()
    egress: tuple[_Rule, ...] = ()


def other_ports(tree: Tree) -> Iterator[str]:
    """Check that settings, containers, Services and policies name the same ports."""
    for pod in listening(tree):
        bound = _bound(tree, pod)
        if bound != {port.name: port.container_port for port in pod.container.ports}:
            yield f"{pod.place}: containerPorts are not those of {', '.join(_settings_of(pod).values())}: {bound}"
        served: set[str] = set()
        for one in tree.built[pod.overlay]:
            if one.kind == "Service" and one.spec(_Service).selector.items() <= pod.labels.items():
                yield from _service(one, bound)
                served |= {port.name for port in one.spec(_Service).ports}
        if served != bound.keys():
            yield f"{pod.place}: Services offer {sorted(served)}; they should offer {sorted(bound)}"
    for one in tree.each("Service"):
        selected = one.spec(_Service).selector.items()
        if not any(selected <= pod.labels.items() for pod in listening(tree)):
            yield f"{one.place} {one.metadata.name}: does not select a Deployment's pods"


def _settings_of(pod: Pod) -> dict[str, str]:
    return PORTS.get(pod.container.args[0], {})


def _bound(tree: Tree, pod: Pod) -> dict[str, int]:
    given = settings(tree, pod)
    binds = {name: given.get(setting, ":0") for name, setting in _settings_of(pod).items()}
    return {name: int(bind.rpartition(":")[2]) for name, bind in binds.items() if not bind.startswith("127.")}


def _service(one: Object, bound: dict[str, int]) -> Iterator[str]:
    spec = one.spec(_Service)
    if spec.type != "ClusterIP":
        yield f"{one.place}: type {spec.type} opens a way past the ingress controller"
    names = {port.name for port in spec.ports}
    if len(names) != 1:
        yield f"{one.place} {one.metadata.name}: has {sorted(names)}; /metrics has a Service of its own"
    for port in spec.ports:
        target = port.target_port or port.port
        if target not in {port.name, bound.get(port.name)} or port.port != bound.get(port.name):
            yield f"{one.place} {one.metadata.name}: port {port.port} to {target} is not {port.name} of the container"


def unscraped(tree: Tree) -> Iterator[str]:
    """Check that a monitor selects a Service with its port; otherwise there would be no series and no alert."""
    for objects in tree.built.values():
        services = [one for one in objects if one.kind == "Service"]
        for one in objects:
            if one.kind != "ServiceMonitor":
                continue
            spec = one.spec(_Monitor)
            found = [each for each in services if spec.selector.matches(each.metadata.labels)]
            offered = [port.name for each in found for port in each.spec(_Service).ports]
            if offered != [endpoint.port for endpoint in spec.endpoints]:
                yield f"{one.place}: selects Services that offer {offered}; it asks for /metrics once"


def open_network(tree: Tree) -> Iterator[str]:
    """Check that all is denied except named peers of the API and /metrics, and our traffic to DNS and PostgreSQL."""
    for overlay, objects in tree.built.items():
        policies = {one.metadata.name: one.spec(_Policy) for one in objects if one.kind == "NetworkPolicy"}
        denied = policies.get("default-deny")
        if denied is None or denied.pod_selector != Selector() or {*denied.policy_types} != {"Ingress", "Egress"}:
            yield f"{overlay}: k8s/base/network.yaml: needs the NetworkPolicy default-deny, of all pods and both ways"
        elif denied.ingress or denied.egress:
            yield f"{overlay}: k8s/base/network.yaml: default-deny lets something through"
        for pod in pods(tree):
            if pod.overlay == overlay:
                applied = [policy for policy in policies.values() if policy.pod_selector.matches(pod.labels)]
                yield from _of_pod(tree, pod, applied)


def _of_pod(tree: Tree, pod: Pod, policies: list[_Policy]) -> Iterator[str]:
    bound = _bound(tree, pod)
    rules = [rule for policy in policies for rule in policy.ingress]
    let_in = [port.port for rule in rules for port in rule.ports]
    if sorted(let_in) != sorted(bound.values()):
        yield f"{pod.place}: NetworkPolicies let in ports {let_in}; the container serves {sorted(bound.values())}"
    if not all(rule.ports and rule.sources and all(map(_names_somebody, rule.sources)) for rule in rules):
        yield f"{pod.place}: a NetworkPolicy lets anybody in"
    for rule in rules:
        if bound.get("metrics") in {port.port for port in rule.ports} and not all(
            peer.pod_selector and peer.namespace_selector for peer in rule.sources
        ):
            yield f"{pod.place}: /metrics is open to more than the pods of Prometheus"
    yield from _outward(pod, policies)


def _outward(pod: Pod, policies: list[_Policy]) -> Iterator[str]:
    outward = {port.port for policy in policies for rule in policy.egress for port in rule.ports}
    if is_gateway(pod):
        yield from _of_gateway(pod, outward, policies)
        return
    if outward != {53, POSTGRESQL}:
        yield f"{pod.place}: NetworkPolicies let out to {sorted(outward)}; DNS and PostgreSQL are 53 and {POSTGRESQL}"
    if "prod" in pod.overlay and not all(
        rule.targets for policy in policies for rule in policy.egress if rule.ports[0].port == POSTGRESQL
    ):
        yield f"{pod.place}: the NetworkPolicy `database` does not say where the database is"


def _of_gateway(pod: Pod, outward: set[int], policies: list[_Policy]) -> Iterator[str]:
    if outward != {53, SERVICE, HTTPS}:
        yield f"{pod.place}: NetworkPolicies let out to {sorted(outward)}; DNS, the service and providers are enough"
    for rule in (rule for policy in policies for rule in policy.egress):
        ports = {port.port for port in rule.ports}
        if ports == {HTTPS} and not all(peer.ip_block and {*peer.ip_block.beside} >= _INSIDE for peer in rule.targets):
            yield f"{pod.place}: providers are at public addresses; a NetworkPolicy lets it out to others"
        if ports == {SERVICE} and [peer.pod_selector for peer in rule.targets] != [_SERVERS]:
            yield f"{pod.place}: port {SERVICE} is the service's; a NetworkPolicy lets it out to other pods"


def _names_somebody(peer: _Peer) -> bool:
    selectors = [selector for selector in (peer.pod_selector, peer.namespace_selector) if selector]
    return bool(peer.ip_block) or any(selector != Selector() for selector in selectors)
