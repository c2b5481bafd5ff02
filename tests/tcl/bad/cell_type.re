cell_type\.tcl:2: create_bd_cell -type 'box': there are ip, inline_hdl, hier, module, container
