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
# # The measured core
#
# Signatures and hashes are what payment systems spend their processors on. Here they are real, and fast. We sign, verify
# and hash, see what batches and vector lanes buy, and how a simulated machine's speed is kept apart from this one's.

# %%
import hashlib
import time

import matplotlib.pyplot as plt
import numpy as np

from l2sim.crypto import public_keys_batch, sha256_batch, sign_schnorr_batch, verify_schnorr_batch
from l2sim.crypto.hashing import kernel_info

rng = np.random.default_rng(1)

# %% [markdown]
# ## A signature is a promise about every bit
#
# Arrays in, arrays out: n secrets of 32 bytes, n messages, n signatures of 64 bytes.

# %%
n = 2_000
secrets = rng.integers(1, 256, (n, 32), np.uint8)
secrets[:, 0] = 1  # surely below the order of the group
messages = rng.integers(0, 256, (n, 32), np.uint8)
keys = public_keys_batch(secrets)
signatures = sign_schnorr_batch(messages, secrets)
verify_schnorr_batch(messages, signatures, keys[:, 1:]).all()

# %% [markdown]
# **Now flip one bit of each signature. How many are still valid?**

# %%
forged = signatures.copy()
forged[np.arange(n), rng.integers(0, 64, n)] ^= 1
int(verify_schnorr_batch(messages, forged, keys[:, 1:]).sum())

# %% [markdown]
# ## How fast?
#
# A rate of this machine, now. **A payment over three idle channels takes 18 signatures and 18 verifications; how many such
# payments a second could one core of a router in the middle keep up with, at the most?** (Its share is two channels' ends.)


# %%
def rate(work, count):
    """Items a second, the best of three."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return count / best


verifications = rate(lambda: verify_schnorr_batch(messages, signatures, keys[:, 1:], threads=1), n)
signings = rate(lambda: sign_schnorr_batch(messages, secrets, threads=1), n)
print(f"{verifications:,.0f} verifications and {signings:,.0f} signatures a second on one core")
print(f"{1 / (6 / signings + 6 / verifications):,.0f} payments a second through the middle of the path")

# %% [markdown]
# ## Lanes
#
# A modern processor adds sixteen pairs of numbers as fast as one pair. SHA-256 is additions and rotations, so sixteen
# *different* messages can be hashed at once, one in each lane of a vector register.

# %%
info = kernel_info()
info

# %%
sizes = (16, 64, 256, 1_024, 4_096, 16_384, 65_536)
batch_rates, loop_rates = [], []
for size in sizes:
    data = rng.integers(0, 256, (size, 64), np.uint8)
    rows = [row.tobytes() for row in data]
    batch_rates.append(rate(lambda: sha256_batch(data, threads=1), size))
    loop_rates.append(rate(lambda: [hashlib.sha256(row).digest() for row in rows], size))

assert sha256_batch(data)[0].tobytes() == hashlib.sha256(rows[0]).digest()
figure, axes = plt.subplots(figsize=(7, 3.5))
axes.plot(sizes, batch_rates, "o-", label="batch")
axes.plot(sizes, loop_rates, "s--", label="one call each (hashlib)")
axes.set(xscale="log", yscale="log", xlabel="messages of 64 bytes in a batch", ylabel="hashes a second, one core")
axes.legend()
plt.show()

# %% [markdown]
# **Why is a batch of sixteen no faster than a loop?** There is a price for each call; lanes pay when there is enough to do.
#
# ## A tree of hashes
#
# Ten thousand leaves, one root; change one leaf and the root is another.

# %%
from l2sim.crypto.trees.bitcoin_merkle import merkle_root

leaves = rng.integers(0, 256, (10_000, 32), np.uint8)
root = merkle_root(leaves)
leaves[4_321, 0] ^= 1
changed = merkle_root(leaves)
bytes(root).hex()[:16], bytes(changed).hex()[:16]

# %% [markdown]
# ## A machine that is not this one
#
# A simulation must give the same result on every machine, so simulated processors take their speeds from a *cost profile*,
# a file with nanoseconds for each operation, and never from the clock. `l2sim bench core --write-profile mine.json` makes one
# of your machine; a scenario names it as `cost_profile: mine.json`.

# %%
from dataclasses import asdict

from IPython.display import HTML

from l2sim.crypto.profiles import load_profile

reference = {name: value for name, value in asdict(load_profile("reference")).items() if name.endswith("_ns")}
HTML("<table>" + "".join(f"<tr><td>{name}</td><td>{value:,}</td></tr>" for name, value in reference.items()) + "</table>")
