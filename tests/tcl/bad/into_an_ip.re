into_an_ip\.tcl:2: there is no hierarchy '/x' to go into
