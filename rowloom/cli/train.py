"""``rowloom train``: from data to a network."""

from typing import Any

import click

from rowloom.cli.files import check_target, written_beside
from rowloom.cli.options import verb
from rowloom.cli.output import Output
from rowloom.model.errors import RowloomError


@verb("train")
@click.argument("recipe", required=False)
@click.option("-o", "out", metavar="M.rowloom", help="File for the network.")
@click.option("--list", "list_recipes", is_flag=True, help="List the recipes.")
@click.option("--data", metavar="DIR", help="Folder with the data set's files; else the Debian package is used.")
@click.option("--epochs", type=int, help="Passes over the data; the recipe's own number when left out.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
def command(
    recipe: str | None,
    out: str | None,
    list_recipes: bool,
    data: str | None,
    epochs: int | None,
    seed: int,
    json_file: str | None,
) -> None:
    """Train the network of RECIPE, lower it to integers and save it. Needs torch.

    \b
    Example:
      rowloom train fashion-bnn -o fashion-bnn.rowloom
    """
    import rowloom
    from rowloom.door import needs_torch

    output = Output(json_file)
    with needs_torch():
        from rowloom.model.training import recipes
    known = list(recipes())
    if list_recipes:
        for name in known:
            output.line(name)
        output.json({"recipes": known})
        return
    if recipe is None:
        raise RowloomError("RECIPE", "is missing", f"one of: {', '.join(known)}")
    if recipe not in known:
        raise RowloomError(recipe, "no such recipe", f"recipes: {', '.join(known)}")
    if out is None:
        raise RowloomError("-o", "is missing", "name the file for the network")
    if epochs is not None and epochs < 1:
        raise RowloomError("--epochs", f"must be at least 1, not {epochs}")
    target = check_target(out)
    options: dict[str, Any] = {"data": data, "epochs": epochs, "seed": seed}
    net = rowloom.train(recipe, **{name: value for name, value in options.items() if value is not None})
    with written_beside(target) as beside:
        net.save(beside)
    output.line(f"{target}: {net.name}")
    for name, value in net.about.items():
        output.line(f"{name}: {value}")
    output.json({"network": net.name, "file": out, "about": dict(net.about)})
