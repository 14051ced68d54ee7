"""Curriculum by length: training begins on short windows, which are cheap and calm, and ends on whole ones.

Idea      Early in training a model cannot use what is far away, long windows cost more, and their gradients vary more. So the
          length of windows grows with the step, by a pacing, and the model is the same at the end.
Equation  t(s) = begin + (end - begin) p(s / steps), rounded down;  p(x) = x (linear), √x (root), ⌊x k⌋ / k (step, k stages)
Paper     Y. Bengio et al., "Curriculum learning", ICML 2009; C. Li, M. Zhang, Y. He, "The stability-efficiency dilemma:
          investigating sequence length warmup for training GPT models", NeurIPS 2022.
Cost      Nothing; it saves the part of attention's square that short windows lack.

A length follows from the step alone, so the number of the step is all the state there is to save.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlsys_core.workloads.text import Codes

PACINGS = ("linear", "root", "step")


@dataclass(frozen=True)
class Curriculum:
    """Lengths of windows from `begin` at step 0 to `end` at step `steps` and after it.

    pacing    `linear`, `root` (fast at first) or `step` (`stages` equal jumps)
    reshape   whether a window of `end` is cut into shorter ones, so that a step sees as many tokens as ever, or else cut
              off, so that it sees fewer (`tokens` says how many, `steps_for` how long to train for a number of them)
    multiple  lengths are rounded down to multiples of this; cut windows also to a divisor of `end`
    """

    begin: int
    end: int
    steps: int
    pacing: str = "linear"
    reshape: bool = False
    multiple: int = 8
    stages: int = 4

    def __post_init__(self) -> None:
        if self.pacing not in PACINGS:
            raise ValueError(f"There is no pacing {self.pacing!r}: choose one of {', '.join(PACINGS)}.")
        if not 1 <= self.begin <= self.end or min(self.steps, self.multiple, self.stages) < 1:
            raise ValueError(f"Lengths grow from at least 1 in at least one step, and this is {self}.")
        if self.reshape and self.end % self.begin:
            raise ValueError(f"Windows of {self.end} cannot be cut into windows of {self.begin}: begin with a divisor.")

    def progress(self, step: int) -> float:
        """How far the length has grown at this step, 0 to 1."""
        done = min(max(step / self.steps, 0.0), 1.0)
        if self.pacing == "root":
            return float(done**0.5)
        return done if self.pacing == "linear" else int(done * self.stages) / self.stages

    def length(self, step: int) -> int:
        """The length of windows at this step."""
        wanted = int(self.begin + (self.end - self.begin) * self.progress(step))
        if wanted == self.end:
            return self.end
        rounded = range(wanted - wanted % self.multiple, self.begin, -self.multiple)
        fitting = (length for length in rounded if not (self.reshape and self.end % length))
        return next(fitting, self.begin)

    def cut(self, tokens: Codes, targets: Codes, step: int) -> tuple[Codes, Codes]:
        """Tokens and targets (B, end) as windows of this step's length t: (B, t), or (B end / t, t) with `reshape`.

        Raises ValueError for windows of another length than `end`.
        """
        if tokens.shape[1] != self.end:
            raise ValueError(f"This curriculum ends at windows of {self.end}, and these have {tokens.shape[1]}.")
        length = self.length(step)
        if self.reshape:
            return tokens.reshape(-1, length), targets.reshape(-1, length)
        return tokens[:, :length], targets[:, :length]

    def tokens(self, batch: int, steps: int) -> int:
        """Tokens that this many steps with batches (batch, end) see."""
        if self.reshape:
            return batch * self.end * steps
        return batch * sum(self.length(step) for step in range(steps))

    def steps_for(self, batch: int, tokens: int) -> int:
        """The least steps that see at least this many tokens."""
        step, seen = 0, 0
        while seen < tokens:
            seen += batch * (self.end if self.reshape else self.length(step))
            step += 1
        return step
