"""Every ONNX operator in the words all frameworks share."""

from __future__ import annotations

from maskcheck.ir.operation import Operation as Op
from maskcheck.loaders.onnx.graph import OnnxNode

_STANDARD: dict[Op, str] = {
    Op.ADD: "Add",
    Op.SUBTRACT: "Sub",
    Op.MULTIPLY: "Mul",
    Op.DIVIDE: "Div",
    Op.MODULO: "Mod",
    Op.POWER: "Pow",
    Op.MAXIMUM: "Max",
    Op.MINIMUM: "Min",
    Op.EQUAL: "Equal",
    Op.LESS: "Less",
    Op.LESS_OR_EQUAL: "LessOrEqual",
    Op.GREATER: "Greater",
    Op.GREATER_OR_EQUAL: "GreaterOrEqual",
    Op.IS_NAN: "IsNaN",
    Op.IS_INFINITE: "IsInf",
    Op.AND: "And",
    Op.OR: "Or",
    Op.XOR: "Xor",
    Op.NOT: "Not",
    Op.BITWISE_NOT: "BitwiseNot",
    Op.BITWISE: "BitShift BitwiseAnd BitwiseOr BitwiseXor",
    Op.WHERE: "Where",
    Op.TRIANGLE: "Trilu",
    Op.CAST: "Cast CastLike BitCast",
    Op.NEGATE: "Neg",
    Op.ABSOLUTE: "Abs",
    Op.SIGN: "Sign",
    Op.EXP: "Exp",
    Op.LOG: "Log",
    Op.SQUARE_ROOT: "Sqrt",
    Op.RECIPROCAL: "Reciprocal",
    Op.ROUND: "Round",
    Op.FLOOR: "Floor",
    Op.CEIL: "Ceil",
    Op.CLIP: "Clip",
    Op.TRIGONOMETRIC: "Acos Acosh Asin Asinh Atan Atanh Cos Cosh Sin Sinh Tan",
    Op.ERF: "Erf",
    Op.SIGMOID: "Sigmoid HardSigmoid",
    Op.TANH: "Tanh ScaledTanh",
    Op.SOFTPLUS: "Softplus ParametricSoftplus",
    Op.RELU: "Relu LeakyRelu PRelu ThresholdedRelu",
    Op.ACTIVATION: "Celu Elu Gelu HardSwish Mish Selu Shrink Softsign Swish",
    Op.GLU: "SwiGLU",
    Op.DROPOUT: "Dropout",
    Op.ONE_HOT: "OneHot",
    Op.ROTARY: "RotaryEmbedding",
    Op.DEQUANTIZE: "DequantizeLinear",
    Op.ELEMENTWISE: "Mean Sum Affine ImageScaler Scale",
    Op.MATMUL: "MatMul MatMulInteger QLinearMatMul Det",
    Op.LINEAR: "Gemm",
    Op.EINSUM: "Einsum",
    Op.SOFTMAX: "Softmax Hardmax",
    Op.LOG_SOFTMAX: "LogSoftmax",
    Op.ATTENTION: "Attention",
    Op.LINEAR_ATTENTION: "LinearAttention",
    Op.MEAN: "ReduceMean GlobalAveragePool",
    Op.SUM: "ReduceSum",
    Op.MAX: "ReduceMax GlobalMaxPool",
    Op.MIN: "ReduceMin",
    Op.PRODUCT: "ReduceProd",
    Op.NORM: "ReduceL1 ReduceL2 GlobalLpPool",
    Op.SUM_OF_SQUARES: "ReduceSumSquare",
    Op.LOG_SUM: "ReduceLogSum",
    Op.LOG_SUM_EXP: "ReduceLogSumExp",
    Op.ARGMAX: "ArgMax",
    Op.ARGMIN: "ArgMin",
    Op.LOSS: "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    Op.BATCH_NORM: "BatchNormalization",
    Op.GROUP_NORM: "GroupNormalization",
    Op.INSTANCE_NORM: "InstanceNormalization",
    Op.LAYER_NORM: "LayerNormalization",
    Op.RMS_NORM: "RMSNormalization SimplifiedLayerNormalization",
    Op.LP_NORM: "LpNormalization",
    Op.NORMALIZATION: "LRN MeanVarianceNormalization",
    Op.CONVOLUTION: "Conv ConvInteger QLinearConv DeformConv CausalConvWithState",
    Op.TRANSPOSED_CONVOLUTION: "ConvTranspose",
    Op.AVERAGE_POOL: "AveragePool LpPool",
    Op.MAX_POOL: "MaxPool MaxRoiPool",
    Op.RESIZE: "Resize Upsample",
    Op.WINDOW: "MaxUnpool RoiAlign GridSample AffineGrid",
    Op.LSTM: "LSTM",
    Op.GRU: "GRU",
    Op.RNN: "RNN",
    Op.CUMULATIVE_SUM: "CumSum",
    Op.CUMULATIVE: "CumProd",
    Op.FOURIER_TRANSFORM: "DFT STFT",
    Op.GATHER: "Gather GatherElements GatherND SequenceAt",
    Op.SLICE: "Slice Crop DynamicSlice",
    Op.SPLIT: "Split",
    Op.REVERSE_SEQUENCE: "ReverseSequence",
    Op.RESHAPE: "Reshape",
    Op.FLATTEN: "Flatten",
    Op.TRANSPOSE: "Transpose",
    Op.EXPAND: "Expand",
    Op.REPEAT: "Tile",
    Op.SQUEEZE: "Squeeze",
    Op.UNSQUEEZE: "Unsqueeze",
    Op.IDENTITY: "Identity",
    Op.LAYOUT: """
        DepthToSpace SpaceToDepth Col2Im SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SplitToSequence
        Optional OptionalGetElement OptionalHasElement""",
    Op.CONCATENATE: "Concat ConcatFromSequence StringConcat",
    Op.PAD: "Pad CenterCropPad",
    Op.DYNAMIC_QUANTIZE: "DynamicQuantizeLinear",
    Op.QUANTIZE: "QuantizeLinear",
    Op.TOP_K: "TopK",
    Op.NON_ZERO: "NonZero",
    Op.UNIQUE: "Unique",
    Op.SCATTER: "Scatter ScatterElements ScatterND TensorScatter",
    Op.ROUTING: "Compress NonMaxSuppression",
    Op.RANDOM: "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial",
    Op.SHAPE: "Shape Size SequenceLength",
    Op.SUBGRAPH: "If SequenceMap",
    Op.CONSTANT: "Constant ConstantOfShape BlackmanWindow HammingWindow HannWindow MelWeightMatrix",
    Op.CONSTANT_LIKE: "EyeLike",
    Op.RANGE: "Range",
    Op.OTHER: "ImageDecoder RegexFullMatch StringNormalizer StringSplit TfIdfVectorizer",
}

_CONTRIB: dict[Op, str] = {
    Op.ATTENTION: """
        Attention MultiHeadAttention GroupQueryAttention PackedAttention PackedMultiHeadAttention QAttention
        QOrderedAttention DecoderAttention DecoderMaskedMultiHeadAttention DecoderMaskedSelfAttention
        LongformerAttention QOrderedLongformerAttention SparseAttention PagedAttention""",
    Op.LINEAR_ATTENTION: "LinearAttention",
    Op.EMBEDDING_NORM: "EmbedLayerNormalization QEmbedLayerNormalization",
    Op.EMBEDDING: "GatherBlockQuantized",
    Op.LAYER_NORM: "SkipLayerNormalization LayerNormalization QOrderedLayerNormalization",
    Op.RMS_NORM: """
        SimplifiedLayerNormalization SkipSimplifiedLayerNormalization RMSNormalization BranchwiseRMSNorm
        GatedRMSNorm""",
    Op.GROUP_NORM: "GroupNorm SkipGroupNorm",
    Op.MATMUL: """
        FusedMatMul TransposeMatMul MatMulNBits MatMulBnb4 MatMulFpQ4 MatMulInteger16 MatMulIntegerToFloat
        QOrderedMatMul SparseToDenseMatMul MatMulNBitsMlp MatMulNBitsQkv""",
    Op.LINEAR: "FusedGemm GemmFastGelu GemmFloat8 QGemm",
    Op.DYNAMIC_LINEAR: "DynamicQuantizeMatMul",
    Op.DYNAMIC_LSTM: "DynamicQuantizeLSTM",
    Op.QUANTIZE: "QuantizeLinear QuantizeWithOrder",
    Op.ADD: "BiasAdd QLinearAdd",
    Op.MULTIPLY: "QLinearMul",
    Op.WHERE: "QLinearWhere",
    Op.SIGMOID: "QLinearSigmoid",
    Op.RELU: "QLinearLeakyRelu",
    Op.ACTIVATION: "Gelu BiasGelu FastGelu QuickGelu QOrderedGelu ScaledSiLU",
    Op.GLU: "BiasSplitGelu",
    Op.DROPOUT: "BiasDropout BitmaskDropout BitmaskBiasDropout",
    Op.DEQUANTIZE: "DequantizeLinear DequantizeWithOrder",
    Op.ROTARY: "RotaryEmbedding GemmaRotaryEmbedding MRotaryEmbedding DynamicRotary",
    Op.TRIANGLE: "Trilu",
    Op.ELEMENTWISE: "GatedAdd Inverse LinearAttentionGate EngramGate",
    Op.SOFTMAX: "BiasSoftmax QLinearSoftmax",
    Op.MEAN: "QLinearGlobalAveragePool QLinearReduceMean",
    Op.CONVOLUTION: """
        FusedConv NhwcConv NhwcFusedConv QLinearConv CausalConvWithState WordConvEmbedding""",
    Op.TRANSPOSED_CONVOLUTION: "ConvTransposeWithDynamicPads",
    Op.MAX_POOL: "NhwcMaxPool MaxpoolWithMask",
    Op.AVERAGE_POOL: "QLinearAveragePool",
    Op.WINDOW: "CropAndResize GridSample",
    Op.LSTM: "AttnLSTM",
    Op.EXPERTS: "MoE QMoE",
    Op.UNIQUE: "Unique",
    Op.ROUTING: "BifurcationDetector NGramRepeatBlock RemovePadding RestorePadding",
    Op.FOURIER_TRANSFORM: "Rfft Irfft ComplexMul ComplexMulConj",
    Op.GATHER: "GatherND",
    Op.SLICE: "DynamicSlice",
    Op.UNSQUEEZE: "ExpandDims",
    Op.UNFOLD: "UnfoldTensor",
    Op.CONCATENATE: "QLinearConcat",
    Op.PAD: "Pad",
    Op.SUBGRAPH: "BeamSearch GreedySearch Sampling WhisperBeamSearch",
}


def _table(source: dict[Op, str]) -> dict[str, Op]:
    return {operator: operation for operation, names in source.items() for operator in names.split()}


STANDARD = _table(_STANDARD)
CONTRIB = _table(_CONTRIB)


def operation_of(node: OnnxNode, *, table_lookup: bool = False, training: bool = False, over_time: bool = False) -> Op:
    """Translate the operator of ``node``.

    Args:
        table_lookup: the node picks rows of a constant table by integers that depend on the inputs.
        training: a ``Dropout`` node that is switched on by a constant.
        over_time: a node whose subgraph runs once per step.
    """
    if node.is_function:
        return Op.SUBGRAPH
    if not node.default:
        return CONTRIB.get(node.op, Op.OTHER) if node.domain.startswith("com.microsoft") else Op.OTHER
    if node.op in ("Loop", "Scan"):
        return Op.LOOP if over_time else Op.SUBGRAPH
    if node.op == "Gather" and table_lookup:
        return Op.EMBEDDING
    if node.op == "Dropout" and training:
        return Op.RANDOM
    return STANDARD.get(node.op, Op.OTHER)
