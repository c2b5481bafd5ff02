create_bd_cell -type ip -vlnv a:b:c:1 x
