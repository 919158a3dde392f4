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
# # One channel
#
# Everything a channel network can do, it does with channels: a pot of money with two owners, who pay each other by
# moving the line between them. We take one channel, pay back and forth, and watch three things: how it runs dry, when,
# and what the two owners pay to come in and to go out.

# %%
import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.compute as pc

import l2sim

FOLDER = Path(tempfile.mkdtemp())
SAT = 1_000  # msat

# %% [markdown]
# A channel of 10 units of 10,000 sat, half on each side, in the form in which LND exports its graph. Fees and reserves
# are set aside for now, so that nothing but the walk of the line is left.

# %%
UNITS, UNIT_SAT = 10, 10_000


def node(name):
    return {"pub_key": name, "alias": name}


policy = {"time_lock_delta": 40, "min_htlc": "1", "fee_base_msat": "0", "fee_rate_milli_msat": "0", "disabled": False}
channel = {
    "channel_id": "1",
    "node1_pub": "02" + "a" * 64,
    "node2_pub": "02" + "b" * 64,
    "capacity": str(UNITS * UNIT_SAT),
    "node1_policy": policy | {"max_htlc_msat": str(UNITS * UNIT_SAT * SAT)},
    "node2_policy": policy | {"max_htlc_msat": str(UNITS * UNIT_SAT * SAT)},
}
graph = {"nodes": [node(channel["node1_pub"]), node(channel["node2_pub"])], "edges": [channel]}
(FOLDER / "one-channel.json").write_text(json.dumps(graph))


def scenario(forward_share=0.5, payments=10_000, seed=1):
    """Unit payments, one a second; with that probability from the first owner to the second."""
    rng = np.random.default_rng(seed)
    forward = rng.random(payments) < forward_share
    rows = ["time_s,payer,payee,amount_sat"]
    rows += [f"{i},{0 if f else 1},{1 if f else 0},{UNIT_SAT}" for i, f in enumerate(forward.tolist())]
    (FOLDER / "walk.csv").write_text("\n".join(rows))
    (FOLDER / "walk.yaml").write_text(f"""
name: one-channel
workload:
  users: 2
  arrivals: {{kind: trace, path: walk.csv}}
  funds: {{kind: constant, usd: 100}}
l1: {{bitcoin: {{kind: bitcoin, background: {{load: 0}}}}}}
systems:
  channel:
    kind: lightning
    l1: bitcoin
    topology: {{kind: snapshot, path: one-channel.json}}
    liquidity: {{kind: even}}
    users: {{kind: nodes}}
    backbone: {{renewals: 0}}
    payer: {{policy: cheapest}}
    channels: {{reserve_ppm: 0, commitment_feerate_sat_per_kw: 0, dust_limit_sat: 0}}
    latency: {{kind: constant, one_way_ms: 1}}
""")
    return l2sim.load_scenario(FOLDER / "walk.yaml"), forward


made, forward = scenario()
result = l2sim.run(made)
result

# %% [markdown]
# ## The line walks
#
# Payment by payment, from the table of results: a completed payment moves the line one unit. **Before you look at the
# next cell: with payments equally likely in both directions, and ten units, which share fails?**

# %%
payments = result.payments().sort_by("payment")
completed = pc.equal(payments["outcome"], "completed").to_numpy(zero_copy_only=False)
step = np.where(forward, -1, 1) * completed
balance = UNITS // 2 + np.cumsum(step)

figure, axes = plt.subplots(figsize=(8, 3))
axes.step(np.arange(400), balance[:400], where="post", color="black", linewidth=1)
axes.plot(np.flatnonzero(~completed[:400]), balance[:400][~completed[:400]], "x", color="tab:red", label="failed")
axes.set(xlabel="payment", ylabel="units of the first owner", ylim=(-0.5, UNITS + 0.5))
axes.legend()
plt.show()
assert balance.min() >= 0 and balance.max() <= UNITS

# %% [markdown]
# A line that walks at random over 0..C spends the same time on each of its C + 1 places, so one payment in C + 1 meets
# an empty side: the success rate is C / (C + 1), whatever the speed of payments.

# %%
print(f"expected {UNITS / (UNITS + 1):.4f}, observed {completed.mean():.4f}")

# %% [markdown]
# ## Leaning
#
# **And if six payments in ten go the same way?** The walk leans, the line clings to one end, and the busy direction
# fails much more often: like customers lost by a full waiting room (M/M/1/K).

# %%
leaning, forward = scenario(forward_share=0.6)
leant = l2sim.run(leaning)
completed_leaning = pc.equal(leant.payments().sort_by("payment")["outcome"], "completed").to_numpy(zero_copy_only=False)
print(f"success {completed_leaning.mean():.4f} (law: 0.7953)")
print(f"failing forward {1 - completed_leaning[forward].mean():.4f} (law: 0.3372)")
print(f"failing backward {1 - completed_leaning[~forward].mean():.4f} (law: 0.0058)")

# %% [markdown]
# A bigger channel buys less than one would hope: twice the money halves the failures of balanced traffic, and does
# nothing for long against a leaning one. Rebalancing, swaps and fees that lean the other way do.
#
# ## Coming in and going out
#
# A channel is opened by one L1 transaction and closed by another. Together the two owners agree on a closing transaction
# of 676 weight units (two P2WPKH outputs); without agreement one of them publishes its commitment transaction, which weighs
# more, carries an output for each HTLC in flight, and makes its owner wait. The weights are those of BOLT 3, from the
# transactions that `crypto: real` really builds.

# %%
from l2sim.systems.lightning.state import COMMITMENT_WU, HTLC_OUTPUT_WU

MUTUAL_WU, HTLC_TIMEOUT_WU, SWEEP_WU, ANCHOR_CHILD_WU = 676, 666, 486, 719  # BOLT 3; anchors
in_flight = np.arange(0, 31)
force = COMMITMENT_WU + HTLC_OUTPUT_WU * in_flight + ANCHOR_CHILD_WU + SWEEP_WU + HTLC_TIMEOUT_WU * in_flight

figure, axes = plt.subplots(figsize=(9, 3.2), layout="constrained")
for rate, dash in ((2, "-"), (20, "--"), (100, ":")):
    axes.plot(in_flight, force / 4 * rate, dash, color="tab:red", label=f"force close at {rate} sat/vB")
    axes.axhline(MUTUAL_WU / 4 * rate, linestyle=dash, color="tab:blue", label=f"mutual close at {rate} sat/vB")
axes.set(xlabel="HTLCs in flight", ylabel="on-chain fees [sat]", yscale="log")
axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# **From which fee rate on would a force close with ten HTLCs in flight cost more than this whole channel holds?**

# %%
cost_vb = (COMMITMENT_WU + 10 * HTLC_OUTPUT_WU + ANCHOR_CHILD_WU + SWEEP_WU + 10 * HTLC_TIMEOUT_WU) / 4
print(f"{UNITS * UNIT_SAT / cost_vb:.0f} sat/vB")
