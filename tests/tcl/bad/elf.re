elf\.tcl:1: the control character 0x02
