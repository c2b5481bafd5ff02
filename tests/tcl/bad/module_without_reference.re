module_without_reference\.tcl:2: create_bd_cell -type module without -reference
