"""From a loop nest to machine code: an intermediate representation, schedules that never change a result, and a tuner.

Read in this order: `expressions` and `ir` (what is computed, and loop nests), `operators` (definitions of the usual ones), `interpreter`
(what both mean), `loops`, `stage` and `schedule` (the primitives, and what each may not do), `place` and `lower` (from a schedule to a
nest), `c_text`, `codegen_c` and `build` (to C), `triton_kernel` and `codegen_triton` (to Triton), `features`, `cost_model`, `space` and
`tune` (the search).
"""

from __future__ import annotations
