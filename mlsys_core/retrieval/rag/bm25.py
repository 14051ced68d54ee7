"""BM25: which texts say a question's words, rare words first, and saying one often soon stops to help.

Idea      A text is likely about a word that it has and others have not. The second time it says a word adds less than the first, and a
          long text says more words by chance. No meaning, no training, and hard to beat on questions that name things.
Equation  score(q, d) = Σ_{t in q} idf(t) · f (k₁ + 1) / (f + k₁ (1 - b + b |d| / mean |d|)),   f = how often d says t
          idf(t) = ln(1 + (N - n + ½) / (n + ½)),   n of N texts say t
Paper     S. Robertson, H. Zaragoza, "The probabilistic relevance framework: BM25 and beyond", Foundations and Trends in Information
          Retrieval 3, 2009, section 3; the 1 in the logarithm keeps words of most texts from counting against a text.
Cost      O(Σ_t n_t) a question: the texts that have one of its words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from mlsys_core.retrieval.rag.terms import terms

Scores = npt.NDArray[np.float64]


def inverse_frequency(texts: int, having: int) -> float:
    """idf of a word that `having` of `texts` texts have: largest for a word that none has."""
    return math.log(1 + (texts - having + 0.5) / (having + 0.5))


class BM25:
    """An index of texts. `k1` is how soon repetition stops to help, `b` how much a text's length counts."""

    def __init__(self, texts: Sequence[str], *, k1: float = 1.2, b: float = 0.75) -> None:
        if not texts:
            raise ValueError("An index of no texts finds nothing: give at least one.")
        counts = [Counter(terms(text)) for text in texts]
        lengths = np.array([count.total() for count in counts], dtype=np.float64)
        slow = k1 * (1 - b + b * lengths / max(float(lengths.mean()), 1.0))
        self.size = len(texts)
        self._texts: dict[str, list[int]] = {}
        for i, count in enumerate(counts):
            for term in count:
                self._texts.setdefault(term, []).append(i)
        self._weights: dict[str, Scores] = {}
        for term, having in self._texts.items():
            said = np.array([counts[i][term] for i in having], dtype=np.float64)
            self._weights[term] = self.idf(term) * said * (k1 + 1) / (said + slow[having])

    def idf(self, term: str) -> float:
        """How much it says that a text has this stem."""
        return inverse_frequency(self.size, len(self._texts.get(term, ())))

    def scores(self, question: str) -> Scores:
        """A score (texts,) for each text; 0 where it has none of the question's words."""
        found = np.zeros(self.size)
        for term in terms(question):
            if term in self._texts:
                found[self._texts[term]] += self._weights[term]
        return found

    def coverage(self, question: str, having: Iterable[str]) -> float:
        """The part of what a question's words say, each counted once, that is said by these stems: in [0, 1]."""
        asked, said = set(terms(question)), set(having)
        whole = math.fsum(self.idf(term) for term in asked)
        return math.fsum(self.idf(term) for term in asked & said) / whole if whole else 0.0
