"""Rules for all our pods: the image's user, bounded memory, closed secrets, and only settings that exist."""

import re
from collections.abc import Iterator

from ingest.accounts import passwords
from ingest.cli import processes
from ingest.console import services
from ingest.errors import CannotStart
from ingest.gateway.settings import GatewaySettings
from ingest.intake import queue
from ingest.serving import body_memory
from tests.k8s.objects import ConfigMap, Pod, listening, pods
from tests.k8s.overlays import Tree

MODE = 0o440
# docs/performance.md: the most that a worker took under load, with batches of 5,000 events.
MEASURED_BYTES = 220_000_000
# Of a console's worker and its parents, while tests/browser looked at every page (the sum of Pss).
MEASURED_CONSOLE_BYTES = 132_000_000
# Of a gateway's worker, companion and their parents (the sum of Pss, /proc/PID/smaps_rollup), without any body.
MEASURED_GATEWAY_BYTES = 160_000_000
_NEEDED_BYTES = {
    "gateway": MEASURED_GATEWAY_BYTES + GatewaySettings().gateway_body_bytes_max,
    "serve": MEASURED_BYTES + queue.BYTES_MAX + body_memory.BYTES_MAX,
    "console": MEASURED_CONSOLE_BYTES + passwords.THREADS * passwords.MEMORY_KIB * 1_024 + services.FORMS_BYTES_MAX,
}
_OF_CLUSTER = {"NOCONTENT_DSN_FILE", "TMPDIR"}
_QUANTITY = re.compile(r"(\d+)(m|Ki|Mi|Gi)?")
_UNITS = {"": 1.0, "m": 0.001, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}
# A password in a URL, and what a key or a token looks like; in the built text of any object.
_SECRETS = (
    re.compile(r"[a-z]+://[^\s:/@]+:[^\s@]+@"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    re.compile(r"nct_[A-Za-z0-9]{12}_"),
    re.compile(r"(?i)\b(?:password|passwd)\s*[=:]\s*[^\s$]"),
)


def other_users(tree: Tree) -> Iterator[str]:
    """Check the image's user, and what checkov lacks of PodSecurity `restricted`, which the namespace enforces."""
    users = re.findall(r"^USER (\d+):\1$", tree.read("Containerfile"), re.MULTILINE)
    if not users:
        yield "Containerfile: needs USER as a number, which is also its group's"
    for pod in pods(tree):
        own = pod.spec.security_context
        if not own.run_as_non_root or {str(own.run_as_user), str(own.fs_group)} != {*users[-1:]}:
            yield f"{pod.place}: securityContext needs runAsNonRoot: true, runAsUser and fsGroup: that of USER"
    for one in tree.each("Namespace"):
        if one.metadata.labels.get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{one.place}: needs the label pod-security.kubernetes.io/enforce: restricted"


def unbounded(tree: Tree) -> Iterator[str]:
    """Check that no request is above its limit, and that the limits of memory cover the code's bounds."""
    for pod in pods(tree):
        requests, limits = pod.container.resources.requests, pod.container.resources.limits
        if any(quantity(requests[name]) > quantity(limits[name]) for name in requests.keys() & limits.keys()):
            yield f"{pod.place}: requests more than its limit"
    for pod in listening(tree):
        needed = _NEEDED_BYTES[pod.container.args[0]] * int(settings(tree, pod)["NOCONTENT_WORKERS"])
        if quantity(pod.container.resources.limits.get("memory", "0")) < needed:
            yield (
                f"{pod.place}: the memory limit is below {needed / 2**20:.0f} MiB: what its workers were measured at,"
                " full queues, bodies that are being read, and passwords that are being hashed"
            )


def quantity(text: str) -> float:
    """Return a Kubernetes quantity as a number."""
    found = _QUANTITY.fullmatch(text)
    assert found is not None, f"{text} is not written as our manifests write amounts"
    return float(found[1]) * _UNITS[found[2] or ""]


def linked(tree: Tree) -> Iterator[str]:
    """Check that pods have no Services' variables, which look like our settings, and an account of their own."""
    for pod in pods(tree):
        if pod.spec.enable_service_links:
            yield f"{pod.place}: needs enableServiceLinks: false; NOCONTENT_PORT and its like stop the start"
        if pod.spec.service_account_name == "default":
            yield f"{pod.place}: needs a serviceAccountName of its own"


def open_secrets(tree: Tree) -> Iterator[str]:
    """Check that no secret is in a manifest, and that those mounted can be read by our group alone."""
    for objects in tree.built.values():
        for one in objects:
            if one.kind == "Secret":
                yield f"{one.place}: a Secret is made by hand or by an operator, never here: docs/kubernetes.md"
            if any(secret.search(one.text) for secret in _SECRETS):
                yield f"{one.place} {one.metadata.name}: holds what looks like a password or a key"
    for pod in pods(tree):
        yield from _mounts(pod)


def _mounts(pod: Pod) -> Iterator[str]:
    mounts = {mount.name: mount for mount in pod.container.volume_mounts}
    for volume in pod.spec.volumes:
        mount = mounts.get(volume.name)
        if mount is None:
            yield f"{pod.place}: the volume {volume.name} is not mounted"
        elif volume.secret and volume.secret.default_mode != MODE:
            yield f"{pod.place}: the secret {volume.secret.secret_name} needs defaultMode 288, which is 0440"
        elif volume.secret and (not mount.read_only or mount.sub_path):
            yield f"{pod.place}: the secret {volume.secret.secret_name} is mounted readOnly, and not by subPath"


def settings(tree: Tree, pod: Pod) -> dict[str, str]:
    """Return the variables that a pod's container has."""
    maps = {
        one.metadata.name: one.read(ConfigMap).data
        for one in tree.built[pod.overlay]
        if one.kind == "ConfigMap" and any(s.config_map_ref for s in pod.container.env_from)
    }
    sources = [source.config_map_ref for source in pod.container.env_from if source.config_map_ref]
    given = {name: value for source in sources for name, value in maps.get(source.name, {}).items()}
    return given | {variable.name: variable.value for variable in pod.container.env}


def unknown_settings(tree: Tree) -> Iterator[str]:
    """Check that every variable is a setting with a valid value, and that every file it names is mounted."""
    for pod in pods(tree):
        given = settings(tree, pod)
        mounted = tuple(mount.mount_path + "/" for mount in pod.container.volume_mounts)
        for name, value in given.items():
            if value.startswith("/") and not f"{value}/".startswith((*mounted, "/dev/shm/")):
                yield f"{pod.place}: {name} names {value}, where nothing is mounted"
        if ("NOCONTENT_DSN_FILE" in given) == is_gateway(pod):
            yield f"{pod.place}: a gateway has no NOCONTENT_DSN_FILE; all others need it"
        try:
            # The file is the cluster's; that its name is a setting is what the suffix says.
            processes.load({name: value for name, value in given.items() if name not in _OF_CLUSTER})
        except CannotStart as refused:
            yield f"{pod.place}: {refused}"


def exposed_keys(tree: Tree) -> Iterator[str]:
    """Check that the pods that strangers reach have no key that signs receipts, and do not write to their folder."""
    for pod in pods(tree):
        if pod.container.args[0] not in {"serve", "console"}:
            continue
        given = settings(tree, pod)
        if "NOCONTENT_RECEIPT_KEY_FILE" in given:
            yield f"{pod.place}: must not have NOCONTENT_RECEIPT_KEY_FILE; the jobs sign"
        for mount in pod.container.volume_mounts:
            if mount.mount_path == given.get("NOCONTENT_ERASURES_DIR") and not mount.read_only:
                yield f"{pod.place}: must mount {mount.mount_path} readOnly"


def inconsistent_logins(tree: Tree) -> Iterator[str]:
    """Check that each of our commands has a login of its own, and that the server does none of the others' work."""
    for overlay in tree.built:
        own = [pod for pod in pods(tree) if pod.overlay == overlay]
        given = {pod.container.args[0]: pod for pod in own}
        given.pop("gateway", None)  # It has no login.
        if given.keys() != {"serve", "console", "migrate", "maintain", "jobs"}:
            yield f"{overlay}: has {', '.join(sorted(given))}; it needs three Deployments, a Job and a CronJob"
            continue
        logins = {command: secret_of(pod, "/run/secrets/nocontent") for command, pod in given.items()}
        if len(set(logins.values())) != len(logins):
            yield f"{overlay}: two commands share a login: {logins}"
        for name in ("NOCONTENT_MAINTAIN", "NOCONTENT_JOBS"):
            if settings(tree, given["serve"]).get(name) != "false":
                yield f"{given['serve'].place}: needs {name}=false; another pod has the login for that"
        for pod in given.values():
            if "prod" in overlay and settings(tree, pod).get("PGSSLMODE") != "verify-full":
                yield f"{pod.place}: needs PGSSLMODE=verify-full, of k8s/components/database-tls"


def is_gateway(pod: Pod) -> bool:
    """Return whether a pod is a gateway's."""
    return pod.container.args[0] == "gateway"


def lasting(tree: Tree) -> Iterator[str]:
    """Check that nothing in a gateway's pod outlives its memory: no volume, no login, no swap, no layer left out."""
    for pod in filter(is_gateway, pods(tree)):
        given, resources = settings(tree, pod), pod.container.resources
        if not all(volume.secret for volume in pod.spec.volumes):
            yield f"{pod.place}: has a volume that is not a secret; content could be written to it"
        if any("DSN" in name or name.startswith("PG") for name in given):
            yield f"{pod.place}: has a way to a database among its variables"
        if resources.requests != resources.limits or not resources.limits.keys() >= {"cpu", "memory"}:
            yield f"{pod.place}: requests must be limits: then the kubelet gives it no swap"
        if given.get("NOCONTENT_GATEWAY_CONFINE") != "required" or given.get("NOCONTENT_GATEWAY_CONFINE_WITHOUT"):
            yield f"{pod.place}: needs NOCONTENT_GATEWAY_CONFINE=required, without an exception"
        if given.get("TMPDIR") != "/dev/shm":
            yield f"{pod.place}: needs TMPDIR=/dev/shm, where its counters are memory"


def secret_of(pod: Pod, path: str) -> str:
    """Return the secret mounted at a path, or an empty string."""
    mounted = {mount.name for mount in pod.container.volume_mounts if mount.mount_path == path}
    secrets = {volume.name: volume.secret.secret_name for volume in pod.spec.volumes if volume.secret}
    return next((name for volume, name in secrets.items() if volume in mounted), "")
