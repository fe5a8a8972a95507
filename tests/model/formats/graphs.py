"""Small ONNX graphs, and what their executors make of them."""

import copy

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
BREVITAS = "onnx.brevitas"


class Graph:
    """A graph that grows node by node; every method returns the name of what it adds."""

    def __init__(self, shape, *, opset=17, kind=TensorProto.FLOAT, domain=QONNX):
        self.shape, self.opset, self.kind, self.domain = tuple(shape), opset, kind, domain
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, values, dtype=np.float32, kind=None):
        name = f"constant{len(self.constants)}"
        if kind is not None:
            self.constants.append(helper.make_tensor(name, kind, np.shape(values), np.asarray(values).reshape(-1)))
        else:
            self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, kind, *inputs, domain="", outputs=1, **attributes):
        names = [f"t{self.count}" if not i else f"t{self.count}_{i}" for i in range(outputs)]
        self.count += 1
        inputs = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        self.nodes.append(
            helper.make_node(kind, inputs, names, name=f"{kind}_{self.count}", domain=domain, **attributes)
        )
        return names[0] if outputs == 1 else names

    def quant(self, x, scale, zero_point=0, bits=8, *, signed=1, narrow=0, rounding="ROUND", kind="Quant"):
        return self.add(
            *(kind, x, scale, float(zero_point), float(bits)),
            domain=self.domain,
            signed=signed,
            narrow=narrow,
            rounding_mode=rounding,
        )

    def bipolar(self, x, scale=1.0):
        return self.add("BipolarQuant", x, scale, domain=self.domain)

    def model(self, *outputs, kinds=None, shapes=None):
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [helper.make_tensor_value_info("x", self.kind, self.shape)],
            [helper.make_tensor_value_info(name, (kinds or {}).get(name, TensorProto.FLOAT), None) for name in outputs],
            self.constants,
            value_info=[
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (shapes or {}).items()
            ],
        )
        domains = {node.domain for node in self.nodes if node.domain}
        opsets = [
            helper.make_opsetid("", self.opset),
            *(helper.make_opsetid(d, 13 if "last" in d else 1) for d in domains),
        ]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset < 21 else 10)


def qonnx_outputs(model, x):
    """Return what qonnx's executor gives for every image, by output; single numbers, which are constants, left out."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    wrapper = ModelWrapper(copy.deepcopy(model)).transform(InferShapes())
    name = wrapper.graph.input[0].name
    runs = [execute_onnx(wrapper, {name: x[i : i + 1]}) for i in range(len(x))]
    return {key: np.concatenate([run[key] for run in runs]) for key in runs[0] if runs[0][key].ndim}


def runtime_outputs(model, x):
    """Return what onnxruntime gives, node by node without fusions, by output; single numbers left out."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    runs = [session.run(names, {session.get_inputs()[0].name: x[i : i + 1]}) for i in range(len(x))]
    return {name: np.concatenate([run[i] for run in runs]) for i, name in enumerate(names) if runs[0][i].ndim}


def written(model, path):
    """Write a model and return the path."""
    onnx.save(model, path)
    return path


def random_weights(rng, shape, scale=0.25, bits=4):
    """Return floats that a quantizer of that scale and width still has to round."""
    return rng.uniform(-(2 ** (bits - 1)) * scale, (2 ** (bits - 1) - 1) * scale, shape).astype(np.float32)
