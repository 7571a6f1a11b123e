"""What an operation does, in words shared by all frameworks. Loaders translate their operators into these."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What an operation does to a sequence: the coarse view of ``Operation``."""

    ELEMENTWISE = "elementwise"  # arithmetic, activations, casts, comparisons, selection: position by position
    MATMUL = "matmul"  # matrix products, dense layers, einsum
    SOFTMAX = "softmax"  # normalises along an axis
    ATTENTION = "attention"  # a fused attention operator
    REDUCE_MEAN = "reduce-mean"
    REDUCE_SUM = "reduce-sum"
    REDUCE_MAX = "reduce-max"
    REDUCE_OTHER = "reduce-other"  # minima, products, norms, argmax, logsumexp along axes
    NORMALIZATION = "normalization"  # layer, batch, instance, group normalisation as one operator
    CONVOLUTION = "convolution"
    WINDOW = "window"  # strided pooling, resizing
    RECURRENT = "recurrent"  # LSTM, GRU, RNN
    SCAN = "scan"  # cumulative sums, loops and scans over time, state-space scans
    FOURIER = "fourier"
    EMBEDDING = "embedding"  # rows of a table picked by integer input
    INDEX = "index"  # gather, slice, split: picks positions
    LAYOUT = "layout"  # reshape, transpose, expand, squeeze: moves values, computes none
    CONCATENATE = "concatenate"
    PAD = "pad"
    QUANTIZE = "quantize"  # quantises activations with a scale measured on the run's own data
    STATIC_QUANTIZE = "static-quantize"  # quantises with a constant scale
    ROUTING = "routing"  # top-k, scatter, sort, non-zero: positions chosen by data
    RANDOM = "random"  # dropout left on, sampling
    SHAPE = "shape"  # sizes of tensors
    SUBGRAPH = "subgraph"  # If, Loop, Scan, a function call: opaque inside
    OTHER = "other"


class Operation(StrEnum):
    """One operation. ``kind`` is what it does to a sequence."""

    kind: Kind

    def __new__(cls, value: str, kind: Kind = Kind.OTHER) -> Operation:
        member = str.__new__(cls, value)
        member._value_ = value
        member.kind = kind
        return member

    # Arithmetic of two operands.
    ADD = "add", Kind.ELEMENTWISE
    SUBTRACT = "subtract", Kind.ELEMENTWISE
    MULTIPLY = "multiply", Kind.ELEMENTWISE
    DIVIDE = "divide", Kind.ELEMENTWISE
    FLOOR_DIVIDE = "floor-divide", Kind.ELEMENTWISE
    MODULO = "modulo", Kind.ELEMENTWISE
    POWER = "power", Kind.ELEMENTWISE
    MAXIMUM = "maximum", Kind.ELEMENTWISE  # of two tensors, position by position
    MINIMUM = "minimum", Kind.ELEMENTWISE
    MULTIPLY_ADD = "multiply-add", Kind.ELEMENTWISE  # addcmul, lerp
    DIVIDE_ADD = "divide-add", Kind.ELEMENTWISE  # addcdiv

    # Comparisons, logic, selection.
    EQUAL = "equal", Kind.ELEMENTWISE
    NOT_EQUAL = "not-equal", Kind.ELEMENTWISE
    LESS = "less", Kind.ELEMENTWISE
    LESS_OR_EQUAL = "less-or-equal", Kind.ELEMENTWISE
    GREATER = "greater", Kind.ELEMENTWISE
    GREATER_OR_EQUAL = "greater-or-equal", Kind.ELEMENTWISE
    IS_NAN = "is-nan", Kind.ELEMENTWISE
    IS_INFINITE = "is-infinite", Kind.ELEMENTWISE
    IS_FINITE = "is-finite", Kind.ELEMENTWISE
    AND = "and", Kind.ELEMENTWISE
    OR = "or", Kind.ELEMENTWISE
    XOR = "xor", Kind.ELEMENTWISE
    NOT = "not", Kind.ELEMENTWISE  # of truth values
    BITWISE_NOT = "bitwise-not", Kind.ELEMENTWISE  # of whatever it is given: of integers it is no negation
    BITWISE = "bitwise", Kind.ELEMENTWISE  # and, or, xor, shifts of bits
    WHERE = "where", Kind.ELEMENTWISE  # chooses between two values by a condition; masked_fill as well
    TRIANGLE = "triangle", Kind.ELEMENTWISE  # keeps the upper or lower triangle

    # One operand.
    CAST = "cast", Kind.ELEMENTWISE
    NEGATE = "negate", Kind.ELEMENTWISE
    ABSOLUTE = "absolute", Kind.ELEMENTWISE
    SIGN = "sign", Kind.ELEMENTWISE
    EXP = "exp", Kind.ELEMENTWISE
    LOG = "log", Kind.ELEMENTWISE
    SQUARE_ROOT = "square-root", Kind.ELEMENTWISE
    RECIPROCAL_SQUARE_ROOT = "reciprocal-square-root", Kind.ELEMENTWISE
    SQUARE = "square", Kind.ELEMENTWISE
    RECIPROCAL = "reciprocal", Kind.ELEMENTWISE
    ROUND = "round", Kind.ELEMENTWISE
    FLOOR = "floor", Kind.ELEMENTWISE
    CEIL = "ceil", Kind.ELEMENTWISE
    CLIP = "clip", Kind.ELEMENTWISE
    TRIGONOMETRIC = "trigonometric", Kind.ELEMENTWISE  # sin, cos and their kin
    ERF = "erf", Kind.ELEMENTWISE
    SIGMOID = "sigmoid", Kind.ELEMENTWISE
    TANH = "tanh", Kind.ELEMENTWISE
    SOFTPLUS = "softplus", Kind.ELEMENTWISE
    RELU = "relu", Kind.ELEMENTWISE  # and its kin: leaky, parametric, six
    ACTIVATION = "activation", Kind.ELEMENTWISE  # gelu, elu, silu, mish ...
    GLU = "glu", Kind.ELEMENTWISE  # halves the features and gates one half with the other
    DROPOUT = "dropout", Kind.ELEMENTWISE  # switched off: hands its input on
    ONE_HOT = "one-hot", Kind.ELEMENTWISE
    ROTARY = "rotary", Kind.ELEMENTWISE  # rotary position embedding as one operator
    DEQUANTIZE = "dequantize", Kind.ELEMENTWISE
    MASKING = "masking", Kind.ELEMENTWISE  # a layer that blanks steps of a given value and marks them
    ELEMENTWISE = "elementwise", Kind.ELEMENTWISE  # whatever else works position by position

    # Products.
    MATMUL = "matmul", Kind.MATMUL
    LINEAR = "linear", Kind.MATMUL  # by weights, with or without a bias: dense layers, Gemm
    MATMUL_ADD = "matmul-add", Kind.MATMUL  # a product of activations to which a third operand is added
    EINSUM = "einsum", Kind.MATMUL
    DISTANCE = "distance", Kind.MATMUL  # between all pairs of two sets

    # Weights over positions.
    SOFTMAX = "softmax", Kind.SOFTMAX
    LOG_SOFTMAX = "log-softmax", Kind.SOFTMAX
    ATTENTION = "attention", Kind.ATTENTION
    LINEAR_ATTENTION = "linear-attention", Kind.ATTENTION

    # Reductions.
    MEAN = "mean", Kind.REDUCE_MEAN
    SUM = "sum", Kind.REDUCE_SUM
    COUNT = "count", Kind.REDUCE_SUM  # of what is not zero
    MAX = "max", Kind.REDUCE_MAX
    MIN = "min", Kind.REDUCE_OTHER
    PRODUCT = "product", Kind.REDUCE_OTHER
    NORM = "norm", Kind.REDUCE_OTHER
    SUM_OF_SQUARES = "sum-of-squares", Kind.REDUCE_OTHER
    VARIANCE = "variance", Kind.REDUCE_OTHER
    STANDARD_DEVIATION = "standard-deviation", Kind.REDUCE_OTHER
    LOG_SUM_EXP = "log-sum-exp", Kind.REDUCE_OTHER
    LOG_SUM = "log-sum", Kind.REDUCE_OTHER
    ARGMAX = "argmax", Kind.REDUCE_OTHER
    ARGMIN = "argmin", Kind.REDUCE_OTHER
    ALL = "all", Kind.REDUCE_OTHER
    ANY = "any", Kind.REDUCE_OTHER
    MEDIAN = "median", Kind.REDUCE_OTHER
    LOSS = "loss", Kind.REDUCE_OTHER

    # Normalisation.
    LAYER_NORM = "layer-norm", Kind.NORMALIZATION
    RMS_NORM = "rms-norm", Kind.NORMALIZATION
    BATCH_NORM = "batch-norm", Kind.NORMALIZATION
    GROUP_NORM = "group-norm", Kind.NORMALIZATION
    INSTANCE_NORM = "instance-norm", Kind.NORMALIZATION
    LP_NORM = "lp-norm", Kind.NORMALIZATION  # divides by a norm
    NORMALIZATION = "normalization", Kind.NORMALIZATION  # of another kind

    # Neighbours.
    CONVOLUTION = "convolution", Kind.CONVOLUTION
    DEPTHWISE_CONVOLUTION = "depthwise-convolution", Kind.CONVOLUTION
    TRANSPOSED_CONVOLUTION = "transposed-convolution", Kind.CONVOLUTION
    UNFOLD = "unfold", Kind.CONVOLUTION  # lays the neighbours of a step beside it
    FOLD = "fold", Kind.CONVOLUTION
    AVERAGE_POOL = "average-pool", Kind.WINDOW
    MAX_POOL = "max-pool", Kind.WINDOW
    RESIZE = "resize", Kind.WINDOW
    WINDOW = "window", Kind.WINDOW  # of another kind

    # Over time.
    LSTM = "lstm", Kind.RECURRENT
    GRU = "gru", Kind.RECURRENT
    RNN = "rnn", Kind.RECURRENT
    CUMULATIVE_SUM = "cumulative-sum", Kind.SCAN
    CUMULATIVE = "cumulative", Kind.SCAN  # product, maximum ...
    LOOP = "loop", Kind.SCAN  # a loop or scan whose body computes
    FOURIER_TRANSFORM = "fourier-transform", Kind.FOURIER

    # Tables and positions.
    EMBEDDING = "embedding", Kind.EMBEDDING
    EMBEDDING_BAG = "embedding-bag", Kind.EMBEDDING
    EMBEDDING_NORM = "embedding-norm", Kind.EMBEDDING  # tables and layer normalisation as one operator
    GATHER = "gather", Kind.INDEX  # rows of a computed tensor by computed or constant indices
    SELECT = "select", Kind.INDEX  # one position of an axis, which goes
    SLICE = "slice", Kind.INDEX
    SPLIT = "split", Kind.INDEX
    ROLL = "roll", Kind.INDEX
    FLIP = "flip", Kind.INDEX
    REVERSE_SEQUENCE = "reverse-sequence", Kind.INDEX  # every row by its own length
    MASKED_SELECT = "masked-select", Kind.INDEX
    PACK_SEQUENCE = "pack-sequence", Kind.INDEX
    UNPACK_SEQUENCE = "unpack-sequence", Kind.PAD

    # Layout.
    RESHAPE = "reshape", Kind.LAYOUT
    FLATTEN = "flatten", Kind.LAYOUT
    TRANSPOSE = "transpose", Kind.LAYOUT
    EXPAND = "expand", Kind.LAYOUT
    REPEAT = "repeat", Kind.LAYOUT  # tile, repeat_interleave
    SQUEEZE = "squeeze", Kind.LAYOUT
    UNSQUEEZE = "unsqueeze", Kind.LAYOUT
    IDENTITY = "identity", Kind.LAYOUT  # copies, clones, outputs
    LAYOUT = "layout", Kind.LAYOUT  # of another kind
    CONCATENATE = "concatenate", Kind.CONCATENATE
    STACK = "stack", Kind.CONCATENATE
    SLICE_UPDATE = "slice-update", Kind.CONCATENATE  # writes one tensor into a slice of another
    PAD = "pad", Kind.PAD

    # Quantisation.
    DYNAMIC_QUANTIZE = "dynamic-quantize", Kind.QUANTIZE
    DYNAMIC_LINEAR = "dynamic-linear", Kind.QUANTIZE  # a product that quantises what it reads with a measured scale
    DYNAMIC_LSTM = "dynamic-lstm", Kind.QUANTIZE
    QUANTIZE = "quantize", Kind.STATIC_QUANTIZE

    # Positions chosen by data.
    TOP_K = "top-k", Kind.ROUTING
    SORT = "sort", Kind.ROUTING
    NON_ZERO = "non-zero", Kind.ROUTING
    UNIQUE = "unique", Kind.ROUTING
    SCATTER = "scatter", Kind.ROUTING
    EXPERTS = "experts", Kind.ROUTING
    SEARCH = "search", Kind.ROUTING  # searchsorted, bucketize, histograms
    ROUTING = "routing", Kind.ROUTING  # of another kind

    # What carries no content, or hides it.
    RANDOM = "random", Kind.RANDOM
    SHAPE = "shape", Kind.SHAPE
    CONSTANT = "constant", Kind.OTHER
    CONSTANT_LIKE = "constant-like", Kind.OTHER  # as large as a tensor of which it reads nothing but the size
    RANGE = "range", Kind.OTHER
    SUBGRAPH = "subgraph", Kind.SUBGRAPH
    OTHER = "other", Kind.OTHER


COMPARISONS = frozenset(
    {
        Operation.EQUAL,
        Operation.NOT_EQUAL,
        Operation.LESS,
        Operation.LESS_OR_EQUAL,
        Operation.GREATER,
        Operation.GREATER_OR_EQUAL,
    }
)
ORDERINGS = COMPARISONS - {Operation.EQUAL, Operation.NOT_EQUAL}
EQUALITIES = frozenset({Operation.EQUAL, Operation.NOT_EQUAL})
REDUCTIONS = frozenset({Kind.REDUCE_MEAN, Kind.REDUCE_SUM, Kind.REDUCE_MAX, Kind.REDUCE_OTHER})
