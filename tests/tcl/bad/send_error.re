send_error\.tcl:2: it cannot be
