"""BioGPT-like sequence classification: pools at (number of non-pad tokens - 1)."""
import torch
import torch.nn as nn

ADDRESS = "https://github.com/huggingface/transformers/pull/46782"
STORY = ("BioGptForSequenceClassification pools at ne(input_ids, pad).sum() - 1, which is the last real token only with right padding. "
         "The tokenizer of this decoder pads on the LEFT (pad id 1, attention_mask given), so the classification logits come from the wrong position.")
LEAKY = True
PLACE = "sequence_length"
CAUSE = "index of last token counted from the left edge while pads are on the left"
FORMAT = "module"


class Block(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d, d) for _ in range(4))
        self.self_attn_layer_norm, self.final_layer_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.fc1, self.fc2 = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x, bias):
        B, T, D = x.shape
        y = self.self_attn_layer_norm(x)
        q, k, v = (p(y).view(B, T, self.h, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        w = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + bias).softmax(-1)
        x = x + self.out_proj((w @ v).transpose(1, 2).reshape(B, T, D))
        return x + self.fc2(nn.functional.gelu(self.fc1(self.final_layer_norm(x))))


class BioGptForSequenceClassification(nn.Module):
    pad_token_id = 1

    def __init__(self, vocab=50, d=16, h=2, layers=2, num_labels=3, max_position=128):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab, d, padding_idx=self.pad_token_id)
        self.embed_positions = nn.Embedding(max_position + 2, d)
        self.layers = nn.ModuleList([Block(d, h) for _ in range(layers)])
        self.layer_norm = nn.LayerNorm(d)
        self.score = nn.Linear(d, num_labels, bias=False)

    def forward(self, input_ids, attention_mask):
        B, T = input_ids.shape
        positions = (torch.cumsum(attention_mask, dim=1) * attention_mask).long() - 1
        x = self.embed_tokens(input_ids) * self.embed_tokens.embedding_dim ** 0.5 + self.embed_positions(positions + 2)
        causal = torch.ones(T, T, dtype=torch.bool, device=input_ids.device).tril()
        allowed = causal[None] & attention_mask[:, None, :].bool()
        bias = torch.zeros(B, 1, T, T, dtype=x.dtype, device=x.device).masked_fill(~allowed[:, None], torch.finfo(x.dtype).min)
        for layer in self.layers:
            x = layer(x, bias)
        logits = self.score(self.layer_norm(x))
        sequence_length = (torch.ne(input_ids, self.pad_token_id).sum(-1) - 1).to(logits.device)
        return logits[torch.arange(B, device=logits.device), sequence_length]


def _make():
    torch.manual_seed(5)
    return BioGptForSequenceClassification().eval()


def _left(rows, T):
    ids = torch.ones(len(rows), T, dtype=torch.long)
    mask = torch.zeros(len(rows), T, dtype=torch.long)
    for i, r in enumerate(rows):
        ids[i, T - len(r):] = r
        mask[i, T - len(r):] = 1
    return ids, mask


def build(folder):
    g = torch.Generator().manual_seed(0)
    rows = [torch.randint(2, 50, (n,), generator=g) for n in (14, 9, 6)]
    ids, mask = _left(rows, 14)
    return _make(), {"input_ids": ids, "attention_mask": mask}


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (5, 8, 12):
        row = torch.randint(2, 50, (n,), generator=g)
        ref = m(*_left([row], n))[0]
        refs.append(ref)
        for extra in (1, 3, 10):
            out = m(*_left([row, torch.randint(2, 50, (n + extra,), generator=g)], n + extra))[0]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
