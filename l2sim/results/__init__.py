"""Results: outcomes, table schemas with units, the recorder systems report to, metrics, and the reader."""
