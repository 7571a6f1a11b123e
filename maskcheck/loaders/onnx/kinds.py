"""Every ONNX operator in the words all frameworks share."""

from __future__ import annotations

from maskcheck.core.trace import OperationKind as Kind
from maskcheck.loaders.onnx.graph import OnnxNode

_BY_KIND: dict[Kind, str] = {
    Kind.ELEMENTWISE: """
        Abs Acos Acosh Add And Asin Asinh Atan Atanh BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast
        CastLike Ceil Celu Clip Cos Cosh Div Dropout Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid
        HardSwish IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not OneHot Or PRelu Pow
        Reciprocal Relu RotaryEmbedding Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum SwiGLU
        Swish Tan Tanh ThresholdedRelu Trilu Where Xor DequantizeLinear Affine ImageScaler ParametricSoftplus Scale
        ScaledTanh""",
    Kind.MATMUL: "MatMul Gemm Einsum MatMulInteger QLinearMatMul Det",
    Kind.SOFTMAX: "Softmax LogSoftmax Hardmax",
    Kind.ATTENTION: "Attention LinearAttention",
    Kind.REDUCE_MEAN: "ReduceMean GlobalAveragePool",
    Kind.REDUCE_SUM: "ReduceSum",
    Kind.REDUCE_MAX: "ReduceMax GlobalMaxPool",
    Kind.REDUCE_OTHER: """
        ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare ArgMax ArgMin GlobalLpPool
        NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss""",
    Kind.NORMALIZATION: """
        BatchNormalization GroupNormalization InstanceNormalization LayerNormalization LpNormalization LRN
        MeanVarianceNormalization RMSNormalization SimplifiedLayerNormalization""",
    Kind.CONVOLUTION: "Conv ConvTranspose ConvInteger QLinearConv DeformConv CausalConvWithState",
    Kind.WINDOW: "AveragePool MaxPool LpPool MaxRoiPool MaxUnpool RoiAlign Resize Upsample GridSample AffineGrid",
    Kind.RECURRENT: "LSTM GRU RNN",
    Kind.SCAN: "CumSum CumProd",
    Kind.FOURIER: "DFT STFT",
    Kind.INDEX: "Gather GatherElements GatherND Slice Split SequenceAt ReverseSequence Crop DynamicSlice",
    Kind.LAYOUT: """
        Reshape Transpose Expand Squeeze Unsqueeze Flatten Identity Tile DepthToSpace SpaceToDepth Col2Im
        SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SplitToSequence Optional OptionalGetElement
        OptionalHasElement""",
    Kind.CONCATENATE: "Concat ConcatFromSequence StringConcat",
    Kind.PAD: "Pad CenterCropPad",
    Kind.QUANTIZE: "DynamicQuantizeLinear",
    Kind.STATIC_QUANTIZE: "QuantizeLinear",
    Kind.ROUTING: "TopK NonZero Scatter ScatterElements ScatterND TensorScatter Unique Compress NonMaxSuppression",
    Kind.RANDOM: "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Bernoulli Multinomial",
    Kind.SHAPE: "Shape Size SequenceLength",
    Kind.SUBGRAPH: "If SequenceMap",
    Kind.OTHER: """
        Constant ConstantOfShape EyeLike Range BlackmanWindow HammingWindow HannWindow MelWeightMatrix ImageDecoder
        RegexFullMatch StringNormalizer StringSplit TfIdfVectorizer""",
}

_CONTRIB: dict[Kind, str] = {
    Kind.ATTENTION: """
        Attention MultiHeadAttention GroupQueryAttention PackedAttention PackedMultiHeadAttention QAttention
        QOrderedAttention DecoderAttention DecoderMaskedMultiHeadAttention DecoderMaskedSelfAttention
        LongformerAttention QOrderedLongformerAttention SparseAttention PagedAttention LinearAttention""",
    Kind.EMBEDDING: "EmbedLayerNormalization QEmbedLayerNormalization GatherBlockQuantized",
    Kind.NORMALIZATION: """
        SkipLayerNormalization LayerNormalization SimplifiedLayerNormalization SkipSimplifiedLayerNormalization
        RMSNormalization GroupNorm SkipGroupNorm BranchwiseRMSNorm GatedRMSNorm QOrderedLayerNormalization""",
    Kind.MATMUL: """
        FusedMatMul TransposeMatMul MatMulNBits MatMulBnb4 MatMulFpQ4 MatMulInteger16 MatMulIntegerToFloat FusedGemm
        GemmFastGelu GemmFloat8 QGemm QOrderedMatMul SparseToDenseMatMul MatMulNBitsMlp MatMulNBitsQkv""",
    Kind.QUANTIZE: "DynamicQuantizeMatMul DynamicQuantizeLSTM",
    Kind.STATIC_QUANTIZE: "QuantizeLinear QuantizeWithOrder",
    Kind.ELEMENTWISE: """
        Gelu BiasGelu FastGelu QuickGelu QOrderedGelu BiasAdd BiasSplitGelu BiasDropout BitmaskDropout
        BitmaskBiasDropout DequantizeLinear DequantizeWithOrder QLinearAdd QLinearMul QLinearLeakyRelu
        QLinearSigmoid QLinearWhere RotaryEmbedding GemmaRotaryEmbedding MRotaryEmbedding DynamicRotary
        ScaledSiLU GatedAdd Trilu Inverse LinearAttentionGate EngramGate""",
    Kind.SOFTMAX: "BiasSoftmax QLinearSoftmax",
    Kind.REDUCE_MEAN: "QLinearGlobalAveragePool QLinearReduceMean",
    Kind.CONVOLUTION: """
        FusedConv NhwcConv NhwcFusedConv QLinearConv ConvTransposeWithDynamicPads CausalConvWithState
        WordConvEmbedding""",
    Kind.WINDOW: "NhwcMaxPool MaxpoolWithMask QLinearAveragePool CropAndResize GridSample",
    Kind.RECURRENT: "AttnLSTM",
    Kind.ROUTING: "MoE QMoE Unique BifurcationDetector NGramRepeatBlock RemovePadding RestorePadding",
    Kind.FOURIER: "Rfft Irfft ComplexMul ComplexMulConj",
    Kind.INDEX: "GatherND DynamicSlice",
    Kind.LAYOUT: "ExpandDims UnfoldTensor",
    Kind.CONCATENATE: "QLinearConcat",
    Kind.PAD: "Pad",
    Kind.SUBGRAPH: "BeamSearch GreedySearch Sampling WhisperBeamSearch",
}


def _table(source: dict[Kind, str]) -> dict[str, Kind]:
    return {op: kind for kind, names in source.items() for op in names.split()}


STANDARD = _table(_BY_KIND)
CONTRIB = _table(_CONTRIB)


def kind_of(node: OnnxNode, *, table_lookup: bool = False, training: bool = False, over_time: bool = False) -> Kind:
    """Translate the operator of ``node``.

    Args:
        table_lookup: the node picks rows of a constant table by integers that depend on the inputs.
        training: a ``Dropout`` node that is switched on by a constant.
        over_time: a node whose subgraph runs once per step.
    """
    if node.is_function:
        return Kind.SUBGRAPH
    if not node.default:
        return CONTRIB.get(node.op, Kind.OTHER) if node.domain.startswith("com.microsoft") else Kind.OTHER
    if node.op in ("Loop", "Scan"):
        return Kind.SCAN if over_time else Kind.SUBGRAPH
    if node.op == "Gather" and table_lookup:
        return Kind.EMBEDDING
    if node.op == "Dropout" and training:
        return Kind.RANDOM
    return STANDARD.get(node.op, Kind.OTHER)
