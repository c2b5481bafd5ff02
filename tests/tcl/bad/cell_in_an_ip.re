cell_in_an_ip\.tcl:3: '/x/y' can't be made: '/x' is a cell of type ip, wanted a hierarchy
