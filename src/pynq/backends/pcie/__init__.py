"""PCIe cards: the XDMA driver's character devices (``xdma:``), and XRT (``xrt:``) where it is installed."""

from __future__ import annotations

from pynq.backends.pcie.xdma import XdmaBackend, XdmaDevice
from pynq.backends.pcie.xrt import XrtBackend, XrtDevice

__all__ = ["XDMA", "XRT", "XdmaDevice", "XrtDevice"]

XDMA = XdmaBackend()
XRT = XrtBackend()
