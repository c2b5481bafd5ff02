create_bd_design d
move_bd_cells /h /x
