address_offset\.tcl:3: assign_bd_address -offset is 'here': wanted bytes such as 0x41200000, 65536 or 64K
