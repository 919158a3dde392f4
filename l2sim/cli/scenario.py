"""`l2sim validate`, `l2sim schema` and `l2sim new`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from l2sim.cli.options import PATH, force_option, print_note, refuse_existing_file, set_option

if TYPE_CHECKING:
    from l2sim.scenario import Scenario


@click.command()
@click.argument("scenarios", metavar="SCENARIO...", nargs=-1, required=True, type=PATH)
@set_option
def validate(scenarios: tuple[Path, ...], overrides: tuple[str, ...]) -> None:
    """Check scenario files; say what would run, and what must fail.

    Every problem is reported at once, as path:line:column key: rule (got value).
    """
    from l2sim.errors import Problem, ScenarioError
    from l2sim.experiment.run import foreseen
    from l2sim.scenario import load_scenario

    problems: list[Problem] = []
    for path in scenarios:
        try:
            scenario = load_scenario(path, overrides)
        except ScenarioError as error:
            problems.extend(error.problems)
        else:
            _check_files(scenario)
            sentences = foreseen(scenario)
            click.echo(f"{path}: ok\n{_describe(scenario)}")
            for sentence in sentences:
                print_note(sentence)
    if problems:
        raise ScenarioError(tuple(problems))


def _check_files(scenario: "Scenario") -> None:
    """Read the files that the scenario names, as a run would; their errors are InputErrors with a place."""
    from l2sim.workload.config import TraceArrivals

    if isinstance(scenario.workload.arrivals, TraceArrivals):
        from l2sim.workload.trace import read_trace

        read_trace(scenario.workload.arrivals.path, scenario.workload.users, scenario.prices.prices())
    for chain in scenario.l1.values():
        if chain.kind == "ethereum" and chain.background.trace_path is not None:
            from l2sim.l1.ethereum.trace import read_demand

            read_demand(chain.background.trace_path)
    for system in scenario.systems.values():
        if system.kind == "lightning" and system.topology.kind == "snapshot":
            from l2sim.systems.lightning.topology import load_graph

            load_graph(system.topology.path, system.topology.format)


def _describe(scenario: "Scenario") -> str:
    workload = scenario.workload
    arrivals = workload.arrivals
    if arrivals.kind == "trace":
        payments = f"payments of {arrivals.path}"
    elif workload.payments is not None:
        payments = f"{workload.payments:,} payments"
    else:
        payments = f"about {(workload.duration_s or 0) * arrivals.rate_per_s:,.0f} payments"
    if workload.amounts is not None:
        from l2sim.money import Asset

        prices = scenario.prices.prices()
        mean_msat = round(workload.amounts.distribution(prices).mean)
        payments += f" of {prices.to_usd(Asset.BTC, mean_msat):,.4g} USD on average"
    lines = [f"  {scenario.name}: {payments} among {workload.users:,} users, crypto {scenario.crypto}"]
    lines += [f"  {name}: {system.kind} on {system.l1}" for name, system in scenario.systems.items()]
    return "\n".join(lines)


@click.command()
def schema() -> None:
    """Print the JSON Schema of scenario files.

    It names every key with its unit, default and bounds; editors use it to complete and to check.
    """
    import json

    from l2sim.scenario import scenario_schema

    click.echo(json.dumps(scenario_schema(), indent=2, ensure_ascii=False))


@click.command()
@click.argument("name")
@click.option("--template", default="comparison", show_default=True, help="What to start from; --list shows all.")
@click.option("--list", "list_templates", is_flag=True, is_eager=True, expose_value=False,
              callback=lambda context, _, wanted: _list_templates(context) if wanted else None,
              help="List the templates and exit.")  # fmt: skip
@force_option
def new(name: str, template: str, force: bool) -> None:
    """Write a commented scenario file NAME.yaml to start from."""
    from l2sim.scenario import template_text

    name = name.removesuffix(".yaml")
    text = template_text(template, name)
    path = Path(f"{name}.yaml")
    refuse_existing_file(path, force)
    path.write_text(text, encoding="utf-8")
    click.echo(f"{path} written; run it with: l2sim run {path}")


def _list_templates(context: click.Context) -> None:
    from l2sim.scenario import template_names

    click.echo("\n".join(template_names()))
    context.exit()
