port_in_a_hierarchy\.tcl:3: create_bd_port: a port is at the top of the design, '/h/p' is not
