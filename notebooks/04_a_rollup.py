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
# # A rollup
#
# A rollup lets one machine, the sequencer, execute payments, and posts what it did to L1 in batches: all data for
# everybody to check. What a payment costs is then, above all, its share of a batch. We look at batches: their bytes, their
# blobs, their fees, and what makes them final.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import l2sim

ROOT = Path.cwd() if (Path.cwd() / "scenarios").exists() else Path.cwd().parent


def rollup(rate_per_s=5.0, duration_s=600, settlement="optimistic", **batcher):
    """One rollup alone on an Ethereum-like L1."""
    settings = ", ".join(f"{key}: {value}" for key, value in batcher.items())
    text = f"""
name: one-rollup
phases: {{onboarding_s: 3600, settling_s: 7200, leaving_s: 777600}}
workload:
  users: 100
  duration_s: {duration_s}
  arrivals: {{kind: poisson, rate_per_s: {rate_per_s}}}
  amounts: {{kind: lognormal, median_usd: 10, sigma: 1, max_usd: 100}}
  funds: {{kind: constant, usd: 1000}}
l1: {{ethereum: {{kind: ethereum}}}}
systems:
  rollup:
    kind: rollup
    l1: ethereum
    settlement: {{kind: {settlement}}}
    batcher: {{{settings}}}
"""
    from l2sim.scenario import parse_scenario

    return parse_scenario(text)


result = l2sim.run(rollup())
result

# %% [markdown]
# ## What is in a batch?
#
# Each row is one batch. Real bytes, really compressed.

# %%
batches = result.batches()
batches.select(["batch", "payments", "raw_bytes", "compressed_bytes", "medium", "blobs", "gas"]).to_pylist()[:4]

# %%
raw, compressed = batches["raw_bytes"].to_numpy().sum(), batches["compressed_bytes"].to_numpy().sum()
count = batches["payments"].to_numpy().sum()
print(f"{raw / count:.0f} bytes a transfer, {compressed / count:.0f} compressed")

# %% [markdown]
# A signed transfer takes some 116 bytes, of which 64 are its signature: as random as anything, so no compression helps.
# **How full is the blob that such a batch travels in? A blob holds 131,072 bytes and is paid for whole.**

# %%
fill = batches["compressed_bytes"].to_numpy() / (batches["blobs"].to_numpy() * 130_044)
print(f"blobs are {fill.mean():.0%} full on average")

# %% [markdown]
# ## Waiting fills blobs
#
# A batcher that waits longer posts fewer, fuller blobs: cheaper a payment, but slower to L1. **What do you expect: does
# doubling the wait halve the cost?**

# %%
waits_s = (30, 60, 120, 300, 600, 1200)
costs, included = [], []
for wait_s in waits_s:
    summary = l2sim.run(rollup(max_interval_s=wait_s, duration_s=1200)).summary["rollup"]
    costs.append(summary["cost_usd"]["operators_l1"] / summary["completed"])
    included.append(summary["latency_s"]["included"]["p50"])

figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
axes.plot(included, 1e6 * np.array(costs), "o-", color="tab:purple")
for wait_s, x, y in zip(waits_s, included, costs):
    axes.annotate(f"wait {wait_s} s", (x, 1e6 * y), textcoords="offset points", xytext=(6, 6))
axes.set(xlabel="median time until on L1 [s]", ylabel="operator's L1 cost\n[millionths of a USD a payment]", ylim=(0, 1.12e6 * max(costs)))
axes.set_xlim(0, 1.2 * max(included))
plt.show()

# %% [markdown]
# At first nearly so: each batch has a cost of its own (its transaction, its started blob), shared by what is in it. Once
# blobs are full, waiting buys nothing more.
#
# ## Proof against challenge window
#
# An optimistic rollup's state stands unless somebody proves it wrong within a week. A validity rollup's state stands once
# a proof is verified: an hour or so, but proving and verifying cost. **Which costs more at five payments a second?**

# %%
rows = []
for settlement in ("optimistic", "validity"):
    summary = l2sim.run(rollup(settlement=settlement)).summary["rollup"]
    cost, completed = summary["cost_usd"], summary["completed"]
    rows.append((settlement, summary["latency_s"]["final"]["p50"], cost["operators_l1"] / completed, cost["operators_other"] / completed))
for settlement, final_s, l1_usd, proving_usd in rows:
    print(f"{settlement:10}  final after {final_s / 3600:7.1f} h   L1 ${l1_usd:.5f}   proving ${proving_usd:.5f} a payment")

# %% [markdown]
# ## Your turn
#
# **What would the rollup cost if L1 were as it was before blobs?** Post everything as calldata and look.

# %%
blob = l2sim.run(rollup(medium="blob")).summary["rollup"]["cost_usd"]["operators_l1"]
calldata = l2sim.run(rollup(medium="calldata")).summary["rollup"]["cost_usd"]["operators_l1"]
print(f"calldata costs {calldata / blob:.0f} times as much")
