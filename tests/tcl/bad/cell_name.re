cell_name\.tcl:2: 'a b' is no name
