"""The published facts of CS 498, Spring 2026: its schedule, its papers, its labs. Data alone."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

ZONE = "America/Chicago"
FIRST_TUESDAY = date(2026, 1, 20)
RECESS = ("Spring break", date(2026, 3, 14), date(2026, 3, 22))
READINGS_FROM = date(2026, 1, 30)
TEAMS_LOCK = date(2026, 2, 20)  # ours: a week before proposals, when the class has settled


class Week(NamedTuple):
    """A week as published; `part` is named on the first week of a part."""

    label: str
    part: str
    tuesday: str
    thursday: str


# The published table numbers two weeks 11; the labels are kept as published, the dates follow the calendar.
WEEKS = (
    Week("1", "Basics", "Course intro", "DL workloads"),
    Week("2", "", "DL frameworks", "AutoDiff"),
    Week("3", "Distributed ML", "Overview of training", "Communication collectives"),
    Week("4", "", "Data parallelism, tensor parallelism", "Pipeline parallelism"),
    Week("5", "", "ZeRO-style data parallelism", "Heterogeneous GPU-CPU"),
    Week("6", "", "3D parallelism", "Auto parallelism"),
    Week("7", "", "Mixed precision training", "Communication compression"),
    Week("8", "Inference optimizations", "CUDA basics", "CUDA basics"),
    Week("9", "", "FlashAttention", "PagedAttention"),
    Week("10", "", "Continuous batching", "Efficient scaling of transformer inference"),
    Week("11", "", "TVM and DL compiler", "TVM and DL compiler"),
    Week("11", "Compression", "Quantization 1", "Quantization 2"),
    Week("12", "", "Sparsification 1", "Sparsification 2"),
    Week("13", "", "Distillation", "Low-rank decomposition"),
    Week("14", "", "KV cache compression 1", "KV cache compression 2"),
    Week("15", "Misc", "MoE 1", "MoE 2"),
    Week("16", "", "Vector DB", "RAG"),
)


class PaperFacts(NamedTuple):
    """A paper of the reading list."""

    hint: str
    title: str
    authors: str
    venue: str
    year: int
    arxiv_id: str
    url: str = ""


PAPERS = (
    PaperFacts(
        "3D parallelism",
        "Efficient Large-Scale Language Model Training on GPU Clusters Using Megatron-LM",
        "Deepak Narayanan, Mohammad Shoeybi, Jared Casper, Patrick LeGresley, Mostofa Patwary, Vijay Korthikanti, "
        "Dmitri Vainbrand, Prethvi Kashinkunti, Julie Bernauer, Bryan Catanzaro, Amar Phanishayee, Matei Zaharia",
        "SC",
        2021,
        "2104.04473",
    ),
    PaperFacts(
        "ZeRO-style data parallelism",
        "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models",
        "Samyam Rajbhandari, Jeff Rasley, Olatunji Ruwase, Yuxiong He",
        "SC",
        2020,
        "1910.02054",
    ),
    PaperFacts(
        "Auto parallelism",
        "Alpa: Automating Inter- and Intra-Operator Parallelism for Distributed Deep Learning",
        "Lianmin Zheng, Zhuohan Li, Hao Zhang, Yonghao Zhuang, Zhifeng Chen, Yanping Huang, Yida Wang, Yuanzhong Xu, "
        "Danyang Zhuo, Eric P. Xing, Joseph E. Gonzalez, Ion Stoica",
        "OSDI",
        2022,
        "2201.12023",
    ),
    PaperFacts(
        "FlashAttention",
        "FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness",
        "Tri Dao, Daniel Y. Fu, Stefano Ermon, Atri Rudra, Christopher Ré",
        "NeurIPS",
        2022,
        "2205.14135",
    ),
    PaperFacts(
        "Continuous batching",
        "Orca: A Distributed Serving System for Transformer-Based Generative Models",
        "Gyeong-In Yu, Joo Seong Jeong, Geon-Woo Kim, Soojeong Kim, Byung-Gon Chun",
        "OSDI",
        2022,
        "",
        "https://www.usenix.org/conference/osdi22/presentation/yu",
    ),
    PaperFacts(
        "Scaling inference",
        "Efficiently Scaling Transformer Inference",
        "Reiner Pope, Sholto Douglas, Aakanksha Chowdhery, Jacob Devlin, James Bradbury, Anselm Levskaya, Jonathan Heek, "
        "Kefan Xiao, Shivani Agrawal, Jeff Dean",
        "MLSys",
        2023,
        "2211.05102",
    ),
    PaperFacts(
        "vLLM",
        "Efficient Memory Management for Large Language Model Serving with PagedAttention",
        "Woosuk Kwon, Zhuohan Li, Siyuan Zhuang, Ying Sheng, Lianmin Zheng, Cody Hao Yu, Joseph E. Gonzalez, Hao Zhang, "
        "Ion Stoica",
        "SOSP",
        2023,
        "2309.06180",
    ),
    PaperFacts(
        "SGLang",
        "SGLang: Efficient Execution of Structured Language Model Programs",
        "Lianmin Zheng, Liangsheng Yin, Zhiqiang Xie, Chuyue Sun, Jeff Huang, Cody Hao Yu, Shiyi Cao, Christos Kozyrakis, "
        "Ion Stoica, Joseph E. Gonzalez, Clark Barrett, Ying Sheng",
        "NeurIPS",
        2024,
        "2312.07104",
    ),
    PaperFacts(
        "Quantization",
        "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers",
        "Elias Frantar, Saleh Ashkboos, Torsten Hoefler, Dan Alistarh",
        "ICLR",
        2023,
        "2210.17323",
    ),
    PaperFacts(
        "Speculative decoding",
        "Fast Inference from Transformers via Speculative Decoding",
        "Yaniv Leviathan, Matan Kalman, Yossi Matias",
        "ICML",
        2023,
        "2211.17192",
    ),
)


class DeliverableFacts(NamedTuple):
    """A deliverable of the project; days are read as a lab's. The published dates say the part of the term, the days are ours."""

    stage: str
    slug: str
    title: str
    opens: date
    due: date
    style: str
    pages: tuple[int, int] | None
    instructions: str


DELIVERABLES = (
    DeliverableFacts(
        "proposal",
        "proposal",
        "Project proposal",
        date(2026, 2, 3),
        date(2026, 2, 27),
        "free",
        (1, 2),
        """Say in one or two pages **what problem** you take on, **what is known** about it, **what you will do**, and **how you will know
that it worked**: workloads, baselines, metrics, hardware.

End with a plan: who does what by when, and what you do if the riskiest part fails. A proposal that names its risks is a better one.
""",
    ),
    DeliverableFacts(
        "midterm",
        "midterm-report",
        "Mid-term report",
        date(2026, 3, 3),
        date(2026, 4, 3),
        "neurips-2020",
        (3, 4),
        """Write the first half of your paper: problem, background, your analysis of the problem, and the design as far as it stands. Show
**first measurements**, even if they are bad news; bad news in April is useful, and in May it is late.

Use the NeurIPS 2020 LaTeX style, which you will keep for the final report.
""",
    ),
    DeliverableFacts(
        "presentation",
        "presentation",
        "Final presentation",
        date(2026, 4, 21),
        date(2026, 5, 18),
        "slides",
        None,
        """Hand in the slides of your talk as a PDF on the evening before your session. A talk has 12 minutes, and 3 for questions.

Half of its score comes from the course's staff, by format, correctness, depth, clarity and insights; half from your classmates, who
say whether they learned something.
""",
    ),
    DeliverableFacts(
        "final",
        "final-report",
        "Final report",
        date(2026, 4, 21),
        date(2026, 5, 29),
        "neurips-2020",
        (6, 8),
        """A research paper in the NeurIPS 2020 LaTeX style, about 6 to 8 pages without references.

| part | pages |
|---|---|
| Abstract | 0.25 |
| Introduction | 0.5 |
| Related work | 0.25 |
| Preliminaries and background | 0.25 |
| Analysis and characterization of the problem | 1 |
| Design and implementation | 1 |
| Evaluation method and results | 1 |
| Concluding remarks | 0.25 |

The lengths are recommendations: they say where the weight lies. Hand in your code beside it, as a zip or as the address of a repository.
""",
    ),
)


class LabFacts(NamedTuple):
    """A lab: its days in the offering's zone (it opens at 9:00 and is due at 23:59:59), and its folder once published."""

    slug: str
    title: str
    opens: date
    due: date
    points: int
    folder: str


LABS = (
    LabFacts("autodiff", "AutoDiff", date(2026, 1, 30), date(2026, 2, 20), 100, "autodiff"),
    LabFacts("inference", "Inference optimizations", date(2026, 3, 3), date(2026, 4, 3), 50, ""),
    LabFacts("compression", "Compressing ML models", date(2026, 4, 7), date(2026, 5, 8), 50, ""),
)
