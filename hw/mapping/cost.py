"""What an accelerator costs in gates, estimated from its parameters."""

from dataclasses import asdict, dataclass

from rowloom.hw.contents import HEADER_BITS, memory_groups
from rowloom.hw.engine_parameters import ArrayParameters
from rowloom.hw.lane_parameters import ExtraLanes
from rowloom.hw.parameters import Hardware
from rowloom.hw.program import input_fields, layer_fields, record_words
from rowloom.hw.units.adder_spec import TABLE_BITS
from rowloom.hw.units.term_spec import multiplier_stages, value_bits

__all__ = ["BRAM_ECP5", "DSP_ECP5", "Bram", "Cost", "Dsp", "estimate", "lanes", "memories"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bram:
    """A block RAM: ``bits`` in all, at most ``width`` wide."""

    bits: int
    width: int

    def blocks(self, width: int, depth: int) -> int:
        """Blocks that a memory takes, in the best of the block's aspect ratios."""
        narrow, rows = self.width, self.bits // self.width
        best = -(-width // narrow) * -(-depth // rows)
        while narrow > 1:  # 9 bits halve to 4: parity bits are then lost
            narrow, rows = narrow // 2, rows * 2
            best = min(best, -(-width // narrow) * -(-depth // rows))
        return best


#: DP16KD of ECP5.
BRAM_ECP5 = Bram(bits=18432, width=36)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dsp:
    """A multiplier block: operands of at most ``widest`` bits, or two products of at most ``paired``.

    ``blocks`` of them are there for products, or as many as it takes.
    """

    widest: int
    paired: int
    blocks: int | None = None

    def products(self, *bits: int) -> int:
        """Products of operands so wide that a block holds; none where look-up tables do them in one cycle."""
        if max(bits) > self.widest or multiplier_stages(*bits) < 2:
            return 0
        return 2 if max(bits) <= self.paired else 1


#: MULT18X18D of ECP5.
DSP_ECP5 = Dsp(widest=17, paired=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Cells of an accelerator; on ECP5 a carry cell (two bits) counts as two LUT4."""

    lut4: int
    ff: int
    bram: int
    dsp: int

    def to_json(self) -> dict[str, int]:
        return asdict(self)


def memories(hardware: Hardware) -> dict[str, tuple[int, int, int]]:
    """Count, width and depth of every kind of memory that is large enough for block RAM."""
    words = record_words(input_fields(hardware)) + hardware.layers * record_words(layer_fields(hardware))
    found = {
        "activations": (hardware.banks, hardware.word_bits, hardware.bank_depth),
        "program": (1, 16, words),
        "thresholds": (hardware.drains, _threshold_bits(hardware, hardware), hardware.threshold_depth),
    }
    extra = hardware.extra
    if extra:
        found["thresholds of the vector path"] = (extra.count, _threshold_bits(hardware, extra), extra.threshold_depth)
    for level in range(1, 1 if hardware.line else hardware.levels):
        found[f"thresholds of bit {level}"] = (
            hardware.drains * hardware.cols,
            hardware.sum_bits,
            hardware.threshold_depth << level,
        )
        if extra:
            found[f"thresholds of bit {level} of the vector path"] = (
                extra.count * hardware.cols,
                extra.sum_bits,
                extra.threshold_depth << level,
            )
    if hardware.skips:
        found["places of words"] = (1, sum(hardware.skips.fields.values()), hardware.skips.depth)
    found |= _weight_memories(hardware)
    for path in hardware.vectors:
        found["weights of the vector path"] = (1, path.lanes * path.weight_bits, path.weight_depth)
    return {
        name: (count, width, depth)
        for name, (count, width, depth) in found.items()
        if width * depth > hardware.logic_bits
    }


def _weight_memories(hardware: Hardware) -> dict[str, tuple[int, int, int]]:
    """Those of each array by its unit, numbered where several arrays have the same."""
    found: dict[str, tuple[int, int, int]] = {}
    for array in hardware.arrays:
        same = sum(name.startswith(f"weights of {array.unit}") for name in found)
        name = f"weights of {array.unit}" + (f" {same + 1}" if same else "")
        found[name] = (array.rows, _products(hardware, array) * array.weight_bits, array.weight_depth)
    return found


def estimate(hardware: Hardware, bram: Bram = BRAM_ECP5, dsp: Dsp = DSP_ECP5) -> Cost:
    """Estimate the cost of an accelerator.

    The counts of the array follow the units' structure; those of the rest are fitted to synthesis
    runs, see ``docs/engine.md`` for the error.
    """
    hw = hardware
    streams = hw.cols * hw.group
    lut = ff = 0.0
    blocks = 1  # the row's address
    for array in hw.arrays:
        products = _products(hw, array)
        unit = _UNITS[array.unit](products, array)
        if array.unit == "multiply":
            elements, operands = array.rows * hw.cols, (value_bits(array.weights), value_bits(array.activations))
            held = dsp.products(*operands)
            wanted = elements * -(-products // held) if held else 0
            taken = wanted if dsp.blocks is None else min(wanted, dsp.blocks + 1 - blocks)
            blocks += taken
            lut += max(0, elements * products - taken * held) * _multiplier(*operands)
        lut += array.rows * hw.cols * (unit + _carry(array.sum_bits) + array.sum_bits + 1)
        ff += array.rows * hw.cols * (unit * 0.62 + 2 * array.sum_bits)
        ff += array.rows * products * array.weight_bits
        if array.planes:  # the accumulator or its double
            lut += array.rows * hw.cols * array.sum_bits
        lut += hw.cols * (hw.group**2 - 1) * array.merged * array.activation_bits
        lut += hw.drains * hw.cols * (_carry(array.sum_bits + 2) + 1)
        ff += hw.drains * hw.cols * 2 * (array.sum_bits + 2)
        if array.unit == "sign":  # the pairs' sums and differences, once a column
            lut += hw.cols * -(-products // 2) * 2 * _carry(array.activation_bits + 1)
    for path in hw.vectors:
        wide = path.activations.bits + path.weight_bits
        each = 2 * _carry(path.sum_bits) + path.sum_bits
        elements = hw.cols * path.lanes
        held = dsp.products(path.weight_bits, path.activations.bits)
        wanted = -(-elements // held) if held else 0
        taken = wanted if dsp.blocks is None else min(wanted, dsp.blocks + 1 - blocks)
        blocks += taken
        lut += max(0, elements - taken * held) * _multiplier(path.weight_bits, path.activations.bits)
        lut += elements * each
        ff += hw.cols * path.lanes * (2 * path.sum_bits + wide)
    # crossbar: a multiplexer over the banks for every bit of every stream
    lut += streams * hw.word_bits * (hw.banks - 1)
    ff += streams * hw.word_bits + hw.banks * hw.word_bits * 2
    # thresholds, the choice between the arrays, pooling, packing
    lanes_lut, lanes_ff = lanes(hw)
    lut += lanes_lut + hw.drains * hw.cols * (hw.sum_bits * (hw.engines - 2) + 2)
    ff += lanes_ff
    lut += hw.cols * hw.word_bits * ((hw.group + 1) // 2 + 1) + hw.cols * 20
    ff += hw.cols * (hw.word_bits + hw.lanes + hw.drains * (hw.sum_bits + 1))
    if hw.extra:  # their sums, and the choice which codes a packer takes
        lut += hw.cols * hw.lanes * sum(hw.code_bits)
        ff += hw.cols * hw.extra.count * hw.extra.sum_bits
    # bank writer and loader
    lut += hw.banks * hw.word_bits * max(1, hw.cols // hw.write_step) + hw.banks * 2 * hw.address_bits
    lut += (hw.input_window or hw.input_lanes) * hw.input_bits * 4 + 12 * hw.count_bits + 80
    # issue nest, retire nest, sequencer, results
    lut += 40 * hw.count_bits + 12 * hw.address_bits + streams * 14 + 26 * hw.count_bits + 140
    lut += hw.result_cols * hw.result_lanes * hw.sum_bits + 8 * hw.count_bits + 40
    if hw.load_bits:  # a register for a header or a word, and who takes it
        lut += 110
        ff += 60 + max(HEADER_BITS, *(group.width for group in memory_groups(hw)))
    if hw.skips:  # a place is added to column, row and address, and gated
        lut += 2 * sum(hw.skips.fields.values()) + hw.skips.address_bits * 4
        ff += sum(hw.skips.fields.values()) + hw.skips.address_bits
    if hw.plane_pairs:  # their loop, and steps to their words
        lut += 40 + 4 * hw.plane_pairs + 8 * hw.address_bits + 6 * hw.weight_address_bits
        ff += 20 + hw.count_bits + 2 * hw.address_bits + 2 * hw.weight_address_bits
    if hw.output_planes:  # words are held and moved on
        held = hw.lanes * max(*hw.code_bits, *(bits for bits, _ in hw.pooled), 1)
        lut += hw.cols * held * 2 + 4 * hw.address_bits
        ff += hw.cols * held + 2 * hw.address_bits
    ff += record_words(layer_fields(hw)) * 16 + record_words(input_fields(hw)) * 16
    ff += 40 * hw.count_bits + 20 * hw.address_bits + 200
    # small memories in logic
    small = _small(hw)
    lut += sum(count * width * -(-depth // 16) * 1.3 for count, width, depth in small)
    rams = sum(count * bram.blocks(width, depth) for count, width, depth in memories(hw).values())
    return Cost(lut4=round(lut), ff=round(ff), bram=rams, dsp=blocks)


def _products(hardware: Hardware, array: ArrayParameters) -> int:
    return array.lanes * (hardware.group if array.stacked else 1)


def _small(hardware: Hardware) -> list[tuple[int, int, int]]:
    large = memories(hardware)
    found = [size for name, size in _weight_memories(hardware).items() if name not in large]
    for name, count, kind in (
        ("thresholds", hardware.drains, hardware),
        ("thresholds of the vector path", hardware.code_lanes - hardware.drains, hardware.extra),
    ):
        if kind and name not in large:
            found.append((count, _threshold_bits(hardware, kind), kind.threshold_depth))
    return found


def _threshold_bits(hardware: Hardware, kind: Hardware | ExtraLanes) -> int:
    """Bits of a filter's first word in post-processing lanes of a kind."""
    if kind.line is None:
        return kind.sum_bits + 1
    return sum(kind.line.fields(sum_bits=kind.sum_bits, levels=hardware.levels).values())


def lanes(hw: Hardware) -> tuple[int, int]:
    """LUT4 and flip-flops of the lanes that find codes."""
    lut, ff = _lanes(hw, hw, hw.drains)
    if hw.extra:
        more_lut, more_ff = _lanes(hw, hw.extra, hw.extra.count)
        lut, ff = lut + more_lut, ff + more_ff
    return lut, ff


def _lanes(hw: Hardware, kind: Hardware | ExtraLanes, count: int) -> tuple[int, int]:
    """Of ``count`` lanes a column of one kind."""
    line, columns, sum_bits = kind.line, count * hw.cols, kind.sum_bits
    if line is None:
        lut = columns * _carry(sum_bits) * hw.levels
        address_bits = max(1, (kind.threshold_depth - 1).bit_length())
        return lut, columns * 3 * (hw.levels - 1) * (2 * sum_bits + address_bits)
    # a stage adds or subtracts all bits of the remainder from its own place on: two LUT4 each
    remainders = sum(line.remainder_bits - i for i in range(hw.levels - 1))
    turn = line.remainder_bits + line.fraction if line.bent else 0
    if line.mends:  # two bits a comparison, the nudge added
        turn += line.mends * (sum_bits * 2 // 3 + line.nudge_bits) + _carry(line.kept_bits + 1)
    turn += line.late * (line.remainder_bits // 3 + 2)
    lut = columns * (sum_bits + 2 * remainders + turn + 4)
    stages = hw.levels + line.turns
    ff = columns * (sum_bits * stages + remainders + line.turns * line.remainder_bits + line.nudge_bits)
    ff += columns * line.late * line.remainder_bits
    shared = line.step_bits * stages + hw.levels * (hw.levels + 1) // 2 + line.fraction
    return lut, ff + count * (shared + line.bent * 2 * line.remainder_bits)


def _carry(bits: int) -> int:
    """LUT4 of an adder; short ones are built without carry cells."""
    return -(-bits // 2) * 2


def _tree(terms: int, bits: int) -> int:
    """LUT4 of an adder tree."""
    total = 0
    while terms > 1:
        bits += 1
        total += terms // 2 * (6 if bits <= 4 else _carry(bits))
        terms = -(-terms // 2)
    return total


def _xnor(products: int, array: ArrayParameters) -> int:
    return -(-products // 4) * 7 + _tree(-(-products // 4), 3)


def _sign(products: int, array: ArrayParameters) -> int:
    pairs = -(-products // 2)
    return pairs * (array.activation_bits + 2) + _tree(pairs, array.activation_bits + 2)


def _terms(products: int, array: ArrayParameters) -> int:
    """Terms of the unit's own kind, and the tree that adds them."""
    low, high = array.spec.word_range(1)
    width = max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + (low < 0)
    both = array.weight_bits + array.activation_bits
    term = {
        "ternary": width,
        "quinary": 2 * width,
        "shift": 3 * width,
        "lut": width * max(1, 1 << max(0, both - 4)),
        "multiply": 0,  # counted apart, in DSP blocks or not
    }[array.unit]
    return round(products * term) + _tree(products, width)


def _adder(products: int, array: ArrayParameters) -> int:
    """A table, or a subtraction, its complement and the carry; and the tree."""
    top = array.spec.word_range(1)[1]
    codes = array.weight_bits + array.activation_bits
    if codes <= TABLE_BITS:
        width = top.bit_length()
        return round(products * width * (1 if codes <= 4 else 1.5)) + _tree(products, width)
    width = top.bit_length() - 1
    return products * (_carry(width + 1) + width + 2) + _tree(products, width)


def _multiplier(*bits: int) -> int:
    """A product in fabric: rows of two bits, or a table."""
    narrow, wide = sorted(bits)
    if narrow + wide <= 4:
        return narrow + wide
    rows = -(-narrow // 2)
    return rows * (2 * wide + _carry(wide + 1)) + sum(_carry(wide + 2) for _ in range(rows - 1))


def _bitplane(products: int, array: ArrayParameters) -> int:
    planes = array.weight_bits * array.activation_bits
    count = _xnor(products, array)
    return planes * count + _tree(planes, products.bit_length() + array.weight_bits)


_UNITS = {
    "adder": _adder,
    "bitplane": _bitplane,
    "xnor": _xnor,
    "sign": _sign,
    "ternary": _terms,
    "quinary": _terms,
    "shift": _terms,
    "lut": _terms,
    "multiply": _terms,
}
