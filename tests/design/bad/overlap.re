:8: 'h/b' at 0x40008000\.\.0x40017fff overlaps 'a' at 0x40000000\.\.0x4000ffff \(line 7\) in the map of 'ps7'
