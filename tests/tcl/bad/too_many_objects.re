too_many_objects\.tcl:2: the script makes more than 50,000 objects
