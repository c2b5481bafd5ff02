create_bd_design d
set x $::env(HOME)
