create_bd_design d
create_bd_cell x -vlnv
