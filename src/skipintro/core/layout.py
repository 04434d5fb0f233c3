"""Where the stages leave what others read, below the root of a checkout."""

from pathlib import Path

TRAINED = Path("models/train")
RANKED = Path("models/rank")
EVALUATED = Path("reports/evaluate")
