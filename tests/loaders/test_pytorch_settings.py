"""Settings of recorded PyTorch operators: axes, operands and constants, in the words of all frameworks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F
from torch import Tensor, nn

from maskcheck.core.settings import Settings as AuditSettings
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import (
    FAMILIES,
    Along,
    Attention,
    Clip,
    Compare,
    Direction,
    Equation,
    Fill,
    Lookup,
    Pad,
    Pick,
    Quantiser,
    Recurrence,
    Reduce,
    Settings,
    Slice,
    Softmax,
    Window,
)
from maskcheck.loaders.pytorch import exported, script
from maskcheck.loaders.pytorch.model import TorchModel
from tests.zoo import export

ROWS, LENGTH, WIDTH = 2, 5, 4
END = 2**63 - 1


def frames() -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((ROWS, LENGTH, WIDTH)).astype(np.float32))


def ids() -> Tensor:
    return torch.tensor([[3, 1, 2, 0, 0], [5, 6, 4, 3, 2]])


class Called(nn.Module):
    """A module that calls a function, so that it can be exported."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


class WithTable(nn.Module):
    """Rows of a weight, picked by indexing."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(7, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.table[x]


class Packed(nn.Module):
    def __init__(self, rows_first: bool = True) -> None:
        super().__init__()
        self.rows_first = rows_first
        self.rnn = nn.LSTM(WIDTH, 3, batch_first=rows_first)
        self.classes = nn.Linear(3, 2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=self.rows_first, enforce_sorted=False)
        return self.classes(self.rnn(packed)[1][0][-1])


class Attended(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        mask = (x[..., 0] > 0)[:, None, :].expand(-1, x.shape[1], -1)
        return F.scaled_dot_product_attention(x, x, x, attn_mask=mask)


def traced(model: TorchModel) -> Trace:
    return model.trace({name: tensor.numpy() for name, tensor in model.examples.items()})


def live(module: Any, *examples: Tensor) -> Trace:
    return traced(TorchModel(module, examples))


def as_archive(module: nn.Module, examples: tuple[Tensor, ...], folder: Path) -> Trace:
    path = folder / "model.pt2"
    with export.quiet():
        torch.export.save(torch.export.export(module.eval(), examples), path)
    return traced(exported.load(path, AuditSettings()))


def as_script(module: nn.Module, examples: tuple[Tensor, ...], folder: Path) -> Trace:
    path = folder / "model.ts"
    with export.quiet():
        torch.jit.save(torch.jit.trace(module.eval(), examples), str(path))
    return traced(script.ScriptModel(script.open_program(str(path)), examples, path=str(path), format="torchscript"))


def only(trace: Trace, *operations: Op) -> Site:
    """The last site that does one of ``operations``."""
    return [s for s in trace.sites if s.operation in operations][-1]


@dataclass(frozen=True)
class Case:
    """A function or module, an operation it does, and what its settings are."""

    name: str
    module: Any
    operation: Op
    settings: Settings | None
    given: Callable[[], Tensor] = frames


def case(name: str, module: Any, operation: Op, settings: Settings | None, given: Callable[[], Tensor] = frames) -> Any:
    return pytest.param(Case(name, module, operation, settings, given), id=name)


ALL = (0, 1, 2)

REDUCTIONS = (
    case("mean of one axis", lambda x: x.mean(1), Op.MEAN, Reduce(axes=(1,))),
    case(
        "mean of two axes, kept",
        lambda x: x.mean((-1, 1), keepdim=True),
        Op.MEAN,
        Reduce(axes=(-1, 1), keeps_axes=True),
    ),
    case("sum of all", lambda x: x.sum(), Op.SUM, Reduce(axes=ALL)),
    case("largest along an axis", lambda x: x.max(1)[0], Op.MAX, Reduce(axes=(1,))),
    case("largest of all", lambda x: x.amax(), Op.MAX, Reduce(axes=ALL)),
    case("position of the largest", lambda x: x.argmax(-1), Op.ARGMAX, Reduce(axes=(-1,))),
    case("norm", lambda x: torch.linalg.vector_norm(x, dim=1), Op.NORM, Reduce(axes=(1,))),
    case("deviation", lambda x: x.std(1), Op.STANDARD_DEVIATION, Reduce(axes=(1,))),
    case("any", lambda x: (x > 0).any(1), Op.ANY, Reduce(axes=(1,))),
    case("adaptive mean", lambda x: F.adaptive_avg_pool1d(x, 1), Op.MEAN, Reduce(axes=(-1, -2), keeps_axes=True)),
    case("adaptive maximum", lambda x: F.adaptive_max_pool1d(x, 1), Op.MAX, Reduce(keeps_axes=True, spatial=True)),
    case("adaptive maximum of two", lambda x: F.adaptive_max_pool1d(x, 2), Op.MAX, Reduce(keeps_axes=True)),
    case("squeeze", lambda x: x.sum(1, keepdim=True).squeeze(1), Op.SQUEEZE, Reduce(axes=(1,))),
    case("unsqueeze", lambda x: x.unsqueeze(-1), Op.UNSQUEEZE, Reduce(axes=(-1,))),
    case("fourier", lambda x: torch.view_as_real(torch.fft.fft(x, dim=1)), Op.FOURIER_TRANSFORM, Reduce(axes=(1,))),
)

NORMS = (
    case("layer norm", nn.LayerNorm(WIDTH), Op.LAYER_NORM, Reduce(axes=(-1,))),
    case("layer norm of two axes", nn.LayerNorm((LENGTH, WIDTH)), Op.LAYER_NORM, Reduce(axes=(-2, -1))),
    case("group norm", nn.GroupNorm(1, LENGTH), Op.GROUP_NORM, Reduce(spatial=True)),
    case("instance norm", nn.InstanceNorm1d(LENGTH), Op.INSTANCE_NORM, Reduce(spatial=True)),
    case(
        "instance norm with kept statistics",
        nn.InstanceNorm1d(LENGTH, track_running_stats=True),
        Op.INSTANCE_NORM,
        Reduce(axes=()),
    ),
    case("batch norm", nn.BatchNorm1d(LENGTH), Op.BATCH_NORM, Reduce(axes=())),
    case(
        "batch norm without statistics",
        nn.BatchNorm1d(LENGTH, track_running_stats=False),
        Op.BATCH_NORM,
        Reduce(axes=(0, 2)),
    ),
)

ALONG = (
    case("concatenate", lambda x: torch.cat([x, x], 1), Op.CONCATENATE, Along(axis=1)),
    case("stack", lambda x: torch.stack([x, x], -1), Op.STACK, Along(axis=-1)),
    case("cumulative sum", lambda x: x.cumsum(1), Op.CUMULATIVE_SUM, Along(axis=1)),
    case("top k", lambda x: x.topk(2, 1)[0], Op.TOP_K, Along(axis=1, count=2)),
    case("sort", lambda x: x.sort(1)[0], Op.SORT, Along(axis=1)),
    case("flip", lambda x: x.flip(1), Op.FLIP, Along(axis=1, reverse=True)),
    case("flip of two axes", lambda x: x.flip((1, 2)), Op.FLIP, Along(reverse=True)),
    case("roll", lambda x: x.roll(1, 1), Op.ROLL, Along(axis=1)),
    case("split", lambda x: x.split(2, 1)[0], Op.SPLIT, Along(axis=1)),
    case("gate", lambda x: F.glu(x, -1), Op.GLU, Along(axis=-1)),
    case("scatter", lambda x: x.scatter(1, torch.zeros(2, 1, 4).long(), 0.0), Op.SCATTER, Along(axis=1)),
    case("softmax", lambda x: x.softmax(1), Op.SOFTMAX, Softmax(axis=1)),
    case("log softmax", lambda x: x.log_softmax(-1), Op.LOG_SOFTMAX, Softmax(axis=-1)),
)

PICKS = (
    case("one position", lambda x: x[:, -1], Op.SELECT, Pick(axis=1, indices=-1)),
    case("a list of positions", lambda x: x[:, [0, 2]], Op.GATHER, Pick(axis=1, indices=(0, 2))),
    case("positions of data", lambda x: x[:, x[0, :, 0].argsort()], Op.GATHER, Pick(axis=1)),
    case("rows by hand", lambda x: x.index_select(1, torch.tensor([1])), Op.GATHER, Pick(axis=1, indices=(1,))),
    case("gather", lambda x: x.gather(1, x.argsort(1)), Op.GATHER, Pick(axis=1)),
    case("several indices", lambda x: x[torch.arange(2), torch.tensor([1, 2])], Op.GATHER, Pick(axis=None)),
    case("by a mask", lambda x: x[x[..., 0] > 0], Op.MASKED_SELECT, None),
    case("slice", lambda x: x[:, 1:4:2], Op.SLICE, Slice(axes=(1,), starts=(1,), ends=(4,), steps=(2,))),
    case("slice to the end", lambda x: x[:, 1:], Op.SLICE, Slice(axes=(1,), starts=(1,), ends=(END,), steps=(1,))),
    case("slice from the end", lambda x: x[:, -2:], Op.SLICE, Slice(axes=(1,), starts=(-2,), ends=(END,), steps=(1,))),
    case("embedding", nn.Embedding(7, 3), Op.EMBEDDING, Lookup(rows=7, ids="input"), ids),
    case(
        "embedding with a row for padding",
        nn.Embedding(7, 3, padding_idx=0),
        Op.EMBEDDING,
        Lookup(rows=7, padding=0, ids="input"),
        ids,
    ),
    case("bag", nn.EmbeddingBag(7, 3, padding_idx=0), Op.EMBEDDING_BAG, Lookup(rows=7, padding=0, ids="view"), ids),
    case("rows of a weight", WithTable(), Op.EMBEDDING, Lookup(rows=7, ids="x"), ids),
)


def _window(kernel: int, **others: Any) -> Window:
    usual = {"strides": (1,), "dilations": (1,), "before": (0,), "after": (0,)}
    return Window(kernel=(kernel,), **(usual | others))


WINDOWS = (
    case("convolution", nn.Conv1d(LENGTH, 2, 3), Op.CONVOLUTION, _window(3)),
    case(
        "strided and dilated",
        nn.Conv1d(LENGTH, 2, 2, stride=2, padding=1, dilation=2),
        Op.CONVOLUTION,
        _window(2, strides=(2,), dilations=(2,), before=(1,), after=(1,)),
    ),
    case(
        "padding by name",
        nn.Conv1d(LENGTH, 2, 3, padding="same"),
        Op.CONVOLUTION,
        _window(3, before=(1,), after=(1,)),
    ),
    case("grouped", nn.Conv1d(4, 4, 1, groups=2), Op.CONVOLUTION, _window(1, groups=2), lambda: frames().mT),
    case("depthwise", nn.Conv1d(LENGTH, LENGTH, 1, groups=LENGTH), Op.DEPTHWISE_CONVOLUTION, _window(1, groups=LENGTH)),
    case("transposed", nn.ConvTranspose1d(LENGTH, 2, 3, stride=2), Op.TRANSPOSED_CONVOLUTION, _window(3, strides=(2,))),
    case(
        "mean of windows",  # torch pools one axis as the last of two
        lambda x: F.avg_pool1d(x, 2, padding=1),
        Op.AVERAGE_POOL,
        Window(kernel=(1, 2), strides=(1, 2), dilations=(1, 1), before=(0, 1), after=(0, 1)),
    ),
    case(
        "maximum of windows",
        lambda x: F.max_pool2d(x[:, None], 2),
        Op.MAX_POOL,
        Window(kernel=(2, 2), strides=(2, 2), dilations=(1, 1), before=(0, 0), after=(0, 0)),
    ),
    case("unfold", lambda x: x.unfold(1, 3, 2), Op.UNFOLD, _window(3, strides=(2,))),
    case(
        "columns of an image",
        lambda x: F.unfold(x[:, :, None], (1, 3)),
        Op.UNFOLD,
        Window(kernel=(1, 3), strides=(1, 1), dilations=(1, 1), before=(0, 0), after=(0, 0)),
    ),
    case("pad", lambda x: F.pad(x, (0, 0, 1, 2), value=3.0), Op.PAD, Pad(before=(0, 1, 0), after=(0, 2, 0), fill=3.0)),
    case(
        "reflect",
        lambda x: F.pad(x, (1, 2), mode="reflect"),
        Op.PAD,
        Pad(before=(0, 0, 1), after=(0, 0, 2), fill=None, copies=True),
    ),
)

CONSTANTS = (
    case("added", lambda x: x + 2, Op.ADD, Fill(values=(2.0,))),
    case("added twice over", lambda x: torch.add(x, 2, alpha=3), Op.ADD, Fill(values=(6.0,))),
    case("a factor of what is added", lambda x: torch.add(x, x, alpha=-1e9), Op.ADD, Fill(values=(-1e9,))),
    case("subtracted from", lambda x: 1 - x, Op.SUBTRACT, Fill(values=(1.0,), swapped=True)),
    case("multiplied", lambda x: x * torch.tensor(0.5), Op.MULTIPLY, Fill(values=(0.5,))),
    case("squared", lambda x: x**2, Op.POWER, Fill(values=(2.0,))),
    case("an exponent of data", lambda x: 2**x, Op.POWER, Fill(values=(2.0,), swapped=True)),
    case("of two tensors", lambda x: x + x.exp(), Op.ADD, None),
    case("filled", lambda x: x.masked_fill(x > 0, float("-inf")), Op.WHERE, Fill(values=(float("-inf"),))),
    case("filled with a tensor", lambda x: x.masked_fill(x > 0, torch.tensor(-2.0)), Op.WHERE, Fill(values=(-2.0,))),
    case("one of two", lambda x: torch.where(x > 0, x, -1e4), Op.WHERE, Fill(values=(-1e4,))),
    case("two of two", lambda x: torch.where(x > 0, 0.0, -1e4), Op.WHERE, Fill(values=(0.0, -1e4))),
    case("a whole tensor", lambda x: torch.where(x > 0, x, torch.full_like(x, -7.0)), Op.WHERE, Fill(values=(-7.0,))),
    case("a scaled tensor", lambda x: torch.where(x > 0, x, -2 * torch.ones(4)), Op.WHERE, Fill(values=(-2.0,))),
    case("the larger", lambda x: torch.maximum(x, torch.tensor(0.0)), Op.MAXIMUM, Fill(values=(0.0,))),
    case("clipped below", lambda x: x.clamp(min=0), Op.CLIP, Clip(lowest=0.0)),
    case(
        "clipped by tensors",
        lambda x: x.clamp(torch.tensor(0.0), torch.tensor(1.0)),
        Op.CLIP,
        Clip(lowest=0.0, highest=1.0),
    ),
    case("six at most", F.relu6, Op.CLIP, Clip(lowest=0.0, highest=6.0)),
    case("compared", lambda x: x != 0, Op.NOT_EQUAL, Compare(value=0.0, operand="x"), ids),
    case(
        "the other way round",
        lambda x: torch.tensor(3) < x,
        Op.LESS,
        Compare(value=3.0, operand="x", swapped=True),
        ids,
    ),
    case("with each other", lambda x: x == x.flip(1), Op.EQUAL, None, ids),
    case(
        "quantised",
        lambda x: torch.quantize_per_tensor(x, 0.5, 4, torch.quint8).dequantize(),
        Op.QUANTIZE,
        Quantiser(scale=0.5, lowest=-2.0),
    ),
    case(
        "as if quantised",
        lambda x: torch.fake_quantize_per_tensor_affine(x, 0.5, 0, -128, 127),
        Op.QUANTIZE,
        Quantiser(scale=0.5, lowest=-64.0),
    ),
    case("equation", lambda x: torch.einsum("bij,bkj->bik", x, x), Op.EINSUM, Equation(text="bij,bkj->bik")),
)

RECURRENCES = (
    case("lstm", nn.LSTM(WIDTH, 3, batch_first=True), Op.LSTM, Recurrence()),
    case("time first", nn.GRU(WIDTH, 3), Op.GRU, Recurrence(time_first_rows=LENGTH)),
    case(
        "both ways",
        nn.RNN(WIDTH, 3, batch_first=True, bidirectional=True),
        Op.RNN,
        Recurrence(direction=Direction.BIDIRECTIONAL),
    ),
)

ATTENTIONS = (
    case("masked", Attended(), Op.ATTENTION, Attention(mask="expand", mask_rank=3)),
    case(
        "causal",
        lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
        Op.ATTENTION,
        Attention(causal=True),
    ),
)


def _plain(settings: Settings | None) -> Settings | None:
    """Settings with keys that name no lines of this file."""
    if isinstance(settings, Attention) and settings.mask is not None:
        return Attention(mask=settings.mask.partition(":")[0], mask_rank=settings.mask_rank, causal=settings.causal)
    return settings


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
@pytest.mark.parametrize(
    "wanted",
    (*REDUCTIONS, *NORMS, *ALONG, *PICKS, *WINDOWS, *CONSTANTS, *RECURRENCES, *ATTENTIONS),
)
def test_settings(wanted: Case) -> None:
    found = only(live(wanted.module, wanted.given()), wanted.operation)
    assert _plain(found.settings) == wanted.settings


def test_what_depends_on_data_is_no_constant() -> None:
    def filled(x: Tensor) -> Tensor:
        return x.masked_fill(x > 0, x.sum())

    assert only(live(filled, frames()), Op.WHERE).settings is None


def test_numbers_are_read_before_they_are_overwritten() -> None:
    def counted(x: Tensor) -> Tensor:
        count = torch.tensor(1.0)
        count.add_(2)
        return x * count

    trace = live(counted, frames())
    assert only(trace, Op.ADD).settings == Fill(values=(1.0, 2.0))
    assert only(trace, Op.MULTIPLY).settings == Fill(values=(3.0,))


def test_a_tensor_that_is_written_to_holds_no_one_number() -> None:
    def blanked(x: Tensor) -> Tensor:
        bias = torch.zeros(LENGTH, WIDTH)
        bias[0] = -1e9
        return x + bias

    assert only(live(blanked, frames()), Op.ADD).settings is None


def test_a_fill_with_data_depends_on_data() -> None:
    def spread(x: Tensor) -> Tensor:
        return torch.zeros(WIDTH).fill_(x.sum()) * 2

    trace = live(spread, frames())
    assert only(trace, Op.MULTIPLY).outputs[0] not in trace.shape_only


def test_operators_of_other_libraries_have_no_settings() -> None:
    @torch.library.custom_op("maskcheck_tests::topk", mutates_args=())
    def picked(x: Tensor, share: float) -> Tensor:
        return x[:, : int(share * x.shape[1])].clone()

    site = only(live(lambda x: picked(x, 0.5), frames()), Op.TOP_K)
    assert site.settings is None


@pytest.mark.parametrize("rows_first", (True, False))
def test_packing_knows_its_lengths(rows_first: bool) -> None:
    x = frames() if rows_first else frames().transpose(0, 1)
    trace = live(Packed(rows_first), x, torch.tensor([3, 5]))
    packing, layer = only(trace, Op.PACK_SEQUENCE), only(trace, Op.LSTM)
    rows = None if rows_first else ROWS
    assert packing.settings == Recurrence(lengths=packing.inputs[1], time_first_rows=rows)
    assert layer.settings == Recurrence(packed=True)


SHARED = ("mean of two axes, kept", "layer norm", "concatenate", "one position", "slice to the end", "embedding")
SHARED += ("strided and dilated", "depthwise", "pad", "filled with a tensor", "two of two", "subtracted from")
SHARED += ("compared", "clipped below", "softmax", "slice", "top k", "transposed")
FORMS = [p for p in (*REDUCTIONS, *NORMS, *ALONG, *PICKS, *WINDOWS, *CONSTANTS) if p.id in SHARED]


@pytest.mark.parametrize("form", (as_archive, as_script), ids=("pt2", "torchscript"))
@pytest.mark.parametrize("wanted", FORMS)
def test_files_tell_the_same(wanted: Case, form: Callable[..., Trace], tmp_path: Path) -> None:
    module = wanted.module if isinstance(wanted.module, nn.Module) else Called(wanted.module)
    found = only(form(module, (wanted.given(),), tmp_path), wanted.operation)
    assert found.settings == wanted.settings


def test_recurrence_of_a_program_file(tmp_path: Path) -> None:
    layer = nn.LSTM(WIDTH, 3, batch_first=True, bidirectional=True)
    assert only(as_archive(layer, (frames(),), tmp_path), Op.LSTM).settings == Recurrence(
        direction=Direction.BIDIRECTIONAL
    )
    # TorchScript runs the directions one after the other.
    both = [s.settings for s in as_script(layer, (frames(),), tmp_path).sites if s.operation is Op.LSTM]
    assert both == [Recurrence(), Recurrence(direction=Direction.REVERSE)]


def encoder() -> Trace:
    layer = nn.TransformerEncoderLayer(WIDTH, 2, 8, batch_first=True)

    def encode(x: Tensor) -> Tensor:
        return stack(x, src_key_padding_mask=x[..., 0] > 0)

    stack = nn.TransformerEncoder(layer, 2).eval()
    return live(encode, frames())


def classifier() -> Trace:
    return live(Packed(), frames(), torch.tensor([3, 5]))


def convolutions() -> Trace:
    layers = (nn.Conv1d(LENGTH, 4, 1), nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 4, 1, groups=4))
    return live(nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten()), frames())


def bert() -> Trace:
    transformers = pytest.importorskip("transformers")
    sizes = {"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(**sizes, intermediate_size=8, attn_implementation="eager")
    model = transformers.BertModel(config)
    return traced(TorchModel(model, {"input_ids": ids(), "attention_mask": (ids() > 0).long()}))


@pytest.mark.parametrize("model", (encoder, classifier, convolutions, bert))
def test_settings_belong_to_their_operation(model: Callable[[], Trace]) -> None:
    found = [s for s in model().sites if s.settings is not None]
    assert found
    for site in found:
        assert site.operation in FAMILIES[type(site.settings)], site
