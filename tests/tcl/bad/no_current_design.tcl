set d [current_bd_design]
