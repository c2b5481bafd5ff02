create_bd_design d
proc p {} {
  error "my own"
}
p
