"""Make the README's figure: run the quickstart and keep its headline figure beside this file."""

from pathlib import Path

import l2sim
from l2sim.report.style import png

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    result = l2sim.run(l2sim.load_scenario(ROOT / "scenarios" / "quickstart.yaml"))
    target = ROOT / "docs" / "quickstart-cost.png"
    target.write_bytes(png(result.plot.cost()))
    print(target.relative_to(ROOT))
