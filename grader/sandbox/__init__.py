"""Where student code runs: one interface, several walls."""
