"""Recurrent states, subsampled sounds and several streams at once."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from evaluation.corpora.reported.registry import feats, ids, lengths, padmask, report


@report("ATT-19", left=True, shown=True, x_l=feats("batch", "words", 6), x_a=feats("batch", "frames", 5))
def mult_streams(mended: bool) -> nn.Module:
    """https://github.com/yaohungt/Multimodal-Transformer/issues/34: streams padded in front, a mask nobody passes."""

    def make_positions(tensor: Tensor) -> Tensor:
        seen = tensor.ne(0)
        return seen.long().cumsum(1) * seen.long()

    class MultiheadAttention(nn.Module):
        def __init__(self, embed_dim: int, num_heads: int) -> None:
            super().__init__()
            self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
            self.in_proj_weight = nn.Parameter(torch.randn(3 * embed_dim, embed_dim) * 0.4)
            self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dim))
            self.out_proj = nn.Linear(embed_dim, embed_dim)

        def _in_proj(self, x: Tensor, part: int) -> Tensor:
            rows = slice(part * self.embed_dim, (part + 1) * self.embed_dim)
            x = F.linear(x, self.in_proj_weight[rows], self.in_proj_bias[rows])
            return x.reshape(x.size(0), x.size(1) * self.num_heads, self.head_dim).transpose(0, 1)

        def forward(self, query: Tensor, key: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
            tgt_len, bsz, _ = query.size()
            q, k, v = self._in_proj(query, 0), self._in_proj(key, 1), self._in_proj(key, 2)
            attn_weights = torch.bmm(q * self.head_dim**-0.5, k.transpose(1, 2))
            if key_padding_mask is not None:
                hidden = key_padding_mask.repeat_interleave(self.num_heads, 0).unsqueeze(1)
                attn_weights = attn_weights.masked_fill(hidden, float("-inf"))
            attn_weights = F.softmax(attn_weights, dim=-1)  # leak
            attn = torch.bmm(attn_weights, v).transpose(0, 1)
            return self.out_proj(attn.reshape(tgt_len, bsz, self.embed_dim))

    class TransformerEncoder(nn.Module):
        def __init__(self, embed_dim: int) -> None:
            super().__init__()
            self.embed_positions = nn.Embedding(48, embed_dim, padding_idx=0)
            self.self_attn, self.fc = MultiheadAttention(embed_dim, 2), nn.Linear(embed_dim, embed_dim)
            self.layer_norms = nn.ModuleList(nn.LayerNorm(embed_dim) for _ in range(3))

        def embed(self, x: Tensor) -> Tensor:
            return x + self.embed_positions(make_positions(x.transpose(0, 1)[:, :, 0])).transpose(0, 1)

        def forward(self, x_in: Tensor, x_in_k: Tensor, empty: Tensor) -> Tensor:
            x, x_k = self.embed(x_in), self.embed(x_in_k)
            y = self.self_attn(self.layer_norms[0](x), self.layer_norms[0](x_k), empty if mended else None)
            x = x + y
            return self.layer_norms[2](x + F.relu(self.fc(self.layer_norms[1](x))))

    class MULTModel(nn.Module):
        def __init__(self, d: int = 8) -> None:
            super().__init__()
            self.proj_l, self.proj_a = nn.Conv1d(6, d, 1, bias=False), nn.Conv1d(5, d, 1, bias=False)
            self.trans_l_with_a, self.trans_a_with_l = TransformerEncoder(d), TransformerEncoder(d)
            self.out_layer = nn.Linear(2 * d, 3)

        def forward(self, x_l: Tensor, x_a: Tensor) -> tuple[Tensor, Tensor]:
            empty_l, empty_a = (x.abs().sum(-1) == 0 for x in (x_l, x_a))
            proj_x_l = self.proj_l(x_l.transpose(1, 2)).permute(2, 0, 1)
            proj_x_a = self.proj_a(x_a.transpose(1, 2)).permute(2, 0, 1)
            h_l_with_as = self.trans_l_with_a(proj_x_l, proj_x_a, empty_a)
            h_a_with_ls = self.trans_a_with_l(proj_x_a, proj_x_l, empty_l)
            last_hs = torch.cat([h_l_with_as[-1], h_a_with_ls[-1]], dim=1)
            return self.out_layer(last_hs), last_hs

    return MULTModel()


@report("RNN-01", onnx=False, obs=feats("batch", "time", 5), seq_lens=lengths())
def rllib_states(mended: bool) -> nn.Module:
    """https://github.com/ray-project/ray/issues/21392: the state handed back has run on through the padding."""

    class LSTMWrapper(nn.Module):
        def __init__(self, cell_size: int = 7, num_outputs: int = 3) -> None:
            super().__init__()
            self.fc, self.lstm = nn.Linear(5, 6), nn.LSTM(6, cell_size, batch_first=True)
            self._logits_branch, self._value_branch = nn.Linear(cell_size, num_outputs), nn.Linear(cell_size, 1)

        def forward_rnn(self, inputs: Tensor, seq_lens: Tensor) -> tuple[Tensor, list[Tensor]]:
            if mended:
                packed = pack_padded_sequence(inputs, seq_lens, batch_first=True, enforce_sorted=False)
                packed_out, (h, c) = self.lstm(packed)
                features, _ = pad_packed_sequence(packed_out, batch_first=True, total_length=inputs.shape[1])
            else:
                features, (h, c) = self.lstm(inputs)  # leak
            return features, [h.squeeze(0), c.squeeze(0)]

        def forward(self, obs: Tensor, seq_lens: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
            features, state = self.forward_rnn(torch.tanh(self.fc(obs)), seq_lens)
            return self._logits_branch(features), self._value_branch(features).squeeze(-1), state

    return LSTMWrapper()


@report("RNN-04", onnx=False, source_tokens=ids("batch", "time"))
def allennlp_seq2seq(mended: bool) -> nn.Module:
    """https://github.com/allenai/allennlp/issues/1713: the last column of unpacked states is zero for short rows."""

    def get_text_field_mask(tokens: Tensor) -> Tensor:
        return (tokens != 0).long()

    def get_final_encoder_states(encoder_outputs: Tensor, mask: Tensor) -> Tensor:
        last_word_indices = mask.sum(1) - 1
        expanded = last_word_indices.view(-1, 1, 1).expand(-1, 1, encoder_outputs.size(-1))
        return encoder_outputs.gather(1, expanded).squeeze(1)

    class PytorchSeq2SeqWrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self._module = module

        def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
            packed = pack_padded_sequence(inputs, mask.sum(1), batch_first=True, enforce_sorted=False)
            return pad_packed_sequence(self._module(packed)[0], batch_first=True, total_length=inputs.size(1))[0]

    class SimpleSeq2Seq(nn.Module):
        def __init__(self, embedding_dim: int = 6, steps: int = 3) -> None:
            super().__init__()
            self._source_embedder = nn.Embedding(40, embedding_dim)
            self._encoder = PytorchSeq2SeqWrapper(nn.GRU(embedding_dim, 8, batch_first=True))
            self._target_embedder, self._steps = nn.Embedding(10, embedding_dim), steps
            self._decoder_cell, self._output_projection_layer = nn.GRUCell(embedding_dim + 8, 8), nn.Linear(8, 10)

        def _attend(self, state: Tensor, encoder_outputs: Tensor, mask: Tensor) -> Tensor:
            scores = encoder_outputs.bmm(state.unsqueeze(2)).squeeze(2).masked_fill(mask == 0, -1e32)
            return (scores.softmax(1).unsqueeze(2) * encoder_outputs).sum(1)

        def forward(self, source_tokens: Tensor) -> dict[str, Tensor]:
            source_mask = get_text_field_mask(source_tokens)
            encoder_outputs = self._encoder(self._source_embedder(source_tokens), source_mask)
            if mended:
                final_encoder_output = get_final_encoder_states(encoder_outputs, source_mask)
            else:
                final_encoder_output = encoder_outputs[:, -1]  # leak
            decoder_hidden, step_logits = final_encoder_output, []
            word = self._target_embedder.weight[0].expand(source_tokens.size(0), -1)
            for _ in range(self._steps):
                attended = self._attend(decoder_hidden, encoder_outputs, source_mask)
                decoder_hidden = self._decoder_cell(torch.cat([word, attended], -1), decoder_hidden)
                step_logits.append(self._output_projection_layer(decoder_hidden))
                word = step_logits[-1].softmax(-1) @ self._target_embedder.weight
            return {"logits": torch.stack(step_logits, 1)}

    return SimpleSeq2Seq()


@report("CONV-05", onnx=False, source=feats("batch", "time"), padding_mask=padmask("batch", "time"), shortest=5)
def hubert_mask(mended: bool) -> nn.Module:
    """https://github.com/facebookresearch/fairseq/pull/3572: the mask of frames is cut from the batch, not computed."""

    class ConvFeatureExtractionModel(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.conv_layers = nn.ModuleList(
                [nn.Conv1d(1, dim, 3, stride=2, bias=False), nn.Conv1d(dim, dim, 2, bias=False)]
            )
            self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            x = x.unsqueeze(1)
            for conv, norm in zip(self.conv_layers, self.norms, strict=True):
                x = F.gelu(norm(conv(x).transpose(-2, -1)).transpose(-2, -1))
            return x

    class HubertModel(nn.Module):
        def __init__(self, dim: int = 8) -> None:
            super().__init__()
            self.feature_extractor = ConvFeatureExtractionModel(dim)
            self.layer_norm, self.self_attn = nn.LayerNorm(dim), nn.MultiheadAttention(dim, 2)
            self.fc1, self.fc2, self.final_layer_norm = nn.Linear(dim, 16), nn.Linear(16, dim), nn.LayerNorm(dim)

        def _get_feat_extract_output_lengths(self, input_lengths: Tensor) -> Tensor:
            return (input_lengths - 3) // 2 + 1 - 1

        def forward_padding_mask(self, features: Tensor, padding_mask: Tensor) -> Tensor:
            if mended:
                input_lengths = (1 - padding_mask.long()).sum(-1)
                output_lengths = self._get_feat_extract_output_lengths(input_lengths)
                return torch.arange(features.size(1)) >= output_lengths.unsqueeze(1)
            extra = padding_mask.size(1) % features.size(1)
            if extra > 0:
                padding_mask = padding_mask[:, :-extra]
            return padding_mask.view(padding_mask.size(0), features.size(1), -1).all(-1)  # cause

        def forward(self, source: Tensor, padding_mask: Tensor) -> dict[str, Tensor]:
            features = self.layer_norm(self.feature_extractor(source).transpose(1, 2))
            padding_mask = self.forward_padding_mask(features, padding_mask)
            x = features.masked_fill(padding_mask.unsqueeze(-1), 0.0).transpose(0, 1)
            x = x + self.self_attn(x, x, x, key_padding_mask=padding_mask)[0]  # leak
            x = self.final_layer_norm(x + self.fc2(F.gelu(self.fc1(x))))
            return {"x": x.transpose(0, 1)}

    return HubertModel()


@report("CONV-02", audio_signal=feats("batch", 8, "time"), length=lengths(), shortest=4)
def nemo_subsampling(mended: bool) -> nn.Module:
    """https://github.com/NVIDIA-NeMo/Speech/pull/13827: pads are zeros for the first convolution only."""

    class Encoded(NamedTuple):
        outputs: Tensor
        encoded_lengths: Tensor

    def calc_length(lengths: Tensor) -> Tensor:
        return (lengths + 2 - 3) // 2 + 1

    def hide(x: Tensor, lengths: Tensor) -> Tensor:
        return x.masked_fill((torch.arange(x.size(2)) >= lengths.unsqueeze(1))[:, None, :, None], 0.0)

    class ConvSubsampling(nn.Module):
        def __init__(self, feat_in: int, feat_out: int, conv_channels: int = 4) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, conv_channels, kernel_size=3, stride=2, padding=1)
            self.conv2 = nn.Conv2d(conv_channels, conv_channels, kernel_size=3, stride=2, padding=1)
            self.out = nn.Linear(conv_channels * feat_in // 4, feat_out)

        def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
            x = F.relu(self.conv1(x.unsqueeze(1)))
            lengths = calc_length(lengths)
            if mended:
                x = hide(x, lengths)
            x = F.relu(self.conv2(x))  # leak
            return self.out(x.transpose(1, 2).flatten(2)), calc_length(lengths)

    class EncDecModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pre_encode, self.norm = ConvSubsampling(8, 8), nn.LayerNorm(8)
            self.linear_qkv, self.decoder = nn.Linear(8, 24), nn.Linear(8, 7)

        def forward(self, audio_signal: Tensor, length: Tensor) -> Encoded:
            silent = torch.arange(audio_signal.size(-1)) >= length.unsqueeze(1)
            audio_signal = audio_signal.masked_fill(silent.unsqueeze(1), 0.0)
            x, length = self.pre_encode(audio_signal.transpose(1, 2), length)
            q, k, v = (t.unflatten(-1, (2, -1)).transpose(1, 2) for t in self.linear_qkv(self.norm(x)).chunk(3, -1))
            pad_mask = torch.arange(x.size(1)) < length.unsqueeze(1)
            context = F.scaled_dot_product_attention(q, k, v, attn_mask=pad_mask[:, None, None])
            x = x + context.transpose(1, 2).flatten(2)
            return Encoded(self.decoder(x).log_softmax(-1), length)

    return EncDecModel()


@report("MIX-02", rows=(1,), data=feats("time", "batch", 5), seq_len=lengths())
def returnn_cumsum(mended: bool) -> nn.Module:
    """https://github.com/rwth-i6/returnn/issues/574: a sum from the end backwards begins in the padded frames."""

    class Data(NamedTuple):
        placeholder: Tensor
        size_placeholder: Tensor

        def get_sequence_mask(self) -> Tensor:
            return torch.arange(self.placeholder.size(0)).unsqueeze(1) < self.size_placeholder.unsqueeze(0)

    class LinearLayer(nn.Module):
        def __init__(self, n_in: int, n_out: int, activation: str | None = None) -> None:
            super().__init__()
            self.W, self.activation = nn.Linear(n_in, n_out), activation

        def forward(self, source: Data) -> Data:
            x = self.W(source.placeholder)
            return source._replace(placeholder=getattr(torch, self.activation)(x) if self.activation else x)

    class CumsumLayer(nn.Module):
        def __init__(self, reverse: bool = False) -> None:
            super().__init__()
            self.reverse = reverse

        def forward(self, source: Data) -> Data:
            x = source.placeholder
            if not self.reverse:
                return source._replace(placeholder=torch.cumsum(x, 0))
            if mended:
                x = torch.where(source.get_sequence_mask().unsqueeze(2), x, 0.0)
            x = torch.cumsum(torch.flip(x, [0]), 0)  # leak
            return source._replace(placeholder=torch.flip(x, [0]))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input, self.output = LinearLayer(5, 6, "tanh"), LinearLayer(12, 4)
            self.past, self.future = CumsumLayer(), CumsumLayer(reverse=True)

        def forward(self, data: Tensor, seq_len: Tensor) -> Tensor:
            x = self.input(Data(data, seq_len))
            both = torch.cat([self.past(x).placeholder, self.future(x).placeholder], 2)
            return self.output(x._replace(placeholder=both)).placeholder

    return Network()


@report("POS-06", harmless=True, xs_pad=feats("batch", "time", 6), ilens=lengths())
def espnet_relpos(mended: bool) -> nn.Module:
    """https://github.com/espnet/espnet/issues/4940: the table of distances grows with the batch, they do not."""

    class RelPositionalEncoding(nn.Module):
        def __init__(self, d_model: int, max_len: int = 48) -> None:
            super().__init__()
            distance = torch.arange(max_len - 1, -max_len, -1).unsqueeze(1)
            div_term = torch.exp(torch.arange(0, d_model, 2) * -(math.log(50.0) / d_model))
            self.register_buffer("pe", torch.cat([(distance * div_term).sin(), (distance * div_term).cos()], 1))

        def forward(self, x: Tensor) -> Tensor:
            centre = self.pe.size(0) // 2
            return self.pe[centre - x.size(1) + 1 : centre + x.size(1)]

    class RelPositionMultiHeadedAttention(nn.Module):
        def __init__(self, n_head: int, n_feat: int) -> None:
            super().__init__()
            self.h, self.d_k = n_head, n_feat // n_head
            self.linear_q, self.linear_k, self.linear_v, self.linear_out = (nn.Linear(n_feat, n_feat) for _ in range(4))
            self.linear_pos = nn.Linear(n_feat, n_feat, bias=False)
            self.pos_bias_u = nn.Parameter(torch.randn(self.h, 1, self.d_k) * 0.5)
            self.pos_bias_v = nn.Parameter(torch.randn(self.h, 1, self.d_k) * 0.5)

        def rel_shift(self, x: Tensor) -> Tensor:
            size = x.size(2)
            if mended:
                at = size - 1 - torch.arange(size).unsqueeze(1) + torch.arange(size).unsqueeze(0)
                return x.gather(3, at.expand(x.size(0), x.size(1), -1, -1))
            padded = torch.cat([torch.zeros_like(x[..., :1]), x], dim=-1)
            padded = padded.reshape(x.size(0), x.size(1), x.size(3) + 1, size)
            return padded[:, :, 1:].reshape(x.size(0), x.size(1), size, x.size(3))[..., :size]

        def forward(self, x: Tensor, pos_emb: Tensor, mask: Tensor) -> Tensor:
            q, k, v = (
                f(x).unflatten(2, (self.h, self.d_k)).transpose(1, 2)
                for f in (self.linear_q, self.linear_k, self.linear_v)
            )
            p = self.linear_pos(pos_emb).unflatten(1, (self.h, self.d_k)).transpose(0, 1)
            matrix_ac = torch.matmul(q + self.pos_bias_u, k.transpose(-2, -1))
            matrix_bd = self.rel_shift(torch.matmul(q + self.pos_bias_v, p.transpose(-2, -1)))
            scores = (matrix_ac + matrix_bd) / math.sqrt(self.d_k)
            attn = scores.masked_fill(~mask[:, None], torch.finfo(scores.dtype).min).softmax(-1)
            return self.linear_out(torch.matmul(attn, v).transpose(1, 2).flatten(2))

    class Encoder(nn.Module):
        def __init__(self, dim: int = 8) -> None:
            super().__init__()
            self.embed, self.pos_enc = nn.Linear(6, dim), RelPositionalEncoding(dim)
            self.encoders = nn.ModuleList(RelPositionMultiHeadedAttention(2, dim) for _ in range(2))
            self.norms, self.ctc_lo = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2)), nn.Linear(dim, 7)

        def forward(self, xs_pad: Tensor, ilens: Tensor) -> tuple[Tensor, Tensor]:
            masks = (torch.arange(xs_pad.size(1)) < ilens[:, None])[:, None]
            xs, pos_emb = self.embed(xs_pad), self.pos_enc(xs_pad)
            for norm, layer in zip(self.norms, self.encoders, strict=True):
                xs = xs + layer(norm(xs), pos_emb, masks)
            return self.ctc_lo(xs), masks.squeeze(1).sum(1)

    return Encoder()
