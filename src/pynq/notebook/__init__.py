"""How an overlay shows itself in a notebook: tree, diagram, live registers, activity."""
