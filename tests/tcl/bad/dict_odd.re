dict_odd\.tcl:2: set_property -dict takes names and values in pairs, not 3 words
