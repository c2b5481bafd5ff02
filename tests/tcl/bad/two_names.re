two_names\.tcl:2: create_bd_cell takes one name, not 2
