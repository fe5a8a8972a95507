# amaranth: UnusedElaboratable=no
import random

import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from rowloom.boards.uart import UartReceiver, UartTransmitter, baud_divider
from rowloom.model.errors import RowloomError

EXTREMES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80]


def send_bits(ctx, line, byte, divider, stop=1):
    bits = [0, *[(byte >> i) & 1 for i in range(8)], stop]
    for bit in bits:
        ctx.set(line, bit)
        yield divider


@pytest.mark.parametrize("divider", [4, 5, 18, 80])
def test_bytes_survive_the_line(divider):
    rng = random.Random(divider)
    sent = EXTREMES + [rng.randrange(256) for _ in range(20)]
    m = Module()
    m.submodules.tx = tx = UartTransmitter(divider=divider)
    m.submodules.rx = rx = UartReceiver(divider=divider)
    m.d.comb += rx.rx.eq(tx.tx)
    got, faults = [], []

    async def driver(ctx):
        for byte in sent:
            ctx.set(tx.bytes.payload, byte)
            ctx.set(tx.bytes.valid, 1)
            await ctx.tick().until(tx.bytes.ready)
            ctx.set(tx.bytes.valid, 0)
            await ctx.tick().repeat(rng.choice([0, 0, 1, 3 * divider]) or 1)
        await ctx.tick().repeat(12 * divider)

    async def monitor(ctx):
        ctx.set(rx.bytes.ready, 1)
        async for _, _, valid, byte, fault in ctx.tick().sample(rx.bytes.valid, rx.bytes.payload, rx.fault):
            if valid:
                got.append(byte)
            if fault:
                faults.append(byte)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(driver)
    simulator.add_testbench(monitor, background=True)
    simulator.run()
    assert got == sent
    assert not faults


@pytest.mark.parametrize("error", [-0.03, 0.03])
def test_receiver_bears_another_clock(error):
    divider = 40
    rx = UartReceiver(divider=divider)
    sent = EXTREMES * 2
    got = []

    async def driver(ctx):
        ctx.set(rx.rx, 1)
        await ctx.tick().repeat(50)
        at = 0.0
        done = 0
        for byte in sent:
            for bit in [0, *[(byte >> i) & 1 for i in range(8)], 1]:
                ctx.set(rx.rx, bit)
                at += divider * (1 + error)
                await ctx.tick().repeat(round(at) - done)
                done = round(at)
        await ctx.tick().repeat(20)

    async def monitor(ctx):
        ctx.set(rx.bytes.ready, 1)
        async for _, _, valid, byte in ctx.tick().sample(rx.bytes.valid, rx.bytes.payload):
            if valid:
                got.append(byte)

    simulator = Simulator(rx)
    simulator.add_clock(1e-6)
    simulator.add_testbench(driver)
    simulator.add_testbench(monitor, background=True)
    simulator.run()
    assert got == sent


@pytest.mark.parametrize(("stop", "ready"), [(0, 1), (1, 0)], ids=["stop-bit-low", "not-taken-in-time"])
def test_a_lost_byte_is_told(stop, ready):
    divider = 8
    rx = UartReceiver(divider=divider)
    faults = []

    async def driver(ctx):
        ctx.set(rx.rx, 1)
        ctx.set(rx.bytes.ready, ready)
        await ctx.tick().repeat(5)
        for byte in (0x12, 0x34):
            for cycles in send_bits(ctx, rx.rx, byte, divider, stop):
                await ctx.tick().repeat(cycles)
            ctx.set(rx.rx, 1)
            await ctx.tick().repeat(12 * divider)

    async def monitor(ctx):
        async for _, _, fault in ctx.tick().sample(rx.fault):
            faults.append(fault)

    simulator = Simulator(rx)
    simulator.add_clock(1e-6)
    simulator.add_testbench(driver)
    simulator.add_testbench(monitor, background=True)
    simulator.run()
    assert sum(faults) == (2 if ready else 1)


@pytest.mark.parametrize("component", [UartReceiver, UartTransmitter])
def test_divider_is_checked(component):
    with pytest.raises(ValueError, match=r"^divider must be at least 4, not 3$"):
        component(divider=3)


@pytest.mark.parametrize(("mhz", "divider"), [(80.0, 80), (18.0, 18), (16.125, 16), (50.4, 50)])
def test_baud_divider(mhz, divider):
    assert baud_divider(mhz, 1_000_000) == divider


@pytest.mark.parametrize("mhz", [3.0, 5.5, 8.4])
def test_baud_that_cannot_be_made(mhz):
    with pytest.raises(RowloomError, match=r"^1000000 baud: cannot be made from"):
        baud_divider(mhz, 1_000_000)
