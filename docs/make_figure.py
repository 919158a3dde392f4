"""Make the figures of the README and of the guides: run their scenarios and keep a figure of each beside this file."""

from pathlib import Path

import l2sim
from l2sim.report.style import png

ROOT = Path(__file__).resolve().parent.parent
FIGURES = {"quickstart-cost.png": ("quickstart", "cost"), "payer-policies.png": ("payer_policies", "glance")}

if __name__ == "__main__":
    for name, (scenario, figure) in FIGURES.items():
        result = l2sim.run(l2sim.load_scenario(ROOT / "scenarios" / f"{scenario}.yaml"))
        target = ROOT / "docs" / name
        target.write_bytes(png(getattr(result.plot, figure)()))
        print(target.relative_to(ROOT))
