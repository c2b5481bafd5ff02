wrong_arguments\.tcl:3: wrong # args: should be "p a"
