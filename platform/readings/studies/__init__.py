"""Published tables of the papers, computed again, with knobs: `mlsys_core.papers` as pages."""
