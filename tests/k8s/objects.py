"""The parts of Kubernetes objects that our rules check; kubernetes-validate finds other typos."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from tests.k8s.overlays import Object, Tree

# The commands that listen, with the setting of each port by its name.
PORTS = {
    "serve": {"api": "NOCONTENT_BIND", "metrics": "NOCONTENT_METRICS_BIND"},
    "gateway": {"gateway": "NOCONTENT_GATEWAY_BIND", "metrics": "NOCONTENT_GATEWAY_METRICS_BIND"},
    "console": {"pages": "NOCONTENT_CONSOLE_BIND", "metrics": "NOCONTENT_CONSOLE_METRICS_BIND"},
}


class Shape(Struct, frozen=True, rename="camel"):
    """A struct with Kubernetes' names, which ignores other fields."""


class Selector(Shape, frozen=True):
    match_labels: dict[str, str] = {}
    match_expressions: list["Expression"] = []

    def matches(self, labels: dict[str, str]) -> bool:
        """Return whether it selects an object of these labels; of the operators, we write `In` alone."""
        assert all(each.operator == "In" for each in self.match_expressions)
        return self.match_labels.items() <= labels.items() and all(
            labels.get(each.key) in each.values for each in self.match_expressions
        )


class Expression(Shape, frozen=True):
    key: str
    operator: str
    values: list[str]


class HttpGet(Shape, frozen=True):
    path: str
    port: str | int
    scheme: str = "HTTP"


class Probe(Shape, frozen=True):
    http_get: HttpGet | None = None
    period_seconds: int = 10
    failure_threshold: int = 3


class Sleep(Shape, frozen=True):
    seconds: int = 0


class Hook(Shape, frozen=True):
    sleep: Sleep | None = None


class Lifecycle(Shape, frozen=True):
    pre_stop: Hook = Hook()


class SecurityContext(Shape, frozen=True):
    """The security context of a pod; checkov knows those of containers."""

    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    fs_group: int | None = None


class KeyRef(Shape, frozen=True):
    name: str = ""


class Variable(Shape, frozen=True):
    name: str
    value: str = ""


class Source(Shape, frozen=True):
    config_map_ref: KeyRef | None = None


class Port(Shape, frozen=True):
    name: str = ""
    container_port: int = 0
    port: int = 0
    target_port: int | str = 0


class Resources(Shape, frozen=True):
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}


class Mount(Shape, frozen=True):
    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""


class Container(Shape, frozen=True):
    name: str
    args: list[str] = []
    env: list[Variable] = []
    env_from: list[Source] = []
    ports: list[Port] = []
    resources: Resources = Resources()
    lifecycle: Lifecycle = Lifecycle()
    startup_probe: Probe = Probe()
    liveness_probe: Probe = Probe()
    readiness_probe: Probe = Probe()
    volume_mounts: list[Mount] = []


class SecretVolume(Shape, frozen=True):
    secret_name: str
    default_mode: int = 0o644


class Volume(Shape, frozen=True):
    name: str
    secret: SecretVolume | None = None


class Spread(Shape, frozen=True):
    label_selector: Selector = Selector()


class PodSpec(Shape, frozen=True):
    containers: list[Container]
    security_context: SecurityContext = SecurityContext()
    enable_service_links: bool = True
    service_account_name: str = "default"
    termination_grace_period_seconds: int = 30
    topology_spread_constraints: list[Spread] = []
    volumes: list[Volume] = []


class Labels(Shape, frozen=True):
    labels: dict[str, str] = {}


class Template(Shape, frozen=True):
    spec: PodSpec
    metadata: Labels = Labels()


class RollingUpdate(Shape, frozen=True):
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"


class Strategy(Shape, frozen=True):
    type: str = "RollingUpdate"
    rolling_update: RollingUpdate = RollingUpdate()


class Workload(Shape, frozen=True):
    """The spec of a Deployment or a Job."""

    template: Template
    selector: Selector = Selector()
    strategy: Strategy = Strategy()
    replicas: int | None = None


class _JobTemplate(Shape, frozen=True):
    spec: Workload


class _CronJob(Shape, frozen=True):
    job_template: _JobTemplate


class ConfigMap(Shape, frozen=True):
    data: dict[str, str] = {}


class Pod(NamedTuple):
    """One of our pods, with its place in the manifests."""

    place: str
    labels: dict[str, str]
    spec: PodSpec
    overlay: str

    @property
    def container(self) -> Container:
        return self.spec.containers[0]


def workload(one: Object) -> Workload:
    """Return the spec that makes the pods of a Deployment, a Job or a CronJob."""
    return one.spec(_CronJob).job_template.spec if one.kind == "CronJob" else one.spec(Workload)


def pods(tree: Tree, *kinds: str) -> Iterator[Pod]:
    """Yield our pods: of all kinds, or of these."""
    for one in tree.each(*(kinds or ("Deployment", "Job", "CronJob"))):
        template = workload(one).template
        yield Pod(one.place, template.metadata.labels, template.spec, one.place.partition(":")[0])


def servers(tree: Tree) -> Iterator[Pod]:
    """Yield the pods that accept events."""
    return (pod for pod in listening(tree) if pod.container.args[0] == "serve")


def listening(tree: Tree) -> Iterator[Pod]:
    """Yield the pods that have ports: servers, consoles and gateways."""
    return (pod for pod in pods(tree, "Deployment") if pod.container.args[0] in PORTS)
