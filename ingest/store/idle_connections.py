"""Connections of one role that nobody uses now, kept open for the next who needs one."""

from ingest.store import connections
from ingest.store.connections import Connection, Role


class IdleConnections:
    """Takes a connection that was given back, or opens one; whoever takes bounds how many there are."""

    def __init__(self, dsn: str, role: Role) -> None:
        self._dsn = dsn
        self._role: Role = role
        self._idle: list[Connection] = []

    async def take(self) -> Connection:
        """Return a connection that is open; raises Unavailable."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await connections.connect(self._dsn, self._role)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection, unless it was closed."""
        if not connection.is_closed():
            self._idle.append(connection)

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            await connections.close(self._idle.pop())
