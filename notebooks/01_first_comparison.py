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
# # A first comparison
#
# The same payments, sent through plain L1, a channel network and two rollups. We load the quickstart scenario,
# make it a little smaller so that it runs in seconds, look at the result, and then ask it a question of our own.

# %%
from pathlib import Path

import l2sim

ROOT = Path.cwd() if (Path.cwd() / "scenarios").exists() else Path.cwd().parent
scenario = l2sim.load_scenario(
    ROOT / "scenarios" / "quickstart.yaml",
    overrides=["workload.duration_s=300"],
)
scenario.workload.users, scenario.workload.duration_s, list(scenario.systems)

# %% [markdown]
# `run` draws the workload once and sends it through every system, each on an L1 of its own with the same background
# demand. The result shows itself as the comparison table.

# %%
result = l2sim.run(scenario)
result

# %% [markdown]
# ## Who is cheapest?
#
# Coming in (opening a channel, depositing) and going out (closing, withdrawing) are L1 transactions. They are paid
# once and shared by all payments a user makes in between. **Before you look: from how many payments a user on would
# you expect a channel to beat paying on L1 directly?**

# %%
result.plot.cost()

# %%
{name: cost for name, cost in result.cost_at(payments_per_user=100).items()}

# %% [markdown]
# The crosses are the crossing points; a dot is what this very run measured, at its own number of payments a user.
#
# ## How fast, and when is it final?
#
# *Assured* is when the payee may hand over the goods. *Final* is when nobody can take the money back any more, L1's
# courts included. **Which system has the widest gap between the two, and why?**

# %%
result.plot.latency()

# %%
{
    name: (summary["latency_s"]["assured"]["p50"], summary["latency_s"]["final"]["p50"])
    for name, summary in result.summary.items()
}

# %% [markdown]
# ## Payment by payment
#
# `payments()` is an Arrow table with one row a payment and system; every payment has the same number in every system,
# so differences are paired. How much faster than plain Bitcoin was the very same payment through a channel?

# %%
import numpy as np
import pyarrow.compute as pc

payments = result.payments()


def assured_after_s(system):
    rows = payments.filter(pc.equal(payments["system"], system))
    return (rows["assured_ns"].to_numpy(zero_copy_only=False) - rows["submitted_ns"].to_numpy()) / 1e9


saved_s = assured_after_s("bitcoin") - assured_after_s("lightning")
print(f"median time saved: {np.nanmedian(saved_s) / 60:.1f} minutes")

# %% [markdown]
# ## Your turn
#
# Any key of the scenario can be changed when it is loaded. **What becomes of the channel network if every user pays ten
# times as much?** Funds stay the same, so more payments should fail: for want of what?

# %%
dearer = l2sim.load_scenario(
    ROOT / "scenarios" / "quickstart.yaml",
    overrides=["workload.duration_s=300", "workload.amounts.median_usd=120", "workload.amounts.max_usd=2000"],
)
larger = l2sim.run(dearer, systems=["lightning"])
{
    "success before": result.summary["lightning"]["success_rate"],
    "success after": larger.summary["lightning"]["success_rate"],
    "why payments failed": larger.summary["lightning"]["failures"],
}
