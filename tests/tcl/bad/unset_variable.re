unset_variable\.tcl:4: can't read "nothing": no such variable
