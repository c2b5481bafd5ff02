binary\.tcl:1: the control character 0x00
