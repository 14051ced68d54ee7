"""Dead code elimination: what nobody reads is not computed.

Idea      Mark what the outputs need, backwards through the list, and sweep the rest.
Equation  live = outputs ∪ guards ∪ random nodes ∪ {inputs of live nodes}
Paper     K. Kennedy, "A survey of data flow analysis techniques", 1981; R. Cytron et al., TOPLAS 13(4), 1991, section 7.1.
Cost      One pass over the nodes.

Random nodes stay even when nobody reads them: each draw moves its generator, and later draws must not change.
"""

from __future__ import annotations

from mlsys_core.autodiff.static.ir import Graph, rebuild


def eliminate_dead(graph: Graph) -> Graph:
    """The graph without nodes that no output, guard or random draw depends on; inputs stay."""
    live = {*graph.roots, *graph.inputs}
    for i in reversed(range(len(graph.nodes))):
        if i in live or graph.nodes[i].op.kind == "random":
            live.add(i)
            live.update(graph.nodes[i].inputs)
    return rebuild(graph, sorted(live))
