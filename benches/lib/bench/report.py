"""Figures as an aligned table for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable

Row = list[str]


def number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def ratio(part: float | None, whole: float | None) -> str:
    return "-" if not part or not whole else f"{part / whole:.2f}"


def print_table(title: str, header: Row, rows: list[Row], out: Callable[[str], None] = print) -> None:
    """The first column to the left, figures to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    out(f"\n{title}")
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))]
        out("  ".join(cells).rstrip())
