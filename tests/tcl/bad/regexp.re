regexp\.tcl:2: get_bd_cells -regexp is not done; patterns with \* and \? are
