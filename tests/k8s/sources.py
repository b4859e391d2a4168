"""Facts that stand in two places and must agree: rules, images, the database's settings, Containerfile, locks."""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from ingest.store import settings as log_settings
from k8s.generate.__main__ import files
from tests.k8s.custom import ClusterSpec
from tests.k8s.objects import ConfigMap, Pod, pods
from tests.k8s.overlays import Object, Tree
from tests.k8s.pods import secret_of
from tests.k8s.rollout import CONNECTIONS_LEFT, connections

CONFIG_MAP_CHARS_MAX = 200_000
TO_SET = "sha256:" + 64 * "0"
_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}\Z")
_PINNED = re.compile(r"^[a-z0-9-]+==\S+", re.MULTILINE)


class _Cluster(Struct):
    spec: ClusterSpec


class _DocumentedSpec(Struct, forbid_unknown_fields=True):
    instances: int
    postgresql: "_DocumentedPostgreSQL"


class _DocumentedPostgreSQL(Struct, forbid_unknown_fields=True):
    synchronous: dict[str, str | int | bool]


class _Documentation(Struct, forbid_unknown_fields=True):
    spec: _DocumentedSpec


class _Dashboard(Struct):
    title: str
    uid: str
    panels: list[dict[str, object]]


def stale(tree: Tree) -> Iterator[str]:
    """Check that the deployed rules and dashboards are those that `make test` tests."""
    for name, text in files().items():
        if tree.read(name) != text:
            yield f"{name}: is not what k8s/generate makes; run `make generate`"


def dashboards(tree: Tree) -> Iterator[str]:
    """Check that Grafana can read each dashboard, and that its name is stable."""
    for one in tree.each("ConfigMap"):
        if one.metadata.labels.get("grafana_dashboard") != "1":
            continue
        if len(one.text) > CONFIG_MAP_CHARS_MAX:
            yield f"{one.place}: {len(one.text):,} characters; `kubectl apply` keeps a copy in an annotation of 262,144"
        for name, text in one.read(ConfigMap).data.items():
            try:
                msgspec.json.decode(text, type=_Dashboard)
            except msgspec.DecodeError as refused:
                yield f"{one.place}: {name}: {refused}"


def loose_images(tree: Tree) -> Iterator[str]:
    """Check that production overlays name images by digest."""
    for pod in pods(tree):
        for container in (*pod.spec.containers, *pod.spec.init_containers):
            if "prod" in pod.overlay and not _DIGEST.match(container.image):
                yield f"{pod.place}: the image {container.image} is not named by a digest; see images: in the overlay"


def left_to_set(tree: Tree) -> list[str]:
    """Return the values that an operator must set before applying an overlay."""
    places = {"the image": TO_SET, "the database's addresses": "192.0.2.0/24", "where backups go": "backups.invalid"}
    texts = {name: "".join(one.text for one in objects) for name, objects in tree.built.items()}
    return [f"{name}: {what}" for name, text in texts.items() for what, mark in places.items() if mark in text]


def other_database(tree: Tree) -> Iterator[str]:
    """Check that CloudNativePG's cluster waits for a standby, has enough connections for us, and logs no value."""
    found = re.search(
        r"^## CloudNativePG\n+```yaml\n(.*?)^```$", tree.read("docs/failover.md"), re.MULTILINE | re.DOTALL
    )
    documented = msgspec.yaml.decode(found[1], type=_Documentation).spec if found else None
    for one in tree.each("Cluster"):
        spec = one.read(_Cluster).spec
        if documented is None or (
            spec.instances != documented.instances
            or msgspec.to_builtins(spec.postgresql.synchronous) != documented.postgresql.synchronous
        ):
            yield f"{one.place}: instances and synchronous are not those of docs/failover.md"
        for name, safe in log_settings.SAFE.items():
            if spec.postgresql.parameters.get(name) not in safe:
                yield f"{one.place}: parameters needs {name}: {' or '.join(sorted(safe))}; `serve --strict` asks for it"
        for pod in pods(tree, "Deployment"):
            if one.place.startswith(pod.overlay):
                yield from _shared(tree, pod, one)


def _shared(tree: Tree, pod: Pod, cluster: Object) -> Iterator[str]:
    name = cluster.metadata.name
    room = int(cluster.read(_Cluster).spec.postgresql.parameters["max_connections"]) - CONNECTIONS_LEFT
    if connections(tree, pod) > room:
        yield f"{cluster.place}: max_connections leaves {room}; the server's pods open {connections(tree, pod)}"
    if secret_of(pod, "/run/secrets/nocontent-db") != f"{name}-ca":
        yield f"{cluster.place}: its CA will be the secret {name}-ca, which the pods do not mount"
    for one in tree.built[pod.overlay]:
        if "cnpg.io/cluster" in one.text and f"cnpg.io/cluster: {name}\n" not in one.text:
            yield f"{one.place} {one.metadata.name}: selects another cluster than {name}"


def loose_containerfile(tree: Tree) -> Iterator[str]:
    """Check that the image is pinned, has a numeric user, handles its signals itself, and contains no PostgreSQL."""
    text = tree.read("Containerfile")
    facts = {
        "ARG BASE by digest": re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE),
        "every stage FROM ${BASE}": {*re.findall(r"^FROM (\S+)", text, re.MULTILINE)} == {"${BASE}"},
        "USER as a number that is not root's": re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1:] == ["65532:65532"],
        'ENTRYPOINT ["nocontent"], without a shell': re.search(r'^ENTRYPOINT \["nocontent"\]$', text, re.MULTILINE),
        "STOPSIGNAL SIGTERM": re.search(r"^STOPSIGNAL SIGTERM$", text, re.MULTILINE),
        "EXPOSE 8080 9464": re.search(r"^EXPOSE 8080 9464$", text, re.MULTILINE),
        "--require-hashes and --only-binary": "--require-hashes --only-binary :all:" in text,
        "no HEALTHCHECK": not re.search(r"^HEALTHCHECK", text, re.MULTILINE),
        "no secret setting": not re.search(r"^\s*(ENV|ARG) .*NOCONTENT_", text, re.MULTILINE),
    }
    yield from (f"Containerfile: needs {fact}" for fact, holds in facts.items() if not holds)


def other_locks(tree: Tree) -> Iterator[str]:
    """Check that the image's lock is the runtime lock without the embedded PostgreSQL and its own dependencies."""
    runtime, image = ({*_PINNED.findall(tree.read(name))} for name in ("requirements.lock", "requirements-image.lock"))
    yield from (
        f"requirements-image.lock: {pin} is not in requirements.lock; run `make lock`" for pin in image - runtime
    )
    if any(pin.startswith("embedded") for pin in image) or not image:
        yield "requirements-image.lock: has the embedded PostgreSQL; run `make lock`"
