:7: <MEMRANGE> of 'ps7': HIGHVALUE='0x1FFFFFFFFFFFFFFFF' has more than 64 bits
