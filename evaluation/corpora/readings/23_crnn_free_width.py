"""CRNN text line recogniser as a hand-built ONNX graph: BiLSTM over the padded width, no lengths."""
import os
import tempfile
import numpy as np

ADDRESS = "https://github.com/open-mmlab/mmocr/pull/407"
STORY = ("Batch inference for CRNN: lines are resized to height 32 keeping the aspect ratio and zero-padded on the right to the widest line; the pull request warns that batch size > 1 changes the metric. "
         "Input (N, 1, 32, W), W a multiple of 4, output time-first (W/4, N, classes); the steps under the real width are the answer.")
LEAKY = True
PLACE = "rnn_lstm"
CAUSE = "backward direction of the LSTM starts in the padded width (no sequence_lens)"
FORMAT = "onnx"


def _model():
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    rng = np.random.default_rng(23)
    H, C = 10, 11
    w = lambda *s, k=None: (rng.standard_normal(s) / np.sqrt(k or s[-1])).astype(np.float32)
    init = {"conv0.weight": w(6, 1, 3, 3, k=9), "conv0.bias": w(6, k=20), "conv1.weight": w(10, 6, 3, 1, k=18), "conv1.bias": w(10, k=20),
            "conv2.weight": w(16, 10, 8, 1, k=80), "conv2.bias": w(16, k=20),
            "rnn.W": w(2, 4 * H, 16, k=8), "rnn.R": w(2, 4 * H, H, k=8), "rnn.B": w(2, 8 * H, k=10),
            "embedding.weight": w(2 * H, C, k=4), "embedding.bias": w(C, k=10),
            "axes2": np.array([2], np.int64), "shape_lstm": np.array([0, 0, -1], np.int64)}
    n = helper.make_node
    nodes = [
        n("Conv", ["input", "conv0.weight", "conv0.bias"], ["c0"], "conv0", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        n("Relu", ["c0"], ["r0"], "relu0"),
        n("MaxPool", ["r0"], ["p0"], "pooling0", kernel_shape=[2, 2], strides=[2, 2]),
        n("Conv", ["p0", "conv1.weight", "conv1.bias"], ["c1"], "conv1", kernel_shape=[3, 1], pads=[1, 0, 1, 0]),
        n("Relu", ["c1"], ["r1"], "relu1"),
        n("MaxPool", ["r1"], ["p1"], "pooling1", kernel_shape=[2, 2], strides=[2, 2]),
        n("Conv", ["p1", "conv2.weight", "conv2.bias"], ["c2"], "conv2", kernel_shape=[8, 1]),
        n("Relu", ["c2"], ["r2"], "relu2"),
        n("Squeeze", ["r2", "axes2"], ["s"], "squeeze_height"),
        n("Transpose", ["s"], ["seq"], "to_time_first", perm=[2, 0, 1]),
        n("LSTM", ["seq", "rnn.W", "rnn.R", "rnn.B"], ["y"], "rnn_lstm", hidden_size=H, direction="bidirectional"),
        n("Transpose", ["y"], ["yt"], "merge_directions", perm=[0, 2, 1, 3]),
        n("Reshape", ["yt", "shape_lstm"], ["yr"], "flatten_directions"),
        n("MatMul", ["yr", "embedding.weight"], ["mm"], "embedding_matmul"),
        n("Add", ["mm", "embedding.bias"], ["output"], "embedding_add"),
    ]
    g = helper.make_graph(nodes, "crnn",
                          [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 1, 32, "W"])],
                          [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["T", "N", C])],
                          [numpy_helper.from_array(v, k) for k, v in init.items()])
    m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="crnn-converter")
    onnx.checker.check_model(m)
    return m


def build(folder):
    import onnx
    path = os.path.join(folder, "crnn.onnx")
    onnx.save(_model(), path)
    return path


def truth():
    import onnxruntime as ort
    with tempfile.TemporaryDirectory() as folder:
        s = ort.InferenceSession(build(folder), providers=["CPUExecutionProvider"])
    run = lambda x: s.run(None, {"input": x})[0]
    rng = np.random.default_rng(5)
    worst, refs = 0.0, []
    for w in (24, 40, 64):
        row = rng.uniform(-1, 1, (1, 1, 32, w)).astype(np.float32)
        ref = run(row)[:, 0]
        refs.append(ref.ravel())
        for extra in (4, 20, 72):
            mate = rng.uniform(-1, 1, (1, 1, 32, w + extra)).astype(np.float32)
            x = np.concatenate([np.pad(row, ((0, 0), (0, 0), (0, 0), (0, extra))), mate])
            worst = max(worst, float(np.abs(run(x)[:w // 4, 0] - ref).max()))
    return worst / float(np.std(np.concatenate(refs)))


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
