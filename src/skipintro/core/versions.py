"""Which packages shaped an output."""

from importlib.metadata import version


def versions(*packages: str) -> dict[str, str]:
    """Return the installed versions of the packages that shaped an output, for its manifest."""
    return {package: version(package) for package in packages}
