create_bd_design d
create_bd_cell -type ip -version a:b:c:1 x
