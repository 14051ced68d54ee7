"""Serves the library's small model: python -m mlsys_core.serving --port 8000.

Idea      A model, an engine, a service, an application, a web server: each is given to the next.
Equation  -
Paper     OpenAI, "API reference", for what can be asked then.
Cost      About a million weights in float32, and `blocks.kv_bytes(1, 6, 4, 16, 4)` = 3 KB of keys and values a token.
"""

from __future__ import annotations

import argparse

import uvicorn

from mlsys_core.serving.config import EngineConfig
from mlsys_core.serving.engine import Engine
from mlsys_core.serving.http import App
from mlsys_core.serving.scheduler import SchedulerConfig
from mlsys_core.serving.service import Service
from mlsys_core.workloads.small_model import VOCABULARY, load


def main() -> None:
    """Runs until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m mlsys_core.serving", description="Serve the small model.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--blocks", type=int, default=1024, help="of 16 tokens, for keys and values")
    parser.add_argument("--prefix-cache", choices=("hash", "radix", "none"), default="radix")
    parser.add_argument("--preemption", choices=("recompute", "swap"), default="recompute")
    options = parser.parse_args()
    swap = options.blocks if options.preemption == "swap" else 0
    config = EngineConfig(
        blocks=options.blocks,
        swap_blocks=swap,
        prefix_cache=options.prefix_cache,
        scheduler=SchedulerConfig(preemption=options.preemption),
    )
    app = App(Service(Engine(load(), config)), VOCABULARY(), "small")
    uvicorn.run(app, host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
