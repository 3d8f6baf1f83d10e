"""Property tests are the same on every run, and a busy machine does not make them fail."""

from hypothesis import settings

settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
