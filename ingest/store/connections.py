"""Opens connections to PostgreSQL, each for one role, and turns what asyncpg raises into our errors."""

import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Literal

import asyncpg

from ingest import logs
from ingest.errors import CannotStart, Unavailable
from ingest.store import hosts, session
from ingest.store.endings import LOST
from ingest.store.errors import RoleMissing

Connection = asyncpg.Connection
PostgresError = asyncpg.PostgresError
LogMessage = asyncpg.PostgresLogMessage
Role = Literal[
    "nocontent_maintainer",
    "nocontent_writer",
    "nocontent_control",
    "nocontent_analyst",
    "nocontent_biller",
    "nocontent_usage_reader",
    "nocontent_eraser",
    "nocontent_exporter",
    "nocontent_console",
    "nocontent_mailer",
]
CONNECT_TIMEOUT_S = 5.0  # For each host.
STATEMENT_TIMEOUT_S = 10.0  # For each statement, COMMIT included.
# Longer than two writers with the same batch wait for each other, and short enough to find a locked batch in time.
_LOCK_TIMEOUT = "1s"
# In PostgreSQL itself, so that a reader who has left keeps it busy no longer than one who waits.
_READ_TIMEOUT = "3s"
_IMPATIENT = ("nocontent_usage_reader", "nocontent_console")
# Of SET ROLE: there is no such role, or the login is not a member of it.
_NO_ROLE = (asyncpg.InvalidParameterValueError, asyncpg.UndefinedObjectError, asyncpg.InsufficientPrivilegeError)
# Holds a group's rows, so that PostgreSQL need not wait for a round of the event loop between two parts of them.
# The kernel grants at most net.core.wmem_max. TCP tunes its own, larger, buffer.
_SEND_BYTES = 2_097_152
_UNREADABLE = (ValueError, TypeError, IndexError, OverflowError)  # asyncpg raises these for a bad variable of libpq's.
_OTHER_NAMES = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH of OpenSSL.
_NO_SESSION = (
    "A connection pooler at NOCONTENT_DSN does not hold {} from one transaction to the next:"
    " set it to session mode or name PostgreSQL itself, see docs/operations.md#poolers."
)
_NO_TLS = "TLS with PostgreSQL failed, or NOCONTENT_DSN names an invalid certificate or key."
_NO_START = (
    "A connection pooler at NOCONTENT_DSN refused to open a connection or a start-up parameter (SQLSTATE 08P01):"
    " its log says why, see docs/operations.md#poolers."
)


async def connect(dsn: str, role: Role | None) -> Connection:
    """Open a connection that acts as one role, or as the login; raises Unavailable, of which RoleMissing is one."""
    for host in hosts.each(dsn):
        try:
            return await _connect(host, role)
        except session.NotHeld as lost:
            logs.error("session-lost", setting=lost.setting)
        except _NO_ROLE as refused:
            logs.error("role-missing", privilege=role or "", sqlstate=sqlstate(refused))
            raise RoleMissing from None
        except (*LOST, PostgresError) as lost:
            logs.warning("database-lost", error=type(lost).__name__, sqlstate=sqlstate(lost))
    raise Unavailable


async def _connect(host: str, role: Role | None) -> Connection:
    named = {"application_name": (role or "nocontent").replace("_", "-")}
    connection = await asyncpg.connect(
        host, timeout=CONNECT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S, server_settings=named
    )
    try:
        await session.hold(connection, _session_settings(role))
        _enlarge_send_buffer(connection)
    except (session.NotHeld, *LOST, PostgresError):
        connection.terminate()
        raise
    return connection


def _session_settings(role: Role | None) -> dict[str, str]:
    """Return the settings that a session of a role must hold; none for the login itself."""
    if role is None:
        return {}
    own = {"role": role, "search_path": "nocontent"}
    if role == "nocontent_writer":
        return own | {"lock_timeout": _LOCK_TIMEOUT, "default_transaction_isolation": session.ISOLATION}
    return own | {"statement_timeout": _READ_TIMEOUT} if role in _IMPATIENT else own


def _enlarge_send_buffer(connection: Connection) -> None:
    """Widen the send buffer of a connection over a Unix socket to hold a whole group."""
    own = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]  # noqa: SLF001 (no public way)
    if own.family == socket.AF_UNIX:
        with socket.socket(fileno=os.dup(own.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)


async def connect_as_operator(dsn: str, role: Role | None = None) -> Connection:
    """Open a connection for a person at a terminal; raises CannotStart with advice."""
    with _explaining():
        connection = await _open(dsn)
        try:
            await session.hold(connection, _session_settings(role))
            if session.is_pooled(connection):
                await _require_session_mode(dsn, connection)
        except (session.NotHeld, *LOST, PostgresError):
            connection.terminate()
            raise
    return connection


async def _open(dsn: str) -> Connection:
    return await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, server_settings={"application_name": "nocontent"})


async def _require_session_mode(dsn: str, connection: Connection) -> None:
    other = await _open(dsn)
    try:
        await session.require_own(connection, other)
    finally:
        other.terminate()


@contextmanager
def _explaining() -> Iterator[None]:
    try:
        yield
    except session.NotHeld as lost:
        raise CannotStart(_no_session(lost.setting)) from None
    except asyncpg.InvalidCatalogNameError:
        raise CannotStart("PostgreSQL has no such database: create it, or correct NOCONTENT_DSN.") from None
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError):
        raise CannotStart("PostgreSQL refused the user or password in NOCONTENT_DSN.") from None
    except (asyncpg.InvalidParameterValueError, asyncpg.UndefinedObjectError):
        raise CannotStart("The database has no nocontent roles yet: run `nocontent migrate` first.") from None
    except asyncpg.PostgresError as refused:
        if refused.sqlstate in session.REFUSED:
            raise CannotStart(_no_session(session.REFUSED[refused.sqlstate])) from None
        raise CannotStart(f"PostgreSQL refused the connection (SQLSTATE {refused.sqlstate}).") from None
    except (KeyError, *_UNREADABLE, *LOST) as lost:
        raise CannotStart(_why(lost)) from None


def _no_session(setting: str) -> str:
    return _NO_START if setting == session.START else _NO_SESSION.format(setting)


def _why(lost: Exception) -> str:
    """Return why there is no connection, in words without any part of the DSN."""
    if isinstance(lost, ssl.SSLCertVerificationError):
        # Only OpenSSL's message for a wrong name repeats the name.
        fault = "it is for another name" if lost.verify_code in _OTHER_NAMES else lost.verify_message
        return f"PostgreSQL's certificate is not to be trusted: {fault}."
    if isinstance(lost, KeyError):  # Python raises it for a user id without a name.
        return "NOCONTENT_DSN names no user, and this process's has no name either."
    if isinstance(lost, _UNREADABLE):
        return "NOCONTENT_DSN verifies without an sslrootcert, or a PG… variable or service file has an invalid value."
    if isinstance(lost, ssl.SSLError | PermissionError):
        is_tls = isinstance(lost, ssl.SSLError)
        return _NO_TLS if is_tls else "This user may not open a file or socket that NOCONTENT_DSN refers to."
    if type(lost) is ConnectionError:  # asyncpg raises it; the network raises only subclasses.
        return "PostgreSQL does not speak TLS there, and NOCONTENT_DSN asks for it."
    return f"PostgreSQL does not answer at NOCONTENT_DSN ({type(lost).__name__})."


@asynccontextmanager
async def connected(dsn: str, role: Role | None) -> AsyncIterator[Connection]:
    """Open a connection for the block; raises Unavailable for what PostgreSQL or the network raise inside."""
    connection = await connect(dsn, role)
    try:
        yield connection
    except (*LOST, PostgresError) as lost:
        logs.warning("database-lost", error=type(lost).__name__, sqlstate=sqlstate(lost))
        raise Unavailable from None
    finally:
        await close(connection)


async def now(connection: Connection) -> datetime:
    """Return PostgreSQL's time."""
    at: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return at


async def close(connection: Connection) -> None:
    """Close the connection gracefully, or abort it after a second."""
    try:
        await connection.close(timeout=1)
    except (*LOST, PostgresError):
        connection.terminate()


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of an error; its message may hold values and is never read."""
    return str(error.sqlstate) if isinstance(error, asyncpg.PostgresError) else ""
