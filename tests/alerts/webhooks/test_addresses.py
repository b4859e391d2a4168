"""Where webhooks may go: no notation of a private address passes as a URL, and none as what a name resolves to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.alerts.webhooks import addresses
from ingest.store.webhooks.errors import BadUrl

# The host of a URL, in spellings that some parser or resolver takes for an address of this machine or its network.
SPELLINGS = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1", "0177.0.0.1", "017700000001",
    "0", "0.0.0.0", "127.0.0.1.", "127.000.000.001", "10.0.0.1", "10.1", "012.0.0.1", "192.168.0.1", "172.16.0.1",
    "169.254.169.254", "0xa9fea9fe", "2852039166", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b:1::a00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fe80::1%25eth0]", "[fc00::1]",
    "[fd00:ec2::254]", "[ff02::1]", "[0:0:0:0:0:0:0:1]", "[2001:db8::1]", "93.184.216.34", "[2606:2800:220:1::1]",
    "localhost", "LOCALHOST", "a.localhost", "localhost.", "printer.local", "metadata.google.internal", "db",
    "router.lan", "1.0.0.127.in-addr.arpa", "x.onion", "127.0.0.1.0x1", "\u2460\u2461\u2466.0.0.1", "\uff11.1.1.1",
    "127.0.0.1%00.example.com", "example.com%2f@127.0.0.1", "", ".", "-a.example.com", "a-.example.com", "a..com",
    "example.com@127.0.0.1", "user@example.com", "user:word@example.com", "a_b.example.com", "ex ample.com",
)  # fmt: skip


@pytest.mark.parametrize("place", range(len(SPELLINGS)))
def test_a_url_has_the_name_of_a_host_and_no_spelling_of_an_address(place: int) -> None:
    for url in (f"https://{SPELLINGS[place]}/", f"https://{SPELLINGS[place]}:8443/hook"):
        with pytest.raises(BadUrl):
            addresses.normal(url, allows_loopback=False)
        with pytest.raises(BadUrl):
            addresses.require(url, allows_loopback=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "ftp://hooks.example.com/", "//hooks.example.com/", "hooks.example.com", "",
        "https:/hooks.example.com/", "https:hooks.example.com", "https:\\\\hooks.example.com\\",
        "https://hooks.example.com/?key=1", "https://hooks.example.com/#a", "https://hooks.example.com?key",
        "https://hooks.example.com:22/", "https://hooks.example.com:0/", "https://hooks.example.com:65536/",
        "https://hooks.example.com:0443/", "https://hooks.example.com:/", "https://hooks.example.com/a b",
        "https://hooks.example.com/%", "https://hooks.example.com/%0", "https://hooks.example.com/\r\nHost: a",
        "https://hooks.example.com/\u00e9", "https://hooks.example.com/\\", "https://hooks.example.com/\n",
        f"https://hooks.example.com/{'a' * 256}", f"https://{'a' * 64}.example.com/", f"https://{'a.' * 127}com/",
    ],
)  # fmt: skip
def test_a_url_has_https_a_port_that_is_meant_for_it_and_a_plain_path(url: str) -> None:
    with pytest.raises(BadUrl):
        addresses.normal(url, allows_loopback=False)


def test_a_url_gets_one_form() -> None:
    for given_url, known in (
        ("https://hooks.example.com", "https://hooks.example.com/"),
        ("HTTPS://Hooks.Example.COM/Path", "https://hooks.example.com/Path"),
        ("https://a.b-c.xn--p1ai:8443/T0/B0/%2F", "https://a.b-c.xn--p1ai:8443/T0/B0/%2F"),
    ):
        assert addresses.normal(given_url, allows_loopback=False) == known


def test_this_machine_is_for_development_alone() -> None:
    assert addresses.normal("https://localhost:8443", allows_loopback=True) == "https://localhost:8443/"
    for refused in ("https://127.0.0.1:8443/", "https://[::1]:8443/", "https://a.localhost/"):
        with pytest.raises(BadUrl):
            addresses.normal(refused, allows_loopback=True)


REFUSED = (
    "0.0.0.0", "0.255.255.255", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
    "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1",
    "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:93.184.216.34", "64:ff9b::a00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::5db8:d822",
    "100::1", "2001::1", "2001:20::1", "2001:db8::1", "2002:a00:1::", "3fff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:2800:220:1::1%1", "fec0::1", "ff02::1", "localhost", "", "127.1",
)  # fmt: skip
ALLOWED = (
    "93.184.216.34", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "198.17.0.1",
    "223.255.255.255", "2606:2800:220:1::1", "2a00:1450::1", "64:ff9b::5db8:d822",
)  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_no_connection_is_opened_to_an_address_that_is_not_public(address: str) -> None:
    assert not addresses.is_allowed(address, allows_loopback=False)


def test_connections_are_opened_to_public_addresses() -> None:
    assert [each for each in ALLOWED if not addresses.is_allowed(each, allows_loopback=False)] == []


def test_development_opens_this_machine_and_nothing_else() -> None:
    opened = [each for each in REFUSED if addresses.is_allowed(each, allows_loopback=True)]
    assert opened == ["127.0.0.1", "127.255.255.255", "::1"]


@given(st.ip_addresses())
def test_whatever_is_allowed_is_global_to_python_as_well(address: object) -> None:
    text = str(address)
    if addresses.is_allowed(text, allows_loopback=False) and not text.startswith("64:ff9b:"):
        assert getattr(address, "is_global")  # noqa: B009 (an address of either version)
