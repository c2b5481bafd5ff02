unset_in_procedure\.tcl:4: can't read "d"
