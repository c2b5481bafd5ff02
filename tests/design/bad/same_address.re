:8: 'h/b' at 0x40000000\.\.0x4000ffff overlaps 'a'
