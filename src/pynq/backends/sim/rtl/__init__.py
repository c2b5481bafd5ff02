"""RTL on the simulated board: sources to libraries, and libraries to components of the engine."""
