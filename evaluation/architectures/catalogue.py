"""Which architectures, under which class, and how small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SMALL: Mapping[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 32,
    "d_model": 32,
    "n_embd": 32,
    "dim": 32,
    "embedding_size": 32,
    "num_hidden_layers": 2,
    "n_layer": 2,
    "n_layers": 2,
    "num_layers": 2,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "num_decoder_layers": 2,
    "num_attention_heads": 4,
    "n_head": 4,
    "n_heads": 4,
    "num_heads": 4,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "d_kv": 8,
    "intermediate_size": 40,
    "d_ff": 40,
    "ffn_dim": 40,
    "n_inner": 40,
    "hidden_dim": 40,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 40,
    "max_position_embeddings": 128,
    "n_positions": 128,
    "num_labels": 3,
}
"""Set on a configuration, and on those inside it, wherever it has a field of that name."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """``settings`` are fields of the configuration beside ``SMALL``; a nested one is a mapping."""

    model_type: str
    model_class: str
    modality: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.model_type}/{self.model_class}"


BASE, CLASSIFY, TAG, CAUSAL, MASKED, SEQ2SEQ, CTC = (
    "AutoModel",
    "AutoModelForSequenceClassification",
    "AutoModelForTokenClassification",
    "AutoModelForCausalLM",
    "AutoModelForMaskedLM",
    "AutoModelForSeq2SeqLM",
    "AutoModelForCTC",
)

_ENCODERS: Mapping[str, tuple[str, ...]] = {
    "albert": (BASE,),
    "bert": (BASE, CLASSIFY, TAG, MASKED),
    "big_bird": (BASE,),
    "camembert": (BASE,),
    "canine": (BASE,),
    "convbert": (BASE,),
    "data2vec-text": (BASE,),
    "deberta": (BASE,),
    "deberta-v2": (BASE, CLASSIFY),
    "distilbert": (BASE, CLASSIFY),
    "electra": (BASE, TAG),
    "ernie": (BASE,),
    "esm": (BASE,),
    "eurobert": (BASE,),
    "flaubert": (BASE,),
    "fnet": (BASE, CLASSIFY),
    "funnel": ("FunnelModel",),
    "gte": (BASE,),
    "ibert": (BASE,),
    "jina_embeddings_v3": (BASE,),
    "layoutlm": (BASE,),
    "lilt": (BASE,),
    "longformer": (BASE,),
    "luke": (BASE,),
    "markuplm": (BASE,),
    "megatron-bert": (BASE,),
    "mobilebert": (BASE,),
    "modernbert": (BASE, CLASSIFY),
    "mpnet": (BASE,),
    "mra": (BASE,),
    "nomic_bert": (BASE,),
    "nystromformer": (BASE,),
    "perceiver": ("PerceiverForMaskedLM",),
    "rembert": (BASE,),
    "roberta": (BASE, CLASSIFY),
    "roberta-prelayernorm": (BASE,),
    "roc_bert": (BASE,),
    "roformer": (BASE,),
    "splinter": (BASE,),
    "squeezebert": (BASE,),
    "tapas": (BASE,),
    "xlm": (BASE,),
    "xlm-roberta": (BASE, CLASSIFY),
    "xlm-roberta-xl": (BASE,),
    "xlnet": (BASE,),
    "xmod": (BASE,),
    "yoso": (BASE,),
}

_DECODERS: Mapping[str, tuple[str, ...]] = {
    "bamba": (CAUSAL,),
    "biogpt": (BASE,),
    "bloom": (CAUSAL,),
    "codegen": (CAUSAL,),
    "cohere": (CAUSAL,),
    "ctrl": (BASE,),
    "falcon": (CAUSAL,),
    "falcon_mamba": (CAUSAL,),
    "gemma": (CAUSAL,),
    "gemma2": (BASE,),
    "gpt2": (BASE, CLASSIFY),
    "gpt_bigcode": (CAUSAL,),
    "gpt_neo": (CAUSAL,),
    "gpt_neox": (CAUSAL,),
    "gptj": (CAUSAL,),
    "granite": (CAUSAL,),
    "jamba": (CAUSAL,),
    "llama": (CAUSAL, CLASSIFY),
    "mamba": (CAUSAL,),
    "mamba2": (CAUSAL,),
    "mistral": (CAUSAL,),
    "mixtral": (CAUSAL,),
    "mpt": (CAUSAL,),
    "olmo2": (CAUSAL,),
    "openai-gpt": (BASE,),
    "opt": (CAUSAL,),
    "phi3": (CAUSAL,),
    "qwen2": (CAUSAL, CLASSIFY),
    "qwen3": (BASE,),
    "qwen3_next": (CAUSAL,),
    "recurrent_gemma": (CAUSAL,),
    "rwkv": (BASE,),
    "stablelm": (CAUSAL,),
    "starcoder2": (CAUSAL,),
    "xglm": (BASE,),
    "zamba2": (CAUSAL,),
}

_PAIRS: Mapping[str, tuple[str, ...]] = {
    "bart": (BASE, SEQ2SEQ),
    "bigbird_pegasus": (BASE,),
    "blenderbot": (BASE,),
    "fsmt": (BASE,),
    "led": (BASE,),
    "longt5": (SEQ2SEQ,),
    "m2m_100": (BASE,),
    "marian": (SEQ2SEQ,),
    "mbart": (BASE,),
    "mt5": (SEQ2SEQ,),
    "mvp": (BASE,),
    "nllb-moe": (BASE,),
    "pegasus": (SEQ2SEQ,),
    "pegasus_x": (BASE,),
    "plbart": (BASE,),
    "prophetnet": (BASE,),
    "switch_transformers": (SEQ2SEQ,),
    "t5": (BASE, SEQ2SEQ, "T5EncoderModel"),
    "umt5": (SEQ2SEQ,),
}

_FRONT_END: Mapping[str, Any] = {
    "conv_dim": [16, 16, 16],
    "conv_kernel": [10, 3, 3],
    "conv_stride": [5, 2, 2],
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "mask_time_prob": 0.0,
}
_STABLE: Mapping[str, Any] = {**_FRONT_END, "feat_extract_norm": "layer", "do_stable_layer_norm": True}

_SPEECH: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("wav2vec2", BASE, _STABLE),
    ("wav2vec2", CTC, _FRONT_END),
    ("hubert", BASE, _STABLE),
    ("hubert", BASE, _FRONT_END),
    ("wavlm", BASE, _STABLE),
    ("unispeech", BASE, _FRONT_END),
    ("unispeech-sat", BASE, _STABLE),
    ("data2vec-audio", BASE, _FRONT_END),
    ("sew", BASE, {**_FRONT_END, "squeeze_factor": 2}),
    ("wav2vec2-conformer", BASE, _STABLE),
    ("wav2vec2-bert", BASE, {"feature_projection_input_dim": 20, "conv_depthwise_kernel_size": 5}),
    ("speech_to_text", BASE, {"input_feat_per_channel": 20, "conv_channels": 24, "max_source_positions": 200}),
    ("whisper", BASE, {"num_mel_bins": 16, "max_source_positions": 50}),
    ("moonshine", BASE, {}),
    (
        "parakeet_ctc",
        CTC,
        {"encoder_config": {"num_mel_bins": 16, "subsampling_conv_channels": 8, "initializer_range": 0.2}},
    ),
    ("lasr_ctc", CTC, {}),
)

_PICTURE: Mapping[str, Any] = {"image_size": 32, "patch_size": 16, "projection_dim": 16}
_SEEING: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("clip", BASE, {**_PICTURE, "vision_config": _PICTURE}),
    ("clip_text_model", "CLIPTextModel", {"eos_token_id": 2}),
    ("siglip", BASE, {"vision_config": _PICTURE}),
    ("chinese_clip", BASE, {**_PICTURE, "vision_config": _PICTURE}),
    ("blip", BASE, {**_PICTURE, "vision_config": _PICTURE}),
    ("vilt", BASE, _PICTURE),
    ("lxmert", BASE, {"l_layers": 1, "x_layers": 1, "r_layers": 1, "visual_feat_dim": 16}),
    ("visual_bert", BASE, {"visual_embedding_dim": 16}),
    ("git", BASE, {"vision_config": _PICTURE}),
    ("layoutlmv3", BASE, {"input_size": 32, "patch_size": 16, "coordinate_size": 6, "shape_size": 4}),
    ("clap_text_model", "ClapTextModel", {}),
    ("align_text_model", "AlignTextModel", {}),
)


def architectures() -> Iterator[Architecture]:
    """Every architecture, text first."""
    own: Mapping[str, Mapping[str, Any]] = _PARTICULAR
    for table in (_ENCODERS, _DECODERS, _PAIRS):
        for model_type, classes in table.items():
            yield from (Architecture(model_type, c, "text", own.get(model_type, {})) for c in classes)
    for modality, rows in (("audio", _SPEECH), ("vision", _SEEING)):
        yield from (Architecture(model_type, cls, modality, settings) for model_type, cls, settings in rows)


_PARTICULAR: Mapping[str, Mapping[str, Any]] = {
    "longformer": {"attention_window": 4},
    "led": {"attention_window": 4, "max_encoder_position_embeddings": 128, "max_decoder_position_embeddings": 64},
    "big_bird": {"attention_type": "original_full"},
    "bigbird_pegasus": {"attention_type": "original_full"},
    "mobilebert": {"true_hidden_size": 32, "intra_bottleneck_size": 32},
    "canine": {"num_hash_buckets": 64},
    "funnel": {"block_sizes": [1, 1], "block_repeats": [1, 1], "d_head": 8, "d_inner": 40},
    "xlnet": {"d_inner": 40},
    "flaubert": {"emb_dim": 32},
    "xlm": {"emb_dim": 32},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]},
    "yoso": {"use_expectation": True},
    "mra": {"block_per_row": 1},
    "mamba2": {"expand": 2, "num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "chunk_size": 8},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 4},
    "codegen": {"rotary_dim": 4},
    "gptj": {"rotary_dim": 4},
    "luke": {"entity_vocab_size": 10, "entity_emb_size": 8},
    "perceiver": {"num_latents": 4, "d_latents": 16, "num_self_attends_per_block": 1, "num_blocks": 1},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
    "prophetnet": {"num_encoder_layers": 2, "num_encoder_attention_heads": 4, "num_decoder_attention_heads": 4},
    "nllb-moe": {"num_experts": 4, "encoder_sparse_step": 2, "decoder_sparse_step": 2},
    "switch_transformers": {"num_experts": 4, "num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1},
    "mixtral": {"num_local_experts": 4},
    "opt": {"word_embed_proj_dim": 32},
    "ctrl": {"dff": 40},
    "fsmt": {"langs": ["en", "de"], "src_vocab_size": 120, "tgt_vocab_size": 120},
    "phi3": {"pad_token_id": 0},
    "llama": {"pad_token_id": 0},
    "qwen2": {"pad_token_id": 0},
    "gpt2": {"pad_token_id": 0},
    "recurrent_gemma": {"lru_width": 32, "block_types": ["recurrent", "attention"], "attention_window_size": 8},
    "rwkv": {"attention_hidden_size": 32, "context_length": 128},
    "jamba": {"mamba_d_state": 8, "num_experts": 2, "use_mamba_kernels": False},
    "bamba": {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_chunk_size": 8},
    "gemma": {"head_dim": 8},
    "lilt": {"hidden_size": 48},
    "zamba2": {"layer_types": ["mamba", "hybrid"], "mamba_headdim": 8, "n_mamba_heads": 8, "mamba_d_state": 8},
    "esm": {"pad_token_id": 1, "mask_token_id": 32},
}
"""Fields that one architecture needs to be small, or to be the variant that is meant."""
