unknown_option\.tcl:2: create_bd_cell has no option '-version'; it has -type, -vlnv, -reference
