"""Every layer of the golden model against torch, which computes on the same integers in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rowloom.model.arith import output_length
from rowloom.model.encodings import Binary, PowerOfTwo, Ternary, Uniform
from rowloom.model.layers import (
    Add,
    AveragePool2d,
    ChannelShuffle,
    Concat,
    Conv2d,
    DepthToSpace,
    MaxPool2d,
    Upsample,
)
from rowloom.model.network import Network, Tensor

torch = pytest.importorskip("torch", reason="compares with torch")
reference = pytest.importorskip("tests.model.reference")
functional = torch.nn.functional
POSTS, finished, from_torch, random_codes = (
    reference.POSTS,
    reference.finished,
    reference.from_torch,
    reference.random_codes,
)
single, to_torch, torch_pad, with_post = reference.single, reference.to_torch, reference.torch_pad, reference.with_post

ACTIVATIONS = [
    Binary(),
    Ternary(),
    Uniform(bits=8, signed=False),
    Uniform(bits=8, signed=True, zero_point=-11),
    Uniform(bits=4, signed=False, zero_point=9),
    Uniform(bits=11, signed=True),
    PowerOfTwo(bits=3, e_min=0, e_max=2),
]
WEIGHTS = [Binary(), Ternary(), Uniform(bits=8, signed=True), Uniform(bits=5, signed=False, zero_point=17)]


@st.composite
def convolutions(draw):
    """A convolution with its input's shape and encoding, and random codes; kernels up to 11 x 11."""
    kernel = draw(st.tuples(st.integers(1, 11), st.integers(1, 11)))
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    padding = tuple(draw(st.integers(0, reach[axis])) for axis in (0, 0, 1, 1))
    groups, in_group, out_group = draw(
        st.sampled_from([(1, 1, 3), (1, 5, 2), (2, 3, 5), (3, 4, 1), (6, 2, 2), (20, 1, 1), (5, 1, 1), (4, 1, 3)])
    )
    height = draw(st.integers(max(1, reach[0] + 1 - padding[0] - padding[1]), reach[0] + 6))
    width = draw(st.integers(max(1, reach[1] + 1 - padding[2] - padding[3]), reach[1] + 6))
    source, weight = draw(st.sampled_from(ACTIVATIONS)), draw(st.sampled_from(WEIGHTS))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layer = Conv2d(
        name="c",
        input="a",
        output="b",
        weights=random_codes(rng, weight, (groups * out_group, *kernel, in_group)),
        weight_encoding=weight,
        stride=stride,
        dilation=dilation,
        padding=padding,
        groups=groups,
        pad_value=draw(st.sampled_from([None, None, -3, 2])),
        bias=draw(st.sampled_from([None, rng.integers(-500, 500, groups * out_group)])),
    )
    codes = random_codes(rng, source, (draw(st.integers(1, 3)), height, width, groups * in_group))
    return layer, source, codes, rng


@settings(max_examples=250, deadline=None, derandomize=True)
@given(convolutions(), st.sampled_from(POSTS))
def test_convolution(case, post):
    layer, source, codes, rng = case
    shape = codes.shape[1:]
    sums = reference.torch_convolution(layer, source.decode(codes))
    layer, target = with_post(rng, layer, post, [shape], [source])
    y = single(layer, shape, source, target).run(codes, keep="all")["b"]
    np.testing.assert_array_equal(y, finished(layer, target, sums))


@pytest.mark.parametrize("count", [1, 17, 40])
@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_in_blocks_of_images(monkeypatch, count, multiplier):
    from rowloom.model.evaluate import depthwise

    monkeypatch.setattr(depthwise, "BLOCK", 2 * 6 * 5 * 4 * multiplier)
    rng = np.random.default_rng(count)
    weight = Uniform(bits=8, signed=True)
    source = Uniform(bits=8, signed=False)
    layer = Conv2d(
        name="c",
        input="a",
        output="b",
        weights=random_codes(rng, weight, (4 * multiplier, 3, 3, 1)),
        weight_encoding=weight,
        padding=(1, 1, 1, 1),
        groups=4,
    )
    codes = random_codes(rng, source, (count, 6, 5, 4))
    expected = reference.torch_convolution(layer, source.decode(codes))
    np.testing.assert_array_equal(single(layer, (6, 5, 4), source).run(codes), expected)


def test_requantized_depthwise_does_not_only_clip():
    rng = np.random.default_rng(5)
    source, weight = Uniform(bits=8, signed=True, zero_point=3), Uniform(bits=8, signed=True)
    layer = Conv2d(
        name="c", input="a", output="b", weights=random_codes(rng, weight, (9, 3, 3, 1)), weight_encoding=weight,
        groups=9, padding=(1, 1, 1, 1),
    )  # fmt: skip
    codes = random_codes(rng, source, (3, 8, 7, 9))
    layer, target = with_post(rng, layer, "requantize", [(8, 7, 9)], [source])
    y = single(layer, (8, 7, 9), source, target).run(codes)
    assert np.mean((y == -128) | (y == 127)) < 0.2
    assert len(np.unique(y)) > 100
    np.testing.assert_array_equal(y, finished(layer, target, reference.torch_convolution(layer, source.decode(codes))))


@st.composite
def pools(draw, encodings=ACTIVATIONS):
    """Fields of a pool, and the encoding and codes of its input."""
    kernel = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    padding = tuple(draw(st.integers(0, kernel[axis] - 1)) for axis in (0, 0, 1, 1))
    size = [
        draw(st.integers(max(1, kernel[axis] - padding[2 * axis] - padding[2 * axis + 1]), kernel[axis] + 6))
        for axis in (0, 1)
    ]
    source = draw(st.sampled_from(encodings))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    codes = random_codes(rng, source, (draw(st.integers(1, 3)), *size, draw(st.integers(1, 5))))
    fields = {"name": "p", "input": "a", "output": "b", "kernel": kernel, "stride": stride, "padding": padding}
    return fields, source, codes, rng


@settings(max_examples=150, deadline=None, derandomize=True)
@given(pools())
def test_max_pool(case):
    fields, source, codes, _ = case
    layer = MaxPool2d(**fields)
    x = torch_pad(layer, to_torch(source.decode(codes)), float("-inf"))
    expected = from_torch(functional.max_pool2d(x, layer.kernel, layer.stride))
    y = single(layer, codes.shape[1:], source, source).run(codes, keep="all")["b"]
    np.testing.assert_array_equal(source.decode(y), expected)


@settings(max_examples=250, deadline=None, derandomize=True)
@given(pools(), st.booleans(), st.booleans(), st.sampled_from(POSTS))
def test_average_pool(case, count_include_pad, with_bias, post):
    fields, source, codes, rng = case
    shape = codes.shape[1:]
    bias = rng.integers(-90, 90, shape[2]) if with_bias else None
    layer = AveragePool2d(**fields, count_include_pad=count_include_pad, bias=bias)
    x = torch_pad(layer, to_torch(source.decode(codes)))
    taps = layer.kernel[0] * layer.kernel[1]
    totals = functional.avg_pool2d(x, layer.kernel, layer.stride, divisor_override=1)
    ones = torch_pad(layer, torch.ones_like(x[:1, :1, : shape[0], : shape[1]]))
    counts = functional.avg_pool2d(ones, layer.kernel, layer.stride, divisor_override=1)
    scale = layer.scale(shape)
    if count_include_pad:
        assert scale == taps
        sums = from_torch(totals)
    else:
        assert scale == np.lcm.reduce(counts.long().flatten().numpy())
        sums = from_torch(totals * (scale / counts))
    if bias is not None:
        sums = sums + bias
    layer, target = with_post(rng, layer, post, [shape], [source])
    y = single(layer, shape, source, target).run(codes, keep="all")["b"]
    np.testing.assert_array_equal(y, finished(layer, target, sums))


@pytest.mark.parametrize("count_include_pad", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 1, 1), (5, 3, 2), (7, 7, 0)])
def test_average_pool_is_torchs_average_times_its_scale(kernel, stride, padding, count_include_pad):
    rng = np.random.default_rng(kernel)
    layer = AveragePool2d(
        name="p", input="a", output="b", kernel=(kernel,) * 2, stride=(stride,) * 2, padding=(padding,) * 4,
        count_include_pad=count_include_pad,
    )  # fmt: skip
    source = Uniform(bits=8, signed=False)
    codes = random_codes(rng, source, (2, 9, 7, 3))
    average = functional.avg_pool2d(
        to_torch(codes), kernel, stride, padding, count_include_pad=count_include_pad
    ).permute(0, 2, 3, 1)
    y = single(layer, (9, 7, 3), source).run(codes, keep="all")["b"]
    np.testing.assert_allclose(y / layer.scale((9, 7, 3)), average.numpy(), rtol=1e-12)


def test_global_average_pool_in_every_width():
    for bits in (8, 20, 36):
        source = Uniform(bits=bits, signed=True)
        codes = np.full((2, 40, 30, 2), source.code_min)
        codes[:, :, :, 1] = source.code_max
        layer = AveragePool2d(name="p", input="a", output="b", kernel=(40, 30))
        y = single(layer, (40, 30, 2), source).run(codes)
        assert y.tolist() == [[1200 * source.code_min, 1200 * source.code_max]] * 2


def branching(encodings, shape, rng, last, target):
    """An 8-bit input, made into a tensor of each encoding by a table of random values, and these joined by ``last``."""
    pixels = Uniform(bits=8, signed=False)
    tensors, layers = [Tensor(name="x", shape=shape, encoding=pixels)], []
    for i, encoding in enumerate(encodings):
        table = encoding.decode(random_codes(rng, encoding, 256))
        tensors.append(Tensor(name=f"t{i}", shape=shape, encoding=encoding))
        layers.append(Add(name=f"t{i}", inputs=("x",), output=f"t{i}", tables=(table,)))
    output = last.output_shape(*[shape] * len(encodings))
    return Network(
        name="branching",
        tensors=(*tensors, Tensor(name="y", shape=output, encoding=target)),
        layers=(*layers, last),
        input="x",
        outputs=("y",),
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(ACTIVATIONS), min_size=1, max_size=4),
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.sampled_from(POSTS),
)
def test_add(encodings, with_bias, seed, post):
    rng = np.random.default_rng(seed)
    shape = (3, 4, 5)
    multipliers = rng.integers(-300, 300, len(encodings)).tolist()
    names = tuple(f"t{i}" for i in range(len(encodings)))
    bias = rng.integers(-900, 900, 5) if with_bias else None
    layer = Add.scaled(name="y", inputs=names, output="y", encodings=encodings, multipliers=multipliers, bias=bias)
    layer, target = with_post(rng, layer, post, [shape] * len(encodings), encodings)
    codes = rng.integers(0, 256, (2, *shape))
    kept = branching(encodings, shape, rng, layer, target).run(codes, keep="all")
    sums = sum(
        to_torch(encoding.decode(kept[name])) * multiplier
        for name, encoding, multiplier in zip(names, encodings, multipliers, strict=True)
    )
    if bias is not None:
        sums = sums + torch.from_numpy(bias.astype(np.float64))[None, :, None, None]
    np.testing.assert_array_equal(kept["y"], finished(layer, target, from_torch(sums)))


def test_a_table_may_hold_any_function_of_a_code():
    rng = np.random.default_rng(0)
    encodings = [Uniform(bits=4, signed=True, zero_point=2), Ternary()]
    tables = tuple(
        rng.integers(-(1 << 40), 1 << 40, encoding.code_max - encoding.code_min + 1) for encoding in encodings
    )
    layer = Add(name="y", inputs=("t0", "t1"), output="y", tables=tables)
    codes = rng.integers(0, 256, (2, 3, 3, 4))
    kept = branching(encodings, (3, 3, 4), rng, layer, reference.WIDE).run(codes, keep="all")
    expected = tables[0][kept["t0"].astype(int) + 8] + tables[1][kept["t1"].astype(int) + 1]
    np.testing.assert_array_equal(kept["y"], expected)


def test_a_tensor_may_be_added_to_itself():
    bits = Uniform(bits=3, signed=True)
    layer = Add.scaled(name="y", inputs=("a", "a"), output="b", encodings=(bits, bits), multipliers=(3, -1))
    net = Network(
        name="twice",
        tensors=tuple(Tensor(name=n, shape=(1, 1, 8), encoding=e) for n, e in (("a", bits), ("b", reference.WIDE))),
        layers=(layer,),
        input="a",
        outputs=("b",),
    )  # fmt: skip
    assert net.run(np.arange(-4, 4).reshape(1, 1, 1, 8)).tolist() == [list(range(-8, 8, 2))]


def test_concat():
    rng = np.random.default_rng(1)
    encoding = Uniform(bits=4, signed=True)
    net = branching([encoding] * 2, (3, 2, 5), rng, Concat(name="y", inputs=("t0", "t1"), output="y"), encoding)
    kept = net.run(rng.integers(0, 256, (4, 3, 2, 5)), keep="all")
    expected = torch.cat([to_torch(kept["t0"]), to_torch(kept["t1"])], dim=1)
    np.testing.assert_array_equal(kept["y"], from_torch(expected))


@pytest.mark.parametrize(
    ("layer", "module"),
    [
        (lambda: ChannelShuffle(name="s", input="a", output="b", groups=3), lambda: torch.nn.ChannelShuffle(3)),
        (lambda: ChannelShuffle(name="s", input="a", output="b", groups=4), lambda: torch.nn.ChannelShuffle(4)),
        (lambda: Upsample(name="s", input="a", output="b"), lambda: torch.nn.Upsample(scale_factor=2)),
        (lambda: Upsample(name="s", input="a", output="b", factor=3), lambda: torch.nn.Upsample(scale_factor=3)),
        (lambda: DepthToSpace(name="s", input="a", output="b", block=2, mode="CRD"), lambda: torch.nn.PixelShuffle(2)),
    ],
)
@pytest.mark.parametrize("encoding", [Binary(), Uniform(bits=8, signed=True)])
def test_rearrangements(layer, module, encoding):
    codes = random_codes(np.random.default_rng(2), encoding, (3, 4, 5, 24))
    y = single(layer(), (4, 5, 24), encoding, encoding).run(codes)
    np.testing.assert_array_equal(y, from_torch(module()(to_torch(codes))))


@pytest.mark.parametrize("block", [1, 2, 3])
@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_as_onnx(block, mode):
    codes = np.arange(2 * 2 * 3 * 36).reshape(2, 2, 3, 36) % 251
    layer = DepthToSpace(name="s", input="a", output="b", block=block, mode=mode)
    encoding = Uniform(bits=8, signed=False)
    y = single(layer, (2, 3, 36), encoding, encoding).run(codes)
    # The reference code of the operator's specification.
    x = codes.transpose(0, 3, 1, 2)
    b, c, h, w = x.shape
    if mode == "DCR":
        tmp = np.reshape(x, [b, block, block, c // (block**2), h, w])
        tmp = np.transpose(tmp, [0, 3, 4, 1, 5, 2])
    else:
        tmp = np.reshape(x, [b, c // (block**2), block, block, h, w])
        tmp = np.transpose(tmp, [0, 1, 4, 2, 5, 3])
    expected = np.reshape(tmp, [b, c // (block**2), h * block, w * block]).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(y, expected)


def test_several_outputs_come_by_name():
    rng = np.random.default_rng(3)
    encoding = Uniform(bits=4, signed=True)
    net = branching([encoding] * 2, (3, 2, 5), rng, Concat(name="y", inputs=("t0", "t1"), output="y"), encoding)
    both = Network(name="n", tensors=net.tensors, layers=net.layers, input="x", outputs=("y", "t0"))
    codes = rng.integers(0, 256, (20, 3, 2, 5))
    outputs, kept = both.run(codes), both.run(codes, keep="all")
    assert list(outputs) == ["y", "t0"]
    for name, array in outputs.items():
        np.testing.assert_array_equal(array, kept[name])


@given(st.integers(1, 12), st.integers(1, 7), st.integers(1, 4), st.integers(0, 6), st.integers(0, 6))
def test_valid_taps_are_those_on_the_map(size, kernel, stride, before, after):
    from rowloom.model.arith import valid_taps

    count = output_length(size, kernel, stride, before, after, 1)
    marks = np.pad(np.ones(size, int), (before, after))
    expected = [int(marks[place * stride : place * stride + kernel].sum()) for place in range(max(count, 0))]
    if min(before, after) < kernel and max(before, after) < kernel:
        assert valid_taps(size, kernel, stride, before, after) == expected
