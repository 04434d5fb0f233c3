"""Finds the intro of TV episodes: from raw video and label files to a registered detector."""

import os

# Torch's worker threads by default spin while they wait for each other. Beside any other busy
# process that slows a training down many times over (benchmarks/waiting_threads.py). OpenMP reads
# this when torch is imported, so it has to stand before that.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
