:7: <MEMRANGE> of 'ps7' has no BASEVALUE
