"""Comparing a lowered network with its torch module, layer by layer."""

import numpy as np
import torch

from rowloom.model import nn

LAYERS = (
    nn.MaxPool2d, nn.Average, nn.Add, nn.Concat, torch.nn.ChannelShuffle, torch.nn.PixelShuffle, torch.nn.Upsample,
)  # fmt: skip


def scramble(module, seed=0):
    """Give every norm random statistics near what sums are, gammas of both signs and some of zero."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm):
                count = len(norm.gamma)
                norm.gamma.copy_(torch.randn(count))
                norm.gamma[2 :: max(count // 4, 3)] = 0
                norm.beta.normal_(0, 0.3)
                norm.mean.copy_(torch.randint(-6, 7, (count,)) + torch.tensor([0.0, 0.5]).repeat(count)[:count])
                # Whole means and no offset: sums that fall exactly on the threshold.
                norm.beta[1::3] = 0
                norm.variance.uniform_(10, 60)
    return module.eval()


def torch_values(module, x):
    """Return what every lowered layer puts out, in order: a block with a pool counts twice."""
    outputs = []

    def keep_output(_, __, y):
        outputs.append(y)

    handles = []
    for layer in module.modules():
        if isinstance(layer, LAYERS) or (isinstance(layer, nn.Weighted) and layer.pool is None):
            handles.append(layer.register_forward_hook(keep_output))
        if isinstance(layer, nn.Weighted) and layer.pool is not None:
            handles.append(layer.pool.register_forward_pre_hook(lambda _, args: outputs.append(args[0])))
    with torch.no_grad():
        module.eval()(x)
    for handle in handles:
        handle.remove()
    return [y.numpy() if y.dim() == 4 else y.numpy()[:, :, None, None] for y in outputs]


def assert_equal_at_every_layer(module, net, images):
    kept = net.run(images, keep="all")
    expected = torch_values(module, torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) / 255)
    assert len(expected) == len(net.layers)
    for layer, values in zip(net.layers, expected, strict=True):
        encoding = net.tensor(layer.output).encoding
        np.testing.assert_array_equal(encoding.decode(kept[layer.output]), values.transpose(0, 2, 3, 1), layer.name)
    return kept
