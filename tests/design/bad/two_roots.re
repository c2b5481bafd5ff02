:5: is not well-formed XML: junk after document element
