"""Settings as people paste them work, or stop the start with a sentence that contains no secret."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest import config
from ingest.cli import processes
from ingest.config import dsn
from ingest.errors import CannotStart
from ingest.store import hosts
from ingest.store.database import require_dsn

SECRET = "hunter2zq7canary"
_RAW = {sign: f"{SECRET[:7]}{sign}{SECRET[7:]}" for sign in "@/?#%[] \t\né"}
_HALVES = (SECRET[:7], SECRET[7:])


def _refusal(use: Callable[[], object]) -> str:
    """Return the error if it is refused, else an empty string."""
    try:
        use()
    except CannotStart as refused:
        return str(refused)
    return ""


def _told(value: str, name: str = "NOCONTENT_DSN") -> str:
    """Return the output of a start with a DSN."""
    with pytest.raises(CannotStart) as refused:
        require_dsn(processes.load({name: value}))
    return str(refused.value)


@pytest.mark.parametrize("sign", _RAW)
@pytest.mark.parametrize("place", ["postgresql://u:{}@db.example/d", "postgresql://u:{}@a,b:5433/d?sslmode=require"])
def test_a_password_with_a_raw_sign_is_refused_and_no_part_of_it_shown(sign: str, place: str) -> None:
    given = place.format(_RAW[sign])
    said = _told(given)
    assert said.startswith("NOCONTENT_DSN ")
    assert "percent-encode" in said or "line break" in said
    for half in _HALVES:
        assert half not in said
        assert half not in dsn.shown(given)


def test_a_raw_password_is_covered_to_the_last_at() -> None:
    assert dsn.shown(f"postgresql://u:{_RAW['@']}@db.example:5433/d") == "postgresql://u:****@db.example:5433/d"
    assert dsn.shown(f"postgresql://u:x@{_RAW['/']}@@h") == "postgresql://u:****@h"
    assert dsn.shown(f"postgresql://u:x@h/d?password={_RAW['@']}") == "****"


@pytest.mark.parametrize("sign", ["@", ":", "/", "?", "#", "%", "[", " ", "é", "@db:5432/x?y=z#", "%40"])
def test_a_password_that_is_percent_encoded_is_taken_and_covered(sign: str) -> None:
    given = f"postgresql://u:{quote(SECRET + sign, safe='')}@db.example:5433/d"
    assert require_dsn(processes.load({"NOCONTENT_DSN": given})) == given
    assert dsn.shown(given) == "postgresql://u:****@db.example:5433/d"


@pytest.mark.parametrize(
    "given",
    [
        f"postgresql://u@h/d?password={SECRET}",
        f"postgresql://u@h/d?sslmode=require&password={SECRET}&port=5433",
        f"postgresql://u@h/d?sslpassword={SECRET}",
        f"postgresql://u@h/d?passfile=/run/{SECRET}",
        f"postgresql://u:{SECRET}@h1:1,h2:2,[::1]:3/d",
        f"postgresql://:{SECRET}@h/d",
        f"POSTGRES://u:{SECRET}@h",
        f"postgresql://u:{SECRET}:{SECRET}@h/d",
        f"postgresql://u@h/d?%70assword={SECRET}",
        f"postgresql://u@h/d?PASSWORD={SECRET}",
        f"postgresql://u@h/d?pass={SECRET}",
        f"postgresql://u@h/d?options=-c%20x%3D{SECRET}",
        f"postgresql://u:x@h/d?host={SECRET}@x",
        f"host=h user=u password={SECRET}",
        f"host=h user=u password='{SECRET} x'",
        f"user:{SECRET}@h/d",
        f"mysql://u:{SECRET}@h/d",
        f"jdbc:postgresql://h/d?user=u&password={SECRET}",
        f"//u:{SECRET}@h/d",
        SECRET,
    ],
)
def test_a_secret_is_shown_by_no_form_of_a_dsn(given: str) -> None:
    loaded = processes.load({"NOCONTENT_DSN": given})
    assert SECRET not in str(config.masked(loaded))
    refusal = _refusal(lambda: require_dsn(loaded))
    assert SECRET not in refusal
    assert refusal == "" or "NOCONTENT_DSN" in refusal


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("postgresql://u@h/d?keepalives=1", "keepalives, which libpq reads"),
        ("postgresql://u@h/d?sslcompression=0", "sslcompression, which libpq reads"),
        ("postgresql://u@h/d?gssencmode=disable", "gssencmode, which libpq reads"),
        ("postgresql://u@h/d?channel_binding=require", "channel_binding, which libpq reads"),
        ("postgresql://u@h/d?connect_timeout=5", "connect_timeout, which libpq reads"),
        ("postgresql://u@h/d?application_name=x", "application_name, which the service sets"),
        ("postgresql://u@h/d?options=-c%20x=y", "options, which the service sets"),
        ("postgresql://u@h/d?schema=public", "a parameter that is not one of"),
        ("postgresql://u@h/d?sslmode", "a parameter that is not one of"),
        ("postgresql://u@h/d?sslmode=on", "a sslmode that is not one of"),
        ("postgresql://u@h/d?target_session_attrs=master", "a target_session_attrs that is not one of"),
        ("postgresql://u@h/d?sslrootcert=/nothing/here.pem", "a file in sslrootcert"),
        ("postgresql://u@h/d?sslmode=verify-full&sslrootcert=system", "a file in sslrootcert"),
        ("postgresql://u@h:99999/d", "a port outside 1 to 65,535"),
        ("postgresql://u@h:0/d", "a port outside 1 to 65,535"),
        ("postgresql://u@h:/d?port=70000", "a port"),
        ("postgresql://u@h:5432x/d", "a host or a port"),
        ("postgresql://u@a:1,b:99999/d", "a port outside 1 to 65,535"),
        ("postgresql://u@/d?host=a,b&port=1,2,3", "a different number of ports and hosts"),
        ("postgresql://u@/d?host=a&port=99999", "a port outside 1 to 65,535"),
        ("postgresql://u@/d?host=a&port=five", "a port outside 1 to 65,535"),
        ("postgresql://u@::1/d", "IPv6 address without brackets"),
        ("postgresql://u@::1:5432/d", "IPv6 address without brackets"),
        ("postgresql://u@[::g]:5432/d", "IPv6 address"),
        ("postgresql://u@a,,b/d", "a host or a port"),
        ("postgresql://u@,/d", "a host or a port"),
        ("postgresql://u@/d?host=a,", "a host or a port"),
        ("postgresql://u@h/d%00", "a NUL"),
        ("postgresql://u@h/%ff", "escapes that are not UTF-8"),
        ("postgresql://u@h/d%", "percent-encode"),
        ("postgresql:/h/d", "must begin with postgresql://"),
        ("h:5432/d", "must begin with postgresql://"),
        ("host=h dbname=d", "instead of keywords and values"),
    ],
)
def test_what_would_end_in_wrong_advice_is_refused_by_its_cause(given: str, says: str) -> None:
    assert says in _told(given)


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://u@h/d", "postgres://h", "postgresql:///d", "postgresql://", "postgresql://u@/d?host=/run/pg",
        "postgresql://u@%2Frun%2Fpg/d", "postgresql://u@/d?host=%2Fx,%2Fy&port=5432", "postgresql://u@[::1]:5432/d",
        "postgresql://u@[fe80::1%25eth0]/d", "postgresql://u@a:1,b,[::1]:3/d?target_session_attrs=read-write",
        "postgresql://u%40tenant@h/d?sslmode=require", "postgresql://u@h/d?user=x%40y&service=z", "postgresql://u@h/d?",
    ],
)  # fmt: skip
def test_what_asyncpg_takes_is_taken(given: str) -> None:
    try:
        urlsplit(given)
    except ValueError:
        pytest.skip("later releases of Python, and so asyncpg, take a bracket at the start of hosts alone")
    assert require_dsn(processes.load({"NOCONTENT_DSN": f"{given}\n"})) == given
    assert hosts.each(given)
    assert dsn.shown(given) in {given, given.removesuffix("?")}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("postgresql://u@h/d\r\n".encode("utf-16"), "UTF-16"),
        ("postgresql://u@h/d".encode("utf-16-le"), "UTF-16"),
        ("postgresql://u@h/d".encode("utf-32"), "UTF-16"),
        (b"postgresql://u@h/d\0", "NUL"),
        ("postgresql://u:ä@h/d".encode(), "not one line of ASCII"),
        ("postgresql://u:ä@h/d".encode("latin-1"), "not one line of ASCII"),
        (b"postgresql://u@h/d\npostgresql://u@h/e\n", "not one line of ASCII"),
        (b"", "empty"), (b" \n", "empty"), (b"\xef\xbb\xbf", "empty"), (b"x" * 100_000, "too long"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_line_of_ascii_says_so(written: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "dsn").write_bytes(written)
    said = _told(str(tmp_path / "dsn"), "NOCONTENT_DSN_FILE")
    assert said.startswith("NOCONTENT_DSN_FILE ")
    assert says in said


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", " {} \t\n\n", "\ufeff{}", "\n{}"])
def test_what_editors_and_shells_leave_around_a_dsn_is_not_part_of_it(around: str, tmp_path: Path) -> None:
    (tmp_path / "dsn").write_bytes(around.format("postgresql://u@h/d").encode())
    assert processes.load({"NOCONTENT_DSN_FILE": str(tmp_path / "dsn")}).dsn == "postgresql://u@h/d"


@pytest.mark.parametrize("path", ["", "/", "/nothing/here", "/dev/zero", "a\0b", "\udcff"])
def test_a_file_that_is_none_is_told_by_the_variables_name(path: str) -> None:
    assert _told(path, "NOCONTENT_DSN_FILE").startswith("NOCONTENT_DSN_FILE names a file that ")


@pytest.mark.parametrize(
    ("bind", "where"),
    [
        ("[::1]:8080", ("::1", 8080)), ("[::]:8080", ("::", 8080)), ("[fe80::1%eth0]:80", ("fe80::1%eth0", 80)),
        ("0.0.0.0:1", ("0.0.0.0", 1)), ("localhost:65535", ("localhost", 65_535)),
        ("a-b.c_d.example:80", ("a-b.c_d.example", 80)),
    ],
)  # fmt: skip
def test_a_bind_is_host_and_port(bind: str, where: tuple[str, int]) -> None:
    for name in ("NOCONTENT_BIND", "NOCONTENT_METRICS_BIND"):
        assert getattr(processes.load({name: bind}), name.removeprefix("NOCONTENT_").lower()) == bind
    assert config.address(bind) == where


@pytest.mark.parametrize(
    "bind",
    [
        "::1", "::1:8080", "[::1]", "[::g]:80", "[]:80", ":8080", "8080", "*:8080", "127.0.0.1:0", "127.0.0.1:99999",
        "127.0.0.1:65536", "a:80 ", " a:80", "a:80\n", "a..b:80", f"{'a' * 64}:80", "unix:80", "unix:/run/x:80",
        "fd://3", "http://a:80", "a:80/x", "a:٣", "ä:80", "a:80,b:80", "-a:80", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["NOCONTENT_BIND", "NOCONTENT_METRICS_BIND"])
def test_another_bind_is_refused_by_its_name(name: str, bind: str) -> None:
    with pytest.raises(CannotStart, match=f"^{name} (must be|has a line break)") as refused:
        processes.load({name: bind})
    assert not bind or f" {bind} " not in str(refused.value)


_ANY = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [*":/@?#%&=,[]+ ;\n\0\udcff", "postgresql://", "postgres:", SECRET,
             "password=", "host", "%40", "::1", "::", "5432", "99999",
             "sslmode=", "sslrootcert=", "u", "h", "..", "/", "%00", "%ff", "service=", "port=", "//"]
        ),
        max_size=14,
    ).map("".join),
)  # fmt: skip


@given(
    field=st.sampled_from([f"{config.PREFIX}{name.upper()}" for name in (*processes.Settings.LISTED, "dsn_file")]),
    text=_ANY,
)
@example("NOCONTENT_WORKERS", "9" * 5_000)
@example("NOCONTENT_DSN", f"postgresql://u:{SECRET}@[/d")
@settings(max_examples=1_000, deadline=None)
def test_no_string_as_a_setting_ends_in_a_traceback_or_an_echo(field: str, text: str) -> None:
    """Whatever is refused is refused by name, and asyncpg accepts whatever is not."""

    def use() -> None:
        loaded = processes.load({field: text})
        shown = str(config.masked(loaded)["dsn"])
        assert f":{SECRET}@" not in shown
        assert f"password={SECRET}" not in shown
        if loaded.dsn:
            assert hosts.each(require_dsn(loaded))

    refusal = _refusal(use)
    assert SECRET not in refusal
    assert refusal == "" or field in refusal


@given(
    password=st.text(min_size=1, max_size=20),
    template=st.sampled_from(["//u:{}@h/d", "//u:{}@a:1,b:2/d?sslmode=prefer", "//u@h/d?password={}"]),
)
@settings(max_examples=500, deadline=None)
def test_a_raw_password_is_refused_or_read_as_it_is_and_never_shown(password: str, template: str) -> None:
    """The password between two marks: no mark is ever shown."""
    given = "postgresql:" + template.format(f"zq7{password}7qz")
    shown = dsn.shown(given)
    assert "zq7" not in shown
    assert "7qz" not in shown
    refusal = _refusal(lambda: dsn.check(given, "NOCONTENT_DSN"))
    assert "zq7" not in refusal
    assert refusal or shown.count(dsn.MASK) == 1
