"""Cocotb test module: streams images through an accelerator, back to back and without a reset between."""

import os
from pathlib import Path
from time import perf_counter
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.simtime import get_sim_time
from cocotb.triggers import RisingEdge, SimTimeoutError, with_timeout

from rowloom.sim.job import ENVIRONMENT, PERIOD, Job, Outcome
from rowloom.sim.streams import Beat, Pauses, StreamSink, StreamSource

__all__ = ["stream_images"]

RESET_CYCLES = 4


@cocotb.test()
async def stream_images(dut: Any) -> None:
    """Send every image of the job and take every answer; whether they are right is judged outside."""
    job = Job.load(Path(os.environ[ENVIRONMENT]))
    pauses = [Pauses(2 * job.seed + end) if job.stalls else None for end in (0, 1)]
    source = StreamSource(dut.clk, dut.input_valid, dut.input_ready, dut.input_payload, pauses=pauses[0])
    sink = StreamSink(dut.clk, dut.output_valid, dut.output_ready, dut.output_payload, period=PERIOD, pauses=pauses[1])
    start = perf_counter()
    Clock(dut.clk, PERIOD, "step", impl="gpi").start()
    for _ in range(RESET_CYCLES):
        await RisingEdge(dut.clk)
    dut.rst.value = 0

    taken: list[Beat] = []
    finished, surplus = True, 0
    sending = None

    async def take_all() -> None:
        nonlocal sending
        for phase in job.phases:
            if phase.load:
                await loader(dut, job).send(np.load(phase.load).tolist())
            images = np.load(phase.beats)
            if phase.stream:
                weights = np.load(phase.stream).tolist() * len(images)
                cocotb.start_soon(loader(dut, job).send(weights, phase.interval))
            sending = cocotb.start_soon(source.send(images.reshape(-1).tolist()))
            for _ in range(len(images)):
                for _ in range(phase.output_beats):
                    taken.extend(await sink.receive(1))
                with open(job.progress, "ab") as progress:
                    progress.write(b".")
            await sending

    try:
        await with_timeout(take_all(), job.limit * PERIOD, "step")
    except SimTimeoutError:
        finished = False
        if sending is not None:
            sending.cancel()
    else:
        surplus = await _count_surplus(dut, job.idle)
    Outcome(
        finished=finished,
        sent=source.sent,
        outputs=[[beat.payload, beat.cycle] for beat in taken],
        surplus=surplus,
        violations=sink.violations,
        cycles=int(get_sim_time("step")) // PERIOD,
        seconds=perf_counter() - start,
    ).save(Path(job.outcome))


def loader(dut: Any, job: Job) -> StreamSource:
    """What brings programs and weights."""
    pauses = Pauses(2 * job.seed + 1000) if job.stalls else None
    return StreamSource(dut.clk, dut.load_valid, dut.load_ready, dut.load_payload, pauses=pauses)


async def _count_surplus(dut: Any, cycles: int) -> int:
    """Beats that are offered although none is due."""
    dut.output_ready.value = 1
    surplus = 0
    for _ in range(cycles):
        await RisingEdge(dut.clk)
        surplus += dut.output_valid.value == 1
    return surplus
