nul\.tcl:2: the control character 0x00: a block-design script is text
