"""Models that act: a loop with typed tools, a budget and a trace that replays exactly; and several models that work together.

Read in this order: `tools`, `calculator`, `models` (scripted, and served under choices), `trace`, `loop`, `replay`, `reuse` (what a prefix
cache saves); then the patterns: `conversation`, `maths`, `retrieval_chat`, `coding`, `group`.
"""

from __future__ import annotations
