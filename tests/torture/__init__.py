"""Attacks on the promises of docs/reliability.md; `make torture` runs them at full size."""
