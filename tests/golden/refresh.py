"""Recompute the golden runs and say what changed: `python -m tests.golden.refresh`."""

import json

from tests.golden.cases import CASES, differences, expected_path, observe, write

if __name__ == "__main__":
    for case in CASES:
        summary = observe(case)
        path = expected_path(case)
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        changed = differences(kept, json.loads(json.dumps(summary)))
        print(f"{case}: {len(changed)} values changed")
        for line in changed[:20]:
            print(f"  {line[:160]}")
        write(case, summary)
