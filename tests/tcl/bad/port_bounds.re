port_bounds\.tcl:2: create_bd_port -from 'x': wanted the number of a bit
