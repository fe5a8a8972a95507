"""Random TFLite models: chains and branches of every operator, scales that make ties, zero points at the ends."""

import numpy as np

from tests.model.formats.tflite.models import Model

SAME, VALID = 0, 1
SIDES = ("filterHeight", "filterWidth")

MAPS = (
    *("conv", "grouped", "depthwise", "average", "greatest", "add", "sub", "mul", "function", "concat", "pad"),
    *("upsample", "depth_to_space", "space_to_depth", "crop", "shuffle", "split"),
)
"""Methods that turn a map into a map."""

ENDS = ("mean", "greatest_of_all", "flatten", "dense", "channels_first")
"""Methods that may come after them."""


def sliding(size, kernel, stride, dilation, padding):
    """Return how many windows there are."""
    return -(-size // stride) if padding == SAME else (size - (kernel - 1) * dilation - 1) // stride + 1


class RandomModel:
    """A model that grows at random; methods take a tensor and return another, or None where none fits."""

    def __init__(self, seed, unsigned=False):
        self.rng = np.random.default_rng(seed)
        self.model = Model()
        self.dtype = np.uint8 if unsigned else np.int8
        self.low = 0 if unsigned else -128
        self.known = {}
        """Shape, scale and zero point of every tensor that is computed."""

    # What is drawn.

    def one_of(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def chance(self, n):
        return self.rng.integers(n) == 0

    def scale(self, low=-6.0, high=0.0):
        if self.chance(4):
            return float(2.0 ** self.rng.integers(-8, 1))
        return float(np.float32(np.exp(self.rng.uniform(low, high))))

    def near(self, scale):
        """The scale, a power of two of it, or another of its magnitude."""
        factor = self.one_of(1.0, 2.0 ** self.rng.integers(-2, 3), np.exp(self.rng.uniform(-1.5, 1.5)))
        return float(np.float32(scale * factor))

    def zero_point(self):
        return int(self.one_of(-128, 127, 0, -1, *self.rng.integers(-128, 128, 2))) + self.low + 128

    def fused(self):
        return int(self.rng.choice([0, 0, 0, 1, 2, 3]))

    def tensor(self, shape, scale=None, zero_point=None):
        scale = self.scale() if scale is None else scale
        zero_point = self.zero_point() if zero_point is None else zero_point
        index = self.model.tensor(shape, scale, zero_point, self.dtype)
        self.known[index] = tuple(int(size) for size in shape), scale, zero_point
        return index

    def numbers(self, values):
        return self.model.constant(values, dtype=np.int32)

    def weights(self, shape, filters, source_scale, taps, axis=0):
        """Weights, their bias, and the scale of an output in which the sums do not all clip."""
        scales = np.exp(self.rng.uniform(-7, 0))
        if self.chance(3):
            scales = 2.0 ** np.round(np.log2(scales))
        if self.low and self.chance(2):
            scales = scales * np.exp(self.rng.uniform(-2, 2, filters))
        scales = np.atleast_1d(np.float32(scales))
        if self.low:
            normal = np.clip(np.rint(self.rng.normal(0, 40, shape)), -127, 127)
            kinds = self.rng.integers(-128, 128, shape), self.rng.choice([-127, 127], shape), normal, normal
            weights = self.model.constant(self.one_of(*kinds), scales, axis=axis)
        else:
            weights = self.model.constant(
                self.rng.integers(0, 256, shape), scales, int(self.rng.integers(256)), np.uint8
            )
        most = self.one_of(0, 10, 3000, 3600 * np.sqrt(taps), 1 << 20)
        bias_scales = np.float32(source_scale) * scales
        bias = self.model.constant(np.rint(self.rng.uniform(-most, most, filters)), bias_scales, dtype=np.int32)
        middle = source_scale * float(np.median(scales)) * 28 * np.sqrt(taps)
        kind = self.rng.integers(8)
        if kind < 2:
            middle = 2.0 ** np.round(np.log2(middle))
        elif kind == 2:
            middle = source_scale * float(np.median(scales)) * 2.0 ** self.rng.integers(8)
        else:
            middle *= np.exp(self.rng.uniform(-2, 2))
        return weights, bias, float(np.float32(middle))

    def window(self, height, width, most, dilated):
        """A kernel, stride, dilation and padding that fit, and the size of what they give; None if none was found."""
        for _ in range(20):
            r, s = (int(size) for size in self.rng.integers(1, self.one_of(4, 4, most + 1), 2))
            strides = [int(stride) for stride in self.rng.integers(1, 4, 2)]
            dilations = [int(d) for d in self.rng.integers(1, 4, 2)] if dilated and self.chance(3) else [1, 1]
            padding = int(self.rng.integers(2))
            e = sliding(height, r, strides[0], dilations[0], padding)
            f = sliding(width, s, strides[1], dilations[1], padding)
            if e > 0 and f > 0:
                options = {"padding": padding, "strideH": strides[0], "strideW": strides[1]}
                if dilated:
                    options |= {"dilationHFactor": dilations[0], "dilationWFactor": dilations[1]}
                return (r, s), options | {"fusedActivationFunction": self.fused()}, (e, f)
        return None

    # Operators.

    def conv(self, x, groups=1):
        (_, height, width, channels), scale, _ = self.known[x]
        found = self.window(height, width, 7, True)
        if found is None:
            return None
        kernel, options, size = found
        filters = groups * int(self.rng.integers(1, 5 if groups > 1 else 10))
        taps = kernel[0] * kernel[1] * channels // groups
        w, bias, target = self.weights((filters, *kernel, channels // groups), filters, scale, taps)
        y = self.tensor((1, *size, filters), target)
        return self.model.add("CONV_2D", [x, w, bias], y, "Conv2DOptions", **options)

    def grouped(self, x):
        channels = self.known[x][0][3]
        divisors = [groups for groups in range(2, channels + 1) if channels % groups == 0]
        return self.conv(x, int(self.one_of(*divisors))) if divisors else None

    def depthwise(self, x):
        (_, height, width, channels), scale, _ = self.known[x]
        found = self.window(height, width, 5, True)
        if found is None:
            return None
        kernel, options, size = found
        multiplier = int(self.one_of(1, 1, 2, 3))
        filters = channels * multiplier
        w, bias, target = self.weights((1, *kernel, filters), filters, scale, kernel[0] * kernel[1], axis=3)
        y = self.tensor((1, *size, filters), target)
        inputs = [x, w] if self.low and self.chance(4) else [x, w, bias]
        options |= {"depthMultiplier": multiplier}
        return self.model.add("DEPTHWISE_CONV_2D", inputs, y, "DepthwiseConv2DOptions", **options)

    def dense(self, x):
        shape, scale, _ = self.known[x]
        taps = shape[-1] if len(shape) == 4 and self.chance(2) else int(np.prod(shape))
        if taps > 3000:
            return None
        keeps = taps == shape[-1] and bool(self.chance(2))
        filters = int(self.rng.integers(1, 12))
        w, bias, target = self.weights((filters, taps), filters, scale, taps)
        rows = int(np.prod(shape)) // taps
        y = self.tensor((*shape[:-1], filters) if keeps else (rows, filters), target)
        inputs = [x, w, -1 if self.chance(4) else bias]
        options = {"fusedActivationFunction": self.fused(), "keepNumDims": keeps}
        return self.model.add("FULLY_CONNECTED", inputs, y, "FullyConnectedOptions", **options)

    def pool(self, x, kind):
        (_, height, width, channels), scale, zero = self.known[x]
        found = self.window(height, width, 8, False)
        if found is None:
            return None
        kernel, options, size = found
        y = self.tensor((1, *size, channels), scale, zero)
        return self.model.add(kind, [x], y, "Pool2DOptions", **options, **dict(zip(SIDES, kernel, strict=True)))

    def average(self, x):
        return self.pool(x, "AVERAGE_POOL_2D")

    def greatest(self, x):
        return self.pool(x, "MAX_POOL_2D")

    def reduce(self, x, kind):
        shape, scale, zero = self.known[x]
        axes = self.one_of([1, 2], [2, 1], [-3, -2], [1], [2])
        keeps = bool(self.chance(2))
        reduced = {axis % 4 for axis in axes}
        sizes = [1 if i in reduced else size for i, size in enumerate(shape) if keeps or i not in reduced]
        y = self.tensor(sizes, self.near(scale)) if kind == "MEAN" else self.tensor(sizes, scale, zero)
        return self.model.add(kind, [x, self.numbers(axes)], y, "ReducerOptions", keepDims=keeps)

    def mean(self, x):
        return self.reduce(x, "MEAN")

    def greatest_of_all(self, x):
        return self.reduce(x, "REDUCE_MAX")

    def binary(self, x, kind):
        shape, scale, _ = self.known[x]
        others = [y for y, (each, _, _) in self.known.items() if each == shape]
        if kind != "MUL" and self.chance(2):
            other = int(self.one_of(*others))
            other_scale = self.known[other][1]
        else:
            size = self.one_of((1,), (), shape[-1:], (1, 1, 1, *shape[-1:]))
            other_scale = self.near(scale)
            codes = self.rng.integers(self.low, self.low + 256, size)
            other = self.model.constant(codes, other_scale, self.zero_point(), self.dtype)
        target = scale * other_scale * 60 if kind == "MUL" else max(scale, other_scale)
        y = self.tensor(shape, float(np.float32(target * np.exp(self.rng.uniform(-1, 1.5)))))
        inputs = self.one_of([x, other], [other, x])
        options = f"{kind.capitalize()}Options"
        return self.model.add(kind, inputs, y, options, fusedActivationFunction=self.fused())

    def add(self, x):
        return self.binary(x, "ADD")

    def sub(self, x):
        return self.binary(x, "SUB")

    def mul(self, x):
        return self.binary(x, "MUL")

    def function(self, x):
        shape, scale, _ = self.known[x]
        kind = self.one_of(
            *("RELU", "RELU6", "RELU_N1_TO_1", "LOGISTIC", "TANH", "HARD_SWISH", "LEAKY_RELU", "QUANTIZE")
        )
        ends = {"LOGISTIC": (1 / 256, self.low), "TANH": (1 / 128, self.low + 128)}
        y = self.tensor(shape, *ends.get(kind, (self.near(scale), None)))
        options = {"alpha": float(self.one_of(0.1, 0.3, 0.01, 0.5, 1.5))} if kind == "LEAKY_RELU" else {}
        return self.model.add(kind, [x], y, "LeakyReluOptions" if options else None, **options)

    def concat(self, x):
        shape, *codes = self.known[x]
        alike = [y for y, (each, *other) in self.known.items() if each[:-1] == shape[:-1] and other == codes]
        parts = [x, *(int(self.one_of(*alike)) for _ in range(self.rng.integers(1, 4)))]
        self.rng.shuffle(parts)
        y = self.tensor((*shape[:-1], sum(self.known[part][0][-1] for part in parts)), *codes)
        return self.model.add("CONCATENATION", parts, y, "ConcatenationOptions", axis=int(self.one_of(3, -1)))

    def pad(self, x):
        shape, scale, zero = self.known[x]
        amounts = self.rng.integers(0, 3, (4, 2))
        amounts[0] = 0
        if not self.chance(4):
            amounts[3] = 0
        y = self.tensor(np.array(shape) + amounts.sum(axis=1), scale, zero)
        if amounts[3].any() or self.chance(2):
            return self.model.add("PAD", [x, self.numbers(amounts)], y, "PadOptions")
        code = self.model.constant([self.one_of(zero, self.low, 3)], scale, zero, self.dtype)
        return self.model.add("PADV2", [x, self.numbers(amounts), code], y, "PadV2Options")

    def upsample(self, x):
        (_, height, width, channels), scale, zero = self.known[x]
        factor = int(self.one_of(2, 2, 3))
        if height * width * factor**2 > 600:
            return None
        y = self.tensor((1, height * factor, width * factor, channels), scale, zero)
        inputs = [x, self.numbers([height * factor, width * factor])]
        half = bool(self.chance(2))
        return self.model.add(
            "RESIZE_NEAREST_NEIGHBOR", inputs, y, "ResizeNearestNeighborOptions", halfPixelCenters=half
        )

    def depth_to_space(self, x):
        (_, height, width, channels), scale, zero = self.known[x]
        if channels % 4:
            return None
        y = self.tensor((1, 2 * height, 2 * width, channels // 4), scale, zero)
        return self.model.add("DEPTH_TO_SPACE", [x], y, "DepthToSpaceOptions", blockSize=2)

    def space_to_depth(self, x):
        (_, height, width, channels), scale, zero = self.known[x]
        block = next((block for block in (2, 3) if height % block == width % block == 0), None)
        if block is None:
            return None
        y = self.tensor((1, height // block, width // block, channels * block**2), scale, zero)
        return self.model.add("SPACE_TO_DEPTH", [x], y, "SpaceToDepthOptions", blockSize=block)

    def crop(self, x):
        shape, scale, zero = self.known[x]
        begins = [int(self.rng.integers(0, (size + 2) // 3)) for size in shape]
        ends = [int(self.rng.integers(begin + 1, size + 1)) for begin, size in zip(begins, shape, strict=True)]
        steps = [1, *(int(self.one_of(1, 1, 2)) for _ in range(3))]
        y = self.tensor([-(-(b - a) // step) for a, b, step in zip(begins, ends, steps, strict=True)], scale, zero)
        bounds = [self.numbers(each) for each in (begins, ends, steps)]
        return self.model.add("STRIDED_SLICE", [x, *bounds], y, "StridedSliceOptions")

    def split(self, x):
        shape, scale, zero = self.known[x]
        if shape[-1] % 2:
            return None
        parts = [self.tensor((*shape[:-1], shape[-1] // 2), scale, zero) for _ in range(2)]
        self.model.add("SPLIT", [self.numbers(3), x], parts[0], "SplitOptions", numSplits=2)
        self.model.graph.operators[-1].outputs = parts
        return int(self.one_of(*parts))

    def transpose(self, x, order):
        shape, scale, zero = self.known[x]
        y = self.tensor([shape[axis] for axis in order], scale, zero)
        return self.model.add("TRANSPOSE", [x, self.numbers(order)], y, "TransposeOptions")

    def reshape(self, x, *shape):
        y = self.tensor(shape, *self.known[x][1:])
        wanted = list(shape)
        if self.chance(3):
            wanted[self.rng.integers(len(wanted))] = -1
        inputs = [x] if self.chance(3) else [x, self.numbers(wanted)]
        return self.model.add("RESHAPE", inputs, y, "ReshapeOptions", newShape=wanted)

    def shuffle(self, x):
        _, height, width, channels = self.known[x][0]
        divisors = [groups for groups in range(2, channels) if channels % groups == 0]
        if not divisors:
            return None
        groups = int(self.one_of(*divisors))
        split = self.reshape(x, 1, height, width, groups, channels // groups)
        return self.reshape(self.transpose(split, [0, 1, 2, 4, 3]), 1, height, width, channels)

    def flatten(self, x):
        return self.reshape(x, 1, int(np.prod(self.known[x][0])))

    def channels_first(self, x):
        return self.dense(self.flatten(self.transpose(x, [0, 3, 1, 2])))


def random_model(seed, *, unsigned=False, least=1):
    """Return a file's content and the names of what it is made of: ``least`` maps or more, then perhaps an end."""
    g = RandomModel(seed, unsigned)
    x = here = g.tensor((1, *g.rng.integers(1, 12, 2), int(g.rng.integers(1, 9))))
    made = []
    for _ in range(50):
        if len(made) >= least and g.chance(3):
            break
        maps = [index for index, (shape, *_) in g.known.items() if len(shape) == 4 and index != x]
        source = int(g.one_of(*maps)) if maps and g.chance(5) else here
        name = str(g.rng.choice(MAPS))
        given = getattr(g, name)(source) if len(g.known[source][0]) == 4 else None
        if given is not None:
            made.append(name)
            here = given
    if g.chance(2):
        name = str(g.rng.choice(ENDS))
        given = getattr(g, name)(here)
        if given is not None:
            made.append(name)
            here = given
    return g.model.content(x, here), made
