control_z\.tcl:3: the control character 0x1a
