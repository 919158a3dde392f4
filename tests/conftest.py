"""Settings every test shares: one hypothesis profile, no deadline on noisy machines."""

from hypothesis import HealthCheck, settings

settings.register_profile("l2sim", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("l2sim")
