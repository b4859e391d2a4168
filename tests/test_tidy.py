"""House rules that no linter has: each is run on this repository, and on a planted violation that it must find."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest

from tests.support import classes, promise
from tests.support.allowances import ATTRIBUTES_ALLOWED, BROAD_ALLOWED, ENVIRONMENT_ALLOWED
from tests.support.house import House, house

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 320
NAMELESS = re.compile(r"(utils?|commons?|helpers?|bases?|managers?)\Z")
MIGRATION = re.compile(r"(\d{4})_[a-z]+(_[a-z0-9]+)+\.sql\Z")
CONFESSION = re.compile(r"\b(TODO|FIXME|XXX)\b")
# An ignore carries its code and its reason; RULES and KEPT below show the forms.
NOQA = re.compile(r"#\s*(ruff:\s*)?noqa\b(?!:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*\W+\w)", re.IGNORECASE)
TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore\b(?!\[[a-z, -]+\]\s*#\s*\w)")
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
REQUIRED = re.compile(r"[A-Za-z0-9._-]+")
# Their bytes are the point, so they may break what a text file must keep.
BYTES = ("tests/corpus/", "ingest/demo/trace/", "ingest/console/static/vendor/")
BINARY = (".bin", ".gz", ".zst", ".png", ".ico")
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb"}

ROOMLESS = re.compile(r"ingest/(__init__|__main__|config|errors|knowledge|logs|metrics)\.py\Z")


def long_files(house: House) -> Iterator[str]:
    for name in house.matching("*.py"):
        lines = len(house.read(name).splitlines())
        if lines > FILE_LINES_MAX:
            yield f"{name} has {lines} lines, over {FILE_LINES_MAX}"


def long_promise(house: House) -> Iterator[str]:
    names = [name for name in house.files if re.match(r"schema/(?!sql/|catalogue/)", name)]
    yield from promise.excess({name: house.read(name) for name in names})


def loaded_tables(house: House) -> Iterator[str]:
    for name in house.matching("schema/*.py"):
        yield from (f"{name} could run data: {found}" for found in promise.loaders(ast.parse(house.read(name))))


def nameless_files(house: House) -> Iterator[str]:
    for name in house.matching("*.py"):
        if any(NAMELESS.match(part.split(".")[0]) for part in name.split("/")):
            yield f"{name} is not named by a noun of the domain"


def loose_files(house: House) -> Iterator[str]:
    for name in house.files:
        if re.match(r"ingest/[^/]+\Z", name) and not ROOMLESS.match(name):
            yield f"{name} stands in no room"


def large_classes(house: House) -> Iterator[str]:
    for name, node in house.trees():
        if name.startswith(("ingest/", "reporter/", "schema/")) and isinstance(node, ast.ClassDef):
            place = f"{name}:{node.name}"
            yield from (
                f"{place} has {excess}" for excess in classes.excess(node, is_document=place in ATTRIBUTES_ALLOWED)
            )


def broad_excepts(house: House) -> Iterator[str]:
    broad = {"Exception", "BaseException"}
    for name, node in house.trees():
        if isinstance(node, ast.ExceptHandler) and name not in BROAD_ALLOWED:
            caught = {leaf.id for leaf in ast.walk(node.type) if isinstance(leaf, ast.Name)} if node.type else broad
            if caught & broad:
                yield f"{name}:{node.lineno} catches everything"


def mocks(house: House) -> Iterator[str]:
    for name, node in house.trees():
        modules = _imported(node)
        if any(module == "mock" or module.startswith(("unittest.mock", "mock.")) for module in modules):
            yield f"{name} imports a mock"


def impure_promise(house: House) -> Iterator[str]:
    pure = {*sys.stdlib_module_names, "msgspec", "schema"}
    for name, node in house.trees():
        if name.startswith("schema/"):
            yield from (f"{name} imports {module}" for module in _imported(node) if module.split(".")[0] not in pure)


def read_environments(house: House) -> Iterator[str]:
    for name, node in house.trees():
        if name.startswith(("schema/", "ingest/")) and name not in ENVIRONMENT_ALLOWED:
            named = f"os.{node.attr}" if isinstance(node, ast.Attribute) else ""
            if ENVIRONMENT & {named, *_imported(node)}:
                yield f"{name} reads the environment"


def bare_ignores(house: House) -> Iterator[str]:
    for place, comment in house.comments():
        if NOQA.search(comment) or TYPE_IGNORE.search(comment):
            yield f"{place} ignores without a code and a reason"


def confessions(house: House) -> Iterator[str]:
    for place, comment in house.comments():
        if CONFESSION.search(comment):
            yield f"{place} promises itself something; open an issue"


def misnamed_migrations(house: House) -> Iterator[str]:
    for expected, name in enumerate(house.matching("schema/sql/*"), start=1):
        found = MIGRATION.match(PurePosixPath(name).name)
        if not found or int(found[1]) != expected:
            yield f"{name} is not {expected:04}_verb_noun.sql"


def unkempt_texts(house: House) -> Iterator[str]:
    for name in house.files:
        if name.startswith(BYTES) or name.endswith(BINARY):
            continue
        content = (house.root / name).read_bytes()
        if b"\r" in content or b"\0" in content or (content and not content.endswith(b"\n")):
            yield f"{name} has a CR, a NUL or an unfinished last line"
        try:
            content.decode("utf-8")
        except UnicodeDecodeError:
            yield f"{name} is not UTF-8"


def unexplained_dependencies(house: House) -> Iterator[str]:
    rows = re.findall(r"^\| `([^`]+)` \|", house.read("docs/decisions/0002-dependencies.md"), re.MULTILINE)
    for name in sorted(_required(house) ^ set(rows)):
        yield f"{name} stands in only one of pyproject.toml and docs/decisions/0002-dependencies.md"


def unlocked_dependencies(house: House) -> Iterator[str]:
    runtime, development = (
        set(PINNED.findall(house.read(name))) for name in ("requirements.lock", "requirements-dev.lock")
    )
    for name, version in sorted(runtime - development):
        yield f"requirements-dev.lock has no {name}=={version}"
    for name in sorted(_required(house) - {name for name, _ in development}):
        yield f"{name} is not locked; run `make lock`"


def _required(house: House) -> set[str]:
    project = tomllib.loads(house.read("pyproject.toml"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    asked = [*project.get("dependencies", ()), *(requirement for extra in extras for requirement in extra)]
    return {found[0].lower() for requirement in asked if (found := REQUIRED.match(requirement))}


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), names=names, level=0):
            return [module, *(f"{module}.{alias.name}" for alias in names)]
    return []


def foreign_owners() -> set[tuple[str, str]]:
    owners = metadata.packages_distributions()
    return {(name, owner) for name in ("schema", "ingest") for owner in owners.get(name, ())} - {
        ("schema", "nocontent"),
        ("ingest", "nocontent"),
    }


_PROJECT = "[project]\ndependencies = [\"orjson>=3; python_version > '3'\"]\n"
_RECORD = "docs/decisions/0002-dependencies.md"
_FIELDS = "".join(f"    x{number}: int\n" for number in range(classes.ATTRIBUTES_MAX))
_METHODS = "".join(f"    def m{number}(self) -> None: ...\n" for number in range(classes.METHODS_MAX))
# Each rule of the house, with files that break it.
RULES: tuple[tuple[Callable[[House], Iterator[str]], dict[str, str]], ...] = (
    (long_files, {"ingest/long.py": "x = 1\n" * (FILE_LINES_MAX + 1)}),
    (long_promise, {f"schema/part{n}.py": "x = 1\n" * (promise.CODE_LINES_MAX // 2) for n in range(3)}),
    (long_promise, {"schema/part.py": "X = (\n" + "    1,\n" * promise.LINES_MAX + ")\n"}),
    (long_promise, {"schema/words.txt": "word " * 24 * promise.LINES_MAX + "word\n"}),
    (long_promise, {"schema/learning.py": "x = 1\n" * (promise.TERMS_CODE_LINES_MAX + 1)}),
    (loaded_tables, {"schema/a.py": "exec(X)\n"}),
    (nameless_files, {"ingest/utils.py": ""}),
    (nameless_files, {"ingest/helpers/time.py": ""}),
    (loose_files, {"ingest/search.py": ""}),
    (loose_files, {"ingest/words.txt": ""}),
    (large_classes, {"ingest/store/a.py": f"class A:\n{_FIELDS}    y: int\n"}),
    (large_classes, {"schema/a.py": f"class A:\n{_FIELDS}    def f(self) -> None:\n        self.y, self.z = 1, 2\n"}),
    (large_classes, {"ingest/store/a.py": f"class A:\n{_METHODS}    async def f(self) -> None: ...\n"}),
    (large_classes, {"schema/event.py": f"class Event:\n{_METHODS}    @property\n    def f(self) -> int: ...\n"}),
    (broad_excepts, {"ingest/a.py": "try:\n    f()\nexcept (OSError, Exception):\n    pass\n"}),
    (broad_excepts, {"ingest/a.py": "try:\n    f()\nexcept:\n    pass\n"}),
    (mocks, {"tests/a.py": "from unittest import mock\n"}),
    (mocks, {"tests/a.py": "import unittest.mock\n"}),
    (mocks, {"tests/a.py": "from unittest.mock import AsyncMock\n"}),
    (impure_promise, {"schema/a.py": "def f():\n    from orjson import dumps\n"}),
    (read_environments, {"ingest/store/a.py": "import os\nx = os.environ['X']\n"}),
    (read_environments, {"ingest/a.py": "from os import getenv\n"}),
    (bare_ignores, {"ingest/a.py": "x = 1  # noqa\n"}),
    (bare_ignores, {"ingest/a.py": "x = 1  # noqa: S603\n"}),
    (bare_ignores, {"ingest/a.py": "x = 1  # type: ignore\n"}),
    (bare_ignores, {"ingest/a.py": "x = 1  # type: ignore[misc]\n"}),
    (confessions, {"ingest/a.py": "x = 1  # TODO: two\n"}),
    (misnamed_migrations, {"schema/sql/0001_create_events.sql": "", "schema/sql/0003_add_batches.sql": ""}),
    (misnamed_migrations, {"schema/sql/0001_events.sql": ""}),
    (unkempt_texts, {"README.md": "a\r\nb\r\n"}),
    (unkempt_texts, {"README.md": "no end"}),
    (unexplained_dependencies, {"pyproject.toml": _PROJECT, _RECORD: "| `msgspec` | JSON |\n"}),
    (unlocked_dependencies, {"pyproject.toml": _PROJECT, "requirements.lock": "", "requirements-dev.lock": ""}),
    (
        unlocked_dependencies,
        {"pyproject.toml": "[project]\n", "requirements.lock": "a==2 \\\n", "requirements-dev.lock": "a==1 \\\n"},
    ),
)
# What stands close to a rule and does not break it.
KEPT = {
    "docs/decisions/0002-dependencies.md": "| `orjson` | json |\n",
    "ingest/serving/boundary.py": "try:\n    f()\nexcept Exception:\n    raise\n",
    "ingest/knowledge.py": "",
    "ingest/store/a.py": "x = 'except Exception: # noqa TODO'\ny = 2  # noqa: S603, S607 - our own binary.\n",
    "ingest/store/b.py": "try:\n    f()\nexcept OSError:\n    z = 3  # type: ignore[misc]  # The stub lags.\n",
    "ingest/config/__init__.py": "import os\nx = os.environ\n",
    "ingest/store/database.py": "x = 1\n" * FILE_LINES_MAX,
    "ingest/serving/c.py": f"class A:\n{_FIELDS}{_METHODS}    def __init__(self) -> None:\n        self.x1 = 1\n",
    "pyproject.toml": _PROJECT,
    "requirements.lock": "orjson==3.1 \\\n",
    "requirements-dev.lock": "orjson==3.1 \\\npytest==9 ; python_version > '3' \\\n",
    "schema/a.py": "import re\nfrom msgspec import Struct\nfrom . import limits\n",
    "schema/event.py": f"class Event:\n{_FIELDS}    y: int\n",
    "schema/words.txt": "word\n" * (promise.LINES_MAX - 100),
    "schema/sql/0001_create_events.sql": "SELECT 1;\n",
    "schema/sql/0002_add_batch_ledger.sql": "SELECT 1;\n",
    "tests/corpus/reject/bytes.control/cr.json": "\r",
}


def _plant(root: Path, files: dict[str, str]) -> House:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content.encode())
    return house(root)


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _ in RULES))
def test_the_house_keeps(rule: Callable[[House], Iterator[str]]) -> None:
    assert list(rule(house(ROOT))) == []


@pytest.mark.parametrize(("rule", "plant"), RULES)
def test_a_plant_is_caught(rule: Callable[[House], Iterator[str]], plant: dict[str, str], tmp_path: Path) -> None:
    assert list(rule(_plant(tmp_path, plant))) != []


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _ in RULES))
def test_what_is_allowed_passes(rule: Callable[[House], Iterator[str]], tmp_path: Path) -> None:
    assert list(rule(_plant(tmp_path, KEPT))) == []


def test_bytes_that_are_not_utf8_are_caught(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"caf\xe9\n")
    assert list(unkempt_texts(house(tmp_path))) == ["a.md is not UTF-8"]


def test_no_class_is_excused_without_need() -> None:
    large = {
        f"{name}:{node.name}"
        for name, node in house(ROOT).trees()
        if isinstance(node, ast.ClassDef) and len(classes.attributes_of(node)) > classes.ATTRIBUTES_MAX
    }
    assert ATTRIBUTES_ALLOWED.keys() <= large


def test_the_house_is_not_empty() -> None:
    assert {"pyproject.toml", "tests/test_tidy.py"} <= set(house(ROOT).files)


def test_nobody_else_owns_our_import_names() -> None:
    assert foreign_owners() == set()


def test_another_owner_of_an_import_name_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(
        tmp_path,
        {
            "other-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: other\nVersion: 1\n",
            "other-1.dist-info/top_level.txt": "schema\n",
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert foreign_owners() == {("schema", "other")}


@pytest.mark.skipif(shutil.which("git") is None, reason="an unpacked archive may be tested without git")
def test_git_and_a_plain_walk_agree(tmp_path: Path) -> None:
    files = {"a.py": "", "b/c.py": "", ".gitignore": "/out/\n"}
    walked = _plant(tmp_path, files)
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True, timeout=30)
    _plant(tmp_path, {"out/d.py": "", "stray.txt": ""})
    assert set(house(tmp_path).files) == {*walked.files, ".gitignore"}
