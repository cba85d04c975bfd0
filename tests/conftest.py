"""What all tests share: properties are judged by their truth, not by how busy the machine is."""

from hypothesis import settings

settings.register_profile("ectype", deadline=None, derandomize=False)
settings.load_profile("ectype")
