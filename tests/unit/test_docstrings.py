"""Every example in a docstring gives what it says."""

import doctest
import importlib
import pkgutil

import pytest

import l2sim

MODULES = sorted(module.name for module in pkgutil.walk_packages(l2sim.__path__, "l2sim."))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples_are_found() -> None:
    finder = doctest.DocTestFinder()
    examples = sum(len(test.examples) for name in MODULES[:80] for test in finder.find(importlib.import_module(name)))
    assert examples > 50
