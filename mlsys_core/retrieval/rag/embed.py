"""Vectors of texts without a trained model: latent semantic analysis of the very texts that are searched.

Idea      Words that stand in the same texts mean related things. Write down which text says which word, keep the k directions in which
          these rows differ most, and a text is its k coordinates. A question falls near texts that share no word with it, as long as other
          texts have both. Nothing is downloaded: the documents are all that it learned from, and that is also its limit.
Equation  A_dt = (1 + ln f_dt) · idf(t), rows of length 1;   A ≈ U_k S_k V_kᵀ;   vector(x) = x V_k / |x V_k| for a row x like those of A
Paper     S. Deerwester et al., "Indexing by latent semantic analysis", Journal of the American Society for Information Science 41, 1990.
Cost      O(N² w + N³) once, for N texts of w words, by the small matrix A Aᵀ; O(w k) a question.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mlsys_core.retrieval.rag.terms import terms

Vectors = npt.NDArray[np.float32]


class LatentSemantics:
    """Learns `size` directions from texts; fewer where the texts have fewer. `embed` gives unit vectors (texts, size), float32."""

    def __init__(self, texts: Sequence[str], size: int = 128) -> None:
        if not texts or size < 1:
            raise ValueError(f"{size} directions cannot be learned from {len(texts)} texts: give at least one of each.")
        counted = [Counter(terms(text)) for text in texts]
        having = Counter(term for count in counted for term in count)
        self._place = {term: i for i, term in enumerate(sorted(having))}
        self._idf = {term: math.log((1 + len(texts)) / (1 + n)) + 1 for term, n in having.items()}
        rows = self._rows(counted)
        squares, left = np.linalg.eigh((rows @ rows.T).toarray())
        kept = [i for i in np.argsort(squares)[::-1][:size] if squares[i] > 1e-10]
        self.values = np.sqrt(squares[kept])  # the singular values, largest first
        self._directions = np.asarray(rows.T @ left[:, kept]) / self.values

    @property
    def size(self) -> int:
        """Coordinates of a vector."""
        return int(self._directions.shape[1])

    def embed(self, texts: Iterable[str]) -> Vectors:
        """Unit vectors (texts, size); zeros for a text without a word that the documents have."""
        found = np.asarray(self._rows([Counter(terms(text)) for text in texts]) @ self._directions)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        unit: Vectors = np.divide(found, lengths, out=np.zeros_like(found), where=lengths > 1e-12).astype(np.float32)
        return unit

    def _rows(self, counted: Sequence[Counter[str]]) -> sparse.csr_matrix:
        """The matrix A of texts and words, in float64."""
        rows, columns, values = list[int](), list[int](), list[float]()
        for i, count in enumerate(counted):
            weights = {t: (1 + math.log(n)) * self._idf[t] for t, n in count.items() if t in self._place}
            length = math.sqrt(sum(weight**2 for weight in weights.values()))
            for term, weight in sorted(weights.items()):
                rows.append(i)
                columns.append(self._place[term])
                values.append(weight / length)
        return sparse.csr_matrix((values, (rows, columns)), shape=(len(counted), len(self._place)))
