"""Settings of convolutions and poolings."""

from __future__ import annotations

from maskcheck.ir.settings import Window
from maskcheck.loaders.onnx.translate.node import NodeView, table

Sizes = tuple[int, ...]


def convolution(view: NodeView) -> Window:
    return _window(view, _kernel(view, weight=1), channels_last=bool(view.attribute("channels_last", 0)))


def quantised_convolution(view: NodeView) -> Window:
    return _window(view, _kernel(view, weight=3), channels_last=bool(view.attribute("channels_last", 0)))


def features_last(view: NodeView) -> Window:
    return _window(view, _kernel(view, weight=1), channels_last=True)


def pooling(view: NodeView) -> Window:
    return _window(view, _list(view, "kernel_shape"), channels_last=bool(view.attribute("channels_last", 0)))


def pooling_features_last(view: NodeView) -> Window:
    return _window(view, _list(view, "kernel_shape"), channels_last=True)


def with_operand_pads(view: NodeView) -> Window:
    """A transposed convolution whose pads are an operand."""
    return _window(view, _kernel(view, weight=1), pads=view.integers(2))


def _window(view: NodeView, kernel: Sizes | None, *, channels_last: bool = False, pads: Sizes | None = None) -> Window:
    before, after = _zeros_at_ends(view, kernel, pads or _list(view, "pads"))
    return Window(
        kernel=kernel,
        strides=_list(view, "strides") or _each(view, kernel, 1),
        dilations=_list(view, "dilations") or _each(view, kernel, 1),
        before=before,
        after=after,
        same=_automatic(view).startswith("SAME"),
        groups=view.attribute("group", 1),
        channels_last=channels_last,
    )


def _list(view: NodeView, name: str) -> Sizes | None:
    value = view.attribute(name)
    return None if value is None else tuple(value)


def _kernel(view: NodeView, *, weight: int) -> Sizes | None:
    """The attribute, or what the weights (out, in, positions ...) say."""
    dims = view.dims(weight)
    return _list(view, "kernel_shape") or (None if dims is None else dims[2:])


def _automatic(view: NodeView) -> str:
    return str(view.attribute("auto_pad", "NOTSET"))


def _zeros_at_ends(view: NodeView, kernel: Sizes | None, pads: Sizes | None) -> tuple[Sizes | None, Sizes | None]:
    """Zeros before and after each axis; how many there are to keep the length is left open."""
    if _automatic(view).startswith("SAME"):
        return None, None
    if pads is None or _automatic(view) == "VALID":
        return _each(view, kernel, 0), _each(view, kernel, 0)
    half = len(pads) // 2
    return pads[:half], pads[half:]


def _each(view: NodeView, kernel: Sizes | None, value: int) -> Sizes | None:
    """``value`` for every axis of positions, ``None`` where nothing tells how many there are."""
    rank = view.rank(0)
    count = len(kernel) if kernel else (rank or 2) - 2
    return (value,) * count or None


def causal_convolution(view: NodeView) -> Window:
    """Looks back along the last axis only, at zeros or, where it is given one, at the state of an earlier call."""
    kernel, dilation = _kernel(view, weight=1), view.attribute("dilation", 1)
    dims = view.dims(1)
    back = None if kernel is None or view.key(3) else (*(0 for _ in kernel[1:]), (kernel[-1] - 1) * dilation)
    return Window(
        kernel=kernel,
        strides=_each(view, kernel, 1),
        dilations=None if kernel is None else (*(1 for _ in kernel[1:]), dilation),
        before=back,
        after=None if back is None else tuple(0 for _ in back),
        causal=True,
        groups=dims[0] if dims else 1,
        channels_last=bool(view.attribute("channels_last", 0)),
    )


def words_of_letters(view: NodeView) -> Window:
    size = view.attribute("conv_window_size")
    return Window(kernel=None if size is None else (size,), strides=(1,), dilations=(1,))


MAKERS = table(
    {
        convolution: ("Conv ConvInteger DeformConv ConvTranspose", "FusedConv"),
        quantised_convolution: ("QLinearConv", "QLinearConv"),
        features_last: ("", "NhwcConv NhwcFusedConv"),
        pooling: ("AveragePool LpPool MaxPool MaxUnpool", "MaxpoolWithMask QLinearAveragePool"),
        pooling_features_last: ("", "NhwcMaxPool"),
        with_operand_pads: ("", "ConvTransposeWithDynamicPads"),
        causal_convolution: ("CausalConvWithState", "CausalConvWithState"),
        words_of_letters: ("", "WordConvEmbedding"),
    }
)
