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
# # A network
#
# A payment through a network of channels has to find a way, and the payer sees only half of what matters: how large
# channels are and what they cost, never where their money lies. We look at routes and probabilities, at why payments fail,
# and at what dividing a payment buys.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pyarrow.compute as pc

import l2sim
from l2sim.scenario import parse_scenario


def network(payer="{policy: lnd}", median_usd=20, seed=1, users=40, payments=300):
    """A generated network of 120 routers; users attached to it pay each other."""
    return parse_scenario(f"""
name: a-network
seed: {seed}
phases: {{onboarding_s: 10800, settling_s: 600, leaving_s: 86400}}
workload:
  users: {users}
  payments: {payments}
  arrivals: {{kind: poisson, rate_per_s: 1}}
  amounts: {{kind: lognormal, median_usd: {median_usd}, sigma: 1, max_usd: {10 * median_usd}}}
  funds: {{kind: constant, usd: {100 * median_usd}}}
l1: {{bitcoin: {{kind: bitcoin}}}}
systems:
  lightning:
    kind: lightning
    l1: bitcoin
    topology: {{kind: generated, nodes: 120, capacity_scale: 0.04}}
    liquidity: {{kind: uniform}}
    users: {{kind: attached, channels: 2}}
    payer: {payer}
""")


result = l2sim.run(network())
result

# %% [markdown]
# ## How far is it?
#
# Most payments find a route of a few channels. **Why not fewer? And what does each more cost?**

# %%
payments = result.payments()
completed = payments.filter(pc.equal(payments["outcome"], "completed"))
hops = completed["hops"].to_numpy()
fee_ppm = completed["fee"].to_numpy() / completed["amount_msat"].to_numpy() * 1e6

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.hist(hops, bins=np.arange(0.5, hops.max() + 1.5), color="tab:blue", edgecolor="white")
left.set(xlabel="channels of the route", ylabel="payments", xticks=np.unique(hops))
right.boxplot([fee_ppm[hops == n] for n in np.unique(hops)], tick_labels=[str(n) for n in np.unique(hops)])
right.set(xlabel="channels of the route", ylabel="fee [millionths of the amount]", yscale="symlog")
plt.show()

# %% [markdown]
# ## Does it fit?
#
# If nothing is known of a channel of capacity c, and money is equally likely anywhere in it, an amount a fits with
# probability (c + 1 - a) / (c + 1), and a route with the product over its channels. **What success rate do you expect for
# payments a hundred times as large?**

# %%
amounts_usd = (5, 20, 80, 320, 640)
rates, reasons = [], {}
for amount in amounts_usd:
    summary = l2sim.run(network(median_usd=amount)).summary["lightning"]
    rates.append(summary["success_rate"])
    reasons[amount] = summary["failures"]

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.plot(amounts_usd, 100 * np.array(rates), "o-", color="tab:blue")
axes.set(xlabel="median payment [USD]", ylabel="payments completed [%]", xscale="log", ylim=(0, 102))
plt.show()

# %% [markdown]
# ## Why payments fail
#
# Every failed payment has a reason from a closed list. **Which one grows with the amount: that no channel is large enough, or
# that money lies on the wrong side?**

# %%
reasons

# %% [markdown]
# ## Payers differ
#
# Implementations weigh fees against reliability in ways of their own. Each is here with its own cost function and defaults,
# on the same network and the same payments.

# %%
policies = ("lnd", "cln", "ldk", "cheapest", "uniform")
rows = {policy: l2sim.run(network(f"{{policy: {policy}}}", median_usd=320)).summary["lightning"] for policy in policies}
for policy, summary in rows.items():
    print(
        f"{policy:9} completed {summary['success_rate']:6.1%}   routes tried {summary['attempts']['mean']:.2f}   "
        f"mean fee ${summary['fee_usd']['mean']:.3f}"
    )

# %% [markdown]
# **Who pays least, who succeeds most, and is it the same?**
#
# ## Divide and pay
#
# A payment that fits through no single route may fit through several. All its parts share one hash, and the payee takes
# all of them or none. What does it buy, and what does it cost in attempts?

# %%
divided = {parts: l2sim.run(network(f"{{policy: lnd, multipath: {{parts: {parts}}}}}", median_usd=640)).summary["lightning"] for parts in (1, 4, 16)}
for parts, summary in divided.items():
    print(f"at most {parts:2} parts: completed {summary['success_rate']:6.1%}, routes tried {summary['attempts']['mean']:.2f}")

# %% [markdown]
# ## Your turn
#
# **Which would help the largest payments more: twice the channels for each user, or twice the capacity everywhere?** Change
# `channels` or `capacity_scale` above and look.
