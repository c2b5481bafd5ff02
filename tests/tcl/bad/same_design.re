same_design\.tcl:2: there is a design 'd' already
