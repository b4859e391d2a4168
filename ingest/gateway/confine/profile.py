"""What a process of the gateway may still do once it is confined: read below paths, write below others, use ports."""

import ssl
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_ROOTS = Path(__file__).parents[3]  # Holds our packages.
_PACKAGES = ("ingest", "schema", "nocontent_reporter", "reporter/src")  # The last in a checkout alone.
# For what the C library loads when it is first needed, and what a look-up of a host reads.
_SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/nsswitch.conf",
    "/etc/hosts", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols", "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/pki/ca-trust", "/etc/localtime", "/proc/self/statm",
    "/usr/share/ca-certificates",
    "/usr/share/zoneinfo", "/usr/local/share/ca-certificates",
)  # fmt: skip
_RESOLVER = Path("/etc/resolv.conf")


class Profile(NamedTuple):
    """Paths that do not exist are left out; `ports` are those of TCP, to connect to."""

    reads: tuple[Path, ...]
    writes: tuple[Path, ...]
    ports: tuple[int, ...]


def profile(ports: Iterable[int], reads: Iterable[Path] = (), writes: Iterable[Path] = ()) -> Profile:
    """Return the profile of a process that reads Python's files, certificates and `reads`.

    A file of `reads` that is renewed takes another inode, so the folders of its name and of its target are allowed.
    """
    own = (folder for each in reads for folder in _folders(each))
    found = dict.fromkeys([*_python(), *map(Path, _SYSTEM), *_authorities(), _resolver(), *own])
    return Profile(tuple(found), tuple(writes), tuple(sorted(set(ports))))


def _folders(path: Path) -> tuple[Path, ...]:
    return (path,) if path.is_dir() else (path.parent, path.resolve().parent)


def _python() -> list[Path]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [Path(sysconfig.get_path(name)) for name in names]
    # An environment has its own prefix, and the interpreter that made it another.
    folders += [Path(prefix) / "lib" for prefix in (sys.prefix, sys.base_prefix)]
    return [*folders, *(_ROOTS / package for package in _PACKAGES)]


def _authorities() -> list[Path]:
    paths = ssl.get_default_verify_paths()
    named = (paths.cafile, paths.capath, paths.openssl_cafile, paths.openssl_capath)
    return [Path(each) for each in named if each]


def _resolver() -> Path:
    """Return the folder of the list of name servers: whoever renews it replaces the file."""
    return _RESOLVER.resolve().parent
