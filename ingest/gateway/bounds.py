"""What the kernel leaves to each process of a gateway: the files and ports that its settings name."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ingest import config
from ingest.errors import CannotStart
from ingest.gateway.confine import layers
from ingest.gateway.confine.profile import Profile, profile
from ingest.gateway.settings import ProcessSettings
from ingest.gateway.upstream.origin import Origin

_PORTS = {"http": 80, "https": 443}


def require() -> None:
    """Raise CannotStart if this machine lacks a layer that the settings ask for, or workers could read too much."""
    given = config.load_own(ProcessSettings)
    layers.require(given)
    if layers.keeps_files(given):
        _require_apart("GATEWAY_KEY_FILE", given.gateway_key_file, _of_worker(given))
        _require_apart("GATEWAY_SPOOL", given.gateway_spool, _of_worker(given))


def hold_parent() -> None:
    """Hide the memory of the parent, which starts all others."""
    layers.prepare(config.load_own(ProcessSettings))


def hold_worker() -> None:
    """Leave to a worker the providers' ports, and the files that it reads again when they change."""
    given = config.load_own(ProcessSettings)
    layers.apply(_of_worker(given), given)


def hold_companion() -> None:
    """Leave to the companion the service's port, its keys, and the folder in which it keeps metadata."""
    given = config.load_own(ProcessSettings)
    service = urlsplit(given.gateway_service_url)
    reads = _paths(given.gateway_key_file, given.gateway_service_ca_file)
    writes = _paths(given.gateway_spool)
    layers.apply(profile([service.port or _PORTS[service.scheme]], reads, writes), given)


def _of_worker(given: ProcessSettings) -> Profile:
    urls = (given.gateway_anthropic_url, given.gateway_openai_url)
    ports = [Origin.of(url).port for url in urls if url]
    reads = _paths(given.tls_cert_file, given.tls_key_file, given.gateway_upstream_ca_file, given.gateway_provider_keys)
    return profile(ports, reads)


def _require_apart(setting: str, named: str, worker: Profile) -> None:
    """Raise CannotStart if a file or folder of the companion lies in a folder that the kernel lets workers read."""
    if not named:
        return
    path = Path(named).resolve()
    if any(path.is_relative_to(each.resolve()) for each in worker.reads):
        raise CannotStart(
            f"{config.PREFIX}{setting} is in a folder that workers may read, such as that of certificates, kept keys "
            "or resolv.conf: move it to one of its own."
        )


def _paths(*names: str) -> Sequence[Path]:
    return [Path(name) for name in names if name]
