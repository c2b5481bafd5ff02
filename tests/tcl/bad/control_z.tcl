create_bd_design d

 more
