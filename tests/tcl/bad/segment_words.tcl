create_bd_design d
create_bd_addr_seg -range 64K -offset 0 a b
