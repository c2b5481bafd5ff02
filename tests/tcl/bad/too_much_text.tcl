create_bd_design d
set x [create_bd_cell -vlnv a:b:c:1 x]
set v [string repeat a 1000000]
for {set i 0} {$i < 100} {incr i} {catch {set_property CONFIG.A$i $v $x}}
