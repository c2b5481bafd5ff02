create_bd_design d
create_bd_port -dir I p
create_bd_port -dir I p
