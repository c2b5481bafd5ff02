delete_the_design\.tcl:2: the design itself can't be deleted
