"""Packages of other people, as they stand in a folder on the path of Python once they are installed."""

from pathlib import Path


def register(folder: Path, package: str, group: str, **entries: str) -> None:
    """Install a distribution with these entry points of a group, name=module:object each; the modules are not made."""
    about = folder / f"{package}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"[{group}]", *(f"{name} = {place}" for name, place in entries.items()), ""]
    (about / "entry_points.txt").write_text("\n".join(lines))
