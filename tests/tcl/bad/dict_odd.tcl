create_bd_design d
set_property -dict [list CONFIG.A 1 CONFIG.B] [create_bd_cell -vlnv a:b:c:1 x]
