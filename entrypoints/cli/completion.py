"""The shells' completions, made beforehand: to print them needs nothing else."""

from pathlib import Path

SHIPPED = Path(__file__).parent / "shipped"

FILES = {
    "bash": "bash/s3export",
    "zsh": "zsh/_s3export",
    "fish": "fish/s3export.fish",
}
"""By shell: the file, named as the shell looks for it."""


def completion_of(shell: str) -> str:
    """Return what makes a shell complete ``s3export``."""
    return (SHIPPED / FILES[shell]).read_text()
