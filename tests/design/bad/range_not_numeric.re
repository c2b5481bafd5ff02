:7: <MEMRANGE> of 'ps7': BASEVALUE='0x4000_000G' is no address \(hexadecimal, like 0x40000000\)
