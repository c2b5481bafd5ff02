open_brace\.tcl:3: missing close-brace
