create_bd_design d
common::send_msg_id "BD_TCL-1" "ERROR" "it
cannot be"
