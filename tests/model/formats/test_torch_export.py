"""PT2E-quantized modules against themselves."""

import numpy as np
import pytest

import rowloom
from rowloom.model.formats.torch_export import from_exported
from rowloom.model.host import host_run

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(300)]


def exported(module, shape, per_channel=True):
    pytest.importorskip("torchao", reason="needs the extra 'exporters'")
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    example = (torch.randn(1, *shape),)
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=per_channel))
    prepared = prepare_pt2e(torch.export.export(module.eval(), example).module(), quantizer)
    for _ in range(4):
        prepared(torch.randn(1, *shape))
    return torch.export.export(convert_pt2e(prepared), example)


class Residual(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(8)
        self.second = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.dense = torch.nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = torch.nn.functional.max_pool2d(torch.relu(x + self.second(x)), 2)
        return self.dense(torch.flatten(torch.nn.functional.adaptive_avg_pool2d(x, 1), 1))


@pytest.mark.parametrize("per_channel", [False, True])
def test_equals_the_module(per_channel):
    torch.manual_seed(0)
    program = exported(Residual(), (3, 8, 8), per_channel)
    imported = from_exported(program, "residual")
    net = imported.network
    assert [layer.op for layer in net.layers] == ["conv2d", "conv2d", "add", "max_pool2d", "average_pool2d", "linear"]
    x = torch.randn(50, 1, 3, 8, 8)
    module = program.module()
    want = np.concatenate([module(each).numpy() for each in x])
    got = host_run(net, x[:, 0].numpy(), dequantize=True)
    assert got.shape == want.shape
    # An average of 16 equal steps is often exactly a half, which the module's float32 decides.
    assert imported.float_ties > 0
    assert np.mean(got != want) < 0.04
    step = np.diff(np.unique(want)).min()
    assert np.abs(got - want).max() < 1.5 * step
    assert len(np.unique(want)) > 20


def test_what_is_no_program():
    with pytest.raises(rowloom.RowloomError, match=r"^m: is a Linear, need the ExportedProgram"):
        rowloom.from_torch_export(torch.nn.Linear(2, 2), "m")


def test_floats_are_refused():
    program = torch.export.export(torch.nn.Sequential(torch.nn.Linear(2, 2)), (torch.randn(1, 2),))
    with pytest.raises(rowloom.RowloomError, match=r"^m: node linear \(Gemm\): has weights that are floats"):
        rowloom.from_torch_export(program, "m")
