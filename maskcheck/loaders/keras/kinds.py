"""Keras layers, Keras operations and TensorFlow operators in the words all frameworks share."""

from __future__ import annotations

from typing import Any

from maskcheck.core.trace import OperationKind as Kind

_LAYERS: dict[Kind, str] = {
    Kind.EMBEDDING: "Embedding ReversibleEmbedding",
    Kind.ELEMENTWISE: """
        Masking Activation ReLU LeakyReLU PReLU ELU Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D
        GaussianDropout GaussianNoise AlphaDropout ActivityRegularization Identity Rescaling Normalization Add Subtract
        Multiply Average Maximum Minimum""",
    Kind.MATMUL: "Dense EinsumDense Dot",
    Kind.SOFTMAX: "Softmax",
    Kind.ATTENTION: "MultiHeadAttention GroupQueryAttention GroupedQueryAttention Attention AdditiveAttention",
    Kind.RECURRENT: "LSTM GRU SimpleRNN RNN Bidirectional ConvLSTM1D ConvLSTM2D ConvLSTM3D",
    Kind.NORMALIZATION: """
        LayerNormalization BatchNormalization GroupNormalization RMSNormalization UnitNormalization
        SyncBatchNormalization""",
    Kind.CONVOLUTION: """
        Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose SeparableConv1D SeparableConv2D
        DepthwiseConv1D DepthwiseConv2D""",
    Kind.REDUCE_MEAN: "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D",
    Kind.REDUCE_MAX: "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D",
    Kind.WINDOW: """
        AveragePooling1D AveragePooling2D AveragePooling3D MaxPooling1D MaxPooling2D MaxPooling3D
        AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D
        AdaptiveMaxPooling2D AdaptiveMaxPooling3D UpSampling1D UpSampling2D UpSampling3D""",
    Kind.LAYOUT: "Flatten Reshape Permute RepeatVector",
    Kind.INDEX: "Cropping1D Cropping2D Cropping3D",
    Kind.PAD: "ZeroPadding1D ZeroPadding2D ZeroPadding3D",
    Kind.CONCATENATE: "Concatenate",
    Kind.FOURIER: "STFTSpectrogram MelSpectrogram",
}

_OPERATORS: dict[Kind, str] = {
    Kind.ELEMENTWISE: """
        Add AddV2 AddN Sub Subtract Mul Multiply Div RealDiv Divide TrueDivide DivNoNan FloorDiv FloorDivide Mod Pow
        Power Neg Negative Abs Absolute Sign Exp Log Log1p Expm1 Sqrt Rsqrt Square SquaredDifference Reciprocal Sin Cos
        Tan Tanh Sigmoid Relu Relu6 Elu Selu Gelu Silu Softplus Softsign LeakyRelu Erf Maximum Minimum Equal NotEqual
        Greater GreaterEqual Less LessEqual LogicalAnd LogicalOr LogicalNot Select SelectV2 Where Cast Clip ClipByValue
        Identity Copy StopGradient ZerosLike OnesLike Round Floor Ceil Isnan Isfinite Swish HardSigmoid OneHot""",
    Kind.MATMUL: "MatMul Matmul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum Dot Tensordot",
    Kind.SOFTMAX: "Softmax LogSoftmax",
    Kind.ATTENTION: "DotProductAttention",
    Kind.REDUCE_MEAN: "Mean Average",
    Kind.REDUCE_SUM: "Sum",
    Kind.REDUCE_MAX: "Max Amax",
    Kind.REDUCE_OTHER: """
        Min Amin Prod All Any Var Std Logsumexp ArgMax ArgMin Argmax Argmin EuclideanNorm Norm L2Loss Median""",
    Kind.NORMALIZATION: """
        FusedBatchNorm FusedBatchNormV3 LayerNorm RMSNorm RmsNormalization LayerNormalization Normalize""",
    Kind.CONVOLUTION: "Conv Conv1D Conv2D Conv3D DepthwiseConv DepthwiseConv2dNative SeparableConv ConvTranspose",
    Kind.WINDOW: "MaxPool AvgPool MaxPool3D AvgPool3D AveragePool ExtractPatches ExtractImagePatches",
    Kind.SCAN: "Cumsum Cumprod CumulativeLogsumexp Scan While StatelessWhile AssociativeScan",
    Kind.FOURIER: "FFT IFFT RFFT IRFFT FFT2D STFT ISTFT FFT2",
    Kind.INDEX: """
        GetItem Slice StridedSlice Gather GatherV2 GatherNd Take TakeAlongAxis Split SplitV Unpack Unstack ReverseV2
        Flip ReverseSequence""",
    Kind.LAYOUT: "Reshape Transpose ExpandDims Squeeze Tile BroadcastTo Repeat Pack Swapaxes Moveaxis Ravel",
    Kind.CONCATENATE: "Concat ConcatV2 Concatenate Stack Hstack Vstack",
    Kind.PAD: "Pad PadV2 MirrorPad Roll",
    Kind.ROUTING: """
        TopK TopKV2 Sort Argsort Unique NonZero Nonzero ScatterNd TensorScatterUpdate SegmentSum DynamicPartition""",
    Kind.RANDOM: "RandomUniform RandomStandardNormal StatelessRandomUniformV2 StatelessRandomNormalV2",
    Kind.SHAPE: "Shape ShapeN Size Rank",
    Kind.SUBGRAPH: "If StatelessIf PartitionedCall StatefulPartitionedCall Cond WhileLoop Map VectorizedMap",
}


SIZES = frozenset({"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"})
"""Operators that read nothing of a tensor but its shape."""


def _table(source: dict[Kind, str]) -> dict[str, Kind]:
    return {name: kind for kind, names in source.items() for name in names.split()}


LAYERS = _table(_LAYERS)
OPERATORS = _table(_OPERATORS)


def operator_kind(operation: str) -> Kind:
    """Translate a TensorFlow operator or the class name of a Keras operation."""
    return OPERATORS.get(operation, Kind.OTHER)


def layer_kind(layer: Any) -> Kind:
    """Translate a layer, looking at its class and the classes it derives from.

    An activation is what it computes; a wrapper that applies a layer step by step is what it applies, unless that layer
    works along a sequence of its own.
    """
    if _activation(layer) in ("softmax", "log_softmax"):
        return Kind.SOFTMAX
    if type(layer).__name__ == "TimeDistributed":
        inner = layer_kind(layer.layer)
        return inner if inner in (Kind.MATMUL, Kind.ELEMENTWISE, Kind.EMBEDDING) else Kind.SUBGRAPH
    return next((LAYERS[c.__name__] for c in type(layer).__mro__ if c.__name__ in LAYERS), Kind.OTHER)


def _activation(layer: Any) -> str | None:
    function = getattr(layer, "activation", None) if type(layer).__name__ == "Activation" else None
    return getattr(function, "__name__", None)
