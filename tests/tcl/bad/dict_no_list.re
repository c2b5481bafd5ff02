dict_no_list\.tcl:2: no list: a brace is not closed
