create_bd_design d
create_bd_port -dir I -from x -to 0 p
