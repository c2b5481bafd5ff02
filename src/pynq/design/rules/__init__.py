"""The rules of :mod:`pynq.design.check`, a module for each part of a design."""
