:7: is not well-formed XML: not well-formed \(invalid token\)
