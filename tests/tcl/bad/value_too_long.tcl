create_bd_design d
set x [create_bd_cell -vlnv a:b:c:1 x]
set_property CONFIG.A [string repeat a 2000000] $x
