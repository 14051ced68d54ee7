"""Smaller models that say nearly the same: fewer bits a weight, fewer weights, smaller students, shorter caches.

Fewer bits, in this order: `rtn` (round to nearest), `outliers` (why that fails), `calibration` and `gptq` (errors made good by the
weights that follow), `folding`, `awq` and `smoothquant` (scales moved between layers), `fp8`, `methods` and `apply` (a whole model, layer
by layer), `packing` (for the kernels), `mixture` (bits where they matter) and `ladder` (all of them in one table).

Fewer weights: `masks` (who competes with whom), `magnitude`, `wanda` and `sparsegpt` (by what), `pruning` (a whole model). Thinner ones:
`low_rank`, `lora`, `nf4` and `qlora`. Smaller students: `distillation`. `trials` measures these on the small model.

Shorter caches: `kv`. What is worth having of all of these: `pareto`.
"""

from __future__ import annotations
