create_bd_design d
create_bd_port -dir X p
