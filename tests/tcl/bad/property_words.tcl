create_bd_design d
set_property CONFIG.A 1
