"""Payment systems: one folder a kind, all behind the promises of `l2sim.systems.base`."""
