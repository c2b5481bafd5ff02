design_name\.tcl:1: 'a/b' is no name for a design
