"""Networks for the accelerator: chosen ones, and random ones with an array to run them on."""

from dataclasses import dataclass

import numpy as np

from rowloom.hw import ArrayConfig
from rowloom.model.encodings import Binary, Encoding, Uniform
from rowloom.model.layers import ArgMax, Conv2d, Layer, Linear, MaxPool2d
from rowloom.model.network import Network, Tensor
from rowloom.model.operation import Operation
from rowloom.model.post import Requantize, Thresholds

BINARY = Binary()
BYTES = Uniform(bits=8, signed=False)
SUMS = Uniform(bits=32, signed=True)


@dataclass(frozen=True, kw_only=True)
class Conv:
    """A convolution to be made: ``padding`` is top, bottom, left, right; it gives ``codes`` unless it is told sums.

    ``post`` is "scattered" thresholds, thresholds on a "line", all but two a filter on a line and those a sum "beside"
    it, thresholds a power of two apart where halves are rounded to "even", or "requantize" with a zero point at the
    least code, or "requantize-middle" with one between the least and the greatest.
    """

    filters: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    pad_value: int | None = None
    operation: Operation = Operation.MULTIPLY
    bias: bool = False
    weights: Encoding = BINARY
    codes: Encoding = BINARY
    post: str = "scattered"


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A linear layer to be made."""

    filters: int
    operation: Operation = Operation.MULTIPLY
    bias: bool = False
    weights: Encoding = BINARY
    codes: Encoding = BINARY
    post: str = "scattered"


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A max pool to be made."""

    kernel: tuple[int, int] = (2, 2)
    stride: tuple[int, int] = (2, 2)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network, an array, and images [N, H, W, C] to run."""

    network: Network
    config: ArrayConfig
    images: np.ndarray


def random_codes(rng, encoding: Encoding, shape) -> np.ndarray:
    """Codes of an encoding: an image of all least and one of all greatest codes come first, where there are several."""
    codes = rng.integers(encoding.code_min, encoding.code_max + 1, shape)
    if len(codes) > 2:
        codes[0], codes[1] = encoding.code_min, encoding.code_max
    return codes


def make_network(specs, *, shape, encoding=BYTES, raw=True, argmax=False, seed=0) -> Network:
    """A network of random weights whose thresholds lie where its sums do.

    A threshold is a sum that a few random images reach, so that a comparison that is off by one shows,
    and the codes of every channel are neither all equal nor depend on the sum's sign alone. ``raw``
    lets the last layer give its sums.
    """
    rng = np.random.default_rng(seed)
    tensors = [Tensor(name="input", shape=shape, encoding=encoding)]
    layers: list[Layer] = []
    samples = rng.integers(encoding.code_min, encoding.code_max + 1, (6, *shape))
    for i, spec in enumerate(specs):
        source, name = tensors[-1], f"{type(spec).__name__.lower()}{i}"
        if isinstance(spec, Pool):
            layer = MaxPool2d(
                name=name, input=source.name, output=name,
                kernel=spec.kernel, stride=spec.stride, padding=spec.padding,
            )  # fmt: skip
            tensors.append(Tensor(name=name, shape=layer.output_shape(source.shape), encoding=source.encoding))
            layers.append(layer)
            continue
        sums = _weighted(rng, spec, name, source, None)
        shape = sums.output_shape(source.shape)
        tensor = Tensor(name=name, shape=shape, encoding=SUMS)
        if i + 1 < len(specs) or not raw:
            trial = Network(
                name="trial", tensors=(*tensors, tensor), layers=(*layers, sums), input="input", outputs=(name,)
            )
            reached = trial.run(samples, keep="all")[name].reshape(-1, shape[2])
            sums = _weighted(rng, spec, name, source, _post(rng, reached, spec), sums.weights, sums.bias)
            tensor = Tensor(name=name, shape=shape, encoding=spec.codes)
        tensors.append(tensor)
        layers.append(sums)
    if argmax:
        layers.append(ArgMax(name="argmax", input=tensors[-1].name, output="argmax"))
        tensors.append(Tensor(name="argmax", shape=(1, 1, 1), encoding=BYTES))
    return Network(
        name="random", tensors=tuple(tensors), layers=tuple(layers), input="input", outputs=(tensors[-1].name,)
    )


def _weighted(rng, spec, name, source, post, weights=None, bias=None):
    if weights is None:
        kernel = spec.kernel if isinstance(spec, Conv) else source.shape[:2]
        low, high = spec.weights.code_min, spec.weights.code_max
        weights = rng.integers(low, high + 1, (spec.filters, *kernel, source.shape[2]))
        bias = rng.integers(-9, 10, spec.filters) if spec.bias else None
    given = {
        "name": name, "input": source.name, "output": name, "weights": weights, "weight_encoding": spec.weights,
        "bias": bias, "post": post, "operation": spec.operation,
    }  # fmt: skip
    if isinstance(spec, Dense):
        return Linear(**given)
    return Conv2d(**given, stride=spec.stride, padding=spec.padding, dilation=spec.dilation, pad_value=spec.pad_value)


def _post(rng, reached, spec):
    """What turns the sums [samples, M] into codes, most of which some sum reaches."""
    if spec.post == "scattered":
        return _thresholds(rng, reached, spec.codes)
    least, greatest = reached.min(axis=0), reached.max(axis=0)
    levels = spec.codes.code_max - spec.codes.code_min
    step = np.maximum(greatest - least, 1) / levels * rng.uniform(0.7, 1.1, len(least))
    if spec.post in ("line", "beside"):
        direction = rng.choice([-1, 1], len(least)).astype(np.int8)
        first = np.where(direction > 0, least, -greatest) + step * rng.uniform(0.3, 2, len(least))
        values = np.ceil(first[:, None] + step[:, None] * np.arange(levels)).astype(np.int64)
        for line in values if spec.post == "beside" else ():
            line[rng.permutation(levels)[:2]] += rng.choice([-1, 1])
            line.sort()
        return Thresholds(values=values, direction=direction)
    if spec.post == "even":
        step = 2 ** np.maximum(1, np.round(np.log2(step))).astype(np.int64)
        place = np.arange(1, levels + 1)
        values = ((least + greatest) // 2)[:, None] + (place - levels // 2) * step[:, None] + place % 2
        return Thresholds(values=values, direction=np.ones(len(least), np.int8))
    if spec.post == "requantize":  # only rising sums show: as behind a ReLU
        zero_point, step = spec.codes.code_min, step / 2
    else:
        zero_point = int(spec.codes.code_min + levels * rng.uniform(0.3, 0.7))
    mantissa, exponent = np.frexp(1 / step)
    multiplier = np.minimum((mantissa * (1 << 31)).astype(np.int64), (1 << 31) - 1)
    return Requantize(multiplier=multiplier, shift=exponent.astype(np.int64), output_zero_point=zero_point)


def _thresholds(rng, reached, codes):
    """Thresholds that some of the sums [samples, M] reach and some do not, save for a channel here and there."""
    levels = codes.code_max - codes.code_min
    direction = rng.choice([-1, 1], reached.shape[1]).astype(np.int8)
    ranked = np.sort(reached * direction, axis=0)
    margin = 4 if levels == 1 else 16
    at = rng.integers(len(ranked) // margin, len(ranked) * (margin - 1) // margin + 1, (levels, reached.shape[1]))
    values = np.take_along_axis(ranked, np.sort(at, axis=0).clip(max=len(ranked) - 1), 0).T.copy()
    for m in np.flatnonzero(rng.random(len(values)) < 0.05):
        values[m] = rng.choice([-(1 << 20), 1 << 20])
    return Thresholds(values=values, direction=direction)


def random_case(seed: int, *, most_layers: int = 4, most_side: int = 14, images: int = 3) -> Case:
    """The case of that seed. It may be one that an accelerator refuses."""
    rng = np.random.default_rng(seed)
    height, width = (int(rng.choice([1, 2, 3, *range(4, most_side)])) for _ in range(2))
    if rng.random() < 0.15:
        height, width = int(rng.integers(1, 4)), int(rng.integers(16, 40))
    channels = int(rng.choice([1, 1, 2, 3, 5, 9]))
    encodings = [BYTES, BYTES, Binary(), Uniform(bits=int(rng.integers(1, 9)), signed=False)]
    encoding = encodings[rng.integers(len(encodings))]
    specs = []
    side = (height, width)
    for _ in range(int(rng.integers(1, most_layers + 1))):
        spec, side = _random_conv(rng, side)
        specs.append(spec)
        if rng.random() < 0.4 and min(side) >= 2:
            spec, side = _random_pool(rng, side)
            specs.append(spec)
    if encoding == Binary() and min(height, width) >= 6 and rng.random() < 0.2:
        specs = [Pool(), *[Conv(filters=int(rng.integers(1, 20)), kernel=(1, 1)) for _ in range(2)]]
    if rng.random() < 0.5 or isinstance(specs[-1], Pool):
        specs.append(Dense(filters=int(rng.integers(1, 14)), bias=bool(rng.random() < 0.5)))
    dense = isinstance(specs[-1], Dense)
    raw = bool(rng.random() < 0.8)
    argmax = dense and bool(rng.random() < 0.4)
    network = make_network(specs, shape=(height, width, channels), encoding=encoding, raw=raw, argmax=argmax, seed=seed)
    rows = int(rng.choice([1, 2, 3, 4, 5, 6, 8, 9, 12, 16]))
    config = ArrayConfig(
        rows=rows,
        cols=int(rng.integers(1, 8)),
        lanes=int(rng.choice([1, 2, 3, 4, 5, 7, 8, 13, 16, 24, 32, 48])),
        prefetch=bool(rng.random() < 0.7),
        group=int(rng.integers(1, rows + 1)) if rng.random() < 0.5 else 0,
        input_lanes=int(rng.integers(1, 13)) if rng.random() < 0.5 else 0,
    )
    return Case(network=network, config=config, images=random_codes(rng, encoding, (images, height, width, channels)))


def _random_conv(rng, side):
    """A convolution, and the side of its output."""
    kernel, stride, dilation, padding, out = [], [], [], [], []
    wide = rng.random() < 0.15
    for length in side:
        taps = int(rng.choice([7, 11])) if wide else int(rng.choice([1, 1, 2, 3, 3, 3, 4, 5]))
        spread = int(rng.choice([1, 1, 1, 1, 2, 3]))
        step = int(rng.choice([1, 1, 1, 2, 3]))
        reach = spread * (taps - 1)
        pads = [int(rng.integers(0, reach + 1)) for _ in range(2)]
        while length + sum(pads) <= reach:
            taps, spread, reach, pads = 1, 1, 0, [0, 0]
        kernel.append(taps)
        dilation.append(spread)
        stride.append(step)
        padding += pads
        out.append((length + sum(pads) - reach - 1) // step + 1)
    filters = int(rng.choice([1, 2, 3, *rng.integers(1, 40, 6)]))
    spec = Conv(
        filters=filters,
        kernel=tuple(kernel),
        stride=tuple(stride),
        dilation=tuple(dilation),
        padding=tuple(padding),
        bias=bool(rng.random() < 0.3),
    )
    return spec, tuple(out)


def _random_pool(rng, side):
    """A max pool, and the side of its output."""
    kernel = tuple(int(rng.integers(1, min(4, length) + 1)) for length in side)
    stride = tuple(int(rng.integers(1, 4)) for _ in side)
    pads = [int(rng.integers(0, k)) if rng.random() < 0.3 else 0 for k in kernel for _ in range(2)]
    out = tuple((side[i] + pads[2 * i] + pads[2 * i + 1] - kernel[i]) // stride[i] + 1 for i in range(2))
    return Pool(kernel=kernel, stride=stride, padding=tuple(pads)), out


def constant_layers(case: Case) -> list[str]:
    """Layers whose output is the same everywhere in all images: they show little."""
    kept = case.network.run(case.images, keep="all")
    return [layer.name for layer in case.network.layers if kept[layer.output].min() == kept[layer.output].max()]


def features(case: Case, design) -> set[str]:
    """What of the engine a case uses."""
    found = set()
    for plan, layer in zip(design.layers, case.network.layers, strict=False):
        fold = plan.fold
        source = design.layout(layer.input)
        found.add(f"unit {plan.unit}")
        found |= {name for name, used in {
            "several strips": fold.strips > 1,
            "several blocks": fold.blocks > 1,
            "several chunks": fold.chunks > 1,
            "several words": source.words > 1,
            "rows summed in the chain": fold.rows_summed > 1,
            "several sums a chain": fold.groups > 1,
            "idle cycles": fold.bubbles > 0,
            "packed windows": source.packed,
            "wide input in plain words": plan.unit == "sign" and not source.packed,
            "padding": any(getattr(layer, "padding", ())) and plan.unit != "pool",
            "padded pool": plan.unit == "pool" and any(layer.padding),
            "stride": max(getattr(layer, "stride", (1,))) > 1 and plan.unit != "pool",
            "dilation": max(getattr(layer, "dilation", (1,))) > 1,
            "rows folded in time and space": fold.chunks > 1 and fold.chunk_rows > 1,
            "raw sums": plan.to_results and layer.post is None,
            "codes out": plan.to_results and layer.post is not None,
            "large map out": plan.to_results and design.output_beats > 20,
        }.items() if used}  # fmt: skip
    found |= {name for name, used in {
        "argmax": case.network.layers[-1].op == "argmax",
        "half bit": any(array.half for array in design.hardware.arrays),
        "two arrays": len(design.hardware.arrays) == 2,
        "no prefetch": not case.config.prefetch,
        "several chains": case.config.drains > 1,
        "binary input": design.input_bits == 1,
        "one row": case.config.rows == 1,
        "many columns": case.config.cols > 4,
    }.items() if used}  # fmt: skip
    return found
