"""A look inside a design: what there is to tell about it, as data, as a page, as a picture."""
