"""Facts that stand in two places and must agree: generated files, the database's settings, Containerfile, locks."""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from ingest.store import settings as log_settings
from k8s.generate.__main__ import files
from tests.k8s.objects import Pod, servers
from tests.k8s.overlays import Object, Tree
from tests.k8s.pods import secret_of
from tests.k8s.rollout import CONNECTIONS_LEFT, connections

CONFIG_MAP_CHARS_MAX = 200_000
TO_SET = "sha256:" + 64 * "0"
_PINNED = re.compile(r"^[a-z0-9-]+==\S+", re.MULTILINE)


class _PostgreSQL(Struct):
    synchronous: dict[str, str | int | bool]
    parameters: dict[str, str]


class _Cluster(Struct):
    instances: int
    postgresql: _PostgreSQL


def stale(tree: Tree) -> Iterator[str]:
    """Check that the deployed rules and dashboards are those that `make test` tests."""
    for name, text in files().items():
        if tree.read(name) != text:
            yield f"{name}: is not what k8s/generate makes; run `make generate`"


def large_maps(tree: Tree) -> Iterator[str]:
    """Check that each ConfigMap fits into an annotation of 262,144 characters, where `kubectl apply` keeps a copy."""
    for one in tree.each("ConfigMap"):
        if len(one.text) > CONFIG_MAP_CHARS_MAX:
            yield f"{one.place}: {len(one.text):,} characters are too many for `kubectl apply`"


def left_to_set(tree: Tree) -> list[str]:
    """Return the values that an operator must set before applying an overlay."""
    places = {
        "the image": TO_SET,
        "the database's addresses": "192.0.2.0/24",
        "where backups go": "backups.invalid",
        "the console's address": "console.invalid",
    }
    texts = {name: "".join(one.text for one in objects) for name, objects in tree.built.items()}
    return [f"{name}: {what}" for name, text in texts.items() for what, mark in places.items() if mark in text]


def other_database(tree: Tree) -> Iterator[str]:
    """Check that CloudNativePG's cluster waits for a standby, has enough connections for us, and logs no value."""
    (documented,) = re.findall(
        r"^## CloudNativePG\n+```yaml\n(.*?)^```$", tree.read("docs/failover.md"), re.MULTILINE | re.DOTALL
    )
    for one in tree.each("Cluster"):
        spec = one.spec(_Cluster)
        waits = {"instances": spec.instances, "postgresql": {"synchronous": spec.postgresql.synchronous}}
        if msgspec.yaml.decode(documented) != {"spec": waits}:
            yield f"{one.place}: instances and synchronous are not those of docs/failover.md"
        for name, safe in log_settings.SAFE.items():
            if spec.postgresql.parameters.get(name) not in safe:
                yield f"{one.place}: parameters needs {name}: {' or '.join(sorted(safe))}; `serve --strict` asks for it"
        for pod in servers(tree):
            if one.place.startswith(pod.overlay):
                yield from _shared(tree, pod, one)


def _shared(tree: Tree, pod: Pod, cluster: Object) -> Iterator[str]:
    name = cluster.metadata.name
    room = int(cluster.spec(_Cluster).postgresql.parameters["max_connections"]) - CONNECTIONS_LEFT
    if connections(tree, pod.overlay) > room:
        yield f"{cluster.place}: max_connections leaves {room}; our pods open {connections(tree, pod.overlay)}"
    if secret_of(pod, "/run/secrets/nocontent-db") != f"{name}-ca":
        yield f"{cluster.place}: its CA will be the secret {name}-ca, which the pods do not mount"
    for one in tree.built[pod.overlay]:
        if "cnpg.io/cluster" in one.text and f"cnpg.io/cluster: {name}\n" not in one.text:
            yield f"{one.place} {one.metadata.name}: selects another cluster than {name}"


def loose_containerfile(tree: Tree) -> Iterator[str]:
    """Check that the image is pinned by hashes, handles its signals itself, and holds no setting that is a secret."""
    text = tree.read("Containerfile")
    facts = {
        "ARG BASE by digest": re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE),
        "every stage FROM ${BASE}": {*re.findall(r"^FROM (\S+)", text, re.MULTILINE)} == {"${BASE}"},
        'ENTRYPOINT ["nocontent"], without a shell': re.search(r'^ENTRYPOINT \["nocontent"\]$', text, re.MULTILINE),
        "STOPSIGNAL SIGTERM": re.search(r"^STOPSIGNAL SIGTERM$", text, re.MULTILINE),
        "EXPOSE 8080 8090 8480 9464 9465 9466": re.search(
            r"^EXPOSE 8080 8090 8480 9464 9465 9466$", text, re.MULTILINE
        ),
        "--require-hashes and --only-binary": "--require-hashes --only-binary :all:" in text,
        "no HEALTHCHECK": not re.search(r"^HEALTHCHECK", text, re.MULTILINE),
        "no secret setting": not re.search(r"^\s*(ENV|ARG) .*NOCONTENT_", text, re.MULTILINE),
    }
    yield from (f"Containerfile: needs {fact}" for fact, holds in facts.items() if not holds)


def other_locks(tree: Tree) -> Iterator[str]:
    """Check that the image's lock is a part of the runtime lock; the image's check looks for PostgreSQL."""
    runtime, image = ({*_PINNED.findall(tree.read(name))} for name in ("requirements.lock", "requirements-image.lock"))
    yield from (
        f"requirements-image.lock: {pin} is not in requirements.lock; run `make lock`" for pin in image - runtime
    )
