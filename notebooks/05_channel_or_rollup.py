# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Channel or rollup?
#
# The question this simulator was made for. There is no single answer; there is a surface. We compute it over three axes
# that matter: how large payments are, how busy the system is, and how many payments a user makes between coming in and
# going out.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import l2sim
from l2sim.results.metrics import amortised_cost

ROOT = Path.cwd() if (Path.cwd() / "scenarios").exists() else Path.cwd().parent

AMOUNTS_USD = (0.1, 0.5, 2, 8, 32, 128)
LOADS_PER_S = (0.004, 0.02, 0.1, 0.5)
SYSTEMS = ["lightning", "optimistic"]


def at(median_usd, rate_per_s, seed=1):
    """The quickstart's channel network and rollup with such payments, and funds to match."""
    scenario = l2sim.load_scenario(
        ROOT / "scenarios" / "quickstart.yaml",
        overrides=[
            f"seed={seed}",
            "workload.duration_s=null",
            "workload.payments=150",
            f"workload.arrivals.rate_per_s={rate_per_s}",
            f"workload.amounts.median_usd={median_usd}",
            f"workload.amounts.max_usd={20 * median_usd}",
            f"workload.funds={{kind: constant, usd: {max(200, 60 * median_usd)}}}",
        ],
    )
    return l2sim.run(scenario, systems=SYSTEMS)


results = {(load, amount): at(amount, load) for load in LOADS_PER_S for amount in AMOUNTS_USD}
results[0.5, 8]

# %% [markdown]
# Each run tells two figures a system: what coming in and going out cost a user (*fixed*), and what a payment costs besides
# (*running*). Everything else is arithmetic. **Which figure of which system grows with the amount, and which falls with
# the load? Guess before you run this.**


# %%
def parts(load, amount, system):
    """Fixed cost a user and running cost a payment, US dollars."""
    summary = results[load, amount].summary[system]
    return summary["fixed_cost_usd_per_user"], summary["running_cost_usd_per_payment"]


for load, amount in ((0.5, 0.5), (0.5, 128), (0.02, 8), (0.004, 8)):
    words = "   ".join("{}: {:.3f} + {:.5f} a payment".format(name, *parts(load, amount, name)) for name in SYSTEMS)
    print(f"{load:>4} a second of ${amount:<5} {words}")

# %% [markdown]
# A router asks for a share of what it forwards, so channels get dearer with the amount. A rollup posts its batches whether
# they are full or not, so it gets cheaper with the load. That is the whole story of the map below.
#
# ## The map

# %%
amounts, loads = np.array(AMOUNTS_USD), np.array(LOADS_PER_S)


def advantage(payments_per_user):
    """log10 of the channel's cost of a payment over the rollup's, by load and amount."""
    cost = {
        name: np.array([[amortised_cost(*parts(load, amount, name), payments_per_user) for amount in amounts] for load in loads])
        for name in SYSTEMS
    }
    return np.log10(cost["lightning"] / cost["optimistic"])


figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
for axes, payments_per_user in zip(panels, (30, 300, 30_000)):
    values = advantage(payments_per_user)
    mesh = axes.contourf(amounts, loads, values, cmap="PuOr", levels=np.linspace(-2, 2, 17), extend="both")
    if values.min() < 0 < values.max():
        axes.contour(amounts, loads, values, levels=[0], colors="black", linewidths=2)
    axes.set(xscale="log", yscale="log", xlabel="median payment [USD]", title=f"{payments_per_user:,} payments a user")
panels[0].set_ylabel("payments a second")
bar = figure.colorbar(mesh, label="cost of a payment,\nchannel over rollup")
bar.set_ticks([-2, -1, 0, 1, 2], labels=["0.01", "0.1", "1", "10", "100"])
plt.show()

# %% [markdown]
# Orange: the channel is cheaper. Purple: the rollup is. The black line is the break-even. **Where does your own use lie?
# And where would it lie if you paid ten times as often?**
#
# ## How sure is it?
#
# One run is one draw. Let us repeat one point of the map and look at the spread.

# %%
repeated = [at(8, 0.5, seed=seed).summary for seed in (1, 2, 3)]
for name in SYSTEMS:
    values = np.array([summary[name]["fixed_cost_usd_per_user"] for summary in repeated])
    print(f"{name}: fixed {values.mean():.3f} USD a user, deviation {values.std(ddof=1):.3f}")

# %% [markdown]
# Notebook 7 shows how to do that with intervals. And remember what the map leaves out: a channel's money is locked, a
# payee must have a channel too, and an optimistic rollup pays out after a week.

# %%
{name: round(results[0.5, 8].summary[name]["capital_locked_usd"]) for name in SYSTEMS}
