"""Custom resources, whose schemas no package index has: the fields that we use, so that typos and new ones are found.

From the API references of CloudNativePG 1.29, its Barman Cloud plugin 0.11 and the Prometheus operator 0.85.
"""

import json
import re
from collections.abc import Iterator

import msgspec

from tests.k8s.overlays import Object, Tree

_TEXT, _NAME, _FLAG, _COUNT, _AMOUNT = r'"(?s:.+)"', r'"[\w./-]+"', "true|false", r"\d+", r'"\d+(m|Mi|Gi)?"'
_HEAD = {
    "apiVersion": _TEXT,
    "kind": _NAME,
    "metadata.labels.*": _NAME,
    "metadata.name": _NAME,
    "metadata.namespace": '"nocontent"',
}
# Each field by its path, with the pattern of its JSON; `*` is any name, and a list is the same for all its members.
_FIELDS: dict[tuple[str, str], dict[str, str]] = {
    ("postgresql.cnpg.io/v1", "Cluster"): {
        "spec.affinity.enablePodAntiAffinity": _FLAG,
        "spec.affinity.podAntiAffinityType": '"(required|preferred)"',
        "spec.affinity.topologyKey": _NAME,
        "spec.bootstrap.initdb.dataChecksums": _FLAG,
        "spec.bootstrap.initdb.database": _NAME,
        "spec.bootstrap.initdb.owner": _NAME,
        "spec.bootstrap.initdb.postInitApplicationSQL": _TEXT,
        "spec.enableSuperuserAccess": "false",
        "spec.imageName": r'"\S+@sha256:[0-9a-f]{64}"',
        "spec.instances": _COUNT,
        "spec.managed.roles.createrole": _FLAG,
        "spec.managed.roles.ensure": '"(present|absent)"',
        "spec.managed.roles.login": _FLAG,
        "spec.managed.roles.name": _NAME,
        "spec.plugins.isWALArchiver": _FLAG,
        "spec.plugins.name": _NAME,
        "spec.plugins.parameters.barmanObjectName": _NAME,
        "spec.postgresql.parameters.*": _TEXT,
        "spec.postgresql.synchronous.dataDurability": '"(required|preferred)"',
        "spec.postgresql.synchronous.failoverQuorum": _FLAG,
        "spec.postgresql.synchronous.method": '"(any|first)"',
        "spec.postgresql.synchronous.number": _COUNT,
        "spec.resources.limits.cpu": _AMOUNT,
        "spec.resources.limits.memory": _AMOUNT,
        "spec.resources.requests.cpu": _AMOUNT,
        "spec.resources.requests.memory": _AMOUNT,
        "spec.storage.size": _AMOUNT,
        "spec.walStorage.size": _AMOUNT,
    },
    ("postgresql.cnpg.io/v1", "ScheduledBackup"): {
        "spec.backupOwnerReference": '"(none|self|cluster)"',
        "spec.cluster.name": _NAME,
        "spec.immediate": _FLAG,
        "spec.method": '"plugin"',
        "spec.pluginConfiguration.name": _NAME,
        "spec.schedule": r'"\S+( \S+){5}"',
    },
    ("barmancloud.cnpg.io/v1", "ObjectStore"): {
        "spec.configuration.destinationPath": _TEXT,
        "spec.configuration.s3Credentials.inheritFromIAMRole": _FLAG,
        "spec.configuration.wal.compression": '"(gzip|bzip2|lz4|snappy|xz|zstd)"',
        "spec.configuration.wal.maxParallel": _COUNT,
        "spec.retentionPolicy": '"[1-9][0-9]*[dwm]"',
    },
    ("monitoring.coreos.com/v1", "ServiceMonitor"): {
        "spec.endpoints.interval": r'"\d+s"',
        "spec.endpoints.path": '"/metrics"',
        "spec.endpoints.port": _NAME,
        "spec.endpoints.scrapeTimeout": r'"\d+s"',
        "spec.selector.matchLabels.*": _NAME,
    },
    ("monitoring.coreos.com/v1", "PodMonitor"): {
        "spec.podMetricsEndpoints.port": _NAME,
        "spec.selector.matchLabels.*": _NAME,
    },
}
GENERATED = ("monitoring.coreos.com/v1", "PrometheusRule")  # Compared whole with rules that promtool reads.


def is_custom(one: Object) -> bool:
    """Return whether a resource is not Kubernetes' own, whose groups end in .k8s.io or have no dot."""
    group = one.api.partition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def misspelt(tree: Tree) -> Iterator[str]:
    """Check that every custom resource is of a kind known here, and has its fields and no others."""
    for objects in tree.built.values():
        for one in objects:
            if (one.api, one.kind) in _FIELDS:
                yield from (f"{one.place}: {fault}" for fault in _faults(one, _FIELDS[one.api, one.kind] | _HEAD))
            elif is_custom(one) and (one.api, one.kind) != GENERATED:
                yield f"{one.place}: {one.api} has no fields in tests/k8s/custom.py"


def _faults(one: Object, known: dict[str, str]) -> Iterator[str]:
    found = dict(_leaves(msgspec.yaml.decode(one.text), ""))
    for path, value in found.items():
        field = next((name for name in known if _matches(name, path)), None)
        if field is None or not re.fullmatch(known[field], value):
            yield f"{path} is {value}" if field else f"no field {path} is known"
    yield from (f"needs {name}" for name in known if name not in found and not name.endswith("*"))


def _matches(name: str, path: str) -> bool:
    return path.startswith(name[:-1]) if name.endswith("*") else path == name


def _leaves(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield each path and the JSON of its value."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, path)
    else:
        yield path, json.dumps(value, ensure_ascii=False)
