create_bd_design d
for {set i 0} {$i < 200000} {incr i} {create_bd_cell -vlnv a:b:c:1 x$i}
