unknown_design\.tcl:2: there is no design 'e'; there are d
