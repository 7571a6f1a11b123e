"""Time-first bidirectional GRU made of two GRUs and reverse_padded_sequence."""
import torch
import torch.nn as nn

ADDRESS = "https://github.com/pytorch/pytorch/issues/1794"
STORY = ("Request for reverse_padded_sequence: a bidirectional RNN without PackedSequence, reversing each row within its own length so that padding stays behind the sequence in both directions. "
         "Inputs are TIME-FIRST (T, B, F), zero-padded at the end of axis 0, with `lengths` (B,); answers are per-step tag scores (T, B, K).")
LEAKY = False
PLACE = None
CAUSE = "per-row reversal within the length; both GRUs are causal so trailing pads come last"
FORMAT = "module"


def reverse_padded_sequence(inputs, lengths):
    """inputs (T, B, F), lengths (B,)"""
    t = torch.arange(inputs.size(0), device=inputs.device).unsqueeze(1)
    index = torch.where(t < lengths.unsqueeze(0), lengths.unsqueeze(0) - 1 - t, t)
    return inputs.gather(0, index.unsqueeze(-1).expand_as(inputs))


class BiGRUTagger(nn.Module):
    def __init__(self, feat=10, hidden=12, tags=5):
        super().__init__()
        self.rnn_fwd = nn.GRU(feat, hidden)
        self.rnn_bwd = nn.GRU(feat, hidden)
        self.rnn_fwd2 = nn.GRU(2 * hidden, hidden)
        self.rnn_bwd2 = nn.GRU(2 * hidden, hidden)
        self.out = nn.Linear(2 * hidden, tags)

    def _layer(self, fwd, bwd, x, lengths):
        y_fwd, _ = fwd(x)
        y_bwd, _ = bwd(reverse_padded_sequence(x, lengths))
        return torch.cat([y_fwd, reverse_padded_sequence(y_bwd, lengths)], dim=-1)

    def forward(self, inputs, lengths):
        x = self._layer(self.rnn_fwd, self.rnn_bwd, inputs, lengths)
        x = self._layer(self.rnn_fwd2, self.rnn_bwd2, x, lengths)
        return self.out(x)


def _make():
    torch.manual_seed(8)
    return BiGRUTagger().eval()


def build(folder):
    g = torch.Generator().manual_seed(0)
    lengths = torch.tensor([18, 11, 14, 7])
    x = torch.randn(18, 4, 10, generator=g)
    for i, n in enumerate(lengths):
        x[n:, i] = 0
    return _make(), {"inputs": x, "lengths": lengths}


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (3, 9, 16):
        row = torch.randn(n, 1, 10, generator=g, dtype=torch.float64)
        ref = m(row, torch.tensor([n]))[:, 0]
        refs.append(ref.flatten())
        for extra in (1, 6, 20):
            mate = torch.randn(n + extra, 1, 10, generator=g, dtype=torch.float64)
            x = torch.cat([torch.cat([row, torch.zeros(extra, 1, 10, dtype=torch.float64)]), mate], 1)
            out = m(x, torch.tensor([n, n + extra]))[:n, 0]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
