"""The invented series of the demo: planned, drawn and rendered. Generated, and said to be so."""
