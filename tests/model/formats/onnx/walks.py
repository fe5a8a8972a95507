"""Random QONNX graphs: every node that is supported, in every form, as tools of all kinds put them together."""

import numpy as np
from onnx import TensorProto

from tests.model.formats.graphs import Graph

ROUNDINGS = ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN"]
OPSETS = [9, 10, 11, 12, 13, 14, 16, 17, 18, 20]


class Walk:
    """A graph that grows at random from its input.

    ``exact`` tells whether every number is a multiple of a power of two, so that float32 rounds nothing; ``spread`` is
    about the deviation of what ``x`` holds, from which scales follow.
    """

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.opset = self.pick(OPSETS)
        self.version = self.pick([1, 2])  # of the domain of quantizers
        self.exact = self.odds(0.8)
        self.layout = self.pick(["NCHW"] * 6 + ["NCW", "NC", "NHWC"])
        c, h, w = self.int(1, 6), self.int(4, 10), self.int(4, 10)
        shape = {"NCHW": (c, h, w), "NHWC": (h, w, c), "NCW": (c, h), "NC": (self.int(2, 24),)}[self.layout]
        self.shape = shape
        self.g = Graph((1, *shape), opset=self.opset)
        self.x, self.spread, self.codes = "x", 1.0, False
        self.outputs, self.kinds = [], {}
        self.turned = False
        self.grow()

    # Choices.

    def odds(self, p):
        return bool(self.rng.random() < p)

    def pick(self, items):
        return items[int(self.rng.integers(len(items)))]

    def int(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def power(self, near):
        return float(2.0 ** (round(np.log2(max(near, 1e-6))) + self.int(-1, 1)))

    def scale(self, near):
        return self.power(near) if self.exact else float(np.float32(near * self.rng.uniform(0.5, 2)))

    def number(self, near):
        """A number that is a multiple of a power of two, or any."""
        if self.exact:
            return float(self.int(-4, 4) * self.power(near) / 4)
        return float(self.rng.normal() * near)

    def like_channels(self, values):
        """Numbers by channel as a constant broadcasts against x, in one of the shapes that files have."""
        values = np.asarray(values, np.float64)
        if self.layout in ("NC", "NHWC"):
            return values if self.odds(0.5) else values.reshape(*([1] * len(self.shape)), -1)
        tail = (1,) * (len(self.shape) - 1)
        return values.reshape(-1, *tail) if self.odds(0.5) else values.reshape(1, -1, *tail)

    @property
    def channels(self):
        return self.shape[-1] if self.layout in ("NC", "NHWC") else self.shape[0]

    def constant(self, values, dtype=np.float32):
        """A constant as an initializer, or from a node."""
        if self.odds(0.8):
            return self.g.constant(values, dtype)
        from onnx import numpy_helper

        return self.g.add("Constant", value=numpy_helper.from_array(np.asarray(values, dtype)))

    # Quantizers.

    def quantize(self, x=None, spread=None, bits=None, plain=False):
        """One on x, or on constants."""
        alone = x is None
        x, spread = (self.x, self.spread) if alone else (x, spread)
        bits = bits or self.pick([1, 2, 3, 4, 4, 5, 6, 8, 8, 8])
        if alone and x == "x" and self.exact and self.odds(0.03):
            bits = 16
        kind = (
            "Quant"
            if plain
            else self.pick(["Quant"] * 6 + ["IntQuant", "BipolarQuant", "MultiThreshold", "FloatQuant"])
        )
        if alone and x != "x" and self.odds(0.05):
            self.x, self.spread, self.codes = self.g.add("Sign", x), 1.0, True
            return self.x
        if kind == "BipolarQuant":
            scale = self.scale(spread)
            y = self.g.bipolar(x, scale)
            result = y, scale
        elif kind == "MultiThreshold" and alone and (self.layout != "NHWC" or self.odds(0.7)):
            result = self.multi_threshold(bits=min(bits, 5)), spread
        elif kind == "FloatQuant":
            scale, most = self.scale(spread / 2), 2.0 ** self.int(0, 3)
            options = {"has_inf": 0, "has_nan": 0, "has_subnormal": 0, "saturation": 1}
            rounding = self.pick(["ROUND", "FLOOR", "CEIL"])
            y = self.g.add(
                *("FloatQuant", x, scale, 3.0, 0.0, 3.0, most), domain=self.g.domain, rounding_mode=rounding, **options
            )
            result = y, spread
        else:
            signed = int(self.odds(0.6))
            levels = max(2 ** (bits - signed) - 1, 1)
            scale = self.scale(2 * spread / levels)
            zero = self.int(-3, 2 ** (bits - signed) // 2) if self.odds(0.2) and bits > 1 else 0
            if alone and self.odds(0.2) and self.channels > 1:
                scale = self.like_channels([self.scale(scale) for _ in range(self.channels)])
                if scale.ndim == 1 and self.layout == "NC":
                    scale = scale.reshape(1, -1)
            elif alone and self.odds(0.3):
                scale = np.array(scale).reshape([1] * self.int(1, len(self.shape) + 1))
            narrow = int(self.odds(0.3) and bits > 1)
            y = self.g.quant(
                *(x, scale, zero, bits),
                signed=signed,
                narrow=narrow,
                rounding=self.pick(ROUNDINGS),
                kind=kind if kind == "IntQuant" else "Quant",
            )
            result = y, spread
        if alone:
            self.x, self.spread, self.codes = result[0], spread, True
        return result[0]

    def multi_threshold(self, bits):
        levels = 2**bits - 1 - (self.int(0, 1) if bits > 1 else 0)
        rows = self.channels if self.odds(0.5) else 1
        if self.layout == "NCW":
            return self.g.bipolar(self.x, self.scale(self.spread))
        steps = self.rng.normal(size=(rows, levels)) * self.spread
        steps = np.round(steps / self.spread * 16) / 16 * self.power(self.spread)
        options = {"out_dtype": f"UINT{bits}"}
        if self.odds(0.3):
            options = {"out_dtype": f"INT{bits}", "out_bias": -float(2 ** (bits - 1))}
        if self.odds(0.3):
            options |= {"out_scale": 0.5}
            options["out_bias"] = options.get("out_bias", 0) / 2
        if bits == 1 and self.odds(0.5):
            options = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}
        if self.layout in ("NHWC", "NCHW", "NC"):
            options["data_layout"] = self.layout
        if self.layout == "NCHW" and self.odds(0.5):
            del options["data_layout"]
        return self.g.add("MultiThreshold", self.x, np.sort(steps, axis=1), domain=self.g.domain, **options)

    def trunc(self):
        """Version 1 on an average times its window, as Brevitas writes it."""
        bits = self.int(2, 6)
        scale, more = self.power(self.spread / 2 ** (bits + 1)), self.int(0, 3)
        numbers, options = (scale, 0.0, float(bits + more), float(bits)), {}
        if self.version == 2:
            numbers = (scale, 0.0, float(bits + more), scale * 2.0**more, float(bits))
            options = {"signed": int(self.odds(0.5)), "narrow": int(self.odds(0.5))}
        rounding = self.pick(["FLOOR", "ROUND", "CEIL", "HALF_UP", "DOWN"])
        self.x = self.g.add("Trunc", self.x, *numbers, domain=self.g.domain, rounding_mode=rounding, **options)
        self.codes = True

    def weights(self, shape, taps, filters=0):
        """Quantized floats, or integers; the axis of the filters may have scales of its own."""
        bits, kind = self.pick([1, 2, 2, 3, 4, 4, 8]), self.rng.random()
        spread = self.power(1 / np.sqrt(taps))
        data = (np.round(self.rng.normal(size=shape) * 32) / 32 * spread).astype(np.float32)
        if kind < 0.1:
            integers = self.rng.integers(-4, 4, shape, endpoint=True)
            self.spread *= 3 * np.sqrt(taps)
            return self.constant(integers)
        self.spread *= spread * np.sqrt(taps)
        if kind < 0.25:
            return self.g.bipolar(self.constant(data), self.scale(spread))
        scale = self.scale(2 * spread / 2 ** (bits - 1))
        if kind < 0.5 and shape[filters] > 1:
            scale = np.array([self.scale(scale) for _ in range(shape[filters])])
            scale = scale.reshape([-1 if axis == filters else 1 for axis in range(len(shape))])
        options = {"signed": int(self.odds(0.85)), "narrow": int(self.odds(0.5) and bits > 1)}
        zero = self.int(-2, 2) if self.odds(0.1) and bits > 1 else 0
        return self.g.quant(self.constant(data), scale, zero, bits, rounding=self.pick(ROUNDINGS), **options)

    # Chains of functions of single numbers.

    def chain(self):
        for _ in range(self.pick([0, 0, 1, 1, 2, 3])):
            getattr(self, self.pick(["norm", "norm", "constant_node", "relu", "leaky", "clip", "idle", "negate"]))()

    def norm(self):
        m = self.channels
        if self.layout == "NHWC":
            return
        if self.exact:
            gamma = self.rng.choice([-2, -1, -0.5, 0, 0.5, 1, 1, 2], m)
            beta, mean = self.rng.integers(-8, 9, m) / 4 * self.power(1), self.rng.integers(-8, 9, m) / 4
            mean, variance, epsilon = mean * self.power(self.spread), self.rng.choice([0.25, 1, 4], m), 0.0
        else:
            gamma, beta, mean = self.rng.normal(size=m), self.rng.normal(size=m), self.rng.normal(size=m)
            variance, epsilon = self.rng.uniform(0.5, 2, m), 1e-5
        self.x = self.g.add("BatchNormalization", self.x, gamma, beta, mean, variance, epsilon=epsilon)
        self.spread, self.codes = self.spread + 0.5, False

    def constant_node(self):
        kind = self.pick(["Add", "Sub", "Mul", "Div"])
        by = self.odds(0.4) and self.channels > 1
        count = self.channels if by else 1
        if kind in ("Add", "Sub"):
            values = [self.number(self.spread) for _ in range(count)]
        else:
            signs = [1, 1, 1, -1] if self.x != "x" or not by else [1]
            values = [self.scale(1.0) * self.pick(signs) for _ in range(count)]
            if by and kind == "Mul" and self.odds(0.2):
                values[0] = 0.0  # as a batch norm leaves it whose gamma is 0
        value = self.constant(self.like_channels(values) if by else np.array(values[0]).reshape([1] * self.int(0, 1)))
        swap = kind in ("Add", "Sub", "Mul") and self.odds(0.4)
        self.x = self.g.add(kind, *((value, self.x) if swap else (self.x, value)))
        self.codes = False

    def relu(self):
        self.x, self.codes = self.g.add("Relu", self.x), False

    def negate(self):
        self.x, self.codes = self.g.add("Neg", self.x), False

    def leaky(self):
        alpha = 2.0 ** -self.int(1, 4) if self.exact else 0.1
        if self.odds(0.3):
            slope = self.like_channels([alpha] * self.channels)
            self.x = self.g.add("PRelu", self.x, slope if self.layout != "NCW" else slope.reshape(-1, 1))
        else:
            self.x = self.g.add("LeakyRelu", self.x, alpha=alpha)
        self.codes = False

    def clip(self):
        low, high = -abs(self.number(self.spread)), abs(self.number(self.spread)) + self.power(self.spread)
        if self.opset < 11:
            self.x = self.g.add("Clip", self.x, min=low, max=high)
        else:
            self.x = self.g.add("Clip", self.x, self.constant(low), *([self.constant(high)] if self.odds(0.7) else []))
        self.codes = False

    def idle(self):
        kind = self.pick(["Identity", "Dropout", "Cast"])
        self.x = self.g.add(kind, self.x, **({"to": 1} if kind == "Cast" else {}))

    # Layers.

    def window(self, size, spatial, conv=True):
        """Kernel, strides, pads and the like of a window over maps of ``size``."""
        kernel = [self.int(1, min(4, each)) for each in size]
        options = {"kernel_shape": kernel}
        if self.odds(0.5):
            options["strides"] = [self.int(1, 3) for _ in range(spatial)]
        dilations = [1] * spatial
        if conv and self.odds(0.25):
            dilations = [self.int(1, 2) for _ in range(spatial)]
            options["dilations"] = dilations
        reach = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
        how = self.rng.random()
        if how < 0.5:
            options["pads"] = [
                self.int(0, r if conv else k - 1) for _ in range(2) for r, k in zip(reach, kernel, strict=True)
            ]
        elif how < 0.65 and dilations == [1] * spatial:
            options["auto_pad"] = self.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
        pads = options.get("pads", [0] * 2 * spatial)
        if any(s + pads[i] + pads[i + spatial] <= r for i, (s, r) in enumerate(zip(size, reach, strict=True))):
            return self.window(size, spatial, conv)
        strides = options.get("strides", [1] * spatial)
        if options.get("auto_pad", "VALID") != "VALID":
            out = [-(-s // u) for s, u in zip(size, strides, strict=True)]
        else:
            out = [
                (s + pads[i] + pads[i + spatial] - r - 1) // u + 1
                for i, (s, r, u) in enumerate(zip(size, reach, strides, strict=True))
            ]
        return options, kernel, out

    def conv(self):
        spatial = len(self.shape) - 1
        options, kernel, out = self.window(self.shape[1:], spatial)
        c = self.shape[0]
        groups = self.pick([d for d in range(1, c + 1) if c % d == 0]) if self.odds(0.3) else 1
        m = groups * self.int(1, max(1, 6 // groups))
        if groups > 1 or self.odds(0.2):
            options["group"] = groups
        taps = int(np.prod(kernel)) * c // groups
        w = self.weights((m, c // groups, *kernel), taps)
        bias = [self.constant([self.number(self.spread) for _ in range(m)])] if self.odds(0.4) else []
        if self.odds(0.3):
            del options["kernel_shape"]
        self.x = self.g.add("Conv", self.x, w, *bias, **options)
        self.shape, self.codes = (m, *out), False

    def dense(self):
        k, m = self.shape[-1], self.int(1, 12)
        if self.layout == "NC" and self.odds(0.5):
            transposed = int(self.odds(0.5))
            w = self.weights((m, k) if transposed else (k, m), k, filters=1 - transposed)
            bias = [self.constant([self.number(self.spread) for _ in range(m)])]
            options = {"transB": transposed} if transposed or self.odds(0.5) else {}
            if self.odds(0.2):
                options["beta"] = 0.5
            if self.odds(0.2):
                options["alpha"] = self.pick([0.5, 2.0, -1.0])
            self.x = self.g.add("Gemm", self.x, w, *bias, **options)
        else:
            if self.odds(0.4):
                w = self.g.add("Transpose", self.weights((m, k), k), perm=[1, 0])
            else:
                w = self.weights((k, m), k, filters=1)
            self.x = self.g.add("MatMul", self.x, w)
        self.shape, self.codes = (*self.shape[:-1], m), False

    def max_pool(self):
        spatial = len(self.shape) - 1
        options, _, _ = self.window(self.shape[1:], spatial, conv=False)
        if self.opset >= 10 and self.odds(0.3) and self.whole(options):
            options["ceil_mode"] = 1
        if self.opset >= 10 and self.odds(0.15):
            options["dilations"] = [self.int(1, 2) if k == 1 else 1 for k in options["kernel_shape"]]
        self.pooled("MaxPool", options)

    def whole(self, options):
        """Whether onnx and onnxruntime agree on the shape that ceil_mode gives: no window begins outside."""
        strides = options.get("strides", [1] * len(options["kernel_shape"]))
        return "pads" not in options and all(s <= k for s, k in zip(strides, options["kernel_shape"], strict=True))

    def average_pool(self):
        spatial = len(self.shape) - 1
        options, kernel, _ = self.window(self.shape[1:], spatial, conv=False)
        if "auto_pad" in options:
            del options["auto_pad"]
        if self.odds(0.4):
            options["count_include_pad"] = 1
        if self.opset >= 10 and self.odds(0.3) and self.whole(options):
            options["ceil_mode"] = 1
        if any(k not in (1, 2, 4) for k in kernel) or ("pads" in options and not options.get("count_include_pad")):
            self.exact = False
        self.pooled("AveragePool", options)
        if options.get("ceil_mode"):
            self.exact = False

    def pooled(self, kind, options):
        self.x = self.g.add(kind, self.x, **options)
        self.shape = self.measured()
        self.codes = self.codes and kind == "MaxPool"

    def measured(self):
        """The shape of x, as onnx infers it."""
        import onnx

        model = self.g.model(self.x)
        kept = [node for node in model.graph.node if not node.domain]
        swapped = [onnx.helper.make_node("Identity", n.input[:1], n.output) for n in model.graph.node if n.domain]
        del model.graph.node[:]
        model.graph.node.extend(sorted([*kept, *swapped], key=lambda n: int(n.output[0][1:].split("_")[0])))
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        return tuple(d.dim_value for d in inferred.graph.output[0].type.tensor_type.shape.dim)[1:]

    def global_average(self):
        size = int(np.prod(self.shape[1:]))
        if size & (size - 1):
            self.exact = False
        how = self.pick(["GlobalAveragePool", "ReduceMean", "ReduceMean", "ReduceSum"])
        rank = len(self.shape) + 1
        if how == "GlobalAveragePool":
            self.x, self.shape = self.g.add(how, self.x), (self.shape[0], *[1] * (rank - 2))
        else:
            axes = list(range(2, rank)) if self.odds(0.5) else [each - rank for each in range(2, rank)]
            kept = int(self.odds(0.5))
            if self.opset < (13 if how == "ReduceSum" else 18):
                self.x = self.g.add(how, self.x, axes=axes, keepdims=kept)
            else:
                self.x = self.g.add(how, self.x, self.g.constant(axes, np.int64), keepdims=kept)
            self.shape = (self.shape[0], *[1] * (rank - 2)) if kept else self.shape[:1]
            self.layout = self.layout if kept else "NC"
        self.codes = False

    def branches(self):
        """Two ways from here on, added or joined; then, most often, one quantizer."""
        start = self.x, self.shape, self.spread, self.codes
        ends = []
        join = self.odds(0.5)
        for _ in range(self.pick([2, 2, 3])):
            self.x, self.shape, self.spread, self.codes = start
            m = self.int(1, 5) if join else start[1][0]
            if self.odds(0.85) or (not join and start[1][0] != m):
                k = self.pick([1, 3])
                w = self.weights((m, start[1][0], k, k), start[1][0] * k * k)
                self.x = self.g.add("Conv", self.x, w, pads=[k // 2] * 4)
                self.shape, self.codes = (m, *start[1][1:]), False
                if self.odds(0.4):
                    self.chain()
                if self.odds(0.6):
                    self.quantize(plain=self.odds(0.7))
            ends.append((self.x, self.shape, self.spread))
        self.codes = False
        self.spread = max(spread for _, _, spread in ends)
        if join:
            self.x = self.g.add("Concat", *(x for x, _, _ in ends), axis=self.pick([1, -3]))
            self.shape = (sum(shape[0] for _, shape, _ in ends), *start[1][1:])
        else:
            if self.odds(0.3):
                self.x = self.g.add("Sum", *(x for x, _, _ in ends))
                return
            self.x = ends[0][0]
            for x, _, _ in ends[1:]:
                self.x = self.g.add(self.pick(["Add", "Add", "Sub"]), self.x, x)

    # What moves numbers.

    def move(self):
        kinds = ["identity"]
        if self.layout == "NCHW":
            kinds += ["pad", "turn", "resize", "squares", "shuffled"]
        if self.layout == "NHWC":
            kinds += ["turn", "turn"]
        if len(self.shape) > 1:
            kinds += ["flat", "flat"] if self.odds(0.5) else []
        getattr(self, self.pick(kinds))()

    def identity(self):
        self.idle()

    def pad(self):
        pads = [0, 0, *(self.int(0, 2) for _ in range(2)), 0, 0, *(self.int(0, 2) for _ in range(2))]
        if self.opset < 11:
            self.x = self.g.add("Pad", self.x, pads=pads, mode="constant", value=0.0)
        else:
            value = [self.constant(self.pick([0.0, 0.0, self.number(1)]))] if self.odds(0.5) else []
            self.x = self.g.add("Pad", self.x, self.constant(pads, np.int64), *value)
        self.shape = (self.shape[0], self.shape[1] + pads[2] + pads[6], self.shape[2] + pads[3] + pads[7])
        self.conv()

    def turn(self):
        c, h, w = self.shape
        if self.layout == "NCHW":
            self.x, self.shape, self.layout = self.g.add("Transpose", self.x, perm=[0, 2, 3, 1]), (h, w, c), "NHWC"
        else:
            self.x, self.shape, self.layout = self.g.add("Transpose", self.x, perm=[0, 3, 1, 2]), (w, c, h), "NCHW"

    def resize(self):
        c, h, w = self.shape
        scales = self.constant([1.0, 1.0, 2.0, 2.0])
        if self.opset == 9:
            self.x = self.g.add("Upsample", self.x, scales, mode="nearest")
        elif self.opset == 10:
            self.x = self.g.add("Resize", self.x, scales, mode="nearest")
        else:
            options = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
            region = "" if self.opset >= 13 else self.constant([])
            sizes = self.constant([1, c, 2 * h, 2 * w], np.int64)
            given = [region, scales] if self.odds(0.7) or self.opset < 13 else [region, "", sizes]
            self.x = self.g.add("Resize", self.x, *given, mode="nearest", **(options if self.odds(0.7) else {}))
        self.shape = (c, 2 * h, 2 * w)

    def squares(self):
        c, h, w = self.shape
        if c % 4:
            return
        mode = {"mode": self.pick(["DCR", "CRD"])} if self.opset >= 11 else {}
        self.x, self.shape = self.g.add("DepthToSpace", self.x, blocksize=2, **mode), (c // 4, 2 * h, 2 * w)

    def shuffled(self):
        c, h, w = self.shape
        groups = self.pick([d for d in range(1, c + 1) if c % d == 0])
        apart = self.g.add("Reshape", self.x, self.constant([self.pick([1, -1]), groups, c // groups, h, w], np.int64))
        turned = self.g.add("Transpose", apart, perm=[0, 2, 1, 3, 4])
        self.x = self.g.add("Reshape", turned, self.constant([1, -1, h, w], np.int64))

    def flat(self):
        """All axes but the batch in one: in each of the ways that exporters have."""
        how = self.pick(["Flatten", "Reshape", "computed", "steps"])
        if how == "Flatten":
            self.x = self.g.add("Flatten", self.x, **({"axis": 1} if self.odds(0.5) else {}))
        elif how == "Reshape":
            self.x = self.g.add(
                "Reshape", self.x, self.constant(self.pick([[1, -1], [0, -1], [-1, self.size]]), np.int64)
            )
        elif how == "computed":
            shape = self.g.add("Shape", self.x)
            first = self.g.add("Gather", shape, self.constant(0, np.int64), axis=0)
            first = self.unsqueezed(first, [0])
            both = self.g.add("Concat", first, self.constant([-1], np.int64), axis=0)
            self.x = self.g.add("Reshape", self.x, both)
        else:
            self.x = self.g.add("Reshape", self.x, self.constant([1, self.size, 1, 1], np.int64))
            if self.opset < 13:
                self.x = self.g.add("Squeeze", self.x, axes=[2, 3])
            else:
                self.x = self.g.add("Squeeze", self.x, self.constant([2, -1], np.int64))
        self.shape, self.layout = (self.size,), "NC"

    @property
    def size(self):
        return int(np.prod(self.shape))

    def unsqueezed(self, x, axes):
        if self.opset < 13:
            return self.g.add("Unsqueeze", x, axes=axes)
        return self.g.add("Unsqueeze", x, self.constant(axes, np.int64))

    # The whole.

    def layer(self):
        kinds = {"NC": ["dense"], "NCW": ["conv", "conv", "max_pool", "average_pool", "global_average"]}
        kinds["NCHW"] = ["conv"] * 4 + ["max_pool", "average_pool", "global_average", "branches", "branches"]
        kinds["NHWC"] = ["dense", "turn"]
        kind = self.pick(kinds[self.layout])
        if kind in ("max_pool", "average_pool", "branches") and min(self.shape[1:]) < 2:
            kind = "conv"
        getattr(self, kind)()
        return kind

    def grow(self):
        if self.odds(0.2):
            self.constant_node()
        self.quantize()
        for _ in range(self.int(1, 4)):
            if self.odds(0.3):
                self.move()
            kind = self.layer()
            if kind in ("turn", "max_pool") and self.odds(0.5):
                continue
            if kind == "average_pool" and self.exact and self.odds(0.3):
                self.trunc()
                continue
            self.chain()
            if self.layout == "NCHW" and min(self.shape[1:]) > 1 and self.odds(0.1):
                self.max_pool()
                if self.odds(0.5):
                    self.chain()
            self.quantize()
            if self.odds(0.1):
                self.chain()
                self.quantize()
            if self.odds(0.1):
                self.outputs.append(self.x)
            if int(np.prod(self.shape)) > 4000:
                break
        self.end()

    def end(self):
        if self.odds(0.4):
            self.flat() if len(self.shape) > 1 and self.odds(0.7) else None
            if self.layout in ("NC", "NHWC"):
                self.dense()
        rank = len(self.shape) + 1
        kind = self.pick(["", "", "Relu", "Softmax", "LogSoftmax", "ArgMax", "TopK"])
        axis = self.pick([*range(1, rank), -1])
        if kind in ("Softmax", "LogSoftmax"):
            self.x = self.g.add(kind, self.x, axis=axis)
        elif kind == "ArgMax":
            self.x = self.g.add(kind, self.x, axis=axis, keepdims=int(self.odds(0.5)))
            self.kinds[self.x] = TensorProto.INT64
        elif kind == "TopK":
            k = self.int(1, self.shape[axis - 1 if axis > 0 else axis])
            options = {"axis": axis}
            if self.opset >= 11:
                options["largest"] = int(self.odds(0.7))
            if self.opset < 10:
                values, self.x = self.g.add("TopK", self.x, outputs=2, k=k, **options)
            else:
                values, self.x = self.g.add("TopK", self.x, self.constant([k], np.int64), outputs=2, **options)
            self.kinds[self.x] = TensorProto.INT64
            if self.odds(0.5):
                self.outputs.append(values)
        elif kind:
            self.x = self.g.add(kind, self.x)
        self.outputs.append(self.x)

    def model(self):
        model = self.g.model(*dict.fromkeys(self.outputs), kinds=self.kinds)
        for each in model.opset_import:
            if each.domain == self.g.domain:
                each.version = self.version
        return model

    def images(self, count=3):
        """Multiples of half a step, which make ties, and what saturates."""
        x = self.rng.integers(-128, 129, (count, *self.g.shape[1:])) * 2.0**-6
        x[0] = self.rng.standard_normal(self.g.shape[1:]) * 2
        return x.astype(np.float32)
