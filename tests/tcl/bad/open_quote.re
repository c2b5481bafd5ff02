open_quote\.tcl:2: missing "
