"""Where tables for people are printed."""

from rich.console import Console


def paper() -> Console:
    """As wide as the terminal, and wide enough for tables where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=200)
