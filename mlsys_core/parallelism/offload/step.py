"""One training step of a model that lives on a GPU and its host: what each choice keeps, moves and computes.

Idea      A layer's half-precision weights and its fp32 optimizer states each live on the GPU or on the host, and Adam runs on
          either. What lives on the host and is used on the GPU travels; what travels is fetched ahead, into buffers.
Equation  bytes a parameter over the link, in + out:   Adam on the host 2 + 2,   states to the GPU 12 + 12,
          weights from the host too 4 + 2 and 16 + 14 (fetched for the forward and again for the backward pass)
Paper     J. Ren et al., "ZeRO-Offload: democratizing billion-scale model training", USENIX ATC 2021, section 3 (what to move: 4
          bytes a parameter is the least); S. Rajbhandari et al., "ZeRO-Infinity", SC 2021 (weights too); X. Lian et al.,
          "SuperOffload", arXiv 2509.21271 (superchips, where other choices win).
Cost      Adam reads and writes 28 bytes a parameter: a gradient of 2, and weight and two moments of 4, there and back, and 2 of
          the new weight's half, of whichever memory it runs in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from mlsys_core.parallelism.offload.simulator import Task

HALF, STATES, ADAM = 2, 12, 28  # bytes a parameter: one half, fp32 weight and two moments, and what Adam touches
GPU, HOST, IN, OUT = "gpu", "host", "link in", "link out"
RESOURCES = (GPU, HOST, IN, OUT)


@dataclass(frozen=True)
class Layer:
    """Parameters, FLOPs of the forward pass (the backward pass has twice as many), bytes of activations kept until then."""

    parameters: int
    flops: float
    activations: float = 0.0


@dataclass(frozen=True)
class Machine:
    """A GPU and its host: FLOP/s that the layers reach, bytes and bytes/s of the GPU's memory, bytes/s that Adam reaches in the
    host's memory, bytes/s of the link in each direction, seconds to start a transfer."""

    flops: float
    memory: float
    gpu_bandwidth: float
    host_bandwidth: float
    link: float
    latency: float = 10e-6


# half of the peak; a socket's memory shared by the GPUs on it; what PCIe 4 x16 reaches
A100_PCIe = Machine(156e12, 40e9, 1555e9, 100e9, 25e9)
# half of the peak; LPDDR5X; NVLink-C2C has 900 GB/s, 450 each way
GH200 = Machine(495e12, 96e9, 4000e9, 400e9, 450e9)


class Choice(Enum):
    """Where a layer's weights and states live, and where Adam runs: (weights on host, states on host, Adam on host)."""

    RESIDENT = (False, False, False)
    HOST_ADAM = (False, True, True)
    STATES_FLOW = (False, True, False)
    WEIGHTS_FLOW = (True, True, True)
    ALL_FLOW = (True, True, False)

    @property
    def weights_on_host(self) -> bool:
        """The weights are fetched for each pass."""
        return bool(self.value[0])

    @property
    def states_flow(self) -> bool:
        """The states are on the host and Adam is on the GPU."""
        return bool(self.value[1] and not self.value[2])

    @property
    def adam_on_host(self) -> bool:
        """The gradient leaves, and a weight comes back."""
        return bool(self.value[2])


def bytes_on_gpu(layer: Layer, choice: Choice) -> float:
    """What a layer keeps on the GPU for the whole step, beside its activations and the buffers."""
    if choice is Choice.RESIDENT:
        return (2 * HALF + STATES) * layer.parameters
    gradient = 0 if choice.adam_on_host else HALF
    return (gradient + (0 if choice.weights_on_host else HALF)) * layer.parameters


def buffer_shares(layer: Layer, choice: Choice, distance: int) -> tuple[float, float, float]:
    """Bytes of buffers for weights, gradients and states that this layer needs; the largest need of any layer is what there is.

    Weights: one in use and `distance` under way. Gradients that leave and states that pass through: one in use, one under way.
    """
    size = layer.parameters
    return (
        (distance + 1) * HALF * size if choice.weights_on_host else 0.0,
        2.0 * HALF * size if choice.adam_on_host else 0.0,
        2.0 * STATES * size if choice.states_flow else 0.0,
    )


def memory_cost(layers: Sequence[Layer], choices: Sequence[Choice], distance: int) -> float:
    """Bytes of the GPU's memory at the peak of a step."""
    kept = sum(layer.activations + bytes_on_gpu(layer, choice) for layer, choice in zip(layers, choices, strict=True))
    shares = [buffer_shares(layer, choice, distance) for layer, choice in zip(layers, choices, strict=True)]
    return kept + sum(max(share[kind] for share in shares) for kind in range(3))


def load(machine: Machine, layers: Sequence[Layer], number: int, choice: Choice) -> dict[str, float]:
    """Seconds in which a layer with a choice keeps each resource busy; no step is shorter than the sum over layers of any."""
    layer = layers[number]
    sums = dict.fromkeys(RESOURCES, 0.0)
    sums[GPU] = 3 * layer.flops / machine.flops
    adam = ADAM * layer.parameters
    sums[HOST if choice.adam_on_host else GPU] += adam / (
        machine.host_bandwidth if choice.adam_on_host else machine.gpu_bandwidth
    )
    weights, states = HALF * layer.parameters, STATES * layer.parameters
    if choice.weights_on_host:
        # the last layer goes back at once, with the weights that it has
        sums[IN] += (1 if number == len(layers) - 1 else 2) * _travel(machine, weights)
    elif choice.adam_on_host:
        sums[IN] += _travel(machine, weights)
    if choice.adam_on_host:
        sums[OUT] += _travel(machine, weights)
    elif choice.states_flow:
        sums[IN] += _travel(machine, states)
        sums[OUT] += _travel(machine, states + (weights if choice.weights_on_host else 0))
    return sums


def _travel(machine: Machine, size: float) -> float:
    return machine.latency + size / machine.link


def tasks_of(machine: Machine, layers: Sequence[Layer], choices: Sequence[Choice], distance: int = 1) -> list[Task]:
    """The tasks of a step, for `simulate`: forward, backward, and for each layer its optimizer as soon as it has the gradient."""
    step = _Step(machine, distance)
    last = len(layers) - 1
    for number, (layer, choice) in enumerate(zip(layers, choices, strict=True)):
        step.compute(f"forward {number}", layer.flops, layer, fetch=choice.weights_on_host)
    for number in range(last, -1, -1):
        layer, choice = layers[number], choices[number]
        step.compute(
            f"backward {number}",
            2 * layer.flops,
            layer,
            fetch=choice.weights_on_host and number != last,
            buffered=choice.adam_on_host,
        )
        step.update(number, layer, choice)
    return step.tasks


class _Step:
    """Tasks so far, and who holds the buffers."""

    def __init__(self, machine: Machine, distance: int) -> None:
        self.machine, self.distance = machine, distance
        self.tasks: list[Task] = []
        self.before: tuple[str, ...] = ()  # the last task of the forward and backward passes
        self.users: list[str] = []  # of the weight buffers, in order
        self.leaving: list[str] = []  # of the gradient buffers
        self.passing: list[str] = []  # of the state buffers

    def add(self, name: str, resource: str, seconds: float, after: tuple[str, ...]) -> str:
        self.tasks.append(Task(name, resource, seconds, after))
        return name

    def compute(self, name: str, flops: float, layer: Layer, *, fetch: bool, buffered: bool = False) -> None:
        """A pass over a layer; its weights are fetched into the buffer of the one that is `distance` + 1 before."""
        after = self.before
        if fetch:
            free = tuple(self.users[-self.distance - 1 :][:1]) if len(self.users) > self.distance else ()
            after += (self.add(f"weights for {name}", IN, _travel(self.machine, HALF * layer.parameters), free),)
            self.users.append(name)
        if buffered and len(self.leaving) > 1:
            after += (self.leaving[-2],)
        self.before = (self.add(name, GPU, flops / self.machine.flops, after),)

    def update(self, number: int, layer: Layer, choice: Choice) -> None:
        """Adam, where the choice wants it, with what must travel for it."""
        machine, adam = self.machine, f"adam {number}"
        half, states = HALF * layer.parameters, STATES * layer.parameters
        if choice.adam_on_host:
            left = self.add(f"gradient {number}", OUT, _travel(machine, half), self.before)
            self.leaving.append(left)
            self.add(adam, HOST, ADAM * layer.parameters / machine.host_bandwidth, (left,))
            if not choice.weights_on_host:
                self.add(f"new weights {number}", IN, _travel(machine, half), (adam,))
            return
        after = self.before
        if choice.states_flow:
            free = (self.passing[-2],) if len(self.passing) > 1 else ()
            after += (self.add(f"states {number}", IN, _travel(machine, states), free),)
        self.add(adam, GPU, ADAM * layer.parameters / machine.gpu_bandwidth, after)
        if choice.states_flow:
            back = states + (half if choice.weights_on_host else 0)
            self.passing.append(self.add(f"states back {number}", OUT, _travel(machine, back), (adam,)))
