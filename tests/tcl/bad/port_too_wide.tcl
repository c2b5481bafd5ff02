create_bd_design d
create_bd_port -dir I -from 99999999 -to 0 p
