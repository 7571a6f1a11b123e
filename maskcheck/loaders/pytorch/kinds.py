"""ATen operators in the words all frameworks share."""

from __future__ import annotations

from maskcheck.core.trace import OperationKind as Kind

_BY_KIND: dict[Kind, str] = {
    Kind.ELEMENTWISE: """
    abs acos acosh add addcdiv addcmul and asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_not
    bitwise_or bitwise_right_shift bitwise_xor ceil celu clamp clamp_max clamp_min clip conj copysign cos cosh
    dequantize digamma div elu eq erf erfc erfinv exp exp2 expm1 float_power floor floor_divide fmax fmin fmod frac ge
    gelu glu gt hardshrink hardsigmoid hardswish hardtanh hypot isfinite isinf isnan le leaky_relu lerp lgamma log log10
    log1p log2 log_sigmoid log_sigmoid_forward logaddexp logical_and logical_not logical_or logical_xor logit lt
    masked_fill maximum minimum mish mul nan_to_num ne neg not or pow prelu quantize reciprocal relu relu6 remainder
    round rsqrt rsub selu sgn sigmoid sign silu sin sinh softplus softshrink softsign sqrt square sub tan tanh threshold
    tril triu true_divide trunc to_copy where xor xlogy conj_physical resolve_conj resolve_neg one_hot""",
    Kind.MATMUL: """
        matmul linear einsum mm bmm addmm baddbmm addbmm mv addmv dot vdot inner outer tensordot bilinear ger
        linear_relu cdist euclidean_dist trilinear""",
    Kind.SOFTMAX: "softmax log_softmax safe_softmax",
    Kind.ATTENTION: """
        scaled_dot_product_attention scaled_dot_product_flash_attention scaled_dot_product_flash_attention_for_cpu
        scaled_dot_product_efficient_attention scaled_dot_product_cudnn_attention
        scaled_dot_product_fused_attention_overrideable multi_head_attention transformer_encoder_layer_fwd
        flex_attention""",
    Kind.REDUCE_MEAN: "mean nanmean adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d",
    Kind.REDUCE_SUM: "sum nansum count_nonzero",
    Kind.REDUCE_MAX: "amax max adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d",
    Kind.REDUCE_OTHER: """
        min amin aminmax prod norm linalg_vector_norm linalg_norm var std var_mean std_mean logsumexp argmax argmin all
        any median nanmedian mode quantile""",
    Kind.NORMALIZATION: """
        layer_norm group_norm batch_norm batch_norm_legit batch_norm_legit_no_training batch_norm_legit_functional
        cudnn_batch_norm
        instance_norm rms_norm fused_rms_norm weight_norm local_response_norm batch_norm_with_update
        batch_norm_no_update""",
    Kind.CONVOLUTION: """
        convolution convolution_overrideable mkldnn_convolution conv1d conv2d conv3d conv_transpose1d conv_transpose2d
        conv_transpose3d conv_depthwise3d conv_depthwise2d slow_conv_transpose2d unfold im2col col2im""",
    Kind.WINDOW: """
        avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool1d_with_indices max_pool2d max_pool2d_with_indices
        max_pool3d_with_indices mkldnn_max_pool2d upsample_nearest1d upsample_nearest2d upsample_linear1d
        upsample_bilinear2d upsample_bicubic2d upsample_nearest_exact1d upsample_nearest_exact2d grid_sampler_2d""",
    Kind.RECURRENT: "lstm gru rnn_tanh rnn_relu mkldnn_rnn_layer quantized_lstm",
    Kind.SCAN: "cumsum cumprod cummax cummin logcumsumexp associative_scan scan",
    Kind.FOURIER: "fft_r2c fft_c2c fft_c2r stft istft fft_fft fft_rfft",
    Kind.EMBEDDING: "embedding embedding_bag",
    Kind.INDEX: """
        index select slice narrow split split_with_sizes unbind chunk gather
        index_select take take_along_dim diagonal pack_padded_sequence masked_select tensor_split roll
        flip rot90 unfold_copy""",
    Kind.LAYOUT: """
        view reshape reshape_alias permute transpose t expand squeeze unsqueeze flatten unflatten repeat
        repeat_interleave clone contiguous alias detach as_strided movedim copy lift_fresh lift to_copy_layout
        view_as_real view_as_complex real imag pixel_shuffle pixel_unshuffle channel_shuffle tile swapaxes
        broadcast_to expand_as""",
    Kind.CONCATENATE: "cat stack concat hstack vstack column_stack slice_scatter select_scatter block_diag",
    Kind.PAD: """
        constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d pad pad_packed_sequence
        nested_to_padded_tensor""",
    Kind.QUANTIZE: "quantize_per_tensor_dynamic choose_qparams quantized_linear_dynamic linear_dynamic",
    Kind.STATIC_QUANTIZE: "quantize_per_tensor quantize_per_channel fake_quantize_per_tensor_affine",
    Kind.ROUTING: """
        topk sort argsort nonzero nonzero_static unique unique2 unique_dim unique_consecutive scatter scatter_add
        scatter_reduce index_put index_add index_copy index_fill index_reduce masked_scatter put bincount histc
        searchsorted bucketize grouped_mm msort kthvalue""",
    Kind.RANDOM: """
        rand randn randint randperm rand_like randn_like randint_like bernoulli multinomial normal uniform exponential
        dropout poisson random cauchy log_normal geometric rrelu_with_noise""",
    Kind.SHAPE: "sym_size numel",
    Kind.OTHER: """
        arange zeros ones full empty eye linspace logspace zeros_like ones_like full_like empty_like new_zeros new_ones
        new_full new_empty new_empty_strided empty_strided scalar_tensor triu_indices tril_indices complex polar
        hann_window hamming_window local_scalar_dense untracked""",
}

_KINDS = {op: kind for kind, names in _BY_KIND.items() for op in names.split()}

SIZED_LIKE = frozenset(
    {
        *("zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"),
        *("new_empty_strided", "fill", "zero"),
    }
)
"""Operators that read no values of the tensor they are given, only its size."""


def base_name(operator: str) -> str:
    """``aten::_softmax`` as ``softmax``, ``aten::add_`` as ``add``, ``aten::native_layer_norm`` as ``layer_norm``."""
    name = operator.rpartition("::")[2].partition(".")[0].strip("_")
    return name.removeprefix("native_").removeprefix("unsafe_")


def kind_of(name: str, *, along: bool = True) -> Kind:
    """Translate an operator by its base name. ``along`` is false for ``max`` and ``min`` of two tensors."""
    if not along and name in ("max", "min"):
        return Kind.ELEMENTWISE
    return _KINDS.get(name, Kind.OTHER)
