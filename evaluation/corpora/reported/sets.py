"""Sets, clouds and graphs."""

# ruff: noqa: SIM108 - a mistake stands on a line of its own

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.corpora.reported.registry import feats, lengths, mask, report


@report("POOL-09", onnx=False, X=feats("batch", "time", 3), X_mask=mask("batch", "time", dtype="bool"))
def set_transformer(mended: bool) -> nn.Module:
    """https://github.com/juho-lee/set_transformer/issues/12: sets of many sizes, and no mask."""

    class MAB(nn.Module):
        def __init__(self, dim_Q: int, dim_K: int, dim_V: int, num_heads: int) -> None:
            super().__init__()
            self.dim_V, self.num_heads = dim_V, num_heads
            self.fc_q, self.fc_k, self.fc_v = nn.Linear(dim_Q, dim_V), nn.Linear(dim_K, dim_V), nn.Linear(dim_K, dim_V)
            self.fc_o = nn.Linear(dim_V, dim_V)

        def forward(self, Q: Tensor, K: Tensor, pads: Tensor | None = None) -> Tensor:
            Q, K, V = self.fc_q(Q), self.fc_k(K), self.fc_v(K)
            dim_split = self.dim_V // self.num_heads
            Q_, K_, V_ = (torch.cat(x.split(dim_split, 2), 0) for x in (Q, K, V))
            A = Q_.bmm(K_.transpose(1, 2)) / math.sqrt(self.dim_V)
            if pads is not None:
                A = A.masked_fill(pads.repeat(self.num_heads, 1).unsqueeze(1), -1e9)
            A = torch.softmax(A, 2)  # leak
            out = torch.cat((Q_ + A.bmm(V_)).split(Q.size(0), 0), 2)
            return out + F.relu(self.fc_o(out))

    class SetTransformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.I = nn.Parameter(torch.randn(1, 4, 8))
            self.S = nn.Parameter(torch.randn(1, 2, 8))
            self.isab0, self.isab1 = MAB(8, 3, 8, 2), MAB(3, 8, 8, 2)
            self.pma = MAB(8, 8, 8, 2)
            self.dec = nn.Linear(8, 4)

        def forward(self, X: Tensor, X_mask: Tensor) -> Tensor:
            pads = ~X_mask if mended else None
            H = self.isab0(self.I.repeat(X.size(0), 1, 1), X, pads)
            X = self.isab1(X, H)
            return self.dec(self.pma(self.S.repeat(X.size(0), 1, 1), X, pads))

    return SetTransformer()


@report("POOL-03", points=feats("batch", 3, "time"), num_points=lengths())
def point_net(mended: bool) -> nn.Module:
    """https://github.com/charlesq34/pointnet/issues/213: clouds of many sizes, one maximum over all."""

    class TNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv1d(3, 8, 1), nn.Linear(8, 9)
            self.pool = Pool()

        def forward(self, x: Tensor, num_points: Tensor) -> Tensor:
            y = self.pool(torch.relu(self.conv(x)), num_points)
            return self.fc(y).view(-1, 3, 3) + torch.eye(3)

    class Pool(nn.Module):
        def forward(self, x: Tensor, num_points: Tensor) -> Tensor:
            if mended:
                valid = torch.arange(x.size(2)).unsqueeze(0) < num_points.unsqueeze(1)
                x = torch.where(valid.unsqueeze(1), x, torch.full_like(x, -1e8))
            return torch.max(x, 2)[0]  # leak

    class PointNetCls(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stn = TNet()
            self.conv1, self.bn1 = nn.Conv1d(3, 12, 1), nn.BatchNorm1d(12)
            self.pool, self.fc = Pool(), nn.Linear(12, 5)

        def forward(self, points: Tensor, num_points: Tensor) -> tuple[Tensor, Tensor]:
            trans = self.stn(points, num_points)
            x = torch.bmm(points.transpose(2, 1), trans).transpose(2, 1)
            x = self.pool(self.bn1(self.conv1(x)), num_points)
            return F.log_softmax(self.fc(torch.relu(x)), dim=-1), trans

    return PointNetCls()


@report(
    "MIX-04",
    x=feats("batch", "time", 5),
    adj=feats("batch", "time", "time"),
    mask=mask("batch", "time", dtype="bool"),
)
def diff_pool(mended: bool) -> nn.Module:
    """https://github.com/pyg-team/pytorch_geometric/issues/881: a dense batch of graphs whose mask goes unused.

    Nodes that fill a batch up are zeros without edges; the bias of the assignment gives them to clusters anyway.
    """

    class DenseSAGE(nn.Module):
        def __init__(self, size: int, out: int) -> None:
            super().__init__()
            self.lin_rel, self.lin_root = nn.Linear(size, out, bias=False), nn.Linear(size, out)

        def forward(self, x: Tensor, adj: Tensor) -> Tensor:
            out = torch.matmul(adj, x) / adj.abs().sum(dim=-1, keepdim=True).clamp(min=1)
            return self.lin_rel(out) + self.lin_root(x)

    def dense_diff_pool(x: Tensor, adj: Tensor, s: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        s = torch.softmax(s, dim=-1)
        if mask is not None:
            x, s = x * mask.unsqueeze(-1), s * mask.unsqueeze(-1)
        out = torch.matmul(s.transpose(1, 2), x)  # leak in torch
        out_adj = torch.matmul(torch.matmul(s.transpose(1, 2), adj), s)
        return out, out_adj

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gnn1_pool, self.gnn1_embed, self.gnn2 = DenseSAGE(5, 3), DenseSAGE(5, 8), DenseSAGE(8, 8)
            self.lin = nn.Linear(8, 2)

        def forward(self, x: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
            x, adj = x * mask.unsqueeze(-1), adj * (mask.unsqueeze(1) & mask.unsqueeze(2))
            s, z = self.gnn1_pool(x, adj), torch.relu(self.gnn1_embed(x, adj))
            z, adj = dense_diff_pool(z, adj, s, mask if mended else None)  # leak in onnx
            return self.lin(torch.relu(self.gnn2(z, adj)).mean(dim=1))

    return Net()


@report("MIX-05", peaks=feats("batch", "time", 4), num_peaks=lengths())
def mist_peaks(mended: bool) -> nn.Module:
    """https://github.com/coleygroup/DiffMS/pull/26: each peak a token, those that fill up too."""

    class PairwiseEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.self_attn = nn.MultiheadAttention(8, 2)
            self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
            self.linear1, self.linear2 = nn.Linear(8, 16), nn.Linear(16, 8)

        def forward(self, src: Tensor, src_key_padding_mask: Tensor | None) -> Tensor:
            y, _ = self.self_attn(src, src, src, key_padding_mask=src_key_padding_mask, need_weights=False)  # leak
            src = self.norm1(src + y)
            return self.norm2(src + self.linear2(F.relu(self.linear1(src))))

    class SpectraEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.formula_embed = nn.Linear(4, 8)
            self.cls = nn.Parameter(torch.randn(8))
            self.peak_attn_layers = nn.ModuleList(PairwiseEncoder() for _ in range(2))
            self.fingerprint = nn.Linear(8, 12)

        def forward(self, peaks: Tensor, num_peaks: Tensor) -> dict[str, Tensor]:
            x = self.formula_embed(peaks)
            x = torch.cat([self.cls.expand(x.size(0), 1, -1), x], 1).transpose(0, 1)
            attn_mask = None
            if mended:
                attn_mask = torch.arange(x.size(0))[None] > num_peaks[:, None]
            for layer in self.peak_attn_layers:
                x = layer(x, attn_mask)
            return {"fingerprint": torch.sigmoid(self.fingerprint(x[0]))}

    return SpectraEncoder()


@report("POOL-01", observables=feats("batch", "time", 3), valid=mask("batch", "time", dtype="float32"))
def deep_set(mended: bool) -> nn.Module:
    """https://github.com/juho-lee/set_transformer/issues/4: rho of a mean of phi, of what fills up too."""

    class DeepSet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enc = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 10))
            self.dec = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 2 * 4))

        def forward(self, observables: Tensor, valid: Tensor) -> Tensor:
            X = self.enc(observables)
            if mended:
                X = torch.einsum("bnd,bn->bd", X, valid / valid.sum(-1, keepdim=True))
            else:
                X = X.mean(-2)  # leak
            return self.dec(X).reshape(-1, 2, 4)

    return DeepSet()
