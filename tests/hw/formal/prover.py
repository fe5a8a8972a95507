"""Yosys' SAT solver, asked whether the assertions of a component always hold."""

from pathlib import Path
from tempfile import TemporaryDirectory

from rowloom.boards.toolchain import run, yosys_command
from rowloom.hw.emit import to_rtlil

LIMIT_S = 500


def counterexample(component, *, after, steps=1, from_reset=False, platform=None, cells=None):
    """What the solver finds that breaks an assertion, as text; None if there is nothing, which is the proof.

    Parameters
    ----------
    component : Elaboratable
        Its assertions are to be proved under its assumptions, for all inputs in all cycles.
    after : int
        First cycles in which the assertions need not hold: a pipeline is being filled.
    steps : int
        Cycles after these in which they must.
    from_reset : bool
        Start in the reset state; otherwise every register may start with anything. For a pipeline
        without feedback, one step from anything is a proof for ever.
    platform : object
        For what the gates are elaborated.
    cells : str
        Verilog file with models of the primitives that the platform uses.
    """
    text = to_rtlil(component, "proof", platform)
    reset = "-set rst 0 " if " \\rst\n" in text else ""
    passes = [
        "read_rtlil proof.il",
        *([f"read_verilog -overwrite {cells}"] if cells else []),  # Yosys' own files define some cells twice
        "hierarchy -check -top proof",
        "proc -norom",  # the solver knows no memories
        "flatten",
        "chformal -lower",
        *([] if from_reset else ["setattr -unset init w:*"]),
        "opt -full",
        f"sat {reset}-set-assumes -prove-asserts -prove-skip {after} -seq {after + steps} -show-inputs",
    ]
    with TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "proof.il").write_text(text)
        (work / "proof.ys").write_text("\n".join(passes) + "\n")
        status = run(yosys_command("proof.ys"), folder=work, log=work / "log", limit_s=LIMIT_S, say=lambda line: None)
        log = (work / "log").read_text()
    if status == 0 and "SAT proof finished - no model found: SUCCESS!" in log:
        return None
    if status == 0 and "SAT proof finished - model found: FAIL!" in log:
        return log[log.index("SAT proof finished") :]
    raise AssertionError(f"the solver did not finish:\n{log[-2000:]}")
