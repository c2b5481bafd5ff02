create_bd_design d
create_bd_cell -type hier h
create_bd_port -dir I h/p
