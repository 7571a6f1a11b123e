"""The graphs as PyTorch modules."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.conformance.questions import ROWS
from tests.conformance.reading import BATCH, TIME, WIDTH


class Lookup(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(ROWS, WIDTH)

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids).mean(1)


class Compared(Lookup):
    def forward(self, ids: Tensor) -> Tensor:
        real = (ids != 0).float().unsqueeze(-1)
        return (self.table(ids) * real).sum(1) / real.sum(1)


class Scores(nn.Module):
    fill = -1e9

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        scores = x @ x.transpose(1, 2)
        return scores.masked_fill(~mask.unsqueeze(1), self.fill).softmax(-1) @ x


class TimidScores(Scores):
    fill = -10.0


class Fused(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query = x.unsqueeze(1)
        return F.scaled_dot_product_attention(query, query, query, attn_mask=mask[:, None, None, :]).squeeze(1)


class FusedUnmasked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        query = x.unsqueeze(1)
        return F.scaled_dot_product_attention(query, query, query).squeeze(1)


class Recurrence(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(WIDTH, 3, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class Convolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(WIDTH, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.transpose(1, 2)).relu()


class Maximum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.amax(1)


class Running(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(1)


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class Last(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x[:, -1])


class Unread(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x.mean(1)


class Columns(Lookup):
    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Embedding(50, WIDTH)

    def forward(self, ids: Tensor) -> Tensor:
        columns = torch.arange(ids.shape[1])
        return (self.table(ids) + self.places(columns)).mean(1)


GRAPHS: dict[str, type[nn.Module]] = {
    "lookup": Lookup,
    "ids compared with the pad id": Compared,
    "masked scores": Scores,
    "timidly masked scores": TimidScores,
    "fused attention": Fused,
    "fused attention without a mask": FusedUnmasked,
    "recurrence in both directions": Recurrence,
    "convolution": Convolution,
    "maximum over time": Maximum,
    "running sum": Running,
    "layer norm": Normed,
    "last step": Last,
    "a mask that nothing reads": Unread,
    "positions by column": Columns,
}


def example(module: nn.Module) -> dict[str, Tensor]:
    """Inputs by the names of the module's own arguments."""
    made = {
        "ids": torch.arange(BATCH * TIME).reshape(BATCH, TIME) % (ROWS - 1) + 1,
        "mask": torch.arange(TIME) < torch.tensor([[4], [7], [5]]),
        "x": torch.randn(BATCH, TIME, WIDTH, generator=torch.Generator().manual_seed(0)),
    }
    names = module.forward.__code__.co_varnames[1 : module.forward.__code__.co_argcount]
    return {name: made[name] for name in names}


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    return GRAPHS[name]().eval()
