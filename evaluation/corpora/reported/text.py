"""Classifying texts, tagging words."""

# ruff: noqa: SIM108 - a mistake stands on a line of its own

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from evaluation.corpora.reported.registry import ids, lengths, mask, padmask, report


@report("POOL-09", onnx=False, batch_ph=ids("batch", "time"), seq_len_ph=lengths())
def rnn_attention(mended: bool) -> nn.Module:
    """https://github.com/ilivans/tf-rnn-attention/issues/8: the RNN stops at the length, the softmax does not."""

    class Attention(nn.Module):
        def __init__(self, hidden: int, attention_size: int) -> None:
            super().__init__()
            self.w_omega = nn.Parameter(torch.randn(hidden, attention_size) * 0.3)
            self.b_omega = nn.Parameter(torch.randn(attention_size) * 0.3)
            self.u_omega = nn.Parameter(torch.randn(attention_size))

        def forward(self, inputs: Tensor, seq_len: Tensor) -> tuple[Tensor, Tensor]:
            v = torch.tanh(torch.tensordot(inputs, self.w_omega, dims=1) + self.b_omega)
            vu = torch.tensordot(v, self.u_omega, dims=1)
            if mended:
                keep = torch.arange(vu.size(1)).unsqueeze(0) < seq_len.unsqueeze(1)
                vu = torch.where(keep, vu, torch.full_like(vu, -1e30))
            alphas = F.softmax(vu, dim=-1)  # leak
            return torch.sum(inputs * alphas.unsqueeze(-1), 1), alphas

    class Sentiment(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings = nn.Embedding(40, 10)
            self.rnn = nn.GRU(10, 8, bidirectional=True, batch_first=True)
            self.attention = Attention(16, 12)
            self.out = nn.Linear(16, 1)

        def forward(self, batch_ph: Tensor, seq_len_ph: Tensor) -> Tensor:
            embedded = self.embeddings(batch_ph)
            packed = pack_padded_sequence(embedded, seq_len_ph.cpu(), batch_first=True, enforce_sorted=False)
            rnn_outputs, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=batch_ph.size(1))
            attended, _ = self.attention(rnn_outputs, seq_len_ph)
            return self.out(attended).squeeze(-1)

    return Sentiment()


@report("POOL-09", x=ids("batch", "time"))
def caml(mended: bool) -> nn.Module:
    """https://github.com/jamesmullenbach/caml-mimic/issues/13: attention by label over words and pads."""

    class ConvAttnPool(nn.Module):
        def __init__(self, labels: int = 5, embed: int = 8, maps: int = 12, kernel: int = 3) -> None:
            super().__init__()
            self.embed = nn.Embedding(40, embed, padding_idx=0)
            self.conv = nn.Conv1d(embed, maps, kernel_size=kernel, padding=kernel // 2)
            self.U = nn.Linear(maps, labels)
            self.final = nn.Linear(maps, labels)

        def forward(self, x: Tensor) -> Tensor:
            pads = x.eq(0)
            x = self.embed(x).transpose(1, 2)
            x = torch.tanh(self.conv(x).transpose(1, 2))
            scores = self.U.weight.matmul(x.transpose(1, 2))
            if mended:
                scores = scores.masked_fill(pads.unsqueeze(1), -float("inf"))
            alpha = F.softmax(scores, dim=2)  # leak
            m = alpha.matmul(x)
            return self.final.weight.mul(m).sum(dim=2).add(self.final.bias)

    return ConvAttnPool()


@report("POOL-09", documents=ids("batch", "sentences", "words"))
def hierarchical_attention(mended: bool) -> nn.Module:
    """https://github.com/ematvey/hierarchical-attention-networks/issues/19: words are weighed whatever their number."""

    class TaskSpecificAttention(nn.Module):
        def __init__(self, size: int, out: int) -> None:
            super().__init__()
            self.project = nn.Linear(size, out)
            self.context = nn.Parameter(torch.randn(out))

        def scores(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
            projected = torch.tanh(self.project(inputs))
            return projected, projected @ self.context

    class HANClassifierModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding_matrix = nn.Embedding(40, 10)
            self.word = TaskSpecificAttention(10, 9)
            self.sentence = TaskSpecificAttention(9, 7)
            self.classify = nn.Linear(7, 4)

        def forward(self, documents: Tensor) -> Tensor:
            docs, sents, words = documents.shape
            flat = documents.reshape(docs * sents, words)
            projected, e = self.word.scores(self.embedding_matrix(flat))
            if mended:
                e = e.masked_fill(flat == 0, -1e30)
            a = e.softmax(-1)  # leak
            per_sentence = torch.einsum("nw,nwd->nd", a, projected).view(docs, sents, -1)
            projected, e = self.sentence.scores(per_sentence)
            e = e.masked_fill((documents == 0).all(-1), -1e30)
            a = e.softmax(-1)
            return self.classify(torch.einsum("ns,nsd->nd", a, projected))

    return HANClassifierModel()


@report("POOL-04", onnx=False, sent=ids("time", "batch"), sent_len=lengths())
def infersent(mended: bool) -> nn.Module:
    """https://github.com/facebookresearch/InferSent/issues/51: zeros behind a packed LSTM win the maximum."""

    class BLSTMEncoder(nn.Module):
        def __init__(self, config: dict[str, int]) -> None:
            super().__init__()
            self.lookup = nn.Embedding(40, config["word_emb_dim"])
            self.enc_lstm = nn.LSTM(config["word_emb_dim"], config["enc_lstm_dim"], 1, bidirectional=True)

        def forward(self, sent: Tensor, sent_len: Tensor) -> Tensor:
            sent_len_sorted, idx_sort = torch.sort(sent_len, descending=True)
            idx_unsort = torch.argsort(idx_sort)
            emb = self.lookup(sent.index_select(1, idx_sort))
            sent_packed = pack_padded_sequence(emb, sent_len_sorted.cpu())
            sent_output = pad_packed_sequence(self.enc_lstm(sent_packed)[0], total_length=sent.size(0))[0]
            sent_output = sent_output.index_select(1, idx_unsort)
            if mended:
                behind = torch.arange(sent.size(0)).unsqueeze(1) >= sent_len.unsqueeze(0)
                sent_output = sent_output.masked_fill(behind.unsqueeze(2), -1e9)
            return torch.max(sent_output, 0)[0]  # leak

    return BLSTMEncoder({"word_emb_dim": 10, "enc_lstm_dim": 8})


@report("POOL-04", token=ids("batch", "time"), mask=mask("batch", "time", dtype="float32"))
def hatt_proto(mended: bool) -> nn.Module:
    """https://github.com/thunlp/HATT-Proto/issues/12: features are multiplied by the mask before the maximum."""

    class CNNSentenceEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word_embedding = nn.Embedding(40, 8, padding_idx=0)
            self.conv = nn.Conv1d(8, 14, 3, padding=1)
            self.classify = nn.Linear(14, 3)

        def forward(self, token: Tensor, mask: Tensor) -> Tensor:
            x = self.conv(self.word_embedding(token).transpose(1, 2)) - 0.5
            if mended:
                x = x + (mask.unsqueeze(1) - 1) * 1e4
            else:
                x = x * mask.unsqueeze(1)
            x = x.max(dim=2).values  # leak
            return self.classify(F.relu(x + 1.0))

    return CNNSentenceEncoder()


@report("POOL-03", sentence=ids("batch", "time", pad=1))
def sent_conv(mended: bool) -> nn.Module:
    """https://github.com/harvardnlp/sent-conv-torch/issues/34: maxima over time of three widths, pads within reach."""

    class ConvPoolBlock(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 6, (width, 9))
            self.width = width

        def forward(self, x: Tensor, real: Tensor) -> Tensor:
            out = torch.relu(self.conv(x).squeeze(3))
            if mended:
                whole = real.unfold(1, self.width, 1).all(-1)
                out = out.masked_fill(~whole.unsqueeze(1), 0)
            return torch.amax(out, dim=-1)  # leak

    class TextCNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lookup = nn.Embedding(40, 9)
            self.blocks = nn.ModuleList(ConvPoolBlock(w) for w in (2, 3))
            self.linear = nn.Linear(12, 2)

        def forward(self, sentence: Tensor) -> Tensor:
            x = self.lookup(sentence).unsqueeze(1)
            real = sentence != 1
            return F.log_softmax(self.linear(torch.cat([block(x, real) for block in self.blocks], 1)), 1)

    return TextCNN()


class BertSelf(nn.Module):
    """A post-norm encoder layer that adds a mask to the scores."""

    def __init__(self, width: int = 12, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, hidden: Tensor, extended: Tensor) -> Tensor:
        def split(x: Tensor) -> Tensor:
            return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

        scores = split(self.query(hidden)) @ split(self.key(hidden)).transpose(-1, -2)
        probs = torch.softmax(scores / math.sqrt(hidden.size(-1) // self.heads) + extended, dim=-1)
        context = (probs @ split(self.value(hidden))).transpose(1, 2).reshape(hidden.shape)
        hidden = self.norm(hidden + self.out(context))
        return self.norm2(hidden + self.down(F.gelu(self.up(hidden))))


@report("POOL-01", input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def manual_mean(mended: bool) -> nn.Module:
    """https://github.com/huggingface/sentence-transformers/issues/2569: a mean taken by hand over all steps."""

    @dataclass
    class Output:
        last_hidden_state: Tensor
        pooler_output: Tensor | None = None

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word = nn.Embedding(40, 12)
            self.position = nn.Embedding(64, 12)
            self.layer = nn.ModuleList(BertSelf() for _ in range(2))

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Output:
            hidden = self.word(input_ids) + self.position(torch.arange(input_ids.size(1)))
            extended = (1.0 - attention_mask[:, None, None, :].to(hidden.dtype)) * torch.finfo(hidden.dtype).min
            for layer in self.layer:
                hidden = layer(hidden, extended)
            return Output(hidden)

    class Embedder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = Encoder()

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            outputs = self.model(input_ids=input_ids, attention_mask=attention_mask)
            if mended:
                expanded = (
                    attention_mask.unsqueeze(-1).expand(outputs.last_hidden_state.size()).to(torch.get_default_dtype())
                )
                summed = torch.sum(outputs.last_hidden_state * expanded, 1)
                embeddings = summed / torch.clamp(expanded.sum(1), min=1e-9)
            else:
                embeddings = outputs.last_hidden_state.mean(dim=1)  # leak
            return F.normalize(embeddings, p=2, dim=1)

    return Embedder()


@report("POOL-02", segments=ids("batch", "time"))
def masked_global_pool(mended: bool) -> nn.Module:
    """https://github.com/CyberZHG/keras-bert/issues/34: sums what the mask leaves and divides by all steps."""

    class MaskedGlobalPool(nn.Module):
        def forward(self, inputs: Tensor, keep: Tensor) -> Tensor:
            kept = keep.to(inputs.dtype).unsqueeze(-1)
            if mended:
                return (inputs * kept).sum(1) / kept.sum(1)
            return (inputs * kept).mean(1)  # leak

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Embedding(40, 12)
            self.block = BertSelf()
            self.pool = MaskedGlobalPool()
            self.dense = nn.Linear(12, 3)

        def forward(self, segments: Tensor) -> Tensor:
            keep = torch.ne(segments, 0)
            hidden = self.block(self.token(segments), torch.where(keep, 0.0, -1e9)[:, None, None])
            return self.dense(torch.tanh(self.pool(hidden, keep)))

    return Net()


@report("ATT-01", input_ids=ids("batch", "time"), token_type_ids=ids("batch", "time", vocab=2))
def candle_bert(mended: bool) -> nn.Module:
    """https://github.com/huggingface/candle/issues/1798: a port of BERT without a mask, right for one sentence."""

    class BertSelfAttention(nn.Module):
        def __init__(self, size: int, heads: int) -> None:
            super().__init__()
            self.num_attention_heads, self.attention_head_size = heads, size // heads
            self.query, self.key, self.value = nn.Linear(size, size), nn.Linear(size, size), nn.Linear(size, size)

        def transpose_for_scores(self, xs: Tensor) -> Tensor:
            return xs.reshape(*xs.shape[:-1], self.num_attention_heads, self.attention_head_size).transpose(1, 2)

        def forward(self, hidden_states: Tensor, mask: Tensor | None) -> Tensor:
            q, k, v = (self.transpose_for_scores(f(hidden_states)) for f in (self.query, self.key, self.value))
            attention_scores = q.matmul(k.mT) / math.sqrt(self.attention_head_size)
            if mask is not None:
                attention_scores = attention_scores + mask
            attention_probs = attention_scores.softmax(-1)  # leak
            return attention_probs.matmul(v).transpose(1, 2).flatten(-2)

    class BertModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word_embeddings, self.token_type_embeddings = nn.Embedding(40, 12), nn.Embedding(2, 12)
            self.layer_norm = nn.LayerNorm(12)
            self.attentions = nn.ModuleList(BertSelfAttention(12, 3) for _ in range(2))
            self.dense = nn.Linear(12, 12)

        def forward(self, input_ids: Tensor, token_type_ids: Tensor) -> Tensor:
            xs = self.layer_norm(self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids))
            mask = (input_ids == 0)[:, None, None, :].to(xs.dtype) * -1e10 if mended else None
            for attention in self.attentions:
                xs = self.layer_norm(xs + self.dense(attention(xs, mask)))
            return xs

    return BertModel()


@report("ATT-01", sent=ids("batch", "time"), segment=ids("batch", "time", vocab=2))
def bert_nli(mended: bool) -> nn.Module:
    """https://github.com/yg211/bert_nli/pull/3: the mask is made of ones, padded tokens included."""

    def build_mask(sent: Tensor) -> Tensor:
        if mended:
            return (sent > 0).long()
        return torch.ones_like(sent)  # cause in torch

    class BertNLIModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb, self.seg = nn.Embedding(40, 12), nn.Embedding(2, 12)
            self.q, self.k, self.v = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 12)
            self.nli_head = nn.Linear(12, 3)

        def forward(self, sent: Tensor, segment: Tensor) -> tuple[Tensor, Tensor]:
            masks = build_mask(sent)
            x = self.emb(sent) + self.seg(segment)
            scores = torch.bmm(self.q(x), self.k(x).transpose(1, 2)) / 12**0.5
            scores = scores + (1 - masks.to(x.dtype)).unsqueeze(1) * -10000.0
            weights = F.softmax(scores, dim=-1)  # leak
            cls_vecs = torch.tanh(weights @ self.v(x))[:, 0]
            logits = self.nli_head(cls_vecs)
            return logits, logits.softmax(-1)

    return BertNLIModel()


@report("ATT-13", onnx=False, x=ids("batch", "time"))
def kyubyong_transformer(mended: bool) -> nn.Module:
    """https://github.com/Kyubyong/transformer/pull/69: pads are known by zero sums, taken after positions are added."""

    class MultiheadAttention(nn.Module):
        def __init__(self, num_units: int, num_heads: int) -> None:
            super().__init__()
            self.num_heads = num_heads
            self.Q, self.K, self.V = (nn.Linear(num_units, num_units) for _ in range(3))

        def forward(self, queries: Tensor, keys: Tensor, key_masks: Tensor) -> Tensor:
            h = self.num_heads
            Q_, K_, V_ = (
                torch.cat(f(x).chunk(h, 2), 0) for f, x in ((self.Q, queries), (self.K, keys), (self.V, keys))
            )
            outputs = torch.matmul(Q_, K_.transpose(1, 2)) / K_.size(-1) ** 0.5
            key_masks = key_masks.repeat(h, 1).unsqueeze(1).expand(-1, queries.size(1), -1)
            outputs = torch.where(key_masks == 0, torch.full_like(outputs, -(2.0**32) + 1), outputs)
            outputs = torch.softmax(outputs, -1)  # leak
            outputs = torch.matmul(outputs, V_)
            return torch.cat(outputs.chunk(h, 0), 2) + queries

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enc_embed = nn.Embedding(40, 12, padding_idx=0)
            self.enc_pe = nn.Embedding(64, 12)
            self.attention = MultiheadAttention(12, 2)
            self.logits = nn.Linear(12, 6)

        def forward(self, x: Tensor) -> Tensor:
            enc = self.enc_embed(x)
            if mended:
                key_masks = torch.sign(torch.sum(torch.abs(enc), -1))
            enc = enc + self.enc_pe(torch.arange(x.size(1)).unsqueeze(0).expand_as(x))
            if not mended:
                key_masks = torch.sign(torch.abs(torch.sum(enc, -1)))  # cause
            enc = self.attention(enc, enc, key_masks)
            return self.logits(enc)

    return Transformer()


@report("ATT-02", onnx=False, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def text_classifiers(mended: bool) -> nn.Module:
    """https://github.com/InseeFrLab/torchTextClassifiers/pull/92: True stands for padding where SDPA wants the rest."""

    @dataclass
    class AttentionConfig:
        n_layers: int = 2
        n_head: int = 2
        n_embd: int = 12

    class SelfAttention(nn.Module):
        def __init__(self, config: AttentionConfig) -> None:
            super().__init__()
            self.n_head = config.n_head
            self.c_qkv = nn.Linear(config.n_embd, 3 * config.n_embd)
            self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=False)

        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            B, T, C = x.size()
            q, k, v = (y.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for y in self.c_qkv(x).split(C, 2))
            if mended:
                attn_mask = (attention_mask != 0)[:, None, None, :]
            else:
                attn_mask = (attention_mask == 0)[:, None, None, :]  # cause
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask)  # leak
            return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))

    class TextClassificationModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            config = AttentionConfig()
            self.token_embedder = nn.Embedding(40, config.n_embd)
            self.blocks = nn.ModuleList(SelfAttention(config) for _ in range(config.n_layers))
            self.head = nn.Linear(config.n_embd, 4)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            x = self.token_embedder(input_ids)
            for block in self.blocks:
                x = x + block(F.rms_norm(x, (x.size(-1),)), attention_mask).nan_to_num(0.0)
            real = attention_mask.unsqueeze(-1).to(x.dtype)
            return self.head((x * real).sum(1) / real.sum(1))

    return TextClassificationModel()


@report("RNN-01", onnx=False, text=ids("time", "batch", pad=1), text_lengths=lengths())
def sentiment_rnn(mended: bool) -> nn.Module:
    """https://github.com/bentrevett/pytorch-sentiment-analysis/issues/86: the last state ran on over pads."""

    class RNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(40, 10, padding_idx=1)
            self.rnn = nn.LSTM(10, 9, num_layers=2)
            self.fc = nn.Linear(9, 1)

        def forward(self, text: Tensor, text_lengths: Tensor) -> Tensor:
            embedded = self.embedding(text)
            if mended:
                packed = pack_padded_sequence(embedded, text_lengths.cpu(), enforce_sorted=False)
                _, (hidden, _) = self.rnn(packed)
            else:
                _, (hidden, _) = self.rnn(embedded)  # leak
            return self.fc(hidden[-1, :, :])

    return RNN()


@report("POOL-05", input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def repeng_last(mended: bool) -> nn.Module:
    """https://github.com/vgel/repeng/pull/38: the hidden state at -1, where rows are padded behind."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(12), nn.LayerNorm(12)
            self.attn = nn.MultiheadAttention(12, 3, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 12))

        def forward(self, x: Tensor) -> Tensor:
            T = x.size(1)
            causal = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
            y = self.ln_1(x)
            x = x + self.attn(y, y, y, attn_mask=causal, need_weights=False)[0]
            return x + self.mlp(self.ln_2(x))

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(40, 12), nn.Embedding(64, 12)
            self.h = nn.ModuleList([Block(), Block()])

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            hidden = self.wte(input_ids) + self.wpe(torch.arange(input_ids.shape[1]))
            for block in self.h:
                hidden = block(hidden)
            if mended:
                last = attention_mask.sum(1) - 1
                return hidden[torch.arange(hidden.size(0)), last]
            return hidden[:, -1, :]  # leak

    return Reader()


@report("RNN-02", onnx=False, rows=(1,), text=ids("time", "batch"), text_len=lengths())
def pos_tagger(mended: bool) -> nn.Module:
    """https://github.com/bentrevett/pytorch-pos-tagging/issues/8: a tutorial's two-way LSTM begins in the padding."""

    class BiLSTMPOSTagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(40, 10, padding_idx=0)
            self.lstm = nn.LSTM(10, 8, bidirectional=True)
            self.fc = nn.Linear(16, 7)

        def forward(self, text: Tensor, text_len: Tensor) -> Tensor:
            embedded = self.embedding(text)
            if mended:
                packed = pack_padded_sequence(embedded, text_len.cpu(), enforce_sorted=False)
                outputs, _ = pad_packed_sequence(self.lstm(packed)[0], total_length=len(text))
            else:
                outputs, _ = self.lstm(embedded)  # leak
            return self.fc(outputs)

    return BiLSTMPOSTagger()


class LinearChain(nn.Module):
    """The log partition of a linear chain, time first; the state stays where the mask is 0."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.start, self.end = nn.Parameter(torch.randn(tags)), nn.Parameter(torch.randn(tags))
        self.transitions = nn.Parameter(torch.randn(tags, tags))


@report("RNN-02", onnx=False, word_input=ids("batch", "time"), char_input=ids("batch", "time", "chars", vocab=20))
def delft_bilstm_crf(mended: bool) -> nn.Module:
    """https://github.com/kermitt2/delft/pull/232: the LSTM over words ran over all of a padded batch."""

    class BidLSTM_CRF(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word_embeddings, self.char_embeddings = nn.Embedding(40, 8), nn.Embedding(20, 5)
            self.char_dense = nn.Linear(5, 6)
            self.word_lstm = nn.LSTM(14, 7, bidirectional=True, batch_first=True)
            self.emit = nn.Linear(14, 4)
            self.crf = LinearChain(4)

        def forward(self, word_input: Tensor, char_input: Tensor) -> dict[str, Tensor]:
            seen = char_input.ne(0)
            chars = torch.tanh(self.char_dense(self.char_embeddings(char_input)))
            chars = chars.masked_fill(~seen.unsqueeze(-1), -1e4).amax(2)
            mask = seen.any(-1)
            x = torch.cat([self.word_embeddings(word_input), chars.clamp(min=-1)], dim=-1)
            if mended:
                packed = pack_padded_sequence(x, mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
                x, _ = pad_packed_sequence(self.word_lstm(packed)[0], batch_first=True, total_length=x.size(1))
            else:
                x, _ = self.word_lstm(x)  # leak
            emissions = self.emit(x)
            alpha = self.crf.start + emissions[:, 0]
            for i in range(1, emissions.size(1)):
                step = torch.logsumexp(alpha.unsqueeze(2) + self.crf.transitions + emissions[:, i].unsqueeze(1), 1)
                alpha = torch.where(mask[:, i].unsqueeze(1), step, alpha)
            return {"emissions": emissions, "log_partition": torch.logsumexp(alpha + self.crf.end, 1)}

    return BidLSTM_CRF()


@report("RNN-01", onnx=False, rows=(1,), sentence=ids("time", "batch"), mask=mask("time", "batch", dtype="bool"))
def crf_without_mask(mended: bool) -> nn.Module:
    """https://github.com/kmkurn/pytorch-crf/issues/97: a CRF behind an LSTM, called without the mask it takes."""

    class CRF(LinearChain):
        def forward(self, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
            if mask is None:
                mask = torch.ones(emissions.shape[:2], dtype=torch.bool)
            score = self.start + emissions[0]
            for i in range(1, emissions.size(0)):
                next_score = torch.logsumexp(score[:, :, None] + self.transitions + emissions[i][:, None], dim=1)
                score = torch.where(mask[i].unsqueeze(1), next_score, score)  # leak
            return torch.logsumexp(score + self.end, dim=1)[None]

    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(40, 9)
            self.lstm = nn.LSTM(9, 8)
            self.hidden2tag = nn.Linear(8, 5)
            self.crf = CRF(5)

        def forward(self, sentence: Tensor, mask: Tensor) -> Tensor:
            emissions = self.hidden2tag(self.lstm(self.embed(sentence))[0])
            if mended:
                return self.crf(emissions, mask=mask)
            return self.crf(emissions)

    return Tagger()


@report("CONV-06", input_ids=ids("batch", "time"), attention_mask=mask("batch", "time", dtype="float32"))
def mobilebert_trigram(mended: bool) -> nn.Module:
    """https://github.com/huggingface/transformers/issues/9860: a word's neighbours enter its embedding, pads too.

    Mended as a mask over the embeddings: an unpadded row has zeros behind its end.
    """

    class MobileBertEmbeddings(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word_embeddings = nn.Embedding(40, 6)
            self.embedding_transformation = nn.Linear(18, 12)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            inputs_embeds = self.word_embeddings(input_ids)
            if mended:
                inputs_embeds = inputs_embeds * attention_mask.unsqueeze(-1)
            after = F.pad(inputs_embeds[:, 1:], [0, 0, 0, 1, 0, 0])  # leak
            before = F.pad(inputs_embeds[:, :-1], [0, 0, 1, 0, 0, 0])
            inputs_embeds = torch.cat([after, inputs_embeds, before], dim=2)
            return self.embedding_transformation(inputs_embeds)

    class MobileBert(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings = MobileBertEmbeddings()
            self.layer = BertSelf()
            self.qa_outputs = nn.Linear(12, 2)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            extended = (1.0 - attention_mask[:, None, None, :]) * -1e9
            return self.qa_outputs(self.layer(self.embeddings(input_ids, attention_mask), extended))

    return MobileBert()


@report("EMB-04", offsets_free_ids=ids("batch", "time"))
def embedding_bag(mended: bool) -> nn.Module:
    """https://github.com/pytorch/pytorch/issues/3194: a bag's mean counts the pads."""

    class FastText(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag = nn.EmbeddingBag(40, 11, mode="mean", padding_idx=0 if mended else None)
            self.classifier = nn.Sequential(nn.Linear(11, 8), nn.ReLU(), nn.Linear(8, 4))

        def forward(self, offsets_free_ids: Tensor) -> Tensor:
            return self.classifier(self.bag(offsets_free_ids))  # leak

    return FastText()


@report("ATT-11", src=ids("batch", "time"), src_pad=padmask("batch", "time"))
def float_mask_added(mended: bool) -> nn.Module:
    """https://github.com/mlverse/torch/pull/1208: a mask of floats is added to the scores, one of truths fills them."""

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(40, 12)
            self.attention = nn.MultiheadAttention(12, 2)
            self.norm = nn.LayerNorm(12)
            self.decode = nn.Linear(12, 5)

        def forward(self, src: Tensor, src_pad: Tensor) -> Tensor:
            x = self.embed(src).permute(1, 0, 2)
            key_padding_mask = src_pad if mended else src_pad.to(x.dtype)
            attended, _ = self.attention(x, x, x, key_padding_mask=key_padding_mask)  # leak
            return self.decode(self.norm(x + attended)).permute(1, 0, 2)

    return Encoder()
