"""Keras layers, Keras operations and TensorFlow operators in the words all frameworks share."""

from __future__ import annotations

from typing import Any

from maskcheck.ir.operation import Kind
from maskcheck.ir.operation import Operation as Op

_LAYERS: dict[Op, str] = {
    Op.EMBEDDING: "Embedding ReversibleEmbedding",
    Op.MASKING: "Masking",
    Op.ACTIVATION: "Activation ELU",
    Op.RELU: "ReLU LeakyReLU PReLU",
    Op.DROPOUT: """
        Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianDropout GaussianNoise AlphaDropout
        ActivityRegularization Identity""",
    Op.ELEMENTWISE: "Rescaling Normalization Average",
    Op.ADD: "Add",
    Op.SUBTRACT: "Subtract",
    Op.MULTIPLY: "Multiply",
    Op.MAXIMUM: "Maximum",
    Op.MINIMUM: "Minimum",
    Op.LINEAR: "Dense EinsumDense",
    Op.MATMUL: "Dot",
    Op.SOFTMAX: "Softmax",
    Op.ATTENTION: "MultiHeadAttention GroupQueryAttention GroupedQueryAttention Attention AdditiveAttention",
    Op.LSTM: "LSTM ConvLSTM1D ConvLSTM2D ConvLSTM3D",
    Op.GRU: "GRU",
    Op.RNN: "SimpleRNN RNN Bidirectional",
    Op.LAYER_NORM: "LayerNormalization",
    Op.BATCH_NORM: "BatchNormalization SyncBatchNormalization",
    Op.GROUP_NORM: "GroupNormalization",
    Op.RMS_NORM: "RMSNormalization",
    Op.LP_NORM: "UnitNormalization",
    Op.CONVOLUTION: "Conv1D Conv2D Conv3D SeparableConv1D SeparableConv2D",
    Op.TRANSPOSED_CONVOLUTION: "Conv1DTranspose Conv2DTranspose Conv3DTranspose",
    Op.DEPTHWISE_CONVOLUTION: "DepthwiseConv1D DepthwiseConv2D",
    Op.MEAN: "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D",
    Op.MAX: "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D",
    Op.AVERAGE_POOL: """
        AveragePooling1D AveragePooling2D AveragePooling3D AdaptiveAveragePooling1D AdaptiveAveragePooling2D
        AdaptiveAveragePooling3D""",
    Op.MAX_POOL: """
        MaxPooling1D MaxPooling2D MaxPooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D""",
    Op.RESIZE: "UpSampling1D UpSampling2D UpSampling3D",
    Op.FLATTEN: "Flatten",
    Op.RESHAPE: "Reshape",
    Op.TRANSPOSE: "Permute",
    Op.REPEAT: "RepeatVector",
    Op.SLICE: "Cropping1D Cropping2D Cropping3D",
    Op.PAD: "ZeroPadding1D ZeroPadding2D ZeroPadding3D",
    Op.CONCATENATE: "Concatenate",
    Op.FOURIER_TRANSFORM: "STFTSpectrogram MelSpectrogram",
}

_OPERATORS: dict[Op, str] = {
    Op.ADD: "Add AddV2 AddN BiasAdd",
    Op.SUBTRACT: "Sub Subtract",
    Op.MULTIPLY: "Mul Multiply",
    Op.DIVIDE: "Div RealDiv Divide TrueDivide DivNoNan Xdivy",
    Op.FLOOR_DIVIDE: "FloorDiv FloorDivide",
    Op.MODULO: "Mod",
    Op.POWER: "Pow Power",
    Op.NEGATE: "Neg Negative",
    Op.ABSOLUTE: "Abs Absolute",
    Op.SIGN: "Sign",
    Op.EXP: "Exp Expm1",
    Op.LOG: "Log Log1p",
    Op.SQUARE_ROOT: "Sqrt",
    Op.RECIPROCAL_SQUARE_ROOT: "Rsqrt",
    Op.SQUARE: "Square SquaredDifference",
    Op.RECIPROCAL: "Reciprocal",
    Op.TRIGONOMETRIC: "Sin Cos Tan",
    Op.TANH: "Tanh",
    Op.SIGMOID: "Sigmoid HardSigmoid",
    Op.RELU: "Relu Relu6 LeakyRelu",
    Op.ACTIVATION: "Elu Selu Gelu Silu Softsign Swish",
    Op.SOFTPLUS: "Softplus",
    Op.ERF: "Erf",
    Op.MAXIMUM: "Maximum",
    Op.MINIMUM: "Minimum",
    Op.EQUAL: "Equal",
    Op.NOT_EQUAL: "NotEqual",
    Op.GREATER: "Greater",
    Op.GREATER_OR_EQUAL: "GreaterEqual",
    Op.LESS: "Less",
    Op.LESS_OR_EQUAL: "LessEqual",
    Op.AND: "LogicalAnd",
    Op.OR: "LogicalOr",
    Op.XOR: "LogicalXor",
    Op.NOT: "LogicalNot",
    Op.BITWISE_NOT: "Invert",
    Op.WHERE: "Select SelectV2 Where",
    Op.CAST: "Cast",
    Op.CLIP: "Clip ClipByValue",
    Op.IDENTITY: "Identity Copy StopGradient",
    Op.ROUND: "Round Rint",
    Op.FLOOR: "Floor",
    Op.CEIL: "Ceil",
    Op.IS_NAN: "Isnan IsNan",
    Op.IS_INFINITE: "IsInf Isinf",
    Op.IS_FINITE: "Isfinite IsFinite",
    Op.ONE_HOT: "OneHot",
    Op.MATMUL: "MatMul Matmul BatchMatMul BatchMatMulV2 BatchMatMulV3 Dot Tensordot",
    Op.EINSUM: "Einsum",
    Op.SOFTMAX: "Softmax",
    Op.LOG_SOFTMAX: "LogSoftmax",
    Op.ATTENTION: "DotProductAttention",
    Op.MEAN: "Mean Average",
    Op.SUM: "Sum",
    Op.MAX: "Max Amax",
    Op.MIN: "Min Amin",
    Op.PRODUCT: "Prod",
    Op.ALL: "All",
    Op.ANY: "Any",
    Op.VARIANCE: "Var",
    Op.STANDARD_DEVIATION: "Std",
    Op.LOG_SUM_EXP: "Logsumexp",
    Op.ARGMAX: "ArgMax Argmax",
    Op.ARGMIN: "ArgMin Argmin",
    Op.NORM: "EuclideanNorm Norm L2Loss",
    Op.MEDIAN: "Median",
    Op.BATCH_NORM: "FusedBatchNorm FusedBatchNormV3",
    Op.LAYER_NORM: "LayerNorm LayerNormalization",
    Op.RMS_NORM: "RMSNorm RmsNormalization",
    Op.LP_NORM: "Normalize",
    Op.CONVOLUTION: "Conv Conv1D Conv2D Conv3D SeparableConv",
    Op.DEPTHWISE_CONVOLUTION: "DepthwiseConv DepthwiseConv2dNative",
    Op.TRANSPOSED_CONVOLUTION: "ConvTranspose",
    Op.MAX_POOL: "MaxPool MaxPool3D",
    Op.AVERAGE_POOL: "AvgPool AvgPool3D AveragePool",
    Op.WINDOW: "ExtractPatches ExtractImagePatches",
    Op.CUMULATIVE_SUM: "Cumsum",
    Op.CUMULATIVE: "Cumprod CumulativeLogsumexp",
    Op.LOOP: "Scan While StatelessWhile WhileLoop AssociativeScan",
    Op.FOURIER_TRANSFORM: "FFT IFFT RFFT IRFFT FFT2D STFT ISTFT FFT2",
    Op.SLICE: "GetItem Slice StridedSlice",
    Op.GATHER: "Gather GatherV2 GatherNd Take TakeAlongAxis",
    Op.SPLIT: "Split SplitV Unpack Unstack",
    Op.FLIP: "ReverseV2 Flip",
    Op.REVERSE_SEQUENCE: "ReverseSequence",
    Op.ROLL: "Roll",
    Op.RESHAPE: "Reshape",
    Op.FLATTEN: "Ravel",
    Op.TRANSPOSE: "Transpose Swapaxes Moveaxis",
    Op.UNSQUEEZE: "ExpandDims",
    Op.SQUEEZE: "Squeeze",
    Op.REPEAT: "Tile Repeat",
    Op.EXPAND: "BroadcastTo",
    Op.CONCATENATE: "Concat ConcatV2 Concatenate Hstack Vstack",
    Op.STACK: "Stack Pack",
    Op.PAD: "Pad PadV2 MirrorPad",
    Op.TOP_K: "TopK TopKV2",
    Op.SORT: "Sort Argsort",
    Op.UNIQUE: "Unique UniqueV2",
    Op.NON_ZERO: "NonZero Nonzero",
    Op.SCATTER: "ScatterNd TensorScatterUpdate SegmentSum",
    Op.ROUTING: "DynamicPartition NonMaxSuppressionV3",
    Op.SHAPE: "Shape ShapeN Size Rank",
    Op.CONSTANT: "Fill",
    Op.CONSTANT_LIKE: "ZerosLike OnesLike",
    Op.RANGE: "Range Arange",
    Op.SUBGRAPH: "If StatelessIf PartitionedCall StatefulPartitionedCall Cond Map VectorizedMap",
}


_DRAWS = ("Random", "Multinomial", "TruncatedNormal")
"""Parts of the names of operators that draw random numbers."""


def _table(source: dict[Op, str]) -> dict[str, Op]:
    return {name: operation for operation, names in source.items() for name in names.split()}


LAYERS = _table(_LAYERS)
OPERATORS = _table(_OPERATORS)

_STEPWISE = (Kind.MATMUL, Kind.ELEMENTWISE, Kind.EMBEDDING)
"""Kinds of layers that may be applied step by step without a loop over steps."""


def operator_operation(operator: str) -> Op:
    """Translate a TensorFlow operator or the class name of a Keras operation."""
    return OPERATORS.get(operator) or (Op.RANDOM if any(part in operator for part in _DRAWS) else Op.OTHER)


def layer_operation(layer: Any) -> Op:
    """Translate a layer, looking at its class and the classes it derives from.

    An activation is what it computes; a wrapper that runs a layer both ways is that layer, and so is one that applies a
    layer step by step, unless that layer works along a sequence of its own.
    """
    activation = _activation(layer)
    if activation is not None:
        return _ACTIVATIONS.get(activation, Op.ACTIVATION)
    if type(layer).__name__ == "TimeDistributed":
        inner = layer_operation(layer.layer)
        return inner if inner.kind in _STEPWISE else Op.SUBGRAPH
    if type(layer).__name__ == "Bidirectional":
        inner = layer_operation(layer.forward_layer)
        return inner if inner.kind is Kind.RECURRENT else Op.RNN
    return next((LAYERS[c.__name__] for c in type(layer).__mro__ if c.__name__ in LAYERS), Op.OTHER)


_ACTIVATIONS = {
    "softmax": Op.SOFTMAX,
    "log_softmax": Op.LOG_SOFTMAX,
    "sigmoid": Op.SIGMOID,
    "hard_sigmoid": Op.SIGMOID,
    "tanh": Op.TANH,
    "softplus": Op.SOFTPLUS,
    "relu": Op.RELU,
    "exponential": Op.EXP,
}


def _activation(layer: Any) -> str | None:
    if type(layer).__name__ != "Activation":
        return None
    return getattr(getattr(layer, "activation", None), "__name__", "")
