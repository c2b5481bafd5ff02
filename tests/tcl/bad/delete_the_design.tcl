create_bd_design d
delete_bd_objs /
