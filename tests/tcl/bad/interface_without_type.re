interface_without_type\.tcl:2: create_bd_intf_port without -vlnv
