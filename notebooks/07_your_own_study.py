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
# # Make your own study
#
# From a question to a figure that a reviewer cannot wave away: replications, a sweep, a paired comparison, an interval.
#
# Our question: **does a rollup get cheaper as it gets busier, and from which load on does it beat paying on L1?**

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import l2sim
from l2sim.scenario import parse_scenario

FOLDER = Path(tempfile.mkdtemp())
scenario = parse_scenario("""
name: busier
seed: 42
phases: {onboarding_s: 1800, settling_s: 1200, leaving_s: 3600}
workload:
  users: 40
  duration_s: 300
  arrivals: {kind: poisson, rate_per_s: 1}
  amounts: {kind: lognormal, median_usd: 10, sigma: 1, max_usd: 100}
  funds: {kind: constant, usd: 1000}
l1: {ethereum: {kind: ethereum}}
systems:
  plain: {kind: onchain, l1: ethereum}
  rollup: {kind: rollup, l1: ethereum, settlement: {kind: validity, proof_s: 600}}
""")

# %% [markdown]
# ## One run is one draw
#
# Repeat it. Each replication has random numbers of its own, and can be made again alone, by its number.

# %%
replications = l2sim.replicate(scenario, 5)
interval = replications.interval("rollup", "running_cost_usd_per_payment")
print(f"{interval.mean:.6f} USD, 95 % between {interval.low:.6f} and {interval.high:.6f}, n = {interval.n}")

# %% [markdown]
# **Is five enough?** It depends on what you want to tell apart. A stopping rule goes on until the interval is narrow enough:
# `l2sim run … --until running_cost_usd_per_payment=0.05`.
#
# ## Sweep
#
# The same at several loads, in a folder that can be resumed after anything.

# %%
study = l2sim.sweep(
    scenario,
    {"workload.arrivals.rate_per_s": [0.1, 0.5, 2, 8]},
    replications=3,
    out=FOLDER / "busier",
    figures=False,
)
study

# %%
table = study.intervals()
table.slice(0, 3).to_pylist()

# %% [markdown]
# ## Pair what you compare
#
# Both systems faced the same payments and the same L1 in each replication, so take the difference within each replication
# and then its interval. **Why is that narrower than the difference of two intervals?**

# %%
comparison = l2sim.compare(scenario, replications=5, metrics=["cost_usd_per_payment", "latency_s.assured.p50"])
comparison

# %%
difference = comparison.of("cost_usd_per_payment", "plain", "rollup")
print(f"rollup − plain: {difference.change.mean:+.4f} USD a payment, 95 % {difference.change.low:+.4f} … {difference.change.high:+.4f}")

# %% [markdown]
# ## A figure for a paper
#
# Means with their intervals, units on the axes, dashes beside colours so that it reads in grey.

# %%
rates = [point["workload.arrivals.rate_per_s"] for point in study.points]
figure, axes = plt.subplots(figsize=(6, 3.5))
for system, style in (("plain", "s--"), ("rollup", "o-")):
    rows = [row for row in table.to_pylist() if row["system"] == system and row["metric"] == "running_cost_usd_per_payment"]
    mean = np.array([row["mean"] for row in rows])
    half = np.array([row["high"] - row["mean"] for row in rows])
    axes.errorbar(rates, mean, yerr=half, fmt=style, capsize=3, label=system)
axes.set(xscale="log", yscale="log", xlabel="payments a second", ylabel="running cost of a payment [USD]")
axes.legend()
figure.savefig(FOLDER / "busier.pdf")
plt.show()

# %% [markdown]
# ## Leave it so that others can repeat it
#
# The sweep's folder holds the scenario, its hash, all runs and the versions they were made with. Anybody with the same
# versions gets the same bytes.

# %%
sorted(path.name for path in (FOLDER / "busier").iterdir())
