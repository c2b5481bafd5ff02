create_bd_design d
create_bd_cell -vlnv a:b:c:1 x
create_bd_cell -vlnv a:b:c:1 x/y
