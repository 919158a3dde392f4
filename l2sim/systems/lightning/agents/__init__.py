"""Agents that look after routers' liquidity: rebalancing, swaps, splices, leases, fee policies."""
