"""Write the hand-off files of the examples from a short description in Python."""
