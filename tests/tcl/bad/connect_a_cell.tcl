create_bd_design d
create_bd_cell -vlnv a:b:c:1 x
connect_bd_net [get_bd_cells x] [get_bd_pins x/a]
