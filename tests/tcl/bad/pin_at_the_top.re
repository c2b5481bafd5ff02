pin_at_the_top\.tcl:2: create_bd_pin: a pin belongs to a hierarchy, '/p' is at the top of 'd'
