"""Recognising, naming, synthesising and separating speech."""

# ruff: noqa: SIM108 - a mistake stands on a line of its own

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from evaluation.corpora.reported.registry import feats, fraction, ids, lengths, mask, padmask, report


@report("ATT-14", wavs=feats("batch", "time", 6), wav_lens=fraction())
def lengths_swallowed(mended: bool) -> nn.Module:
    """https://github.com/speechbrain/speechbrain/issues/2986: lengths go to arguments of one name only."""

    class Wav2Vec(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.feature_projection = nn.Linear(6, 12)
            self.attention = nn.MultiheadAttention(12, 2, batch_first=True)
            self.norm = nn.LayerNorm(12)

        def forward(self, wav: Tensor, wav_lens: Tensor | None = None) -> Tensor:
            x = self.feature_projection(wav)
            padding_mask = None
            if wav_lens is not None:
                steps = torch.arange(x.shape[1]).to(wav_lens)
                padding_mask = steps[None] + 0.5 > wav_lens[:, None] * x.shape[1]
            return self.norm(x + self.attention(x, x, x, key_padding_mask=padding_mask)[0])  # leak

    class Projection(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(12, 8)

        def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
            return torch.log_softmax(self.linear(x), -1)

    class LengthsCapableSequential(nn.Sequential):
        def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
            for layer in self:
                names = layer.forward.__code__.co_varnames
                if "lengths" in names:
                    x = layer(x, lengths=lengths)
                elif mended and "wav_lens" in names:
                    x = layer(x, wav_lens=lengths)
                else:
                    x = layer(x)
            return x

    class EncoderASR(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = LengthsCapableSequential(Wav2Vec(), Projection())

        def forward(self, wavs: Tensor, wav_lens: Tensor) -> Tensor:
            return self.encoder(wavs, wav_lens)

    return EncoderASR()


@report("CONV-03", input=feats("batch", "time", 8), lengths=lengths())
def torchaudio_conformer(mended: bool) -> nn.Module:
    """https://github.com/pytorch/audio/issues/4205: attention knows the lengths, the convolution module does not."""

    def _lengths_to_padding_mask(lengths: Tensor, longest: int) -> Tensor:
        return torch.arange(longest).expand(lengths.shape[0], longest) >= lengths.unsqueeze(1)

    class _ConvolutionModule(nn.Module):
        def __init__(self, dim: int, kernel: int) -> None:
            super().__init__()
            self.layer_norm = nn.LayerNorm(dim)
            self.pointwise = nn.Conv1d(dim, 2 * dim, 1)
            self.depthwise = nn.Conv1d(dim, dim, kernel, padding=(kernel - 1) // 2, groups=dim)
            self.norm = nn.BatchNorm1d(dim)
            self.out = nn.Conv1d(dim, dim, 1)

        def forward(self, input: Tensor, key_padding_mask: Tensor) -> Tensor:
            x = self.layer_norm(input).transpose(1, 2)
            x = F.glu(self.pointwise(x), dim=1)
            if mended:
                x = x.masked_fill(key_padding_mask.unsqueeze(1), 0.0)
            x = self.depthwise(x)  # leak in torch
            return self.out(F.silu(self.norm(x))).transpose(1, 2)  # leak in onnx

    class ConformerLayer(nn.Module):
        def __init__(self, dim: int = 8) -> None:
            super().__init__()
            self.ffn1 = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 16), nn.SiLU(), nn.Linear(16, dim))
            self.self_attn_layer_norm = nn.LayerNorm(dim)
            self.self_attn = nn.MultiheadAttention(dim, 2)
            self.conv_module = _ConvolutionModule(dim, 3)
            self.final_layer_norm = nn.LayerNorm(dim)

        def forward(self, input: Tensor, key_padding_mask: Tensor) -> Tensor:
            x = self.ffn1(input) * 0.5 + input
            y = self.self_attn_layer_norm(x)
            y, _ = self.self_attn(y, y, y, key_padding_mask=key_padding_mask, need_weights=False)
            x = x + y
            x = x + self.conv_module(x.transpose(0, 1), key_padding_mask).transpose(0, 1)
            return self.final_layer_norm(x)

    class Conformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conformer_layers = nn.ModuleList(ConformerLayer() for _ in range(2))

        def forward(self, input: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
            encoder_padding_mask = _lengths_to_padding_mask(lengths, input.shape[1])
            x = input.transpose(0, 1)
            for layer in self.conformer_layers:
                x = layer(x, encoder_padding_mask)
            return x.transpose(0, 1), (~encoder_padding_mask).sum(1)

    return Conformer()


@report("NORM-01", waveforms=feats("batch", "time"), lengths=lengths(), shortest=4)
def wav2vec2_extractor(mended: bool) -> nn.Module:
    """https://github.com/pytorch/audio/issues/2242: one group norm over the whole recording, padding included."""

    class Wav2Vec2Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv0 = nn.Conv1d(1, 8, 3, bias=False)
            self.layer_norm = nn.GroupNorm(8, 8, affine=True)
            self.conv1 = nn.Conv1d(8, 8, 2, bias=False)
            self.aux = nn.Linear(8, 6)

        def normalise(self, x: Tensor, frames: Tensor) -> Tensor:
            keep = (torch.arange(x.size(-1)) < frames.unsqueeze(1)).unsqueeze(1).to(x.dtype)
            count = keep.sum(-1, keepdim=True)
            mean = (x * keep).sum(-1, keepdim=True) / count
            var = ((x - mean).square() * keep).sum(-1, keepdim=True) / count
            weight, bias = self.layer_norm.weight[:, None], self.layer_norm.bias[:, None]
            return (x - mean) / torch.sqrt(var + self.layer_norm.eps) * weight + bias

        def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
            x = self.conv0(waveforms.unsqueeze(1))
            if mended:
                x = self.normalise(x, lengths - 2)
            else:
                x = self.layer_norm(x)  # leak
            x = F.gelu(self.conv1(F.gelu(x))).transpose(1, 2)
            return self.aux(x), lengths - 3

    return Wav2Vec2Model()


@report("CONV-05", onnx=False, xs_pad=feats("batch", "time", 6), ilens=lengths(), shortest=5)
def espnet_subsampling(mended: bool) -> nn.Module:
    """https://github.com/espnet/espnet/issues/6600: the mask is thinned by slices counted from the padded end."""

    class Conv1dSubsampling(nn.Module):
        def __init__(self, idim: int, odim: int) -> None:
            super().__init__()
            self.conv = nn.Sequential(nn.Conv1d(idim, odim, 3, 2), nn.ReLU())
            self.out = nn.Linear(odim, odim)

        def forward(self, x: Tensor, x_mask: Tensor) -> tuple[Tensor, Tensor]:
            x = self.out(self.conv(x.transpose(1, 2)).transpose(1, 2))
            if mended:
                olens = (x_mask.sum(-1).squeeze(1) - 3) // 2 + 1
                return x, (torch.arange(x.size(1)) < olens.unsqueeze(1)).unsqueeze(1)
            return x, x_mask[:, :, :-2:2]  # cause

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = Conv1dSubsampling(6, 10)
            self.linear_q, self.linear_k, self.linear_v = (nn.Linear(10, 10) for _ in range(3))
            self.after_norm = nn.LayerNorm(10)

        def forward(self, xs_pad: Tensor, ilens: Tensor) -> Tensor:
            masks = (torch.arange(xs_pad.size(1)) < ilens.unsqueeze(1)).unsqueeze(1)
            xs, masks = self.embed(xs_pad, masks)
            scores = torch.matmul(self.linear_q(xs), self.linear_k(xs).transpose(-2, -1)) / math.sqrt(10)
            scores = scores.masked_fill(masks.eq(0), torch.finfo(scores.dtype).min)
            attn = torch.softmax(scores, dim=-1).masked_fill(masks.eq(0), 0.0)  # leak
            return self.after_norm(xs + attn @ self.linear_v(xs))

    return Encoder()


@report("POOL-10", wav_feats=feats("batch", "time", 6), wav_lens=fraction())
def ecapa_squeeze(mended: bool) -> nn.Module:
    """https://github.com/speechbrain/speechbrain/issues/1374: padding changes the speaker embedding."""

    def length_to_mask(wav_lens: Tensor, size: int) -> Tensor:
        return (torch.arange(size).to(wav_lens) + 0.5 < wav_lens.unsqueeze(1) * size).unsqueeze(1)

    class SEBlock(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv1d(channels, 4, 1), nn.Conv1d(4, channels, 1)

        def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
            if lengths is not None:
                mask = length_to_mask(lengths, x.shape[-1])
                s = (x * mask).sum(dim=2, keepdim=True) / mask.sum(dim=2, keepdim=True)
            else:
                s = x.mean(dim=2, keepdim=True)  # leak
            return torch.sigmoid(self.conv2(torch.relu(self.conv1(s)))) * x

    class AttentiveStatisticsPooling(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.tdnn, self.conv = nn.Conv1d(channels, 5, 1), nn.Conv1d(5, channels, 1)

        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            attn = self.conv(torch.tanh(self.tdnn(x)))
            attn = attn.masked_fill(~length_to_mask(lengths, x.shape[-1]), float("-inf")).softmax(dim=2)
            mean = (attn * x).sum(2)
            std = (attn * (x - mean.unsqueeze(2)).pow(2)).sum(2).clamp(1e-9).sqrt()
            return torch.cat((mean, std), dim=1)

    class ECAPA(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tdnn = nn.Conv1d(6, 8, 1)
            self.se_block = SEBlock(8)
            self.asp = AttentiveStatisticsPooling(8)
            self.fc = nn.Linear(16, 7)

        def forward(self, wav_feats: Tensor, wav_lens: Tensor) -> Tensor:
            x = torch.relu(self.tdnn(wav_feats.transpose(1, 2)))
            x = self.se_block(x, wav_lens if mended else None)
            return self.fc(self.asp(x, wav_lens))

    return ECAPA()


@report("POOL-09", input_signal=feats("batch", 6, "time"), length=lengths())
def nemo_stats_pool(mended: bool) -> nn.Module:
    """https://github.com/NVIDIA-NeMo/Speech/pull/5403: mean and deviation of all frames, whatever the length says."""

    class StatsPoolLayer(nn.Module):
        def __init__(self, eps: float = 1e-6) -> None:
            super().__init__()
            self.eps = eps

        def forward(self, encoder_output: Tensor, length: Tensor) -> Tensor:
            if not mended:
                mean = encoder_output.mean(dim=-1)  # leak
                std = encoder_output.std(dim=-1)  # leak
                return torch.cat([mean, std], dim=-1)
            keep = (torch.arange(encoder_output.size(-1)) < length[:, None]).to(encoder_output.dtype).unsqueeze(1)
            count = keep.sum(-1)
            means = (encoder_output * keep).sum(-1) / count
            stds = ((encoder_output - means.unsqueeze(-1)) ** 2 * keep).sum(-1) / (count - 1)
            return torch.cat([means, (stds + self.eps).sqrt()], dim=-1)

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.jasper = nn.Sequential(nn.Conv1d(6, 9, 1), nn.ReLU())
            self._pooling = StatsPoolLayer()
            self.final = nn.Linear(18, 4)

        def forward(self, input_signal: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
            pool = self._pooling(self.jasper(input_signal), length)
            return self.final(pool), pool

    return Decoder()


@report("RNN-02", onnx=False, rows=(1,), inputs=feats("batch", "time", 7), src_length=lengths())
def deep_speech2(mended: bool) -> nn.Module:
    """https://github.com/NVIDIA/OpenSeq2Seq/issues/69: the recurrent layers treat padding as sound."""

    class BatchRNN(nn.Module):
        def __init__(self, size: int, hidden: int) -> None:
            super().__init__()
            self.rnn = nn.GRU(size, hidden, bidirectional=True, bias=True)

        def forward(self, x: Tensor, output_lengths: Tensor) -> Tensor:
            steps = x.size(0)
            if mended:
                x = pack_padded_sequence(x, output_lengths.cpu(), enforce_sorted=False)
                x, _ = pad_packed_sequence(self.rnn(x)[0], total_length=steps)
            else:
                x, _ = self.rnn(x)  # leak
            return x.view(x.size(0), x.size(1), 2, -1).sum(2)

    class DeepSpeech2(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Sequential(nn.Conv1d(7, 8, 1), nn.BatchNorm1d(8), nn.Hardtanh(0, 20))
            self.rnns = BatchRNN(8, 8)
            self.fc = nn.Linear(8, 6)

        def forward(self, inputs: Tensor, src_length: Tensor) -> Tensor:
            x = self.conv(inputs.transpose(1, 2)).permute(2, 0, 1)
            return F.log_softmax(self.fc(self.rnns(x, src_length)), dim=-1)

    return DeepSpeech2()


@report("NORM-07", onnx=False, feats_pad=feats("batch", "time", 5), feats_lengths=lengths())
def utterance_mvn(mended: bool) -> nn.Module:
    """https://github.com/espnet/espnet/pull/6571: the variance counts what the mean made of the pads."""

    class UtteranceMVN(nn.Module):
        def forward(self, x: Tensor, ilens: Tensor) -> tuple[Tensor, Tensor]:
            pad = (torch.arange(x.size(1)) >= ilens.unsqueeze(1)).unsqueeze(-1)
            x = x.masked_fill(pad, 0.0)
            n = ilens.to(x.dtype).view(-1, 1, 1)
            x = x - x.sum(dim=1, keepdim=True) / n
            if mended:
                x = x.masked_fill(pad, 0.0)
            var = x.pow(2).sum(dim=1, keepdim=True) / n  # leak
            return x / torch.clamp(var.sqrt(), min=1e-20), ilens

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.normalize = UtteranceMVN()
            self.encoder = nn.LSTM(5, 8, batch_first=True)
            self.ctc_lo = nn.Linear(8, 6)

        def forward(self, feats_pad: Tensor, feats_lengths: Tensor) -> Tensor:
            feats, _ = self.normalize(feats_pad, feats_lengths)
            return self.ctc_lo(self.encoder(feats)[0]).log_softmax(2)

    return Model()


@report("NORM-01", onnx=False, phonemes=ids("batch", "time"), style=feats("batch", 4), text_lengths=lengths())
def kokoro_adain(mended: bool) -> nn.Module:
    """https://github.com/christopherthompson81/vernacula/pull/190: the style norm of a synthesiser runs over time."""

    class AdaIN1d(nn.Module):
        def __init__(self, style_dim: int, channels: int) -> None:
            super().__init__()
            self.norm = nn.InstanceNorm1d(channels, affine=False)
            self.fc = nn.Linear(style_dim, channels * 2)

        def forward(self, x: Tensor, s: Tensor, m: Tensor) -> Tensor:
            gamma, beta = torch.chunk(self.fc(s).unsqueeze(2), chunks=2, dim=1)
            if mended:
                n = m.sum(-1, keepdim=True)
                mu = (x * m).sum(-1, keepdim=True) / n
                var = (((x - mu) ** 2) * m).sum(-1, keepdim=True) / n
                normed = (x - mu) * torch.rsqrt(var + self.norm.eps)
            else:
                normed = self.norm(x)  # leak
            return (1 + gamma) * normed + beta

    class ProsodyPredictor(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(40, 8)
            self.lstm = nn.LSTM(8, 4, batch_first=True, bidirectional=True)
            self.adain = AdaIN1d(4, 8)
            self.duration_proj = nn.Linear(8, 1)

        def forward(self, phonemes: Tensor, style: Tensor, text_lengths: Tensor) -> dict[str, Tensor]:
            m = (torch.arange(phonemes.size(1)) < text_lengths.unsqueeze(1)).unsqueeze(1)
            packed = pack_padded_sequence(
                self.embedding(phonemes), text_lengths.cpu(), batch_first=True, enforce_sorted=False
            )
            d, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=phonemes.size(1))
            d = self.adain(d.transpose(-1, -2), style, m.to(d.dtype)).transpose(-1, -2)
            return {"duration": self.duration_proj(F.leaky_relu(d, 0.2)).squeeze(-1).sigmoid()}

    return ProsodyPredictor()


@report("CONV-02", src_seq=ids("batch", "time"), src_mask=padmask("batch", "time"))
def duration_predictor(mended: bool) -> nn.Module:
    """https://github.com/ming024/FastSpeech2/issues/16, a question about masks: here on the answer only."""

    class VariancePredictor(nn.Module):
        def __init__(self, encoder_hidden: int = 8, filter_size: int = 10) -> None:
            super().__init__()
            self.conv1d_1 = nn.Conv1d(encoder_hidden, filter_size, 3, padding=1)
            self.layer_norm_1 = nn.LayerNorm(filter_size)
            self.conv1d_2 = nn.Conv1d(filter_size, filter_size, 3, padding=1)
            self.layer_norm_2 = nn.LayerNorm(filter_size)
            self.linear_layer = nn.Linear(filter_size, 1)

        def forward(self, encoder_output: Tensor, mask: Tensor) -> Tensor:
            out = encoder_output.masked_fill(mask.unsqueeze(-1), 0)
            out = self.layer_norm_1(torch.relu(self.conv1d_1(out.transpose(1, 2)).transpose(1, 2)))
            if mended:
                out = out.masked_fill(mask.unsqueeze(-1), 0)
            out = self.conv1d_2(out.transpose(1, 2)).transpose(1, 2)  # leak
            out = self.layer_norm_2(torch.relu(out))
            return self.linear_layer(out).squeeze(-1).masked_fill(mask, 0.0)

    class FastSpeech2(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.src_word_emb = nn.Embedding(40, 8)
            self.slf_attn = nn.MultiheadAttention(8, 2, batch_first=True)
            self.duration_predictor = VariancePredictor()

        def forward(self, src_seq: Tensor, src_mask: Tensor) -> Tensor:
            x = self.src_word_emb(src_seq)
            x = x + self.slf_attn(x, x, x, key_padding_mask=src_mask)[0]
            return self.duration_predictor(x, src_mask)

    return FastSpeech2()


@report("CONV-01", characters=ids("batch", "time"), text_lengths=lengths())
def tacotron_encoder(mended: bool) -> nn.Module:
    """https://github.com/mozilla/TTS/issues/429: the convolutions of the text encoder read the padding."""

    class ConvBNBlock(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv1d = nn.Conv1d(channels, channels, 5, padding=2)
            self.norm = nn.BatchNorm1d(channels)

        def forward(self, x: Tensor, keep: Tensor) -> Tensor:
            if mended:
                x = x * keep
            o = self.conv1d(x)  # leak in torch
            return torch.tanh(self.norm(o))  # leak in onnx

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(40, 8, padding_idx=0)
            self.convolutions = nn.ModuleList(ConvBNBlock(8) for _ in range(3))

        def forward(self, characters: Tensor, text_lengths: Tensor) -> Tensor:
            keep = (torch.arange(characters.size(1))[None] < text_lengths[:, None])[:, None]
            o = self.embedding(characters).transpose(1, 2)
            for layer in self.convolutions:
                o = layer(o, keep.to(o.dtype))
            return o.transpose(1, 2)

    return Encoder()


@report("CONV-02", onnx=False, xs=feats("batch", "time", 6), ilens=lengths())
def blstm_projection(mended: bool) -> nn.Module:
    """https://github.com/espnet/espnet/pull/397: the bias of a projection fills what packing had left empty.

    In this small form a convolution behind it reads the frames after the end.
    """

    class BLSTMP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.nblstm = nn.LSTM(6, 7, batch_first=True, bidirectional=True)
            self.l_last = nn.Linear(14, 8)

        def forward(self, xpad: Tensor, ilens: Tensor) -> Tensor:
            xpack = pack_padded_sequence(xpad, ilens.cpu(), batch_first=True, enforce_sorted=False)
            ypad, _ = pad_packed_sequence(self.nblstm(xpack)[0], batch_first=True, total_length=xpad.size(1))
            xpad = torch.tanh(self.l_last(ypad.contiguous().view(-1, ypad.size(2))))
            return xpad.view(ypad.size(0), ypad.size(1), -1)

    class E2E(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enc = BLSTMP()
            self.loc_conv = nn.Conv2d(1, 1, (3, 1), padding=(1, 0), bias=False)
            self.ctc = nn.Linear(8, 5)

        def forward(self, xs: Tensor, ilens: Tensor) -> Tensor:
            hs = self.enc(xs, ilens)
            if mended:
                hs = hs.masked_fill((torch.arange(hs.size(1)) >= ilens[:, None]).unsqueeze(2), 0)
            hs = self.loc_conv(hs.unsqueeze(1)).squeeze(1)  # leak
            return self.ctc(hs)

    return E2E()


@report("NORM-03", mixture=feats("batch", "time"), valid=mask("batch", "time", dtype="bool"), shortest=4)
def conv_tasnet(mended: bool) -> nn.Module:
    """https://github.com/pytorch/pytorch/issues/81985: a norm over channels and time, in a separator of speakers."""

    class GlobLN(nn.Module):
        def __init__(self, channel_size: int) -> None:
            super().__init__()
            self.gamma, self.beta = nn.Parameter(torch.ones(channel_size)), nn.Parameter(torch.zeros(channel_size))

        def forward(self, x: Tensor, valid: Tensor) -> Tensor:
            if mended:
                n = valid.sum((1, 2), keepdim=True) * x.size(1)
                mean = (x * valid).sum((1, 2), keepdim=True) / n
                var = ((x - mean) ** 2 * valid).sum((1, 2), keepdim=True) / n
            else:
                mean = x.mean((1, 2), keepdim=True)  # leak
                var = torch.pow(x - mean, 2).mean(dim=(1, 2), keepdim=True)  # leak
            return (self.gamma * ((x - mean) / (var + 1e-8).sqrt()).transpose(1, -1) + self.beta).transpose(1, -1)

    class Separator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.Conv1d(1, 6, 1, bias=False)
            self.in_conv = nn.Conv1d(6, 8, 1)
            self.prelu = nn.PReLU()
            self.norm = GlobLN(8)
            self.mask_net = nn.Conv1d(8, 12, 1)
            self.decoder = nn.Conv1d(6, 1, 1)

        def forward(self, mixture: Tensor, valid: Tensor) -> Tensor:
            rep = torch.relu(self.encoder(mixture.unsqueeze(1)))
            est = self.norm(self.prelu(self.in_conv(rep)), valid.unsqueeze(1).to(rep.dtype))
            masks = torch.sigmoid(self.mask_net(est)).unflatten(1, (2, 6))
            sources = masks * rep.unsqueeze(1)
            return self.decoder(sources.flatten(0, 1)).view(mixture.size(0), 2, -1)

    return Separator()


@report("ATT-05", spectrogram=feats("batch", "time", 6), n_wins=lengths())
def nisqa_pooling(mended: bool) -> nn.Module:
    """https://github.com/gabrielmittag/NISQA/issues/17: weights over windows, masked on the wrong side."""

    class PoolAtt(nn.Module):
        def __init__(self, d_input: int) -> None:
            super().__init__()
            self.linear1, self.linear2 = nn.Linear(d_input, 1), nn.Linear(d_input, 1)

        def forward(self, x: Tensor, n_wins: Tensor) -> Tensor:
            att = self.linear1(x).transpose(2, 1)
            mask = torch.arange(att.shape[2])[None, :] < n_wins[:, None].to(torch.long)
            if mended:
                att = F.softmax(att.masked_fill(~mask.unsqueeze(1), float("-inf")), dim=2)
            else:
                att = F.softmax(att, dim=2)  # leak
                att = att.masked_fill(~mask.unsqueeze(1), 0.0)
            return self.linear2(torch.bmm(att, x).squeeze(1))

    class NISQA(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.time_dependency = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 10))
            self.pool_layers = nn.ModuleList(PoolAtt(10) for _ in range(2))

        def forward(self, spectrogram: Tensor, n_wins: Tensor) -> Tensor:
            x = self.time_dependency(spectrogram)
            return torch.cat([mod(x, n_wins) for mod in self.pool_layers], dim=1)

    return NISQA()


class HifiOutput(NamedTuple):
    wav: Tensor
    wav_lengths: Tensor


@report("CONV-02", x=feats("batch", 5, "time"), valid_lengths=lengths())
def hifi_gan(mended: bool) -> nn.Module:
    """https://github.com/jik876/hifi-gan/pull/177: residual blocks read what biases leave behind the end."""

    def apply_mask(x: Tensor, valid_lengths: Tensor) -> Tensor:
        return x * (torch.arange(x.size(-1)) < valid_lengths[:, None]).unsqueeze(1)

    class ResBlock1(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.c1 = nn.Conv1d(channels, channels, 3, 1, padding=1)
            self.c2 = nn.Conv1d(channels, channels, 3, 1, dilation=2, padding=2)

        def forward(self, x: Tensor, valid_lengths: Tensor) -> Tensor:
            xt = F.leaky_relu(x, 0.1)
            if mended:
                xt = apply_mask(xt, valid_lengths)
            xt = F.leaky_relu(self.c1(xt), 0.1)  # leak
            if mended:
                xt = apply_mask(xt, valid_lengths)
            return x + self.c2(xt)  # leak

    class Generator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv_pre = nn.Conv1d(5, 8, 1)
            self.ups = nn.ConvTranspose1d(8, 6, 2, 2)
            self.resblock = ResBlock1(6)
            self.conv_post = nn.Conv1d(6, 1, 1)

        def forward(self, x: Tensor, valid_lengths: Tensor) -> HifiOutput:
            x = self.ups(self.conv_pre(x))
            x = self.resblock(x, valid_lengths * 2)
            return HifiOutput(torch.tanh(self.conv_post(F.leaky_relu(x))), valid_lengths * 2)

    return Generator()


@report("POOL-11", input_values=feats("batch", "time", 5), attention_mask=mask("batch", "time"))
def sew_squeeze(mended: bool) -> nn.Module:
    """https://huggingface.co/asapp/sew-d-tiny-100k/discussions/2: frames are averaged by twos, the last with a pad.

    Mended as others pool: a window counts the frames that are real, and so does the mask.
    """

    class SEWEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(5, 8)
            self.pool = nn.AvgPool1d(2, 2, ceil_mode=True)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.layer_norm = nn.LayerNorm(8)
            self.lm_head = nn.Linear(8, 5)

        def forward(self, input_values: Tensor, attention_mask: Tensor) -> Tensor:
            hidden_states = self.project(input_values).transpose(1, 2)
            keep = attention_mask.unsqueeze(1).to(hidden_states.dtype)
            if mended:
                share = self.pool(keep).clamp(min=0.5)
                hidden_states = self.pool(hidden_states * keep) / share
            else:
                hidden_states = self.pool(hidden_states)  # leak
            hidden_states = hidden_states.transpose(1, 2)
            real = self.pool(keep).squeeze(1) > 0.25
            attended, _ = self.attention(hidden_states, hidden_states, hidden_states, key_padding_mask=~real)
            return self.lm_head(self.layer_norm(hidden_states + attended))

    return SEWEncoder()
