cell_without_vlnv\.tcl:2: create_bd_cell -type ip without -vlnv
