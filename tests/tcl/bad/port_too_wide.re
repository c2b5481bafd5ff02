port_too_wide\.tcl:2: create_bd_port -from '99999999': wanted the number of a bit below 65536
