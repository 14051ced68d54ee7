"""To find and to act on what was found: nearest neighbours, answers from documents with their sources, and loops with tools.

Vectors, in Faiss's shape: read `index`, `flat`, `kmeans`, `ivf`, `pq`, `ivfpq`, `graph`, `hnsw`, then `scan`, `native` and `files`.
"""

from __future__ import annotations

from mlsys_core.retrieval.files import IndexFileError, read_index, write_index
from mlsys_core.retrieval.flat import IndexFlatIP, IndexFlatL2
from mlsys_core.retrieval.hnsw import IndexHNSWFlat
from mlsys_core.retrieval.index import Index, recall
from mlsys_core.retrieval.ivf import IndexIVFFlat
from mlsys_core.retrieval.ivfpq import IndexIVFPQ
from mlsys_core.retrieval.kmeans import Kmeans
from mlsys_core.retrieval.pq import IndexPQ, ProductQuantizer

__all__ = [
    "Index",
    "IndexFileError",
    "IndexFlatIP",
    "IndexFlatL2",
    "IndexHNSWFlat",
    "IndexIVFFlat",
    "IndexIVFPQ",
    "IndexPQ",
    "Kmeans",
    "ProductQuantizer",
    "read_index",
    "recall",
    "write_index",
]
