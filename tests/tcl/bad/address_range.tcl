create_bd_design d
create_bd_cell -vlnv a:b:c:1 x
assign_bd_address -range 99E [get_bd_addr_segs x/S/Reg]
