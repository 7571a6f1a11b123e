"""NER tagger with character CNN: characters padded to the longest word of the batch, max-pooled unmasked."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

ADDRESS = "https://github.com/jiesutd/NCRFpp/issues/25"
STORY = ("'Will padding disturb the char-level features?' - the author answers that max pooling after the CNN makes padding harmless; it does not, the windows over pad characters compete in the maximum. "
         "word_inputs (B, T) and char_inputs (B, T, C) are padded with 0 along words and along characters, with word_seq_lengths (B,) and char_seq_lengths (B, T); the word LSTM is packed.")
LEAKY = True
PLACE = "max_pool1d"
CAUSE = "max pooling over windows of padding characters"
FORMAT = "factory"


class CharCNN(nn.Module):
    def __init__(self, alphabet_size, embedding_dim, hidden_dim):
        super().__init__()
        self.char_embeddings = nn.Embedding(alphabet_size, embedding_dim)
        self.char_cnn = nn.Conv1d(embedding_dim, hidden_dim, kernel_size=3, padding=1)

    def get_last_hiddens(self, input, seq_lengths):
        batch_size = input.size(0)
        char_embeds = self.char_embeddings(input).transpose(2, 1)
        char_cnn_out = self.char_cnn(char_embeds)
        return F.max_pool1d(char_cnn_out, char_cnn_out.size(2)).view(batch_size, -1)


class SeqLabel(nn.Module):
    def __init__(self, word_vocab=60, alphabet=30, word_dim=12, char_hidden=8, hidden=12, labels=5):
        super().__init__()
        self.word_embedding = nn.Embedding(word_vocab, word_dim)
        self.char_feature = CharCNN(alphabet, 6, char_hidden)
        self.lstm = nn.LSTM(word_dim + char_hidden, hidden, batch_first=True, bidirectional=True)
        self.hidden2tag = nn.Linear(2 * hidden, labels)

    def forward(self, word_inputs: torch.LongTensor, word_seq_lengths: torch.LongTensor,
                char_inputs: torch.LongTensor, char_seq_lengths: torch.LongTensor) -> torch.Tensor:
        """
        word_inputs: (batch_size, sent_len)
        word_seq_lengths: (batch_size,)
        char_inputs: (batch_size, sent_len, word_length)
        char_seq_lengths: (batch_size, sent_len)
        output: (batch_size, sent_len, labels)
        """
        B, T, C = char_inputs.shape
        char_features = self.char_feature.get_last_hiddens(char_inputs.view(B * T, C), char_seq_lengths.view(B * T)).view(B, T, -1)
        word_represent = torch.cat([self.word_embedding(word_inputs), char_features], 2)
        packed = pack_padded_sequence(word_represent, word_seq_lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=T)
        return self.hidden2tag(out)


def make():
    torch.manual_seed(17)
    return SeqLabel().eval()


def build(folder):
    return make(), None


def _row(sizes, g):
    return torch.randint(1, 60, (len(sizes),), generator=g), [torch.randint(1, 30, (n,), generator=g) for n in sizes]


def _batch(rows, T, C):
    w = torch.zeros(len(rows), T, dtype=torch.long)
    c = torch.zeros(len(rows), T, C, dtype=torch.long)
    cl = torch.ones(len(rows), T, dtype=torch.long)
    for i, (a, chars) in enumerate(rows):
        w[i, :len(a)] = a
        for j, s in enumerate(chars):
            c[i, j, :len(s)] = s
            cl[i, j] = len(s)
    return w, torch.tensor([len(r[0]) for r in rows]), c, cl


@torch.no_grad()
def truth():
    m = make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for sizes in ((3, 5, 2), (6, 1, 4, 4, 2), (2, 7)):
        row, n, c = _row(sizes, g), len(sizes), max(sizes)
        ref = m(*_batch([row], n, c))[0]
        refs.append(ref.flatten())
        for dt, dc in ((0, 4), (3, 0), (2, 10)):
            out = m(*_batch([row, _row([c + dc] * (n + dt), g)], n + dt, c + dc))[0, :n]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
