"""`nocontent gateway keygen`: the file of keys that gateways and the service share."""

from pathlib import Path

import pytest

from ingest.gateway.confine import landlock
from ingest.knowledge.keys import Keys
from tests.support import service


def test_keygen_makes_a_file_and_then_puts_a_key_before_the_first(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    first = service.command("gateway", "keygen", str(file), env=service.environment(""))
    assert (first.returncode, first.stderr) == (0, b"")
    made = Keys.parse(file.read_text())
    assert first.stdout.decode() == f"1 keys in force; gateways use {made.first.key_id}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    second = service.command("gateway", "keygen", str(file), env=service.environment(""))
    assert second.returncode == 0
    assert Keys.parse(file.read_text()).own[1] == made.first


def test_keygen_leaves_a_file_that_is_none_of_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("something else\n")
    file.chmod(0o600)
    ended = service.command("gateway", "keygen", str(file), env=service.environment(""))
    assert ended.returncode != 0
    assert b"NOCONTENT_GATEWAY_KEY_FILE names a file that is not one of keys" in ended.stderr
    assert file.read_text() == "something else\n"


def test_a_gateway_without_a_key_does_not_start() -> None:
    bind, metrics_bind = (f"127.0.0.1:{port}" for port in service.free_ports(2))
    env = service.environment("", gateway_bind=bind, gateway_metrics_bind=metrics_bind)
    del env["NOCONTENT_DSN"]
    ended = service.command("gateway", env=env)
    assert ended.returncode != 0
    [line] = ended.stderr.splitlines()  # Nothing was started.
    assert b"NOCONTENT_GATEWAY_KEY_FILE must name a file" in line


@pytest.mark.skipif(landlock.abi() < landlock.ABI_NET, reason="Without Landlock it says so first.")
@pytest.mark.parametrize("setting", ["gateway_key_file", "gateway_spool"])
def test_what_is_the_companions_alone_is_in_no_folder_of_the_workers(tmp_path: Path, setting: str) -> None:
    given = {"gateway_key_file": tmp_path / "keys", "gateway_provider_keys": tmp_path / "kept"}
    (tmp_path / "kept").mkdir()
    given[setting] = tmp_path / "kept" / "own"
    env = service.environment("", **given)
    del env["NOCONTENT_DSN"]
    ended = service.command("gateway", env=env)
    assert ended.returncode != 0
    assert f"NOCONTENT_{setting.upper()} is in a folder that workers may read" in ended.stderr.decode()
