port_twice\.tcl:3: there is a port '/p' already
