"""Images and words: classifying, detecting, captioning and painting."""

# ruff: noqa: SIM108 - a mistake stands on a line of its own

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.corpora.reported.registry import feats, ids, lengths, mask, padmask, report, steps


@report("ATT-01", images=feats("batch", "time", 3, 4, 4), times=steps("batch", "time"), lens=lengths())
def covid_prognosis(mended: bool) -> nn.Module:
    """https://github.com/facebookresearch/CovidPrognosis/issues/16: the pooling drops padded images, too late."""

    class ContinuousPosEncoding(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.register_buffer("freqs", torch.exp(torch.arange(0, dim, 2) * (-math.log(100.0) / dim)))

        def forward(self, xs: Tensor, times: Tensor) -> Tensor:
            ys = times.to(xs.dtype).transpose(0, 1).unsqueeze(-1) * self.freqs
            return xs + torch.cat([ys.sin(), ys.cos()], -1)

    class MIPModel(nn.Module):
        def __init__(self, feature_dim: int = 8, num_classes: int = 3) -> None:
            super().__init__()
            self.image_model = nn.Sequential(
                nn.Conv2d(3, feature_dim, 3), nn.BatchNorm2d(feature_dim), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
            )
            self.pos_encoding = ContinuousPosEncoding(feature_dim)
            layer = nn.TransformerEncoderLayer(feature_dim, 2, 16)
            self.transformer = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.classifier = nn.Linear(feature_dim, num_classes)

        def _apply_transformer(self, image_feats: Tensor, times: Tensor, lens: Tensor) -> Tensor:
            image_feats = self.pos_encoding(image_feats.transpose(0, 1), times)
            gone = torch.arange(image_feats.shape[0]) >= lens.unsqueeze(1)
            padding = gone if mended else None
            return self.transformer(image_feats, src_key_padding_mask=padding).transpose(0, 1)  # leak in torch

        def _pool(self, image_feats: Tensor, lens: Tensor) -> Tensor:
            keep = torch.arange(image_feats.shape[1]) < lens.unsqueeze(1)
            return torch.where(keep.unsqueeze(-1), image_feats, 0.0).sum(1)

        def forward(self, images: Tensor, times: Tensor, lens: Tensor) -> Tensor:
            B, N = images.shape[:2]
            image_feats = self.image_model(images.flatten(0, 1)).reshape(B, N, -1)
            image_feats_trans = self._apply_transformer(image_feats, times, lens)  # leak in onnx
            return self.classifier(self._pool(image_feats + image_feats_trans, lens))

    return MIPModel()


@report("ATT-01", patches=feats("batch", "rows", "cols", 6), mask=mask("batch", "rows", "cols", dtype="bool"))
def masked_vit(mended: bool) -> nn.Module:
    """https://github.com/lucidrains/vit-pytorch/issues/246: small images are padded, no way to hide the patches."""

    def posemb_sincos_2d(h: int, w: int, dim: int) -> Tensor:
        y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        omega = 1.0 / (50 ** (torch.arange(dim // 4) / (dim // 4 - 1)))
        y, x = y.flatten()[:, None] * omega[None], x.flatten()[:, None] * omega[None]
        return torch.cat((x.sin(), x.cos(), y.sin(), y.cos()), dim=1)

    class Attention(nn.Module):
        def __init__(self, dim: int, heads: int = 2, dim_head: int = 4) -> None:
            super().__init__()
            self.heads, self.scale = heads, dim_head**-0.5
            self.norm = nn.LayerNorm(dim)
            self.to_qkv = nn.Linear(dim, heads * dim_head * 3, bias=False)
            self.to_out = nn.Linear(heads * dim_head, dim)

        def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
            q, k, v = (t.unflatten(-1, (self.heads, -1)) for t in self.to_qkv(self.norm(x)).chunk(3, dim=-1))
            dots = torch.einsum("bihd,bjhd->bhij", q, k) * self.scale
            if mask is not None:
                dots = dots.masked_fill(~mask[:, None, None, :], -torch.finfo(dots.dtype).max)
            attn = dots.softmax(dim=-1)  # leak
            return self.to_out(torch.einsum("bhij,bjhd->bihd", attn, v).flatten(2))

    class ViT(nn.Module):
        def __init__(self, dim: int = 8, depth: int = 2) -> None:
            super().__init__()
            self.to_patch_embedding = nn.Sequential(nn.LayerNorm(6), nn.Linear(6, dim), nn.LayerNorm(dim))
            self.cls_token = nn.Parameter(torch.randn(1, 1, dim))
            self.layers = nn.ModuleList(
                nn.ModuleList(
                    [
                        Attention(dim),
                        nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 16), nn.GELU(), nn.Linear(16, dim)),
                    ]
                )
                for _ in range(depth)
            )
            self.mlp_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4))

        def forward(self, patches: Tensor, mask: Tensor) -> Tensor:
            _, h, w, _ = patches.shape
            x = self.to_patch_embedding(patches).flatten(1, 2)
            x = x + posemb_sincos_2d(h, w, x.shape[-1]).to(x.dtype)
            x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1)
            seen = F.pad(mask.flatten(1), (1, 0), value=True) if mended else None
            for attn, ff in self.layers:
                x = attn(x, seen) + x
                x = ff(x) + x
            return self.mlp_head(x[:, 0])

    return ViT()


@report(
    "ATT-09", harmless=True, features=feats("batch", 6, "height", "width"), mask=padmask("batch", "height", "width")
)
def detr_queries(mended: bool) -> nn.Module:
    """https://github.com/facebookresearch/detr/pull/223: padded pixels ask as well, though nobody hears the answer."""

    def sine(embed: Tensor, dim: int) -> Tensor:
        dim_t = 20.0 ** (2 * (torch.arange(dim) // 2) / dim)
        pos = embed.unsqueeze(-1) / dim_t.to(embed.dtype)
        return torch.stack((pos[..., 0::2].sin(), pos[..., 1::2].cos()), dim=4).flatten(3)

    class PositionEmbeddingSine(nn.Module):
        def forward(self, mask: Tensor, like: Tensor) -> Tensor:
            not_mask = (~mask).to(like.dtype)
            y_embed, x_embed = not_mask.cumsum(1), not_mask.cumsum(2)
            y_embed = y_embed / (y_embed[:, -1:, :] + 1e-6) * 2 * math.pi
            x_embed = x_embed / (x_embed[:, :, -1:] + 1e-6) * 2 * math.pi
            return torch.cat((sine(y_embed, 4), sine(x_embed, 4)), dim=3)

    class TransformerEncoderLayer(nn.Module):
        def __init__(self, d_model: int, nhead: int) -> None:
            super().__init__()
            self.self_attn = nn.MultiheadAttention(d_model, nhead)
            self.linear1, self.linear2 = nn.Linear(d_model, 16), nn.Linear(16, d_model)
            self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)

        def forward(self, src: Tensor, src_key_padding_mask: Tensor, pos: Tensor) -> Tensor:
            q = k = src + pos
            src2 = self.self_attn(q, k, value=src, key_padding_mask=src_key_padding_mask)[0]
            if mended:
                src2 = src2.masked_fill(src_key_padding_mask.t().unsqueeze(-1), 0.0)
            src = self.norm1(src + src2)
            return self.norm2(src + self.linear2(F.relu(self.linear1(src))))

    class DETR(nn.Module):
        def __init__(self, hidden_dim: int = 8, num_queries: int = 3) -> None:
            super().__init__()
            self.input_proj = nn.Conv2d(6, hidden_dim, kernel_size=1)
            self.position_embedding = PositionEmbeddingSine()
            self.encoder = nn.ModuleList(TransformerEncoderLayer(hidden_dim, 2) for _ in range(2))
            self.query_embed = nn.Embedding(num_queries, hidden_dim)
            self.multihead_attn, self.norm = nn.MultiheadAttention(hidden_dim, 2), nn.LayerNorm(hidden_dim)
            self.class_embed, self.bbox_embed = nn.Linear(hidden_dim, 5), nn.Linear(hidden_dim, 4)

        def forward(self, features: Tensor, mask: Tensor) -> dict[str, Tensor]:
            src = self.input_proj(features).flatten(2).permute(2, 0, 1)
            pos = self.position_embedding(mask, features).flatten(1, 2).transpose(0, 1)
            mask = mask.flatten(1)
            memory = src
            for layer in self.encoder:
                memory = layer(memory, mask, pos)
            query = self.query_embed.weight.unsqueeze(1).expand(-1, features.shape[0], -1)
            hs = self.multihead_attn(query, memory + pos, memory, key_padding_mask=mask)[0]
            hs = self.norm(query + hs).transpose(0, 1)
            return {"pred_logits": self.class_embed(hs), "pred_boxes": self.bbox_embed(hs).sigmoid()}

    return DETR()


@report("ATT-02", src_tokens=ids("batch", "time"), text=ids("batch", 4))
def molm_qformer(mended: bool) -> nn.Module:
    """https://github.com/lsh0520/3D-MoLM/issues/8: a mask that is true at the pads, for a model that wants it false."""

    class UniMol(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_tokens = nn.Embedding(40, 10, padding_idx=0)
            self.encoder = nn.TransformerEncoderLayer(10, 2, 20, batch_first=True, norm_first=True)

        def forward(self, src_tokens: Tensor) -> tuple[Tensor, Tensor]:
            padding_mask = src_tokens.eq(0)
            return self.encoder(self.embed_tokens(src_tokens), src_key_padding_mask=padding_mask), padding_mask

    class BertCrossAttention(nn.Module):
        def __init__(self, hidden_size: int, encoder_width: int, num_heads: int) -> None:
            super().__init__()
            self.num_heads = num_heads
            self.query = nn.Linear(hidden_size, hidden_size)
            self.key, self.value = nn.Linear(encoder_width, hidden_size), nn.Linear(encoder_width, hidden_size)
            self.dense, self.LayerNorm = nn.Linear(hidden_size, hidden_size), nn.LayerNorm(hidden_size)

        def transpose_for_scores(self, x: Tensor) -> Tensor:
            return x.unflatten(-1, (self.num_heads, -1)).permute(0, 2, 1, 3)

        def forward(self, hidden_states: Tensor, states: Tensor, attention_mask: Tensor) -> Tensor:
            q, k, v = (
                self.transpose_for_scores(t) for t in (self.query(hidden_states), self.key(states), self.value(states))
            )
            attention_scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
            attention_probs = nn.functional.softmax(attention_scores + attention_mask, dim=-1)  # leak
            context = torch.matmul(attention_probs, v).permute(0, 2, 1, 3).flatten(2)
            return self.LayerNorm(self.dense(context) + hidden_states)

    class Blip2Qformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.graph_encoder, self.ln_graph = UniMol(), nn.LayerNorm(10)
            self.query_tokens = nn.Parameter(torch.randn(1, 3, 8))
            self.crossattention = BertCrossAttention(8, 10, 2)
            self.word_embeddings = nn.Embedding(40, 8)
            self.graph_proj, self.text_proj = nn.Linear(8, 6), nn.Linear(8, 6)

        def invert_attention_mask(self, mask: Tensor, dtype: torch.dtype) -> Tensor:
            return (1.0 - mask[:, None, None, :].to(dtype)) * torch.finfo(dtype).min

        def forward(self, src_tokens: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
            batch_node, batch_mask = self.graph_encoder(src_tokens)
            batch_node = self.ln_graph(batch_node)
            if mended:
                batch_mask = ~batch_mask
            mask = self.invert_attention_mask(batch_mask, batch_node.dtype)  # cause
            query_tokens = self.query_tokens.expand(batch_node.shape[0], -1, -1)
            graph_feats = self.graph_proj(self.crossattention(query_tokens, batch_node, mask))
            graph_feats = F.normalize(graph_feats, p=2, dim=-1)
            text_feats = F.normalize(self.text_proj(self.word_embeddings(text).mean(1)), dim=-1)
            return graph_feats, torch.einsum("bqd,bd->bq", graph_feats, text_feats).amax(-1)

    return Blip2Qformer()


@report("ATT-06", input_ids=ids("batch", "time"), image_feat=feats("batch", "regions", 5), image_len=lengths("regions"))
def vg_gplms(mended: bool) -> nn.Module:
    """https://github.com/HLTCHKUST/VG-GPLMs/issues/7: a softmax over the words, and lengths nobody reads."""

    class MultimodalFusion(nn.Module):
        def __init__(self, d_model: int, d_image: int) -> None:
            super().__init__()
            self._linear_1, self._linear_2 = nn.Linear(d_model, d_model), nn.Linear(d_image, d_model)
            self._linear_3 = nn.Linear(d_image, d_model)
            self.fc = nn.Linear(2 * d_model, d_model)

        def forward(self, text: Tensor, image: Tensor, image_len: Tensor) -> Tensor:
            scores = torch.bmm(self._linear_1(text), self._linear_2(image).transpose(1, 2))
            if mended:
                keep = torch.arange(image.size(1))[None] < image_len[:, None]
                attn = F.softmax(scores.masked_fill(~keep[:, None], -1e18), dim=2)
            else:
                attn = F.softmax(scores, dim=1)  # leak
            AV = torch.bmm(attn, self._linear_3(image))  # leak
            return self.fc(torch.cat([text, AV], dim=-1))

    class BartMultiModalEncoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_tokens, self.layernorm_embedding = nn.Embedding(40, 8, padding_idx=0), nn.LayerNorm(8)
            self.fusion = MultimodalFusion(8, 5)
            self.lm_head = nn.Linear(8, 12)

        def forward(self, input_ids: Tensor, image_feat: Tensor, image_len: Tensor) -> Tensor:
            text = self.layernorm_embedding(self.embed_tokens(input_ids))
            return self.lm_head(text + self.fusion(text, image_feat, image_len))

    return BartMultiModalEncoder()


@report("ATT-01", harmless=True, text=ids("batch", "time"))
def clip_text(mended: bool) -> nn.Module:
    """https://github.com/openai/CLIP/issues/183: no mask for pads, but no token looks ahead at them."""

    class QuickGELU(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * torch.sigmoid(1.702 * x)

    class ResidualAttentionBlock(nn.Module):
        def __init__(self, d_model: int, n_head: int) -> None:
            super().__init__()
            self.attn = nn.MultiheadAttention(d_model, n_head)
            self.ln_1, self.ln_2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
            self.mlp = nn.Sequential(nn.Linear(d_model, 16), QuickGELU(), nn.Linear(16, d_model))

        def forward(self, x: Tensor, attn_mask: Tensor, padding: Tensor | None) -> Tensor:
            y = self.ln_1(x)
            x = x + self.attn(y, y, y, key_padding_mask=padding, need_weights=False, attn_mask=attn_mask)[0]
            return x + self.mlp(self.ln_2(x))

    class CLIP(nn.Module):
        def __init__(self, width: int = 8, context_length: int = 48) -> None:
            super().__init__()
            self.token_embedding = nn.Embedding(40, width)
            self.positional_embedding = nn.Parameter(torch.randn(context_length, width) * 0.3)
            self.resblocks = nn.ModuleList(ResidualAttentionBlock(width, 2) for _ in range(2))
            self.ln_final = nn.LayerNorm(width)
            self.text_projection = nn.Parameter(torch.randn(width, 5))

        def build_attention_mask(self, size: int, like: Tensor) -> Tensor:
            return torch.full((size, size), float("-inf"), dtype=like.dtype).triu(1)

        def forward(self, text: Tensor) -> Tensor:
            x = self.token_embedding(text)
            x = x + self.positional_embedding[: text.shape[1]]
            causal = self.build_attention_mask(text.shape[1], x)
            padding = torch.zeros_like(x[..., 0]).masked_fill(text == 0, float("-inf")) if mended else None
            x = x.permute(1, 0, 2)
            for block in self.resblocks:
                x = block(x, causal, padding)
            x = self.ln_final(x.permute(1, 0, 2))
            return x[torch.arange(x.shape[0]), text.argmax(dim=-1)] @ self.text_projection

    return CLIP()


@report("ATT-13", text=ids("batch", "time"))
def coca_cls_mask(mended: bool) -> nn.Module:
    """https://github.com/mlfoundations/open_clip/issues/549: a mask for a token in front, yet it is at the end."""

    class TextTransformer(nn.Module):
        def __init__(self, width: int = 8, heads: int = 2, pad_id: int = 0) -> None:
            super().__init__()
            self.heads, self.pad_id = heads, pad_id
            self.token_embedding = nn.Embedding(40, width)
            self.positional_embedding = nn.Parameter(torch.randn(48, width) * 0.2)
            self.cls_emb = nn.Parameter(torch.randn(width))
            self.attn, self.mlp = nn.MultiheadAttention(width, heads, batch_first=True), nn.Linear(width, width)
            self.ln_1, self.ln_2, self.ln_final = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
            self.text_projection = nn.Linear(width, 6, bias=False)

        def build_cls_mask(self, text: Tensor, cast_dtype: torch.dtype) -> Tensor:
            cls_mask = (text != self.pad_id).unsqueeze(1)
            if mended:
                cls_mask = F.pad(cls_mask, (0, 1, cls_mask.shape[2], 0), value=True)
            else:
                cls_mask = F.pad(cls_mask, (1, 0, cls_mask.shape[2], 0), value=True)  # cause in torch
            additive_mask = torch.zeros_like(cls_mask, dtype=cast_dtype).masked_fill(~cls_mask, float("-inf"))
            return torch.repeat_interleave(additive_mask, self.heads, 0)

        def forward(self, text: Tensor) -> tuple[Tensor, Tensor]:
            x = self.token_embedding(text)
            x = x + self.positional_embedding[: text.shape[1]]
            x = torch.cat([x, self.cls_emb.reshape(1, 1, -1).expand(x.shape[0], -1, -1)], dim=1)
            seq_len = x.shape[1]
            attn_mask = torch.full((seq_len, seq_len), float("-inf"), dtype=x.dtype).triu(1)
            attn_mask = attn_mask[None] + self.build_cls_mask(text, x.dtype)  # cause in onnx
            y = self.ln_1(x)
            x = x + self.attn(y, y, y, need_weights=False, attn_mask=attn_mask)[0]  # leak
            x = x + self.mlp(self.ln_2(x))
            pooled, tokens = x[:, -1], x[:, :-1]
            return self.text_projection(self.ln_final(pooled)), tokens

    return TextTransformer()


@report(
    "ATT-08",
    src_vid=feats("batch", "clips", 6),
    vid_mask=mask("batch", "clips", dtype="float32"),
    src_txt=feats("batch", "words", 5),
    txt_mask=mask("batch", "words", dtype="float32"),
)
def lighthouse_heads(mended: bool) -> nn.Module:
    """https://github.com/line/lighthouse/pull/77: masks laid out head by head, for attention that goes row by row."""

    @dataclass
    class Config:
        hidden_dim: int = 8
        nheads: int = 2
        t2v_layers: int = 2

    class T2VEncoderLayer(nn.Module):
        def __init__(self, d_model: int, nhead: int) -> None:
            super().__init__()
            self.nhead = nhead
            self.cross_attn = nn.MultiheadAttention(d_model, nhead)
            self.linear, self.norm1, self.norm2 = (
                nn.Linear(d_model, d_model),
                nn.LayerNorm(d_model),
                nn.LayerNorm(d_model),
            )

        def forward(self, vid: Tensor, txt: Tensor, attn_mask: Tensor) -> Tensor:
            if mended:
                attn_mask = attn_mask.repeat_interleave(self.nhead, dim=0)
            else:
                attn_mask = attn_mask.repeat(self.nhead, 1, 1)  # cause
            src2 = self.cross_attn(vid, txt, value=txt, attn_mask=attn_mask)[0]  # leak
            vid = self.norm1(vid + src2)
            return self.norm2(vid + F.relu(self.linear(vid)))

    class QDDETR(nn.Module):
        def __init__(self, args: Config) -> None:
            super().__init__()
            self.input_txt_proj = nn.Sequential(nn.LayerNorm(5), nn.Linear(5, args.hidden_dim))
            self.input_vid_proj = nn.Sequential(nn.LayerNorm(6), nn.Linear(6, args.hidden_dim))
            self.t2v_encoder = nn.ModuleList(
                T2VEncoderLayer(args.hidden_dim, args.nheads) for _ in range(args.t2v_layers)
            )
            self.saliency_proj = nn.Linear(args.hidden_dim, 1)

        def forward(self, src_vid: Tensor, vid_mask: Tensor, src_txt: Tensor, txt_mask: Tensor) -> dict[str, Tensor]:
            vid = self.input_vid_proj(src_vid).permute(1, 0, 2)
            txt = self.input_txt_proj(src_txt).permute(1, 0, 2)
            attn_mask = (txt_mask == 0).unsqueeze(1).expand(-1, src_vid.shape[1], -1)
            for layer in self.t2v_encoder:
                vid = layer(vid, txt, attn_mask)
            saliency = self.saliency_proj(vid.permute(1, 0, 2)).squeeze(-1)
            return {"saliency_scores": saliency * vid_mask}

    return QDDETR(Config())


@report("ATT-01", hidden_states=feats("batch", 4, 6), input_ids=ids("batch", "time"))
def sd3_joint(mended: bool) -> nn.Module:
    """https://github.com/huggingface/diffusers/issues/8673: image tokens attend to the pads of the prompt."""

    class JointAttention(nn.Module):
        def __init__(self, dim: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim) for _ in range(3))
            self.add_q_proj, self.add_k_proj, self.add_v_proj = (nn.Linear(dim, dim) for _ in range(3))
            self.to_out, self.to_add_out = nn.Linear(dim, dim), nn.Linear(dim, dim)

        def _joint(self, image: Tensor, text: Tensor) -> Tensor:
            return torch.cat([image, text], dim=1).unflatten(-1, (self.heads, -1)).transpose(1, 2)

        def forward(
            self, hidden_states: Tensor, encoder_hidden_states: Tensor, attention_mask: Tensor | None
        ) -> tuple[Tensor, Tensor]:
            x, c = hidden_states, encoder_hidden_states
            query = self._joint(self.to_q(x), self.add_q_proj(c))
            key = self._joint(self.to_k(x), self.add_k_proj(c))
            value = self._joint(self.to_v(x), self.add_v_proj(c))
            out = F.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)  # leak
            out = out.transpose(1, 2).flatten(2)
            size = x.shape[1]
            return self.to_out(out[:, :size]), self.to_add_out(out[:, size:])

    class JointTransformerBlock(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.norm1, self.norm1_context = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.attn = JointAttention(dim, 2)
            self.ff = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 16), nn.GELU(), nn.Linear(16, dim))

        def forward(self, x: Tensor, c: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
            attn_output, context_output = self.attn(self.norm1(x), self.norm1_context(c), mask)
            x = x + attn_output
            return x + self.ff(x), c + context_output

    class SD3Transformer2DModel(nn.Module):
        def __init__(self, dim: int = 8) -> None:
            super().__init__()
            self.pos_embed, self.context_embedder = nn.Linear(6, dim), nn.Linear(10, dim)
            self.text_encoder = nn.Embedding(40, 10)
            self.transformer_blocks = nn.ModuleList(JointTransformerBlock(dim) for _ in range(2))
            self.proj_out = nn.Linear(dim, 6)

        def forward(self, hidden_states: Tensor, input_ids: Tensor) -> tuple[Tensor]:
            x, c = self.pos_embed(hidden_states), self.context_embedder(self.text_encoder(input_ids))
            mask = F.pad(input_ids != 0, (x.shape[1], 0), value=True)[:, None, None] if mended else None
            for block in self.transformer_blocks:
                x, c = block(x, c, mask)
            return (self.proj_out(x),)

    return SD3Transformer2DModel()


@report("POOL-09", embeddings=feats("batch", "time", 6), zero_masks=padmask("batch", "time"))
def laion_attentional(mended: bool) -> nn.Module:
    """https://github.com/LAION-AI/temporal-embedding-aggregation/pull/14: learned queries look at frames of zeros."""

    class CrossAttention(nn.Module):
        def __init__(self, dim: int, heads: int = 2, dim_head: int = 4) -> None:
            super().__init__()
            self.heads, self.scale = heads, dim_head**-0.5
            self.norm, self.context_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.to_q = nn.Linear(dim, heads * dim_head, bias=False)
            self.to_kv = nn.Linear(dim, dim_head * 2, bias=False)
            self.to_out = nn.Linear(heads * dim_head, dim, bias=False)

        def forward(self, x: Tensor, context: Tensor, zero_masks: Tensor) -> Tensor:
            q = self.to_q(self.norm(x)).unflatten(-1, (self.heads, -1)).transpose(1, 2) * self.scale
            k, v = self.to_kv(self.context_norm(context)).chunk(2, dim=-1)
            sim = torch.einsum("b h i d, b j d -> b h i j", q, k)
            if mended:
                sim = sim.masked_fill(zero_masks[:, None, None, :], -torch.finfo(sim.dtype).max)
            attn = sim.softmax(dim=-1)  # leak
            return self.to_out(torch.einsum("b h i j, b j d -> b h i d", attn, v).transpose(1, 2).flatten(2))

    class AttentionalPooling(nn.Module):
        def __init__(self, dim: int = 6, seq_len: int = 2) -> None:
            super().__init__()
            self.img_queries = nn.Parameter(torch.randn(seq_len, dim))
            self.img_attn_pool, self.img_attn_pool_norm = CrossAttention(dim), nn.LayerNorm(dim)
            self.proj = nn.Linear(dim, 4)

        def forward(self, embeddings: Tensor, zero_masks: Tensor) -> Tensor:
            queries = self.img_queries.unsqueeze(0).expand(embeddings.shape[0], -1, -1)
            pooled = self.img_attn_pool_norm(self.img_attn_pool(queries, embeddings, zero_masks))
            return self.proj(pooled[:, 0])

    return AttentionalPooling()


@report(
    "ATT-05",
    harmless=True,
    fc_feats=feats("batch", 5),
    att_feats=feats("batch", "regions", 6),
    att_masks=mask("batch", "regions", dtype="float32"),
)
def self_critical(mended: bool) -> nn.Module:
    """https://github.com/ruotianluo/self-critical.pytorch/issues/89: masked behind the softmax, and divided anew."""

    class Attention(nn.Module):
        def __init__(self, rnn_size: int = 5, att_hid_size: int = 7) -> None:
            super().__init__()
            self.h2att, self.alpha_net = nn.Linear(rnn_size, att_hid_size), nn.Linear(att_hid_size, 1)

        def forward(self, h: Tensor, att_feats: Tensor, p_att_feats: Tensor, att_masks: Tensor) -> Tensor:
            dot = torch.tanh(p_att_feats + self.h2att(h).unsqueeze(1))
            dot = self.alpha_net(dot).squeeze(2)
            if mended:
                dot = dot.masked_fill(att_masks == 0, float("-inf"))
            weight = F.softmax(dot, dim=1)
            weight = weight * att_masks.view(-1, att_feats.size(1)).to(weight)
            weight = weight / weight.sum(1, keepdim=True)
            return torch.bmm(weight.unsqueeze(1), att_feats).squeeze(1)

    class Att2in2Core(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ctx2att, self.attention = nn.Linear(6, 7), Attention()
            self.a2c, self.i2h, self.logit = nn.Linear(6, 10), nn.Linear(5, 5), nn.Linear(5, 9)

        def forward(self, fc_feats: Tensor, att_feats: Tensor, att_masks: Tensor) -> Tensor:
            att_res = self.attention(fc_feats, att_feats, self.ctx2att(att_feats), att_masks)
            in_transform = self.a2c(att_res)
            in_transform = torch.max(in_transform[:, :5], in_transform[:, 5:])
            next_h = torch.tanh(in_transform + self.i2h(fc_feats))
            return F.log_softmax(self.logit(next_h), dim=1)

    return Att2in2Core()
