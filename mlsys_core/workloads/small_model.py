"""A small language model that comes with the library: what serving, speculation and compression are shown and measured on.

Idea      Claims about inference and compression need a model that has learned something, and a laptop needs one that runs in
          seconds. This one reads letters of Shakespeare, has about a million weights, and lies beside the text as 16-bit
          numbers; how it was trained stands here, and its hash says that it is that one.
Equation  loss = mean of -ln p(next letter | up to 256 before it), on the tenth of the text that it never saw
Paper     The text's licence and source: data/LICENCE.md. A. Karpathy, "The unreasonable effectiveness of recurrent neural
          networks", 2015, made the task known.
Cost      2.1 MB. Training: `accounting.gpt` a step, 24 s on one H100, a quarter of an hour on two cores.

    model = load()                       # GPT in float32, in evaluation mode
    VOCABULARY().decode(model(VOCABULARY().encode("ROMEO:")…))

`python -m mlsys_core.workloads.small_model FILE` trains it again and writes FILE. Another machine adds numbers in another order, so
its weights differ in the last digits, and then the hash; the loss does not.
"""

from __future__ import annotations

import argparse
import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import torch

from mlsys_core.workloads import text
from mlsys_core.workloads.gpt import GPT, GPTConfig
from mlsys_core.workloads.train import TrainConfig, evaluate, train

CONFIG = GPTConfig(vocab_size=65, context=256, dim=128, layers=6, heads=8, kv_heads=4, ffn=344)
TRAINING = TrainConfig(steps=900, batch=32, time=256, learning_rate=6e-3, warmup=100, weight_decay=1.0, seed=0)
PATH = Path(__file__).parent / "data" / "small_model.npz"
SHA256 = "8a6d58bbbc9e53be60c7579de422a656555abdbc5301e97f198afd691706d839"


class DamagedModelError(Exception):
    """The file of weights is not the one that this version of the library was released with."""


@cache
def VOCABULARY() -> text.Vocabulary:  # noqa: N802 - a constant that costs a read of the text
    """The characters that the model knows, in the order of their codes."""
    return text.Vocabulary.of(text.load())


def load(*, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu") -> GPT:
    """The trained model, ready to read. Raises `DamagedModelError` when the file is another one."""
    data = PATH.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise DamagedModelError(
            f"{PATH.name} is not the file that this version was released with. Install the library again."
        )
    model = GPT(CONFIG)
    with np.load(PATH, allow_pickle=False) as stored:
        model.load_state_dict({name: torch.from_numpy(stored[name]).float() for name in stored.files})
    model.eval().to(device=device, dtype=dtype)
    return model


def save(model: GPT, path: Path) -> str:
    """Writes the weights (float16, no pickle) and gives the file's SHA-256."""
    weights = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in model.state_dict().items()}
    np.savez_compressed(path, **weights)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Train it anew, on a GPU where there is one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    codes, held_out = text.split(VOCABULARY().encode(text.load()))
    model = GPT(CONFIG, seed=0).to("cuda" if torch.cuda.is_available() else "cpu")
    train(model, codes, TRAINING)
    loss = evaluate(model, held_out, time=256, batches=32)
    print(f"{save(model, options.out)} {options.out}: {loss:.4f} nats a letter on text it never saw")  # noqa: T201


if __name__ == "__main__":
    main()
