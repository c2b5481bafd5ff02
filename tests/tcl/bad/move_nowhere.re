move_nowhere\.tcl:2: there is no hierarchy '/h'
