too_much_text\.tcl:4: the script's names and values have more than 32 MiB
