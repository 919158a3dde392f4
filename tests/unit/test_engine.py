"""The engine: one order of events, exact horizons, cancellable calls, independent streams, servers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2sim.engine import Environment, Server, Streams, ns


def test_events_of_one_instant_run_in_the_order_they_were_scheduled() -> None:
    environment = Environment()
    seen: list[str] = []

    def process():
        yield environment.timeout(5)
        seen.append("process")

    environment.call_at(5, seen.append, "first")
    environment.process(process())  # its timeout is scheduled when the process starts, at time 0
    environment.call_at(5, seen.append, "second")
    environment.run_until(5)
    assert seen == ["first", "second", "process"]


def test_run_until_includes_events_at_exactly_that_time_and_sets_the_clock() -> None:
    environment = Environment()
    seen: list[int] = []
    for time_ns in (9, 10, 11):
        environment.call_at(time_ns, seen.append, time_ns)
    assert environment.run_until(10) == 2
    assert (seen, environment.now) == ([9, 10], 10)
    assert environment.run_until(100) == 1
    assert environment.now == 100


def test_a_cancelled_call_never_runs_and_its_remains_are_cleared() -> None:
    environment = Environment()
    seen: list[int] = []
    calls = [environment.call_at(10, seen.append, index) for index in range(1000)]
    for call in calls[:990]:
        call.cancel()
    calls[0].cancel()  # a second time: no effect
    assert len(environment._queue) < 200
    assert environment.run_until(10) == 10
    assert seen == list(range(990, 1000))
    assert not any(call.pending for call in calls)
    assert environment.peek() == float("inf")


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=300))
def test_any_mix_of_calls_and_cancellations_runs_what_is_left_in_order(plan: list[tuple[int, bool]]) -> None:
    environment = Environment()
    seen: list[tuple[int, int]] = []
    calls = [environment.call_at(time, seen.append, (time, index)) for index, (time, _) in enumerate(plan)]
    for call, (_, cancel) in zip(calls, plan, strict=True):
        if cancel:
            call.cancel()
    expected = sorted((time, index) for index, (time, cancel) in enumerate(plan) if not cancel)
    half = 10
    environment.run_until(half)
    assert seen == [entry for entry in expected if entry[0] <= half]
    environment.run_while(lambda: True, 100)
    assert seen == expected


def test_a_call_into_the_past_is_refused() -> None:
    environment = Environment()
    environment.run_until(10)
    with pytest.raises(ValueError, match=r"must not be scheduled in the past \(got 9 ns, now is 10 ns\)"):
        environment.call_at(9, print)
    with pytest.raises(ValueError, match=r"cannot run back in time \(got 9 ns"):
        environment.run_until(9)


def test_run_while_stops_at_the_event_that_ends_the_condition() -> None:
    environment = Environment()
    seen: list[int] = []
    for time_ns in range(1, 6):
        environment.call_at(time_ns, seen.append, time_ns)
    assert environment.run_while(lambda: len(seen) < 3, 100)
    assert (seen, environment.now) == ([1, 2, 3], 3)
    assert not environment.run_while(lambda: len(seen) < 9, 100)
    assert environment.now == 100


def test_drawing_more_from_one_stream_leaves_the_others_unchanged() -> None:
    lazy, greedy = Streams(7), Streams(7)
    greedy.get("a").generator.random(1000)
    for _ in range(3000):
        greedy.get("a").uniform()
    greedy.get("made before b")
    assert [lazy.get("b").uniform() for _ in range(2000)] == [greedy.get("b").uniform() for _ in range(2000)]
    assert lazy.get("b").bytes(16) == greedy.get("b").bytes(16)


def test_streams_differ_by_seed_replication_and_name() -> None:
    draws = [
        Streams(seed, replication).get(name).uniform() for seed in (0, 1) for replication in (0, 1) for name in "ab"
    ]
    assert len(set(draws)) == len(draws)
    with pytest.raises(ValueError, match="at least 0"):
        Streams(-1)


def test_scalar_draws_have_the_mean_they_state() -> None:
    stream = Streams(3).get("x")
    exponential = np.array([stream.exponential(4.0) for _ in range(200_000)])
    assert exponential.mean() == pytest.approx(4.0, rel=0.01)
    assert exponential.std() == pytest.approx(4.0, rel=0.02)
    assert min(stream.exponential_ns(1) for _ in range(1000)) >= 1
    assert {stream.integer(3) for _ in range(200)} == {0, 1, 2}


def test_secrets_are_each_their_own() -> None:
    streams = Streams(1)
    table = streams.secrets("user", 50)
    assert table.shape == (50, 32)
    assert len({bytes(row) for row in table}) == 50
    assert bytes(table[7]) == streams.secret("user", 7) != Streams(2).secret("user", 7)


def test_a_server_serves_in_order_and_counts_waiting_and_work() -> None:
    environment = Environment()
    server = Server(environment)
    done: list[tuple[str, int]] = []
    for name in "abc":
        server.submit(10, lambda name: done.append((name, environment.now)), name)
    assert server.in_system == 3
    environment.run_until(ns(1))
    assert done == [("a", 10), ("b", 20), ("c", 30)]
    assert (server.busy_ns, server.waiting_ns, server.jobs, server.in_system) == (30, 30, 3, 0)


def test_a_server_with_two_cores_runs_two_jobs_at_once() -> None:
    environment = Environment()
    server = Server(environment, cores=2)
    finished = [server.submit(10, int) for _ in range(4)]
    assert finished == [10, 10, 20, 20]
    assert server.free_at_ns == 20


def test_a_full_server_refuses() -> None:
    environment = Environment()
    server = Server(environment, capacity=2)
    assert server.submit(10, int) == 10
    assert server.submit(10, int) == 20
    assert server.submit(10, int) is None
    environment.run_until(10)
    assert server.submit(10, int) == 30
    with pytest.raises(ValueError, match="cores must be at least 1"):
        Server(environment, cores=0)
