design_in_a_file\.tcl:2: the design 'other' is in a file of its own, which is not read
