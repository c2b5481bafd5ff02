:5: is not well-formed XML: mismatched tag
