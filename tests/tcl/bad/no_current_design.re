no_current_design\.tcl:1: there is no open block design
