"""A run's picture shows the log's spans and messages, whatever the order in which threads wrote them."""

from __future__ import annotations

import random
from xml.etree import ElementTree as ET

import torch

from mlsys_core.parallelism.collectives import barrier
from mlsys_core.parallelism.communication import Fabric, Log, Message, Span, run_ranks
from mlsys_core.parallelism.timeline import rows_of, timeline_svg, timeline_text

SVG = "{http://www.w3.org/2000/svg}"


def one_step(comm):
    """Two stretches of work with a transfer beside the second."""
    comm.compute(2.0, "forward")
    with comm.label("<grads> & more"):
        transfer = comm.start(lambda: comm.sendrecv(torch.zeros(4), 1 - comm.rank, torch.zeros(4), 1 - comm.rank))
    comm.compute(1.0 + comm.rank, "backward")
    transfer.wait()
    comm.compute(1.0, "update")


def test_each_rank_and_each_transfer_has_a_row_in_which_a_character_is_a_share_of_the_time():
    _, log = run_ranks(2, one_step, fabric=Fabric(alpha_s=3.0))
    assert timeline_text(log, columns=12).split("\n") == [
        "rank 0   main   |####++....%%|",
        "rank 0   beside |....======..|",
        "rank 1   main   |####++++..%%|",
        "rank 1   beside |....======..|",
        "# forward  = <grads> & more  + backward  % update  . idle",
    ]


def test_a_symbol_of_our_own_names_what_the_reader_counts():
    log = Log(spans=[Span(0, "forward 7", "main", 0.0, 1.0), Span(0, "forward 8", "main", 1.0, 3.0)], ended_at=[4.0])
    assert timeline_text(log, columns=4, symbol=lambda span: span.name[-1]) == "rank 0   main   |788.|"


def test_the_image_has_a_bar_a_span_and_a_line_a_message_and_says_what_they_are():
    _, log = run_ranks(2, one_step, fabric=Fabric(alpha_s=3.0))
    root = ET.fromstring(timeline_svg(log, "A <step>"))
    bars = [bar for bar in root.iter(f"{SVG}rect") if bar.find(f"{SVG}title") is not None]
    lines = [line for line in root.iter(f"{SVG}line") if line.find(f"{SVG}title") is not None]
    assert root.find(f"{SVG}title").text == "A <step>"
    assert len(bars) == len(log.spans)
    assert sorted(line.find(f"{SVG}title").text for line in lines) == [
        "<grads> & more, 0 to 1: 16 bytes",
        "<grads> & more, 1 to 0: 16 bytes",
    ]
    starts = sorted({float(bar.get("x")) for bar in bars})
    widths = {bar.find(f"{SVG}title").text.split(",")[0]: float(bar.get("width")) for bar in bars}
    assert len(starts) == 3  # 0, 2 and 5: both ranks start each part at the same time
    assert abs(widths["<grads> & more"] - 3 * widths["update"]) < 0.05


def test_the_picture_does_not_depend_on_the_order_of_the_log():
    _, log = run_ranks(3, lambda comm: [comm.compute(1.0 + comm.rank, name) for name in "ab"], fabric=Fabric())
    shuffled = Log(random.Random(3).sample(log.messages, len(log.messages)), log.spans[::-1], log.ended_at)
    assert timeline_svg(log) == timeline_svg(shuffled)
    assert timeline_text(log) == timeline_text(shuffled)


def test_a_run_without_time_is_drawn_too():
    _, log = run_ranks(2, barrier, fabric=Fabric(alpha_s=0.0))
    assert timeline_text(log, columns=3) == "rank 0   main   |...|\nrank 1   main   |...|\n. idle"
    assert rows_of(log) == [(0, "main"), (1, "main")]
    ET.fromstring(timeline_svg(log))
    log.messages.append(Message(0, 1, 4, "", "beside", 0.0, 0.0))
    ET.fromstring(timeline_svg(log))
