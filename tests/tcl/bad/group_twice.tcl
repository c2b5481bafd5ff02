create_bd_design d
group_bd_cells h
group_bd_cells h
