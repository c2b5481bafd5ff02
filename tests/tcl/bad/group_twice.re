group_twice\.tcl:3: there is a cell '/h' already
