"""Settings every test shares: one hypothesis profile, no deadline on noisy machines; sizes of published tests."""

import pytest
from hypothesis import HealthCheck, settings

from tests.support.statistics import Published, table

settings.register_profile("l2sim", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("l2sim")

ROW = "published result"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("published results")
    group.addoption(
        "--full-size",
        action="store_true",
        help="run the published results at full size, to their published tolerance (minutes instead of seconds), and "
        "print each with expected and observed value, 99 %% interval, tolerance, seeds, events and seconds",
    )
    group.addoption("--seed", type=int, default=1, help="root seed of the published results (default: 1)")


@pytest.fixture
def published(request: pytest.FixtureRequest) -> Published:
    """Runs and judges a published result at the size asked for on the command line."""
    return Published(
        full_size=request.config.getoption("--full-size"),
        seed=request.config.getoption("--seed"),
        report=lambda row: request.node.user_properties.append((ROW, row)),
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table of published results after a run at full size."""
    if not config.getoption("--full-size"):
        return
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    rows = [row for report in reports if report.when == "call" for name, row in report.user_properties if name == ROW]
    if rows:
        terminalreporter.section("published results at full size")
        for line in table(rows):
            terminalreporter.write_line(line)
