create_bd_design d
set a {b}c
