"""Findings of other tools on the manifests: kubernetes-validate, checkov, hadolint, yamllint, from .venv-k8s."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.k8s.custom import is_custom
from tests.k8s.overlays import TOOLS, WAIT_S, Tree

# The oldest and the newest release that Kubernetes supports, of those that kubernetes-validate has schemas of.
VERSIONS = ("1.34", "1.37")
_INVALID = re.compile(r"^ERROR \S*?([a-z-]+)\.yaml did not validate for resource (\w+)/(\S+) (.+)$", re.MULTILINE)
_CARELESS = re.compile(
    r"^Check: (\S+: \".+\")\n\tFAILED for resource: (\S+)\n\tFile: /(\d+)/([\w-]+)(?:\.yaml)?:", re.MULTILINE
)


def invalid(tree: Tree) -> Iterator[str]:
    """Check every object of Kubernetes' own against its schema, without extra fields."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, objects in tree.built.items():
            files.append(Path(folder) / f"{name}.yaml")
            files[-1].write_text("---\n".join(one.text for one in objects if not is_custom(one)), "utf-8")
        for version in VERSIONS:
            said, status = _run(tree, "kubernetes-validate", "--strict", "-k", version, *map(str, files))
            failures = _INVALID.findall(said)
            yield from (f"{_place(tree, kind, name, overlay)}: {why}" for overlay, kind, name, why in failures)
            if status != 0 and not failures:
                yield f"kubernetes-validate {version} ended with {status}: {said[-500:]}"


def careless(tree: Tree) -> Iterator[str]:
    """Run checkov over the built overlays and the Containerfile; k8s/checkov.yaml lists skipped checks."""
    yield from careless_of([tree])[0]


def careless_of(trees: Sequence[Tree]) -> list[list[str]]:
    """Run checkov once over several trees, since it takes seconds to start, and return the findings of each."""
    with tempfile.TemporaryDirectory() as folder:
        for number, tree in enumerate(trees):
            own = Path(folder) / str(number)
            own.mkdir()
            for name, objects in tree.built.items():
                if name != "dev":  # Which is the base with less; the two others have all of it.
                    text = "---\n".join(one.text for one in objects if not is_custom(one))
                    (own / f"{name}.yaml").write_text(text, "utf-8")
            (own / "Dockerfile").write_text(tree.read("Containerfile"), "utf-8")
        configured = ("--config-file", str(trees[0].root / "k8s" / "checkov.yaml"))
        # A script with Python's path in its first line, which Linux does not find if the path has a space.
        said, status = _run(trees[0], "python", str(TOOLS / "checkov"), *configured, "--directory", folder)
    found: list[list[str]] = [[] for _ in trees]
    for check, resource, which, overlay in _CARELESS.findall(said):
        kind, name = resource.partition(".")[0], resource.rpartition(".")[2]
        place = "Containerfile" if overlay == "Dockerfile" else _place(trees[int(which)], kind, name, overlay)
        found[int(which)].append(f"{place}: {check}")
    if status != 0 and not any(found):
        return [[f"checkov ended with {status}: {said[-500:]}"] for _ in trees]
    return found


def _place(tree: Tree, kind: str, name: str, overlay: str) -> str:
    """Return the file of an object that a tool names by kind and name."""
    for objects in tree.built.values():
        for one in objects:
            if (one.kind.lower(), one.metadata.name) == (kind.lower(), name) and one.place.startswith(overlay):
                return one.place
    return f"{kind} {name}".strip()


def unlinted(tree: Tree) -> Iterator[str]:
    """Run hadolint over the Containerfile, and yamllint over every manifest as written."""
    for command in (
        ("hadolint", "--failure-threshold", "style", "Containerfile"),
        ("yamllint", "--strict", "--format", "parsable", "--config-file", "k8s/yamllint.yaml", "k8s"),
    ):
        said, status = _run(tree, *command)
        if status != 0:
            yield from said.strip().splitlines() or [f"{command[0]} ended with {status}"]


def _run(tree: Tree, program: str, *arguments: str) -> tuple[str, int]:
    ended = subprocess.run(
        [str(TOOLS / program), *arguments],
        cwd=tree.root,
        # Without PYTHONPATH: checkov's own imports would find our schema/.
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WAIT_S,
        check=False,
    )
    return ended.stdout, ended.returncode


def missing() -> Sequence[str]:
    """Return the tools that are not installed."""
    programs = ("kubectl", "kubernetes-validate", "checkov", "hadolint", "yamllint")
    return [program for program in programs if not (TOOLS / program).exists()]
