create_bd_design d
proc p {a} {
  set b 1
  set c $d
}

p 1
