:4: is not well-formed XML: undefined entity
