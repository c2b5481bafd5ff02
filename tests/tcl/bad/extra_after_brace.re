extra_after_brace\.tcl:2: extra characters after close-brace
