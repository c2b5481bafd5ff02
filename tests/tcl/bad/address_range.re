address_range\.tcl:3: assign_bd_address -range is '99E': wanted 0 to 2\*\*64
