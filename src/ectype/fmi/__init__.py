"""Behaviours as FMUs and FMUs as components: the Functional Mock-up Interface, versions 2.0 and 3.0."""
