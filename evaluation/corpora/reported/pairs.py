"""Two sequences: matching, translating, copying, asking about pictures, drawing from prompts."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from evaluation.corpora.reported.registry import feats, ids, lengths, mask, report


@report("POOL-02+POOL-04", passage=ids("batch", "time"), question=ids("batch", "other"))
def bimpm(mended: bool) -> nn.Module:
    """https://github.com/zhiguowang/BiMPM/issues/32: maxima and means over cosines take the pads in."""

    class MatchUtils(nn.Module):
        def forward(self, reps: Tensor, other: Tensor, mask: Tensor, other_mask: Tensor) -> Tensor:
            relevancy = F.normalize(reps, dim=-1) @ F.normalize(other, dim=-1).transpose(1, 2)
            relevancy = relevancy * mask.unsqueeze(2) * other_mask.unsqueeze(1)
            if mended:
                hidden = (1 - other_mask).unsqueeze(1)
                highest = (relevancy - 1e4 * hidden).amax(dim=2)
                mean = relevancy.sum(dim=2) / other_mask.sum(dim=1, keepdim=True)
            else:
                highest = relevancy.amax(dim=2)  # leak
                mean = relevancy.mean(dim=2)  # leak
            return torch.stack([highest, mean], dim=-1)

    class SentenceMatchModelGraph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word_embedding = nn.Embedding(40, 10)
            self.highway = nn.Linear(10, 10)
            self.match = MatchUtils()
            self.aggregate = nn.Linear(2, 8)
            self.w_0, self.w_1 = nn.Linear(16, 8), nn.Linear(8, 2)

        def forward(self, passage: Tensor, question: Tensor) -> Tensor:
            p, q = self.word_embedding(passage), self.word_embedding(question)
            p, q = (x + torch.tanh(self.highway(x)) for x in (p, q))
            p_mask, q_mask = (passage > 0).to(p.dtype), (question > 0).to(p.dtype)
            found = []
            for a, b, m, n in ((p, q, p_mask, q_mask), (q, p, q_mask, p_mask)):
                matched = torch.tanh(self.aggregate(self.match(a, b, m, n))) * m.unsqueeze(-1)
                found.append(matched.sum(1) / m.sum(1, keepdim=True))
            return self.w_1(torch.tanh(self.w_0(torch.cat(found, 1)))).softmax(1)

    return SentenceMatchModelGraph()


@report("ATT-03", text_left=ids("batch", "time"), text_right=ids("batch", "other"))
def matchzoo_esim(mended: bool) -> nn.Module:
    """https://github.com/NTMC-Community/MatchZoo-py/issues/163: scores are filled with a tiny negative number."""

    class BidirectionalAttention(nn.Module):
        def forward(self, v1: Tensor, v1_mask: Tensor, v2: Tensor, v2_mask: Tensor) -> tuple[Tensor, Tensor]:
            fill = -1e7 if mended else -1e-7
            similarity_matrix = v1.bmm(v2.transpose(2, 1).contiguous())
            v2_v1_attn = F.softmax(similarity_matrix.masked_fill(v1_mask.unsqueeze(2), fill), dim=1)  # leak
            v1_v2_attn = F.softmax(similarity_matrix.masked_fill(v2_mask.unsqueeze(1), fill), dim=2)  # leak
            attended_v1 = v1_v2_attn.bmm(v2)
            attended_v2 = v2_v1_attn.transpose(1, 2).bmm(v1)
            return attended_v1.masked_fill(v1_mask.unsqueeze(2), 0), attended_v2.masked_fill(v2_mask.unsqueeze(2), 0)

    class ESIM(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(40, 8)
            self.attention = BidirectionalAttention()
            self.projection = nn.Sequential(nn.Linear(32, 8), nn.ReLU())
            self.out = nn.Linear(16, 1)

        def pooled(self, x: Tensor, attended: Tensor, pads: Tensor) -> Tensor:
            enhanced = self.projection(torch.cat([x, attended, x - attended, x * attended], dim=-1))
            return enhanced.masked_fill(pads.unsqueeze(2), 0).sum(1) / (~pads).sum(1, keepdim=True)

        def forward(self, text_left: Tensor, text_right: Tensor) -> Tensor:
            left_mask, right_mask = text_left == 0, text_right == 0
            left, right = self.embedding(text_left), self.embedding(text_right)
            attended_left, attended_right = self.attention(left, left_mask, right, right_mask)
            left, right = self.pooled(left, attended_left, left_mask), self.pooled(right, attended_right, right_mask)
            return self.out(torch.cat([left, right], 1))

    return ESIM()


@report("POOL-01", p=ids("batch", "time"), h=ids("batch", "other"))
def text_matching_pooling(mended: bool) -> nn.Module:
    """https://github.com/terrifyzhao/text_matching/issues/17: pooling ought to use the real length of each sentence."""

    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(40, 9)
            self.compose = nn.Sequential(nn.Linear(9, 9), nn.Tanh())
            self.fc = nn.Linear(36, 2)

        def pooling(self, x: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
            if mended:
                keep = (ids != 0)[..., None]
                return (x * keep).sum(1) / keep.sum(1), x.masked_fill(~keep, -10.0).amax(1)
            average = x.mean(dim=1)  # leak in torch
            highest = x.amax(dim=1)  # leak in torch
            return average, highest

        def forward(self, p: Tensor, h: Tensor) -> Tensor:
            parts = []
            for text in (p, h):
                parts.extend(self.pooling(self.compose(self.embedding(text)), text))  # leak in onnx
            return F.softmax(self.fc(torch.cat(parts, dim=1)), dim=-1)

    return Graph()


@report("ATT-19", onnx=False, rows=(1,), source=ids("time", "batch"), source_lengths=lengths(), target=ids("batch", 4))
def nmt_with_attention(mended: bool) -> nn.Module:
    """https://github.com/tensorflow/tensorflow/issues/43941: additive attention of a tutorial, without a mask."""

    class BahdanauAttention(nn.Module):
        def __init__(self, units: int) -> None:
            super().__init__()
            self.W1, self.W2, self.V = nn.Linear(8, units), nn.Linear(8, units), nn.Linear(units, 1)

        def forward(self, query: Tensor, values: Tensor, real: Tensor) -> Tensor:
            score = self.V(torch.tanh(self.W1(query).unsqueeze(0) + self.W2(values)))
            if mended:
                score = score + (1.0 - real.unsqueeze(-1).to(score.dtype)) * -1e9
            attention_weights = torch.softmax(score, dim=0)  # leak
            return (attention_weights * values).sum(0)

    class Seq2Seq(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enc_embedding, self.dec_embedding = nn.Embedding(40, 6), nn.Embedding(40, 6)
            self.encoder = nn.GRU(6, 8)
            self.attention = BahdanauAttention(10)
            self.decoder = nn.GRUCell(14, 8)
            self.fc = nn.Linear(8, 12)

        def forward(self, source: Tensor, source_lengths: Tensor, target: Tensor) -> Tensor:
            packed = pack_padded_sequence(self.enc_embedding(source), source_lengths.cpu(), enforce_sorted=False)
            enc_output, hidden = self.encoder(packed)
            enc_output, _ = pad_packed_sequence(enc_output, total_length=source.size(0))
            real = torch.arange(source.size(0)).unsqueeze(1) < source_lengths
            state, predictions = hidden[0], []
            for t in range(target.size(1)):
                context = self.attention(state, enc_output, real)
                state = self.decoder(torch.cat([context, self.dec_embedding(target[:, t])], -1), state)
                predictions.append(self.fc(state))
            return torch.stack(predictions)

    return Seq2Seq()


def heads(x: Tensor, n_head: int) -> Tensor:
    return x.view(x.size(0), x.size(1), n_head, -1).transpose(1, 2)


@report("ATT-09", src=ids("batch", "time", pad=1))
def hyunwoongko_mask(mended: bool) -> nn.Module:
    """https://github.com/hyunwoongko/transformer/pull/40: the mask of pads stands on the axis of queries."""

    class ScaleDotProductAttention(nn.Module):
        def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
            score = (q @ k.transpose(2, 3)) / math.sqrt(k.size(3))
            score = score.masked_fill(mask == 0, -10000)
            return torch.softmax(score, dim=-1) @ v  # leak

    class EncoderLayer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w_q, self.w_k, self.w_v, self.w_concat = (nn.Linear(12, 12) for _ in range(4))
            self.attention = ScaleDotProductAttention()
            self.norm1 = nn.LayerNorm(12)

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            out = self.attention(heads(self.w_q(x), 3), heads(self.w_k(x), 3), heads(self.w_v(x), 3), mask)
            return self.norm1(self.w_concat(out.transpose(1, 2).flatten(2)) + x)

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.src_pad_idx = 1
            self.emb = nn.Embedding(40, 12)
            self.layers = nn.ModuleList(EncoderLayer() for _ in range(2))
            self.linear = nn.Linear(12, 9)

        def make_src_mask(self, src: Tensor) -> Tensor:
            if mended:
                return (src != self.src_pad_idx).unsqueeze(1).unsqueeze(2)
            return (src != self.src_pad_idx).unsqueeze(1).unsqueeze(3)  # cause

        def forward(self, src: Tensor) -> Tensor:
            src_mask, x = self.make_src_mask(src), self.emb(src)
            for layer in self.layers:
                x = layer(x, src_mask)
            return self.linear(x)

    return Transformer()


@report("CONV-02+CONV-06", src_tokens=ids("batch", "time", pad=1))
def lite_transformer(mended: bool) -> nn.Module:
    """https://github.com/mit-han-lab/lite-transformer/issues/6: masked before a linear layer whose bias undoes it."""

    class DynamicconvLayer(nn.Module):
        def __init__(self, input_size: int = 10, kernel_size: int = 3, num_heads: int = 2) -> None:
            super().__init__()
            self.kernel_size, self.num_heads = kernel_size, num_heads
            self.linear1, self.linear2 = nn.Linear(input_size, input_size * 2), nn.Linear(input_size, input_size)
            self.act = nn.GLU()
            self.weight_linear = nn.Linear(input_size, num_heads * kernel_size)

        def forward(self, x: Tensor, padding_mask: Tensor) -> Tensor:
            pads = padding_mask.transpose(0, 1).unsqueeze(2)
            if not mended:
                x = x.masked_fill(pads, 0)
            x = self.act(self.linear1(x))
            if mended:
                x = x.masked_fill(pads, 0)
            T, B, C = x.size()
            H, K = self.num_heads, self.kernel_size
            weight = self.weight_linear(x).view(T, B, H, K).softmax(-1)
            padded = F.pad(x, (0, 0, 0, 0, K // 2, K // 2))
            unfolded = torch.stack([padded[i : i + T] for i in range(K)], -1).view(T, B, H, C // H, K)  # leak
            x = torch.einsum("tbhck,tbhk->tbhc", unfolded, weight).reshape(T, B, C)
            return self.linear2(x)

    class LightConvEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_tokens = nn.Embedding(40, 10, padding_idx=1)
            self.layers = nn.ModuleList(DynamicconvLayer() for _ in range(2))
            self.layer_norm = nn.LayerNorm(10)

        def forward(self, src_tokens: Tensor) -> dict[str, Tensor]:
            encoder_padding_mask = src_tokens.eq(1)
            x = self.embed_tokens(src_tokens).transpose(0, 1)
            for layer in self.layers:
                x = x + layer(self.layer_norm(x), encoder_padding_mask)
            return {"encoder_out": x.transpose(0, 1), "encoder_padding_mask": encoder_padding_mask}

    return LightConvEncoder()


@report("ATT-05", onnx=False, enc_batch=ids("batch", "time"), enc_lens=lengths(), dec_batch=ids("batch", 3))
def pointer_generator(mended: bool) -> nn.Module:
    """https://github.com/abisee/pointer-generator/issues/41: every encoder state got attention, those of pads too.

    Mended as there: softmax, then the mask, then made to sum to one again.
    """

    class Attention(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.W_h, self.W_s = nn.Linear(size, size, bias=False), nn.Linear(size, size)
            self.v = nn.Linear(size, 1, bias=False)

        def forward(self, state: Tensor, states: Tensor, enc_padding_mask: Tensor) -> Tensor:
            e = self.v(torch.tanh(self.W_h(states) + self.W_s(state).unsqueeze(1))).squeeze(2)
            attn_dist = F.softmax(e, dim=1)  # leak
            attn_dist = attn_dist * enc_padding_mask
            if mended:
                attn_dist = attn_dist / attn_dist.sum(1, keepdim=True)
            return attn_dist

    class Summariser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(40, 8)
            self.lstm = nn.LSTM(8, 4, batch_first=True, bidirectional=True)
            self.cell = nn.GRUCell(16, 8)
            self.attention = Attention(8)
            self.p_gen, self.out = nn.Linear(16, 1), nn.Linear(16, 40)

        def forward(self, enc_batch: Tensor, enc_lens: Tensor, dec_batch: Tensor) -> Tensor:
            mask = (torch.arange(enc_batch.size(1)) < enc_lens[:, None]).to(torch.get_default_dtype())
            packed = pack_padded_sequence(
                self.embedding(enc_batch), enc_lens.cpu(), batch_first=True, enforce_sorted=False
            )
            states, (h, _) = self.lstm(packed)
            states, _ = pad_packed_sequence(states, batch_first=True, total_length=enc_batch.size(1))
            state, finals = torch.cat([h[0], h[1]], 1), []
            for i in range(dec_batch.size(1)):
                attn_dist = self.attention(state, states, mask)
                context = torch.bmm(attn_dist.unsqueeze(1), states).squeeze(1)
                state = self.cell(torch.cat([context, self.embedding(dec_batch[:, i])], 1), state)
                both = torch.cat([state, context], 1)
                p_gen = torch.sigmoid(self.p_gen(both))
                vocab_dist = p_gen * F.softmax(self.out(both), dim=1)
                finals.append(vocab_dist.scatter_add(1, enc_batch, (1 - p_gen) * attn_dist))
            return torch.stack(finals, 1)

    return Summariser()


@report("POOL-09", features=feats("batch", "time", 6), box_query=feats("batch", 8), shown=True)
def box_points(mended: bool) -> nn.Module:
    """https://github.com/hlsheng1/CT3D/issues/11: zeros that fill a box up are attended to."""

    class TransformerDecoderHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up_dimension = nn.Linear(6, 8)
            self.k, self.v = nn.Linear(8, 8), nn.Linear(8, 8)
            self.reg = nn.Linear(8, 7)

        def forward(self, features: Tensor, box_query: Tensor) -> Tensor:
            filled = features.abs().sum(-1) == 0
            x = torch.relu(self.up_dimension(features))
            logits = torch.einsum("bc,bnc->bn", box_query, self.k(x)) / 8**0.5
            if mended:
                logits = logits.masked_fill(filled, -1e9)
            weights = logits.softmax(-1)  # leak
            return self.reg(torch.einsum("bn,bnc->bc", weights, self.v(x)))

    return TransformerDecoderHead()


@report("ATT-31", question=ids("batch", "time"), question_len=lengths(), image=feats("batch", 8, 5))
def mac_control(mended: bool) -> nn.Module:
    """https://github.com/rosinality/mac-network-pytorch/issues/7: the control unit never hears of lengths."""

    class ControlUnit(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.position_aware, self.attn = nn.Linear(dim, dim), nn.Linear(dim, 1)

        def forward(self, context: Tensor, question: Tensor, control: Tensor, length: Tensor) -> Tensor:
            control_question = self.position_aware(question) + control
            attn_weight = self.attn(control_question.unsqueeze(1) * context)
            if mended:
                late = torch.arange(context.size(1)) >= length.unsqueeze(1)
                attn_weight = attn_weight.masked_fill(late.unsqueeze(2), -1e30)
            attn = F.softmax(attn_weight, 1)  # leak
            return (attn * context).sum(1)

    class MACNetwork(nn.Module):
        def __init__(self, dim: int = 8, max_step: int = 2) -> None:
            super().__init__()
            self.embed, self.max_step = nn.Embedding(40, dim), max_step
            self.lstm_proj = nn.Linear(dim, dim)
            self.control = ControlUnit(dim)
            self.read, self.classifier = nn.Linear(dim, dim), nn.Linear(2 * dim, 6)

        def forward(self, question: Tensor, question_len: Tensor, image: Tensor) -> Tensor:
            words = torch.tanh(self.lstm_proj(self.embed(question)))
            h = words[torch.arange(question.size(0)), question_len - 1]
            control, memory = torch.zeros_like(h), torch.zeros_like(h)
            for _ in range(self.max_step):
                control = self.control(words, h, control, question_len)
                seen = F.softmax(self.read(control).unsqueeze(1) @ image, -1)
                memory = memory + (seen * image).sum(2)
            return self.classifier(torch.cat([memory, h], 1))

    return MACNetwork()


@report(
    "CONV-09", pixel_values=feats("batch", 3, 4, "width"), pixel_mask=mask("batch", "width", dtype="bool"), shortest=4
)
def detr_pixels(mended: bool) -> nn.Module:
    """https://github.com/huggingface/transformers/issues/23218: the backbone reads padded pixels, the mask comes later.

    In small: one convolution with biases, one behind it, and a transformer layer that does get the mask.
    """

    class Backbone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 8, 3, padding=1)

        def forward(self, pixel_values: Tensor, pixel_mask: Tensor) -> Tensor:
            x = torch.relu(self.conv1(pixel_values))
            if mended:
                x = x * pixel_mask[:, None, None, :]
            x = self.conv2(x)  # leak
            return torch.relu(x)

    class Detr(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = Backbone()
            self.query_position_embeddings = nn.Embedding(3, 8)
            self.decoder = nn.MultiheadAttention(8, 2, batch_first=True)
            self.bbox_predictor = nn.Linear(8, 4)

        def forward(self, pixel_values: Tensor, pixel_mask: Tensor) -> dict[str, Tensor]:
            features = self.backbone(pixel_values, pixel_mask)
            mask = pixel_mask[:, None, :].expand(-1, features.size(2), -1).flatten(1)
            flattened = features.flatten(2).permute(0, 2, 1)
            queries = self.query_position_embeddings.weight.unsqueeze(0).repeat(features.size(0), 1, 1)
            hidden, _ = self.decoder(queries, flattened, flattened, key_padding_mask=~mask)
            return {"pred_boxes": self.bbox_predictor(hidden).sigmoid(), "last_hidden_state": hidden}

    return Detr()


@report(
    "ATT-19",
    sample=feats("batch", 5, 8),
    prompt_ids=ids("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def diffusers_prompt(mended: bool) -> nn.Module:
    """https://github.com/huggingface/diffusers/issues/1890: the text encoder gets a mask, cross attention does not."""

    class CrossAttention(nn.Module):
        def __init__(self, query_dim: int = 8, heads: int = 2) -> None:
            super().__init__()
            self.heads = heads
            self.to_q, self.to_k, self.to_v = (nn.Linear(query_dim, query_dim, bias=False) for _ in range(3))
            self.to_out = nn.Linear(query_dim, query_dim)

        def forward(self, hidden: Tensor, states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
            query, key, value = self.to_q(hidden), self.to_k(states), self.to_v(states)
            query, key, value = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (query, key, value))
            scores = torch.einsum("bhid,bhjd->bhij", query, key) * query.size(-1) ** -0.5
            if attention_mask is not None:
                scores = scores + attention_mask
            probs = scores.softmax(dim=-1)  # leak
            return self.to_out(torch.einsum("bhij,bhjd->bhid", probs, value).transpose(1, 2).flatten(2))

    class TextEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(40, 8)
            self.attn = CrossAttention()
            self.final_layer_norm = nn.LayerNorm(8)

        def forward(self, prompt_ids: Tensor, bias: Tensor) -> Tensor:
            x = self.embed(prompt_ids)
            return self.final_layer_norm(x + CrossAttention.forward(self.attn, x, x, bias))

    class UNetBlock(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.text_encoder = TextEncoder()
            self.attn2 = nn.ModuleList(CrossAttention() for _ in range(2))
            self.norm = nn.LayerNorm(8)

        def forward(self, sample: Tensor, prompt_ids: Tensor, attention_mask: Tensor) -> Tensor:
            bias = ((1 - attention_mask.to(sample.dtype)) * -10000.0).unsqueeze(1).unsqueeze(1)
            encoder_hidden_states = self.text_encoder(prompt_ids, bias)
            for attn in self.attn2:
                sample = sample + attn(self.norm(sample), encoder_hidden_states, bias if mended else None)
            return sample

    return UNetBlock()


@report("POOL-09", query=ids("batch", 4), memory_ids=ids("batch", "time", 3))
def parlai_memnn(mended: bool) -> nn.Module:
    """https://github.com/facebookresearch/ParlAI/issues/1649: zeros behind the memories get a share."""

    class Hop(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.linear = nn.Linear(size, size)

        def forward(self, query: Tensor, in_memory: Tensor, out_memory: Tensor, attention_mask: Tensor) -> Tensor:
            attn = torch.bmm(query.unsqueeze(1), in_memory.transpose(1, 2)).squeeze(1)
            if mended:
                attn = attn.masked_fill(attention_mask, -1e20)
            probs = F.softmax(attn, dim=1)  # leak
            return torch.bmm(probs.unsqueeze(1), out_memory).squeeze(1) + self.linear(query)

    class MemNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query_lt, self.in_memory_lt, self.out_memory_lt = (
                nn.Embedding(40, 8, padding_idx=0) for _ in range(3)
            )
            self.hop, self.answer = Hop(8), nn.Linear(8, 10)

        def forward(self, query: Tensor, memory_ids: Tensor) -> Tensor:
            empty = (memory_ids != 0).sum(2) == 0
            in_memory, out_memory = self.in_memory_lt(memory_ids).sum(2), self.out_memory_lt(memory_ids).sum(2)
            state = self.query_lt(query).sum(1)
            for _ in range(2):
                state = self.hop(state, in_memory, out_memory, empty)
            return self.answer(state)

    return MemNN()


@report("ATT-05", patches=feats("batch", "time", 6), key_padding=mask("batch", "time", dtype="bool"))
def eva_attention(mended: bool) -> nn.Module:
    """https://github.com/huggingface/pytorch-image-models/pull/2236: the mask came after the softmax."""

    class EvaAttention(nn.Module):
        def __init__(self, dim: int, num_heads: int) -> None:
            super().__init__()
            self.num_heads, self.scale = num_heads, (dim // num_heads) ** -0.5
            self.qkv, self.proj = nn.Linear(dim, dim * 3), nn.Linear(dim, dim)

        def forward(self, x: Tensor, attn_mask: Tensor) -> Tensor:
            B, N, C = x.shape
            qkv = self.qkv(x).reshape(B, N, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
            q, k, v = qkv.unbind(0)
            attn = (q * self.scale) @ k.transpose(-2, -1)
            attn_mask = attn_mask[:, None, None, :]
            if mended:
                attn = attn.masked_fill(~attn_mask, float("-inf"))
            attn = attn.softmax(dim=-1)  # leak
            if not mended:
                attn = attn.masked_fill(~attn_mask, 0.0)
            x = (attn @ v).transpose(1, 2).reshape(B, N, C)
            return self.proj(x)

    class Eva(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch_embed = nn.Linear(6, 8)
            self.blocks = nn.ModuleList(EvaAttention(8, 2) for _ in range(2))
            self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 5)

        def forward(self, patches: Tensor, key_padding: Tensor) -> Tensor:
            x = self.patch_embed(patches)
            for blk in self.blocks:
                x = x + blk(self.norm(x), key_padding)
            x = (x * key_padding[..., None]).sum(1) / key_padding.sum(1, keepdim=True)
            return self.head(x)

    return Eva()


@report("ATT-07", video=feats("batch", "time", 8), real=mask("batch", "time", dtype="bool"), onnx=False)
def mosa_attention(mended: bool) -> nn.Module:
    """https://github.com/dhimasryan/MOSA-Net-Cross-Domain/issues/10: attention over the batch."""

    class MosaNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dim_layer = nn.Linear(8, 8)
            self.mean_net_rnn = nn.LSTM(8, 8, batch_first=True)
            self.mean_MLP = nn.Linear(8, 8)
            self.mean_slf_attn = nn.MultiheadAttention(8, 2, batch_first=mended)
            self.frame_score = nn.Linear(8, 1)

        def forward(self, video: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
            out, _ = self.mean_net_rnn(self.dim_layer(video))
            out = torch.tanh(self.mean_MLP(out))
            if mended:
                attended, _ = self.mean_slf_attn(out, out, out, key_padding_mask=~real)
            else:
                attended, _ = self.mean_slf_attn(out, out, out)  # leak
            frame = torch.sigmoid(self.frame_score(attended)).squeeze(-1)
            keep = real.to(frame.dtype)
            return (frame * keep).sum(1) / keep.sum(1), frame

    return MosaNet()
