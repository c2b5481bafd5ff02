no_design\.tcl: the script makes no block design \(no create_bd_design\)
