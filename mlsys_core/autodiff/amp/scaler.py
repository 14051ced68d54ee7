"""Loss scaling that finds its own scale.

Idea      Gradients that float16 would round to zero survive when the loss is multiplied by a large number first; they are
          divided by it before they are used. Too large a number makes some gradient infinite: that step is skipped and
          the scale goes down. After enough good steps it goes up again.
Equation  non-finite:   s ← s · backoff, count ← 0, no step;     finite: count ← count + 1;
          count = interval:  s ← s · growth where that is finite, count ← 0
Paper     P. Micikevicius et al., "Mixed precision training", ICLR 2018, section 3.2 (loss scaling); the state machine is that
          of torch.amp.GradScaler.
Cost      One pass over the gradients a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

import numpy as np

from mlsys_core.autodiff.optim import Optimizer
from mlsys_core.autodiff.tensor import Tensor

Scaled = TypeVar("Scaled", Tensor, tuple[Tensor, ...], list[Tensor])


class _Stage(Enum):
    UNSCALED = "unscaled"
    STEPPED = "stepped"


class GradScaler:
    """Scales losses, unscales gradients, skips steps with a gradient that is not finite, and moves its scale.

    A step: `scale(loss).backward()`, perhaps `unscale_(optimizer)` to clip gradients, `step(optimizer)` for each optimizer,
    then `update()` once. With enabled=False it does nothing but step. Misuse raises RuntimeError.
    """

    def __init__(
        self,
        *,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if growth_factor <= 1:
            raise ValueError(f"The growth factor is {growth_factor}, and it must be above 1.")
        if not 0 < backoff_factor < 1:
            raise ValueError(f"The backoff factor is {backoff_factor}, and it must be between 0 and 1.")
        self.enabled = enabled
        self.growth_factor = growth_factor
        self.backoff_factor = backoff_factor
        self.growth_interval = growth_interval
        self._scale = np.float32(init_scale)
        self._good_steps = 0
        self._stages: dict[Optimizer, _Stage] = {}
        # whether an optimizer's gradients held something that is not finite; only for those that had gradients
        self._overflowed: dict[Optimizer, bool] = {}

    def get_scale(self) -> float:
        """The scale now; 1 when not enabled."""
        return float(self._scale) if self.enabled else 1.0

    def scale(self, outputs: Scaled) -> Scaled:
        """A tensor, or each of several, times the scale."""
        if not self.enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * float(self._scale)
        return type(outputs)(self.scale(x) for x in outputs)

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divides the gradients of an optimizer's parameters by the scale; at most once between updates, before step."""
        if not self.enabled:
            return
        stage = self._stages.get(optimizer)
        if stage is _Stage.UNSCALED:
            raise RuntimeError("These gradients were unscaled already: call unscale_ once between updates.")
        if stage is _Stage.STEPPED:
            raise RuntimeError("The step has been made already: call unscale_ before step.")
        gradients = [p.grad.data for p in optimizer.parameters if p.grad is not None]
        if any(g.dtype == np.float16 for g in gradients):
            raise ValueError(
                "These gradients are float16 and would underflow when unscaled: keep float32 master weights."
            )
        if gradients:
            self._overflowed[optimizer] = not all(np.isfinite(g).all() for g in gradients)
        # what is not finite has been noted, and needs no warning
        with np.errstate(all="ignore"):
            inverse = np.float32(1 / np.float64(self._scale))
            for g in gradients:
                np.multiply(g, inverse, out=g)
        self._stages[optimizer] = _Stage.UNSCALED

    def step(self, optimizer: Optimizer) -> bool:
        """Steps the optimizer unless a gradient is not finite, and says whether it did; unscales first if need be."""
        if not self.enabled:
            optimizer.step()
            return True
        if self._stages.get(optimizer) is _Stage.STEPPED:
            raise RuntimeError("The step has been made already: call update before the next one.")
        if optimizer not in self._stages:
            self.unscale_(optimizer)
        if optimizer not in self._overflowed:
            raise RuntimeError("No parameter of this optimizer has a gradient: call backward on a scaled loss first.")
        self._stages[optimizer] = _Stage.STEPPED
        if self._overflowed[optimizer]:
            return False
        optimizer.step()
        return True

    def update(self, new_scale: float | None = None) -> None:
        """Moves the scale by what was found since the last update, in any optimizer; or sets it."""
        if not self.enabled:
            return
        if new_scale is not None:
            self._scale = np.float32(new_scale)
        elif not self._overflowed:
            raise RuntimeError("No gradients were looked at since the last update: call step or unscale_ first.")
        else:
            self._move(overflowed=any(self._overflowed.values()))
        self._stages, self._overflowed = {}, {}

    def _move(self, *, overflowed: bool) -> None:
        if overflowed:
            self._scale = np.float32(float(self._scale) * self.backoff_factor)
            self._good_steps = 0
            return
        self._good_steps += 1
        if self._good_steps == self.growth_interval:
            with np.errstate(over="ignore"):
                grown = np.float32(float(self._scale) * self.growth_factor)
            self._scale = grown if np.isfinite(grown) else self._scale
            self._good_steps = 0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint on disk needs, with torch's names; empty when not enabled."""
        if not self.enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self.growth_factor,
            "backoff_factor": self.backoff_factor,
            "growth_interval": self.growth_interval,
            "_growth_tracker": self._good_steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where state_dict was taken."""
        if not self.enabled:
            return
        if not state:
            raise RuntimeError("This state is empty: it was taken from a scaler that was not enabled.")
        self._scale = np.float32(state["scale"])
        self.growth_factor = state["growth_factor"]
        self.backoff_factor = state["backoff_factor"]
        self.growth_interval = state["growth_interval"]
        self._good_steps = state["_growth_tracker"]
