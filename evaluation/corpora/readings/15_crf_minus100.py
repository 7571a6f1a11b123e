"""BiLSTM-CRF sentence log-likelihood with labels padded by -100; lengths are derived from the labels."""
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

ADDRESS = "https://github.com/kmkurn/pytorch-crf/issues/52"
STORY = ("Users ask which pad symbol the tags should have: it must be a valid tag, and the mask keeps it out of the score. "
         "Here labels (B, T) come from a token-classification collator, -100 at padding (input_ids padded with 0); the mask is labels != -100, -100 is replaced by 0, and the answer is the log-likelihood of each sentence (reduction='none').")
LEAKY = False
PLACE = None
CAUSE = "packed LSTM and masked forward algorithm; end transition taken at the last real tag"
FORMAT = "factory"


class CRF(nn.Module):
    def __init__(self, num_tags):
        super().__init__()
        self.start_transitions = nn.Parameter(torch.empty(num_tags).uniform_(-1, 1))
        self.end_transitions = nn.Parameter(torch.empty(num_tags).uniform_(-1, 1))
        self.transitions = nn.Parameter(torch.empty(num_tags, num_tags).uniform_(-1, 1))

    def _compute_score(self, emissions, tags, mask):
        B, T = tags.shape
        rows = torch.arange(B, device=tags.device)
        score = self.start_transitions[tags[:, 0]] + emissions[rows, 0, tags[:, 0]]
        for i in range(1, T):
            step = self.transitions[tags[:, i - 1], tags[:, i]] + emissions[rows, i, tags[:, i]]
            score = score + step * mask[:, i]
        seq_ends = mask.long().sum(1) - 1
        return score + self.end_transitions[tags[rows, seq_ends]]

    def _compute_normalizer(self, emissions, mask):
        score = self.start_transitions + emissions[:, 0]
        for i in range(1, emissions.size(1)):
            next_score = torch.logsumexp(score.unsqueeze(2) + self.transitions + emissions[:, i].unsqueeze(1), dim=1)
            score = torch.where(mask[:, i].unsqueeze(1) > 0, next_score, score)
        return torch.logsumexp(score + self.end_transitions, dim=1)

    def forward(self, emissions, tags, mask):
        m = mask.to(emissions.dtype)
        return self._compute_score(emissions, tags, m) - self._compute_normalizer(emissions, m)


class BiLSTM_CRF(nn.Module):
    def __init__(self, vocab_size=50, num_labels=5, embedding_dim=12, hidden_dim=10):
        super().__init__()
        self.word_embeds = nn.Embedding(vocab_size, embedding_dim, padding_idx=0)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, batch_first=True, bidirectional=True)
        self.hidden2tag = nn.Linear(2 * hidden_dim, num_labels)
        self.crf = CRF(num_labels)

    def forward(self, input_ids: torch.LongTensor, labels: torch.LongTensor) -> torch.Tensor:
        """input_ids (batch, seq_len), labels (batch, seq_len) with -100 for padding. Returns log-likelihood (batch,)."""
        mask = labels != -100
        tags = labels.masked_fill(~mask, 0)
        packed = pack_padded_sequence(self.word_embeds(input_ids), mask.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        out, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=input_ids.size(1))
        return self.crf(self.hidden2tag(out), tags, mask)


def make():
    torch.manual_seed(15)
    return BiLSTM_CRF().eval()


def build(folder):
    return make(), None


def _row(n, g):
    return torch.randint(1, 50, (n,), generator=g), torch.randint(0, 5, (n,), generator=g)


def _batch(rows, T):
    ids = torch.zeros(len(rows), T, dtype=torch.long)
    lab = torch.full((len(rows), T), -100)
    for i, (a, b) in enumerate(rows):
        ids[i, :len(a)], lab[i, :len(a)] = a, b
    return ids, lab


@torch.no_grad()
def truth():
    m = make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (1, 4, 9, 15):
        row = _row(n, g)
        ref = m(*_batch([row], n))[0]
        refs.append(ref)
        for extra in (1, 6, 20):
            out = m(*_batch([row, _row(n + extra, g)], n + extra))[0]
            worst = max(worst, (out - ref).abs().item())
    return worst / torch.stack(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
