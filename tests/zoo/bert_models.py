"""A tiny BERT of the transformers library, sound and with attention that mishandles its mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.models.bert.modeling_bert import BertSelfAttention

CONFIG = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 64,
    "initializer_range": 0.25,
}


class MaskDroppingAttention(BertSelfAttention):
    """Takes the mask and forgets it."""

    def forward(
        self, hidden_states: Tensor, attention_mask: Tensor | None = None, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        query, key, value = (self.split(layer(hidden_states)) for layer in (self.query, self.key, self.value))
        weights = self.weights(torch.matmul(query, key.transpose(2, 3)) * self.scaling, attention_mask)
        return torch.matmul(weights, value).transpose(1, 2).flatten(2), weights

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_attention_heads, -1)).transpose(1, 2)

    def weights(self, scores: Tensor, attention_mask: Tensor | None) -> Tensor:
        return scores.softmax(-1)


class QueryAxisAttention(MaskDroppingAttention):
    """Both axes have the same length, so the mask fits the wrong one as well."""

    def weights(self, scores: Tensor, attention_mask: Tensor | None) -> Tensor:
        if attention_mask is not None:
            scores = scores + attention_mask[:, :, :1].transpose(2, 3)
        return scores.softmax(-1)


class TinyBert(nn.Module):
    """The model's two usual outputs; ``attention`` replaces the self-attention of every layer."""

    def __init__(self, attention: type[BertSelfAttention] | None = None) -> None:
        super().__init__()
        config = BertConfig(**CONFIG)
        config._attn_implementation = "eager"
        self.bert = BertModel(config)
        if attention is not None:
            for layer in self.bert.encoder.layer:
                replacement = attention(config)
                replacement.load_state_dict(layer.attention.self.state_dict())
                layer.attention.self = replacement

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, Tensor]:
        result = self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return result.last_hidden_state, result.pooler_output
