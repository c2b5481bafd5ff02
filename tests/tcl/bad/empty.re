empty\.tcl: is empty; wanted a script that Vivado
