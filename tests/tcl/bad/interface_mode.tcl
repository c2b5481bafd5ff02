create_bd_design d
create_bd_intf_port -mode Client -vlnv a:b:c:1 p
