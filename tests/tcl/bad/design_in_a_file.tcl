create_bd_design d
open_bd_design {./x/other.bd}
