error_command\.tcl:3: my own
