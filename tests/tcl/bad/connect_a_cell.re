connect_a_cell\.tcl:3: '/x' is a cell, wanted a pin or port of it
