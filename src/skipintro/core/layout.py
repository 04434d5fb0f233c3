"""Where the stages leave what others read, below the root of a checkout, and the head's files."""

from pathlib import Path

ANNOTATIONS = Path("data/annotate/annotations.json")
EMBEDDED = Path("data/embed")
FINGERPRINTED = Path("data/fingerprint")
TRAINED = Path("models/train")
FITTED = Path("models/fit")
EVALUATED = Path("reports/evaluate")

HEAD_CONFIG, HEAD_WEIGHTS = "config.json", "model.safetensors"
