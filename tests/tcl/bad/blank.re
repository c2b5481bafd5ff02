blank\.tcl: is empty
