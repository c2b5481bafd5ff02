:5: <PORT> of 'External_Ports' has no NAME
:10: <MEMRANGE> of 'ps7': BASEVALUE='zero' is no address
:11: <MEMRANGE> of 'ps7' ends \(0x0\) before it begins \(0x1\)
:12: <MEMRANGE> of 'ps7' has no BASEVALUE
:12: <MEMRANGE> of 'ps7' has no HIGHVALUE
:12: <MEMRANGE> of 'ps7' has no INSTANCE
