"""The Verilog round an accelerator under test: it writes down what the accelerator's probes show."""

from dataclasses import dataclass
from typing import Any

__all__ = ["TRACE_FILE", "Ports", "bench"]

#: File that the bench writes into the folder in which it runs.
TRACE_FILE = "trace.hex"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Widths of an accelerator's ports.

    Parameters
    ----------
    input_bits, output_bits : int
        Bits of the payloads of the two streams; an output payload is a value and, above it, ``last``.
    banks : int
        Activation banks, each with a probe.
    address_bits, word_bits : int
        Bits of a bank's address and of its words.
    layer_bits : int
        Bits of a layer's index.
    load_bits : int
        Bits of the payload of the stream that brings program and weights, 0 where there is none.
    """

    input_bits: int
    output_bits: int
    banks: int
    address_bits: int
    word_bits: int
    layer_bits: int
    load_bits: int = 0

    @classmethod
    def of(cls, accelerator: Any) -> "Ports":
        """Read the widths from an accelerator that was built with probes."""
        from amaranth import Value  # not at the top: the test module inside the simulator needs no gates

        members = accelerator.signature.members
        return cls(
            input_bits=len(Value.cast(accelerator.input.payload)),
            output_bits=len(Value.cast(accelerator.output.payload)),
            banks=sum(name.startswith("probe_") and name.endswith("_en") for name in members),
            address_bits=len(accelerator.probe_0_addr),
            word_bits=len(accelerator.probe_0_data),
            layer_bits=len(accelerator.layer),
            load_bits=len(accelerator.load.payload) if "load" in members else 0,
        )

    @property
    def data_bits(self) -> int:
        """Bits of a trace record's last field: a word, in whole bytes."""
        return -(-self.word_bits // 8) * 8


def bench(ports: Ports, dut: str = "accelerator") -> str:
    """Return a module ``bench`` that holds the accelerator ``dut``.

    Its signals ``clk rst input_payload input_valid input_ready output_payload output_valid
    output_ready``, and those of the stream ``load`` where there is one, are for cocotb to drive and to
    read. Every event of the probes becomes one line of the file ``trace.hex``, all lines of equal
    length: a letter and hexadecimal fields,

    ====== ============ ============== ============== ====================
    letter cycle (12)   index (4)      number (8)     word (data_bits / 4)
    ====== ============ ============== ============== ====================
    w      clock edge   bank           address        the word written
    l      clock edge   layer          its cycles     0
    ====== ============ ============== ============== ====================

    so that no event costs a step of Python. Lines of one clock edge: writes by bank, then the layer.
    """
    write = '$fwrite(trace, "{}%h%h%h%h\\n", cycle, {}, {}, {});'
    pad = ports.data_bits - ports.word_bits
    probes, connections, events = [], [], []
    for bank in range(ports.banks):
        probe = f"probe_{bank}"
        probes.append(
            f"  wire {probe}_en;\n"
            f"  wire [{ports.address_bits - 1}:0] {probe}_addr;\n"
            f"  wire [{ports.word_bits - 1}:0] {probe}_data;"
        )
        connections += [f".{probe}_{port}({probe}_{port})" for port in ("en", "addr", "data")]
        address = _widen(f"{probe}_addr", 32 - ports.address_bits)
        events.append(
            f"    if ({probe}_en && !rst) " + write.format("w", f"16'd{bank}", address, _widen(f"{probe}_data", pad))
        )
    layer = write.format("l", _widen("layer", 16 - ports.layer_bits), "layer_cycles", f"{ports.data_bits}'d0")
    events.append(f"    if (layer_done && !rst) {layer}")
    for stream in ("input", "output", *(["load"] if ports.load_bits else [])):
        connections += [f".{stream}__{port}({stream}_{port})" for port in ("payload", "valid", "ready")]
    connections += [f".{port}({port})" for port in ("clk", "rst", "layer_done", "layer", "layer_cycles")]
    return _BENCH.format(
        input_high=ports.input_bits - 1,
        output_high=ports.output_bits - 1,
        layer_high=ports.layer_bits - 1,
        load=_LOAD.format(high=ports.load_bits - 1) if ports.load_bits else "",
        probes="\n".join(probes),
        dut=dut,
        connections=",\n    ".join(connections),
        events="\n".join(events),
        trace=TRACE_FILE,
    )


def _widen(signal: str, bits: int) -> str:
    return f"{{{bits}'d0, {signal}}}" if bits else signal


_LOAD = """\
  reg [{high}:0] load_payload /*verilator public_flat_rw*/ = 0;
  reg load_valid /*verilator public_flat_rw*/ = 0;
  wire load_ready /*verilator public_flat_rd*/;
"""

# Only what is marked as public can be seen from Python; all else Verilator may optimize.
_BENCH = """\
module bench;
  reg clk /*verilator public_flat_rw*/ = 0;
  reg rst /*verilator public_flat_rw*/ = 1;
  reg [{input_high}:0] input_payload /*verilator public_flat_rw*/ = 0;
  reg input_valid /*verilator public_flat_rw*/ = 0;
  wire input_ready /*verilator public_flat_rd*/;
  wire [{output_high}:0] output_payload /*verilator public_flat_rd*/;
  wire output_valid /*verilator public_flat_rd*/;
  reg output_ready /*verilator public_flat_rw*/ = 0;
{load}  wire layer_done;
  wire [{layer_high}:0] layer;
  wire [31:0] layer_cycles;
{probes}

  {dut} dut (
    {connections}
  );

  reg [47:0] cycle = 0;
  integer trace;
  initial trace = $fopen("{trace}", "w");
  always @(posedge clk) begin
    cycle <= cycle + 1;
{events}
  end
endmodule
"""
