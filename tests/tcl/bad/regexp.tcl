create_bd_design d
get_bd_cells -regexp {(axi}
