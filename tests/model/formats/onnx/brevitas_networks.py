"""Networks as users of Brevitas write them, each made of what the name says; inputs are [N, 3, 8, 8] if not said."""


def layers():
    """Brevitas is imported late, because it warns."""
    import brevitas.nn as qnn
    from brevitas import quant
    from torch import nn

    return qnn, quant, nn


def relu(bits):
    return layers()[0].QuantReLU(bit_width=bits, return_quant_tensor=True)


def identity(bits=8):
    return layers()[0].QuantIdentity(bit_width=bits, return_quant_tensor=True)


def per_channel_and_depthwise():
    qnn, _, nn = layers()
    options = {"weight_bit_width": 4, "weight_scaling_per_output_channel": True}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, **options), nn.BatchNorm2d(8), relu(4)),
        *(qnn.QuantConv2d(8, 16, 3, stride=2, padding=1, groups=8, bias=True, **options), relu(4), nn.MaxPool2d(2)),
        *(nn.Flatten(), qnn.QuantLinear(64, 10, bias=True, weight_bit_width=4)),
    )


def negative_gammas():
    qnn, _, nn = layers()
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4), nn.MaxPool2d(2)),
        *(nn.BatchNorm2d(8), relu(3), qnn.QuantConv2d(8, 16, 1, bias=False, weight_bit_width=2), nn.BatchNorm2d(16)),
        *(identity(), nn.Flatten(), qnn.QuantLinear(256, 10, bias=False, weight_bit_width=8)),
    )


def residual():
    qnn, _, nn = layers()

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.begin = nn.Sequential(
                identity(), qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4), nn.BatchNorm2d(8)
            )
            self.first, self.branch = relu(4), qnn.QuantConv2d(8, 8, 3, padding=1, bias=False, weight_bit_width=4)
            self.norm, self.shared, self.last = nn.BatchNorm2d(8), identity(5), relu(4)
            self.pool = qnn.TruncAvgPool2d(4, bit_width=8)
            self.dense = qnn.QuantLinear(32, 5, bias=True, weight_bit_width=4)

        def forward(self, x):
            x = self.shared(self.first(self.begin(x)))
            x = self.pool(self.last(x + self.shared(self.norm(self.branch(x)))))
            return self.dense(getattr(x, "value", x).flatten(1))

    return Residual()


def ternary_and_bipolar():
    qnn, quant, nn = layers()
    binary = {"bias": False, "weight_quant": quant.SignedBinaryWeightPerTensorConst}
    ternary = {"bias": False, "weight_quant": quant.SignedTernaryWeightPerTensorConst}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, **ternary), nn.BatchNorm2d(8)),
        *(qnn.QuantIdentity(act_quant=quant.SignedBinaryActPerTensorConst), qnn.QuantConv2d(8, 8, 3, **binary)),
        *(nn.BatchNorm2d(8), qnn.QuantIdentity(act_quant=quant.SignedTernaryActPerTensorConst), nn.Flatten()),
        qnn.QuantLinear(288, 10, **binary),
    )


def mixed_bits():
    qnn, _, nn = layers()
    options = {"padding": 1, "bias": False, "weight_scaling_per_output_channel": True}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, weight_bit_width=8, **options), nn.BatchNorm2d(8), relu(2)),
        *(qnn.QuantConv2d(8, 8, 3, weight_bit_width=2, **options), nn.BatchNorm2d(8), relu(8), nn.AvgPool2d(2)),
        *(identity(), nn.Flatten(), qnn.QuantLinear(128, 10, bias=True, weight_bit_width=8)),
    )


def fixed_point():
    qnn, _, nn = layers()
    from brevitas.quant.fixed_point import (
        Int8ActPerTensorFixedPoint,
        Int8WeightPerTensorFixedPoint,
        Uint8ActPerTensorFixedPoint,
    )

    conv = {"padding": 1, "bias": False, "weight_quant": Int8WeightPerTensorFixedPoint}
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, return_quant_tensor=True),
        qnn.QuantConv2d(3, 8, 3, weight_bit_width=4, **conv),
        qnn.QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, bit_width=4, return_quant_tensor=True),
        *(nn.AvgPool2d(2), qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, bit_width=6)),
        *(qnn.QuantConv2d(8, 4, 3, **conv), qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint)),
    )


def zero_points():
    qnn, _, nn = layers()
    from brevitas.quant.shifted_scaled_int import ShiftedUint8ActPerTensorFloat, ShiftedUint8WeightPerTensorFloat

    return nn.Sequential(
        qnn.QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat, return_quant_tensor=True),
        qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_quant=ShiftedUint8WeightPerTensorFloat),
        *(nn.LeakyReLU(0.25), qnn.QuantIdentity(act_quant=ShiftedUint8ActPerTensorFloat)),
        qnn.QuantConv2d(8, 4, 3, padding=1, bias=False),
    )


def quantized_bias_and_softmax():
    qnn, quant, nn = layers()
    bias = {"bias": True, "bias_quant": quant.Int32Bias}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, weight_bit_width=4, return_quant_tensor=True, **bias)),
        *(relu(4), nn.Dropout(), nn.Flatten(), qnn.QuantLinear(512, 10, weight_bit_width=8, **bias), nn.Softmax(1)),
    )


def norms_round_pools():
    qnn, _, nn = layers()
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4), nn.BatchNorm2d(8)),
        *(nn.MaxPool2d(2), nn.BatchNorm2d(8), nn.MaxPool2d(3, 1, 1), nn.BatchNorm2d(8), identity(4)),
        qnn.QuantConv2d(8, 4, 1, bias=False, weight_bit_width=4),
    )


def dilated_and_grouped():
    qnn, _, nn = layers()
    options = {"bias": False, "weight_bit_width": 3}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, dilation=2, padding=2, **options), nn.BatchNorm2d(8), relu(5)),
        *(qnn.QuantConv2d(8, 8, (3, 1), groups=4, stride=(2, 1), padding=(1, 0), **options), relu(3)),
        qnn.QuantConv2d(8, 6, (1, 3), bias=True, weight_bit_width=6),
    )


def curves():
    qnn, _, nn = layers()
    options = {"bias": False, "weight_bit_width": 4}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, **options), nn.BatchNorm2d(8), qnn.QuantSigmoid(bit_width=4)),
        *(qnn.QuantConv2d(8, 8, 3, **options), nn.BatchNorm2d(8), qnn.QuantTanh(bit_width=5)),
        *(qnn.QuantConv2d(8, 8, 1, **options), nn.BatchNorm2d(8), nn.ELU(), identity(6)),
        *(qnn.QuantConv2d(8, 6, 1, **options), nn.BatchNorm2d(6)),
        *(qnn.QuantHardTanh(bit_width=6, min_val=-2.0, max_val=2.0), nn.Hardswish(), identity(6)),
        qnn.QuantConv2d(6, 3, 3, **options),
    )


def added_and_joined():
    qnn, quant, nn = layers()
    import torch

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.begin, self.norm = identity(), nn.BatchNorm2d(8)
            self.wide = qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4)
            self.narrow = qnn.QuantConv2d(3, 8, 1, bias=False, weight_bit_width=4)
            act = quant.Int8ActPerTensorFloat
            self.add = qnn.QuantEltwiseAdd(input_quant=act, output_quant=act, return_quant_tensor=True)
            self.first, self.second, self.joint = relu(4), relu(5), identity(6)
            self.end = qnn.QuantConv2d(16, 4, 3, bias=True, weight_bit_width=4)

        def forward(self, x):
            x = self.begin(x)
            wide, narrow = self.norm(self.wide(x)), self.narrow(x)
            both = self.first(self.add(wide, narrow))
            joined = torch.cat([getattr(each, "value", each) for each in (both, self.second(narrow))], 1)
            return self.end(self.joint(joined))

    return Branches()


def zero_points_by_channel():
    qnn, _, nn = layers()
    from brevitas.quant.shifted_scaled_int import ShiftedUint8ActPerTensorFloat, ShiftedUint8WeightPerChannelFloat

    options = {"bias": False, "weight_quant": ShiftedUint8WeightPerChannelFloat, "weight_bit_width": 4}
    options["input_quant"] = ShiftedUint8ActPerTensorFloat
    return nn.Sequential(
        *(qnn.QuantConv2d(3, 8, 3, padding=1, **options), nn.ReLU()),
        *(qnn.QuantConv2d(8, 5, 3, padding=1, input_bit_width=4, **options), nn.Flatten()),
        qnn.QuantLinear(320, 4, bias=True, input_quant=ShiftedUint8ActPerTensorFloat),
    )


def quantized_biases():
    qnn, quant, nn = layers()
    options = {"bias": True, "weight_scaling_per_output_channel": True}
    inner = quant.Int8BiasPerTensorFloatInternalScaling
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 6, 3, weight_bit_width=4, bias_quant=quant.Int16Bias, **options), relu(4)),
        *(qnn.QuantConv2d(6, 6, 3, groups=6, weight_bit_width=3, bias_quant=inner, bias=True), relu(4)),
        *(nn.Flatten(), qnn.QuantLinear(96, 5, weight_bit_width=8, bias_quant=quant.Int8Bias, **options)),
    )


def larger_maps():
    qnn, _, nn = layers()
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4), relu(4)),
        *(nn.PixelShuffle(2), qnn.QuantConv2d(2, 4, 3, padding=1, bias=True, weight_bit_width=4), relu(3)),
        *(nn.Upsample(scale_factor=2), qnn.QuantConv2d(4, 3, 3, stride=2, bias=False, weight_bit_width=4), identity(6)),
    )


def transposed():
    qnn, _, nn = layers()
    options = {"stride": 2, "padding": 1, "weight_bit_width": 4}
    return nn.Sequential(
        *(identity(), qnn.QuantConvTranspose2d(3, 6, 4, bias=True, weight_scaling_per_output_channel=True, **options)),
        *(nn.BatchNorm2d(6), relu(4), qnn.QuantConvTranspose2d(6, 3, 3, output_padding=1, bias=False, **options)),
        identity(8),
    )


def scales_and_biases():
    qnn, quant, nn = layers()
    weights = {"weight_quant": quant.Int8WeightPerTensorFloat}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 8, 3, padding=1, bias=False, weight_bit_width=4)),
        *(qnn.BatchNorm2dToQuantScaleBias(8, **weights), relu(4)),
        *(qnn.QuantScaleBias(8, bias=True, runtime_shape=(1, -1, 1, 1), **weights), identity(5)),
        qnn.QuantConv2d(8, 4, 3, bias=False, weight_bit_width=4),
    )


def scales_by_channel_of_activations():
    qnn, _, nn = layers()
    options = {"scaling_per_output_channel": True, "return_quant_tensor": True}
    options |= {"per_channel_broadcastable_shape": (1, 6, 1, 1), "scaling_stats_permute_dims": (1, 0, 2, 3)}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 6, 3, padding=1, bias=False, weight_bit_width=4), nn.BatchNorm2d(6)),
        *(qnn.QuantReLU(bit_width=4, **options), qnn.QuantConv2d(6, 6, 3, groups=6, weight_bit_width=4, bias=False)),
        *(relu(4), qnn.QuantConv2d(6, 4, 1, weight_bit_width=4, bias=True)),
    )


def powers_of_two():
    qnn, quant, nn = layers()
    weights = {"weight_quant": quant.FpOCPWeightPerTensorFloat, "weight_bit_width": 4}
    weights |= {"weight_exponent_bit_width": 3, "weight_mantissa_bit_width": 0, "bias": False}
    widths = {"bit_width": 4, "exponent_bit_width": 3, "mantissa_bit_width": 0}
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 6, 3, padding=1, **weights), nn.BatchNorm2d(6)),
        *(qnn.QuantIdentity(act_quant=quant.FpOCPActPerTensorFloat, **widths),),
        *(qnn.QuantConv2d(6, 6, 3, **weights), relu(4), qnn.QuantConv2d(6, 4, 1, bias=False, weight_bit_width=4)),
    )


def returns_a_quant_tensor():
    qnn, _, nn = layers()
    return nn.Sequential(
        *(identity(), qnn.QuantConv2d(3, 6, 3, padding=1, bias=False, weight_bit_width=4), nn.BatchNorm2d(6), relu(4)),
        nn.AdaptiveAvgPool2d((1, 1)),
    )


def other_roundings():
    qnn, _, nn = layers()
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=6, float_to_int_impl_type="FLOOR"),
        qnn.QuantConv2d(3, 6, 3, bias=False, weight_bit_width=4, weight_float_to_int_impl_type="CEIL"),
        *(nn.BatchNorm2d(6), qnn.QuantReLU(bit_width=4, float_to_int_impl_type="CEIL", return_quant_tensor=True)),
        *(qnn.TruncAvgPool2d(2, bit_width=6, float_to_int_impl_type="CEIL"), nn.Flatten()),
        qnn.QuantLinear(54, 5, bias=True, weight_bit_width=4),
    )


def quantized_by_graph():
    """A float network of inverted bottlenecks, its norms merged and its weights equalized, quantized afterwards."""
    import torch
    from brevitas.graph.calibrate import bias_correction_mode, calibration_mode
    from brevitas.graph.quantize import preprocess_for_quantize, quantize
    from torch import nn

    class Bottleneck(nn.Module):
        def __init__(self):
            super().__init__()
            self.begin = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
            self.inner = nn.Sequential(
                *(nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6()),
                *(nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU6()),
                *(nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8)),
            )
            self.end = nn.Sequential(nn.Dropout(), nn.Linear(8, 10))

        def forward(self, x):
            x = self.begin(x)
            return self.end(torch.add(x, self.inner(x)).mean([2, 3]))

    module, x = Bottleneck(), torch.randn(16, 3, 8, 8)
    with torch.no_grad():
        for _ in range(4):
            module(torch.randn(16, 3, 8, 8))
        module = quantize(preprocess_for_quantize(module.eval(), equalize_iters=10))
        with calibration_mode(module):
            module(x)
        with bias_correction_mode(module):
            module(x)
    return module.eval()


def merged_norms():
    qnn, _, nn = layers()
    import torch
    from brevitas.nn.utils import merge_bn

    conv, norm = qnn.QuantConv2d(3, 8, 3, padding=1, bias=True, weight_bit_width=4), nn.BatchNorm2d(8)
    norm.weight.data, norm.bias.data = torch.randn(8), torch.randn(8)
    merge_bn(conv, norm)
    return nn.Sequential(identity(), conv, relu(4), qnn.QuantConv2d(8, 4, 3, bias=False, weight_bit_width=4))


def separable_1d():
    """A block of QuartzNet, of [N, 10, 25]."""
    qnn, _, nn = layers()

    def separable(i, o, k):
        options = {"bias": False, "weight_bit_width": 4}
        return (
            *(qnn.QuantConv1d(i, i, k, padding=k // 2, groups=i, **options), identity(6)),
            *(qnn.QuantConv1d(i, o, 1, weight_scaling_per_output_channel=True, **options), nn.BatchNorm1d(o)),
        )

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.begin = nn.Sequential(identity(), *separable(10, 12, 5), relu(4))
            self.body, self.last = nn.Sequential(*separable(12, 12, 7), relu(4), *separable(12, 12, 3)), relu(4)
            self.short = nn.Sequential(qnn.QuantConv1d(12, 12, 1, bias=False, weight_bit_width=4), nn.BatchNorm1d(12))
            self.shared, self.end = identity(6), qnn.QuantConv1d(12, 6, 1, bias=True, weight_bit_width=8)

        def forward(self, x):
            x = self.begin(x)
            return self.end(self.last(self.shared(self.body(x)) + self.shared(self.short(x))))

    return Block()


def example(name):
    """A network of Brevitas's own examples, such as tfc_1w2a, of [N, 1, 28, 28]."""
    import configparser
    from pathlib import Path

    import brevitas_examples.bnn_pynq as examples
    from brevitas_examples.bnn_pynq.models.FC import fc

    parser = configparser.ConfigParser()
    parser.read(Path(examples.__file__).parent / "cfg" / f"{name}.ini")
    return fc(parser)
