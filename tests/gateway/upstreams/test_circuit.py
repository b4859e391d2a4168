"""A circuit by itself, with a clock that the test turns."""

from ingest.gateway.upstream.circuit import FAILURES_MAX, OPEN_MAX_S, OPEN_S, RATE_COUNT_MIN, WINDOW_S, Circuit


class Clock:
    """The time that the test says."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def refuses(circuit: Circuit) -> bool:
    return circuit.is_shut_out


def opened(clock: Clock) -> Circuit:
    circuit = Circuit(clock)
    for _ in range(FAILURES_MAX):
        assert not refuses(circuit)
        circuit.fail()
    assert refuses(circuit)
    return circuit


def test_failures_one_after_another_open_it() -> None:
    opened(Clock())


def test_a_success_between_failures_keeps_it_closed() -> None:
    circuit = Circuit(Clock())
    for _ in range(RATE_COUNT_MIN // FAILURES_MAX - 1):
        for _ in range(FAILURES_MAX - 1):
            circuit.fail()
        circuit.succeed()
    assert not refuses(circuit)


def test_half_of_many_requests_failing_opens_it() -> None:
    clock = Clock()
    circuit = Circuit(clock)
    for _ in range(RATE_COUNT_MIN // 2):
        circuit.succeed()
        circuit.fail()
    assert refuses(circuit)
    spread = Circuit(clock)
    for _ in range(RATE_COUNT_MIN):
        spread.succeed()
        spread.fail()
        clock.now_s += WINDOW_S / 3  # Never many in a window.
    assert not spread.is_shut_out


def test_one_probe_is_let_through_at_a_time() -> None:
    clock = Clock()
    circuit = opened(clock)
    clock.now_s += 2 * OPEN_S
    assert not refuses(circuit)
    circuit.enter()
    assert refuses(circuit)
    circuit.leave()
    assert not refuses(circuit)


def test_each_failed_probe_doubles_the_wait_up_to_a_bound() -> None:
    clock = Clock()
    circuit = opened(clock)
    waits_s = []
    for _ in range(8):
        while circuit.is_shut_out:
            clock.now_s += 0.25
        circuit.enter()
        circuit.fail()
        waits_s.append(circuit.wait_s)
    assert waits_s == sorted(waits_s[:4]) + waits_s[4:]
    assert all(OPEN_MAX_S <= each <= 1.25 * OPEN_MAX_S + 1 for each in waits_s[-3:])


def test_a_probe_that_is_answered_closes_it() -> None:
    clock = Clock()
    circuit = opened(clock)
    clock.now_s += 2 * OPEN_S
    circuit.enter()
    circuit.succeed()
    assert circuit.state == "closed"
    assert not refuses(circuit)
