interface_mode\.tcl:2: create_bd_intf_port -mode 'client': wanted one of Master, Slave, Monitor
