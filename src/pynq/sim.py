"""Write your own model: an IP of the simulated board in a few lines of Python."""
