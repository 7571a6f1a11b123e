"""Static facts and uses of live modules, by what one recorded run tells of constants and types."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from maskcheck.ir.dependence import Level
from maskcheck.ir.input_use import UseKind
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.static_fact import FactKind
from maskcheck.loaders.pytorch.learned import Learned
from maskcheck.loaders.pytorch.model import TorchModel

LENGTH, WIDTH = 6, 4


def frames() -> Tensor:
    return torch.randn(3, LENGTH, WIDTH, generator=torch.Generator().manual_seed(0))


def mask() -> Tensor:
    return torch.ones(3, LENGTH, dtype=torch.long)


def facts(target: Callable[..., Any], *examples: Tensor) -> list[tuple[FactKind, str]]:
    return [(fact.kind, fact.detail) for fact in TorchModel(target, examples).info.static]


def uses(target: Callable[..., Any], *examples: Tensor) -> list[tuple[str, UseKind, Op, float | int | None]]:
    return [(use.input, use.kind, use.operation, use.value) for use in TorchModel(target, examples).uses]


class TestFills:
    @pytest.mark.parametrize("fill", [-9.0, -100.0])
    def test_a_weak_one_among_scores(self, fill: float) -> None:
        def attend(x: Tensor, mask: Tensor) -> Tensor:
            return (x @ x.mT).masked_fill(mask[:, None] == 0, fill).softmax(-1) @ x

        assert facts(attend, frames(), mask()) == [(FactKind.WEAK_FILL, f"masked_fill fills with {fill:g}")]

    def test_a_weak_one_that_is_added(self) -> None:
        def attend(x: Tensor, mask: Tensor) -> Tensor:
            return (x @ x.mT + (1.0 - mask[:, None].float()) * -10.0).softmax(-1) @ x

        assert facts(attend, frames(), mask()) == [(FactKind.WEAK_FILL, "mul fills with -10")]

    def test_a_strong_one(self) -> None:
        def attend(x: Tensor, mask: Tensor) -> Tensor:
            return (x @ x.mT).masked_fill(mask[:, None] == 0, -1e9).softmax(-1) @ x

        assert not facts(attend, frames(), mask())

    def test_a_fill_of_labels(self) -> None:
        def ignore(ids: Tensor, mask: Tensor) -> Tensor:
            return ids.masked_fill(mask == 0, -100) * 2

        assert not facts(ignore, mask(), mask())

    def test_too_large_for_half_precision(self) -> None:
        def attend(x: Tensor, mask: Tensor) -> Tensor:
            return ((x @ x.mT) + (1 - mask[:, None].half()) * -1e9).softmax(-1) @ x

        assert facts(attend, frames().half(), mask()) == [
            (FactKind.HALF_FILL, "mul fills a float16 tensor with -1e+09")
        ]


class Kept(nn.Module):
    """Attention under a mask that is a buffer."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.register_buffer("hidden", hidden)

    def forward(self, x: Tensor) -> Tensor:
        return (x @ x.mT + self.hidden).softmax(-1) @ x


class TestWhatTheExampleLeft:
    def test_a_mask(self) -> None:
        hidden = torch.zeros(1, 1, LENGTH).index_fill(2, torch.tensor([4, 5]), -1e9)
        detail = "add lays a constant mask on it, which hides up to 2 of 6 columns"
        assert facts(Kept(hidden), frames()) == [(FactKind.BAKED_LENGTH, detail)]

    def test_a_triangle_is_none(self) -> None:
        assert not facts(Kept(torch.full((LENGTH, LENGTH), -1e9).triu(1)), frames())

    def test_lengths(self) -> None:
        class Packed(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("lengths", torch.tensor([6, 5, 4]))
                self.rnn = nn.GRU(WIDTH, 3, batch_first=True)

            def forward(self, x: Tensor) -> Tensor:
                return self.rnn(pack_padded_sequence(x, self.lengths, batch_first=True))[1]

        detail = "pack_padded_sequence reads constant lengths [6, 5, 4]"
        assert facts(Packed(), frames()) == [(FactKind.BAKED_LENGTH, detail)]


def test_a_measured_scale() -> None:
    if not torch.backends.quantized.supported_engines:
        pytest.skip("this torch has no quantised layers")
    module = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(WIDTH, 3)), {nn.Linear})
    assert [kind for kind, _ in facts(module, frames())] == [FactKind.DYNAMIC_QUANTIZATION]


class TestUses:
    def test_zeros_of_its_size_are_none(self) -> None:
        def forgotten(x: Tensor, is_pad: Tensor) -> Tensor:
            return x.masked_fill(torch.zeros_like(is_pad)[..., None], 0.0)

        model = TorchModel(forgotten, (frames(), mask() == 0))
        assert {use.input for use in model.uses} == {"x"}
        assert [fact.detail for fact in model.info.static] == ["input 'is_pad': only its shape is read"]

    def test_sorting_keeps_values_and_its_order_is_another_use(self) -> None:
        def ranked(lengths: Tensor, x: Tensor) -> Tensor:
            values, order = lengths.sort()
            return x[order] * (values == 0)[:, None, None]

        assert [use for use in uses(ranked, torch.tensor([6, 4, 5]), frames()) if use[0] == "lengths"] == [
            ("lengths", UseKind.OTHER, Op.SORT, None),
            ("lengths", UseKind.COMPARE, Op.EQUAL, 0),
        ]

    def test_steps_that_are_told_by_their_values_mask(self) -> None:
        def hide(x: Tensor) -> Tensor:
            return torch.where((x != 0).any(-1, keepdim=True), x, 0.0).sum(1)

        assert ("x", UseKind.MASKING, Op.WHERE, 0) in uses(hide, frames())

    def test_a_row_of_zeros_is_kept_for_padding_where_ids_are_compared(self) -> None:
        table = torch.randn(40, 200, generator=torch.Generator().manual_seed(0)).index_fill(0, torch.tensor(3), 0.0)

        class Words(nn.Module):
            def __init__(self, compares: bool) -> None:
                super().__init__()
                self.table, self.compares = nn.Embedding.from_pretrained(table), compares

            def forward(self, ids: Tensor) -> Tensor:
                return self.table(ids) * (ids != 3)[..., None] if self.compares else self.table(ids)

        assert ("ids", UseKind.PADDING, Op.EMBEDDING, 3) in uses(Words(True), mask())
        assert UseKind.PADDING not in {use[1] for use in uses(Words(False), mask())}


class TestSites:
    def test_a_condition_stands_before_what_it_chooses_between(self) -> None:
        trace = TorchModel(lambda x, mask: x.masked_fill(mask == 0, -9.0) + 1, (mask(), mask())).trace(
            {"x": mask().numpy(), "mask": mask().numpy()}
        )
        (chosen,) = (site for site in trace.sites if site.operation is Op.WHERE)
        condition, then, other = chosen.inputs
        assert (condition, other) == (trace.sites[0].outputs[0], "x")
        assert trace.tensors[then] == -9.0

    def test_what_is_subtracted_from_stands_first(self) -> None:
        trace = TorchModel(lambda x: 1.0 - x, (frames(),)).trace({"x": frames().numpy()})
        (difference,) = (site for site in trace.sites if site.operation is Op.SUBTRACT)
        assert difference.inputs[1] == "x" and trace.tensors[difference.inputs[0]] == 1.0

    def test_a_tensor_that_is_filled_in_is_stretched(self) -> None:
        def write(x: Tensor) -> Tensor:
            return torch.empty_like(x).fill_(x.sum()) * x

        trace = TorchModel(write, (frames(),)).trace({"x": frames().numpy()})
        (filled,) = (site for site in trace.sites if site.operation is Op.EXPAND)
        assert filled.inputs == (next(site for site in trace.sites if site.operation is Op.SUM).outputs[0],)
        assert filled.outputs[0] not in trace.shape_only


def test_large_constants_are_not_held() -> None:
    learned, weight, made = Learned(), torch.ones(100, 50), torch.ones(100, 60)
    learned.learn_weight("weight", weight)
    learned.learn("made", made, Level.CONSTANT)
    constants, gone = learned.constants(()), weakref.ref(made)
    del made
    assert gone() is None
    assert [constants.shape(key) for key in ("weight", "made", "other")] == [(100, 50), (100, 60), None]


def test_nothing_is_learned_of_what_holds_nothing_or_truth_values() -> None:
    learned = Learned()
    for key, tensor in (("none", torch.zeros(0)), ("truth", torch.zeros(2, dtype=torch.bool)), ("one", torch.ones(2))):
        learned.learn(key, tensor, Level.SHAPE)
        learned.learn_fill(key, tensor)
    assert learned.fills == {"one": 1.0}
    assert not learned.constants(()).values
