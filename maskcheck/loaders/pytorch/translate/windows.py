"""Windows over neighbours, and what is laid at the ends of an axis."""

from __future__ import annotations

from typing import Any

from maskcheck.ir.settings import Pad, Window
from maskcheck.loaders.pytorch.translate.call import Call


def convolution(call: Call) -> Window | None:
    """A weight is (channels, channels of one group, kernel ...). ``None`` where it is packed away."""
    kernel = call.shape("weight")[2:]
    return _window(call, kernel, groups=_groups(call)) if kernel else None


def depthwise(call: Call) -> Window | None:
    """Operators that are depthwise by name, of (batch, channels, ...), have no argument for the groups."""
    kernel = call.shape("weight")[2:]
    return _window(call, kernel, groups=call.shape("self")[-len(kernel) - 1]) if kernel else None


def pooling(call: Call) -> Window:
    """The name tells the number of axes. A stride that is left out is as long as the kernel."""
    axes = next((int(letter) for letter in call.name if letter.isdigit()), 2)
    return _window(call, _each(call.given["kernel_size"], axes))


def unfolding(call: Call) -> Window:
    """``unfold`` cuts one axis, without padding."""
    return Window(kernel=(call.given["size"],), strides=(call.given["step"],), dilations=(1,), before=(0,), after=(0,))


def padding(call: Call) -> Pad:
    """Amounts come in pairs (before, after), from the last axis to the first."""
    amounts = call.given["pad"] if "pad" in call.given else call.given["padding"]
    untouched = (0,) * (call.rank("self") - len(amounts) // 2)
    copies = "pad" not in call.given
    return Pad(
        before=(*untouched, *reversed(amounts[0::2])),
        after=(*untouched, *reversed(amounts[1::2])),
        fill=None if copies else call.number("value"),
        copies=copies,
    )


def unnesting(call: Call) -> Pad:
    """Rows of a nested tensor are laid side by side, filled up to the longest."""
    return Pad(fill=call.number("padding"))


def _window(call: Call, kernel: tuple[int, ...], groups: int = 1) -> Window:
    given, axes = call.given, len(kernel)
    laid = _margins(given.get("padding", 0), axes)
    return Window(
        kernel=kernel,
        strides=_each(given.get("stride", 1), axes) or kernel,
        dilations=_each(given.get("dilation", 1), axes),
        before=laid,
        after=laid,
        same=given.get("padding") == "same",
        groups=groups,
    )


def _groups(call: Call) -> int:
    groups = call.given.get("groups", 1)
    return groups if isinstance(groups, int) else 1


def _margins(amount: Any, axes: int) -> tuple[int, ...] | None:
    """Zeros at either end of each axis; ``None`` where they follow from the length."""
    if amount == "same":
        return None
    return _each(0 if amount == "valid" else amount, axes)


def _each(amount: Any, axes: int) -> tuple[int, ...]:
    """One entry per axis; a single one stands for all."""
    found = (amount,) if isinstance(amount, int) else tuple(amount)
    return found * axes if len(found) == 1 else found
