"""The Python Overlay API, on any machine."""
