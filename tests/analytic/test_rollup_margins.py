"""What operators of each kind of rollup earn, added up by hand: fees in, L1 and proving out."""

from pathlib import Path

import pytest

from l2sim import run
from l2sim.l1.base import Purpose, Receipt
from l2sim.scenario import parse_scenario
from l2sim.systems.rollup.l1_account import L1Account, Waiting
from l2sim.systems.rollup.presets import PRESETS

USERS, ETH_USD = 6, 2_500.0
SCENARIO = """
name: margins
workload: {users: USERS, funds: {kind: constant, usd: 500}, arrivals: {kind: trace, path: "PATH"}}
phases: {onboarding_s: 7200, leaving_s: 1728000}
prices: {eth_usd: ETH_USD}
l1: {eth: {kind: ethereum}}
systems:
  one: {kind: rollup, l1: eth, preset: PRESET, batcher: {max_interval_s: 900}}
"""


def two_bursts(folder: Path) -> Path:
    """Payments in the first minute, nothing for two hours, and some at the end: the last post comes after them."""
    rows = [f"{second * 10**9},{k % USERS},{(k + 1) % USERS},2000000"
            for k, second in enumerate([*range(0, 60, 3), *range(10_700, 10_790, 6)])]  # fmt: skip
    path = folder / "bursts.csv"
    path.write_text("\n".join(["time_ns,payer,payee,amount_msat", *rows]) + "\n")
    return path


@pytest.mark.parametrize("name", ["op-mainnet", "arbitrum-one", "zksync-era", "starknet", "starkex-validium"])
def test_margin_and_breakeven_are_what_receipts_and_fees_add_up_to(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid_wei: dict[Purpose, list[int]] = {purpose: [] for purpose in Purpose}
    late: list[bool] = []
    included = L1Account._included

    def listen(account: L1Account, waiting: Waiting, receipt: Receipt) -> None:
        paid_wei[waiting.purpose].append(receipt.fee)
        late.append(waiting.purpose is Purpose.OPERATE and receipt.time_ns > (7_200 + 10_800) * 10**9)
        included(account, waiting, receipt)

    monkeypatch.setattr(L1Account, "_included", listen)
    text = SCENARIO.replace("PRESET", name).replace("PATH", str(two_bursts(tmp_path)))
    result = run(parse_scenario(text.replace("USERS", str(USERS)).replace("ETH_USD", str(ETH_USD))))
    summary = result.summary["one"]
    fees_wei = result.table("payments").column("fee").to_pylist()
    batches = result.table("batches").to_pydict()
    assert summary["completed"] == len(fees_wei) == 35
    assert any(late), "a post or a proof must come after the payments"
    usd = ETH_USD / 1e18
    l1_usd = sum(paid_wei[Purpose.OPERATE]) * usd
    proving_usd = 0.0
    settlement = PRESETS[name].values["settlement"]
    if settlement["kind"] != "optimistic":
        proving_usd = len(batches["payments"]) * settlement.get("proof_usd", 0.0)
        proving_usd += sum(batches["payments"]) * settlement["proof_usd_per_transaction"]
    cost = summary["cost_usd"]
    assert cost["service"] == pytest.approx(sum(fees_wei) * usd)
    assert cost["operators_l1"] == pytest.approx(l1_usd)
    assert cost["operators_other"] == pytest.approx(proving_usd)
    # Of what leaving cost, the operators' part is the fee of each withdrawal on L2.
    users_l1_wei = sum(paid_wei[Purpose.ONBOARD]) + sum(paid_wei[Purpose.EXIT])
    exits_usd = (summary["audit"]["fees"] - sum(fees_wei) - users_l1_wei) * usd
    assert exits_usd > 0
    assert cost["onboarding"] + cost["leaving"] == pytest.approx(exits_usd + users_l1_wei * usd)
    assert cost["operators_margin"] == pytest.approx(cost["service"] + exits_usd - l1_usd - proving_usd)
    breakeven_usd = max(0.0, l1_usd + proving_usd - exits_usd) / 35
    assert summary["breakeven_fee_usd"] == pytest.approx(breakeven_usd)
    # Idle hours post nothing: no batch was opened between the bursts.
    starts_s = [time_ns / 1e9 - 7_200 for time_ns in batches["opened_ns"]]
    assert not [start for start in starts_s if 200 < start < 10_600]
