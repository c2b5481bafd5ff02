no_environment\.tcl:2: can't read "::env\(HOME\)"
