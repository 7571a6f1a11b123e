"""Graphormer: graphs as sequences of nodes, four inputs padded along different axes, -inf in attn_bias."""
import torch
import torch.nn as nn

ADDRESS = "https://github.com/microsoft/Graphormer/issues/141"
STORY = ("Question about the collator: attn_bias is padded with -inf columns (0 in the rows of padded nodes, so that softmax has a denominator), node features and degrees with id 0 after a +1 shift, spatial_pos with 0. "
         "The graph token is prepended inside and read as the answer; graphs of different size share a batch.")
LEAKY = False
PLACE = None
CAUSE = "additive -inf bias columns keep padded nodes out of attention"
FORMAT = "module"


class GraphNodeFeature(nn.Module):
    def __init__(self, num_atoms, num_degree, dim):
        super().__init__()
        self.atom_encoder = nn.Embedding(num_atoms + 1, dim, padding_idx=0)
        self.in_degree_encoder = nn.Embedding(num_degree, dim, padding_idx=0)
        self.graph_token = nn.Embedding(1, dim)

    def forward(self, x, in_degree):
        node_feature = self.atom_encoder(x).sum(dim=-2) + self.in_degree_encoder(in_degree)
        token = self.graph_token.weight.unsqueeze(0).repeat(x.size(0), 1, 1)
        return torch.cat([token, node_feature], dim=1)


class GraphAttnBias(nn.Module):
    def __init__(self, num_heads, num_spatial):
        super().__init__()
        self.num_heads = num_heads
        self.spatial_pos_encoder = nn.Embedding(num_spatial, num_heads, padding_idx=0)
        self.graph_token_virtual_distance = nn.Embedding(1, num_heads)

    def forward(self, attn_bias, spatial_pos):
        graph_attn_bias = attn_bias.unsqueeze(1).repeat(1, self.num_heads, 1, 1)
        graph_attn_bias[:, :, 1:, 1:] = graph_attn_bias[:, :, 1:, 1:] + self.spatial_pos_encoder(spatial_pos).permute(0, 3, 1, 2)
        t = self.graph_token_virtual_distance.weight.view(1, self.num_heads, 1)
        graph_attn_bias[:, :, 1:, 0] = graph_attn_bias[:, :, 1:, 0] + t
        graph_attn_bias[:, :, 0, :] = graph_attn_bias[:, :, 0, :] + t
        return graph_attn_bias


class EncoderLayer(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out_proj = nn.Linear(dim, dim)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.fc1, self.fc2 = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
        self.final_layer_norm = nn.LayerNorm(dim)

    def forward(self, x, bias):
        B, N, D = x.shape
        q, k, v = self.qkv(self.self_attn_layer_norm(x)).view(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        w = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias).softmax(-1)
        x = x + self.out_proj((w @ v).transpose(1, 2).reshape(B, N, D))
        return x + self.fc2(torch.nn.functional.gelu(self.fc1(self.final_layer_norm(x))))


class Graphormer(nn.Module):
    def __init__(self, num_atoms=20, num_degree=10, num_spatial=12, dim=16, heads=2, layers=2, classes=3):
        super().__init__()
        self.graph_node_feature = GraphNodeFeature(num_atoms, num_degree, dim)
        self.graph_attn_bias = GraphAttnBias(heads, num_spatial)
        self.layers = nn.ModuleList([EncoderLayer(dim, heads) for _ in range(layers)])
        self.embed_out = nn.Linear(dim, classes)

    def forward(self, x, attn_bias, spatial_pos, in_degree):
        h = self.graph_node_feature(x, in_degree)
        bias = self.graph_attn_bias(attn_bias, spatial_pos)
        for layer in self.layers:
            h = layer(h, bias)
        return self.embed_out(h[:, 0, :])


def pad_attn_bias(x, padlen):
    new_x = x.new_full([padlen, padlen], float("-inf"))
    new_x[:x.size(0), :x.size(0)] = x
    new_x[x.size(0):, :x.size(0)] = 0
    return new_x


def collate(graphs):
    N = max(g["x"].size(0) for g in graphs)
    out = {"x": [], "attn_bias": [], "spatial_pos": [], "in_degree": []}
    for g in graphs:
        n = g["x"].size(0)
        x = torch.zeros(N, 2, dtype=torch.long); x[:n] = g["x"] + 1
        s = torch.zeros(N, N, dtype=torch.long); s[:n, :n] = g["spatial_pos"] + 1
        d = torch.zeros(N, dtype=torch.long); d[:n] = g["in_degree"] + 1
        out["x"].append(x); out["spatial_pos"].append(s); out["in_degree"].append(d)
        out["attn_bias"].append(pad_attn_bias(g["attn_bias"], N + 1))
    return {k: torch.stack(v) for k, v in out.items()}


def graph(n, g, dtype=torch.float32):
    adj = (torch.rand(n, n, generator=g) < 0.4).float()
    adj = ((adj + adj.t()) > 0).float()
    for i in range(n - 1):
        adj[i, i + 1] = adj[i + 1, i] = 1
    dist = torch.full((n, n), 99); dist.fill_diagonal_(0); reach = torch.eye(n)
    for step in range(1, n):
        reach = ((reach @ adj + reach) > 0).float()
        dist = torch.where((reach > 0) & (dist == 99), torch.tensor(step), dist)
    return {"x": torch.stack([torch.randint(0, 9, (n,), generator=g), torch.randint(10, 19, (n,), generator=g)], -1),
            "attn_bias": torch.zeros(n + 1, n + 1, dtype=dtype), "spatial_pos": dist.clamp(max=9), "in_degree": adj.sum(0).long().clamp(max=8)}


def _make():
    torch.manual_seed(4)
    return Graphormer().eval()


def build(folder):
    g = torch.Generator().manual_seed(0)
    return _make(), collate([graph(n, g) for n in (6, 9, 4)])


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (3, 5, 8):
        one = graph(n, g, torch.float64)
        ref = m(**collate([one]))[0]
        refs.append(ref)
        for extra in (1, 4, 9):
            out = m(**collate([one, graph(n + extra, g, torch.float64)]))[0]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
