"""Error feedback: what compression leaves out of one step is added to the next.

Idea      A compressed gradient may even point the wrong way. If its error is kept and added to the next gradient, everything is
          sent in the end, only later, and descent goes where it would have gone.
Equation  v_t = g_t + e_{t-1};  e_t = v_t - C(v_t);  so  Σ_t C(v_t) + e_T = Σ_t g_t, whatever C is.
Paper     F. Seide et al., "1-bit stochastic gradient descent", Interspeech 2014; S. U. Stich et al., "Sparsified SGD with
          memory", NeurIPS 2018; S. P. Karimireddy et al., "Error feedback fixes SignSGD", ICML 2019.
Cost      One number of memory for each number that is compressed.
"""

from __future__ import annotations

from torch import Tensor


class ErrorFeedback:
    """What has been left out so far, of each of several tensors that are known by a number."""

    def __init__(self) -> None:
        self.left: dict[int, Tensor] = {}

    def add_to(self, key: int, tensor: Tensor) -> Tensor:
        """v: a new tensor, what is to be sent now with what was left out before."""
        return tensor + self.left[key] if key in self.left else tensor.clone()

    def keep(self, key: int, wanted: Tensor, sent: Tensor) -> None:
        """Remembers e = v - C(v)."""
        self.left[key] = wanted - sent
