"""`saddle presets`: the recipes that the service knows."""

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
