:7: <MEMRANGE> of 'ps7' ends \(0x40000000\) before it begins \(0x4000ffff\)
