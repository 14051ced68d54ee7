"""What a topic is: a name of the schedule, and what in the course belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

# papers of the reading list, by where they can be read: a list names its papers in the same way
MEGATRON = "https://arxiv.org/abs/2104.04473"
ZERO = "https://arxiv.org/abs/1910.02054"
ALPA = "https://arxiv.org/abs/2201.12023"
FLASH_ATTENTION = "https://arxiv.org/abs/2205.14135"
ORCA = "https://www.usenix.org/conference/osdi22/presentation/yu"
EFFICIENT_INFERENCE = "https://arxiv.org/abs/2211.05102"
VLLM = "https://arxiv.org/abs/2309.06180"
SGLANG = "https://arxiv.org/abs/2312.07104"
GPTQ = "https://arxiv.org/abs/2210.17323"
SPECULATIVE = "https://arxiv.org/abs/2211.17192"


class LabTasks(NamedTuple):
    """Tasks of a folder in labs/, by the ids that its lab.toml gives them."""

    lab: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """A topic of the course.

    names     what a session calls it; the first is its title
    modules   files and packages below mlsys_core, in the order in which they are read
    pages     of docs/library, without ".md"; the first stands on the topic's own page
    readings  papers, by where they can be read
    studies   published tables that are computed again, by their slugs in mlsys_core.papers
    labs      the tasks that practise it
    beside    for a topic without a session of its own: the slug of the one that it belongs to
    """

    slug: str
    names: tuple[str, ...]
    modules: tuple[str, ...]
    pages: tuple[str, ...]
    readings: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    labs: tuple[LabTasks, ...] = ()
    beside: str = ""

    @property
    def title(self) -> str:
        """How it is called."""
        return self.names[0]


def autodiff(*tasks: str) -> LabTasks:
    """Tasks of Lab 1."""
    return LabTasks("autodiff", tasks)


def inference(*tasks: str) -> LabTasks:
    """Tasks of Lab 2."""
    return LabTasks("inference", tasks)


def compression(*tasks: str) -> LabTasks:
    """Tasks of Lab 3."""
    return LabTasks("compression", tasks)
