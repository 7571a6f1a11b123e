"""ATen operators in the words all frameworks share."""

from __future__ import annotations

from functools import lru_cache

from maskcheck.ir.operation import Operation as Op

_BY_OPERATION: dict[Op, str] = {
    Op.ADD: "add",
    Op.SUBTRACT: "sub rsub",
    Op.MULTIPLY: "mul",
    Op.DIVIDE: "div true_divide",
    Op.FLOOR_DIVIDE: "floor_divide",
    Op.MODULO: "fmod remainder",
    Op.POWER: "pow float_power",
    Op.MAXIMUM: "maximum fmax",
    Op.MINIMUM: "minimum fmin",
    Op.MULTIPLY_ADD: "addcmul lerp",
    Op.DIVIDE_ADD: "addcdiv",
    Op.EQUAL: "eq",
    Op.NOT_EQUAL: "ne",
    Op.LESS: "lt",
    Op.LESS_OR_EQUAL: "le",
    Op.GREATER: "gt",
    Op.GREATER_OR_EQUAL: "ge",
    Op.IS_NAN: "isnan",
    Op.IS_INFINITE: "isinf",
    Op.IS_FINITE: "isfinite",
    Op.AND: "logical_and and",
    Op.OR: "logical_or or",
    Op.XOR: "logical_xor xor",
    Op.NOT: "logical_not not",
    Op.BITWISE_NOT: "bitwise_not",
    Op.BITWISE: "bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor",
    Op.WHERE: "where masked_fill",
    Op.TRIANGLE: "tril triu",
    Op.CAST: "to_copy",
    Op.NEGATE: "neg",
    Op.ABSOLUTE: "abs",
    Op.SIGN: "sign sgn",
    Op.EXP: "exp exp2 expm1",
    Op.LOG: "log log10 log1p log2",
    Op.SQUARE_ROOT: "sqrt",
    Op.RECIPROCAL_SQUARE_ROOT: "rsqrt",
    Op.SQUARE: "square",
    Op.RECIPROCAL: "reciprocal",
    Op.ROUND: "round trunc",
    Op.FLOOR: "floor",
    Op.CEIL: "ceil",
    Op.CLIP: "clamp clamp_max clamp_min clip hardtanh",
    Op.TRIGONOMETRIC: "acos acosh asin asinh atan atan2 atanh cos cosh sin sinh tan",
    Op.ERF: "erf erfc erfinv",
    Op.SIGMOID: "sigmoid hardsigmoid log_sigmoid log_sigmoid_forward",
    Op.TANH: "tanh",
    Op.SOFTPLUS: "softplus",
    Op.RELU: "relu relu6 leaky_relu prelu threshold",
    Op.ACTIVATION: "celu elu gelu hardshrink hardswish mish selu silu softshrink softsign",
    Op.GLU: "glu",
    Op.ONE_HOT: "one_hot",
    Op.DEQUANTIZE: "dequantize",
    Op.ELEMENTWISE: """
        conj copysign digamma frac hypot lgamma logaddexp logit nan_to_num quantize xlogy conj_physical resolve_conj
        resolve_neg""",
    Op.MATMUL: "matmul mm bmm mv dot vdot inner outer tensordot ger trilinear",
    Op.LINEAR: "linear linear_relu bilinear",
    Op.MATMUL_ADD: "addmm baddbmm addbmm addmv",
    Op.EINSUM: "einsum",
    Op.DISTANCE: "cdist euclidean_dist",
    Op.SOFTMAX: "softmax safe_softmax",
    Op.LOG_SOFTMAX: "log_softmax",
    Op.ATTENTION: """
        scaled_dot_product_attention scaled_dot_product_flash_attention scaled_dot_product_flash_attention_for_cpu
        scaled_dot_product_efficient_attention scaled_dot_product_cudnn_attention
        scaled_dot_product_fused_attention_overrideable multi_head_attention transformer_encoder_layer_fwd
        flex_attention""",
    Op.MEAN: "mean nanmean adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d",
    Op.SUM: "sum nansum",
    Op.COUNT: "count_nonzero",
    Op.MAX: "amax max adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d",
    Op.MIN: "min amin aminmax",
    Op.PRODUCT: "prod",
    Op.NORM: "norm linalg_vector_norm linalg_norm",
    Op.VARIANCE: "var var_mean",
    Op.STANDARD_DEVIATION: "std std_mean",
    Op.LOG_SUM_EXP: "logsumexp",
    Op.ARGMAX: "argmax",
    Op.ARGMIN: "argmin",
    Op.ALL: "all",
    Op.ANY: "any",
    Op.MEDIAN: "median nanmedian mode quantile",
    Op.LAYER_NORM: "layer_norm",
    Op.GROUP_NORM: "group_norm",
    Op.BATCH_NORM: """
        batch_norm batch_norm_legit batch_norm_legit_no_training batch_norm_legit_functional cudnn_batch_norm
        batch_norm_with_update batch_norm_no_update""",
    Op.INSTANCE_NORM: "instance_norm",
    Op.RMS_NORM: "rms_norm fused_rms_norm",
    Op.NORMALIZATION: "weight_norm local_response_norm",
    Op.CONVOLUTION: "convolution convolution_overrideable mkldnn_convolution conv1d conv2d conv3d",
    Op.DEPTHWISE_CONVOLUTION: "conv_depthwise3d conv_depthwise2d",
    Op.TRANSPOSED_CONVOLUTION: "conv_transpose1d conv_transpose2d conv_transpose3d slow_conv_transpose2d",
    Op.UNFOLD: "unfold im2col unfold_copy",
    Op.FOLD: "col2im",
    Op.AVERAGE_POOL: "avg_pool1d avg_pool2d avg_pool3d",
    Op.MAX_POOL: """
        max_pool1d max_pool1d_with_indices max_pool2d max_pool2d_with_indices max_pool3d_with_indices
        mkldnn_max_pool2d""",
    Op.RESIZE: """
        upsample_nearest1d upsample_nearest2d upsample_linear1d upsample_bilinear2d upsample_bicubic2d
        upsample_nearest_exact1d upsample_nearest_exact2d""",
    Op.WINDOW: "grid_sampler_2d",
    Op.LSTM: "lstm quantized_lstm",
    Op.GRU: "gru",
    Op.RNN: "rnn_tanh rnn_relu mkldnn_rnn_layer",
    Op.CUMULATIVE_SUM: "cumsum",
    Op.CUMULATIVE: "cumprod cummax cummin logcumsumexp",
    Op.LOOP: "associative_scan scan",
    Op.FOURIER_TRANSFORM: "fft_r2c fft_c2c fft_c2r stft istft fft_fft fft_rfft",
    Op.EMBEDDING: "embedding",
    Op.EMBEDDING_BAG: "embedding_bag embedding_bag_forward_only",
    Op.GATHER: "index gather index_select take take_along_dim",
    Op.SELECT: "select",
    Op.SLICE: "slice narrow diagonal",
    Op.SPLIT: "split split_with_sizes unbind chunk tensor_split",
    Op.ROLL: "roll",
    Op.FLIP: "flip rot90",
    Op.MASKED_SELECT: "masked_select",
    Op.PACK_SEQUENCE: "pack_padded_sequence",
    Op.UNPACK_SEQUENCE: "pad_packed_sequence nested_to_padded_tensor",
    Op.RESHAPE: "view reshape reshape_alias unflatten",
    Op.FLATTEN: "flatten",
    Op.TRANSPOSE: "permute transpose t movedim swapaxes",
    Op.EXPAND: "expand broadcast_to expand_as",
    Op.REPEAT: "repeat repeat_interleave tile",
    Op.SQUEEZE: "squeeze",
    Op.UNSQUEEZE: "unsqueeze",
    Op.IDENTITY: "clone contiguous alias detach copy lift_fresh lift",
    Op.LAYOUT: """
        as_strided to_copy_layout view_as_real view_as_complex real imag pixel_shuffle pixel_unshuffle
        channel_shuffle""",
    Op.CONCATENATE: "cat concat hstack vstack column_stack block_diag",
    Op.STACK: "stack",
    Op.SLICE_UPDATE: "slice_scatter select_scatter",
    Op.PAD: """
        constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d pad""",
    Op.DYNAMIC_QUANTIZE: "quantize_per_tensor_dynamic choose_qparams",
    Op.DYNAMIC_LINEAR: "quantized_linear_dynamic linear_dynamic",
    Op.QUANTIZE: """
        quantize_per_tensor quantize_per_channel fake_quantize_per_tensor_affine
        fake_quantize_per_tensor_affine_cachemask fake_quantize_per_channel_affine
        fake_quantize_per_channel_affine_cachemask""",
    Op.TOP_K: "topk kthvalue",
    Op.SORT: "sort argsort msort",
    Op.NON_ZERO: "nonzero nonzero_static",
    Op.UNIQUE: "unique unique2 unique_dim unique_consecutive",
    Op.SCATTER: """
        scatter scatter_add scatter_reduce index_put index_add index_copy index_fill index_reduce masked_scatter put""",
    Op.SEARCH: "bincount histc searchsorted bucketize",
    Op.EXPERTS: "grouped_mm",
    Op.RANDOM: """
        rand randn randint randperm rand_like randn_like randint_like bernoulli multinomial normal uniform exponential
        dropout poisson random cauchy log_normal geometric rrelu_with_noise""",
    Op.SHAPE: "sym_size numel",
    Op.RANGE: "arange linspace logspace",
    Op.CONSTANT: """
        zeros ones full empty eye empty_strided scalar_tensor triu_indices tril_indices hann_window hamming_window""",
    Op.CONSTANT_LIKE: """
        zeros_like ones_like full_like empty_like new_zeros new_ones new_full new_empty new_empty_strided fill zero""",
    Op.OTHER: "complex polar local_scalar_dense untracked",
}

_OPERATIONS = {operator: operation for operation, names in _BY_OPERATION.items() for operator in names.split()}

ONE_NUMBER = frozenset(
    {
        *("zeros", "ones", "full", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"),
        *("scalar_tensor", "fill", "zero"),
    }
)
"""Operators whose result holds one number everywhere."""

LITERALS = frozenset({"lift_fresh", "lift"})
"""Operators that hand on a tensor made from Python numbers."""


@lru_cache(4096)
def base_name(operator: str) -> str:
    """``aten::_softmax`` as ``softmax``, ``aten::add_`` as ``add``, ``aten::native_layer_norm`` as ``layer_norm``."""
    name = operator.rpartition("::")[2].partition(".")[0].strip("_")
    return name.removeprefix("native_").removeprefix("unsafe_")


def operation_of(name: str) -> Op:
    """Translate an operator by its base name."""
    return _OPERATIONS.get(name, Op.OTHER)
