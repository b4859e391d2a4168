"""Manifests with one thing broken: the checks must find it and name the file.

Run by `make k8s-check`, not by `make test`: it needs the tools of .venv-k8s.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.k8s import tools
from tests.k8s.__main__ import CHECKS
from tests.k8s.overlays import CannotBuild, Tree
from tests.support.service import ROOT

_COPIED = ("k8s", "docs/failover.md", "Containerfile", "requirements.lock", "requirements-image.lock")
_SERVER, _NETWORK, _SCALING = "k8s/base/server.yaml", "k8s/base/network.yaml", "k8s/base/scaling.yaml"
_SETTINGS, _SERVICES = "k8s/base/settings.env", "k8s/base/services.yaml"
_ERASURES = "k8s/components/erasures/kustomization.yaml"
_MAINTAIN, _MIGRATE = "k8s/base/maintain.yaml", "k8s/base/migrate.yaml"
_GATEWAY, _GATEWAY_NETWORK = "k8s/components/gateway/gateway.yaml", "k8s/components/gateway/network.yaml"
_JOBS, _CONSOLE = "k8s/base/jobs.yaml", "k8s/base/console.yaml"
_CLUSTER, _EXTERNAL = "k8s/overlays/prod-cnpg/cluster.yaml", "k8s/overlays/prod-external/kustomization.yaml"


class Break(NamedTuple):
    """An edit of a file, the check that must find it, and words of its finding."""

    name: str
    check: str
    file: str
    old: str
    new: str
    says: str


BREAKS = (
    Break("a misspelt field", "schemas", _SERVER, "timeoutSeconds: 5", "timeOutSeconds: 5", _SERVER),
    Break("a misspelt field of the database", "custom resources", _CLUSTER, "failoverQuorum", "failOverQuorum", _CLUSTER),
    Break("a superuser of the database", "custom resources", _CLUSTER, "enableSuperuserAccess: false", "enableSuperuserAccess: true", "enableSuperuserAccess is true"),
    Break("a database by its tag", "custom resources", _CLUSTER, "@sha256:", "-", "imageName"),
    Break("a misspelt field of a monitor", "custom resources", "k8s/base/monitors.yaml", "interval:", "intervall:", "intervall"),
    Break("a field that the oldest release lacks", "schemas", _SERVER, "enableServiceLinks: false", "enableServiceLinks: false\n      schedulingGroup: {}", "version 1.34"),
    Break("root", "checkov", _SERVER, "runAsUser: 65532", "runAsUser: 0", "server.yaml: Deployment: CKV_K8S_40"),
    Break("another user than the image's", "users", _SERVER, "fsGroup: 65532", "fsGroup: 65533", "fsGroup"),
    Break("root's rights", "checkov", _MAINTAIN, "drop: [ALL]", "drop: [NET_RAW]", "maintain.yaml: CronJob: CKV_K8S_37"),
    Break("a way to more rights", "checkov", _MIGRATE, "allowPrivilegeEscalation: false", "privileged: true", "migrate.yaml: Job: CKV_K8S_16"),
    Break("a root that can be written to", "checkov", _SERVER, "readOnlyRootFilesystem: true", "privileged: false", "server.yaml: Deployment: CKV_K8S_22"),
    Break("a namespace without PodSecurity", "users", "k8s/base/namespace.yaml", "enforce: restricted", "enforce: baseline", "enforce"),
    Break("no limit", "checkov", _SERVER, "memory: 512Mi", "ephemeral-storage: 1Gi", "server.yaml: Deployment: CKV_K8S_13"),
    Break("too little memory", "memory", _SERVER, "memory: 512Mi", "memory: 300Mi", "memory limit"),
    Break("service links", "service links", _SERVER, "enableServiceLinks: false", "enableServiceLinks: true", _SERVER),
    Break("a token for the API", "checkov", _MIGRATE, "automountServiceAccountToken: false", "automountServiceAccountToken: true", "migrate.yaml: Job: CKV_K8S_38"),
    Break("an inline secret", "secrets", _SETTINGS, "NOCONTENT_WORKERS=1", "NOCONTENT_DSN=postgresql://a:hunter2@db/t", "password"),
    Break("a secret in a variable", "checkov", _MIGRATE, "          envFrom:\n            - ", "          envFrom:\n            - secretRef:\n                name: nocontent-migrator\n            - ", "migrate.yaml: Job: CKV_K8S_35"),
    Break("a secret that all may read", "secrets", _MAINTAIN, "defaultMode: 288", "defaultMode: 292", "0440"),
    Break("an unknown setting", "settings", _SETTINGS, "NOCONTENT_WORKERS=1", "NOCONTENT_WORKER=1", "NOCONTENT_WORKER is not a setting"),
    Break("a bad value", "settings", _SETTINGS, "NOCONTENT_DRAIN_S=10", "NOCONTENT_DRAIN_S=10s", "NOCONTENT_DRAIN_S"),
    Break("a file that is not mounted", "settings", _SETTINGS, "/run/secrets/nocontent/dsn", "/run/secret/dsn", "nothing is mounted"),
    Break("a server that can sign", "receipts", _ERASURES, "{name: NOCONTENT_ERASURES_DIR", "{name: NOCONTENT_RECEIPT_KEY_FILE, value: /etc/nocontent-receipt/k}\n                  - {name: NOCONTENT_ERASURES_DIR", "must not have NOCONTENT_RECEIPT_KEY_FILE"),
    Break("a server that writes orders", "receipts", _ERASURES, "mountPath: /var/lib/nocontent-erasures, readOnly: true", "mountPath: /var/lib/nocontent-erasures", "readOnly"),
    Break("a console that can sign", "receipts", _CONSOLE, "            - name: NOCONTENT_SESSION_KEYS_FILE\n", "            - name: NOCONTENT_RECEIPT_KEY_FILE\n              value: /etc/nocontent-receipt/k\n            - name: NOCONTENT_SESSION_KEYS_FILE\n", "console.yaml"),
    Break("one login for two", "logins", _MAINTAIN, "secretName: nocontent-maintainer", "secretName: nocontent-writer", "share a login"),
    Break("a server that maintains", "logins", _SETTINGS, "NOCONTENT_MAINTAIN=false", "NOCONTENT_MAINTAIN=true", "NOCONTENT_MAINTAIN"),
    Break("a server that runs jobs", "logins", _SETTINGS, "NOCONTENT_JOBS=false", "NOCONTENT_JOBS=true", "NOCONTENT_JOBS"),
    Break("a login for jobs and more", "logins", _JOBS, "secretName: nocontent-biller", "secretName: nocontent-writer", "share a login"),
    Break("jobs that may write to their root", "checkov", _JOBS, "readOnlyRootFilesystem: true", "privileged: false", "jobs.yaml: Deployment: CKV_K8S_22"),
    Break("jobs that cannot reach the database", "network", _NETWORK, "maintain, jobs]", "maintain]", "jobs.yaml"),
    Break("a console with the server's login", "logins", _CONSOLE, "secretName: nocontent-console\n", "secretName: nocontent-writer\n", "share a login"),
    Break("session keys that others may read", "secrets", _CONSOLE, "defaultMode: 288\n", "defaultMode: 292\n", "0440"),
    Break("no session keys", "settings", _CONSOLE, "mountPath: /run/secrets/nocontent-session", "mountPath: /run/secrets/session", "nothing is mounted"),
    Break("a console without memory for passwords", "memory", _CONSOLE, "memory: 384Mi", "memory: 200Mi", "memory limit"),
    Break("a console that dies with the database", "probes", _CONSOLE, "path: /livez", "path: /readyz", "it should ask HttpGet(path='/livez', port='pages'"),
    Break("a console cut off", "grace", _CONSOLE, "PeriodSeconds: 90", "PeriodSeconds: 75", "must be above 75"),
    Break("one console", "scaling", _CONSOLE, "replicas: 2", "replicas: 1", "2 replicas"),
    Break("a console with a wrong bind", "ports", _SETTINGS, "CONSOLE_BIND=0.0.0.0:8480", "CONSOLE_BIND=0.0.0.0:8481", "NOCONTENT_CONSOLE_BIND"),
    Break("a console that anybody may reach", "network", _NETWORK, "        - namespaceSelector:\n            matchLabels:\n              kubernetes.io/metadata.name: ingress-nginx\n      ports:\n", "        - namespaceSelector: {}\n      ports:\n", "lets anybody in"),
    Break("a gateway with a volume", "gateway", _GATEWAY, "      volumes:\n", "      volumes:\n        - name: tmp\n          emptyDir: {}\n", "not a secret"),
    Break("a gateway with a login", "gateway", _GATEWAY, "            - name: TMPDIR\n", "            - name: NOCONTENT_DSN_FILE\n              value: /run/secrets/nocontent-gateway/dsn\n            - name: TMPDIR\n", "way to a database"),
    Break("a gateway that has all settings", "settings", _GATEWAY, "name: nocontent-gateway-settings", "name: nocontent-settings", "no NOCONTENT_DSN_FILE"),
    Break("a gateway that may swap", "gateway", _GATEWAY, "            limits: *bounds", '            limits:\n              cpu: "2"\n              memory: 1Gi', "no swap"),
    Break("a gateway without Landlock", "gateway", "k8s/components/gateway/settings.env", "CONFINE=required", "CONFINE=off", "CONFINE=required"),
    Break("a gateway without a layer", "gateway", "k8s/components/gateway/settings.env", "CONFINE=required", "CONFINE=required\nNOCONTENT_GATEWAY_CONFINE_WITHOUT=seccomp", "without an exception"),
    Break("a gateway with counters on disk", "gateway", _GATEWAY, "value: /dev/shm", "value: /run/secrets/nocontent-tls", "TMPDIR"),
    Break("a gateway with a route to the database", "network", _NETWORK, "maintain, jobs]", "maintain, jobs, gateway]", "let out to [53, 443, 5432, 8080]"),
    Break("a gateway that reaches the cluster", "network", _GATEWAY_NETWORK, "except: [10.0.0.0/8, ", "except: [", "public addresses"),
    Break("a gateway that reaches other pods", "network", _GATEWAY_NETWORK, "component: server", "component: console", "other pods"),
    Break("a gateway that cuts streams", "grace", _GATEWAY, "PeriodSeconds: 690", "PeriodSeconds: 600", "must be above"),
    Break("a gateway without memory for bodies", "memory", _GATEWAY, "memory: 640Mi", "memory: 256Mi", "memory limit"),
    Break("a gateway with root's rights", "checkov", _GATEWAY, "drop: [ALL]", "drop: [NET_RAW]", "gateway.yaml: Deployment: CKV_K8S_37"),
    Break("a database whose name nobody checks", "logins", "k8s/components/database-tls/kustomization.yaml", "verify-full", "require", "verify-full"),
    Break("the CA of another database", "database", "k8s/components/database-tls/kustomization.yaml", "nocontent-db-ca,", "other-ca,", "do not mount"),
    Break("a policy for another database", "database", "k8s/overlays/prod-cnpg/network.yaml", "nocontent-db", "nocontent-database", "selects another"),
    Break("a wrong path", "probes", _SERVER, "path: /readyz", "path: /ready", "path='/ready'"),
    Break("a liveness that dies with the database", "probes", _SERVER, "path: /livez", "path: /readyz", "it should ask HttpGet(path='/livez'"),
    Break("a start cut short", "probes", _SERVER, "failureThreshold: 40", "failureThreshold: 10", "gives up before"),
    Break("plain probes of a server with TLS", "probes", "k8s/components/tls/kustomization.yaml", "value: HTTPS", "value: HTTP", "HTTPS"),
    Break("too short a grace", "grace", _SERVER, "PeriodSeconds: 90", "PeriodSeconds: 75", "must be above 75"),
    Break("a longer drain", "grace", _SETTINGS, "NOCONTENT_DRAIN_S=10", "NOCONTENT_DRAIN_S=30", _SERVER),
    Break("a pod less before one more", "scaling", _SERVER, "maxUnavailable: 0", "maxUnavailable: 1", "maxUnavailable 0"),
    Break("a budget that blocks every drain", "scaling", _SCALING, "maxUnavailable: 1", "minAvailable: 2", _SCALING),
    Break("one replica", "scaling", _SCALING, "minReplicas: 2", "minReplicas: 1", "minReplicas"),
    Break("pods that nobody spreads", "scaling", _SERVER, "            matchLabels:\n              app.kubernetes.io/name: nocontent\n              app.kubernetes.io/component: server\n          matchLabelKeys", "            matchLabels:\n              app.kubernetes.io/name: nocontent\n              app.kubernetes.io/component: api\n          matchLabelKeys", "does not select"),
    Break("a wrong port of the container", "ports", _SERVER, "containerPort: 8080", "containerPort: 8000", "containerPorts"),
    Break("a wrong port of the Service", "ports", _SERVICES, "targetPort: metrics", "targetPort: 9000", _SERVICES),
    Break("a wrong bind", "ports", _SETTINGS, "NOCONTENT_BIND=0.0.0.0:8080", "NOCONTENT_BIND=0.0.0.0:80", "NOCONTENT_BIND"),
    Break("a server that only it can reach", "ports", _SETTINGS, "NOCONTENT_METRICS_BIND=0.0.0.0", "NOCONTENT_METRICS_BIND=127.0.0.1", "METRICS_BIND"),
    Break("a wrong port of a policy", "network", _NETWORK, "port: 9464", "port: 9465", "9465"),
    Break("no default-deny", "network", _NETWORK, "name: default-deny", "name: other", "default-deny"),
    Break("metrics for everybody", "network", _NETWORK, "          podSelector:\n            matchLabels:\n              app.kubernetes.io/name: prometheus\n", "", "/metrics is open"),
    Break("an open way out", "network", _NETWORK, "          port: 5432", "          port: 5432\n        - protocol: TCP\n          port: 443", "443"),
    Break("a database anywhere", "network", _EXTERNAL, "name: database", "name: databases", "where the database is"),
    Break("a monitor that finds nothing", "monitors", "k8s/base/monitors.yaml", "component: metrics", "component: metric", "ServiceMonitor"),
    Break("an image by its tag", "checkov", _EXTERNAL, "digest: sha256:" + 64 * "0", "newTag: 0.1.0", "server.yaml: Deployment: CKV_K8S_43"),
    Break("an asynchronous standby", "database", _CLUSTER, "dataDurability: required", "dataDurability: preferred", "synchronous"),
    Break("a database that logs values", "database", _CLUSTER, "log_error_verbosity: terse", "log_error_verbosity: default", "log_error_verbosity"),
    Break("more connections than there are", "database", _SCALING, "maxReplicas: 4", "maxReplicas: 40", "max_connections"),
    Break("a rule that nobody tested", "generated files", "k8s/base/rules.yaml", "ingest_queue_rows > ", "ingest_queue_rows > 1", "make generate"),
    Break("a dashboard that Grafana cannot read", "generated files", "k8s/base/dashboards/policy.json", "{", "[{", "policy.json"),
    Break("a dashboard too large to be applied", "large ConfigMaps", "k8s/base/dashboards/policy.json", '"panels"', f'"description": "{200_000 * "x"}", "panels"', "kubectl apply"),
    Break("a base by its tag", "Containerfile", "Containerfile", "@sha256:", "#sha256:", "BASE"),
    Break("root in the image", "lint", "Containerfile", "USER 65532:65532", "USER root", "DL3002"),
    Break("a shell around the command", "Containerfile", "Containerfile", 'ENTRYPOINT ["nocontent"]', "ENTRYPOINT nocontent", "ENTRYPOINT"),
    Break("a second version of a package", "locks", "requirements-image.lock", "starlette==1.10.0", "starlette==1.9.0", "make lock"),
    Break("a careless Containerfile", "lint", "Containerfile", "WORKDIR /tmp", "WORKDIR tmp\nRUN cd /tmp", "DL3000"),
    Break("a careless manifest", "lint", _NETWORK, "policyTypes: [Ingress, Egress]", "policyTypes:   [Ingress, Egress]", "network.yaml"),
    Break("what only checkov knows", "checkov", _SERVER, "runAsUser: 65532", "runAsUser: 1000", "server.yaml: Deployment: CKV_K8S_40"),
    Break("a command without its guard", "image", "k8s/nocontent.py", 'parent.parent / "app"', 'parent / "app"', "serve"),
)  # fmt: skip


CARELESS = [broken for broken in BREAKS if broken.check == "checkov"]


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> dict[Break, list[str]]:
    """Return checkov's findings of each break, from one run of it."""
    trees = [_broken(broken, tmp_path_factory.mktemp("broken")) for broken in CARELESS]
    return dict(zip(CARELESS, tools.careless_of(trees), strict=True))


@pytest.mark.parametrize("broken", [each for each in BREAKS if each not in CARELESS], ids=lambda broken: broken.name)
def test_a_broken_manifest_is_noticed(broken: Break, tmp_path: Path) -> None:
    found = list(CHECKS[broken.check](_broken(broken, tmp_path)))
    assert any(broken.says in finding for finding in found), found


@pytest.mark.parametrize("broken", CARELESS, ids=lambda broken: broken.name)
def test_a_broken_manifest_is_noticed_by_checkov(broken: Break, careless: dict[Break, list[str]]) -> None:
    assert any(broken.says in finding for finding in careless[broken]), careless[broken]


def test_an_overlay_that_kustomize_cannot_build_is_noticed(tmp_path: Path) -> None:
    tree = _copy(tmp_path)
    (tmp_path / _NETWORK).unlink()
    with pytest.raises(CannotBuild, match=r"network\.yaml"):
        assert tree.built


def test_every_check_has_something_that_it_must_notice() -> None:
    assert {broken.check for broken in BREAKS} == CHECKS.keys()


def _broken(broken: Break, folder: Path) -> Tree:
    tree = _copy(folder)
    text = tree.read(broken.file)
    assert broken.old in text, f"{broken.file} has no more: {broken.old}"
    (folder / broken.file).write_text(text.replace(broken.old, broken.new), "utf-8")
    return tree


def _copy(folder: Path) -> Tree:
    for name in _COPIED:
        source = ROOT / name
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder / name)
    for name in ("schema", "ingest", "reporter"):
        (folder / name).symlink_to(ROOT / name)
    return Tree(folder)
