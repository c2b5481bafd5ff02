move_into_itself\.tcl:4: '/h' can't be moved into itself
