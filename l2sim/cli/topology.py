"""`l2sim topology describe`, `draw`, `generate` and `convert`."""

from pathlib import Path

import click

from l2sim.cli.options import PATH, force_option, refuse_existing_file

READ_FORMATS = click.Choice(["auto", "lnd", "cln", "cloth", "sim-ln"])
WRITE_FORMATS = click.Choice(["lnd", "cln", "cloth"])


@click.group()
def topology() -> None:
    """Look at channel networks, make them, convert them.

    Forms: lnd (lncli describegraph), cln (lightning-cli listchannels), cloth (a folder with CLoTH's tables),
    and to read only sim-ln (its sim_network); files plain, .gz or .xz.
    """


@topology.command()
@click.argument("file", type=PATH)
@click.option("--format", "form", type=READ_FORMATS, default="auto", show_default=True, help="The form of FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--figure", metavar="IMAGE", type=PATH, help="Also draw degrees, capacities and fees into an SVG, PNG or PDF."
)
@force_option
def describe(file: Path, form: str, as_json: bool, figure: Path | None, force: bool) -> None:
    """Say what a network is like: nodes, channels, capacity, fees, degrees."""
    if figure is not None:
        _check_image(figure, "--figure", force)
    from l2sim.systems.lightning.topology import describe as describe_graph
    from l2sim.systems.lightning.topology import load_graph

    graph = load_graph(file, form)
    description = describe_graph(graph)
    if as_json:
        import json

        click.echo(json.dumps(description.to_dict(), indent=2, allow_nan=False))
    else:
        click.echo(str(description))
    if figure is not None:
        from l2sim.systems.lightning.topology import describe_figure

        describe_figure(graph).savefig(figure)


@topology.command()
@click.argument("file", type=PATH)
@click.argument("image", type=PATH)
@click.option("--format", "form", type=READ_FORMATS, default="auto", show_default=True, help="The form of FILE.")
@click.option("--balances", type=click.Choice(["from_file", "even", "uniform", "bimodal"]),
              help="Where the money lies; from_file where FILE says it, else not drawn.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of the places and the balances.")
@force_option
def draw(file: Path, image: Path, form: str, balances: str | None, seed: int, force: bool) -> None:
    """Draw a small network into an SVG, PNG or PDF: channels as wide as their capacity, split by balance."""
    _check_image(image, "IMAGE", force)
    from pydantic import TypeAdapter

    from l2sim.engine import Streams
    from l2sim.systems.lightning.liquidity import draw_balances
    from l2sim.systems.lightning.topology import draw_figure, load_graph
    from l2sim.systems.lightning.topology.config import LiquidityConfig

    graph = load_graph(file, form)
    balance_msat = None
    if balances is not None:
        config = TypeAdapter(LiquidityConfig).validate_python({"kind": balances})
        balance_msat = draw_balances(graph, config, Streams(seed=seed).get("balances"))
    draw_figure(graph, balance_msat, seed).savefig(image)
    click.echo(f"{image}: {graph.node_count:,} nodes, {graph.channel_count:,} channels")


def _check_image(image: Path, name: str, force: bool) -> None:
    if image.suffix not in (".svg", ".png", ".pdf"):
        raise click.UsageError(f"{name} must end in .svg, .png or .pdf (got {image.name})")
    refuse_existing_file(image, force)


@topology.command()
@click.argument("out", type=PATH)
@click.option("--nodes", default=200, show_default=True, type=click.IntRange(2, 100_000), help="Number of nodes.")
@click.option("--channels-per-node", type=click.FloatRange(1, 100), help="Channels for each node, on average.")
@click.option("--capacity-scale", default=1.0, show_default=True, type=click.FloatRange(0, 1000, min_open=True),
              help="Factor on every channel's capacity.")  # fmt: skip
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Root of all random numbers.")
@click.option("--format", "form", type=WRITE_FORMATS, default="lnd", show_default=True, help="The form of OUT.")
@force_option
def generate(
    out: Path, nodes: int, channels_per_node: float | None, capacity_scale: float, seed: int, form: str, force: bool
) -> None:
    """Make a network like mainnet's of February 2026 and write it to OUT."""
    refuse_existing_file(out, force)
    from l2sim.systems.lightning.topology import GeneratedTopology, save_graph
    from l2sim.systems.lightning.topology import generate as generate_graph

    try:
        config = GeneratedTopology(nodes=nodes, channels_per_node=channels_per_node, capacity_scale=capacity_scale)
    except ValueError as error:  # pydantic's, whose first line says only how many there are
        raise click.UsageError(str(error).splitlines()[2].strip().removeprefix("Value error, ")) from error
    graph = generate_graph(config, seed)
    save_graph(graph, out, form)
    click.echo(f"{out}: {graph.node_count:,} nodes, {graph.channel_count:,} channels")


@topology.command()
@click.argument("file", type=PATH)
@click.argument("out", type=PATH)
@click.option("--from", "source", type=READ_FORMATS, default="auto", show_default=True, help="The form of FILE.")
@click.option("--to", "target", type=WRITE_FORMATS, required=True, help="The form of OUT.")
@click.option("--largest-component", is_flag=True,
              help="Keep only the largest part connected by channels enabled both ways.")  # fmt: skip
@force_option
def convert(file: Path, out: Path, source: str, target: str, largest_component: bool, force: bool) -> None:
    """Read the network in FILE and write it to OUT in another form."""
    refuse_existing_file(out, force)
    from l2sim.systems.lightning.topology import load_graph, save_graph

    graph = load_graph(file, source)
    if largest_component:
        graph = graph.largest_component()
    save_graph(graph, out, target)
    click.echo(f"{out}: {graph.node_count:,} nodes, {graph.channel_count:,} channels")
