"""SASRec: left-padded item histories, causal mask only."""
import torch
import torch.nn as nn

ADDRESS = "https://github.com/pmixer/SASRec.pytorch/issues/36"
STORY = ("Users ask why key_padding_mask=timeline_mask is commented out: item 0 has a zero embedding, yet it still takes part in the softmax. "
         "Histories are padded with 0 on the LEFT to a common length and the last position is read; positions are counted from the end (inverse positional encoding, as in RecTools).")
LEAKY = True
PLACE = "self.attention_layers[i]("
CAUSE = "no key padding mask: zero-embedding pads before the history share the softmax"
FORMAT = "module"


class PointWiseFeedForward(nn.Module):
    def __init__(self, hidden_units):
        super().__init__()
        self.conv1 = nn.Conv1d(hidden_units, hidden_units, kernel_size=1)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv1d(hidden_units, hidden_units, kernel_size=1)

    def forward(self, inputs):
        return self.conv2(self.relu(self.conv1(inputs.transpose(-1, -2)))).transpose(-1, -2) + inputs


class SASRec(nn.Module):
    def __init__(self, item_num=60, hidden_units=16, num_blocks=2, num_heads=2, maxlen=64):
        super().__init__()
        self.item_emb = nn.Embedding(item_num + 1, hidden_units, padding_idx=0)
        self.pos_emb = nn.Embedding(maxlen + 1, hidden_units, padding_idx=0)
        self.attention_layernorms = nn.ModuleList([nn.LayerNorm(hidden_units, eps=1e-8) for _ in range(num_blocks)])
        self.attention_layers = nn.ModuleList([nn.MultiheadAttention(hidden_units, num_heads) for _ in range(num_blocks)])
        self.forward_layernorms = nn.ModuleList([nn.LayerNorm(hidden_units, eps=1e-8) for _ in range(num_blocks)])
        self.forward_layers = nn.ModuleList([PointWiseFeedForward(hidden_units) for _ in range(num_blocks)])
        self.last_layernorm = nn.LayerNorm(hidden_units, eps=1e-8)

    def log2feats(self, log_seqs):
        seqs = self.item_emb(log_seqs) * self.item_emb.embedding_dim ** 0.5
        poss = torch.arange(log_seqs.shape[1], 0, -1, device=log_seqs.device)[None, :] * (log_seqs != 0)
        seqs = seqs + self.pos_emb(poss)
        timeline_mask = log_seqs == 0
        seqs = seqs * ~timeline_mask.unsqueeze(-1)
        tl = seqs.shape[1]
        attention_mask = ~torch.tril(torch.ones((tl, tl), dtype=torch.bool, device=log_seqs.device))
        for i in range(len(self.attention_layers)):
            seqs = torch.transpose(seqs, 0, 1)
            Q = self.attention_layernorms[i](seqs)
            mha_outputs, _ = self.attention_layers[i](Q, seqs, seqs, attn_mask=attention_mask)
            # key_padding_mask=timeline_mask
            seqs = Q + mha_outputs
            seqs = torch.transpose(seqs, 0, 1)
            seqs = self.forward_layers[i](self.forward_layernorms[i](seqs))
            seqs = seqs * ~timeline_mask.unsqueeze(-1)
        return self.last_layernorm(seqs)

    def forward(self, log_seqs):
        final_feat = self.log2feats(log_seqs)[:, -1, :]
        return final_feat @ self.item_emb.weight.t()


def _make():
    torch.manual_seed(3)
    m = SASRec()
    for a in m.attention_layers:
        nn.init.normal_(a.in_proj_bias, std=0.2)
        nn.init.normal_(a.out_proj.bias, std=0.2)
    return m.eval()


def build(folder):
    g = torch.Generator().manual_seed(0)
    x = torch.zeros(4, 20, dtype=torch.long)
    for i, n in enumerate((20, 12, 7, 16)):
        x[i, 20 - n:] = torch.randint(1, 61, (n,), generator=g)
    return _make(), (x,)


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (4, 9, 15):
        row = torch.randint(1, 61, (1, n), generator=g)
        ref = m(row)[0]
        refs.append(ref)
        for extra in (1, 8, 30):
            mate = torch.randint(1, 61, (1, n + extra), generator=g)
            x = torch.cat([torch.cat([torch.zeros(1, extra, dtype=torch.long), row], 1), mate])
            worst = max(worst, (m(x)[0] - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
