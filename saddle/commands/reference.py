"""`saddle presets` and `figures`: the recipes that the service knows, and what its numbers mean."""

from rich.table import Table
from rich.text import Text

from saddle import lines
from saddle.commands import terminal


def presets(as_json: terminal.Json = False) -> None:
    """List the recipes."""
    with terminal.service() as client:
        known = client.presets()
    if as_json:
        terminal.print_json_list(known)
        return
    for preset in known:
        print(f"{preset.name}\n    {preset.purpose}")


def figures(as_json: terminal.Json = False) -> None:
    """List the numbers of a run: what each means and which direction is better."""
    with terminal.service() as client:
        known = client.figures()
    if as_json:
        terminal.print_json_list(known)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "title", "unit", "better", "metric"):
        table.add_column(heading, no_wrap=True)
    table.add_column("about")
    for figure in known:
        optional = (cell or lines.UNKNOWN for cell in (figure.unit, figure.better, figure.metric))
        table.add_row(*(Text(cell) for cell in (figure.name, figure.title, *optional, figure.about)))
    terminal.console().print(table)
