"""Custom resources, which kubernetes-validate does not know: the fields that we use, closed, so that typos are found.

From the API references of CloudNativePG 1.29, its Barman Cloud plugin 0.11 and the Prometheus operator 0.85.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from tests.k8s.overlays import Object, Tree

_Amount = Annotated[str, Meta(pattern=r"\A\d+(m|Mi|Gi)?\Z")]
_Lasts = Annotated[str, Meta(pattern=r"\A\d+(s|m|h|d)\Z")]
_Labels = dict[str, str]


class _Closed(Struct, rename="camel", forbid_unknown_fields=True):
    """A field that is not named is an error."""


class _Metadata(_Closed):
    name: str
    namespace: Literal["nocontent"]
    labels: _Labels = {}
    annotations: _Labels = {}


class _Selector(_Closed):
    match_labels: _Labels


class _Synchronous(_Closed):
    method: Literal["any", "first"]
    number: int
    data_durability: Literal["required", "preferred"]
    failover_quorum: bool = False


class PostgreSQL(_Closed):
    synchronous: _Synchronous
    parameters: dict[str, str]


class _InitDB(_Closed):
    database: str
    owner: str
    data_checksums: bool
    post_init_application_sql: list[str] = field(default_factory=list, name="postInitApplicationSQL")


class _Bootstrap(_Closed):
    initdb: _InitDB


class _Role(_Closed):
    name: str
    ensure: Literal["present", "absent"]
    login: bool
    createrole: bool = False


class _Managed(_Closed):
    roles: list[_Role]


class _Storage(_Closed):
    size: _Amount
    storage_class: str = ""


class _Resources(_Closed):
    requests: dict[Literal["cpu", "memory"], _Amount]
    limits: dict[Literal["cpu", "memory"], _Amount]


class _Affinity(_Closed):
    enable_pod_anti_affinity: bool
    pod_anti_affinity_type: Literal["required", "preferred"]
    topology_key: str


class _Plugin(_Closed):
    name: str
    is_wal_archiver: bool = field(default=False, name="isWALArchiver")
    parameters: dict[Literal["barmanObjectName", "serverName"], str] = {}


class ClusterSpec(_Closed):
    instances: int
    image_name: Annotated[str, Meta(pattern=r"@sha256:[0-9a-f]{64}\Z")]
    postgresql: PostgreSQL
    bootstrap: _Bootstrap
    managed: _Managed
    enable_superuser_access: Literal[False]
    storage: _Storage
    wal_storage: _Storage
    resources: _Resources
    affinity: _Affinity
    plugins: list[_Plugin]


class _S3Credentials(_Closed):
    inherit_from_iam_role: bool = field(name="inheritFromIAMRole")


class _Wal(_Closed):
    compression: Literal["gzip", "bzip2", "lz4", "snappy", "xz", "zstd"]
    max_parallel: int = 1


class _Configuration(_Closed):
    destination_path: str
    s3_credentials: _S3Credentials = field(name="s3Credentials")
    wal: _Wal


class _ObjectStoreSpec(_Closed):
    retention_policy: Annotated[str, Meta(pattern=r"\A[1-9][0-9]*[dwm]\Z")]
    configuration: _Configuration


class _Named(_Closed):
    name: str


class _ScheduledBackupSpec(_Closed):
    schedule: Annotated[str, Meta(pattern=r"\A\S+( \S+){5}\Z")]
    immediate: bool
    backup_owner_reference: Literal["none", "self", "cluster"]
    cluster: _Named
    method: Literal["plugin"]
    plugin_configuration: _Named


class _Endpoint(_Closed):
    port: str
    path: str = "/metrics"
    interval: _Lasts = "30s"
    scrape_timeout: _Lasts = "10s"


class _ServiceMonitorSpec(_Closed):
    selector: _Selector
    endpoints: list[_Endpoint]


class _PodMonitorSpec(_Closed):
    selector: _Selector
    pod_metrics_endpoints: list[_Endpoint]


class _Rule(_Closed, kw_only=True, rename={"lasts": "for", "keeps": "keep_firing_for"}):
    alert: str = ""
    record: str = ""
    expr: str
    labels: _Labels = {}
    annotations: _Labels = {}
    lasts: _Lasts = "0s"
    keeps: _Lasts = "0s"


class _Group(_Closed):
    name: str
    rules: list[_Rule]
    interval: _Lasts = "30s"


class _PrometheusRuleSpec(_Closed):
    groups: list[_Group]


_SPECS: dict[tuple[str, str], type[Struct]] = {
    ("postgresql.cnpg.io/v1", "Cluster"): ClusterSpec,
    ("postgresql.cnpg.io/v1", "ScheduledBackup"): _ScheduledBackupSpec,
    ("barmancloud.cnpg.io/v1", "ObjectStore"): _ObjectStoreSpec,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): _ServiceMonitorSpec,
    ("monitoring.coreos.com/v1", "PodMonitor"): _PodMonitorSpec,
    ("monitoring.coreos.com/v1", "PrometheusRule"): _PrometheusRuleSpec,
}


def is_custom(one: Object) -> bool:
    """Return whether a resource is not Kubernetes' own, whose groups end in .k8s.io or have no dot."""
    group = one.api.partition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def misspelt(tree: Tree) -> Iterator[str]:
    """Check that every custom resource is of a kind known here, and has only its fields."""
    for objects in tree.built.values():
        for one in objects:
            if not is_custom(one):
                continue
            spec = _SPECS.get((one.api, one.kind))
            if spec is None:
                yield f"{one.place}: {one.api} has no shape in tests/k8s/custom.py"
                continue
            try:
                one.read(msgspec.defstruct(one.kind, [*_FIELDS, ("spec", spec)], forbid_unknown_fields=True))
            except msgspec.ValidationError as refused:
                yield f"{one.place}: {refused}"


_FIELDS: list[tuple[str, type]] = [("apiVersion", str), ("kind", str), ("metadata", _Metadata)]
