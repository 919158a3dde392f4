"""The sequencer's mempool against a plain list."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from l2sim.systems.rollup.waiting import WaitingPayments

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(0, 30)),
        st.tuples(st.just("take"), st.integers(0, 12)),
        st.tuples(st.just("keep"), st.integers(1, 4)),
    ),
    max_size=30,
)


@given(limit=st.integers(1, 12), times=st.lists(st.integers(0, 200), max_size=40).map(sorted), steps=STEPS)
def test_payments_wait_in_their_order_up_to_the_limit_and_none_is_lost(limit, times, steps) -> None:
    waiting = WaitingPayments(limit)
    waiting.follow(np.array(times, np.int64))
    plain: list[int] = []
    come, now = 0, 0
    for step, number in steps:
        if step == "arrive":
            now += number
            fresh = [k for k in range(come, len(times)) if times[k] <= now]
            come += len(fresh)
            assert (arrived := waiting.arrive(now)).tolist() == fresh
            room = limit - len(plain)
            assert waiting.admit(arrived).tolist() == fresh[room:]
            plain += fresh[:room]
        elif step == "take":
            left, taken = number, []
            for run in waiting.runs():
                taken += run[:left].tolist()
                waiting.put_back(run[left:])
                left -= len(run[:left])
                if not left:
                    break
            assert taken == plain[:number]
            plain = plain[number:]
        else:
            waiting.keep(waiting.all()[::number])
            plain = plain[::number]
        assert waiting.all().tolist() == plain
        assert len(waiting) == len(plain)
        assert waiting.next_ns == (times[come] if come < len(times) else None)
    assert waiting.give_up().tolist() == plain + list(range(come, len(times)))
    assert len(waiting) == 0
    assert waiting.next_ns is None
