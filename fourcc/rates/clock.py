"""The clock of a thread's processor time; where the system counts it in long ticks, the clock on the wall."""

from __future__ import annotations

from time import get_clock_info, perf_counter, thread_time

TICK = 1e-4  # seconds; Windows counts in ticks of 15 ms

processor_clock = thread_time if get_clock_info("thread_time").resolution < TICK else perf_counter
