open_bracket\.tcl:2: missing close-bracket
