"""How good the intervals are: figures, baselines, tables and pictures."""
