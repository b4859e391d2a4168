"""Base URLs of providers, and the settings that have them."""

from pathlib import Path

import pytest

from ingest.cli.processes import Settings
from ingest.config import load
from ingest.errors import CannotStart
from ingest.gateway.upstream import tls
from ingest.gateway.upstream.origin import Origin, is_url
from ingest.gateway.upstream.settings import UpstreamSettings

_URL = "NOCONTENT_GATEWAY_ANTHROPIC_URL"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.anthropic.com", Origin("api.anthropic.com", 443, True, b"api.anthropic.com", b"")),
        ("https://proxy.example:8443/a/b/", Origin("proxy.example", 8443, True, b"proxy.example:8443", b"/a/b")),
        ("http://[::1]:8090", Origin("::1", 8090, False, b"[::1]:8090", b"")),
    ],
)
def test_a_url_is_parsed(url: str, origin: Origin) -> None:
    assert is_url(url)
    assert Origin.of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "", "api.anthropic.com", "ftp://a", "https://", "https://user:pass@a", "https://a?b", "https://a#b",
        "https://a b", "https://a:0", "https://a:65536", "https://[::1", "https://[1:2]", "https://a/\r\nx", "https://1.2.3",
        "https://0x7f.1", "https://a//b",
    ],
)  # fmt: skip
def test_what_is_no_base_url_is_refused_and_not_quoted(url: str) -> None:
    assert not is_url(url)
    with pytest.raises(CannotStart) as caught:
        load(UpstreamSettings, {_URL: url})
    assert _URL in str(caught.value)
    assert not url or url not in str(caught.value).replace("https://", "")


@pytest.mark.parametrize(
    ("url", "plainly", "when_allowed"),
    [
        ("https://api.anthropic.com", True, True),
        ("http://127.0.0.1:9", True, True),
        ("http://[::1]:9", True, True),
        ("http://localhost:9", True, True),
        ("http://10.0.0.1", False, True),
        ("http://vllm", False, True),
        ("http://vllm.models.svc", False, True),
        ("http://vllm.internal:8000", False, True),
        ("http://0.0.0.0", False, False),
        ("http://8.8.8.8", False, False),
        ("http://api.anthropic.com", False, False),
        ("http://localhost.example.com", False, False),
    ],
)
def test_keys_go_out_in_clear_only_where_they_may(url: str, *, plainly: bool, when_allowed: bool) -> None:
    for allows, expected in ((False, plainly), (True, when_allowed)):
        environ = {_URL: url, "NOCONTENT_GATEWAY_UPSTREAM_PLAIN": str(allows).lower()}
        if expected:
            assert load(UpstreamSettings, environ).gateway_anthropic_url == url
        else:
            with pytest.raises(CannotStart, match="must be https"):
                load(UpstreamSettings, environ)


def test_no_openai_url_is_a_setting_too() -> None:
    assert load(UpstreamSettings, {"NOCONTENT_GATEWAY_OPENAI_URL": ""}).gateway_openai_url == ""


def test_authorities_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")
    for file in ("none.pem", "absent.pem"):
        with pytest.raises(CannotStart, match="NOCONTENT_GATEWAY_UPSTREAM_CA_FILE"):
            tls.context(str(tmp_path / file))


def test_every_process_checks_the_urls_and_the_other_packages_their_own() -> None:
    with pytest.raises(CannotStart, match="must be https"):
        load(Settings, {_URL: "http://example.com"})
    with pytest.raises(CannotStart, match="NOCONTENT_TLS_KEY_FILE must be too"):
        load(Settings, {"NOCONTENT_TLS_CERT_FILE": "cert.pem"})
