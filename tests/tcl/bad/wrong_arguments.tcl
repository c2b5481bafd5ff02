create_bd_design d
proc p {a} {}
p
