create_bd_design {a/b}
