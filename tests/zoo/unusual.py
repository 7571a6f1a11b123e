"""Files as they turn up: static sizes, meaningless names, baked constants, control flow, nothing to pad."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from .attention import HIDDEN, IDS_MASK, FeatureEncoder, SelfAttention, TextEncoder, UnmaskedText
from .case import MATES, PADS, ROUND, Case, Output, features, lengths, mask, tokens
from .export import torch_case
from .pooling import LOGITS, Classifier, MaskedMean, Mean


class SkipsFullMask(TextEncoder):
    """Leaves the mask out when nothing is padded, which is what the tracer saw."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        if bool((attention_mask == 1).all()):
            attention_mask = torch.ones_like(input_ids)
        return super().forward(input_ids, attention_mask)


class BakedLengths(nn.Module):
    """Slices every row with a Python integer: the lengths of the example stay in the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 24)
        self.head = nn.Linear(24, 5)

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        x = torch.tanh(self.words(input_ids))
        return self.head(torch.stack([x[k, :n].mean(0) for k, n in enumerate(lengths.tolist())]))


def run_cell(x: Tensor, mask: Tensor, weight: Tensor, select: bool) -> Tensor:
    """A recurrent cell in a loop over time; ``select`` keeps the state of a row once its steps are over."""
    state = torch.zeros_like(x[:, 0])
    for t in range(x.shape[1]):
        proposed = torch.tanh(x[:, t] + state @ weight)
        state = torch.where(mask[:, t].unsqueeze(-1) > 0, proposed, state) if select else proposed
    return state


def mean_in_branches(x: Tensor, mask: Tensor) -> Tensor:
    """A plain mean when nothing is padded, a masked one otherwise."""
    if bool((mask == 1).all()):
        pooled = x.mean(1)
    else:
        keep = mask.unsqueeze(-1).to(x.dtype)
        pooled = (x * keep).sum(1) / keep.sum(1).clamp(min=1.0)
    return pooled


def careless_mean_in_branches(x: Tensor, mask: Tensor) -> Tensor:
    """A masked mean for long rows only."""
    if x.shape[1] > 30:
        keep = mask.unsqueeze(-1).to(x.dtype)
        pooled = (x * keep).sum(1) / keep.sum(1).clamp(min=1.0)
    else:
        pooled = x.mean(1)
    return pooled


class Looping(nn.Module):
    def __init__(self, select: bool) -> None:
        super().__init__()
        self.select = select
        self.run = torch.jit.script(run_cell)
        self.project = nn.Linear(16, 20)
        self.weight = nn.Parameter(torch.randn(20, 20) / 4)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.run(self.project(features), mask, self.weight, self.select)


class Branching(nn.Module):
    def __init__(self, careless: bool) -> None:
        super().__init__()
        self.pool = torch.jit.script(careless_mean_in_branches if careless else mean_in_branches)
        self.project = nn.Linear(16, 20)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.pool(torch.tanh(self.project(features)), mask)


class Perceptron(nn.Module):
    """A table row in, a score out: nothing has a length."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class ConstantOutput(nn.Module):
    """Saturated: the answer is the same whatever comes in, so clean twins mean nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.head = nn.Linear(16, 4)

    def forward(self, input_ids: Tensor) -> Tensor:
        return torch.sigmoid(self.head(self.words(input_ids).mean(1)) + 1e4 * torch.tensor([1.0, -1.0, 1.0, -1.0]))


class TwoHeads(nn.Module):
    """A sound sequence output beside a pooled one that counts the pads."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = TextEncoder(SelfAttention())
        self.head = nn.Linear(32, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        x = self.encoder(input_ids, attention_mask)
        return x, self.head(x.mean(1))


def with_idle_mask(inner: Case) -> Case:
    """The same graph with a mask input that no node reads."""

    def build(path: Path) -> Path:
        model = onnx.load(inner.build(path))
        model.graph.input.append(
            onnx.helper.make_tensor_value_info("attention_mask", onnx.TensorProto.INT64, ["batch", "time"])
        )
        onnx.save(model, path)
        return path

    return Case("idle_mask_input", build, IDS_MASK, inner.outputs, "EXP-01", inner.leaky, inner.clean, inner.origin)


IDLE = with_idle_mask(
    torch_case(
        "idle_mask_input",
        lambda: UnmaskedText(SelfAttention()),
        (tokens(),),
        HIDDEN,
        leaky=PADS,
        clean=MATES,
        origin="Softmax",
    )
)

FRAMES_MASK = (features(), mask(dtype="float32"))
POOLED = (Output("output", "BC"),)
MEANINGLESS = (tokens("input.1"), mask("x"))

CASES: tuple[Case, ...] = (
    IDLE,
    torch_case(
        "traced_full_mask",
        lambda: SkipsFullMask(SelfAttention()),
        (tokens(),),
        HIDDEN,
        mechanism="EXP-01",
        leaky=PADS,
        clean=MATES,
        origin="Softmax",
        traced=(IDS_MASK, False),
        contract_note="the tracer saw a full mask and dropped the input",
    ),
    torch_case(
        "baked_lengths_short",
        BakedLengths,
        (tokens(),),
        LOGITS,
        mechanism="EXP-02",
        batches=(2,),
        leaky=frozenset({"valid"}),
        traced=((tokens(), lengths()), True),
        contract_note="traced at 7 valid tokens: later ones are cut off",
    ),
    torch_case(
        "baked_lengths_long",
        BakedLengths,
        (tokens(),),
        LOGITS,
        mechanism="EXP-02",
        batches=(2,),
        example={"T": 16},
        leaky=frozenset({"length", "content"}),
        traced=((tokens(), lengths()), True),
        contract_note="traced at 16 valid tokens: shorter rows count pads",
    ),
    torch_case(
        "loop_unmasked",
        lambda: Looping(False),
        (features(),),
        POOLED,
        mechanism="ORT-08",
        leaky=frozenset({"length", "content"}),
        clean=MATES,
        origin="Loop",
        traced=(FRAMES_MASK, True),
    ),
    torch_case("loop_masked", lambda: Looping(True), FRAMES_MASK, POOLED, mechanism="CL-07", clean=ROUND),
    torch_case("branch_masked", lambda: Branching(False), FRAMES_MASK, POOLED, mechanism="CL-09", clean=ROUND),
    torch_case(
        "branch_unmasked",
        lambda: Branching(True),
        FRAMES_MASK,
        POOLED,
        mechanism="POOL-01",
        leaky=PADS,
        clean=MATES,
        origin="If",
        contract_note="masked beyond 30 steps only",
    ),
    torch_case("nothing_to_pad", Perceptron, (features("x", "BD", D=10),), (Output("score", "BC"),)),
    torch_case(
        "constant_output",
        ConstantOutput,
        (tokens(),),
        (Output("probabilities", "BC"),),
        contract_note="clean twins mean nothing: no input moves the answer",
    ),
    torch_case(
        "two_heads",
        TwoHeads,
        IDS_MASK,
        (*HIDDEN, *LOGITS),
        mechanism="POOL-01",
        leaky=PADS,
        clean=MATES,
        origin="ReduceMean",
        contract_note="only the second output leaks",
    ),
    torch_case(
        "static_batch_one",
        lambda: Classifier(Mean()),
        IDS_MASK,
        LOGITS,
        mechanism="POOL-01",
        batches=(1,),
        leaky=PADS,
        origin="ReduceMean",
    ),
    torch_case(
        "static_batch_one_masked",
        lambda: Classifier(MaskedMean()),
        IDS_MASK,
        LOGITS,
        mechanism="CL-09",
        batches=(1,),
        clean=frozenset({"length", "content", "side"}),
    ),
    torch_case(
        "static_length",
        lambda: Classifier(Mean()),
        IDS_MASK,
        LOGITS,
        mechanism="POOL-01",
        fixed={"T": 16},
        leaky=frozenset({"content"}),
        clean=MATES | {"side"},
        origin="ReduceMean",
        contract_note="one length only: the divisor never changes, but pads are counted",
    ),
    torch_case(
        "static_length_masked",
        lambda: Classifier(MaskedMean()),
        IDS_MASK,
        LOGITS,
        mechanism="CL-09",
        fixed={"T": 16},
        clean=frozenset({"content", "mates", "side"}),
    ),
    torch_case(
        "meaningless_names",
        lambda: Classifier(Mean()),
        MEANINGLESS,
        (Output("onnx::Mul_3", "BC"),),
        mechanism="POOL-01",
        leaky=PADS,
        clean=MATES,
        origin="ReduceMean",
    ),
    torch_case(
        "meaningless_names_masked",
        lambda: Classifier(MaskedMean()),
        MEANINGLESS,
        (Output("out.7", "BC"),),
        mechanism="CL-09",
        clean=ROUND,
    ),
    torch_case(
        "width_equals_length",
        lambda: FeatureEncoder(SelfAttention()),
        (features(), mask()),
        HIDDEN,
        clean=ROUND,
        example={"T": 16},
        contract_note="traced at a length equal to the width of the features",
    ),
)
