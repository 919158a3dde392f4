"""`l2sim cloth`."""

from pathlib import Path

import click

from l2sim.cli.options import PATH, force_option


@click.command()
@click.option("--network", required=True, metavar="DIR", type=PATH, help="Folder of CLoTH's nodes, channels, edges.")
@click.option("--payments", required=True, metavar="FILE", type=PATH, help="CLoTH's payments.csv.")
@click.option("--mpp/--no-mpp", default=False, show_default=True, help="Split a payment in two that finds no route.")
@click.option("--seed", default=1992, show_default=True, type=click.IntRange(0, 2**32 - 1),
              help="CLoTH's GSL_RNG_SEED.")  # fmt: skip
@click.option("--faulty-node-probability", "fault_probability", default=0.0, show_default=True,
              type=click.FloatRange(0, 1), help="That the next node does not answer, at every hop.")  # fmt: skip
@click.option("--out", required=True, metavar="DIR", type=PATH, help="The folder to write.")
@force_option
def cloth(
    network: Path, payments: Path, mpp: bool, seed: int, fault_probability: float, out: Path, force: bool
) -> None:
    """Run CLoTH's network and payments as CLoTH does, defects included.

    Files plain, .gz or .xz. Writes payments_output.csv and cloth_output.json as CLoTH has them, and summary.json.
    """
    from l2sim.systems.lightning.cloth.output import refuse_existing, write_results
    from l2sim.systems.lightning.cloth.statistics import totals
    from l2sim.systems.lightning.cloth.tables import read_network, read_payments

    refuse_existing(out, force)
    columns, balance_msat = read_network(network)
    given = read_payments(payments, columns.node_count)

    from l2sim.systems.lightning.cloth.simulation import simulate

    results = simulate(columns, balance_msat, given, mpp=mpp, seed=seed, fault_probability=fault_probability)
    settings = {
        "network": str(network),
        "payments": str(payments),
        "mpp": mpp,
        "seed": seed,
        "faulty_node_probability": fault_probability,
    }
    write_results(results, settings, out, force=force)
    figures = totals(results)
    rate = figures["succeeded"] / figures["payments"]
    click.echo(f"{out}: {figures['payments']:,} payments, {rate:.2%} succeeded, {figures['events']:,} events")
