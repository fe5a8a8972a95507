"""Runs an accelerator's Verilog on images and judges every value and every cycle count."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rowloom.model.errors import CheckFailed, RowloomError
from rowloom.sim.bench import TRACE_FILE, Ports, bench
from rowloom.sim.compare import Comparison, compare_layers, compare_outputs
from rowloom.sim.job import ENVIRONMENT, Job, Outcome, Phase
from rowloom.sim.result import LayerResult, Result
from rowloom.sim.runner import Bench, build, run
from rowloom.sim.trace import Trace, read_trace

if TYPE_CHECKING:
    from rowloom.hw.design import Design

__all__ = ["Progress", "accelerator_verilog", "simulate", "simulate_programs"]

#: Called with what is being done ("build", "simulate", "compare"), and how many images of how many.
Progress = Callable[[str, int, int], None]

#: Cycles after which a run is given up, in predicted ones; and what every beat may take more with stalls.
_PATIENCE = 3
_PATIENCE_A_BEAT = 16

#: Cycles to watch the output after the last image.
_IDLE = 200

#: How often progress is reported.
_REPORT_SECONDS = 0.25


def simulate(design: "Design", x: NDArray, **options: Any) -> Result:
    """Co-simulate an accelerator and compare every layer's every value with the golden model.

    :func:`simulate_programs` with one program; the options are the same, and ``expected`` is one mapping.
    """
    if options.get("expected") is not None:
        options["expected"] = [options["expected"]]
    return simulate_programs([(design, x)], **options)[0]


def simulate_programs(
    programs: Sequence[tuple["Design", NDArray]],
    *,
    simulator: str = "verilator",
    stalls: bool = False,
    seed: int = 0,
    netlist: bool = False,
    expected: Sequence[Mapping[str, NDArray]] | None = None,
    progress: Progress | None = None,
    workdir: str | os.PathLike[str] | None = None,
    waves: bool = False,
    filled: bool = False,
) -> list[Result]:
    """Co-simulate an accelerator with one program after the other, and compare all with the golden model.

    Programs and images follow each other without a reset. What differs is counted, not raised: ask the
    results' ``ok``.

    Parameters
    ----------
    programs : sequence of (Design, integer codes [N, H, W, C])
        Designs for one accelerator, and for each of them images as :meth:`rowloom.model.network.Network.run` takes
        them. Several need an accelerator that is loaded.
    simulator : {"verilator", "icarus"}
    stalls : bool
        Whether all streams pause at random.
    seed : int
        Of the pauses.
    netlist : bool
        Simulate the synthesized netlist instead of the source. Not there yet.
    expected : sequence of mappings of str to int64 [N, H, W, C], optional
        Codes to compare with, by tensor, of each program; default: the golden model's.
    progress : callable, optional
        See :data:`Progress`.
    workdir : path, optional
        Folder that keeps the trace, the log and the waveform. Default: a temporary one, kept only
        if the run fails.
    waves : bool
        Write a waveform into ``workdir``.
    filled : bool
        The first program of an accelerator that is loaded is there from the start.

    Raises
    ------
    RowloomError
        If the images do not suit the network, the designs are for different accelerators, or an option has an unknown
        value.
    ToolMissing
        If the simulator is not installed.
    CheckFailed
        If the accelerator does not answer within a generous number of cycles, or the simulator
        fails.
    """
    start = perf_counter()
    if netlist:
        raise RowloomError("netlist", "simulation of the synthesized netlist is not there yet", "leave it out")
    report = progress or (lambda *_: None)
    designs = [design for design, _ in programs]
    if expected is None:
        expected = [design.network.run(np.asarray(x), keep="all") for design, x in programs]
    golden = [design.with_parts(tensors) for design, tensors in zip(designs, expected, strict=True)]
    for i, design in enumerate(designs):
        if any(plan.tensor not in golden[i] for plan in design.layers):  # what the mapping puts in
            golden[i] = {**design.mapped.run(golden[i][design.network.input], keep="all"), **golden[i]}
    codes = [each[design.network.input] for design, each in zip(designs, golden, strict=True)]
    images = sum(len(each) for each in codes)
    if not all(len(each) for each in codes):
        raise RowloomError("images", "there must be at least one")

    report("build", 0, images)
    verilog, contents, ports = accelerator_verilog(designs[0], filled=filled)
    if any(design.hardware != designs[0].hardware for design in designs) or (len(designs) > 1 and not ports.load_bits):
        raise RowloomError("programs", "must be for one accelerator that is loaded", "compile the networks together")
    sources = {"accelerator.v": verilog, "bench.v": bench(ports)}
    program = build(sources, "bench", simulator=simulator, waves=waves)
    if workdir is None:
        work = Path(tempfile.mkdtemp(prefix="rowloom-sim-"))
    else:
        work = Path(workdir).resolve()
        work.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (work / name).write_text(text)
    job = _job(designs, codes, ports, work, stalls=stalls, seed=seed, filled=filled)
    _run(program, job, work, images, waves=waves, report=report)
    outcome = Outcome.load(Path(job.outcome))
    trace = read_trace(work / TRACE_FILE, ports.data_bits)
    if not outcome.finished:
        raise CheckFailed("co-simulation", _where_it_hangs(designs, trace, outcome, job), f"files are in {work}")
    report("compare", images, images)
    results = []
    for design, each in zip(designs, golden, strict=True):
        mine, given, trace, outcome = _split(design, trace, outcome, len(each[design.network.input]))
        results.append(_judge(design, mine, given, each, ports, stalls=stalls, start=start))
    if workdir is None:
        shutil.rmtree(work, ignore_errors=True)
    return results


def _split(design: "Design", trace: Trace, outcome: Outcome, images: int) -> tuple[Trace, Outcome, Trace, Outcome]:
    """What belongs to the images of the first program, and what follows."""
    events, beats = images * len(design.layers), images * design.output_beats
    return (
        replace(trace, layers=trace.layers[:events]),
        replace(outcome, outputs=outcome.outputs[:beats]),
        replace(trace, layers=trace.layers[events:]),
        replace(outcome, outputs=outcome.outputs[beats:]),
    )


def accelerator_verilog(design: "Design", *, filled: bool = False) -> tuple[str, dict[str, str], Ports]:
    """Return the accelerator of a design, with probes, as Verilog, the files it reads by their names, and its ports.

    Memories that are loaded are empty, unless ``filled``.
    """
    from rowloom.hw.accelerator import Accelerator
    from rowloom.hw.emit import verilog_and_contents

    accelerator = Accelerator(design, probe=True, filled=filled)
    ports = Ports.of(accelerator)
    return *verilog_and_contents(accelerator, "accelerator"), ports


def _job(
    designs: Sequence["Design"],
    codes: Sequence[NDArray],
    ports: Ports,
    work: Path,
    *,
    stalls: bool,
    seed: int,
    filled: bool,
) -> Job:
    """Write what the test module needs into ``work``."""
    phases, limit = [], 1000
    for i, (design, images) in enumerate(zip(designs, codes, strict=True)):
        beats = (np.asarray(images, dtype=np.int64) & ((1 << ports.input_bits) - 1)).reshape(len(images), -1)
        np.save(work / f"beats-{i}.npy", beats)
        output_beats = int(design.output_beats)
        limit += _PATIENCE * (len(images) + 1) * (design.cycles + beats.shape[1] + output_beats)
        each = len(images) * (beats.shape[1] + output_beats)
        load = ""
        if ports.load_bits and not (filled and i == 0):
            from rowloom.hw.contents import load_beats

            load = str(work / f"load-{i}.npy")
            program = np.array(load_beats(design.hardware, design.images), dtype=np.uint64)
            np.save(load, program)
            limit += _PATIENCE * len(program)
            each += len(program)
        stream, interval = "", 1
        if ports.load_bits and design.images.stream:
            from rowloom.hw.contents import stream_beats

            stream, interval = str(work / f"stream-{i}.npy"), ports.load_bits // design.hardware.weight_stream
            weights = np.array(stream_beats(design.hardware, design.images), dtype=np.uint64)
            np.save(stream, weights)
            each += len(images) * len(weights)
            limit += _PATIENCE * len(images) * len(weights) * interval
        if stalls:
            limit += _PATIENCE_A_BEAT * each
        phases.append(
            Phase(
                load=load,
                beats=str(work / f"beats-{i}.npy"),
                output_beats=output_beats,
                stream=stream,
                interval=interval,
            )
        )
    return Job(
        phases=phases,
        stalls=stalls,
        seed=seed,
        limit=limit,
        idle=_IDLE,
        outcome=str(work / "outcome.json"),
        progress=str(work / "progress"),
    )


def _run(program: Bench, job: Job, work: Path, images: int, *, waves: bool, report: Progress) -> None:
    """Run the bench, and report the images that are done while it runs."""
    for name in (job.outcome, job.progress, str(work / TRACE_FILE)):
        Path(name).unlink(missing_ok=True)
    job.save(work / "job.json")
    environment = {ENVIRONMENT: str(work / "job.json")}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            run, program, "rowloom.sim.tb_accelerator", work=work, environment=environment, seed=job.seed, waves=waves
        )
        while not wait([running], timeout=_REPORT_SECONDS).done:
            done = Path(job.progress).stat().st_size if Path(job.progress).exists() else 0
            report("simulate", done, images)
        running.result()
    report("simulate", images, images)


def _where_it_hangs(designs: Sequence["Design"], trace: Trace, outcome: Outcome, job: Job) -> str:
    design = designs[0]
    ended = [design.layers[event.layer].name for event in trace if event.layer < len(design.layers)]
    after = f"the last layer that ended is {ended[-1]}" if ended else "no layer ended"
    return (
        f"no answer within {job.limit:,} cycles: {outcome.sent:,} input beats were taken and "
        f"{len(outcome.outputs):,} came out, {after}"
    )


def _judge(
    design: "Design",
    trace: Trace,
    outcome: Outcome,
    golden: Mapping[str, NDArray],
    ports: Ports,
    *,
    stalls: bool,
    start: float,
) -> Result:
    network = design.network
    plans = design.layers
    names = [plan.name for plan in plans]
    tensors = ["" if plan.to_results else plan.tensor for plan in plans]
    comparisons, problems = compare_layers(
        trace,
        layers=names,
        tensors=tensors,
        layouts={tensor: design.layout(tensor) for tensor in (network.input, *tensors) if tensor},
        golden=golden,
        source=network.input,
        banks=ports.banks,
        bank_depth=design.hardware.bank_depth,
    )
    problems += _compare_stream(design, outcome, golden, ports, comparisons)
    problems += [f"output stream, {violation}" for violation in outcome.violations]
    if outcome.surplus:
        problems.append(f"output stream: {outcome.surplus} beats follow the last image")
    images = len(golden[network.input])
    layers = []
    predicted = _predicted(design, images, stalls=stalls)
    for at, (plan, comparison) in enumerate(zip(plans, comparisons, strict=True)):
        want = plan.cycles if predicted is None else predicted[min(images, len(comparison.cycles)) - 1][at]
        cycles = comparison.cycles[-1] if comparison.cycles else 0
        for image, measured in enumerate(comparison.cycles[:images]):
            right = plan.cycles - plan.stall <= measured if predicted is None else measured == predicted[image][at]
            if not right:
                cycles = measured
                want = plan.cycles if predicted is None else predicted[image][at]
                problems.append(f"layer {plan.name}: takes {cycles} cycles, predicted are {want}")
                break
        layers.append(
            LayerResult(
                name=plan.name,
                macs=plan.macs,
                cycles_predicted=want,
                cycles_measured=cycles,
                utilization=plan.utilization,
                compared=comparison.compared,
                mismatches=comparison.mismatches,
            )
        )
    measured = _cycles_per_image(design, outcome, layers, images)
    if design.hides_streams and not stalls and measured != design.cycles:
        problems.append(f"an image takes {measured} cycles, predicted are {design.cycles}")
    return Result(
        images=images,
        compared=sum(comparison.compared for comparison in comparisons),
        mismatches=sum(comparison.mismatches for comparison in comparisons),
        cycles_per_image=measured,
        cycles_predicted=design.cycles,
        utilization=design.utilization * design.cycles / measured,
        layers=tuple(layers),
        seconds=perf_counter() - start,
        cycles=outcome.cycles,
        cycles_per_second=outcome.cycles / outcome.seconds,
        stalls=stalls,
        problems=tuple(problems),
        first_mismatch=next((comparison.first for comparison in comparisons if comparison.first), None),
    )


def _predicted(design: "Design", images: int, *, stalls: bool) -> Sequence[Sequence[int]] | None:
    """Cycles of each layer in each image; None where pauses at random change how long layers wait for weights."""
    if design.timeline is None:
        return [[plan.cycles for plan in design.layers]] * images
    return None if stalls else design.layer_cycles(images)


def _compare_stream(
    design: "Design", outcome: Outcome, golden: Mapping[str, NDArray], ports: Ports, comparisons: Sequence[Comparison]
) -> list[str]:
    """Compare the tensors that leave, one behind the other in every image, and return what is wrong with the beats."""
    problems: list[str] = []
    leaving = [at for at, plan in enumerate(design.layers) if plan.to_results]
    start, beats = 0, design.output_beats
    for at in leaving:
        plan = design.layers[at]
        stop = start + golden[plan.tensor][0].size
        mine = [beat for i, beat in enumerate(outcome.outputs) if start <= i % beats < stop]
        problems += compare_outputs(
            mine,
            golden[plan.tensor],
            layer=plan.name,
            value_bits=ports.output_bits - 1,
            comparison=comparisons[at],
            ends=at == leaving[-1],
        )
        start = stop
    return problems


def _cycles_per_image(design: "Design", outcome: Outcome, layers: Sequence[LayerResult], images: int) -> int:
    """Between the last outputs of the last two images; a single one's from its layers."""
    if images < 2:
        return design.cycles + sum(layer.cycles_measured - layer.cycles_predicted for layer in layers)
    beats = len(outcome.outputs) // images
    ends = [cycle for _, cycle in outcome.outputs[beats - 1 :: beats]]
    return ends[-1] - ends[-2]
