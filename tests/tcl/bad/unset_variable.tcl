create_bd_design d


puts $nothing
