create_bd_design d
set_property -dict "CONFIG.A \{" [create_bd_cell -vlnv a:b:c:1 x]
