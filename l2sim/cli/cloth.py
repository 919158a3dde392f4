"""`l2sim cloth`."""

from pathlib import Path

import click

from l2sim.cli.options import PATH, force_option, print_note
from l2sim.systems.lightning.cloth.names import ALL, CORRECTIONS


@click.command(short_help="Run CLoTH's network and payments as CLoTH does.")
@click.option("--network", required=True, metavar="DIR", type=PATH, help="Folder of CLoTH's nodes, channels, edges.")
@click.option("--payments", metavar="FILE", type=PATH, help="CLoTH's payments.csv; without it, payments are drawn.")
@click.option("--n-payments", "count", default=1_000, show_default=True, type=click.IntRange(1, 10**7),
              help="How many are drawn, as CLoTH draws them.")  # fmt: skip
@click.option("--payment-rate", "rate_per_s", default=10.0, show_default=True, help="Drawn payments a second.",
              type=click.FloatRange(0, 10**6, min_open=True))  # fmt: skip
@click.option("--average-payment-amount", "amount_sat", default=1_000.0, show_default=True,
              type=click.FloatRange(1, 10**9), help="Of drawn payments, in sat.")  # fmt: skip
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
    network: Path, payments: Path | None, count: int, rate_per_s: float, amount_sat: float, mpp: bool, seed: int,
    fault_probability: float, corrected: tuple[str, ...], each_correction: bool, out: Path, force: bool,
) -> None:  # fmt: skip
    """Run CLoTH's network and payments as CLoTH does, defects included but for those that --correct names.

    Files plain, .gz or .xz; `l2sim topology convert --to cloth` makes networks. Writes payments_output.csv and
    cloth_output.json as CLoTH has them, and summary.json.
    """
    from l2sim.results.partial import refuse_existing
    from l2sim.systems.lightning.cloth.output import PAYMENTS_FILE, write_results
    from l2sim.systems.lightning.cloth.statistics import totals
    from l2sim.systems.lightning.cloth.tables import Payments, foreseen, read_network, read_payments

    unknown = [name for name in corrected if name not in (*CORRECTIONS, ALL)]
    if unknown:
        raise click.UsageError(f"--correct must be one of {', '.join(CORRECTIONS)} or all (got {unknown[0]})")
    names = [name for name in CORRECTIONS if name in corrected or ALL in corrected]
    refuse_existing(out, force, PAYMENTS_FILE)
    columns, balance_msat = read_network(network)
    if payments is not None:
        given = read_payments(payments, columns.node_count)
    else:
        from l2sim.systems.lightning.cloth.draws import draw_payments

        if columns.node_count < 2:
            raise click.UsageError(f"--network must have two nodes to draw payments (got {columns.node_count})")
        given = Payments(*draw_payments(seed, columns.node_count, count, amount_sat, rate_per_s))
    for sentence in foreseen(columns, given):
        print_note(f"{payments or network}: {sentence}")

    from l2sim.systems.lightning.cloth.simulation import simulate

    results = simulate(
        columns, balance_msat, given, mpp=mpp, seed=seed, fault_probability=fault_probability, corrected=names
    )
    drawn = {"n_payments": count, "payment_rate": rate_per_s, "average_payment_amount": amount_sat}
    settings = {
        "network": str(network),
        "payments": str(payments) if payments is not None else None,
        **({} if payments is not None else drawn),
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
