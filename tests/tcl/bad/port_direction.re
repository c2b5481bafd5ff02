port_direction\.tcl:2: create_bd_port -dir 'x': wanted I, O or IO
