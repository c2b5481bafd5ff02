create_bd_design d
for {set i 0} {$i < 50} {incr i} {
  current_bd_instance [create_bd_cell -type hier h]
}
