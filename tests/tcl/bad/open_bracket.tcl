create_bd_design d
puts [list a
