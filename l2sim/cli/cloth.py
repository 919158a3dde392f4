"""`l2sim cloth`."""

from pathlib import Path

import click

from l2sim.cli.options import PATH, force_option
from l2sim.systems.lightning.cloth.names import ALL, CORRECTIONS


@click.command(short_help="Run CLoTH's network and payments as CLoTH does.")
@click.option("--network", required=True, metavar="DIR", type=PATH, help="Folder of CLoTH's nodes, channels, edges.")
@click.option("--payments", required=True, metavar="FILE", type=PATH, help="CLoTH's payments.csv.")
@click.option("--mpp/--no-mpp", default=False, show_default=True, help="Split a payment in two that finds no route.")
@click.option("--seed", default=1992, show_default=True, type=click.IntRange(0, 2**32 - 1),
              help="CLoTH's GSL_RNG_SEED.")  # fmt: skip
@click.option("--faulty-node-probability", "fault_probability", default=0.0, show_default=True,
              type=click.FloatRange(0, 1), help="That the next node does not answer, at every hop.")  # fmt: skip
@click.option("--correct", "corrected", multiple=True, metavar="NAME",
              help=f"Put a defect right: {', '.join(CORRECTIONS)}, or all. As often as needed.")  # fmt: skip
@click.option("--each-correction", is_flag=True,
              help="Also run with each correction alone and with all: corrections.csv, .svg, .png.")  # fmt: skip
@click.option("--out", required=True, metavar="DIR", type=PATH, help="The folder to write.")
@force_option
def cloth(
    network: Path, payments: Path, mpp: bool, seed: int, fault_probability: float, corrected: tuple[str, ...],
    each_correction: bool, out: Path, force: bool,
) -> None:  # fmt: skip
    """Run CLoTH's network and payments as CLoTH does, defects included but for those that --correct names.

    Files plain, .gz or .xz. Writes payments_output.csv and cloth_output.json as CLoTH has them, and summary.json.
    """
    from l2sim.systems.lightning.cloth.output import refuse_existing, write_results
    from l2sim.systems.lightning.cloth.statistics import totals
    from l2sim.systems.lightning.cloth.tables import foreseen, read_network, read_payments

    unknown = [name for name in corrected if name not in (*CORRECTIONS, ALL)]
    if unknown:
        raise click.UsageError(f"--correct must be one of {', '.join(CORRECTIONS)} or all (got {unknown[0]})")
    names = [name for name in CORRECTIONS if name in corrected or ALL in corrected]
    refuse_existing(out, force)
    columns, balance_msat = read_network(network)
    given = read_payments(payments, columns.node_count)
    for sentence in foreseen(columns, given):
        click.echo(f"note: {payments}: {sentence}", err=True)

    from l2sim.systems.lightning.cloth.simulation import simulate

    results = simulate(
        columns, balance_msat, given, mpp=mpp, seed=seed, fault_probability=fault_probability, corrected=names
    )
    settings = {
        "network": str(network),
        "payments": str(payments),
        "mpp": mpp,
        "seed": seed,
        "faulty_node_probability": fault_probability,
        "corrected": names,
    }
    write_results(results, settings, out, force=force)
    if each_correction:
        from l2sim.systems.lightning.cloth.effects import effect_figure, effect_lines, effects

        rows = list(effects(columns, balance_msat, given, mpp=mpp, seed=seed, fault_probability=fault_probability))
        (out / "corrections.csv").write_text("\n".join(effect_lines(rows)) + "\n", encoding="utf-8")
        for suffix in ("svg", "png"):
            effect_figure(rows).savefig(out / f"corrections.{suffix}", dpi=120)
    figures = totals(results)
    rate = figures["succeeded"] / figures["payments"]
    click.echo(f"{out}: {figures['payments']:,} payments, {rate:.2%} succeeded, {figures['events']:,} events")
