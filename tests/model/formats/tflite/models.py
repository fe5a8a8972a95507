"""Small TFLite models, and what the reference kernels make of them."""

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {
    np.dtype("i1"): 9,
    np.dtype("u1"): 3,
    np.dtype("i2"): 7,
    np.dtype("i4"): 2,
    np.dtype("f4"): 0,
    np.dtype("i8"): 4,
}


class Model:
    """A model that grows operator by operator; every method returns the index of a tensor."""

    def __init__(self):
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model = schema.ModelT()
        self.model.version, self.model.description = 3, "test"
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []

    def tensor(self, shape, scale=None, zero_point=0, dtype=np.int8, data=None, axis=0):
        t = schema.TensorT()
        t.shape, t.type, t.buffer = list(shape), TYPES[np.dtype(dtype)], 0
        t.name = f"t{len(self.graph.tensors)}".encode()
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, np.float32))
            t.quantization = schema.QuantizationParametersT()
            t.quantization.scale = scales
            t.quantization.zeroPoint = np.full(len(scales), zero_point, np.int64)
            t.quantization.quantizedDimension = axis
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.asarray(data, dtype).tobytes(), np.uint8)
            t.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(t)
        return len(self.graph.tensors) - 1

    def constant(self, data, scale=None, zero_point=0, dtype=np.int8, axis=0):
        return self.tensor(np.shape(data), scale, zero_point, dtype, data, axis)

    def add(self, kind, inputs, output, options=None, **fields):
        code = schema.OperatorCodeT()
        number = getattr(schema.BuiltinOperator, kind)
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 1
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), [output]
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")()
            for name, value in fields.items():
                assert hasattr(operator.builtinOptions, name), name
                setattr(operator.builtinOptions, name, value)
        self.graph.operators.append(operator)
        return output

    def content(self, source, *outputs):
        self.graph.inputs, self.graph.outputs = [source], list(outputs)
        self.model.subgraphs = [self.graph]
        return self.packed()

    def packed(self):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def outputs_of(content, x):
    """Return what the reference kernels give for every image, for each output."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    source, targets = interpreter.get_input_details()[0], interpreter.get_output_details()
    results = []
    for image in x:
        interpreter.set_tensor(source["index"], image.reshape(source["shape"]))
        interpreter.invoke()
        results.append([interpreter.get_tensor(target["index"]).copy() for target in targets])
    return [np.stack(each) for each in zip(*results, strict=True)]


def reference(content, x):
    """Return what the reference kernels give for every image, for the first output."""
    return outputs_of(content, x)[0]
