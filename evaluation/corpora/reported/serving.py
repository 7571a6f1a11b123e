"""Words as vectors: embeddings, retrievers and the encoders behind them."""

from __future__ import annotations

import math
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.corpora.reported.registry import ids, lengths, mask, report


@report("POOL-08", left=True, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def st_cls_left(mended: bool) -> nn.Module:
    """https://github.com/huggingface/sentence-transformers/issues/3208: the first token, padded in front, is a pad."""

    class Transformer(nn.Module):
        def __init__(self, dim: int = 8) -> None:
            super().__init__()
            self.word_embeddings, self.position_embeddings = nn.Embedding(40, dim), nn.Embedding(48, dim)
            self.attention = nn.MultiheadAttention(dim, 2, batch_first=True)
            self.LayerNorm, self.output = nn.LayerNorm(dim), nn.Linear(dim, dim)

        def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
            keep = features["attention_mask"]
            positions = (keep.cumsum(1) - 1).clamp(min=0)
            x = self.word_embeddings(features["input_ids"]) + self.position_embeddings(positions)
            x = self.LayerNorm(x + self.attention(x, x, x, key_padding_mask=keep == 0, need_weights=False)[0])
            return {**features, "token_embeddings": x + F.gelu(self.output(x))}

    class Pooling(nn.Module):
        def __init__(self, pooling_mode: str = "cls") -> None:
            super().__init__()
            self.pooling_mode = pooling_mode

        def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
            token_embeddings = features["token_embeddings"]
            if mended:
                first = features["attention_mask"].argmax(1)
                at = first[:, None, None].expand(-1, 1, token_embeddings.shape[-1])
                cls_token = token_embeddings.gather(1, at).squeeze(1)
            else:
                cls_token = token_embeddings[:, 0]  # leak
            return {"sentence_embedding": F.normalize(cls_token, p=2, dim=1)}

    class SentenceTransformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.modules_in_order = nn.ModuleList([Transformer(), Pooling()])

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            for module in self.modules_in_order:
                features = module(features)
            return features

    return SentenceTransformer()


@report("ATT-01", input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def reprover(mended: bool) -> nn.Module:
    """https://github.com/lean-dojo/ReProver/issues/34: the mask is for the mean only, the encoder never gets it."""

    class T5LayerNorm(nn.Module):
        def __init__(self, hidden_size: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(hidden_size))

        def forward(self, x: Tensor) -> Tensor:
            return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)

    class T5Attention(nn.Module):
        def __init__(self, d_model: int, n_heads: int) -> None:
            super().__init__()
            self.n_heads = n_heads
            self.q, self.k, self.v, self.o = (nn.Linear(d_model, d_model, bias=False) for _ in range(4))

        def shape(self, states: Tensor) -> Tensor:
            return states.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

        def forward(self, hidden_states: Tensor, position_bias: Tensor, mask: Tensor | None) -> Tensor:
            q, k, v = (self.shape(f(hidden_states)) for f in (self.q, self.k, self.v))
            scores = torch.matmul(q, k.transpose(3, 2)) + position_bias
            if mask is not None:
                scores = scores + mask
            attn_weights = F.softmax(scores, dim=-1)  # leak
            return self.o(torch.matmul(attn_weights, v).transpose(1, 2).flatten(2))

    class T5Block(nn.Module):
        def __init__(self, d_model: int) -> None:
            super().__init__()
            self.SelfAttention, self.layer_norm = T5Attention(d_model, 2), T5LayerNorm(d_model)
            self.wi, self.wo, self.ff_norm = nn.Linear(d_model, 16), nn.Linear(16, d_model), T5LayerNorm(d_model)

        def forward(self, x: Tensor, position_bias: Tensor, mask: Tensor | None) -> Tensor:
            x = x + self.SelfAttention(self.layer_norm(x), position_bias, mask)
            return x + self.wo(F.relu(self.wi(self.ff_norm(x))))

    class T5EncoderModel(nn.Module):
        def __init__(self, d_model: int = 8, num_buckets: int = 5) -> None:
            super().__init__()
            self.num_buckets = num_buckets
            self.shared = nn.Embedding(40, d_model)
            self.relative_attention_bias = nn.Embedding(2 * num_buckets + 1, 2)
            self.block = nn.ModuleList(T5Block(d_model) for _ in range(2))
            self.final_layer_norm = T5LayerNorm(d_model)

        def compute_bias(self, length: int) -> Tensor:
            position = torch.arange(length)
            relative = (position[None, :] - position[:, None]).clamp(-self.num_buckets, self.num_buckets)
            return self.relative_attention_bias(relative + self.num_buckets).permute(2, 0, 1).unsqueeze(0)

        def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
            x = self.shared(input_ids)
            bias, mask = self.compute_bias(input_ids.shape[1]), None
            if attention_mask is not None:
                mask = (1.0 - attention_mask[:, None, None].to(x.dtype)) * torch.finfo(x.dtype).min
            for block in self.block:
                x = block(x, bias, mask)
            return self.final_layer_norm(x)

    class PremiseRetriever(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = T5EncoderModel()

        def _encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            hidden_states = self.encoder(input_ids, attention_mask if mended else None)
            lens = attention_mask.sum(dim=1)
            features = (hidden_states * attention_mask.unsqueeze(2)).sum(dim=1) / lens.unsqueeze(1)
            return F.normalize(features, dim=1)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            return self._encode(input_ids, attention_mask)

    return PremiseRetriever()


@report("MIX-01", onnx=False, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def m2_bert(mended: bool) -> nn.Module:
    """https://github.com/HazyResearch/m2/issues/43: a long convolution both ways reads the pads along with the text."""

    def fftconv(u: Tensor, k_fwd: Tensor, k_rev: Tensor, D: Tensor) -> Tensor:
        seqlen = u.shape[-1]
        fft_size = 2 * seqlen
        k = F.pad(k_fwd, (0, seqlen)) + F.pad(k_rev.flip(-1), (seqlen, 0))
        y = torch.fft.irfft(torch.fft.rfft(u, n=fft_size) * torch.fft.rfft(k), n=fft_size)[..., :seqlen]  # leak
        return y + u * D.unsqueeze(-1)

    class HyenaFilter(nn.Module):
        def __init__(self, d_model: int, seq_len: int) -> None:
            super().__init__()
            decay = torch.exp(-0.1 * torch.arange(seq_len))
            self.fwd = nn.Parameter(torch.randn(d_model, seq_len) * decay * 0.4)
            self.rev = nn.Parameter(torch.randn(d_model, seq_len) * decay * 0.4)
            self.bias = nn.Parameter(torch.randn(d_model))

        def forward(self, x: Tensor) -> Tensor:
            size = x.shape[-1]
            return fftconv(x, self.fwd[:, :size], self.rev[:, :size], self.bias)

    class MonarchMixerSequenceMixing(nn.Module):
        def __init__(self, d_model: int, l_max: int) -> None:
            super().__init__()
            self.in_linear, self.out_linear = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)
            self.filter_fn = HyenaFilter(d_model, l_max)

        def forward(self, u: Tensor, mask: Tensor) -> Tensor:
            x1, x2, v = self.in_linear(u).transpose(-1, -2).chunk(3, dim=1)
            v = v * x1
            if mended:
                v = v * mask.unsqueeze(1)
            return self.out_linear((self.filter_fn(v) * x2).transpose(-1, -2))

    class M2BertEncoder(nn.Module):
        def __init__(self, d_model: int = 6) -> None:
            super().__init__()
            self.word_embeddings, self.position_embeddings = nn.Embedding(40, d_model), nn.Embedding(64, d_model)
            self.norm = nn.LayerNorm(d_model)
            self.mixer = nn.ModuleList(MonarchMixerSequenceMixing(d_model, 64) for _ in range(2))
            self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(2))

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
            positions = torch.arange(input_ids.shape[1])
            x = self.norm(self.word_embeddings(input_ids) + self.position_embeddings(positions))
            for mixer, norm in zip(self.mixer, self.norms, strict=True):
                x = norm(x + mixer(x, attention_mask))
            return {"sentence_embedding": F.normalize(x[:, 0], dim=-1)}

    return M2BertEncoder()


@report("ATT-13", wordpieces=ids("batch", "time"), lens=lengths())
def spacy_transformers(mended: bool) -> nn.Module:
    """https://github.com/explosion/spacy-transformers/pull/136: pads of -1 are looked for, but pads are 0."""

    class RaggedArray:
        def __init__(self, data: Tensor, lens: Tensor) -> None:
            self.data, self.lens = data, lens

        def to_padded(self, value: int) -> Tensor:
            inside = torch.arange(self.data.shape[1]).unsqueeze(0) < self.lens.unsqueeze(1)
            return torch.where(inside, self.data, value if mended else 0)  # cause in torch

    class TransformersWrapper(nn.Module):
        def __init__(self, dim: int = 8) -> None:
            super().__init__()
            self.embeddings = nn.Embedding(40, dim)
            self.attention = nn.MultiheadAttention(dim, 2, batch_first=True)
            self.norm, self.dense = nn.LayerNorm(dim), nn.Linear(dim, dim)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            x = self.embeddings(input_ids)
            y = self.attention(x, x, x, key_padding_mask=~attention_mask, need_weights=False)[0]  # leak
            x = self.norm(x + y)
            return x + torch.tanh(self.dense(x))

    class Tok2Vec(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wrapper = TransformersWrapper()

        def get_model_kwargs(self, ids: Tensor) -> dict[str, Tensor]:
            return {"input_ids": ids.clamp(min=0), "attention_mask": ids >= 0}

        def forward(self, wordpieces: Tensor, lens: Tensor) -> Tensor:
            ids = RaggedArray(wordpieces, lens).to_padded(value=-1)  # cause in onnx
            return self.wrapper(**self.get_model_kwargs(ids))

    return Tok2Vec()


@report("ATT-23", left=True, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def fla_linear(mended: bool) -> nn.Module:
    """https://github.com/fla-org/flash-linear-attention/pull/1266: values of pads are zeros, their keys still count."""

    class LinearAttention(nn.Module):
        def __init__(self, hidden_size: int = 8, num_heads: int = 2) -> None:
            super().__init__()
            self.num_heads = num_heads
            self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(hidden_size, hidden_size) for _ in range(4))

        def forward(self, hidden_states: Tensor, attention_mask: Tensor) -> Tensor:
            q, k, v = (
                f(hidden_states).unflatten(-1, (self.num_heads, -1)) for f in (self.q_proj, self.k_proj, self.v_proj)
            )
            q, k = F.elu(q) + 1, F.elu(k) + 1
            keep = attention_mask[:, :, None, None].to(v.dtype)
            v = v * keep
            if mended:
                k = k * keep
            state = torch.einsum("bthk,bthv->bthkv", k, v).cumsum(1)
            z = k.cumsum(1)  # leak
            o = torch.einsum("bthk,bthkv->bthv", q, state)
            o = o / ((q * z).sum(-1, keepdim=True) + 1e-10)
            return self.o_proj(o.flatten(2))

    class LinearAttentionForCausalLM(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings, self.norm = nn.Embedding(40, 8), nn.LayerNorm(8)
            self.attn, self.mlp, self.lm_head = LinearAttention(), nn.Linear(8, 8), nn.Linear(8, 11)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
            x = self.embeddings(input_ids)
            x = x + self.attn(self.norm(x), attention_mask)
            return SimpleNamespace(logits=self.lm_head(x + F.silu(self.mlp(x))))

    return LinearAttentionForCausalLM()


@report("POOL-03", sent_a=ids("batch", "first"), sent_b=ids("batch", "second"))
def mp_cnn(mended: bool) -> nn.Module:
    """https://github.com/castorini/castor/issues/176: the maximum also runs over windows that hold nothing but pads."""

    class MPCNN(nn.Module):
        def __init__(
            self, n_word_dim: int = 6, n_holistic_filters: int = 5, filter_widths: tuple[int, ...] = (1, 2, 3)
        ):
            super().__init__()
            self.filter_widths = filter_widths
            self.embedding = nn.Embedding(40, n_word_dim, padding_idx=0)
            self.holistic_conv_layers = nn.ModuleList(
                nn.Conv1d(n_word_dim, n_holistic_filters, ws, padding=ws - 1) for ws in filter_widths
            )
            self.final_layers = nn.Sequential(
                nn.Linear(len(filter_widths) * (n_holistic_filters + 1), 8), nn.Tanh(), nn.Linear(8, 5)
            )

        def forward(self, sent_a: Tensor, sent_b: Tensor) -> Tensor:
            compared = []
            words_a, words_b = (self.embedding(sent).transpose(1, 2) for sent in (sent_a, sent_b))
            for ws, conv in zip(self.filter_widths, self.holistic_conv_layers, strict=True):
                pooled = []
                for words, sent in ((words_a, sent_a), (words_b, sent_b)):
                    windows = torch.tanh(conv(words))
                    if mended:
                        real = torch.arange(windows.shape[2]) < ((sent != 0).sum(1) + ws - 1).unsqueeze(1)
                        windows = windows.masked_fill(~real.unsqueeze(1), -2.0)
                    pooled.append(windows.max(2)[0])  # leak
                a, b = pooled
                compared += [F.cosine_similarity(a, b, dim=1).unsqueeze(1), (a - b).abs()]
            return F.log_softmax(self.final_layers(torch.cat(compared, dim=1)), dim=1)

    return MPCNN()


@report("POOL-01", input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def bert_whitening(mended: bool) -> nn.Module:
    """https://github.com/autoliuweijie/BERT-whitening-pytorch/issues/13: the mean of two layers takes the pads in."""

    class BertLayer(nn.Module):
        def __init__(self, dim: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.query, self.key, self.value, self.dense = (nn.Linear(dim, dim) for _ in range(4))
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.intermediate, self.output = nn.Linear(dim, 16), nn.Linear(16, dim)

        def forward(self, x: Tensor, extended: Tensor) -> Tensor:
            B, T, C = x.shape
            q, k, v = (
                f(x).view(B, T, self.heads, C // self.heads).transpose(1, 2) for f in (self.query, self.key, self.value)
            )
            probs = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(C // self.heads) + extended, -1)
            x = self.norm1(x + self.dense((probs @ v).transpose(1, 2).reshape(B, T, C)))
            return self.norm2(x + self.output(F.gelu(self.intermediate(x))))

    class Whitened(nn.Module):
        def __init__(self, dim: int = 8) -> None:
            super().__init__()
            self.embeddings = nn.Embedding(40, dim)
            self.layers = nn.ModuleList(BertLayer(dim, 2) for _ in range(2))
            self.kernel, self.bias = nn.Parameter(torch.randn(dim, 5)), nn.Parameter(torch.randn(1, dim))

        def transform_and_normalize(self, vecs: Tensor) -> Tensor:
            vecs = (vecs + self.bias) @ self.kernel
            return vecs / (vecs**2).sum(dim=1, keepdim=True) ** 0.5

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            hidden_states = [self.embeddings(input_ids)]
            extended = (1 - attention_mask[:, None, None, :]).to(hidden_states[0].dtype) * -1e9
            for layer in self.layers:
                hidden_states.append(layer(hidden_states[-1], extended))
            hidden = hidden_states[-1] + hidden_states[1]
            if mended:
                keep = attention_mask.unsqueeze(-1)
                pooled = (hidden * keep).sum(dim=1) / keep.sum(dim=1) / 2
            else:
                pooled = hidden.mean(dim=1) / 2  # leak
            return self.transform_and_normalize(pooled)

    return Whitened()


@report("POS-01", left=True, harmless=True, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def alpaca_positions(mended: bool) -> nn.Module:
    """https://github.com/tloen/alpaca-lora/issues/315: positions are columns, but rotated keys know distances only."""

    def rotate_half(x: Tensor) -> Tensor:
        x1, x2 = x.chunk(2, dim=-1)
        return torch.cat((-x2, x1), dim=-1)

    class LlamaRotaryEmbedding(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.register_buffer("inv_freq", 1.0 / (30.0 ** (torch.arange(0, dim, 2) / dim)))

        def forward(self, position_ids: Tensor) -> tuple[Tensor, Tensor]:
            freqs = position_ids[..., None].to(self.inv_freq.dtype) * self.inv_freq
            emb = torch.cat((freqs, freqs), dim=-1).unsqueeze(1)
            return emb.cos(), emb.sin()

    class LlamaAttention(nn.Module):
        def __init__(self, hidden_size: int, num_heads: int) -> None:
            super().__init__()
            self.num_heads = num_heads
            self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
                nn.Linear(hidden_size, hidden_size, bias=False) for _ in range(4)
            )
            self.rotary_emb = LlamaRotaryEmbedding(hidden_size // num_heads)

        def forward(self, hidden_states: Tensor, mask: Tensor, position_ids: Tensor) -> Tensor:
            q, k, v = (
                f(hidden_states).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
                for f in (self.q_proj, self.k_proj, self.v_proj)
            )
            cos, sin = self.rotary_emb(position_ids)
            q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
            weights = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(q.shape[-1]) + mask
            return self.o_proj(torch.matmul(weights.softmax(-1), v).transpose(1, 2).flatten(2))

    class LlamaForCausalLM(nn.Module):
        def __init__(self, hidden_size: int = 8) -> None:
            super().__init__()
            self.embed_tokens = nn.Embedding(40, hidden_size)
            self.layers = nn.ModuleList(LlamaAttention(hidden_size, 2) for _ in range(2))
            self.norms = nn.ModuleList(nn.LayerNorm(hidden_size) for _ in range(2))
            self.lm_head = nn.Linear(hidden_size, 11, bias=False)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor]:
            x = self.embed_tokens(input_ids)
            size = input_ids.shape[1]
            columns = torch.arange(size).unsqueeze(0)
            position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0) if mended else columns
            allowed = torch.ones(size, size, dtype=torch.bool).tril() & (attention_mask[:, None, None] != 0)
            mask = torch.zeros_like(allowed, dtype=x.dtype).masked_fill(~allowed, torch.finfo(x.dtype).min)
            for norm, layer in zip(self.norms, self.layers, strict=True):
                x = x + layer(norm(x), mask, position_ids)
            return (self.lm_head(x),)

    return LlamaForCausalLM()
