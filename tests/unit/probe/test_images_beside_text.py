"""An image of one size beside a text is content of its own, not a sequence that shares the text's length."""

from __future__ import annotations

from maskcheck.core.contract import Role
from maskcheck.core.model import TensorSpec
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import Operation
from maskcheck.probe.contract.structure import draft


class Inputs:
    """Only what a draft looks at."""

    def __init__(self, *inputs: TensorSpec) -> None:
        self.inputs = inputs
        self.uses = tuple(
            InputUse(
                input=i.name,
                kind=UseKind.INDEX,
                site="gather",
                operator="Gather",
                operation=Operation.EMBEDDING,
                value=99,
            )
            for i in inputs
            if "ids" in i.name
        )


IDS, MASK = TensorSpec("ids", "int64", ("batch", "seq")), TensorSpec("attention_mask", "int64", ("batch", "seq"))


def role(image: tuple[int | str | None, ...], *more: TensorSpec) -> Role:
    drafts = draft(Inputs(IDS, MASK, TensorSpec("pixels", "float32", image), *more), {})  # type: ignore[arg-type]
    return next(d.role for d in drafts if d.spec.name == "pixels")


def test_an_image_of_one_size_is_no_sequence() -> None:
    assert role(("batch", 3, 32, 32)) is Role.OTHER


def test_what_varies_or_has_a_mask_of_its_length_stays_a_sequence() -> None:
    assert role(("batch", "time", 3, 32)) is Role.FEATURES
    assert role(("batch", 3, 30, 40), TensorSpec("pixel_mask", "int64", ("batch", 30, 40))) is Role.FEATURES
    assert role(("batch", 16, 100)) is Role.FEATURES, "spectra of a fixed window"
