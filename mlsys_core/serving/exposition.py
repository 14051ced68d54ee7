"""The engine's metrics in the form that Prometheus reads.

Idea      A collector is asked at each scrape, so nothing is counted twice and nothing is kept beside the engine.
Equation  -
Paper     Prometheus, "Exposition formats".
Cost      A copy of some numbers a scrape.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mlsys_core.serving.metrics import Metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Collector(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """All families."""
        m = self.metrics
        yield _labelled(GaugeMetricFamily, "sequences", "Outputs by place", "place", self._places())
        yield GaugeMetricFamily("mlsys_cache_use", "Part of the blocks that is in use", m.cache_use)
        yield GaugeMetricFamily("mlsys_prefix_hit_rate", "Part of prompts found in the cache", m.prefix_hit_rate)
        yield CounterMetricFamily("mlsys_steps", "Steps of the model", m.steps)
        yield CounterMetricFamily("mlsys_computed_tokens", "Tokens computed", m.computed_tokens)
        yield CounterMetricFamily("mlsys_output_tokens", "Tokens generated", m.output_tokens)
        yield CounterMetricFamily("mlsys_draft_rounds", "Steps of an output with drafted tokens", m.rounds)
        yield CounterMetricFamily("mlsys_drafted_tokens", "Tokens drafted", m.drafted_tokens)
        yield CounterMetricFamily("mlsys_accepted_tokens", "Drafted tokens kept", m.accepted_tokens)
        yield _labelled(CounterMetricFamily, "preemptions", "Preempted outputs", "kind", dict(m.preemptions))
        yield _labelled(CounterMetricFamily, "finished", "Outputs that ended", "reason", dict(m.finished))
        for name in ("time_to_first_token", "time_per_token"):
            cuts = dict(zip(("0.5", "0.9", "0.99"), m.percentiles(name), strict=True))
            yield _labelled(GaugeMetricFamily, f"{name}_seconds", "Of finished requests", "quantile", cuts)

    def _places(self) -> dict[str, float]:
        return {"waiting": self.metrics.waiting, "running": self.metrics.running, "swapped": self.metrics.swapped}


def _labelled(
    family: type[GaugeMetricFamily] | type[CounterMetricFamily],
    name: str,
    text: str,
    label: str,
    values: dict[str, float] | dict[str, int],
) -> Metric:
    found = family(f"mlsys_{name}", text, labels=[label])
    for key, value in values.items():
        found.add_metric([key], value)
    return found


def exposition(metrics: Metrics) -> bytes:
    """The text of a scrape."""
    registry = CollectorRegistry()
    registry.register(_Collector(metrics))
    return generate_latest(registry)
