"""A worker that is much busier than the other one."""

from contextlib import ExitStack, closing

from tests.support.service import Server, wait_until

HELD = 12  # Unfinished requests: a head without its body.


def send_away(server: Server, token: str) -> None:
    """Load one of two workers until it moves a sender; the other one keeps its senders."""
    with server.one_to_each_worker() as (crowded, idle), ExitStack() as opened:
        holds_at = server.worker_of(crowded)
        held = 0
        while held < HELD:
            sender = opened.enter_context(closing(server.sender(token)))
            sender.get("/livez")
            if server.worker_of(sender) == holds_at:
                sender.begin(1_000)
                held += 1
        heard = []

        def is_sent_away() -> bool:
            heard.append(idle.get("/livez").headers.get("connection"))
            return crowded.get("/livez").headers.get("connection") == "close"

        wait_until(is_sent_away)
        assert set(heard) == {None}
