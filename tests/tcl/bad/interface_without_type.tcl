create_bd_design d
create_bd_intf_port -mode Master p
