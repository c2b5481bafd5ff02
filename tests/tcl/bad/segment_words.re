segment_words\.tcl:2: create_bd_addr_seg takes an address space, a segment and a name
