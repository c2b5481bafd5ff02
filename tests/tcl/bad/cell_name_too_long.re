cell_name_too_long\.tcl:2: 'xxx[^']*\.\.\.' is no name
