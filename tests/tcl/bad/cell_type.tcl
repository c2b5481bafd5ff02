create_bd_design d
create_bd_cell -type box x
