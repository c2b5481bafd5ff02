create_bd_design d
current_bd_instance [create_bd_cell -vlnv a:b:c:1 x]
