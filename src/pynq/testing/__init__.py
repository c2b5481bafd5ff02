"""For tests of backends: does a device keep the contract that everything above it relies on?"""

from __future__ import annotations

from pynq.testing.conformance import Check, ConformanceError, check_device

__all__ = ["Check", "ConformanceError", "check_device"]
