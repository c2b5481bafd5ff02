create_bd_design d
create_bd_cell -type hier h
create_bd_cell -type hier h/i
move_bd_cells [get_bd_cells h/i] [get_bd_cells h]
