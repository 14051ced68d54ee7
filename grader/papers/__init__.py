"""PDFs that students hand in: read inside a sandbox, measured and held against a style outside of it."""
