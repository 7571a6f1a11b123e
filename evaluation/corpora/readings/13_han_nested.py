"""Hierarchical attention network: documents of sentences of words; RNNs know the lengths, attention does not."""
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

ADDRESS = "https://github.com/ematvey/hierarchical-attention-networks/issues/19"
STORY = ("Reported: attention weights of words and sentences are not masked by their actual lengths, so the model pays attention to useless input, while the dynamic RNNs get the lengths. "
         "inputs (documents, sentences, words) are word ids padded with 0 along both axes, word_lengths (documents, sentences) and sentence_lengths (documents,); the answer is the class of the document.")
LEAKY = True
PLACE = "attention_weights"
CAUSE = "softmax over words and sentences includes padded positions (tanh of a bias)"
FORMAT = "factory"


class TaskSpecificAttention(nn.Module):
    def __init__(self, in_size, output_size):
        super().__init__()
        self.fc = nn.Linear(in_size, output_size)
        self.attention_context_vector = nn.Parameter(torch.randn(output_size))

    def forward(self, inputs):
        input_projection = torch.tanh(self.fc(inputs))
        vector_attn = (input_projection * self.attention_context_vector).sum(2, keepdim=True)
        attention_weights = torch.softmax(vector_attn, dim=1)
        return (input_projection * attention_weights).sum(1)


def bidirectional_rnn(rnn, x, lengths):
    lengths_ = lengths.clamp(min=1).cpu()
    packed = pack_padded_sequence(x, lengths_, batch_first=True, enforce_sorted=False)
    y, _ = pad_packed_sequence(rnn(packed)[0], batch_first=True, total_length=x.size(1))
    keep = torch.arange(x.size(1), device=x.device)[None] < lengths[:, None]
    return y * keep.unsqueeze(-1).to(y.dtype)


class HANClassifierModel(nn.Module):
    def __init__(self, vocab_size=80, embedding_size=12, cell_size=10, output_size=12, classes=4):
        super().__init__()
        self.embedding_matrix = nn.Embedding(vocab_size, embedding_size)
        self.word_cell = nn.GRU(embedding_size, cell_size, batch_first=True, bidirectional=True)
        self.word_attention = TaskSpecificAttention(2 * cell_size, output_size)
        self.sentence_cell = nn.GRU(output_size, cell_size, batch_first=True, bidirectional=True)
        self.sentence_attention = TaskSpecificAttention(2 * cell_size, output_size)
        self.logits = nn.Linear(output_size, classes)

    def forward(self, inputs: torch.Tensor, word_lengths: torch.Tensor, sentence_lengths: torch.Tensor) -> torch.Tensor:
        """
        inputs: [document x sentence x word] word ids, 0 = padding
        word_lengths: [document x sentence] number of words, 0 for padded sentences
        sentence_lengths: [document] number of sentences
        """
        documents, sentences, words = inputs.shape
        word_level_inputs = self.embedding_matrix(inputs).view(documents * sentences, words, -1)
        word_encoder_output = bidirectional_rnn(self.word_cell, word_level_inputs, word_lengths.reshape(-1))
        word_level_output = self.word_attention(word_encoder_output)
        sentence_inputs = word_level_output.view(documents, sentences, -1)
        sentence_encoder_output = bidirectional_rnn(self.sentence_cell, sentence_inputs, sentence_lengths)
        return self.logits(self.sentence_attention(sentence_encoder_output))


def make():
    torch.manual_seed(13)
    return HANClassifierModel().eval()


def build(folder):
    return make(), None


def _doc(sizes, g):
    return [torch.randint(1, 80, (n,), generator=g) for n in sizes]


def _batch(docs, S, W):
    x = torch.zeros(len(docs), S, W, dtype=torch.long)
    wl = torch.zeros(len(docs), S, dtype=torch.long)
    sl = torch.tensor([len(d) for d in docs])
    for i, d in enumerate(docs):
        for j, s in enumerate(d):
            x[i, j, :len(s)] = s
            wl[i, j] = len(s)
    return x, wl, sl


@torch.no_grad()
def truth():
    m = make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for sizes in ((5, 3), (7, 4, 6), (2, 8, 3, 5)):
        doc = _doc(sizes, g)
        ref = m(*_batch([doc], len(sizes), max(sizes)))[0]
        refs.append(ref)
        for ds, dw in ((0, 3), (2, 0), (3, 6)):
            mate = _doc([max(sizes) + dw] * (len(sizes) + ds), g)
            out = m(*_batch([doc, mate], len(sizes) + ds, max(sizes) + dw))[0]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
