create_bd_design d

if {1} {
  puts a
