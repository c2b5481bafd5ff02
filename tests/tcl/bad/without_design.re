without_design\.tcl:1: there is no open block design; create_bd_design makes one
