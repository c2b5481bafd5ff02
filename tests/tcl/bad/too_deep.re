too_deep\.tcl:3: the cell 'h' is in more than 32 hierarchies
