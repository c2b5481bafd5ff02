address_negative\.tcl:3: assign_bd_address -offset is '-4': wanted 0
