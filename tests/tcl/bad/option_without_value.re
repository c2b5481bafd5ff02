option_without_value\.tcl:2: create_bd_cell: option -vlnv has no value
