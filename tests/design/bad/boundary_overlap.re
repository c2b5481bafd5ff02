:8: 'h/b' at .* overlaps 'a' at .* in the map of 'M_AXI_GP0'
