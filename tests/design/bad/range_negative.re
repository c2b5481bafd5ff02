:7: <MEMRANGE> of 'ps7': BASEVALUE='-0x1' is no address
