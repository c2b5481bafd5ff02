cell_in_nothing\.tcl:2: '/x/y' can't be made: '/x' is not there
