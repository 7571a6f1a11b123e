"""scGPT-like: gene ids with a float expression beside each, pad value -2, cell embedding by value-weighted pooling."""
import torch
import torch.nn as nn
import torch.nn.functional as F

ADDRESS = "https://github.com/bowang-lab/scGPT/blob/main/scgpt/model/model.py"
STORY = ("scGPT's cell_emb_style 'w-pool' sums layer_output * weights over the whole axis and normalises; given the expression values as weights (as callers of that method do), with a collator that pads genes with the <pad> id and values with pad_value = -2, the sum runs over the padding. "
         "src_key_padding_mask (True = padding) protects the transformer, so gene predictions are right, but padded genes enter the cell embedding with weight -2.")
LEAKY = True
PLACE = "weights.unsqueeze(2)"
CAUSE = "value-weighted pooling over padded genes whose value is -2"
FORMAT = "factory"


class ContinuousValueEncoder(nn.Module):
    def __init__(self, d_model, max_value=512):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(1, d_model), nn.Linear(d_model, d_model)
        self.norm = nn.LayerNorm(d_model)
        self.max_value = max_value

    def forward(self, x):
        x = torch.clamp(x.unsqueeze(-1), max=self.max_value)
        return self.norm(self.linear2(torch.relu(self.linear1(x))))


class GeneEncoder(nn.Module):
    def __init__(self, ntokens, d_model, padding_idx):
        super().__init__()
        self.embedding = nn.Embedding(ntokens, d_model, padding_idx=padding_idx)
        self.enc_norm = nn.LayerNorm(d_model)

    def forward(self, x):
        return self.enc_norm(self.embedding(x))


class TransformerModel(nn.Module):
    def __init__(self, ntoken=60, d_model=16, nhead=2, nlayers=2, pad_token_id=59, cell_emb_style="w-pool"):
        super().__init__()
        self.cell_emb_style = cell_emb_style
        self.encoder = GeneEncoder(ntoken, d_model, pad_token_id)
        self.value_encoder = ContinuousValueEncoder(d_model)
        layer = nn.TransformerEncoderLayer(d_model, nhead, 32, dropout=0.1, batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, nlayers, enable_nested_tensor=False)
        self.decoder = nn.Sequential(nn.Linear(d_model, d_model), nn.LeakyReLU(), nn.Linear(d_model, 1))

    def _get_cell_emb_from_layer(self, layer_output, weights=None):
        if self.cell_emb_style == "cls":
            return layer_output[:, 0, :]
        cell_emb = torch.sum(layer_output * weights.unsqueeze(2), dim=1)
        return F.normalize(cell_emb, p=2, dim=1)

    def forward(self, src: torch.Tensor, values: torch.Tensor, src_key_padding_mask: torch.Tensor):
        """
        Args:
            src (Tensor): token ids, shape [batch_size, seq_len]
            values (Tensor): token values, shape [batch_size, seq_len], pad_value = -2
            src_key_padding_mask (Tensor): mask for src, shape [batch_size, seq_len], True at padding
        Returns:
            dict of mlm_output [batch_size, seq_len] and cell_emb [batch_size, embsize]
        """
        total_embs = self.encoder(src) + self.value_encoder(values)
        transformer_output = self.transformer_encoder(total_embs, src_key_padding_mask=src_key_padding_mask)
        return {"mlm_output": self.decoder(transformer_output).squeeze(-1),
                "cell_emb": self._get_cell_emb_from_layer(transformer_output, values)}


def make():
    torch.manual_seed(14)
    return TransformerModel().eval()


def build(folder):
    return make(), None


def _row(n, g):
    return torch.randperm(59, generator=g)[:n], torch.rand(n, generator=g, dtype=torch.float64) * 6


def _batch(rows, T):
    src = torch.full((len(rows), T), 59)
    val = torch.full((len(rows), T), -2.0, dtype=torch.float64)
    for i, (a, b) in enumerate(rows):
        src[i, :len(a)], val[i, :len(a)] = a, b
    return src, val, src == 59


@torch.no_grad()
def truth():
    m = make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (6, 12, 20):
        row = _row(n, g)
        ref = m(*_batch([row], n))["cell_emb"][0]
        refs.append(ref)
        for extra in (1, 7, 25):
            out = m(*_batch([row, _row(n + extra, g)], n + extra))["cell_emb"][0]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
