"""Boards under Linux. Reading order: ``kernel`` (what touches the system), ``device`` (what programs see)."""
