:1: is not well-formed XML: .*, column \d+
