"""`make bench`: measures and prints the figures that later work is compared with. Not a test: nothing here fails.

Each figure stands beside what is aimed at. LUT4 as nextpnr counts them, where a carry cell of ECP5 is two.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

import rowloom
from rowloom.boards import BOARDS
from rowloom.hw.accelerator import Accelerator
from rowloom.model.errors import RowloomError
from rowloom.model.host import host_run

NETWORK = "fashion-bnn"

#: Networks to map: name, rows, columns, lanes, drain chains (0: as many as is usual), least utilization aimed at.
REFERENCES = (
    ("cnv-w1a1", 12, 2, 32, 0, "0.85"),
    ("cnv-w1a1", 24, 2, 32, 0, "0.85"),
    ("ds-cnn", 6, 5, 16, 0, "0.50"),
    ("resnet8", 6, 4, 16, 0, ""),
    ("resnet20", 6, 4, 16, 0, ""),
    ("mobilenet-025", 6, 4, 16, 0, ""),
    ("autoencoder", 6, 1, 16, 0, ""),
    ("peer-cnn", 8, 1, 16, 8, "0.80"),
    ("resnet18-shapes", 3, 7, 64, 0, "0.95"),
    ("alexnet-shapes", 12, 14, 8, 0, "0.80"),
)


#: Networks of MLPerf Tiny, and the arrays that they are co-simulated on.
MLPERF = (
    ("kws_dscnn", 6, 5, 16),
    ("ic_resnet8", 6, 4, 16),
    ("vww_mobilenet", 6, 4, 16),
    ("ad_autoencoder", 6, 1, 16),
)

#: Where their files are, with inputs and the answers of the reference kernels beside them.
MLPERF_FOLDER = Path(os.environ.get("ROWLOOM_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "mlperf-tiny"


def say(figure, value, aim=""):
    """Print a figure, and what is aimed at."""
    sys.stdout.write(f"{figure:<64} {value:>14}   {aim}\n")
    sys.stdout.flush()


def golden(net):
    """Print how fast the golden model is."""
    x = np.tile(rowloom.images(net), (32, 1, 1, 1))
    net.run(x[:32])
    start = time.perf_counter()
    net.run(x)
    say("golden model, images a second", f"{len(x) / (time.perf_counter() - start):,.0f}", ">= 1,000")


def co_simulation(net, config):
    """Print what a co-simulation of every shipped image finds; return the design."""
    design = rowloom.compile(net, config)
    result = rowloom.simulate(design, rowloom.images(net))
    shape = f"{config.rows} x {config.cols} x {config.lanes}"
    say(f"utilization at {shape}", f"{result.utilization:.3f}", ">= 0.75 at >= 512 MAC a cycle")
    say(f"mismatches over {result.images} images, {result.compared:,} values", f"{result.mismatches:,}", "0")
    off = sum(abs(layer.cycles_measured - layer.cycles_predicted) for layer in result.layers)
    say("cycle model error, cycles", f"{off:,}", "0")
    say("co-simulation, cycles a second", f"{result.cycles_per_second:,.0f}", ">= 15,000")
    return design


def ecp5_cells(component, name):
    """Cells of a component on ECP5 after synthesis."""
    from tempfile import TemporaryDirectory

    from rowloom.boards.board import Family
    from rowloom.boards.report import count_cells, netlist_cells
    from rowloom.boards.toolchain import run, yosys_command
    from rowloom.hw.emit import to_rtlil, without_collisions

    with TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "top.il").write_text(without_collisions(to_rtlil(component, name, BOARDS["ulx3s-85f"].platform())))
        script = f"read_rtlil top.il\nsynth_ecp5 -abc9 -nowidelut -top {name}\nwrite_json top.json\n"
        (work / "top.ys").write_text(script)
        run(yosys_command("top.ys"), folder=work, log=work / "log", limit_s=600, say=lambda line: None)
        return count_cells(netlist_cells(work / "top.json"), Family.ECP5)


def formats(config):
    """Print what each number format costs and gives: the same small network in all of them."""
    from rowloom.model import zoo

    shape = f"{config.rows} x {config.cols} x {config.lanes}"
    sys.stdout.write(f"\none network in ten number formats, array {shape}, cells on ECP5\n")
    row = "{:<22} {:>9} {:>12} {:>9} {:>8} {:>7} {:>5} {:>4} {:>11}\n"
    sys.stdout.write(
        row.format("network", "accuracy", "weight bits", "cycles", "LUT4", "FF", "BRAM", "DSP", "mismatches")
    )
    for name in zoo.names():
        if name == NETWORK or not name.startswith("fashion-"):
            continue
        net = rowloom.load(name)
        design = rowloom.compile(net, config)
        result = rowloom.simulate(design, rowloom.images(net, 2))
        used = ecp5_cells(Accelerator(design), "accelerator")
        accuracy = f"{100 * float(net.about['test accuracy']):.2f} %"
        figures = (
            f"{net.weight_bits():,}",
            f"{design.cycles:,}",
            f"{used.lut4:,}",
            f"{used.ff:,}",
            used.bram,
            used.dsp,
        )
        sys.stdout.write(row.format(name, accuracy, *figures, f"{result.mismatches:,}"))
        sys.stdout.flush()


def references():
    """Print what arrays make of the reference networks, by the cycle model."""
    sys.stdout.write("\nreference networks, cycles an image by the model\n")
    row = "{:<18} {:>12} {:>14} {:>11} {:>12}   {:<8} {:>8}\n"
    sys.stdout.write(row.format("network", "array", "MACs", "cycles", "utilization", "aim", "seconds"))
    for name, rows, cols, lanes, drains, aim in REFERENCES:
        net = rowloom.load(name)
        start = time.perf_counter()
        design = rowloom.compile(net, rowloom.ArrayConfig(rows=rows, cols=cols, lanes=lanes, drains=drains))
        took = time.perf_counter() - start
        figures = (f"{net.macs():,}", f"{design.cycles:,}", f"{design.utilization:.3f}", aim and f">= {aim}")
        sys.stdout.write(row.format(name, f"{rows} x {cols} x {lanes}", *figures, f"{took:.1f}"))
        sys.stdout.flush()
    peer = next(entry for entry in REFERENCES if entry[0] == "peer-cnn")
    config = rowloom.ArrayConfig(rows=peer[1], cols=peer[2], lanes=peer[3], drains=peer[4])
    used = ecp5_cells(Accelerator(rowloom.compile(rowloom.load(peer[0]), config)), "accelerator")
    say(f"{peer[0]}: LUT4 on ECP5 ({used.bram} block RAMs, {used.dsp} DSP blocks)", f"{used.lut4:,}", "<= 12,000")


def mlperf():
    """Print what the networks of MLPerf Tiny give and take: golden against the reference kernels, and co-simulated."""
    if not MLPERF_FOLDER.is_dir():
        sys.stdout.write(f"\nMLPerf Tiny: no {MLPERF_FOLDER}; set ROWLOOM_SHARED\n")
        return
    sys.stdout.write("\nMLPerf Tiny, one real input co-simulated\n")
    row = "{:<18} {:>12} {:>12} {:>10} {:>11} {:>12} {:>13} {:>11}\n"
    titles = ("network", "answers", "array", "MACs", "cycles", "utilization", "compared", "mismatches")
    sys.stdout.write(row.format(*titles))
    for name, rows, cols, lanes in MLPERF:
        net = rowloom.from_tflite(MLPERF_FOLDER / f"{name}.tflite")
        given = np.load(MLPERF_FOLDER / f"{name}.npz")
        answers = host_run(net, given["x"]).reshape(given["y"].shape)
        equal = sum(np.array_equal(mine, theirs) for mine, theirs in zip(answers, given["y"], strict=True))
        design = rowloom.compile(net, rowloom.ArrayConfig(rows=rows, cols=cols, lanes=lanes))
        result = rowloom.simulate(design, given["x"][:1].reshape(1, *net.tensor(net.input).shape))
        figures = (
            f"{equal} of {len(answers)}",
            f"{rows} x {cols} x {lanes}",
            f"{net.macs():,}",
            f"{sum(layer.cycles_measured for layer in result.layers):,}",
            f"{design.utilization:.3f}",
            f"{result.compared:,}",
            f"{result.mismatches:,}",
        )
        sys.stdout.write(row.format(name, *figures))
        sys.stdout.flush()


def array(design):
    """Print what the largest array alone takes on ECP5: elements, drain chains, broadcast."""
    from rowloom.hw.array import ProcessingArray

    hw = design.hardware
    parameters = next(each for each in hw.arrays if not each.stacked)
    gates = ProcessingArray(
        parameters=parameters, cols=hw.cols, group=hw.group, drains=hw.drains, stream_bits=hw.word_bits
    )
    used = ecp5_cells(gates, "array")
    config = design.config
    shape = f"{config.rows} x {config.cols} x {config.lanes}"
    say(f"array {shape} alone on ECP5: LUT4 per MAC and cycle", f"{used.lut4 / config.peak:.2f}", "<= 4.6")


def bitstream(net, design, board, clock):
    """Print what a build takes and reaches."""
    lines = {"ulx3s-85f": ">= 80", "icebreaker": ">= 18"}
    config = design.config
    try:
        image = rowloom.build(design, board)
    except RowloomError as error:
        say(f"{board}", "none", str(error))
        return
    shape = f"{config.rows} x {config.cols} x {config.lanes}"
    used = image.resources
    say(f"{board}, array {shape}: Fmax, MHz", f"{image.fmax_mhz:.1f}", lines.get(board, ""))
    say(f"{board}, array {shape}: LUT4", f"{used.lut4:,}")
    say(f"{board}, array {shape}: LUT4 per MAC and cycle", f"{used.lut4 / config.peak:.2f}")
    say(f"{board}, array {shape}: LUT4 x cycles per MAC", f"{used.lut4 * design.cycles / design.macs:.2f}")
    say(f"{board}, array {shape}: block RAMs / DSPs", f"{used.bram} / {used.dsp}")
    say(f"{board}, array {shape}: images a second at {clock:g} MHz", f"{clock * 1e6 / design.cycles:,.0f}")


def shipped():
    """Print what the network that `make sim` runs reaches, and what its array and its builds take."""
    from rowloom.hw.config import DEFAULT

    net = rowloom.load(NETWORK)
    golden(net)
    design = co_simulation(net, DEFAULT)
    array(design)
    bitstream(net, design, "ulx3s-85f", BOARDS["ulx3s-85f"].core_mhz)
    for name, board in BOARDS.items():
        fitted = rowloom.compile(net, rowloom.fit(net, name, "balanced"))
        bitstream(net, fitted, name, board.core_mhz)


def main():
    """Print every figure, or those of the parts that are named."""
    parts = {
        "shipped": shipped,
        "formats": lambda: formats(rowloom.ArrayConfig(rows=3, cols=2, lanes=8)),
        "references": references,
        "mlperf": mlperf,
    }
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
