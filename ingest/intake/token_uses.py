"""Remembers which tokens were used in which hour, until the database knows: once an hour for each token and worker."""

from ingest.knowledge.tokens import Token

HOUR_S = 3_600
NOTED_MAX = 10_000  # Tokens at once; the database takes no more.


class TokenUses:
    """The uses that one worker has to note, and those that it has noted this hour."""

    def __init__(self) -> None:
        self._hour = 0
        self._seen: dict[str, int] = {}  # Tenants by token.
        self.due: dict[str, int] = {}

    def add(self, token: Token, now_s: float) -> None:
        """Remember that a token was used, by PostgreSQL's clock."""
        hour = int(now_s // HOUR_S)
        if hour != self._hour:
            # A token of a tenant that is gone is never noted.
            self.due = {token_id: tenant_id for token_id, tenant_id in self.due.items() if token_id in self._seen}
            self._hour, self._seen = hour, {}
        if token.token_id not in self._seen and len(self.due) < NOTED_MAX:
            self._seen[token.token_id] = self.due[token.token_id] = token.tenant_id

    def noted(self, token_ids: list[str]) -> None:
        """Forget uses that the database has noted; others stay due."""
        for token_id in token_ids:
            self.due.pop(token_id, None)
